/* server_test: the DNS process over UDP: warm and held queries, failures, reload, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/server/hold.h"
#include "tests/unit/dns/server/fixture.h"

#define A 1
#define TXT 16
#define AAAA 28
#define PATIENCE FIXTURE_PATIENCE_MS
#define HOLD FIXTURE_HOLD_MS

static struct fixture f;
static struct fixture_reply reply;

static void
start(unsigned workers)
{
	struct fixture_conf conf = fixture_defaults;

	conf.workers = workers;
	fixture_start(&f, &conf);
}

static uint64_t
sum(size_t offset)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < f.conf.workers; i++)
		n += *(_Atomic uint64_t *)((uint8_t *)&f.board.counters[i] + offset);
	return n;
}

#define COUNTED(field) sum(offsetof(struct board_counters, field))

/* Waits until the process has held so many queries. */
static void
wait_held(uint64_t n)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t until_ms = clock_now_ms() + PATIENCE;

	while (COUNTED(held) < n && clock_now_ms() < until_ms)
		(void)nanosleep(&pause, NULL);   /* the board tells nobody */
	assert_int_equal(COUNTED(held), n);
}

static void
answers_what_needs_no_unit(void **state)
{
	const char *hosts[] = { "127.0.0.1", "::1" };

	(void)state;
	start(1);
	for (unsigned i = 0; i < 2; i++) {
		int fd = fixture_udp(&f, hosts[i]);

		fixture_send(fd, 77, "plain", A);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, 77);
		assert_int_equal(reply.rcode, 0);
		assert_int_equal(reply.ancount, 1);
		assert_true(reply.aa);
		/* a type that a sleeping unit lacks, and one that wakes nobody */
		fixture_send(fd, 78, "u0", AAAA);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.rcode, 0);
		assert_int_equal(reply.ancount, 0);
		assert_true(reply.aa);
		fixture_send(fd, 79, "u0", TXT);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.ancount, 0);
		close(fd);
	}
	assert_int_equal(COUNTED(udp_queries), 6);
	assert_int_equal(COUNTED(ipv6_queries), 3);
	assert_int_equal(COUNTED(type[BOARD_TYPE_A]), 2);
	assert_int_equal(COUNTED(type[BOARD_TYPE_AAAA]), 2);
	assert_int_equal(COUNTED(type[BOARD_TYPE_TXT]), 2);
	assert_int_equal(COUNTED(answers), 6);
	assert_int_equal(f.board.use[fixture_unit("u0")].queries, 0);
	fixture_stop(&f);
}

static void
a_warm_unit_answers_and_counts(void **state)
{
	uint32_t unit = fixture_unit("u3");
	uint64_t before_ns = clock_now_ns();
	struct msg m;
	int fd;

	(void)state;
	start(1);
	fixture_board(&f, unit, BOARD_NOW, 0, HOLD);
	fd = fixture_udp(&f, "127.0.0.1");
	for (uint16_t i = 0; i < 10; i++) {
		fixture_send(fd, i, "u3", A);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.ancount, 1);
	}
	assert_int_equal(f.board.use[unit].queries, 10);
	assert_true(f.board.use[unit].last_query_ns > before_ns);
	assert_true(f.board.use[unit].last_query_ns <= clock_now_ns());
	assert_false(fixture_expect(&f, MSG_WAKE, 20, &m, NULL));
	/* answer=now: the answer and a wake, once a second at most */
	fixture_board(&f, unit, BOARD_WAKE_TOO, 0, HOLD);
	before_ns = clock_now_ns();
	fixture_send(fd, 99, "u3", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_int_equal(m.unit, unit);
	fixture_send(fd, 100, "u3", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	if (fixture_expect(&f, MSG_WAKE, 20, &m, NULL))
		assert_true(clock_now_ns() - before_ns >= HOLD_ASK_AGAIN_NS);
	close(fd);
	fixture_stop(&f);
}

static void
holds_200(unsigned workers)
{
	uint32_t unit = fixture_unit("u1");
	unsigned wakes[3] = { 0 }, answers = 0;
	bool seen[200] = { false };
	uint64_t begin_ns;
	int fds[20];
	struct msg m;

	start(workers);
	begin_ns = clock_now_ns();
	for (unsigned i = 0; i < 20; i++)
		fds[i] = fixture_udp(&f, i % 2 ? "127.0.0.1" : "::1");
	for (uint16_t i = 0; i < 200; i++)
		fixture_send(fds[i % 20], i, "u1", A);
	wait_held(200);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	do {
		assert_int_equal(m.unit, unit);
		assert_int_equal(m.wake.qtype, A);
		assert_true(m.wake.client.family == 4 || m.wake.client.family == 6);
		assert_true(m.time_ns <= clock_now_ns() && m.time_ns > begin_ns);
		assert_true(m.wake.worker < workers);
		/* each worker asks once, and again after a second */
		assert_true(wakes[m.wake.worker]++ <=
		    (clock_now_ns() - begin_ns) / HOLD_ASK_AGAIN_NS);
	} while (fixture_expect(&f, MSG_WAKE, 100, &m, NULL));
	assert_false(fixture_recv(fds[0], 10, &reply));
	fixture_board(&f, unit, BOARD_NOW, 0, HOLD);
	fixture_woken(&f, unit, WAKE_READY, 0);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(fixture_recv(fds[i % 20], PATIENCE, &reply));
		assert_int_equal(reply.rcode, 0);
		assert_int_equal(reply.ancount, 1);
		assert_in_range(reply.id, 0, 199);
		assert_false(seen[reply.id]);
		seen[reply.id] = true;
	}
	while (answers < 200) {
		assert_true(fixture_expect(&f, MSG_ANSWERED, PATIENCE, &m, NULL));
		assert_int_equal(m.unit, unit);
		assert_int_equal(m.answered.expired, 0);
		answers += m.answered.answers;
	}
	assert_int_equal(answers, 200);
	assert_int_equal(f.board.use[unit].queries, 200);
	for (unsigned i = 0; i < 20; i++)
		close(fds[i]);
	fixture_stop(&f);
}

static void
two_hundred_are_held_and_answered(void **state)
{
	(void)state;
	holds_200(1);
}

static void
two_hundred_are_held_by_three_workers(void **state)
{
	(void)state;
	holds_200(3);
}

static void
the_address_goes_out_when_hold_runs_out(void **state)
{
	uint32_t unit = fixture_unit("u2");
	uint64_t start_ns, took_ms, late = 0;
	struct msg m;
	int fd;

	(void)state;
	start(1);
	fixture_board(&f, unit, BOARD_HOLD, 0, 200);
	fd = fixture_udp(&f, "127.0.0.1");
	start_ns = clock_now_ns();
	fixture_send(fd, 5, "u2", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	took_ms = (clock_now_ns() - start_ns) / NS_PER_MS;
	assert_int_equal(reply.rcode, 0);
	assert_int_equal(reply.ancount, 1);
	assert_true(took_ms >= 199);
	assert_true(fixture_expect(&f, MSG_ANSWERED, PATIENCE, &m, NULL));
	assert_int_equal(m.answered.answers, 1);
	assert_int_equal(m.answered.expired, 1);
	assert_int_equal(COUNTED(held_expired), 1);
	for (unsigned i = board_held_bucket(199 * NS_PER_MS); i < BOARD_HELD_BUCKETS; i++)
		late += COUNTED(held_for[i]);
	assert_int_equal(late, 1);
	close(fd);
	fixture_stop(&f);
}

static void
a_failed_wake_is_servfail_with_a_reason(void **state)
{
	uint32_t unit = fixture_unit("u4");
	struct msg m;
	int fd;

	(void)state;
	start(1);
	fd = fixture_udp(&f, "::1");
	fixture_send(fd, 6, "u4", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_woken(&f, unit, WAKE_FAILED, 0);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.rcode, 2);
	assert_int_equal(reply.ede, 0);
	assert_non_null(memmem(reply.wire, reply.len, "failed to start", 15));
	/* in its back-off, without a wake */
	fixture_board(&f, unit, BOARD_FAIL, 14, HOLD);
	fixture_send(fd, 7, "u4", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 7);
	assert_int_equal(reply.rcode, 2);
	assert_int_equal(reply.ede, 14);
	assert_false(fixture_expect(&f, MSG_WAKE, 20, &m, NULL));
	/* gone from the configuration: the zone as it is */
	fixture_board(&f, unit, BOARD_HOLD, 0, HOLD);
	fixture_send(fd, 8, "u4", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_woken(&f, unit, WAKE_GONE, 0);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.rcode, 0);
	assert_int_equal(reply.ancount, 1);
	close(fd);
	fixture_stop(&f);
}

static void
a_lost_wake_is_asked_for_again(void **state)
{
	uint32_t unit = fixture_unit("u5");
	uint64_t start_ns;
	struct msg m;
	int fd;

	(void)state;
	start(1);
	fd = fixture_udp(&f, "127.0.0.1");
	f.repeated = true;
	start_ns = clock_now_ns();
	fixture_send(fd, 6, "u5", A);
	for (uint64_t i = 0; i < 2; i++) {
		assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
		assert_int_equal(m.unit, unit);
		assert_true(clock_now_ns() - start_ns >= i * HOLD_ASK_AGAIN_NS);
	}
	fixture_woken(&f, unit, WAKE_READY, 0);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	close(fd);
	fixture_stop(&f);
}

static void
the_oldest_goes_when_too_many_are_held(void **state)
{
	struct fixture_conf conf = fixture_defaults;
	int fd;

	(void)state;
	conf.held_per_unit = 5;
	fixture_start(&f, &conf);
	fd = fixture_udp(&f, "127.0.0.1");
	for (uint16_t i = 0; i < 8; i++)
		fixture_send(fd, i, "u6", A);
	for (uint16_t i = 0; i < 3; i++) {
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, i);
		assert_int_equal(reply.ancount, 1);
	}
	assert_false(fixture_recv(fd, 50, &reply));
	fixture_woken(&f, fixture_unit("u6"), WAKE_READY, 0);
	for (uint16_t i = 3; i < 8; i++) {
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, i);
	}
	close(fd);
	fixture_stop(&f);
}

static void
reloads(unsigned workers)
{
	uint16_t id = 0;
	struct msg m;
	int fds[8];

	start(workers);
	for (unsigned i = 0; i < 8; i++)
		fds[i] = fixture_udp(&f, "127.0.0.1");
	fixture_send(fds[0], 1000, "u7", A);   /* held across all of them */
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_board(&f, fixture_unit("u7"), BOARD_HOLD, 0, HOLD);
	for (uint32_t round = 0; round < 20; round++) {
		fixture_commit(&f, 2 + round);
		for (unsigned i = 0; i < 64; i++)
			fixture_send(fds[i % 8], id++, "plain", A);
		for (unsigned i = 0; i < 64; i++) {
			assert_true(fixture_recv(fds[i % 8], PATIENCE, &reply));
			assert_int_equal(reply.ancount, 1);
		}
		assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &m, NULL));
		assert_int_equal(m.commit.generation, f.generation);
	}
	fixture_woken(&f, fixture_unit("u7"), WAKE_READY, 0);
	assert_true(fixture_recv(fds[0], PATIENCE, &reply));
	assert_int_equal(reply.id, 1000);
	assert_int_equal(reply.ancount, 1);
	fixture_send(fds[0], 1, "nope", A);
	assert_true(fixture_recv(fds[0], PATIENCE, &reply));
	assert_int_equal(reply.rcode, 3);
	/* serial 21 in the SOA */
	assert_non_null(memmem(reply.wire, reply.len, "\0\0\0\x15", 4));
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
	fixture_stop(&f);
}

static void
a_reload_drops_nothing(void **state)
{
	(void)state;
	reloads(1);
	reloads(3);
}

static void
a_bad_commit_changes_nothing(void **state)
{
	struct msg commit = { .type = MSG_COMMIT }, m;
	int fd;

	(void)state;
	start(1);
	commit.version = MSG_VERSION;
	commit.commit.bindings = 1;   /* and no descriptor */
	assert_int_equal(send(f.chan, &commit, sizeof(commit), 0), sizeof(commit));
	assert_false(fixture_expect(&f, MSG_COMMITTED, 50, &m, NULL));
	fd = fixture_udp(&f, "127.0.0.1");
	fixture_send(fd, 1, "plain", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	fixture_commit(&f, 3);
	assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &m, NULL));
	/* the last zone is gone */
	commit.commit.bindings = 0;
	commit.commit.generation = 77;
	assert_int_equal(send(f.chan, &commit, sizeof(commit), 0), sizeof(commit));
	assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &m, NULL));
	assert_int_equal(m.commit.generation, 77);
	fixture_send(fd, 2, "plain", A);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.rcode, 5);
	close(fd);
	fixture_stop(&f);
}

/* A connected socket hears only replies that come from the address it asked. */
static void
replies_leave_from_the_address_that_was_asked(void **state)
{
	const char *hosts[] = { "127.0.0.1", "127.0.0.2", "127.1.2.3", "::1" };
	struct fixture_conf conf = fixture_defaults;
	struct msg m;

	(void)state;
	conf.wildcard = true;
	fixture_start(&f, &conf);
	for (unsigned i = 0; i < 4; i++) {
		int fd = fixture_udp(&f, hosts[i]);

		fixture_send(fd, 9, "plain", A);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		fixture_board(&f, fixture_unit("u8"), BOARD_HOLD, 0, HOLD);
		fixture_send(fd, 10, "u8", A);
		assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
		fixture_woken(&f, fixture_unit("u8"), WAKE_READY, 0);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, 10);
		close(fd);
	}
	fixture_stop(&f);
}

static void
nonsense_gets_an_error_or_silence(void **state)
{
	uint8_t wire[512] = { 0 };
	int fd;

	(void)state;
	start(1);
	fd = fixture_udp(&f, "127.0.0.1");
	assert_int_equal(send(fd, wire, 11, 0), 11);
	assert_int_equal(send(fd, wire, 0, 0), 0);
	wire[2] = 0x80;   /* a reply */
	assert_int_equal(send(fd, wire, 12, 0), 12);
	assert_false(fixture_recv(fd, 50, &reply));
	wire[2] = 0;
	wire[5] = 3;      /* three questions, none there */
	assert_int_equal(send(fd, wire, 12, 0), 12);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.rcode, 1);
	assert_int_equal(COUNTED(dropped), 3);
	assert_int_equal(COUNTED(rcode[1]), 1);
	close(fd);
	fixture_stop(&f);
}

/*
 * Every thread has dropped everything, and the process still does its work: a reload, a held query,
 * a connection.
 */
static void
it_works_confined(void **state)
{
	const char *zero[] = { "CapEff:", "CapPrm:", "CapBnd:", "CapInh:", "CapAmb:" };
	struct fixture_conf conf = fixture_defaults;
	unsigned threads;
	struct msg m;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	conf.workers = 3;
	conf.uid = 65534;
	fixture_start(&f, &conf);
	for (unsigned i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		assert_int_equal(fixture_status(&f, zero[i], 16, &threads), 0);
	assert_int_equal(threads, 3);
	assert_int_equal(fixture_status(&f, "Uid:", 10, NULL), 3 * 65534);
	assert_int_equal(fixture_status(&f, "Gid:", 10, NULL), 3 * 65534);
	assert_int_equal(fixture_status(&f, "NoNewPrivs:", 10, NULL), 3);
	assert_int_equal(fixture_status(&f, "Seccomp:", 10, NULL), 3 * 2);
	fixture_commit(&f, 2);
	assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &m, NULL));
	fd = fixture_tcp(&f, "::1");
	fixture_send_tcp(fd, 1, "u9", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_woken(&f, fixture_unit("u9"), WAKE_READY, 0);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	close(fd);
	fixture_stop(&f);
}

/*
 * No timer stays behind: after a held query and a connection are done with, no thread runs at all.
 */
static void
an_idle_process_sleeps(void **state)
{
	const struct timespec quiet = { .tv_sec = 1, .tv_nsec = 200 * NS_PER_MS };
	uint64_t until_ms = clock_now_ms() + PATIENCE, before, after;
	struct msg m;
	int fd;

	(void)state;
	start(2);
	fixture_board(&f, fixture_unit("u9"), BOARD_HOLD, 0, 50);
	fd = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(fd, 1, "u9", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	close(fd);
	after = fixture_status(&f, "voluntary_ctxt_switches:", 10, NULL);
	do {
		before = after;
		(void)nanosleep(&quiet, NULL);   /* longer than any timer of theirs */
		after = fixture_status(&f, "voluntary_ctxt_switches:", 10, NULL);
	} while (after != before && clock_now_ms() < until_ms);
	assert_int_equal(after, before);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_what_needs_no_unit),
		cmocka_unit_test(a_warm_unit_answers_and_counts),
		cmocka_unit_test(two_hundred_are_held_and_answered),
		cmocka_unit_test(two_hundred_are_held_by_three_workers),
		cmocka_unit_test(the_address_goes_out_when_hold_runs_out),
		cmocka_unit_test(a_failed_wake_is_servfail_with_a_reason),
		cmocka_unit_test(a_lost_wake_is_asked_for_again),
		cmocka_unit_test(the_oldest_goes_when_too_many_are_held),
		cmocka_unit_test(a_reload_drops_nothing),
		cmocka_unit_test(a_bad_commit_changes_nothing),
		cmocka_unit_test(replies_leave_from_the_address_that_was_asked),
		cmocka_unit_test(nonsense_gets_an_error_or_silence),
		cmocka_unit_test(it_works_confined),
		cmocka_unit_test(an_idle_process_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
