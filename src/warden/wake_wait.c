/* wake_wait: operators who wait for a wake or a sleep to end. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdlib.h>

#include "src/warden/show.h"
#include "src/warden/timer.h"

void
wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep, bool told)
{
	struct unit_waiter *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		return;
	}
	*x = (struct unit_waiter){ .req = req, .unit = u->number, .for_sleep = for_sleep,
		.told = told };
	SLIST_INSERT_HEAD(&unit_run(u)->waiters, x, next);
	if (!told)
		return;
	LIST_INSERT_HEAD(&w->told, x, told_link);
	wake_waits_changed(w);   /* somebody else may have woken it, and it waits already */
}

static json_t *
waits_json(const struct warden *w, const struct unit *u, enum wake_waits what, unsigned place)
{
	char text[LIMIT_NAME_TEXT + 100];

	wake_waits_say(w, u, text, sizeof(text));
	return json_pack("{s:s, s:s, s:o, s:o, s:s}", "unit", u->name,
	    "kind", what != WAITS_NOT ? "waits" : "boots",
	    "waits_for", what != WAITS_NOT ? json_string(wake_waits_text(what)) : json_null(),
	    "queue_position", show_number(place),
	    "text", what != WAITS_NOT ? text : "boots");
}

static void
tell(const struct warden *w, struct unit_waiter *x)
{
	const struct unit *u = unit_by_number(&w->units, x->unit);
	enum wake_waits what = u != NULL ? wake_waits_for(w, u) : WAITS_NOT;
	unsigned place = u != NULL ? admit_position(&w->admit, &u->admit) : 0;

	if (u == NULL || (what == x->waits_for && place == x->place) ||
	    !control_progress(x->req, waits_json(w, u, what, place)))
		return;
	x->waits_for = what;
	x->place = place;
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;
	struct unit_waiter *x;

	(void)fd;
	(void)what;
	w->tell_soon = false;
	if (!LIST_EMPTY(&w->told))
		admit_number(&w->admit);
	LIST_FOREACH(x, &w->told, told_link)
		tell(w, x);
}

void
wake_waits_changed(struct warden *w)
{
	if (LIST_EMPTY(&w->told) || w->tell_soon)
		return;
	timer_once(w->base, LIMIT_TELL_MS, on_tell, w);
	w->tell_soon = true;
}

void
wake_waiters_answer(struct unit *u, bool for_sleep, const char *failed)
{
	struct unit_waiter *x, *tmp;

	if (u->run == NULL)
		return;
	for (x = SLIST_FIRST(&u->run->waiters); x != NULL; x = tmp) {
		tmp = SLIST_NEXT(x, next);
		if (x->for_sleep != for_sleep)
			continue;
		SLIST_REMOVE(&u->run->waiters, x, unit_waiter, next);
		if (x->told)
			LIST_REMOVE(x, told_link);
		if (failed != NULL)
			control_fail(x->req, "%s: %s", u->name, failed);
		else
			control_reply(x->req, show_woken(u));
		free(x);
	}
}

void
wake_answer_all(struct warden *w, const char *why)
{
	struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		wake_waiters_answer(u, true, why);
		wake_waiters_answer(u, false, why);
	}
}
