/* text: the words for states, phases, reasons, events and actions of the life cycle. */
#include "src/life/life.h"

#include <string.h>

static const char *const states[LIFE_STATE_COUNT] = {
	[LIFE_DORMANT] = "dormant",
	[LIFE_BOOTING] = "booting",
	[LIFE_AWAKE] = "awake",
	[LIFE_FROZEN] = "frozen",
	[LIFE_SAVED] = "saved",
	[LIFE_STOPPING] = "stopping",
	[LIFE_FAILED] = "failed",
};

static const char *const phases[LIFE_PHASE_COUNT] = {
	[LIFE_P_DORMANT] = "dormant",
	[LIFE_P_ADMITTING] = "admitting",
	[LIFE_P_INTENDING] = "intending",
	[LIFE_P_STARTING] = "starting",
	[LIFE_P_RESTORING] = "restoring",
	[LIFE_P_PROBING] = "probing",
	[LIFE_P_AWAKE] = "awake",
	[LIFE_P_READING] = "reading",
	[LIFE_P_FREEZING] = "freezing",
	[LIFE_P_FROZEN] = "frozen",
	[LIFE_P_THAWING] = "thawing",
	[LIFE_P_SAVING] = "saving",
	[LIFE_P_SAVED] = "saved",
	[LIFE_P_STOPPING] = "stopping",
	[LIFE_P_RETRYING] = "retrying",
	[LIFE_P_FAILED] = "failed",
	[LIFE_P_GONE] = "gone",
};

static const char *const whys[LIFE_WHY_COUNT] = {
	[LIFE_WHY_NONE] = "new",
	[LIFE_WHY_QUERY] = "query",
	[LIFE_WHY_PACKET] = "packet",
	[LIFE_WHY_OPERATOR] = "operator",
	[LIFE_WHY_UNREACHABLE] = "its network is gone",
	[LIFE_WHY_PRESSURE] = "memory pressure",
	[LIFE_WHY_AGAIN] = "wanted again",
	[LIFE_WHY_READY] = "ready",
	[LIFE_WHY_IDLE] = "idle",
	[LIFE_WHY_UNUSED] = "woken but never contacted",
	[LIFE_WHY_AGED] = "asleep for long",
	[LIFE_WHY_ADOPTED] = "adopted",
	[LIFE_WHY_REMOVED] = "removed from the configuration",
	[LIFE_WHY_BACKOFF_OVER] = "back-off over",
	[LIFE_WHY_REFUSED] = "limit reached",
	[LIFE_WHY_NEEDS] = "what it needs is not there",
	[LIFE_WHY_STORE] = "state could not be stored",
	[LIFE_WHY_START] = "could not be started",
	[LIFE_WHY_NOT_READY] = "not ready in time",
	[LIFE_WHY_DIED] = "ended by itself",
	[LIFE_WHY_DRIVER] = "could not be frozen, thawed or saved",
	[LIFE_WHY_STOP] = "could not be stopped",
	[LIFE_WHY_LATE] = "the hypervisor is late",
};

static const char *const events[LIFE_EVENT_COUNT] = {
	[LIFE_EV_WAKE] = "wake",
	[LIFE_EV_ADMITTED] = "admitted",
	[LIFE_EV_REFUSED] = "refused",
	[LIFE_EV_STORED] = "stored",
	[LIFE_EV_STARTED] = "started",
	[LIFE_EV_RESTORED] = "restored",
	[LIFE_EV_READY] = "ready",
	[LIFE_EV_FROZEN] = "frozen",
	[LIFE_EV_THAWED] = "thawed",
	[LIFE_EV_SAVED] = "saved",
	[LIFE_EV_STOPPED] = "stopped",
	[LIFE_EV_ACTIVITY] = "activity",
	[LIFE_EV_DIED] = "died",
	[LIFE_EV_TIMER] = "timer",
	[LIFE_EV_SLEEP] = "sleep",
	[LIFE_EV_POLICY] = "policy",
	[LIFE_EV_REMOVE] = "remove",
	[LIFE_EV_ADOPT] = "adopt",
};

static const char *const actions[LIFE_ACTION_COUNT] = {
	[LIFE_DO_CHANGED] = "changed",
	[LIFE_DO_ADMIT] = "admit",
	[LIFE_DO_CLAIM] = "claim",
	[LIFE_DO_RELEASE] = "release",
	[LIFE_DO_BOOT_DONE] = "boot-done",
	[LIFE_DO_INTENT] = "intent",
	[LIFE_DO_START] = "start",
	[LIFE_DO_RESTORE] = "restore",
	[LIFE_DO_PROBE] = "probe",
	[LIFE_DO_UNPROBE] = "unprobe",
	[LIFE_DO_FREEZE] = "freeze",
	[LIFE_DO_THAW] = "thaw",
	[LIFE_DO_SAVE] = "save",
	[LIFE_DO_STOP] = "stop",
	[LIFE_DO_READ] = "read",
	[LIFE_DO_WOKEN] = "woken",
	[LIFE_DO_TIMER] = "timer",
	[LIFE_DO_FORGET] = "forget",
};

static const char *
word(const char *const *words, unsigned n, unsigned i)
{
	return i < n ? words[i] : "unknown";
}

const char *
life_state_text(enum life_state s)
{
	return word(states, LIFE_STATE_COUNT, (unsigned)s);
}

bool
life_state_parse(const char *text, enum life_state *s)
{
	for (unsigned i = 0; i < LIFE_STATE_COUNT; i++)
		if (strcmp(states[i], text) == 0) {
			*s = (enum life_state)i;
			return true;
		}
	return false;
}

const char *
life_phase_text(enum life_phase p)
{
	return word(phases, LIFE_PHASE_COUNT, (unsigned)p);
}

const char *
life_why_text(enum life_why w)
{
	return word(whys, LIFE_WHY_COUNT, (unsigned)w);
}

const char *
life_event_text(enum life_event_kind k)
{
	return word(events, LIFE_EVENT_COUNT, (unsigned)k);
}

const char *
life_action_text(enum life_action_kind k)
{
	return word(actions, LIFE_ACTION_COUNT, (unsigned)k);
}
