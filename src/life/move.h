/* move: flags, and movements between phases; life.c has the drawing and the invariants. */
#ifndef SRC_LIFE_MOVE_H
#define SRC_LIFE_MOVE_H

#include "src/life/types.h"

enum {
	F_WAITING = 0x001,   /* somebody is owed a WOKEN */
	F_SLOT = 0x002,      /* asked for or held */
	F_BOOT = 0x004,      /* one of the slots for concurrent boots is held */
	F_PROBE = 0x008,     /* the sentinel probes */
	F_READY = 0x010,     /* READY came before STARTED or RESTORED */
	F_DOOM = 0x020,      /* to be stopped as soon as the operation under way ends */
	F_FAIL = 0x040,      /* the boot failed: back off once the VM is gone */
	F_STUCK = 0x080,     /* the driver hangs or could not stop it: wakes fail at once */
	F_DEAD = 0x100,      /* the VM ended while an operation was under way */
	F_SAVED = 0x200,     /* a saved state exists */
	F_REMOVE = 0x400,    /* left the configuration */
	F_CONTACTED = 0x800, /* a packet came since it was woken */
	F_FROZEN = 0x1000    /* what is being saved was frozen before */
};

/* What a step works on. */
struct step {
	struct life *l;
	const struct life_policy *p;
	const struct life_event *ev;
	struct life_out *out;
	uint64_t now;
	enum life_why why;   /* of the change of state, if any; LIFE_WHY_NONE keeps the former */
};

/* Sets of phases. */
#define P(x) (1u << LIFE_P_##x)
#define P_UP (P(AWAKE) | P(READING))

static inline bool
phase_in(const struct step *s, unsigned phases)
{
	return ((1u << s->l->phase) & phases) != 0;
}

static inline bool
flag_has(const struct step *s, unsigned flags)
{
	return (s->l->flags & flags) != 0;
}

static inline void
flag_set(struct step *s, unsigned flags)
{
	s->l->flags = (uint16_t)(s->l->flags | flags);
}

static inline void
flag_drop(struct step *s, unsigned flags)
{
	s->l->flags = (uint16_t)(s->l->flags & ~flags);
}

/* Appends an action. */
struct life_action *move_act(struct step *s, enum life_action_kind kind);
void move_arm(struct step *s, uint64_t ms);
/* Enters `phase` with an operation under a new ticket; completions of former ones are stale. */
void move_operate(struct step *s, enum life_phase phase, enum life_action_kind kind);
/* `since_ms` + `ms`, where 0 ms is never. */
uint64_t move_after(uint64_t since_ms, uint32_t ms);

/* WOKEN, whoever waits; move_answer: if somebody does. */
void move_woken(struct step *s, enum msg_wake_result result);
void move_answer(struct step *s, enum msg_wake_result result);

/* Up. */
void move_begin(struct step *s);     /* somebody wants it: ask for a slot */
void move_intend(struct step *s);
void move_probe(struct step *s);
void move_boot_end(struct step *s);  /* gives back the slot for boots, ends the probe */
void move_awake(struct step *s);
void move_thaw(struct step *s);
/* When sleep has to be considered; before that nothing is read. */
uint64_t move_sleep_due(const struct life *l, const struct life_policy *p);

/* Down. */
/* The pause after so many failures in a row. */
uint64_t move_backoff_ms(const struct life_policy *p, unsigned failures);
/* On every way out of awake: true, and failures are forgotten, when the VM was up for steady_ms. */
bool move_settle(struct step *s);
/* Answers, and backs off once the VM is gone. */
void move_fail(struct step *s, enum life_why why);
/* From awake or frozen; what the driver cannot do becomes a stop. */
void move_descend(struct step *s, enum life_tier tier);
void move_down(struct step *s);      /* to nothing, whatever is going on */
void move_doom(struct step *s);      /* when the operation under way ends: nobody can recall that */
void move_stop(struct step *s);
void move_release(struct step *s);   /* slots and probe */

/* Where a unit without a VM goes. */
/* No VM and no saved state is left: up again, back-off, dormant or GONE. */
void move_gone(struct step *s);
/* The same, but a saved state may be there; not for a unit that was removed. */
void move_ended(struct step *s);
void move_rest(struct step *s);      /* nothing runs and nobody waits: saved, failed or dormant */

#endif
