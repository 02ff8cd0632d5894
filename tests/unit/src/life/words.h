/* words: the names of actions, as tests of life write and print them. */
#ifndef TESTS_LIFE_WORDS_H
#define TESTS_LIFE_WORDS_H

#include "src/life/life.h"

static inline const char *
action_text(enum life_action_kind k)
{
	static const char *const words[LIFE_ACTION_COUNT] = {
		[LIFE_DO_CHANGED] = "changed", [LIFE_DO_ADMIT] = "admit",
		[LIFE_DO_CLAIM] = "claim", [LIFE_DO_RELEASE] = "release",
		[LIFE_DO_BOOT_DONE] = "boot-done", [LIFE_DO_INTENT] = "intent",
		[LIFE_DO_START] = "start", [LIFE_DO_RESTORE] = "restore",
		[LIFE_DO_PROBE] = "probe", [LIFE_DO_UNPROBE] = "unprobe",
		[LIFE_DO_FREEZE] = "freeze", [LIFE_DO_THAW] = "thaw",
		[LIFE_DO_SAVE] = "save", [LIFE_DO_STOP] = "stop",
		[LIFE_DO_READ] = "read", [LIFE_DO_WOKEN] = "woken",
		[LIFE_DO_TIMER] = "timer", [LIFE_DO_FORGET] = "forget",
	};

	return words[k];
}

#endif
