/* board_test: who can write what, and what a reader accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/board.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "tests/unit/base/fds.h"

/* The warden's board and the reader's, as after MSG_BOARD. */
static void
both(struct board *warden, struct board *dns)
{
	struct errmsg m;
	int dups[3];

	assert_int_equal(board_create(warden, &m), ERR_OK);
	for (int i = 0; i < 3; i++) {
		dups[i] = fcntl(warden->fds[i], F_DUPFD_CLOEXEC, 3);
		assert_true(dups[i] >= 0);
	}
	if (board_map(dns, dups, warden->capacity, &m) != ERR_OK)
		fail_msg("%s", m.text);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fcntl(dups[i], F_GETFD), -1);   /* board_map closed them */
}

static void
test_both_ways(void **state)
{
	unsigned before = fds_open();
	struct board warden, dns;
	uint32_t last = LIMIT_UNIT_NUMBERS - 1;

	(void)state;
	both(&warden, &dns);
	assert_int_equal(dns.capacity, LIMIT_UNIT_NUMBERS);
	assert_int_equal(dns.state[last].answer, BOARD_HOLD);
	warden.state[last].answer = BOARD_NOW;
	warden.state[last].hold_ms = 1500;
	assert_int_equal(dns.state[last].answer, BOARD_NOW);
	assert_int_equal(dns.state[last].hold_ms, 1500);
	dns.use[last].last_query_ns = 77;
	dns.counters[LIMIT_WORKERS - 1].tcp_connections = 9;
	assert_int_equal(warden.use[last].last_query_ns, 77);
	assert_int_equal(warden.counters[LIMIT_WORKERS - 1].tcp_connections, 9);
	assert_int_equal(board_last_query_ns(&warden, last, 100), 77);
	/* the future counts as now */
	assert_int_equal(board_last_query_ns(&warden, last, 76), 76);
	board_clear(&dns);
	board_clear(&warden);
	board_clear(&warden);
	assert_int_equal(fds_open(), before);
}

/* Everything that a captured reader might try with the descriptor of the state board. */
static void
test_state_is_read_only(void **state)
{
	struct board warden, dns;
	char path[64];
	const int *fds = warden.fds;
	int again;
	void *p;

	(void)state;
	both(&warden, &dns);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	assert_ptr_equal(p, MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_int_equal(mprotect(dns.state, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(pwrite(fds[0], "x", 1, 0), -1);
	assert_int_equal(ftruncate(fds[0], 4096), -1);
	assert_int_equal(
	    fallocate(fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
		assert_ptr_equal(p, MAP_FAILED);
		close(again);
	}
	/* Shrinking the others would kill the warden with SIGBUS. */
	assert_int_equal(ftruncate(fds[1], 4096), -1);
	assert_int_equal(ftruncate(fds[2], 4096), -1);
	warden.state[0].answer = BOARD_FAIL;   /* the warden's own mapping goes on writing */
	assert_int_equal(dns.state[0].answer, BOARD_FAIL);
	board_clear(&dns);
	board_clear(&warden);
}

/* A board of a million units that nobody touched takes no memory. */
static void
test_sparse(void **state)
{
	struct board b;
	struct errmsg m;
	struct stat st;

	(void)state;
	assert_int_equal(board_create(&b, &m), ERR_OK);
	b.state[5].answer = BOARD_NOW;
	assert_int_equal(fstat(b.fds[0], &st), 0);
	assert_int_equal(st.st_size, (off_t)sizeof(struct board_state) * LIMIT_UNIT_NUMBERS);
	assert_true(st.st_blocks * 512 <= 4 * 4096);
	assert_int_equal(fstat(b.fds[1], &st), 0);
	assert_int_equal(st.st_blocks, 0);
	board_clear(&b);
}

#define REFUSED_UNITS 4096
#define STATE (REFUSED_UNITS * sizeof(struct board_state))
#define USE (REFUSED_UNITS * sizeof(struct board_use))

/* Files of other sizes, or not sealed, are refused, and their descriptors closed. */
static void
test_refused(void **state)
{
	static const size_t counters = LIMIT_WORKERS * sizeof(struct board_counters);
	static const struct {
		size_t sizes[3];
		bool sealed;
	} rows[] = {
		{ { STATE, USE, counters }, true },
		{ { STATE - 8, USE, counters }, true },
		{ { STATE, 2 * USE, counters }, true },
		{ { STATE, USE / 4, counters }, true },
		{ { STATE, USE, 4096 }, true },
		{ { STATE, USE, counters }, false },
	};
	unsigned before = fds_open();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct board b;
		struct errmsg m;
		enum err e;
		int fds[3];

		for (int j = 0; j < 3; j++) {
			if (rows[i].sealed) {
				assert_int_equal(
				    memfd_create_sized("test", rows[i].sizes[j], &fds[j], &m),
				    ERR_OK);
			} else {
				assert_int_equal(memfd_create_open("test", &fds[j], &m), ERR_OK);
				assert_int_equal(ftruncate(fds[j], (off_t)rows[i].sizes[j]), 0);
			}
		}
		e = board_map(&b, fds, REFUSED_UNITS, &m);
		assert_int_equal(e, i == 0 ? ERR_OK : ERR_PROTO);
		if (i == 0)
			board_clear(&b);
		else
			assert_null(b.state);
		assert_int_equal(fds_open(), before);
	}
}

#define WAKE_UNIT 3
#define WAKE_THREADS 4
#define WAKE_ROUNDS 2000

static struct board wake_warden, wake_dns;

/* A worker of the DNS process: asks for a wake in every round, each at a time of its own. */
struct asker {
	pthread_t thread;
	pthread_barrier_t *gate;
	unsigned index;
};

/* The times of one round: after the last round's end, the earliest at another worker each time. */
static uint64_t
asked_ns(unsigned round, unsigned index)
{
	return 1000ull * (round + 1) + 10 * ((index + round) % WAKE_THREADS + 1);
}

static void *
asker_run(void *arg)
{
	struct asker *a = arg;

	for (unsigned round = 0; round < WAKE_ROUNDS; round++) {
		pthread_barrier_wait(a->gate);
		board_wake_begin(&wake_dns, WAKE_UNIT, asked_ns(round, a->index));
		pthread_barrier_wait(a->gate);
	}
	return NULL;
}

/* Whichever worker comes first to the board, the wake's first query is the earliest one. */
static void
test_the_first_query_of_a_wake(void **state)
{
	struct asker askers[WAKE_THREADS];
	pthread_barrier_t gate;

	(void)state;
	both(&wake_warden, &wake_dns);
	assert_int_equal(board_wake_first_ns(&wake_dns, WAKE_UNIT), 0);
	assert_int_equal(pthread_barrier_init(&gate, NULL, WAKE_THREADS + 1), 0);
	for (unsigned i = 0; i < WAKE_THREADS; i++) {
		askers[i].gate = &gate;
		askers[i].index = i;
		assert_int_equal(pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]), 0);
	}
	for (unsigned round = 0; round < WAKE_ROUNDS; round++) {
		uint64_t earliest = 1000ull * (round + 1) + 10, end = earliest + 800;

		pthread_barrier_wait(&gate);
		pthread_barrier_wait(&gate);
		assert_int_equal(board_wake_first_ns(&wake_dns, WAKE_UNIT), earliest);
		/* Asked again before the end it belongs to the wake, after it to no wake. */
		assert_false(board_wake_over(&wake_warden, WAKE_UNIT, earliest));
		board_wake_end(&wake_warden, WAKE_UNIT, end);
		assert_int_equal(board_wake_first_ns(&wake_dns, WAKE_UNIT), 0);
		/* A query that came before the end and asks only now begins nothing. */
		assert_true(board_wake_over(&wake_warden, WAKE_UNIT, earliest));
		assert_true(board_wake_over(&wake_warden, WAKE_UNIT, end));
		assert_false(board_wake_over(&wake_warden, WAKE_UNIT, end + 1));
		board_wake_begin(&wake_dns, WAKE_UNIT, end);
		assert_int_equal(board_wake_first_ns(&wake_dns, WAKE_UNIT), 0);
	}
	for (unsigned i = 0; i < WAKE_THREADS; i++)
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
	pthread_barrier_destroy(&gate);
	assert_int_equal(board_wake_first_ns(&wake_dns, WAKE_UNIT + 1), 0);
	board_clear(&wake_dns);
	board_clear(&wake_warden);
}

static void
buckets_double(void **state)
{
	(void)state;
	assert_int_equal(board_held_bucket(0), 0);
	assert_int_equal(board_held_bucket(999999), 0);
	assert_int_equal(board_held_bucket(1000000), 1);
	assert_int_equal(board_held_bucket(1999999), 1);
	assert_int_equal(board_held_bucket(2000000), 2);
	assert_int_equal(board_held_bucket(1000000000), 10);
	assert_int_equal(board_held_bucket(UINT64_MAX), BOARD_HELD_BUCKETS - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_double),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_state_is_read_only),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_the_first_query_of_a_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
