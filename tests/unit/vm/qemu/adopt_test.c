/*
 * adopt_test: the next daemon finds what the last one left, in every state, and touches nothing
 * else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"
#include "vm/qemu/qmp.h"

enum { RUNNING, FROZEN, SAVED, KILLED, HUNG, TAKEN, TAKEN_FROZEN, DIRLESS, HALF, GUESTLESS, LATE,
    COUNT };

#define GONE "22222222-2222-4333-8444-555555555555"

static struct world w;
static struct vm_uuid uuids[COUNT];
static char cmdlines[COUNT][160];
static pid_t stranger, twin, late;

struct seen {
	unsigned times[COUNT], strangers;
	enum vm_found_state state[COUNT];
	char why[COUNT][512];
	char unit[COUNT][64], identity[COUNT][VM_IDENTITY];
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
			snprintf(s->unit[i], sizeof(s->unit[i]), "%s", f->unit);
			snprintf(s->identity[i], sizeof(s->identity[i]), "%s", f->identity);
			return;
		}
	s->strangers++;
}

static void
assert_result(struct result *r)
{
	assert_true(spin(&w, &r->done, PATIENCE_MS));
	if (r->err != ERR_OK)
		fail_msg("%s", r->text);
}

static void
start(unsigned i)
{
	struct vm_spec spec;
	struct result r = { 0 };
	char cmdline[128], name[64], identity[VM_IDENTITY];

	world_spec(&w, &spec, 30 + i, cmdline);
	snprintf(name, sizeof(name), "u%u.example.test", i);
	snprintf(identity, sizeof(identity), "identity%u", i);
	spec.unit = name;
	spec.identity = identity;
	uuids[i] = spec.uuid;
	snprintf(cmdlines[i], sizeof(cmdlines[i]), "%s", cmdline);
	spec.cmdline = cmdlines[i];
	vm_start(w.host, &spec, result_cb, &r);
	assert_result(&r);
}

static void
operate(enum vm_op op, unsigned i)
{
	struct result r = { 0 };

	vm_do(w.host, &uuids[i], op, result_cb, &r);
	assert_result(&r);
}

/*
 * A QEMU with the same binary that is none of ours, in a directory that only looks like one of
 * ours.
 */
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
			execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "none",
			    "-nodefaults", "-display", "none", "-uuid", uuid, (char *)NULL);
		_exit(1);
	}
	return pid;
}

/* A program of somebody else's, connected to a VM's control socket. */
static struct qmp agents[2];

static void text_of(unsigned i, char text[VM_UUID_TEXT]);

static void
agent_connect(struct qmp *q, unsigned i)
{
	char text[VM_UUID_TEXT], dir[200];
	struct errmsg m;
	int fd;

	text_of(i, text);
	snprintf(dir, sizeof(dir), "%s/vm/%s", w.run_dir, text);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	qmp_init(q);
	assert_int_equal(qmp_connect(q, fd, "qmp", &m), ERR_OK);
	assert_int_equal(qmp_command(q, "query-status", NULL, -1, clock_now_ns() +
	    PATIENCE_MS * NS_PER_MS, NULL, &m), ERR_OK);
	close(fd);
}

static void
text_of(unsigned i, char text[VM_UUID_TEXT])
{
	vm_uuid_text(&uuids[i], text);
}

/* Ends the guest without its daemon, and waits until QEMU has seen it. */
static void
end_guest(unsigned i)
{
	uint64_t deadline = clock_now_ns() + PATIENCE_MS * NS_PER_MS;
	char text[VM_UUID_TEXT], dir[200];
	bool ended = false;
	struct errmsg m;
	struct qmp q;
	int fd;

	text_of(i, text);
	snprintf(dir, sizeof(dir), "%s/vm/%s", w.run_dir, text);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	qmp_init(&q);
	assert_int_equal(qmp_connect(&q, fd, "qmp", &m), ERR_OK);
	assert_int_equal(qmp_command(&q, "system_reset", NULL, -1, deadline, NULL, &m), ERR_OK);
	while (!ended && clock_now_ns() < deadline) {
		json_t *ret = NULL;

		assert_int_equal(qmp_command(&q, "query-status", NULL, -1, deadline, &ret, &m),
		    ERR_OK);
		ended = strcmp(json_string_value(json_object_get(ret, "status")), "shutdown") == 0;
		json_decref(ret);
	}
	assert_true(ended);
	qmp_clear(&q);
	close(fd);
}

/*
 * A process that works in its directory, and becomes QEMU a little later, as when its daemon was
 * killed between the two.
 */
static pid_t
start_late(void)
{
	char dir[200], text[VM_UUID_TEXT], c;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	vm_uuid_make(&uuids[LATE]);
	text_of(LATE, text);
	snprintf(dir, sizeof(dir), "%s/vm/%s", w.run_dir, text);
	sh("mkdir -m 700 %s", dir);
	pid = fork();
	if (pid == 0) {
		if (chdir(dir) == 0 && write(ready[1], "", 1) == 1 && poll(NULL, 0, 300) == 0 &&
		    setgid(VM_USER) == 0 && setuid(VM_USER) == 0)
			execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "none",
			    "-nodefaults", "-display", "none", "-uuid", text, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* What the last daemon left behind. */
static void
leave_world(pid_t pids[COUNT])
{
	char text[VM_UUID_TEXT];

	world_open(&w);
	for (unsigned i = 0; i < COUNT; i++)
		if (i != HALF && i != LATE) {
			start(i);
			pids[i] = pid_of(&w, &uuids[i]);
		}
	assert_true(guest_pings(30 + RUNNING, PATIENCE_S));
	assert_true(guest_pings(30 + HUNG, PATIENCE_S));
	assert_true(guest_pings(30 + GUESTLESS, PATIENCE_S));
	assert_true(guest_pings(30 + TAKEN, PATIENCE_S));
	operate(VM_FREEZE, FROZEN);
	operate(VM_FREEZE, TAKEN_FROZEN);
	operate(VM_SAVE, SAVED);
	world_close(&w);
	agent_connect(&agents[0], TAKEN);
	agent_connect(&agents[1], TAKEN_FROZEN);
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
	/* While nobody looked. */
	end_guest(GUESTLESS);
	late = start_late();
}

/* Whose they are is known; of what was never whole, and of those that are gone, nothing. */
static void
assert_owners(const struct seen *s)
{
	for (unsigned i = 0; i < COUNT; i++) {
		char unit[64] = "", identity[VM_IDENTITY] = "";

		if (i != HALF && i != LATE) {
			snprintf(unit, sizeof(unit), "u%u.example.test", i);
			snprintf(identity, sizeof(identity), "identity%u", i);
		}
		assert_string_equal(s->unit[i], unit);
		assert_string_equal(s->identity[i], identity);
	}
	assert_int_equal(sh_status("test -e %s/owners/" GONE, w.conf.state_dir), 1);
}

static void
test_adopt(void **state)
{
	struct seen s;
	struct result r;
	pid_t pids[COUNT] = { 0 };
	char text[VM_UUID_TEXT];

	(void)state;
	stranger = start_stranger("11111111-2222-4333-8444-555555555555");
	leave_world(pids);
	/* Even the UUID of one of ours does not make it ours. */
	text_of(RUNNING, text);
	twin = start_stranger(text);
	sh("touch %s/owners/" GONE, w.conf.state_dir);

	world_open(&w);
	memset(&s, 0, sizeof(s));
	vm_host_limits(w.host, 2, 1000);
	uint64_t t0 = clock_now_ms();
	vm_adopt(w.host, found_cb, &s);
	assert_true(spin(&w, &s.done, PATIENCE_MS));
	print_message("adoption of %d with one hung: %d ms\n", COUNT, (int)(clock_now_ms() - t0));
	assert_int_equal(s.strangers, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		if (s.times[i] != 1)
			fail_msg("number %u was found %u times", i, s.times[i]);
		print_message("%u: %d %s\n", i, s.state[i], s.why[i]);
	}
	assert_owners(&s);
	assert_int_equal(s.state[RUNNING], VM_FOUND_RUNNING);
	assert_int_equal(s.state[FROZEN], VM_FOUND_FROZEN);
	assert_int_equal(s.state[SAVED], VM_FOUND_SAVED);
	assert_int_equal(s.state[KILLED], VM_FOUND_BROKEN);
	assert_int_equal(s.state[HUNG], VM_FOUND_SILENT);
	assert_int_equal(s.state[TAKEN], VM_FOUND_SILENT);
	assert_int_equal(s.state[TAKEN_FROZEN], VM_FOUND_SILENT);
	assert_non_null(strstr(s.why[TAKEN], "another program"));
	assert_int_equal(s.state[DIRLESS], VM_FOUND_RUNNING);
	assert_int_equal(s.state[HALF], VM_FOUND_BROKEN);
	assert_int_equal(s.state[GUESTLESS], VM_FOUND_BROKEN);
	assert_non_null(strstr(s.why[GUESTLESS], "shutdown"));
	assert_int_equal(s.state[LATE], VM_FOUND_BROKEN);

	/*
	 * One that hangs is ended after a while; one that somebody else talks to is kept, and said.
	 */
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));
	assert_non_null(strstr(w.died_text, "QEMU hangs"));
	assert_true(spin_count(&w, &w.logs, 1, PATIENCE_MS));
	assert_non_null(strstr(w.log_text, "another program"));
	memset(&r, 0, sizeof(r));
	vm_do(w.host, &uuids[TAKEN_FROZEN], VM_THAW, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	assert_true(r.err != ERR_OK && r.kept);
	assert_non_null(strstr(r.text, "another program"));
	memset(&r, 0, sizeof(r));
	vm_do(w.host, &uuids[TAKEN], VM_SAVE, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	assert_true(r.err != ERR_OK && r.kept);
	assert_true(guest_pings(30 + TAKEN, PATIENCE_S));
	/* ... and is as any other when that has let go. */
	for (unsigned i = 0; i < 2; i++)
		qmp_clear(&agents[i]);
	operate(VM_THAW, TAKEN_FROZEN);
	assert_true(guest_pings(30 + TAKEN_FROZEN, PATIENCE_S));
	operate(VM_CONSOLE, TAKEN);
	assert_int_equal(w.died, 1);
	w.died = 0;

	/* They work as if they had been started here. */
	operate(VM_THAW, FROZEN);
	assert_true(guest_pings(30 + FROZEN, PATIENCE_S));
	operate(VM_SAVE, RUNNING);
	struct vm_spec spec;
	char cmdline[128];
	world_spec(&w, &spec, 30 + SAVED, cmdline);
	spec.uuid = uuids[SAVED];
	spec.unit = s.unit[SAVED];
	spec.cmdline = cmdlines[SAVED];
	memset(&r, 0, sizeof(r));
	vm_restore(w.host, &spec, result_cb, &r);
	assert_result(&r);
	assert_true(guest_pings(30 + SAVED, PATIENCE_S));
	assert_int_equal(w.died, 0);
	assert_int_equal(kill(pids[FROZEN], SIGKILL), 0);
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));

	for (unsigned i = 0; i < COUNT; i++) {
		memset(&r, 0, sizeof(r));
		vm_stop(w.host, &uuids[i], VM_STOP_DESTROY, 0, result_cb, &r);
		assert_true(spin(&w, &r.done, PATIENCE_MS));
		if (r.err != (i == FROZEN || i == HUNG ? ERR_MISSING : ERR_OK))
			fail_msg("number %u: %s", i, r.text);
	}
	/* Nothing is left in it. */
	assert_int_equal(sh_status("rmdir %s/owners", w.conf.state_dir), 0);
	/* It was ours: it has gone, and was waited for. */
	assert_int_equal(kill(late, 0), -1);
	late = 0;
	assert_int_equal(count_dirs(&w), 1);     /* lost+found is not ours */
	assert_int_equal(count_taps(), 0);
	assert_int_equal(kill(stranger, 0), 0);
	assert_int_equal(kill(twin, 0), 0);
	assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
	assert_int_equal(waitpid(twin, NULL, WNOHANG), 0);
	assert_int_equal(kill(stranger, SIGKILL) | kill(twin, SIGKILL), 0);
	assert_int_equal(waitpid(stranger, NULL, 0), stranger);
	assert_int_equal(waitpid(twin, NULL, 0), twin);
	stranger = twin = 0;
	world_close(&w);
	world_open(&w);
	assert_int_equal(count_cgroups(), 0);
	world_close(&w);
}

/* What a failed test left running. */
static void
end_others(void)
{
	const pid_t pids[] = { stranger, twin, late };

	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		if (pids[i] > 0 && kill(pids[i], SIGKILL) == 0)
			(void)waitpid(pids[i], NULL, 0);   /* reaped already, perhaps */
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_adopt) };

	return world_main(&w, tests, end_others);
}
