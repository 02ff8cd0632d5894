/*
 * ahead_test: processes that are started ahead become VMs, whole ones; those that do not fit, or
 * have ended, are in nobody's way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/vm/host_fixture.h"

static struct world w;

static int
setup(void **state)
{
	(void)state;
	world_open(&w);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (w.host != NULL)
		world_close(&w);
	return 0;
}

static void
assert_ok(struct result *r)
{
	if (!spin(&w, &r->done, PATIENCE_MS))
		fail_msg("no result");
	if (r->err != ERR_OK)
		fail_msg("%s", r->text);
}

static void
start(struct vm_spec *spec)
{
	struct result r = { 0 };

	vm_start(w.host, spec, result_cb, &r);
	assert_ok(&r);
}

static void
restore(struct vm_spec *spec)
{
	struct result r = { 0 };

	vm_restore(w.host, spec, result_cb, &r);
	assert_ok(&r);
}

static void
operate(enum vm_op op, const struct vm_uuid *uuid)
{
	struct result r = { 0 };

	vm_do(w.host, uuid, op, result_cb, &r);
	assert_ok(&r);
}

static void
stop(const struct vm_uuid *uuid)
{
	struct result r = { 0 };

	vm_stop(w.host, uuid, VM_STOP_DESTROY, 0, result_cb, &r);
	assert_ok(&r);
}

/* Wants what `n` specifications say, and waits until it is there. */
static struct vm_ahead
want(enum vm_ahead_kind what, const struct vm_spec *specs, unsigned n, unsigned there)
{
	struct vm_wish *list = mem_zero(n + 1, sizeof(*list));
	uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow();
	struct vm_ahead see;

	for (unsigned i = 0; i < n; i++)
		list[i] = (struct vm_wish){ .what = what, .spec = specs[i] };
	vm_ahead_want(w.host, list, n);
	do {
		spin_ms(&w, 20);
		vm_ahead_see(w.host, NULL, &see);
	} while (see.n[what] != there && clock_now_ms() < end);
	assert_int_equal(see.n[what], there);
	return see;
}

/* The process that waits; 0: there is none, or more than one. */
static pid_t
waiting_pid(void)
{
	char command[300];
	int pid = 0, n = 0;
	FILE *f;

	snprintf(command, sizeof(command),
	    "for d in %s/vm/*/waits; do test -e $d && cat ${d%%waits}pid; done", w.run_dir);
	f = popen(command, "r");
	assert_non_null(f);
	for (int p; fscanf(f, "%d %*u", &p) == 1; n++)
		pid = p;
	pclose(f);
	return n == 1 ? pid : 0;
}

/* What is not wanted is ended soon. */
static void
assert_nothing_left(void)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow();
	struct vm_ahead see;

	want(VM_AHEAD_UNIT, NULL, 0, 0);
	while (count_dirs(&w) > 0 && clock_now_ms() < end)
		spin_ms(&w, 20);
	vm_ahead_see(w.host, NULL, &see);
	assert_int_equal(see.n[VM_AHEAD_RESTORE] + see.n[VM_AHEAD_BOOT], 0);
	assert_int_equal(see.bytes, 0);
	assert_int_equal(count_dirs(&w), 0);
	assert_int_equal(count_taps(), 0);
}

static bool
has_ended(pid_t pid)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow();

	while (kill(pid, 0) == 0 && clock_now_ms() < end)
		spin_ms(&w, 20);
	return kill(pid, 0) != 0;
}

/* The name of the process's cgroup: the UUID under which it was started. */
static void
group_of(pid_t pid, char text[VM_UUID_TEXT])
{
	char command[120];
	FILE *f;

	snprintf(command, sizeof(command),
	    "tr '\\0' '\\n' </proc/%d/cmdline | grep -x -A1 -e -uuid | tail -1", (int)pid);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%36s", text), 1);
	pclose(f);
}

/* What the bridge knows of the guest's MAC. */
static bool
bridge_has(unsigned host_number)
{
	return sh_status("bridge fdb show br %s | grep -q '^02:00:00:00:09:%02x .*static'", BRIDGE,
	    host_number) == 0;
}

/* A VM that was started ahead is a VM like any other, and dormant it costs nobody anything. */
static void
test_unit(void **state)
{
	struct vm_spec spec, other;
	char cmdline[128], more[128];
	struct vm_ahead see;
	struct vm_ids ids;
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 10, cmdline);
	world_spec(&w, &other, 11, more);
	other.unit = "other.example.test";
	see = want(VM_AHEAD_UNIT, &spec, 1, 1);
	assert_true(see.bytes > 1 << 20 && see.bytes < 200 << 20);
	vm_ahead_see(w.host, other.unit, &see);
	assert_int_equal(see.n[VM_AHEAD_UNIT], 0);
	pid = waiting_pid();
	assert_true(pid > 0);
	assert_false(bridge_has(10));
	assert_int_equal(sh_status("ip -o link show master %s | grep -q .", BRIDGE), 1);
	/* Another unit's boot leaves it alone. */
	start(&other);
	assert_int_equal(waiting_pid(), pid);
	vm_uuid_make(&spec.uuid);
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(10, PATIENCE_S));
	assert_true(bridge_has(10));
	ids = vm_ids_get(w.host, &spec.uuid);
	assert_int_equal(ids.pid, pid);
	assert_int_equal(sh_status("ip link show %s | grep -q %s", ids.nics[0], BRIDGE), 0);
	assert_true(vm_memory_now(w.host, &spec.uuid) > 1 << 20);
	/* The wake took it off the list: nothing is made for a unit that is awake. */
	spin_ms(&w, 500);
	vm_ahead_see(w.host, NULL, &see);
	assert_int_equal(see.n[VM_AHEAD_UNIT], 0);
	operate(VM_FREEZE, &spec.uuid);
	operate(VM_THAW, &spec.uuid);
	operate(VM_SAVE, &spec.uuid);
	restore(&spec);
	assert_true(guest_pings(10, PATIENCE_S));
	stop(&spec.uuid);
	stop(&other.uuid);
	assert_int_equal(w.died, 0);
	assert_nothing_left();
}

/* A kernel that was replaced, settings that changed: the unit boots what it would without. */
static void
test_stale(void **state)
{
	struct vm_spec spec;
	char cmdline[128], kernel[128];
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 12, cmdline);
	snprintf(kernel, sizeof(kernel), "%s/copy.elf", w.dir);
	sh("cp %s %s && chmod 644 %s", w.kernel, kernel, kernel);
	spec.kernel = kernel;
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	sh("cp %s %s.new && chmod 644 %s.new && mv %s.new %s", w.kernel, kernel, kernel, kernel,
	    kernel);
	start(&spec);
	assert_true(guest_pings(12, PATIENCE_S));
	assert_int_not_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(has_ended(pid));
	stop(&spec.uuid);
	/* Other settings are another wish, which ends the former. */
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	spec.memory_bytes = 32 << 20;
	start(&spec);
	assert_int_not_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(has_ended(pid));
	stop(&spec.uuid);
	assert_nothing_left();
}

/* Any unit boots from a process that has read nothing yet, on either machine. */
static void
test_boot(void **state)
{
	struct vm_spec spec;
	char cmdline[128], disk[128];
	struct vm_ids ids;
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 13, cmdline);
	want(VM_AHEAD_BOOT, &spec, 1, 1);
	pid = waiting_pid();
	assert_true(pid > 0);
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(13, PATIENCE_S));
	assert_true(bridge_has(13));
	ids = vm_ids_get(w.host, &spec.uuid);
	assert_int_equal(sh_status("ip link show %s | grep -q %s", ids.nics[0], BRIDGE), 0);
	/* What it is does not stand on its command line; it is saved and restored all the same. */
	operate(VM_SAVE, &spec.uuid);
	restore(&spec);
	assert_true(guest_pings(13, PATIENCE_S));
	stop(&spec.uuid);
	/* There is another one soon.  A q35 with two NICs and a disk. */
	snprintf(disk, sizeof(disk), "%s/a,b.raw", w.dir);
	sh("truncate -s 1M %s && chown %d %s", disk, VM_USER, disk);
	spec.machine = VM_MACHINE_Q35;
	spec.memory_bytes = 32 << 20;
	spec.nnics = 2;
	spec.nics[1] = spec.nics[0];
	spec.nics[1].mac[0] = 6;
	spec.ndisks = 1;
	spec.disks[0] = (struct vm_disk){ .path = disk };
	want(VM_AHEAD_BOOT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_int_equal(count_taps(), 2);
	spin_ms(&w, 300);
	operate(VM_FREEZE, &spec.uuid);     /* it runs */
	assert_int_equal(sh_status("ls -l /proc/%d/fd | grep -q 'a,b.raw'", (int)pid), 0);
	stop(&spec.uuid);
	/* What a configuration file cannot say boots as ever. */
	spec.machine = VM_MACHINE_MICROVM;
	spec.ndisks = 0;
	spec.nnics = 1;
	spec.cmdline = "name=\"quoted\" ip=10.99.0.14/24 gw=10.99.0.1";
	want(VM_AHEAD_BOOT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_not_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(14, PATIENCE_S));
	stop(&spec.uuid);
	assert_int_equal(w.died, 0);
	assert_nothing_left();
}

/* One machine serves whichever of two saved units comes, which keep their MACs. */
static void
test_restore(void **state)
{
	struct vm_spec specs[2];
	char cmdlines[2][128];
	struct result r = { 0 };
	pid_t pid;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		world_spec(&w, &specs[i], 15 + i, cmdlines[i]);
		specs[i].unit = i == 0 ? "a.example.test" : "b.example.test";
		start(&specs[i]);
		assert_true(guest_pings(15 + i, PATIENCE_S));
		operate(VM_SAVE, &specs[i].uuid);
	}
	want(VM_AHEAD_RESTORE, &specs[0], 1, 1);
	for (unsigned i = 2; i-- > 0;) {
		pid = waiting_pid();
		assert_true(pid > 0);
		restore(&specs[i]);
		assert_int_equal(pid_of(&w, &specs[i].uuid), pid);
		sh("ip neigh flush dev %s", BRIDGE);
		assert_true(guest_pings(15 + i, PATIENCE_S));
		assert_int_equal(sh_status("ip neigh show 10.99.0.%u | grep -q 02:00:00:00:09:%02x",
		    15 + i, 15 + i), 0);
		assert_true(bridge_has(15 + i));
		assert_int_equal(sh_status("ls %s/saved/* 2>/dev/null | grep -q .",
		    w.state_dir) == 0, i == 1);
		/* The next is made by itself. */
		want(VM_AHEAD_RESTORE, &specs[0], 1, 1);
	}
	/* And saved again, and restored into a process of its own. */
	operate(VM_SAVE, &specs[1].uuid);
	want(VM_AHEAD_RESTORE, NULL, 0, 0);
	restore(&specs[1]);
	assert_true(guest_pings(16, PATIENCE_S));
	/* A state that is damaged does no harm; the machine is lost. */
	operate(VM_SAVE, &specs[1].uuid);
	sh("for f in %s/saved/*.state; do head -c 3000 /dev/urandom >$f; done", w.state_dir);
	want(VM_AHEAD_RESTORE, &specs[0], 1, 1);
	vm_restore(w.host, &specs[1], result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	assert_int_not_equal(r.err, ERR_OK);
	assert_false(r.saved);
	stop(&specs[0].uuid);
	assert_nothing_left();
	assert_int_equal(w.died, 0);
}

/* One that ends is made again, a wake in between boots cold; what is missing is said. */
static void
test_trouble(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow();
	pid_t pid, next;

	(void)state;
	world_spec(&w, &spec, 17, cmdline);
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	assert_int_equal(kill(pid, SIGKILL), 0);
	do {
		spin_ms(&w, 50);
		next = waiting_pid();
	} while ((next == 0 || next == pid) && clock_now_ms() < end);
	assert_true(next > 0 && next != pid);
	assert_non_null(strstr(w.log_text, "no QEMU can be started ahead"));
	/* One that hangs is given up, and so is its unit's wait for it. */
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	next = waiting_pid();
	assert_int_equal(kill(next, SIGSTOP), 0);
	start(&spec);
	assert_int_not_equal(pid_of(&w, &spec.uuid), next);
	assert_true(guest_pings(17, PATIENCE_S));
	assert_true(has_ended(next));
	stop(&spec.uuid);
	/* Its directory was removed: it is no use, and in nobody's way. */
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	next = waiting_pid();
	sh("rm -r %s/vm/*", w.run_dir);
	start(&spec);
	assert_true(guest_pings(17, PATIENCE_S));
	assert_true(has_ended(next));
	stop(&spec.uuid);
	/* A file that is missing is said once, and mended by itself. */
	spec.kernel = "/nonexistent/kernel";
	w.log_text[0] = '\0';
	want(VM_AHEAD_UNIT, &spec, 1, 0);
	for (end = clock_now_ms() + PATIENCE_MS * world_slow(); clock_now_ms() < end &&
	    w.log_text[0] == '\0';)
		spin_ms(&w, 20);
	assert_non_null(strstr(w.log_text, "/nonexistent/kernel does not exist"));
	assert_nothing_left();
}

/* A kernel below a directory that is closed to the VMs' user: a descriptor leads to it. */
static void
test_hidden(void **state)
{
	struct vm_spec spec;
	char cmdline[128], kernel[128];
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 19, cmdline);
	snprintf(kernel, sizeof(kernel), "%s/hidden/hello.elf", w.dir);
	sh("mkdir -m 700 %s/hidden && cp %s %s && chmod 644 %s", w.dir, w.kernel, kernel, kernel);
	spec.kernel = kernel;
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	operate(VM_SAVE, &spec.uuid);
	restore(&spec);
	operate(VM_SAVE, &spec.uuid);
	want(VM_AHEAD_RESTORE, &spec, 1, 1);
	pid = waiting_pid();
	restore(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(19, PATIENCE_S));
	stop(&spec.uuid);
	/* A configuration cannot lead there. */
	want(VM_AHEAD_BOOT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_not_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(19, PATIENCE_S));
	stop(&spec.uuid);
	assert_nothing_left();
}

/* Its disks are open while it waits, and in nobody's way when it is of no use. */
static void
test_disks(void **state)
{
	struct vm_wish *list = mem_zero(1, sizeof(*list));
	struct vm_spec spec;
	char cmdline[128], disk[128];
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 20, cmdline);
	snprintf(disk, sizeof(disk), "%s/own.raw", w.dir);
	sh("truncate -s 1M %s && chown %d %s", disk, VM_USER, disk);
	spec.ndisks = 1;
	spec.disks[0] = (struct vm_disk){ .path = disk };
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(20, PATIENCE_S));
	stop(&spec.uuid);
	/* Another disk under the same name. */
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	sh("cp -p %s %s.new && mv %s.new %s", disk, disk, disk, disk);
	start(&spec);
	assert_int_not_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(has_ended(pid));
	stop(&spec.uuid);
	/* A wake while one that nobody wants any more is ended. */
	for (unsigned i = 0; i < 3; i++) {
		want(VM_AHEAD_UNIT, &spec, 1, 1);
		vm_ahead_want(w.host, mem_zero(1, sizeof(*list)), 0);
		usleep(i * 500);
		start(&spec);
		assert_true(guest_pings(20, PATIENCE_S));
		stop(&spec.uuid);
	}
	/* A wake while it is made. */
	*list = (struct vm_wish){ .what = VM_AHEAD_UNIT, .spec = spec };
	vm_ahead_want(w.host, list, 1);
	for (uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow(); waiting_pid() == 0;
	    spin_ms(&w, 1))
		assert_true(clock_now_ms() < end);
	start(&spec);
	assert_true(guest_pings(20, PATIENCE_S));
	stop(&spec.uuid);
	/* Other settings: two processes would want to write to the disk. */
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	spec.memory_bytes = 32 << 20;
	start(&spec);
	assert_true(guest_pings(20, PATIENCE_S));
	stop(&spec.uuid);
	assert_int_equal(w.died, 0);
	assert_nothing_left();
}

/* Two of one kind: one that has died is not used, and a VM has its own quota, or none. */
static void
test_two(void **state)
{
	struct vm_spec specs[2];
	char cmdlines[2][128], group[VM_UUID_TEXT], command[200];
	int pids[2];
	FILE *f;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		world_spec(&w, &specs[i], 23 + i, cmdlines[i]);
		specs[i].cpu_percent = 50;
	}
	want(VM_AHEAD_BOOT, specs, 2, 2);
	snprintf(command, sizeof(command), "cat %s/vm/*/pid | cut -d' ' -f1", w.run_dir);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d %d", &pids[0], &pids[1]), 2);
	pclose(f);
	assert_int_equal(kill(pids[0], SIGKILL), 0);
	assert_int_equal(sh_status("for i in $(seq 1000); do grep -q '^State:.[RSDT]' "
	    "/proc/%d/status 2>/dev/null || exit 0; sleep 0.01; done; exit 1", pids[0]), 0);
	specs[0].cpu_percent = 0;
	start(&specs[0]);
	assert_int_equal(pid_of(&w, &specs[0].uuid), pids[1]);
	assert_true(guest_pings(23, PATIENCE_S));
	group_of(pids[1], group);
	assert_int_equal(sh_status("for d in $(find /sys/fs/cgroup -type d -name %s); do cat "
	    "$d/cpu.max $d/cpu.cfs_quota_us 2>/dev/null; done | grep -q '^50000'", group), 1);
	stop(&specs[0].uuid);
	assert_nothing_left();
}

/* While its unit waits for its turn: what is there stays, and nothing is made. */
static void
test_keep(void **state)
{
	struct vm_wish *list = mem_zero(1, sizeof(*list));
	struct vm_ahead see;
	struct vm_spec spec;
	char cmdline[128];
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 22, cmdline);
	*list = (struct vm_wish){ .what = VM_AHEAD_UNIT, .spec = spec, .keep = true };
	vm_ahead_want(w.host, list, 1);
	spin_ms(&w, 500);     /* in which nothing may be made */
	vm_ahead_see(w.host, NULL, &see);
	assert_int_equal(see.n[VM_AHEAD_UNIT], 0);
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	list = mem_zero(1, sizeof(*list));
	*list = (struct vm_wish){ .what = VM_AHEAD_UNIT, .spec = spec, .keep = true };
	vm_ahead_want(w.host, list, 1);
	spin_ms(&w, 500);
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	stop(&spec.uuid);
	assert_nothing_left();
}

struct seen {
	struct vm_uuid uuid;
	enum vm_found_state state;
	unsigned n;
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
	s->uuid = f->uuid;
	s->state = f->state;
	s->n++;
}

/* The next daemon adopts a VM that was another process's name before, with its directory or not. */
static void
test_adopt(void **state)
{
	struct vm_spec spec;
	char cmdline[128], group[VM_UUID_TEXT];
	struct vm_ids ids;
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 21, cmdline);
	want(VM_AHEAD_BOOT, &spec, 1, 1);
	pid = waiting_pid();
	start(&spec);
	assert_int_equal(pid_of(&w, &spec.uuid), pid);
	assert_true(guest_pings(21, PATIENCE_S));
	for (unsigned i = 0; i < 4; i++) {
		struct seen s = { .n = 0 };

		world_close(&w);
		if (i == 1)
			sh("rm -r %s/vm/*", w.run_dir);
		if (i == 2)
			sh("rm %s/vm/*/born %s/vm/*/pid", w.run_dir, w.run_dir);
		world_open(&w);
		vm_adopt(w.host, found_cb, &s);
		assert_true(spin(&w, &s.done, PATIENCE_MS));
		assert_int_equal(s.n, 1);
		assert_int_equal(s.state, VM_FOUND_RUNNING);
		assert_memory_equal(&s.uuid, &spec.uuid, sizeof(s.uuid));
		ids = vm_ids_get(w.host, &spec.uuid);
		assert_int_equal(ids.pid, pid);
		assert_int_equal(sh_status("ip link show %s | grep -q %s", ids.nics[0], BRIDGE), 0);
		assert_int_equal(sh_status("cd %s/vm/* && test -s born && test -s pid", w.run_dir),
		    0);
		if (i > 0)
			continue;
		operate(VM_SAVE, &spec.uuid);
		restore(&spec);
		pid = pid_of(&w, &spec.uuid);
		operate(VM_SAVE, &spec.uuid);
		want(VM_AHEAD_RESTORE, &spec, 1, 1);
		pid = waiting_pid();
		restore(&spec);
		assert_int_equal(pid_of(&w, &spec.uuid), pid);
	}
	assert_true(guest_pings(21, PATIENCE_S));
	group_of(pid, group);
	stop(&spec.uuid);
	assert_true(has_ended(pid));
	assert_int_equal(sh_status("test -n '%s' && find /sys/fs/cgroup -type d -name '%s' | "
	    "grep -q .", group, group), 1);
	assert_nothing_left();
}

/* The end of the host is theirs. */
static void
test_end(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 18, cmdline);
	want(VM_AHEAD_UNIT, &spec, 1, 1);
	pid = waiting_pid();
	world_close(&w);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(count_dirs(&w), 0);
	assert_int_equal(count_taps(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
