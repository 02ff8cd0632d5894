/* types: rows and events of the store, and the callbacks that get them. */
#ifndef SRC_STORE_TYPES_H
#define SRC_STORE_TYPES_H

#include "base/addr.h"
#include "base/err.h"

/* Strings are read during the call (put) or valid during the callback (load); NULL becomes "". */
struct store_unit {
	const char *owner;            /* absolute, lower case, no final dot; the key */
	const char *state;            /* the life cycle's word: "booting", "awake", ... */
	const char *uuid;             /* of the VM, in text; "" = none */
	const char *driver;
	const char *image;
	uint64_t awake_since_ns;      /* 0 = none, here and below */
	uint64_t last_activity_ns;
	uint64_t deadline_ns;         /* what comes next by itself: sleep, the end of a boot */
	uint64_t backoff_until_ns;
	uint64_t boots, crashes;
	uint32_t failures;            /* in a row */
	uint32_t last_boot_ms;        /* from the wake to ready */
	const char *last_error;
	const char *identity;         /* what a guest was told and cannot unlearn; "" = not known */
	const char *console;          /* last lines, raw; its end, at most LIMIT_CONSOLE_TAIL */
	bool this_boot;               /* load only: the row is of this boot of the host */
};

/* The legs of a wake; each in microseconds, STORE_STEP_NONE when it did not happen. */
enum store_step {
	STORE_STEP_SPAWN,             /* query or packet → the VM's process was executed */
	STORE_STEP_ALIVE,             /* → first frame of the guest */
	STORE_STEP_READY,             /* → the readiness test succeeded */
	STORE_STEP_ANSWER,            /* → the first held query was answered */
	STORE_STEPS
};
#define STORE_STEP_NONE (-1)

/* "spawn", "alive", "ready", "answer": the keys of durations_us in JSON. */
extern const char *const store_step_names[STORE_STEPS];

struct store_event {
	int64_t id;                   /* read only: grows with time */
	uint64_t time_us;             /* wall clock; 0 in store_event_add = now */
	uint64_t mono_ns;             /* 0 in store_event_add = now */
	const char *unit;             /* "" = the daemon itself */
	const char *kind;             /* one word: "wake", "ready", "sleep", "died", ... */
	int64_t step_us[STORE_STEPS];
	const char *text;
};

/* An event without durations; text is printf-like in the caller's hands. */
#define STORE_EVENT(u, k, t)                \
	((struct store_event){ .unit = (u), \
	    .kind = (k),                    \
	    .text = (t),                    \
	    .step_us = { STORE_STEP_NONE, STORE_STEP_NONE, STORE_STEP_NONE, STORE_STEP_NONE } })

struct store_conf {
	uint32_t events_keep;         /* newest events kept; 0 = STORE_EVENTS_KEEP */
	uint32_t address_hold_s;      /* a removed unit's address is refused so long; 0 = never */
};

/* How a command ended; `why` is "" when e is ERR_OK, and valid during the callback. */
typedef void (*store_done_cb)(enum err e, const char *why, void *arg);

typedef void (*store_unit_cb)(const struct store_unit *u, void *arg);

typedef void (*store_events_cb)(
    enum err e, const char *why, const struct store_event *evs, size_t n, void *arg);

/* A row of the address table. */
struct store_address_row {
	char text[ADDR_TEXT];
	const char *owner;
	int64_t removed_at;        /* wall clock, s; 0 = in use */
	bool used;                 /* it was handed out */
};

struct store_address {
	struct msg_addr addr;         /* prefixlen is ignored */
	const char *owner;
};

/* What the table wants to know of a configuration. */
struct store_names {
	/* The unit that a name stands for: its own, or an alias's; NULL = none. */
	const char *(*unit_of)(const char *name, void *arg);
	/* Might there be such a unit, in what cannot be read? */
	bool (*hidden)(const char *name, void *arg);
	/* This claim is held against its owner, as `why` says. */
	void (*held)(const struct store_address *claim, const char *why, void *arg);
	void *arg;
};

struct store_address_view {
	struct msg_addr addr;
	const char *owner;
	bool used;                    /* it was handed out */
	uint64_t removed_at;          /* wall clock, s; 0 = in use */
	uint64_t held_until;          /* likewise; 0 = not held */
};
typedef void (*store_address_cb)(const struct store_address_view *v, void *arg);

#endif
