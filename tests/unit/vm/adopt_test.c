/* adopt_test: the next daemon finds what the last one left, in every state, and touches nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"

enum { RUNNING, FROZEN, SAVED, KILLED, HUNG, DIRLESS, HALF, GUESTLESS, COUNT };

static struct world w;
static struct vm_uuid uuids[COUNT];
static char cmdlines[COUNT][160];

struct seen {
	unsigned times[COUNT], strangers;
	enum vm_found_state state[COUNT];
	char why[COUNT][512];
	bool done;
};

static void
found_cb(const struct vm_found *f, void *arg)
{
	struct seen *s = arg;

	if (f == NULL) {
		s->done = true;
		return;
	}
	assert_string_equal(f->driver, "qemu");
	for (unsigned i = 0; i < COUNT; i++)
		if (memcmp(&f->uuid, &uuids[i], sizeof(f->uuid)) == 0) {
			s->times[i]++;
			s->state[i] = f->state;
			snprintf(s->why[i], sizeof(s->why[i]), "%s", f->why);
			return;
		}
	s->strangers++;
}

static void
assert_result(struct result *r)
{
	assert_true(spin(&w, &r->done, 20000));
	if (r->err != ERR_OK)
		fail_msg("%s", r->text);
}

static void
start(unsigned i)
{
	struct vm_spec spec;
	struct result r = { 0 };
	char cmdline[128];

	world_spec(&w, &spec, 30 + i, cmdline);
	uuids[i] = spec.uuid;
	snprintf(cmdlines[i], sizeof(cmdlines[i]), "%s%s", cmdline, i != GUESTLESS ? "" : world_slow() > 1 ? " crash=5000" : " crash=300");
	spec.cmdline = cmdlines[i];
	vm_start(w.host, &spec, result_cb, &r);
	assert_result(&r);
}

static void
operate(void (*op)(struct vm_host *, const struct vm_uuid *, vm_done_cb, void *), unsigned i)
{
	struct result r = { 0 };

	op(w.host, &uuids[i], result_cb, &r);
	assert_result(&r);
}

/* A QEMU with the same binary that is none of ours, in a directory that only looks like one of ours. */
static pid_t
start_stranger(const char *uuid)
{
	char dir[200];
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/run2/vm/%s", w.dir, uuid);
	sh("mkdir -p %s", dir);
	pid = fork();
	if (pid == 0) {
		if (chdir(dir) == 0)
			execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-uuid", uuid, (char *)NULL);
		_exit(1);
	}
	return pid;
}

static void
text_of(unsigned i, char text[VM_UUID_TEXT])
{
	vm_uuid_text(&uuids[i], text);
}

/* What the last daemon left behind. */
static void
leave_world(pid_t pids[COUNT])
{
	char text[VM_UUID_TEXT];

	world_open(&w);
	for (unsigned i = 0; i < COUNT; i++)
		if (i != HALF) {
			start(i);
			pids[i] = pid_of(&w, &uuids[i]);
		}
	assert_true(guest_pings(30 + RUNNING, 10));
	assert_true(guest_pings(30 + HUNG, 10));
	operate(vm_freeze, FROZEN);
	operate(vm_save, SAVED);
	world_close(&w);
	assert_int_equal(kill(pids[KILLED], SIGKILL), 0);
	assert_int_equal(waitpid(pids[KILLED], NULL, 0), pids[KILLED]);
	assert_int_equal(kill(pids[HUNG], SIGSTOP), 0);
	text_of(DIRLESS, text);
	/* Its cgroups go by the daemon's own rule when nothing is written down. */
	sh("rm -r %s/vm/%s", w.run_dir, text);
	vm_uuid_make(&uuids[HALF]);
	text_of(HALF, text);
	sh("mkdir -m 700 %s/vm/%s && touch %s/vm/%s/qmp", w.run_dir, text, w.run_dir, text);
	sh("mkdir -p %s/vm/lost+found", w.run_dir);
	/* GUESTLESS crashed while nobody looked. */
	sh("sleep %s", world_slow() > 1 ? "6" : "0.8");
}

static void
test_adopt(void **state)
{
	struct seen s;
	struct result r;
	pid_t pids[COUNT] = { 0 }, stranger, twin;
	char text[VM_UUID_TEXT];

	(void)state;
	stranger = start_stranger("11111111-2222-4333-8444-555555555555");
	leave_world(pids);
	/* Even the UUID of one of ours does not make it ours. */
	text_of(RUNNING, text);
	twin = start_stranger(text);

	world_open(&w);
	memset(&s, 0, sizeof(s));
	uint64_t t0 = clock_now_ms();
	vm_adopt(w.host, found_cb, &s);
	assert_true(spin(&w, &s.done, 20000));
	print_message("adoption of %d with one hung: %d ms\n", COUNT, (int)(clock_now_ms() - t0));
	assert_int_equal(s.strangers, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		if (s.times[i] != 1)
			fail_msg("number %u was found %u times", i, s.times[i]);
		print_message("%u: %d %s\n", i, s.state[i], s.why[i]);
	}
	assert_int_equal(s.state[RUNNING], VM_FOUND_RUNNING);
	assert_int_equal(s.state[FROZEN], VM_FOUND_FROZEN);
	assert_int_equal(s.state[SAVED], VM_FOUND_SAVED);
	assert_int_equal(s.state[KILLED], VM_FOUND_BROKEN);
	assert_int_equal(s.state[HUNG], VM_FOUND_BROKEN);
	assert_int_equal(s.state[DIRLESS], VM_FOUND_BROKEN);
	assert_int_equal(s.state[HALF], VM_FOUND_BROKEN);
	assert_int_equal(s.state[GUESTLESS], VM_FOUND_BROKEN);
	assert_non_null(strstr(s.why[GUESTLESS], "shutdown"));

	/* They work as if they had been started here. */
	operate(vm_thaw, FROZEN);
	assert_true(guest_pings(30 + FROZEN, 3));
	operate(vm_save, RUNNING);
	struct vm_spec spec;
	char cmdline[128];
	world_spec(&w, &spec, 30 + SAVED, cmdline);
	spec.uuid = uuids[SAVED];
	spec.cmdline = cmdlines[SAVED];
	memset(&r, 0, sizeof(r));
	vm_restore(w.host, &spec, result_cb, &r);
	assert_result(&r);
	assert_true(guest_pings(30 + SAVED, 3));
	assert_int_equal(w.died, 0);
	assert_int_equal(kill(pids[FROZEN], SIGKILL), 0);
	assert_true(spin_count(&w, &w.died, 1, 3000));

	for (unsigned i = 0; i < COUNT; i++) {
		memset(&r, 0, sizeof(r));
		vm_stop(w.host, &uuids[i], VM_STOP_DESTROY, 0, result_cb, &r);
		assert_true(spin(&w, &r.done, 15000));
		if (r.err != (i == FROZEN ? ERR_MISSING : ERR_OK))
			fail_msg("number %u: %s", i, r.text);
	}
	assert_int_equal(count_dirs(&w), 1);     /* lost+found is not ours */
	assert_int_equal(count_taps(), 0);
	assert_int_equal(kill(stranger, 0), 0);
	assert_int_equal(kill(twin, 0), 0);
	assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
	assert_int_equal(waitpid(twin, NULL, WNOHANG), 0);
	assert_int_equal(kill(stranger, SIGKILL) | kill(twin, SIGKILL), 0);
	assert_int_equal(waitpid(stranger, NULL, 0), stranger);
	assert_int_equal(waitpid(twin, NULL, 0), twin);
	world_close(&w);
	world_open(&w);
	assert_int_equal(count_cgroups(), 0);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_adopt) };
	const char *why = world_make(&w);
	int failed;

	if (why != NULL) {
		printf("skipped: %s\n", why);
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	world_kill(&w);
	world_remove(&w);
	return failed;
}
