/* passive: lists of clients whose queries neither wake a unit nor count as its use. */
#include "src/warden/passive.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

_Static_assert(LIMIT_PASSIVE_LISTS < UINT16_MAX, "a row of the board holds the number");
_Static_assert(sizeof(struct msg_addr) == 18, "a list is compared by its bytes");

static void
send_one(struct warden *w, const struct msg *list)
{
	struct msg m = *list;

	child_send(&w->dns, &m, NULL, 0);
}

uint16_t
passive_number(struct warden *w, const struct config_passive *from)
{
	size_t size = from != NULL ? from->n * sizeof(from->from[0]) : 0;
	struct msg *m;

	if (size == 0)
		return 0;
	m = table_find(&w->passive.by_bytes, from->from, size);
	if (m != NULL)
		return (uint16_t)m->passive.list;
	if (w->passive.n == LIMIT_PASSIVE_LISTS) {
		if (!w->passive.full)
			log_err("passive-from: more than %d different lists since jitsud started: "
			    "new ones count when it is restarted", LIMIT_PASSIVE_LISTS);
		w->passive.full = true;
		return 0;
	}
	m = mem_zero(1, sizeof(*m));
	m->type = MSG_PASSIVE;
	m->passive.n = from->n;
	memcpy(m->passive.from, from->from, size);
	w->passive.lists =
	    mem_room(w->passive.lists, w->passive.n, &w->passive.room, sizeof(struct msg *));
	w->passive.lists[w->passive.n++] = m;
	m->passive.list = w->passive.n;
	(void)table_add(&w->passive.by_bytes, m->passive.from, size, m);   /* it was not there */
	send_one(w, m);
	return (uint16_t)m->passive.list;
}

void
passive_send(struct warden *w)
{
	for (uint32_t i = 0; i < w->passive.n; i++)
		send_one(w, w->passive.lists[i]);
}

void
passive_clear(struct warden *w)
{
	for (uint32_t i = 0; i < w->passive.n; i++)
		free(w->passive.lists[i]);
	free(w->passive.lists);
	table_clear(&w->passive.by_bytes);
}
