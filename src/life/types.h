/* types: the states, events and actions of a unit; life.h says how they go together. */
#ifndef SRC_LIFE_TYPES_H
#define SRC_LIFE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/msg.h"

#define LIFE_NEVER UINT64_MAX

/* What users see. */
enum life_state {
	LIFE_DORMANT = 0,
	LIFE_BOOTING,            /* also: waiting for a slot, thawing, restoring */
	LIFE_AWAKE,              /* answers may leave at once */
	LIFE_FROZEN,             /* also: freezing */
	LIFE_SAVED,              /* also: saving */
	LIFE_STOPPING,
	LIFE_FAILED,             /* backs off, or its VM cannot be stopped: wakes fail at once */
	LIFE_STATE_COUNT
};

/* What the machine waits for; drawn at the top of life.c. */
enum life_phase {
	LIFE_P_DORMANT = 0,
	LIFE_P_ADMITTING, LIFE_P_INTENDING, LIFE_P_STARTING, LIFE_P_RESTORING, LIFE_P_PROBING,
	LIFE_P_AWAKE, LIFE_P_READING,
	LIFE_P_FREEZING, LIFE_P_FROZEN, LIFE_P_THAWING, LIFE_P_SAVING, LIFE_P_SAVED,
	LIFE_P_STOPPING, LIFE_P_RETRYING, LIFE_P_FAILED, LIFE_P_GONE,
	LIFE_PHASE_COUNT
};

/* Tiers of sleep, deeper ones later. */
enum life_tier { LIFE_TIER_FROZEN, LIFE_TIER_SAVED, LIFE_TIER_DORMANT };

/* Why a state changed.  What merely ends (stopping → dormant or failed) keeps the first reason. */
enum life_why {
	LIFE_WHY_NONE = 0,
	/* woken or sent to sleep by; the same order as enum life_cause */
	LIFE_WHY_QUERY, LIFE_WHY_PACKET, LIFE_WHY_OPERATOR,
	LIFE_WHY_PRESSURE,       /* memory is wanted by others */
	LIFE_WHY_UNREACHABLE,    /* its network is gone */
	LIFE_WHY_SCHEDULE,       /* its hours have begun */
	LIFE_WHY_AGAIN,          /* a wake had come while it went down */
	LIFE_WHY_READY,
	LIFE_WHY_IDLE,           /* not used for `idle` */
	LIFE_WHY_UNUSED,         /* woken, and no packet came for `unused-after` */
	LIFE_WHY_AGED,           /* frozen or saved for too long */
	LIFE_WHY_ADOPTED,
	LIFE_WHY_REMOVED,
	LIFE_WHY_BACKOFF_OVER,
	LIFE_WHY_REFUSED,        /* no slot */
	LIFE_WHY_NEEDS,          /* a unit that it needs could not be had */
	LIFE_WHY_STORE,          /* no memory for the intent */
	LIFE_WHY_START,          /* the driver could not start it */
	LIFE_WHY_NOT_READY,      /* not ready within boot_ms */
	LIFE_WHY_DIED,           /* the VM ended by itself */
	LIFE_WHY_DRIVER,         /* freeze, thaw or save failed */
	LIFE_WHY_STOP,           /* the VM could not be stopped */
	LIFE_WHY_LATE,           /* the driver takes too long, or has ended after all */
	LIFE_WHY_COUNT
};

/* From configuration and driver; each step may bring another (send POLICY after a reload). */
struct life_policy {
	uint32_t idle_ms;          /* asleep when not used for so long; 0 = never */
	uint32_t unused_after_ms;  /* the same, while no packet came since the wake; 0 = off */
	uint32_t min_up_ms;        /* awake at least so long, unless SLEEP or REMOVE comes */
	uint32_t boot_ms;          /* from ADMITTED to READY */
	uint32_t queue_ms;         /* the longest wait for a slot; 0 = as long as it takes */
	uint32_t frozen_ms;        /* a frozen VM goes on to frozen_then after this; 0 = never */
	uint32_t saved_ms;         /* a saved state is thrown away after this; 0 = never */
	uint32_t backoff_min_ms;   /* after the first failure; doubles ... */
	uint32_t backoff_max_ms;   /* ... up to this */
	uint32_t steady_ms;        /* a VM that was awake so long makes former failures forgotten */
	uint32_t stop_ms;          /* deadline of a shutdown, after which the driver destroys */
	uint32_t op_ms;            /* a driver counts as hung after this: freeze, thaw, stop */
	uint32_t state_ms;         /* ... save, restore */
	uint8_t sleep;             /* enum life_tier when idle */
	uint8_t frozen_then;       /* LIFE_TIER_SAVED or LIFE_TIER_DORMANT */
	bool shutdown;             /* stop by asking the guest first */
	/* What the driver cannot do becomes a stop; a shutdown becomes a destroy. */
	bool can_freeze, can_save, can_shutdown;
	bool queue_sure;           /* only its turn, or a needed unit, is missing: wait on */
	bool needs_waits;          /* ADMIT or THAW has not begun: a needed unit is not awake */
	bool op_waits;             /* the operation under way has not begun: its deadline moves */
};

/* life_init makes it dormant.  Outside life.c only read; the times are stored for adoption. */
struct life {
	uint64_t timer_ms;         /* TIMER is due, while awake to consider sleep; or LIFE_NEVER */
	uint64_t since_ms;         /* when the state last changed */
	uint64_t awake_since_ms;   /* 0 before the first time */
	uint64_t last_use_ms;      /* newest query, wake or packet that the machine knows of */
	uint64_t backoff_until_ms; /* queries do not boot it before; 0 = none */
	uint32_t ticket;
	uint16_t flags;
	uint8_t phase;             /* enum life_phase */
	uint8_t why;               /* enum life_why of the last change */
	uint8_t failures;          /* in a row; see steady_ms */
};

_Static_assert(sizeof(struct life) <= 56, "a dormant unit is cheap");

enum life_event_kind {
	LIFE_EV_WAKE = 0,   /* .cause; answered by exactly one WOKEN, perhaps of this very step */
	LIFE_EV_ADMITTED,   /* ticket: a slot is held from now on, and a slot for boots */
	LIFE_EV_REFUSED,    /* ticket: the queue for slots is full; or .needs, .again_ms */
	LIFE_EV_STORED,     /* ticket, result: the intent is on disk, or is tried again */
	LIFE_EV_STARTED,    /* ticket, result: after an error nothing of the VM is left */
	LIFE_EV_RESTORED,   /* ticket, result, .kept: as STARTED; the state goes unless kept */
	LIFE_EV_READY,      /* ticket; may come before STARTED */
	LIFE_EV_FROZEN,     /* ticket, result, .kept */
	LIFE_EV_THAWED,     /* ticket, result, .kept; after an error perhaps .needs */
	LIFE_EV_SAVED,      /* ticket, result, .kept: after success the file is there, no process */
	LIFE_EV_STOPPED,    /* ticket, result: ERR_OK and ERR_MISSING: nothing is left */
	LIFE_EV_ACTIVITY,   /* ticket, result, .activity; an error counts as use just now */
	LIFE_EV_DIED,       /* the unit's VM ended by itself and was cleaned up */
	LIFE_EV_TIMER,      /* life.timer_ms is reached; too early or late is allowed */
	LIFE_EV_SLEEP,      /* .sleep: who or what wants it; a boot under way is given up */
	LIFE_EV_POLICY,     /* the policy passed with this step is new */
	LIFE_EV_REMOVE,     /* the unit left the configuration: down, then FORGET */
	LIFE_EV_ADOPT,      /* .adopt: once, at start, as the first event */
	LIFE_EVENT_COUNT
};

enum life_cause {
	LIFE_BY_QUERY = LIFE_WHY_QUERY, LIFE_BY_PACKET, LIFE_BY_OPERATOR, LIFE_BY_PRESSURE,
	LIFE_BY_UNREACHABLE, LIFE_BY_SCHEDULE
};

enum life_found {
	LIFE_FOUND_NONE, LIFE_FOUND_RUNNING, LIFE_FOUND_FROZEN, LIFE_FOUND_SAVED, LIFE_FOUND_BROKEN
};

struct life_event {
	enum life_event_kind kind;
	uint64_t now_ms;
	uint32_t ticket;
	enum err result;
	bool needs;                            /* REFUSED THAWED: a unit that it needs is missing */
	union {
		uint64_t again_ms;             /* REFUSED, needs: no query boots it before */
		enum life_cause cause;         /* WAKE: query, packet, operator or schedule */
		/* RESTORED FROZEN THAWED SAVED failed: not tried, all is as before. */
		bool kept;
		struct {
			enum life_cause cause; /* operator, pressure or unreachable */
			enum life_tier tier;   /* at least so deep; what is deeper already stays */
		} sleep;
		struct {
			/* From the board, and of payload from the kernel; 0 = never. */
			uint64_t last_query_ms, last_packet_ms;
		} activity;
		struct {
			enum life_found found; /* the VM or file with the UUID of the unit's row */
			enum life_state was;   /* as stored */
			/* As stored; zeros when the row is of another boot of the host. */
			uint64_t awake_since_ms, last_use_ms, backoff_until_ms;
			uint8_t failures;
		} adopt;
	};
};

enum life_action_kind {
	LIFE_DO_CHANGED = 0, /* .changed: first of all, for WOKEN needs the board right */
	LIFE_DO_ADMIT,       /* ticket: have what it needs, ask for a slot → ADMITTED or REFUSED */
	LIFE_DO_CLAIM,       /* an adopted VM: count its slot without asking */
	LIFE_DO_RELEASE,     /* end slot or queueing: once for each CLAIM, or ADMIT not refused */
	LIFE_DO_BOOT_DONE,   /* the boot's slot: once for each ADMITTED, before its RELEASE */
	LIFE_DO_INTENT,      /* ticket: make a new UUID and store it, with state booting → STORED */
	LIFE_DO_START,       /* ticket: vm_start with the stored UUID → STARTED */
	LIFE_DO_RESTORE,     /* ticket: vm_restore of the stored UUID → RESTORED */
	LIFE_DO_PROBE,       /* ticket: wait for readiness → READY, which ends the probe */
	LIFE_DO_UNPROBE,     /* the probe is not wanted any more */
	LIFE_DO_FREEZE,      /* ticket → FROZEN */
	LIFE_DO_THAW,        /* ticket: have what it needs, then thaw → THAWED */
	LIFE_DO_SAVE,        /* ticket → SAVED; the VM may be frozen */
	LIFE_DO_STOP,        /* ticket, .stop → STOPPED.  Of a saved unit: throw the state away */
	LIFE_DO_READ,        /* ticket: read board and packet counters → ACTIVITY */
	LIFE_DO_WOKEN,       /* .woken: answers every WAKE since the last WOKEN */
	LIFE_DO_TIMER,       /* .at_ms: the unit's only timer; LIFE_NEVER takes it away */
	LIFE_DO_FORGET,      /* the removed unit may be freed, its row deleted; the last of all */
	LIFE_ACTION_COUNT
};

struct life_action {
	enum life_action_kind kind;
	uint32_t ticket;
	union {
		struct {
			enum life_state from, to;
			enum life_why why;
		} changed;
		struct {
			bool shutdown;
			uint32_t deadline_ms;
		} stop;
		enum msg_wake_result woken;
		uint64_t at_ms;
	};
};

#define LIFE_ACTIONS_MAX 12

struct life_out {
	unsigned n;
	struct life_action actions[LIFE_ACTIONS_MAX];
};

#endif
