/* wake_wait: operators who wait for a wake or a sleep to end. */
#include "src/wake_impl.h"

#include <stdlib.h>

#include "base/clock.h"
#include "src/record.h"

void
wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep)
{
	struct unit_waiter *waiter = calloc(1, sizeof(*waiter));

	(void)w;
	if (waiter == NULL) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		return;
	}
	waiter->req = req;
	waiter->for_sleep = for_sleep;
	SLIST_INSERT_HEAD(&unit_run(u)->waiters, waiter, next);
}

void
wake_waiters_answer(struct warden *w, struct unit *u, bool for_sleep, const char *failed)
{
	struct unit_waiter *x, *tmp;

	if (u->run == NULL)
		return;
	for (x = SLIST_FIRST(&u->run->waiters); x != NULL; x = tmp) {
		tmp = SLIST_NEXT(x, next);
		if (x->for_sleep != for_sleep)
			continue;
		SLIST_REMOVE(&u->run->waiters, x, unit_waiter, next);
		if (failed != NULL)
			control_fail(x->req, "%s: %s", u->name, failed);
		else
			control_reply(x->req, record_woken_json(w, u));
		free(x);
	}
}

void
wake_answer_all(struct warden *w, const char *why)
{
	for (uint32_t i = 0; i < w->units.next; i++) {
		struct unit *u = unit_by_number(&w->units, i);

		if (u == NULL)
			continue;
		wake_waiters_answer(w, u, true, why);
		wake_waiters_answer(w, u, false, why);
	}
}
