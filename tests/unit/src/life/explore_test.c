/*
 * explore_test: drives the real life_step through every interleaving of a small world (model.h),
 * breadth first.
 *
 * In every world reached the invariants of model.c hold; besides, from every world three
 * deterministic futures are followed: everything goes well, everything fails, the driver never
 * answers again.  In each, every owed answer is given within a bounded number of events; in the
 * first the unit comes to rest, and can be woken from there.  Then deliberate faults are put
 * between the machine and the world, and each must be found.
 *
 * explore_test          all systems, then all faults
 * explore_test -v NAME  one system, with the shortest way to the first violation
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/src/life/model.h"
#include "tests/unit/src/life/words.h"

#define DRAIN_STEPS 300

struct node {
	uint32_t parent;
	uint8_t unit, move;
};

struct search {
	const struct system *sys;
	uint64_t *table;         /* fingerprints, open addressing; 0 = free */
	size_t mask;
	struct node *nodes;      /* in the order in which they were found */
	struct world *queue;     /* a ring: the worlds whose moves are still to be made */
	size_t nnodes, cap, head, tail, ring;
	uint64_t transitions;
};

static void *
grow(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n, size);

	if (q == NULL)
		abort();   /* a test may */
	return q;
}

static void
copy(const struct system *sys, struct world *to, const struct world *from)
{
	memcpy(to, from, offsetof(struct world, u) + sys->units * sizeof(from->u[0]));
}

static uint64_t
fingerprint(const struct system *sys, const struct world *w)
{
	uint8_t key[MODEL_KEY + 8] = { 0 };
	unsigned n = model_key(sys, w, key);
	uint64_t h = 0x9e3779b97f4a7c15ull + n;

	for (unsigned i = 0; i < n; i += 8) {
		uint64_t v;

		memcpy(&v, key + i, sizeof(v));
		h = (h ^ v) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 29;
	return h | 1;
}

#define HUGE_PAGE (2u << 20)

/* In huge pages where there are: each look goes to another place. */
static uint64_t *
table_new(size_t n)
{
	size_t size = n * sizeof(uint64_t);
	uint64_t *t = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1));

	if (t == NULL)
		abort();   /* a test may */
	(void)madvise(t, size, MADV_HUGEPAGE);
	memset(t, 0, size);
	return t;
}

static void
table_grow(struct search *s)
{
	size_t mask = s->mask * 2 + 1;
	uint64_t *t = table_new(mask + 1);

	for (size_t i = 0; i <= s->mask; i++) {
		size_t at = s->table[i] >> 1 & mask;

		if (s->table[i] == 0)
			continue;
		while (t[at] != 0)
			at = (at + 1) & mask;
		t[at] = s->table[i];
	}
	free(s->table);
	s->table = t;
	s->mask = mask;
}

static bool
seen(struct search *s, uint64_t f)
{
	size_t at = f >> 1 & s->mask;

	for (; s->table[at] != 0; at = (at + 1) & s->mask)
		if (s->table[at] == f)
			return true;
	s->table[at] = f;
	if (s->nnodes * 2 > s->mask)
		table_grow(s);
	return false;
}

/* `f` is the world's fingerprint. */
static void
push(struct search *s, const struct world *w, uint64_t f, uint32_t parent, unsigned unit,
    unsigned move)
{
	if (seen(s, f))
		return;
	model_check_stale(s->sys, w);
	if (s->nnodes == s->cap) {
		s->cap *= 2;
		s->nodes = grow(s->nodes, s->cap, sizeof(*s->nodes));
	}
	s->nodes[s->nnodes++] = (struct node){ parent, (uint8_t)unit, (uint8_t)move };
	copy(s->sys, &s->queue[s->tail], w);
	s->tail = (s->tail + 1) % s->ring;
	if (s->tail == s->head) {
		struct world *q = grow(NULL, s->ring * 2, sizeof(*q));

		memcpy(q, s->queue + s->head, (s->ring - s->head) * sizeof(*q));
		memcpy(q + s->ring - s->head, s->queue, s->head * sizeof(*q));
		free(s->queue);
		s->queue = q;
		s->head = 0;
		s->tail = s->ring;
		s->ring *= 2;
	}
}

static bool
owes(const struct system *sys, const struct world *w)
{
	for (unsigned i = 0; i < sys->units; i++)
		if (w->u[i].owed)
			return true;
	return false;
}

/*
 * What must be true when everything has gone well for long enough: removed units are forgotten,
 * unused VMs sleep, and a wake succeeds.
 */
static void
check_rest(const struct system *sys, struct world *w, bool endless)
{
	for (unsigned i = 0; i < sys->units; i++) {
		if (w->u[i].removed && !w->u[i].forgotten)
			model_wrong = "a removed unit is never forgotten";
		if (endless || (w->u[i].vm == VM_RUNNING && sys->policy[w->policy].idle_ms != 0))
			model_wrong = "a VM that nobody uses is never put to sleep";
	}
	if (model_wrong != NULL || !model_move(sys, w, 0, MOVE_WAKE_OPERATOR))
		return;
	while (owes(sys, w) && model_drain(sys, w, DRAIN_FAIR))
		;
	if (model_wrong == NULL && w->u[0].answer != WAKE_READY)
		model_wrong = "a wake fails though all goes well";
}

/* Every owed answer is given, whatever becomes of the driver. */
static void
check_futures(const struct system *sys, const struct world *from)
{
	static const char *const unanswered[DRAIN_COUNT] = { "unanswered, though all goes well",
		"unanswered when all fails", "unanswered when the driver hangs" };

	for (unsigned how = DRAIN_COUNT; how-- > 0 && model_wrong == NULL;) {
		struct world w;
		unsigned n = 0;

		copy(sys, &w, from);
		while (n < DRAIN_STEPS && (owes(sys, &w) || how == DRAIN_FAIR) &&
		    model_wrong == NULL && model_drain(sys, &w, (enum drain)how))
			n++;
		if (model_wrong == NULL && owes(sys, &w))
			model_wrong = unanswered[how];
		if (how == DRAIN_FAIR && model_wrong == NULL)
			check_rest(sys, &w, n == DRAIN_STEPS);
	}
}

static void
search_start(struct search *s)
{
	static const enum life_found founds[] = { LIFE_FOUND_NONE, LIFE_FOUND_RUNNING,
		LIFE_FOUND_FROZEN, LIFE_FOUND_SAVED, LIFE_FOUND_BROKEN };
	struct world w;

	model_init(&w);
	push(s, &w, fingerprint(s->sys, &w), UINT32_MAX, 0, 0);
	for (unsigned f = 0; f < 5 && s->sys->units == 1; f++)
		for (unsigned was = 0; was < LIFE_STATE_COUNT; was++) {
			model_adopt(s->sys, &w, founds[f], (enum life_state)was, was % 2 == 1);
			push(s, &w, fingerprint(s->sys, &w), UINT32_MAX, f, was);
		}
}

static void
trace(const struct search *s, size_t at, bool first)
{
	const struct node *n = &s->nodes[at];

	if (n->parent == UINT32_MAX) {
		printf("    start: found %u, was %s\n", n->unit,
		    life_state_text((enum life_state)n->move));
		return;
	}
	trace(s, n->parent, false);
	printf("    unit %u: %s%s\n", n->unit, model_move_names[n->move], first ? " (here)" : "");
}

/*
 * Makes every move from a world.  Its table is larger than the caches, so that a look takes longer
 * than a move: it waits until all moves are made, and the table's lines are under way.  Returns the
 * move after which something was wrong, or the number of moves.
 */
static unsigned
expand(struct search *s, const struct world *from, uint32_t at)
{
	static struct world to[MOVE_COUNT * MODEL_UNITS + 1];
	uint64_t f[MOVE_COUNT * MODEL_UNITS];
	uint8_t move[MOVE_COUNT * MODEL_UNITS];
	unsigned all = MOVE_COUNT * s->sys->units, n = 0, m, wrong = all;

	for (m = 0; m < all && model_wrong == NULL; m++) {
		copy(s->sys, &to[n], from);
		if (!model_move(s->sys, &to[n], m / MOVE_COUNT, (enum move)(m % MOVE_COUNT)))
			continue;
		s->transitions++;
		if (model_wrong != NULL) {
			wrong = m;
			break;
		}
		move[n] = (uint8_t)m;
		f[n] = fingerprint(s->sys, &to[n]);
		__builtin_prefetch(&s->table[f[n] >> 1 & s->mask], 1);
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		const char *before = model_wrong;

		m = move[i];
		push(s, &to[i], f[i], at, m / MOVE_COUNT, m % MOVE_COUNT);
		if (before == NULL && model_wrong != NULL)
			return m;
	}
	return wrong;
}

/* Visits everything, or stops at the first violation, which it then describes when `show`. */
static const char *
explore(const struct system *sys, size_t most, bool show, struct search *s)
{
	size_t at = 0;

	*s = (struct search){
		.sys = sys, .mask = (1u << 16) - 1, .cap = 1u << 14, .ring = 1u << 12
	};
	s->table = table_new(s->mask + 1);
	s->nodes = grow(NULL, s->cap, sizeof(*s->nodes));
	s->queue = grow(NULL, s->ring, sizeof(*s->queue));
	model_wrong = NULL;
	search_start(s);
	for (; s->head != s->tail && model_wrong == NULL && at < most; at++) {
		struct world from;
		unsigned m = MOVE_COUNT * sys->units;

		copy(sys, &from, &s->queue[s->head]);
		s->head = (s->head + 1) % s->ring;
		check_futures(sys, &from);
		if (model_wrong == NULL)
			m = expand(s, &from, (uint32_t)at);
		if (model_wrong != NULL && show) {
			printf("  %s, after:\n", model_wrong);
			trace(s, at, true);
			if (m < MOVE_COUNT * sys->units)
				printf("    unit %u: %s\n", m / MOVE_COUNT,
				    model_move_names[m % MOVE_COUNT]);
		}
	}
	free(s->table);
	free(s->nodes);
	free(s->queue);
	return model_wrong;
}

/* ---- the systems ---- */

#define TIMES                                                                                  \
	.boot_ms = 3, .queue_ms = 3, .min_up_ms = 1, .backoff_min_ms = 1, .backoff_max_ms = 3, \
	.steady_ms = 2, .stop_ms = 1, .op_ms = 2, .state_ms = 2
#define CAN .can_freeze = true, .can_save = true, .can_shutdown = true
#define BIT(m) (1u << (m))

static struct system systems[] = {
	{ "stop", 1, 1,
	    { { TIMES, CAN, .idle_ms = 3, .unused_after_ms = 2, .sleep = LIFE_TIER_DORMANT },
		{ TIMES, CAN, .idle_ms = 2, .sleep = LIFE_TIER_DORMANT, .shutdown = true } },
	    0, false, MUTANT_NONE, 0 },
	{ "freeze", 1, 1,
	    { { TIMES, CAN, .idle_ms = 2, .sleep = LIFE_TIER_FROZEN, .frozen_then = LIFE_TIER_SAVED,
		  .frozen_ms = 2, .saved_ms = 2 },
		{ TIMES, .idle_ms = 2, .sleep = LIFE_TIER_FROZEN,
		    .frozen_then = LIFE_TIER_DORMANT } },
	    0, false, MUTANT_NONE, 0 },
	{ "save", 1, 1,
	    { { TIMES, CAN, .idle_ms = 2, .unused_after_ms = 1, .sleep = LIFE_TIER_SAVED,
		  .saved_ms = 3 },
		{ TIMES, CAN, .sleep = LIFE_TIER_SAVED } },
	    0, false, MUTANT_NONE, 0 },
	{ "two units, one slot", 2, 1,
	    { { TIMES, CAN, .idle_ms = 2, .sleep = LIFE_TIER_DORMANT },
		{ TIMES, CAN, .idle_ms = 2, .sleep = LIFE_TIER_DORMANT } },
	    BIT(MOVE_WAKE_PACKET) | BIT(MOVE_POLICY) | BIT(MOVE_SLEEP_FROZEN) |
		BIT(MOVE_SLEEP_SAVED) | BIT(MOVE_SLEEP_DORMANT) | BIT(MOVE_KILL_LATE) |
		BIT(MOVE_KILL_HALF) | BIT(MOVE_TIMER_EARLY) | BIT(MOVE_READ_QUERY) |
		BIT(MOVE_READ_FAILS) | BIT(MOVE_WRITE_FAILS) | BIT(MOVE_OP_FAILS),
	    true, MUTANT_NONE, 0 },
};

#define NSYSTEMS (sizeof(systems) / sizeof(systems[0]))

/* Under the sanitizers the nearest worlds must do; the whole takes ten times as long there. */
#ifdef JITSU_SAN
#define MOST_WORLDS 60000u
#else
#define MOST_WORLDS SIZE_MAX
#endif
#define MOST_WORLDS_FAULTY 40000u

/* Explores a system in a process of its own; its status is 0 when all is right. */
static pid_t
explore_beside(const struct system *sys)
{
	struct search s;
	const char *wrong;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0)
		return pid;
	wrong = explore(sys, MOST_WORLDS, true, &s);
	printf("  %-20s %9zu worlds %11llu transitions: %s\n", sys->name, s.nnodes,
	    (unsigned long long)s.transitions, wrong == NULL ? "all right" : wrong);
	fflush(stdout);
	_exit(wrong != NULL);
}

static void
all_worlds_are_right(void **state)
{
	pid_t pid[NSYSTEMS];
	int status;

	(void)state;
	for (unsigned i = 0; i < NSYSTEMS; i++) {
		pid[i] = explore_beside(&systems[i]);
		assert_true(pid[i] > 0);
	}
	for (unsigned i = 0; i < NSYSTEMS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
}

/* A fault is caught when some system finds a violation. */
static bool
caught(enum mutant_kind mutant, unsigned kind, const char *what, const char *object)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < NSYSTEMS && wrong == NULL; i++) {
		struct system sys = systems[i];
		struct search s;

		sys.mutant = mutant;
		sys.mutant_kind = kind;
		wrong = explore(&sys, MOST_WORLDS_FAULTY, false, &s);
	}
	printf("  %-8s %-10s %s\n", what, object, wrong != NULL ? wrong : "NOT FOUND");
	return wrong != NULL;
}

static void
faults_are_caught(void **state)
{
	static const enum life_event_kind deaf[] = { LIFE_EV_WAKE, LIFE_EV_REFUSED, LIFE_EV_STORED,
		LIFE_EV_DIED, LIFE_EV_TIMER, LIFE_EV_STOPPED, LIFE_EV_REMOVE, LIFE_EV_ADOPT,
		LIFE_EV_READY };
	unsigned missed = 0;

	(void)state;
	for (unsigned k = 0; k < LIFE_ACTION_COUNT; k++) {
		missed += !caught(
		    MUTANT_DROP, k, "dropped", action_text((enum life_action_kind)k));
		/*
		 * to be told a timer twice is no fault, and a second READ is what a lost first one
		 * leads to
		 */
		if (k != LIFE_DO_TIMER && k != LIFE_DO_READ)
			missed += !caught(MUTANT_DOUBLE, k, "doubled",
			    action_text((enum life_action_kind)k));
	}
	for (unsigned k = 0; k < sizeof(deaf) / sizeof(deaf[0]); k++)
		missed += !caught(MUTANT_DEAF, deaf[k], "deaf to", life_event_text(deaf[k]));
	missed += !caught(MUTANT_NO_TICKETS, 0, "without", "tickets");
	assert_int_equal(missed, 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_worlds_are_right),
		cmocka_unit_test(faults_are_caught),
	};

	if (argc == 3 && strcmp(argv[1], "-v") == 0) {
		for (unsigned i = 0; i < NSYSTEMS; i++) {
			struct search s;
			const char *wrong;

			if (strcmp(systems[i].name, argv[2]) != 0)
				continue;
			wrong = explore(&systems[i], MOST_WORLDS, true, &s);
			printf("%zu worlds, %llu transitions: %s\n", s.nnodes,
			    (unsigned long long)s.transitions, wrong != NULL ? wrong : "all right");
			return wrong != NULL;
		}
		fprintf(stderr, "there is no system '%s'\n", argv[2]);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
