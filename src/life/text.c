/* text: the words for states and reasons of the life cycle. */
#include "src/life/life.h"

#include <string.h>

static const char *const states[LIFE_STATE_COUNT] = {
	[LIFE_DORMANT] = "dormant", [LIFE_BOOTING] = "booting", [LIFE_AWAKE] = "awake",
	[LIFE_FROZEN] = "frozen", [LIFE_SAVED] = "saved",
	[LIFE_STOPPING] = "stopping", [LIFE_FAILED] = "failed",
};

static const char *const whys[LIFE_WHY_COUNT] = {
	[LIFE_WHY_NONE] = "new",
	[LIFE_WHY_QUERY] = "query",
	[LIFE_WHY_PACKET] = "packet",
	[LIFE_WHY_OPERATOR] = "operator",
	[LIFE_WHY_UNREACHABLE] = "its network is gone",
	[LIFE_WHY_SCHEDULE] = "schedule",
	[LIFE_WHY_PRESSURE] = "gives way to others",
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

const char *
life_state_text(enum life_state s)
{
	return (unsigned)s < LIFE_STATE_COUNT ? states[s] : "unknown";
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
life_why_text(enum life_why w)
{
	return (unsigned)w < LIFE_WHY_COUNT ? whys[w] : "unknown";
}
