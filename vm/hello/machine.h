/* machine.h: what the image runs on: QEMU's microvm, or a PVH domain on Xen */
#ifndef HELLO_MACHINE_H
#define HELLO_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/addr.h"

#define MACHINE_TIMER_MOST_MS 60000

/* The network card, once it is started. */
struct machine_card {
	/* The next received frame, or NULL; it is the caller's until it is released. */
	const uint8_t *(*receive)(size_t *len);
	void (*release)(void);
	/* Whether there is a frame; if not, the next one ends cpu_sleep(). */
	bool (*has_frame)(void);
	/* Queues a frame; drops it when the queue is full. */
	void (*send)(const uint8_t *frame, size_t len);
	/* Tells the card what was queued and released since the last time. */
	void (*flush)(void);
};

struct machine {
	const struct machine_card *card;

	/* Comes first: interrupts, the console, and the present as the clock's zero. */
	void (*start)(void);
	/* Finds and starts the card. Returns NULL, or why there is none. */
	const char *(*card_start)(uint8_t mac[MAC_BYTES]);
	/* A reading that takes a time which nobody can foresee. */
	uint32_t (*jitter)(void);
	/* Until then the clock may stand still. NULL: the clock runs from the start. */
	void (*clock_calibrate)(void);
	/* Since boot; time that the machine spent suspended does not count. */
	uint64_t (*clock_us)(void);
	/* Ends cpu_sleep() in so many milliseconds, at most MACHINE_TIMER_MOST_MS; 0 for never. */
	void (*timer_set)(uint32_t ms);
	/*
	 * Comes after cpu_sleep(), before looking for work: sees to interrupts and to what the
	 * machine is asked for.  True: the link is new, set timers and announce the network again.
	 */
	bool (*attend)(void);
	/* Prints what fits. */
	void (*print)(const char *bytes, size_t n);
	/* For a guest without a card: waits until something happens, or for ever. */
	void (*idle)(void);
	/* As a guest that crashed; does not return. */
	void (*die)(void);
};

extern const struct machine machine_microvm, machine_xen;

/* The one of the two that this is; main() sets it before anything else. */
extern const struct machine *machine;

/* Prints "hello: ", the line and a line end. */
void console_line(const char *line);

#endif
