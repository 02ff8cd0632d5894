/* packets: what the lists about packets and their senders mean. */
#include "src/config/config.h"

const struct config_wake_on *
config_wake_on(struct arena *a, const char *const *items, unsigned n)
{
	struct config_wake_on *w;

	if (n == 0)
		return NULL;
	w = arena_alloc(a, sizeof(*w) + n * sizeof(w->on[0]));
	/* The texts were checked when they were read. */
	for (unsigned i = 0; i < n && w->n < LIMIT_WAKE_ON; i++)
		w->n += option_parse_wake(items[i], &w->on[w->n].proto, &w->on[w->n].port);
	return w;
}

const struct config_passive *
config_passive(struct arena *a, const char *const *items, unsigned n)
{
	struct config_passive *p;

	if (n == 0)
		return NULL;
	p = arena_alloc(a, sizeof(*p) + n * sizeof(p->from[0]));
	/* The texts were checked when they were read. */
	for (unsigned i = 0; i < n && p->n < LIMIT_PASSIVE; i++)
		p->n += addr_parse_prefix(items[i], &p->from[p->n]);
	return p;
}
