/* xen.h: hypercalls, event channels, grants and the domain's own end, for a PVH guest on Xen */
#ifndef HELLO_XEN_H
#define HELLO_XEN_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/hello/xen_abi.h"

/* Memory that is shared by the page. */
#define XEN_PAGE __attribute__((aligned(XEN_PAGE_BYTES), section(".bss.noinit")))

/* True when Xen is underneath. */
bool xen_detect(void);

/*
 * Maps the shared pages and has events delivered; once more after a resume, when event channels and
 * grants are gone.  Ends the domain as crashed when Xen refuses.
 */
void xen_start(void);

/* A number from the toolstack: the frame or the event channel of the store or the console. */
uint32_t xen_param(enum xen_param index);

/*
 * Event channels. Each event ends cpu_sleep(); which one it was nobody needs to know. 0 when there
 * is none to be had.
 */
uint32_t xen_event_alloc(uint16_t remote_domid);
void xen_event_send(uint32_t port);

/* Forgets the events so far: to be called before looking for work. */
void xen_events_clear(void);

/*
 * Lets the domain map or copy the page at that address; the reference stays valid until the next
 * xen_start().
 */
void xen_grant(uint32_t reference, uint16_t domid, const void *page, bool readonly);

/* System time in nanoseconds, of no particular origin; it jumps when the domain is resumed. */
uint64_t xen_time_ns(void);

/* One event at that system time; 0 for none. */
void xen_timer_set(uint64_t at_ns);

/* Returns only from a suspend: false in a restored domain, true when it was called off. */
bool xen_shutdown(enum xen_shutdown_reason reason);

#endif
