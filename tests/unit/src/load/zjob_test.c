/* zjob_test: images are checked beside the loop, and a job that is given up leaves nothing open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/thread.h>

#include "base/memfd.h"
#include "dns/dns.h"
#include "src/load/zjob.h"

static const uint8_t key[16] = "0123456789abcde";

/* An image of a zone with that many names more. */
static int
compile(unsigned names)
{
	char path[] = "/tmp/jitsu-zjob-XXXXXX";
	int fd = mkstemp(path), image = -1;
	struct report report;
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n", f);
	for (unsigned i = 0; i < names; i++)
		fprintf(f, "n%u A 192.0.2.1\n", i);
	assert_int_equal(fclose(f), 0);
	report_init(&report);
	assert_int_equal(dns_compile_file("job.test", path, NULL, &image, &report), ERR_OK);
	report_clear(&report);
	assert_int_equal(unlink(path), 0);
	return image;
}

/* A memory file with these bytes, sealed or not. */
static int
memory(const void *bytes, size_t len, bool sealed)
{
	struct errmsg m;
	int fd = -1;

	assert_int_equal(memfd_create_open("jitsu-test", &fd, &m), ERR_OK);
	assert_int_equal(write(fd, bytes, len), len);
	if (sealed)
		assert_int_equal(memfd_seal_all(fd, &m), ERR_OK);
	return fd;
}

/* What it holds, unsealed. */
static int
copy_unsealed(int fd)
{
	char buf[65536];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	assert_true(n > 0 && (size_t)n < sizeof(buf));
	return memory(buf, (size_t)n, false);
}

struct loop {
	struct event_base *base;
	struct work *work;
	unsigned done;
};

static struct loop
loop_new(void)
{
	struct loop l = { .base = event_base_new() };

	l.work = work_new(l.base, (const unsigned[ZJOB_LANES]){ 1, 1 }, ZJOB_LANES, NULL);
	return l;
}

static void
loop_free(struct loop *l)
{
	work_free(l->work);
	event_base_free(l->base);
}

static void
on_done(struct zjob *j, void *arg)
{
	struct loop *l = arg;

	(void)j;
	l->done++;
	assert_int_equal(event_base_loopbreak(l->base), 0);
}

/* Until a job is done, or for half a minute. */
static void
run(struct loop *l)
{
	struct timeval most = { 30, 0 };

	assert_int_equal(event_base_loopexit(l->base, &most), 0);
	assert_int_equal(event_base_dispatch(l->base), 0);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void
good_and_bad(void **state)
{
	struct loop l = loop_new();
	struct zjob *j = zjob_new(l.work, "/nonexistent", key, on_done, &l);
	int good = compile(3),
	    fds[3] = { good, memory("no image, but sealed", 20, true), copy_unsealed(good) };
	struct dns_zone_info info;
	struct errmsg m;

	(void)state;
	assert_non_null(j);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(zjob_add_zimage(j, fds[i], 40 + i));
	zjob_start(j, ZJOB_CHECK);
	assert_int_equal(l.done, 0);   /* the loop has not run */
	run(&l);
	assert_int_equal(l.done, 1);

	assert_int_equal(zjob_rows(j), 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct zjob_row *row = zjob_row(j, i);

		assert_int_equal(row->zone, 40 + i);
		assert_int_equal(row->fd, fds[i]);
		assert_true((row->result == ERR_OK) == (i == 0));
		assert_true((row->view != NULL) == (i == 0));
		assert_true((row->why.text[0] == '\0') == (i == 0));
	}
	assert_int_equal(dns_zimage_zone(zjob_row(j, 0)->view, 0, &info, &m), ERR_OK);
	assert_string_equal(info.origin, "job.test");
	assert_int_equal(info.names, 5);
	zjob_free(j);
	for (unsigned i = 0; i < 3; i++)
		assert_false(is_open(fds[i]));
	loop_free(&l);
}

static void
given_up(void **state)
{
	struct loop l = loop_new();
	int image = compile(20000);

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct zjob *j = zjob_new(l.work, "/nonexistent", key, on_done, &l);
		int fd = fcntl(image, F_DUPFD_CLOEXEC, 0);

		assert_non_null(j);
		assert_non_null(zjob_add_zimage(j, fd, 0));
		zjob_start(j, ZJOB_CHECK);
		zjob_free(j);
		assert_false(is_open(fd));
		assert_true(event_base_loop(l.base, EVLOOP_NONBLOCK) >= 0);
		/* nothing is left to wait for */
		assert_int_equal(event_base_loop(l.base, EVLOOP_NONBLOCK), 1);
	}
	assert_int_equal(l.done, 0);
	close(image);
	loop_free(&l);
}

/* Who takes an image keeps it when the job is gone. */
static void
taken(void **state)
{
	struct loop l = loop_new();
	struct zjob *j = zjob_new(l.work, "/nonexistent", key, on_done, &l);
	struct zjob_row *row = zjob_add_zimage(j, compile(0), 0);
	struct dns_zimage *view;
	int fd = row->fd;

	(void)state;
	zjob_start(j, ZJOB_CHECK);
	run(&l);
	assert_int_equal(l.done, 1);
	view = row->view;
	row->view = NULL;
	row->fd = -1;
	zjob_free(j);
	assert_int_equal(dns_zimage_zones(view), 1);
	assert_true(is_open(fd));
	dns_zimage_close(view);
	close(fd);
	loop_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(good_and_bad),
		cmocka_unit_test(given_up), cmocka_unit_test(taken) };

	/* The loop is told by a thread: without locks it may sleep on. */
	if (evthread_use_pthreads() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
