/*
 * unit: the table of managed services and what the warden knows of each while it runs.
 *
 * A unit is found by its number (messages, boards), by its owner name (operators, reloads, store)
 * or by the UUID of its VM (driver events).  Numbers are never reused while the warden lives.  A
 * unit that left the configuration is *leaving*: it has lost its name, and goes when its VM has
 * gone.  Until then no VM with its MAC, addresses or name may start (unit_before).
 *
 * What a dormant unit does not need is in struct unit_run: ten thousand sleeping units cost little.
 */
#ifndef SRC_WARDEN_UNIT_H
#define SRC_WARDEN_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/table.h"
#include "src/control/control.h"
#include "src/life/life.h"
#include "src/units/units.h"
#include "vm/vm.h"

struct warden;
struct unit;

/* A client that waits for a wake or a sleep to end. */
struct unit_waiter {
	SLIST_ENTRY(unit_waiter) next;
	LIST_ENTRY(unit_waiter) told_link;   /* while `told` */
	struct control_request *req;
	uint32_t unit;
	bool for_sleep;
	bool told;                 /* of each change of what the unit waits for */
	unsigned waits_for;        /* enum wake_waits, as told last; */
	unsigned place;
};

/* When each leg of the wake in progress, or of the last one, happened (clock.h); 0 = not (yet). */
struct unit_trace {
	uint64_t query_ns;         /* the query, packet or command that woke it */
	uint64_t exec_ns;          /* the VM's process was executed */
	uint64_t alive_ns;         /* first frame of the guest */
	uint64_t ready_ns;         /* the frame that made it ready was read */
	uint64_t answer_ns;        /* the held queries were answered */
};

/* The readiness probe of the last boot, and what was seen of the guest meanwhile. */
struct unit_tried {
	uint64_t sent_ns;          /* when it began; 0 = nothing was probed */
	uint8_t kind;              /* enum msg_probe_kind */
	uint16_t port;
	struct msg_addr guest, source;
	uint32_t signs;            /* 1 << enum msg_sign */
	struct msg_addr other;     /* of SIGN_OTHER_ADDRESS */
	uint8_t other_mac[6];      /* of SIGN_OTHER_MAC */
};

/* The packet that woke a unit. */
struct unit_knock {
	struct msg_addr peer;      /* as it said; anybody may say so */
	uint8_t proto;             /* IPPROTO_* */
	uint16_t port;             /* the unit's */
};

/* Another host that has an address of the unit. */
struct unit_conflict {
	struct msg_addr addr;      /* family 0: there is none */
	uint8_t mac[6];
};

/* Who a leaving unit was, now that it has no settings. */
struct unit_left {
	LIST_ENTRY(unit_left) next;
	uint8_t mac[6];
	uint8_t naddrs;
	struct msg_addr addrs[LIMIT_UNIT_ADDRS];
	struct unit *unit;
	char name[];
};

struct unit_run {
	struct vm_uuid uuid;
	bool has_vm;               /* uuid names a VM that runs or is being started or stopped */
	struct event *timer;       /* the life cycle's */
	void *timer_arg;
	struct event *check;       /* makes check_due true */
	void *check_arg;
	bool check_due;            /* a query makes us ask */
	bool gives_way;            /* its counters are read for that (pressure.c) */
	uint64_t stays_until_ms;   /* it does not give way before */
	uint64_t needed_round;     /* in which a unit that is up needed it (pressure.c) */
	uint32_t admit_ticket;     /* of the wake that waits for a slot */
	uint32_t waits_ticket;     /* of the last wake that was counted as waiting */
	uint64_t waits_since_ms;   /* when it began to */
	uint32_t needs_ticket;     /* of the wake that waits for needs; 0: it failed for them */
	LIST_ENTRY(unit) needs_link;
	uint32_t behind_number;    /* the leaving unit that it waits for */
	LIST_ENTRY(unit) behind_link;
	struct unit_trace trace;
	uint8_t woken_by;          /* enum life_cause of that wake; 0 = not known */
	uint32_t woken_for;        /* number + 1 of the unit that it was woken for; 0 = none */
	struct msg_addr asker;     /* the client that asked last; family 0: none, or not known */
	struct msg_addr client;    /* the one whose query woke it, likewise */
	uint64_t awake_since_ns;
	uint64_t last_packet_ns;   /* as read last */
	uint64_t deadline_ns;      /* what the timer waits for; 0 = nothing */
	uint32_t probe_ticket;     /* of the probe under way; 0 = none */
	uint64_t probe_sent_ns;
	bool probe_waits;          /* for the end of the driver's start */
	bool link_changed;         /* a NIC's end on the host did something: it is looked at */
	uint8_t links[LIMIT_NICS]; /* enum link_state, as was said (links.c) */
	uint64_t lost_ns;          /* since when it cannot be reached for that; 0 = it can */
	bool no_network;           /* for want of which its VM was not started */
	bool count_waits;          /* packets are counted when it is ready: a boot needs the time */
	struct msg *probe;         /* what will be asked of the sentinel; NULL = not planned */
	char detail[32];           /* how it runs: "kvm", "tcg" */
	uint64_t vm_memory_bytes;  /* what the VM was started with; 0 = not known */
	const char *vm_driver;     /* a literal */
	char vm_image[64];
	struct unit_tried tried;
	struct unit_knock knock;   /* of the last wake, if woken_by is LIFE_BY_PACKET */
	struct unit_conflict conflicts[2];   /* of IPv4, of IPv6 */
	struct vm_uuid guarded;    /* the VM whose guest refuses nobody, or did */
	struct unit_trace failed;  /* of the last boot that failed; kept until the next READY */
	char *error;               /* last failure, for `jitsu show` */
	char *console;             /* last console lines of a VM that died or failed, as text */
	bool error_new;            /* it is of the boot under way, or came after that */
	bool console_new;
	bool failing;              /* the boot has failed; that is said when its VM has ended */
	SLIST_HEAD(, unit_waiter) waiters;
};

struct unit {
	uint32_t number;
	uint16_t passive;          /* whose queries do not wake it (passive.h); 0: nobody's */
	bool leaving;
	bool behind;               /* its wake waits for a leaving unit to go (run) */
	bool needing;              /* it waits, or has failed, for what it needs (needs.c; run) */
	bool refused;              /* an address of it is held for another (holds.h): never woken */
	bool aside;                /* it leaves, and its row in the store is aside.h's */
	bool handed_out;           /* the store knows that its addresses were */
	bool save_failed;          /* it is stopped instead, until the next reload */
	bool row_behind;           /* its row in the store has the state before this wake */
	bool ahead;                /* while dormant it is to have a VM that waits (ahead.h) */
	bool owned;                /* its addresses are ours: no sentinel looks for another host */
	bool settling;             /* awake, and the sentinel has not given all that it holds yet */
	bool dropped;              /* what was held is refused; nobody has asked for more since */
	bool guarded;              /* its guest refuses nobody */
	bool unparkable;           /* somebody else has its MAC: packets do not wake it */
	bool unparked_once;        /* so it was, which is looked at once more */
	uint32_t parked;           /* of the MSG_PARK that the sentinel has; 0: it knows nothing */
	bool park_anew;            /* its network's port is new: it is told, and parked, again */
	bool scheduled;            /* it is within its hours (schedule.h) */
	bool schedule_off;         /* but an operator put it to sleep */
	bool ready_held;           /* it is ready, but a unit that it needs is not awake yet */
	const struct unit_conf *conf;   /* of the current generation; NULL while leaving */
	const char *name;          /* the configuration's, or left->name */
	struct unit_left *left;    /* while leaving; else NULL */
	struct life life;
	struct admit_waiter admit;
	struct unit_run *run;      /* NULL: nothing to remember */
	uint64_t boots;
	uint32_t crashes;
	uint32_t last_boot_ms;
	uint64_t generation;       /* the last one that had it */
	uint64_t last_use_ns;      /* of the store or a wake; the board may know a newer use */
};

/* All zero at first. */
struct unit_table {
	struct unit **by_number;   /* [0 .. next) ; NULL = gone */
	uint32_t next, room;
	struct table by_name, by_uuid;
	uint32_t count;            /* with a name */
	LIST_HEAD(, unit_left) left, gone;   /* leaving units that may have a VM; that have none */
};

void unit_table_clear(struct unit_table *t);

/* A new dormant unit.  NULL: out of numbers (*m says). */
struct unit *unit_new(struct unit_table *t, const struct unit_conf *conf, struct errmsg *m);
/* Frees a unit; the callers have stopped its VM and answered its waiters. */
void unit_free(struct unit_table *t, struct unit *u);
/* Gives a unit its settings in a new generation; the name is the same. */
void unit_conf_set(struct unit_table *t, struct unit *u, const struct unit_conf *conf);
/* The unit has left the configuration: its name is free for another. */
void unit_leave(struct unit_table *t, struct unit *u);
/* Nothing is left of it that another unit could meet; it may be freed at any time. */
void unit_gone(struct unit_table *t, struct unit *u);

/* NULL when there is none. */
struct unit *unit_by_number(const struct unit_table *t, uint32_t number);
struct unit *unit_by_name(const struct unit_table *t, const char *name);
/* The next unit by number; *at is 0 at first.  NULL: there are no more. */
struct unit *unit_next(const struct unit_table *t, uint32_t *at);
/* Each unit in `u`, which may be freed meanwhile. */
#define UNIT_FOREACH(u, t) for (uint32_t at_ = 0; ((u) = unit_next(t, &at_)) != NULL;)
/* A leaving unit that has the name, the MAC or an address of this one; NULL when there is none. */
const struct unit *unit_before(const struct unit_table *t, const struct unit *u);
struct unit *unit_by_uuid(const struct unit_table *t, const struct vm_uuid *uuid);
/* Every unit whose VM has an identity, as table_next. */
struct unit *unit_vm_next(const struct unit_table *t, size_t *at);

/* What a unit remembers beside being dormant; made when it is missing. */
struct unit_run *unit_run(struct unit *u);
/* Gives a unit's VM its identity, or takes it away (NULL). */
void unit_uuid_set(struct unit_table *t, struct unit *u, const struct vm_uuid *uuid);
/* A VM is made (anew): nothing has happened to its NICs yet. */
void unit_links_reset(struct unit *u);

static inline bool
unit_has_vm(const struct unit *u)
{
	return u->run != NULL && u->run->has_vm;
}

/* Does its guest run, or boot in a VM that is whole? */
static inline bool
unit_runs(const struct unit *u)
{
	enum life_phase p = (enum life_phase)u->life.phase;
	enum life_state s = life_state(&u->life);

	return u->conf != NULL && unit_has_vm(u) && s != LIFE_STOPPING && s != LIFE_FAILED &&
	    (p == LIFE_P_PROBING || p == LIFE_P_AWAKE || p == LIFE_P_READING ||
	    p == LIFE_P_FREEZING || p == LIFE_P_FROZEN || p == LIFE_P_THAWING);
}

/* Does its guest run where nobody can reach it, as far as is known? */
static inline bool
unit_unreachable(const struct unit *u)
{
	return u->run != NULL && u->run->lost_ns != 0 && unit_runs(u);
}

/* A boot begins.  What is known of the last failure stays until a boot works. */
void unit_boot_begin(struct unit *u);
/* A boot worked. */
void unit_boot_works(struct unit *u);
void unit_error_set(struct unit *u, const char *text);       /* NULL clears */
/* Its last failure; `none` when it has none. */
const char *unit_error(const struct unit *u, const char *none);
/* Bytes that the guest wrote; they are kept as text (utf8.h).  NULL: none. */
void unit_console_set(struct unit *u, const char *bytes, size_t len);

#endif
