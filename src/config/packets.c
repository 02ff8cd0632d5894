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

/* The kernel takes no prefix within another one of a set. */
static bool
is_covered(const struct config_passive *p, const struct msg_addr *a)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->from[i].prefixlen <= a->prefixlen && addr_in_prefix(a, &p->from[i]))
			return true;
	return false;
}

/* Adds a prefix, and drops those within it. */
static void
add_prefix(struct config_passive *p, const struct msg_addr *a)
{
	unsigned n = 0;

	if (is_covered(p, a))
		return;
	for (unsigned i = 0; i < p->n; i++)
		if (!addr_in_prefix(&p->from[i], a))
			p->from[n++] = p->from[i];
	p->from[n++] = *a;
	p->n = n;
}

const struct config_passive *
config_passive(struct arena *a, const char *const *items, unsigned n)
{
	struct config_passive *p;

	if (n == 0)
		return NULL;
	p = arena_alloc(a, sizeof(*p) + n * sizeof(p->from[0]));
	/* The texts were checked when they were read. */
	for (unsigned i = 0; i < n && p->n < LIMIT_PASSIVE; i++) {
		struct msg_addr prefix = { .family = 0 };

		if (addr_parse_prefix(items[i], &prefix))
			add_prefix(p, &prefix);
	}
	return p;
}
