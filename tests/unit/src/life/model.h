/*
 * model: the world around one or two units, for the explorer: clients, admission, store, driver,
 * guest, timer, reloads, SIGKILL.
 *
 * The world is small and canonical: the present is always MODEL_NOW, times are kept relative to it
 * and clamped where older ones make no difference, and tickets are renumbered, so that the
 * reachable worlds are finitely many.  What happens is one of enum move; each calls the real
 * life_step and performs its actions, and complains about every action that is not possible.
 */
#ifndef TESTS_LIFE_MODEL_H
#define TESTS_LIFE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "src/life/life.h"

#define MODEL_NOW 1000u
#define MODEL_AGE 4u        /* longer than every duration of the policies below */
#define MODEL_LATE 1u       /* a timer fires at most so late */
#define MODEL_TICKET 1000u  /* the present ticket after renumbering; stale ones are 1 */
#define MODEL_UNITS 2

enum vm_is { VM_NONE, VM_RUNNING, VM_PAUSED };
enum op_stage { OP_NONE, OP_BEGUN, OP_OK, OP_FAILED, OP_MISSING, OP_KEPT };

/* A row as the store has it or will have it. */
struct row {
	uint8_t state;       /* enum life_state */
	uint8_t current;     /* has the UUID of the unit's present VM */
};

#define MODEL_WRITES 2

struct model_unit {
	struct life life;
	uint64_t timer_ms;       /* what the warden armed */
	uint8_t board;           /* enum life_state as last told by CHANGED */
	bool owed;               /* a WAKE is without its WOKEN */
	uint8_t answer;          /* enum msg_wake_result, the last WOKEN; not part of the key */
	uint8_t slot;            /* 0, 1 queued, 2 held */
	uint32_t slot_ticket;
	bool boot;               /* a slot for concurrent boots is held */
	bool removed, forgotten;
	/* store: rows written in order; an intent reports when it is on disk */
	struct row row;
	struct row writes[MODEL_WRITES];
	uint8_t intent[MODEL_WRITES];       /* that write is an intent */
	uint32_t write_ticket[MODEL_WRITES];
	uint8_t nwrites;
	uint8_t stored;          /* 0, 1 ok, 2 failed: a report is on its way */
	uint32_t stored_ticket;
	/* driver */
	uint8_t vm, file;        /* enum vm_is; a saved state exists */
	uint8_t op, stage;       /* enum life_action_kind; enum op_stage */
	uint32_t op_ticket;
	bool died;               /* DIED is on its way */
	bool lost;               /* a failed operation took the VM with it, and nobody knows */
	/* sentinel and counters */
	bool probe, ready;       /* READY is on its way */
	uint32_t probe_ticket, ready_ticket;
	bool reading;
	uint32_t read_ticket;
};

struct world {
	uint8_t policy;                     /* which of the system's two */
	struct model_unit u[MODEL_UNITS];   /* those that the system has */
};

enum move {
	MOVE_WAKE_QUERY,
	MOVE_WAKE_PACKET,
	MOVE_WAKE_OPERATOR,
	MOVE_ADMIT,
	MOVE_REFUSE,
	MOVE_WRITE,
	MOVE_WRITE_FAILS,
	MOVE_STORED,
	MOVE_OP_WORKS,
	MOVE_OP_FAILS,
	MOVE_OP_LOSES_VM,
	MOVE_OP_NOT_TRIED,
	MOVE_OP_REPORT,
	MOVE_GUEST_READY,
	MOVE_READY,
	MOVE_DIE,
	MOVE_DIED,
	MOVE_READ_FAILS,
	MOVE_READ_NOTHING,
	MOVE_READ_QUERY,
	MOVE_READ_PACKET,
	MOVE_TIMER,
	MOVE_TIMER_EARLY,
	MOVE_TICK,
	MOVE_SLEEP_FROZEN,
	MOVE_SLEEP_SAVED,
	MOVE_SLEEP_DORMANT,
	MOVE_POLICY,
	MOVE_REMOVE,
	MOVE_KILL,
	MOVE_KILL_LATE,
	MOVE_KILL_HALF,
	MOVE_COUNT
};

/* A deliberate fault of the wrapper around life_step. */
enum mutant_kind { MUTANT_NONE, MUTANT_DROP, MUTANT_DOUBLE, MUTANT_DEAF, MUTANT_NO_TICKETS };

struct system {
	const char *name;
	unsigned units, slots;           /* slots < units: they queue for one another */
	struct life_policy policy[2];
	uint32_t without;                /* moves that are left out, as bits */
	bool prompt;                     /* store and driver take effect and report in one move */
	enum mutant_kind mutant;
	/* enum life_action_kind, or for MUTANT_DEAF enum life_event_kind */
	unsigned mutant_kind;
};

/* NULL, or what was violated first; reset by the caller. */
extern const char *model_wrong;
extern const char *const model_move_names[MOVE_COUNT];

void model_init(struct world *w);
/* A start of the daemon that finds `found` for a unit whose row says `was`. */
void model_adopt(const struct system *sys, struct world *w, enum life_found found,
    enum life_state was, bool late);
/*
 * Does the move for unit `i` if it is possible; false if not.  Leaves the world canonical and
 * checked (model_wrong).
 */
bool model_move(const struct system *sys, struct world *w, unsigned i, enum move m);
/*
 * The next thing that happens when everything goes its way (fair), or everything fails, or the
 * driver never answers; false: nothing more will.
 */
enum drain { DRAIN_FAIR, DRAIN_FAILS, DRAIN_HANGS, DRAIN_COUNT };
bool model_drain(const struct system *sys, struct world *w, enum drain how);

/* Checks what is too dear for every move: once for each world is enough. */
void model_check_stale(const struct system *sys, const struct world *w);

/* Between model.c and moves.c. */
void model_expect(bool ok, const char *what);
void model_deliver(
    const struct system *sys, struct world *w, struct model_unit *u, struct life_event ev);
void model_deliver_kind(const struct system *sys, struct world *w, struct model_unit *u,
    enum life_event_kind kind, uint32_t ticket, enum err result);
/* the oldest write reaches the disk */
void model_store_apply(struct model_unit *u);
void model_settle(const struct system *sys, struct world *w);   /* checks, and makes canonical */

#define MODEL_KEY 96
/* The canonical world as bytes, for hashing; equal worlds have equal keys.  Returns the length. */
unsigned model_key(const struct system *sys, const struct world *w, uint8_t key[MODEL_KEY]);

#endif
