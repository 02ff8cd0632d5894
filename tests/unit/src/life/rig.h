/* rig: one unit for the scenario tests of life: events by name, actions as words. */
#ifndef TESTS_LIFE_RIG_H
#define TESTS_LIFE_RIG_H

#include "src/life/life.h"

#define S 1000u   /* ms */

struct rig {
	struct life l;
	struct life_policy p;
	struct life_out out;
	uint64_t now;
};

/*
 * A dormant unit: idle 60 s, min-up 5 s, boot 30 s, back-off 1 to 8 s, steady after 10 s, shutdown
 * 20 s, operations 15 s; the driver can do all.
 */
struct rig rig_new(void);
/* Brings a new unit into a phase. */
struct rig rig_in_phase(enum life_phase phase);
/* ... or `r` from dormant to there. */
void rig_starting(struct rig *r);
void rig_probing(struct rig *r);
void rig_awake(struct rig *r);

/*
 * Events; all but rig_step expect ERR_OK.  rig_event has the present ticket; rig_timer goes to the
 * deadline; rig_activity comes 1 ms later; rig_adopt: awake for 90 s, used 20 s ago.
 */
enum err rig_step(struct rig *r, struct life_event ev);
void rig_event(struct rig *r, enum life_event_kind kind, enum err result);
void rig_wake(struct rig *r, enum life_cause cause);
void rig_sleep_to(struct rig *r, enum life_tier tier);
void rig_activity(struct rig *r, uint64_t last_query_ms, uint64_t last_packet_ms);
void rig_timer(struct rig *r);
void rig_adopt(struct rig *r, enum life_found found, enum life_state was);

/* What the last step did. */
const struct life_action *rig_action(const struct rig *r, enum life_action_kind kind);
void rig_answered(const struct rig *r, enum msg_wake_result result);
void rig_did_at(const struct rig *r, const char *words, int line);
void rig_is_at(const struct rig *r, enum life_state s, int line);
#define did(r, words) rig_did_at(r, words, __LINE__)   /* exactly these actions in this order */
#define is(r, s) rig_is_at(r, s, __LINE__)

#endif
