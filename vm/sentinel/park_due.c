/* park_due: a heap of the units for which something is under way, by when it is due. */
#include "base/mem.h"
#include "vm/sentinel/park_impl.h"

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t
due_of(const struct park_unit *u)
{
	uint64_t due = u->deadline_ns;
	const struct held *h;

	if (park_speaks(u) && u->state != PARK_LINKED)
		for (size_t i = 0; i < PARK_ADDRS; i++)
			due = earlier(due, u->claims[i].next_ns);
	if (u->alive)
		TAILQ_FOREACH(h, &u->held, entry)
			due = earlier(due, h->next_ns);
	return due;
}

static void
place(struct park_set *set, struct park_unit *u, size_t at)
{
	set->heap[at] = u;
	u->due_at = at;
}

static void
sift_up(struct park_set *set, struct park_unit *u, size_t at)
{
	while (at > 0 && set->heap[(at - 1) / 2]->due_ns > u->due_ns) {
		place(set, set->heap[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	place(set, u, at);
}

static void
sift_down(struct park_set *set, struct park_unit *u, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < set->nheap &&
		    set->heap[child + 1]->due_ns < set->heap[child]->due_ns)
			child++;
		if (child >= set->nheap || set->heap[child]->due_ns >= u->due_ns)
			break;
		place(set, set->heap[child], at);
		at = child;
	}
	place(set, u, at);
}

void
park_due_never(struct park_set *set, struct park_unit *u)
{
	struct park_unit *last;

	if (u->due_ns == 0)
		return;
	u->due_ns = 0;
	last = set->heap[--set->nheap];
	if (last == u)
		return;
	sift_up(set, last, u->due_at);
	sift_down(set, last, last->due_at);
}

void
park_due_set(struct park_set *set, struct park_unit *u)
{
	uint64_t due = due_of(u);

	if (due == u->due_ns)
		return;
	park_due_never(set, u);
	if (due == 0)
		return;
	u->due_ns = due;
	set->heap = mem_room(set->heap, set->nheap, &set->heap_room, sizeof(struct park_unit *));
	sift_up(set, u, set->nheap++);
}

struct park_unit *
park_due_first(struct park_set *set, uint64_t now_ns)
{
	return set->nheap > 0 && set->heap[0]->due_ns <= now_ns ? set->heap[0] : NULL;
}

uint64_t
park_next_ns(const struct park_set *set)
{
	return set->nheap > 0 ? set->heap[0]->due_ns : 0;
}
