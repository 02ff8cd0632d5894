/*
 * host_test: the whole life of real VMs: start, console, freeze, save, stop, and every way to end
 * that was not ordered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"

/* A deadline that no test waits for. */
#define LATER_MS (10 * PATIENCE_MS * world_slow())

static struct world w;

static struct result
wait_for(struct result *r)
{
	if (!spin(&w, &r->done, PATIENCE_MS))
		fail_msg("no result");
	return *r;
}

static struct result
start(struct vm_spec *spec)
{
	static struct result r;

	memset(&r, 0, sizeof(r));
	vm_start(w.host, spec, result_cb, &r);
	assert_false(r.done);
	return wait_for(&r);
}

static struct result
stop(const struct vm_uuid *uuid, enum vm_stop_how how, unsigned ms)
{
	static struct result r;

	memset(&r, 0, sizeof(r));
	vm_stop(w.host, uuid, how, ms, result_cb, &r);
	return wait_for(&r);
}

static struct result
simple(enum vm_op op, const struct vm_uuid *uuid)
{
	static struct result r;

	memset(&r, 0, sizeof(r));
	vm_do(w.host, uuid, op, result_cb, &r);
	return wait_for(&r);
}

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
	w.conf.qemu = NULL;
	world_close(&w);
	return 0;
}

static void
assert_nothing_left(void)
{
	assert_int_equal(count_dirs(&w), 0);
	assert_int_equal(count_taps(), 0);
	assert_int_equal(count_cgroups(), 0);
}

static void
assert_ok(const struct result *r)
{
	if (r->err != ERR_OK)
		fail_msg("%s", r->text);
}

static bool
proc_has(pid_t pid, const char *file, const char *text)
{
	return sh_status("grep -q -- '%s' /proc/%d/%s", text, (int)pid, file) == 0;
}

/* The guest answers pings before it prints its line. */
static bool
console_has(const struct vm_uuid *uuid, const char *text)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS * world_slow();
	struct result r;

	do {
		r = simple(VM_CONSOLE, uuid);
		if (r.err != ERR_OK || strstr(r.detail, text) != NULL)
			break;
		spin_ms(&w, 10);
	} while (clock_now_ms() < end);
	assert_ok(&r);
	return strstr(r.detail, text) != NULL;
}

/* Whether a QEMU has a CPU in the kernel's KVM. */
static bool
in_kvm(pid_t pid)
{
	return sh_status("ls -l /proc/%d/fd | grep -q 'anon_inode:kvm-vcpu'", (int)pid) == 0;
}

static void
test_start_stop(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;
	uint64_t before = clock_now_ns();
	pid_t pid;

	(void)state;
	world_spec(&w, &spec, 10, cmdline);
	spec.cpu_percent = 150;
	spec.cpu_weight = 50;
	r = start(&spec);
	assert_ok(&r);
	assert_string_equal(r.detail, world_accel());
	assert_true(r.exec_ns > before && r.exec_ns < clock_now_ns());
	pid = pid_of(&w, &spec.uuid);
	assert_true(pid > 0);
	assert_true(proc_has(pid, "status", "^Uid:.65534.65534.65534.65534"));
	assert_true(proc_has(pid, "status", "^Gid:.65534.65534.65534.65534"));
	if (strcmp(world_accel(), "kvm") != 0)
		assert_true(proc_has(pid, "status", "^Groups:. *$"));
	assert_true(proc_has(pid, "status", "^NoNewPrivs:.1"));
	assert_true(proc_has(pid, "oom_score_adj", "^500$"));
	assert_true(guest_pings(10, PATIENCE_S));
	if (strcmp(world_accel(), "kvm") == 0)
		assert_true(in_kvm(pid));
	assert_true(proc_has(pid, "status", "^Seccomp:.2"));
	/* A second start of the same UUID is refused, and harms nothing. */
	r = start(&spec);
	assert_int_equal(r.err, ERR_EXISTS);
	assert_true(guest_pings(10, PATIENCE_S));
	assert_true(console_has(&spec.uuid, "test10"));
	/* Reading does not consume. */
	r = simple(VM_CONSOLE, &spec.uuid);
	assert_non_null(strstr(r.detail, "test10"));
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_true(r.usec_cpu > 0);
	assert_int_not_equal(kill(pid, 0), 0);
	assert_nothing_left();
	assert_int_equal(w.died, 0);
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_int_equal(r.err, ERR_MISSING);
}

static void
test_cgroup_limits(void **state)
{
	struct vm_spec spec;
	char cmdline[128], uuid[VM_UUID_TEXT];
	unsigned mib = 16 + 96;     /* the guest's, and QEMU's own */
	struct result r;

	(void)state;
	if (strcmp(world_accel(), "kvm") != 0)
		mib += 64;          /* what it translates */
	world_spec(&w, &spec, 11, cmdline);
	spec.cpu_percent = 50;
	r = start(&spec);
	assert_ok(&r);
	vm_uuid_text(&spec.uuid, uuid);
	if (count_cgroups() == 0)
		print_message("no writable cgroup here: %s\n", w.log_text);
	else if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		assert_int_equal(sh_status("cd $(find /sys/fs/cgroup -type d -name %s) && test "
		    "$(cat memory.max) = $((%u * 1048576))", uuid, mib), 0);
		assert_int_equal(sh_status("cd $(find /sys/fs/cgroup -type d -name %s) && grep -q "
		    "'^50000 100000$' cpu.max && grep -q '^%d$' cgroup.procs",
		    uuid, (int)pid_of(&w, &spec.uuid)), 0);
	} else if (access("/sys/fs/cgroup/memory", F_OK) == 0) {
		assert_int_equal(sh_status("grep -q $((%u * 1048576)) /sys/fs/cgroup/memory/$(sed "
		    "-n 's/.*memory:.//p' /proc/self/cgroup)/jitsu-vm/%s/memory.limit_in_bytes",
		    mib, uuid), 0);
		assert_int_equal(sh_status("grep -q 50000 /sys/fs/cgroup/cpu/$(sed -n "
		    "'s/.*:cpu:.//p' /proc/self/cgroup)/jitsu-vm/%s/cpu.cfs_quota_us", uuid), 0);
		assert_int_equal(sh_status("grep -q %d /sys/fs/cgroup/memory/$(sed -n "
		    "'s/.*memory:.//p' /proc/self/cgroup)/jitsu-vm/%s/tasks",
		    (int)pid_of(&w, &spec.uuid), uuid), 0);
	}
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_nothing_left();
}

static void
test_freeze(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;
	uint64_t t0;

	(void)state;
	world_spec(&w, &spec, 12, cmdline);
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(12, PATIENCE_S));
	r = simple(VM_FREEZE, &spec.uuid);
	assert_ok(&r);
	assert_false(guest_pings(12, 1));
	spin_ms(&w, 100);
	assert_int_equal(w.died, 0);
	t0 = clock_now_ns();
	r = simple(VM_THAW, &spec.uuid);
	print_message("thaw: %.2f ms\n", (double)(clock_now_ns() - t0) / 1e6);
	assert_ok(&r);
	assert_true(guest_pings(12, PATIENCE_S));
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_nothing_left();
}

static void
test_save_restore(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;
	uint64_t t0;

	(void)state;
	for (int frozen = 0; frozen < 2; frozen++) {
		world_spec(&w, &spec, 13, cmdline);
		r = start(&spec);
		assert_ok(&r);
		assert_true(guest_pings(13, PATIENCE_S));
		if (frozen) {
			r = simple(VM_FREEZE, &spec.uuid);
			assert_ok(&r);
		}
		t0 = clock_now_ns();
		r = simple(VM_SAVE, &spec.uuid);
		assert_ok(&r);
		print_message("save%s: %.1f ms\n", frozen ? " of a frozen VM" : "",
		    (double)(clock_now_ns() - t0) / 1e6);
		assert_nothing_left();
		r = simple(VM_FREEZE, &spec.uuid);
		assert_int_equal(r.err, ERR_STATE);
		r = start(&spec);
		assert_int_equal(r.err, ERR_EXISTS);
		memset(&r, 0, sizeof(r));
		t0 = clock_now_ns();
		vm_restore(w.host, &spec, result_cb, &r);
		r = wait_for(&r);
		assert_ok(&r);
		print_message("restore: %.1f ms\n", (double)(clock_now_ns() - t0) / 1e6);
		assert_true(guest_pings(13, PATIENCE_S));
		assert_int_equal(sh_status("test -z \"$(ls %s/saved)\"", w.state_dir), 0);
		r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
		assert_ok(&r);
		assert_int_equal(w.died, 0);
	}
}

static void
test_restore_refused(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;

	(void)state;
	world_spec(&w, &spec, 14, cmdline);
	memset(&r, 0, sizeof(r));
	vm_restore(w.host, &spec, result_cb, &r);
	r = wait_for(&r);
	assert_int_equal(r.err, ERR_MISSING);
	/* Another shape: useless, removed. */
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(14, PATIENCE_S));
	r = simple(VM_SAVE, &spec.uuid);
	assert_ok(&r);
	spec.memory_bytes = 32 << 20;
	memset(&r, 0, sizeof(r));
	vm_restore(w.host, &spec, result_cb, &r);
	r = wait_for(&r);
	assert_int_equal(r.err, ERR_STATE);
	assert_int_equal(sh_status("test -z \"$(ls %s/saved)\"", w.state_dir), 0);
	/* A damaged file: QEMU refuses it, with its words. */
	spec.memory_bytes = 16 << 20;
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(14, PATIENCE_S));
	r = simple(VM_SAVE, &spec.uuid);
	assert_ok(&r);
	sh("f=$(ls %s/saved/*.state) && head -c 1000 $f >$f.cut && mv $f.cut $f", w.state_dir);
	memset(&r, 0, sizeof(r));
	vm_restore(w.host, &spec, result_cb, &r);
	r = wait_for(&r);
	assert_int_not_equal(r.err, ERR_OK);
	print_message("damaged: %s | %s\n", r.text, r.console);
	assert_int_equal(sh_status("test -z \"$(ls %s/saved)\"", w.state_dir), 0);
	/* Saved, then not wanted any more. */
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(14, PATIENCE_S));
	r = simple(VM_SAVE, &spec.uuid);
	assert_ok(&r);
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_int_equal(sh_status("test -z \"$(ls %s/saved)\"", w.state_dir), 0);
	assert_nothing_left();
}

static void
restore(struct vm_spec *spec, struct result *r)
{
	memset(r, 0, sizeof(*r));
	vm_restore(w.host, spec, result_cb, r);
	*r = wait_for(r);
}

/* Without what a cold boot needs as well, nothing is tried, and nothing is lost. */
static void
test_restore_not_tried(void **state)
{
	struct vm_spec spec;
	char cmdline[128], bridge[IFNAMSIZ];
	struct result r;

	(void)state;
	world_spec(&w, &spec, 17, cmdline);
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(17, 10));
	r = simple(VM_SAVE, &spec.uuid);
	assert_ok(&r);
	sh("mv %s %s.gone", w.kernel, w.kernel);
	restore(&spec, &r);
	sh("mv %s.gone %s", w.kernel, w.kernel);
	assert_int_not_equal(r.err, ERR_OK);
	assert_true(r.saved);
	memcpy(bridge, spec.nics[0].bridge, sizeof(bridge));
	snprintf(spec.nics[0].bridge, sizeof(spec.nics[0].bridge), "nosuchbridge");
	restore(&spec, &r);
	memcpy(spec.nics[0].bridge, bridge, sizeof(bridge));
	assert_int_not_equal(r.err, ERR_OK);
	assert_true(r.saved);
	/* QEMU itself cannot be executed. */
	sh("command -v qemu-system-x86_64 >%s/qemu && mount --bind /dev/null $(cat %s/qemu)", w.dir,
	    w.dir);
	restore(&spec, &r);
	sh("umount $(cat %s/qemu)", w.dir);
	assert_int_not_equal(r.err, ERR_OK);
	print_message("not tried: %s\n", r.text);
	assert_true(r.saved);
	restore(&spec, &r);
	assert_ok(&r);
	assert_false(r.saved);
	assert_true(guest_pings(17, 3));
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_nothing_left();
}

/* ---- hypervisors that hang ---- */

#define HUNG 12   /* more than were needed once to keep all others waiting */

static unsigned ended;

static void
count_cb(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	(void)uuid;
	ended++;
	result_cb(uuid, res, arg);
}

/* Many QEMUs stop to answer at once: another VM is thawed before the first of them is given up. */
static void
test_hung_keep_nobody_waiting(void **state)
{
	static struct result r[HUNG + 1];
	struct vm_spec spec[HUNG + 1];
	char cmdlines[HUNG + 1][128];

	(void)state;
	for (unsigned i = 0; i <= HUNG; i++) {
		world_spec(&w, &spec[i], 60 + i, cmdlines[i]);
		assert_int_equal(start(&spec[i]).err, ERR_OK);
		/* QEMUs that boot side by side on a slow host do not answer in time. */
		assert_true(guest_pings(60 + i, PATIENCE_S));
	}
	for (unsigned i = 0; i <= HUNG; i++)
		assert_int_equal(simple(VM_FREEZE, &spec[i].uuid).err, ERR_OK);
	for (unsigned i = 0; i < HUNG; i++)
		assert_int_equal(kill(pid_of(&w, &spec[i].uuid), SIGSTOP), 0);
	memset(r, 0, sizeof(r));
	ended = 0;
	for (unsigned i = 0; i <= HUNG; i++)
		vm_do(w.host, &spec[i].uuid, VM_THAW, count_cb, &r[i]);
	assert_true(spin(&w, &r[HUNG].done, PATIENCE_MS));
	assert_int_equal(r[HUNG].err, ERR_OK);
	assert_int_equal(ended, 1);
	assert_true(spin_count(&w, &ended, HUNG + 1, PATIENCE_MS));
	for (unsigned i = 0; i < HUNG; i++)
		assert_int_equal(r[i].err, ERR_TIMEOUT);
	/* Known by now, they have threads of their own, and can be ended. */
	for (unsigned i = 0; i <= HUNG; i++)
		assert_int_equal(stop(&spec[i].uuid, VM_STOP_DESTROY, 0).err, ERR_OK);
	assert_int_equal(w.died, 0);
}

/*
 * One that hangs while nobody wants anything of it is noticed when it is asked; one that lives is
 * left alone.
 */
static void
test_hang_is_noticed(void **state)
{
	struct vm_spec well, bad;
	char cmdlines[2][128];
	pid_t pid;

	(void)state;
	vm_host_limits(w.host, 2, 500);
	world_spec(&w, &well, 80, cmdlines[0]);
	world_spec(&w, &bad, 81, cmdlines[1]);
	assert_int_equal(start(&well).err, ERR_OK);
	assert_int_equal(start(&bad).err, ERR_OK);
	assert_true(guest_pings(80, PATIENCE_S));
	assert_true(guest_pings(81, PATIENCE_S));
	pid = pid_of(&w, &bad.uuid);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	vm_check(w.host, &well.uuid);
	vm_check(w.host, &bad.uuid);
	vm_check(w.host, &bad.uuid);   /* once is enough */
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));
	assert_non_null(strstr(w.died_text, "QEMU hangs"));
	assert_int_equal(kill(pid, 0), -1);
	spin_ms(&w, 1000);
	assert_int_equal(w.died, 1);
	assert_true(guest_pings(80, PATIENCE_S));
	assert_int_equal(stop(&bad.uuid, VM_STOP_DESTROY, 0).err, ERR_MISSING);
	assert_int_equal(stop(&well.uuid, VM_STOP_DESTROY, 0).err, ERR_OK);
}

static void
test_killed(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;

	(void)state;
	world_spec(&w, &spec, 15, cmdline);
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(15, PATIENCE_S));
	assert_true(console_has(&spec.uuid, "test15"));
	assert_int_equal(kill(pid_of(&w, &spec.uuid), SIGKILL), 0);
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));
	assert_non_null(strstr(w.died_text, "signal 9"));
	assert_non_null(strstr(w.died_console, "test15"));
	assert_nothing_left();
	r = simple(VM_FREEZE, &spec.uuid);
	assert_int_equal(r.err, ERR_MISSING);
}

static void
test_guest_crash(void **state)
{
	struct vm_spec spec;
	char cmdline[128], crash[160];
	struct result r;

	(void)state;
	world_spec(&w, &spec, 16, cmdline);
	snprintf(crash, sizeof(crash), "%s crash=100", cmdline);
	spec.cmdline = crash;
	r = start(&spec);
	assert_ok(&r);
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));
	print_message("crash: %s\n", w.died_text);
	assert_non_null(strstr(w.died_text, "guest"));
	assert_non_null(strstr(w.died_console, "dying"));
	assert_nothing_left();
}

static void
test_failures(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	const char *args[] = { "-no-such-option" };
	struct result r;

	(void)state;
	world_spec(&w, &spec, 17, cmdline);
	spec.kernel = "/nonexistent/kernel";
	r = start(&spec);
	assert_int_equal(r.err, ERR_MISSING);
	assert_non_null(strstr(r.text, "/nonexistent/kernel"));
	world_spec(&w, &spec, 17, cmdline);
	sh("chmod 600 %s", w.kernel);
	r = start(&spec);
	sh("chmod 644 %s", w.kernel);
	assert_int_equal(r.err, ERR_PERM);
	assert_non_null(strstr(r.text, "65534"));
	snprintf(spec.nics[0].bridge, sizeof(spec.nics[0].bridge), "nobridge");
	r = start(&spec);
	assert_int_equal(r.err, ERR_MISSING);
	assert_non_null(strstr(r.text, "nobridge"));
	snprintf(spec.nics[0].bridge, sizeof(spec.nics[0].bridge), "lo");
	r = start(&spec);
	assert_int_not_equal(r.err, ERR_OK);
	spec.driver = "vbox";
	r = start(&spec);
	assert_int_equal(r.err, ERR_UNSUPPORTED);
	assert_nothing_left();
	/* QEMU itself refuses: the start worked, and the end has QEMU's words. */
	world_spec(&w, &spec, 17, cmdline);
	spec.args = args;
	spec.nargs = 1;
	r = start(&spec);
	assert_ok(&r);
	assert_true(spin_count(&w, &w.died, 1, PATIENCE_MS));
	assert_non_null(strstr(w.died_text, "status 1"));
	assert_non_null(strstr(w.died_text, "no-such-option"));
	assert_nothing_left();
}

static void
test_bad_qemu(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;
	struct errmsg m;
	unsigned caps;

	(void)state;
	world_spec(&w, &spec, 18, cmdline);
	assert_int_equal(vm_driver_caps(w.host, "qemu", &caps, &m), ERR_OK);
	assert_int_equal(caps, VM_CAN_FREEZE | VM_CAN_SAVE | VM_CAN_SHUTDOWN | VM_CAN_CONSOLE |
	    VM_CAN_CHECK | VM_CAN_AHEAD);
	spec.vcpus = 0;
	r = start(&spec);
	assert_int_equal(r.err, ERR_RANGE);
	world_close(&w);
	w.conf.qemu = "/nonexistent/qemu";
	world_open(&w);
	assert_int_equal(vm_driver_caps(w.host, "qemu", &caps, &m), ERR_UNSUPPORTED);
	assert_non_null(strstr(m.text, "/nonexistent/qemu"));
	r = start(&spec);
	assert_int_equal(r.err, ERR_UNSUPPORTED);
	world_close(&w);
	/* Executable, and no program. */
	sh("printf 'nonsense' >%s/qemu && chmod 755 %s/qemu", w.dir, w.dir);
	char path[100];
	snprintf(path, sizeof(path), "%s/qemu", w.dir);
	w.conf.qemu = path;
	world_open(&w);
	world_spec(&w, &spec, 18, cmdline);
	r = start(&spec);
	assert_int_equal(r.err, ERR_IO);
	assert_non_null(strstr(r.text, "cannot be executed"));
	assert_nothing_left();
	world_close(&w);
	w.conf.qemu = NULL;
	world_open(&w);
}

static void
test_shutdown(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	const char *args[] = { "-S" };
	struct result r, r2;
	uint64_t t0;

	(void)state;
	/* No power button: at once. */
	world_spec(&w, &spec, 19, cmdline);
	r = start(&spec);
	assert_ok(&r);
	assert_true(guest_pings(19, PATIENCE_S));
	r = stop(&spec.uuid, VM_STOP_SHUTDOWN, LATER_MS);
	assert_ok(&r);
	assert_true(spin_count(&w, &w.logs, 1, PATIENCE_MS));
	assert_non_null(strstr(w.log_text, "power button"));
	/* A machine with one, and a guest that does not listen: the deadline. */
	spec.machine = VM_MACHINE_Q35;
	spec.args = args;
	spec.nargs = 1;
	r = start(&spec);
	assert_ok(&r);
	t0 = clock_now_ms();
	r = stop(&spec.uuid, VM_STOP_SHUTDOWN, 700);
	assert_ok(&r);
	assert_true(clock_now_ms() - t0 >= 700);
	assert_nothing_left();
	/* Destroying does not wait for a shutdown that was ordered before. */
	r = start(&spec);
	assert_ok(&r);
	memset(&r, 0, sizeof(r));
	memset(&r2, 0, sizeof(r2));
	vm_stop(w.host, &spec.uuid, VM_STOP_SHUTDOWN, LATER_MS, result_cb, &r);
	vm_stop(w.host, &spec.uuid, VM_STOP_DESTROY, 0, result_cb, &r2);
	assert_true(spin(&w, &r2.done, PATIENCE_MS));
	assert_true(r.done);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(r2.err, ERR_MISSING);
	assert_int_equal(w.died, 0);
	assert_nothing_left();
}

static void
test_order(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r[4];

	(void)state;
	/* Everything at once: in the order of the calls. */
	world_spec(&w, &spec, 20, cmdline);
	memset(r, 0, sizeof(r));
	vm_start(w.host, &spec, result_cb, &r[0]);
	vm_do(w.host, &spec.uuid, VM_FREEZE, result_cb, &r[1]);
	vm_do(w.host, &spec.uuid, VM_THAW, result_cb, &r[2]);
	vm_stop(w.host, &spec.uuid, VM_STOP_DESTROY, 0, result_cb, &r[3]);
	assert_true(spin(&w, &r[3].done, PATIENCE_MS));
	for (int i = 0; i < 4; i++)
		assert_ok(&r[i]);
	/*
	 * And the end of the host in the middle of it leaves the VM running; the next host finds
	 * it.
	 */
	memset(r, 0, sizeof(r));
	vm_start(w.host, &spec, result_cb, &r[0]);
	for (uint64_t end = clock_now_ms() + PATIENCE_MS; count_dirs(&w) == 0 &&
	    clock_now_ms() < end;)
		spin_ms(&w, 1);
	world_close(&w);
	world_open(&w);
	assert_int_equal(count_dirs(&w), 1);
}

struct found {
	unsigned n;
	bool done;
	struct vm_uuid uuid;
};

static void
found_cb(const struct vm_found *f, void *arg)
{
	struct found *found = arg;

	if (f == NULL) {
		found->done = true;
		return;
	}
	found->n++;
	found->uuid = f->uuid;
}

static void
test_order_adopt(void **state)
{
	struct found f = { 0 };
	struct result r;

	(void)state;
	vm_adopt(w.host, found_cb, &f);
	assert_true(spin(&w, &f.done, PATIENCE_MS));
	assert_int_equal(f.n, 1);
	r = stop(&f.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	assert_nothing_left();
}

static void
test_disks_and_nics(void **state)
{
	struct vm_spec spec;
	char cmdline[128], raw[100], over[100];
	const char *args[] = { "-S" };     /* the devices count, not the guest */
	struct result r;

	(void)state;
	snprintf(raw, sizeof(raw), "%s/disk,1.raw", w.dir);
	snprintf(over, sizeof(over), "%s/over.qcow2", w.dir);
	sh("truncate -s 1M '%s' && chmod 644 '%s'", raw, raw);
	for (int machine = VM_MACHINE_MICROVM; machine <= VM_MACHINE_Q35; machine++) {
		world_spec(&w, &spec, 21, cmdline);
		spec.machine = (enum vm_machine)machine;
		spec.args = args;
		spec.nargs = 1;
		spec.nnics = 2;
		spec.nics[1] = spec.nics[0];
		spec.nics[1].mac[4] = 8;
		spec.ndisks = 2;
		spec.disks[0] = (struct vm_disk){ .path = raw, .readonly = true };
		spec.disks[1] = (struct vm_disk){ .path = raw, .overlay = over };
		r = start(&spec);
		assert_ok(&r);
		spin_ms(&w, 1000);
		if (w.died > 0)
			fail_msg("machine %d: %s: %s", machine, w.died_text, w.died_console);
		r = simple(VM_CONSOLE, &spec.uuid);
		assert_ok(&r);
		assert_int_equal(count_taps(), 2);
		r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
		assert_ok(&r);
		assert_nothing_left();
	}
	assert_int_equal(sh_status("test $(stat -c %%u %s) = 65534", over), 0);
	/* What it lies on was changed. */
	sh("echo more >>'%s'", raw);
	vm_uuid_make(&spec.uuid);
	r = start(&spec);
	assert_int_equal(r.err, ERR_STATE);
	assert_non_null(strstr(r.text, "does not fit its disk any more"));
	assert_nothing_left();
	/* A directory in which the VMs' user may not look. */
	spec.disks[0].path = "/root/none";
	r = start(&spec);
	assert_int_equal(r.err, ERR_PERM);
}

static void
test_accel(void **state)
{
	struct vm_spec spec;
	char cmdline[128];
	struct result r;

	(void)state;
	world_spec(&w, &spec, 22, cmdline);
	spec.accel = VM_ACCEL_AUTO;
	r = start(&spec);
	assert_ok(&r);
	print_message("auto took %s: %s\n", r.detail, w.log_text);
	/* Whether KVM works here is known where it was asked for. */
	if (strcmp(world_accel(), "kvm") == 0)
		assert_string_equal(r.detail, "kvm");
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	/* A node that nobody but root may open. */
	sh("rm -f %s/kvm && mknod -m 600 %s/kvm c 10 232 && { test -e /dev/kvm || touch /dev/kvm; "
	    "} && mount --bind %s/kvm /dev/kvm", w.dir, w.dir, w.dir);
	world_close(&w);
	world_open(&w);
	spec.accel = VM_ACCEL_KVM;
	r = start(&spec);
	assert_int_equal(r.err, ERR_UNSUPPORTED);
	assert_non_null(strstr(r.text, "uid 65534"));
	spec.accel = VM_ACCEL_AUTO;
	r = start(&spec);
	assert_ok(&r);
	assert_string_equal(r.detail, "tcg");
	assert_true(spin_count(&w, &w.logs, 1, PATIENCE_MS));
	assert_non_null(strstr(w.log_text, "takes tcg"));
	r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
	assert_ok(&r);
	/* A group may. */
	sh("chgrp 4242 /dev/kvm && chmod 660 /dev/kvm");
	world_close(&w);
	world_open(&w);
	spec.accel = VM_ACCEL_KVM;
	r = start(&spec);
	if (r.err == ERR_UNSUPPORTED && strcmp(world_accel(), "kvm") != 0) {
		print_message("no KVM here: %s\n", r.text);
	} else {
		assert_ok(&r);
		assert_string_equal(r.detail, "kvm");
		assert_true(proc_has(pid_of(&w, &spec.uuid), "status", "^Groups:.4242"));
		bool answers = false;

		for (int i = 0; i < PATIENCE_S && !answers && w.died == 0; i++) {
			answers = guest_pings(22, 1);
			spin_ms(&w, 1);
		}
		if (!answers && strcmp(world_accel(), "kvm") != 0) {
			/* What `auto` would have refused: the end is noticed. */
			assert_int_equal(w.died, 1);
			assert_non_null(strstr(w.died_text, "internal error"));
			print_message("KVM here does not run the image: %.100s\n", w.died_console);
		} else {
			r = stop(&spec.uuid, VM_STOP_DESTROY, 0);
			assert_ok(&r);
		}
	}
	sh("umount /dev/kvm");
	assert_nothing_left();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cgroup_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freeze, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_not_tried, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hung_keep_nobody_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guest_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_qemu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_adopt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disks_and_nics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accel, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
