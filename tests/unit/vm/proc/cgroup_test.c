/* cgroup_test: both versions, on made-up trees of files; host_test does it on the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/base/files.h"
#include "vm/proc/cgroup.h"

static char root[64], self[80], mounts[80];

static void __attribute__((format(printf, 2, 3)))
file(const char *text, const char *fmt, ...)
{
	char path[256] = "", *slash;
	size_t n = (size_t)snprintf(path, sizeof(path), "%s/", root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	for (slash = strchr(path + n, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	file_put(path, text);
}

static void
assert_file(const char *name, const char *want)
{
	char path[256], text[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("no file %s", path);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, want);
}

/* A path below the test's directory; the result of the call before is overwritten. */
static const char *
under(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* Appends a mount of the hierarchy's part `part` to the table: on `at`, whose device it has. */
static void
add_mount(const char *at, const char *part, const char *type, const char *options)
{
	FILE *f = fopen(mounts, "a");
	struct stat st;

	assert_non_null(f);
	assert_int_equal(stat(under(at), &st), 0);
	assert_true(fprintf(f, "31 23 %u:%u %s ", major(st.st_dev), minor(st.st_dev), part) > 0);
	for (const char *p = under(at); *p != '\0'; p++)
		assert_true(fprintf(f, *p == ' ' ? "\\040" : "%c", *p) > 0);
	assert_true(fprintf(f, " rw,relatime shared:9 - %s none %s\n", type, options) > 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/cgroup_test.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(self, sizeof(self), "%s/self", root);
	snprintf(mounts, sizeof(mounts), "%s/mounts", root);
	return 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
test_v2(void **state)
{
	struct cgroup_limits lim = { .memory_bytes = 123456789, .cpu_percent = 150,
	    .cpu_weight = 40 };
	struct cgroup_host h;
	struct cgroup_entry en;
	struct errmsg m;
	char why[400], text[2 * PATH_MAX], line[256];

	(void)state;
	file_put(self, "0::/system.slice/jitsud.service\n");
	(void)mkdir(under("cg"), 0755);
	add_mount("cg", "/", "cgroup2", "rw");
	file("cpu io memory pids\n", "cg/system.slice/jitsud.service/cgroup.controllers");
	file("", "cg/system.slice/jitsud.service/cgroup.subtree_control");
	file("", "cg/system.slice/jitsud.service/vm/cgroup.subtree_control");
	file("", "cg/system.slice/jitsud.service/vm/cpu.weight");
	cgroup_open(&h, self, mounts, why, sizeof(why));
	assert_string_equal(why, "");
	assert_true(h.v2);
	assert_int_equal(h.nparts, 1);
	assert_file("cg/system.slice/jitsud.service/cgroup.subtree_control", "+memory +cpu");
	assert_file("cg/system.slice/jitsud.service/vm/cgroup.subtree_control", "+memory +cpu");
	cgroup_describe(&h, "UUID", text, sizeof(text));
	snprintf(line, sizeof(line), "%s/cg/system.slice/jitsud.service/vm/UUID\n", root);
	assert_string_equal(text, line);
	/* The kernel makes these. */
	file("", "cg/system.slice/jitsud.service/vm/UUID/memory.max");
	file("", "cg/system.slice/jitsud.service/vm/UUID/cpu.max");
	file("", "cg/system.slice/jitsud.service/vm/UUID/cpu.weight");
	assert_int_equal(cgroup_make(&h, "UUID", &lim, &en, &m), ERR_OK);
	assert_true(en.v2_fd >= 0);
	assert_int_equal(en.ntasks, 0);
	cgroup_entry_close(&en);
	assert_file("cg/system.slice/jitsud.service/vm/UUID/memory.max", "123456789");
	assert_file("cg/system.slice/jitsud.service/vm/UUID/cpu.max", "150000 100000");
	assert_file("cg/system.slice/jitsud.service/vm/UUID/cpu.weight", "40");
	/* Limits can be set once more; a group that is gone is no error. */
	file("", "cg/system.slice/jitsud.service/vm/UUID/memory.max");
	assert_int_equal(cgroup_limit(&h, "UUID", &lim, &m), ERR_OK);
	assert_int_equal(cgroup_limit(&h, "GONE", &lim, &m), ERR_OK);
	assert_file("cg/system.slice/jitsud.service/vm/UUID/memory.max", "123456789");
	/* A second daemon in the leaf finds the same place. */
	file_put(self, "0::/system.slice/jitsud.service/daemon\n");
	file("", "cg/system.slice/jitsud.service/daemon/cgroup.procs");
	cgroup_open(&h, self, mounts, why, sizeof(why));
	assert_string_equal(why, "");
	cgroup_describe(&h, "UUID", text, sizeof(text));
	assert_string_equal(text, line);
	/* Limits that cannot be set are an error, and nothing is left of what was made. */
	assert_int_equal(cgroup_make(&h, "OTHER", &lim, &en, &m), ERR_IO);
	assert_non_null(strstr(m.text, "memory.max"));
	snprintf(text, sizeof(text), "%s/cg/system.slice/jitsud.service/vm/OTHER", root);
	assert_int_not_equal(access(text, F_OK), 0);
}

static void
test_v1(void **state)
{
	struct cgroup_limits lim = { .memory_bytes = 4096, .cpu_percent = 25, .cpu_weight = 1 };
	struct cgroup_host h;
	struct cgroup_entry en;
	struct errmsg m;
	char why[400], text[2 * PATH_MAX], line[512];

	(void)state;
	file_put(self, "4:memory:/a/b\n1:cpuacct,cpu:/\n0::/\n");
	(void)mkdir(under("mem"), 0755);
	(void)mkdir(under("cpu"), 0755);
	add_mount("mem", "/", "cgroup", "rw,memory");
	add_mount("cpu", "/", "cgroup", "rw,cpuacct,cpu");
	file("", "mem/a/b/jitsu-vm/U/memory.limit_in_bytes");
	file("", "mem/a/b/jitsu-vm/U/tasks");
	file("", "cpu/jitsu-vm/cpu.shares");
	file("", "cpu/jitsu-vm/U/cpu.shares");
	file("", "cpu/jitsu-vm/U/cpu.cfs_quota_us");
	file("", "cpu/jitsu-vm/U/tasks");
	cgroup_open(&h, self, mounts, why, sizeof(why));
	assert_string_equal(why, "");
	assert_false(h.v2);
	assert_int_equal(h.nparts, 2);
	snprintf(line, sizeof(line), "%ld", 1024 * sysconf(_SC_NPROCESSORS_ONLN));
	assert_file("cpu/jitsu-vm/cpu.shares", line);
	assert_int_equal(cgroup_make(&h, "U", &lim, &en, &m), ERR_OK);
	assert_int_equal(en.v2_fd, -1);
	assert_int_equal(en.ntasks, 2);
	cgroup_entry_close(&en);
	assert_file("mem/a/b/jitsu-vm/U/memory.limit_in_bytes", "4096");
	assert_file("cpu/jitsu-vm/U/cpu.cfs_quota_us", "25000");
	assert_file("cpu/jitsu-vm/U/cpu.shares", "10");
	/* Removing what is gone is no error; what cannot go is. */
	cgroup_describe(&h, "gone", text, sizeof(text));
	assert_int_equal(cgroup_remove(text, &m), ERR_OK);
	cgroup_describe(&h, "U", text, sizeof(text));
	assert_int_not_equal(cgroup_remove(text, &m), ERR_OK);
	assert_int_equal(cgroup_remove("", &m), ERR_OK);
}

static void
test_none(void **state)
{
	struct cgroup_host h;
	struct cgroup_entry en;
	struct cgroup_limits lim = { 1, 1, 1 };
	struct errmsg m;
	char why[400], text[100];

	(void)state;
	file_put(self, "0::/\n");
	file_put(mounts, "22 28 0:20 / /proc rw - proc proc rw\n");
	cgroup_open(&h, self, mounts, why, sizeof(why));
	assert_int_equal(h.nparts, 0);
	assert_string_not_equal(why, "");
	cgroup_describe(&h, "U", text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(cgroup_make(&h, "U", &lim, &en, &m), ERR_OK);
	assert_int_equal(en.v2_fd, -1);
	cgroup_open(&h, "/nonexistent", "/nonexistent", why, sizeof(why));
	assert_int_equal(h.nparts, 0);
}

/* cgroup_find must give `want`, below the test's directory; NULL: nothing. */
static void
expect_found(const char *controller, const char *want)
{
	char dir[PATH_MAX] = "";

	assert_int_equal(cgroup_find(self, mounts, controller, dir, sizeof(dir)), want != NULL);
	assert_string_equal(dir, want != NULL ? under(want) : "");
}

/* The hierarchy is mounted for others, too: which of its mounts is taken. */
static void
test_many_mounts(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	file_put(self, "3:memory:/a\n0::/system.slice/jitsud.service\n");
	file("", "jail/sys/fs/cgroup/other/x");
	file("", "cg/system.slice/jitsud.service/x");
	file("", "longer/system.slice/jitsud.service/x");
	/* Another part of it, another device, what is gone, a file, and lines that are none. */
	file_put(mounts, "31 23 0:1 / /nonexistent rw - cgroup2 none rw\n31 23\n\n- cgroup2\n"
	    "31 23 0:1 / / rw - cgroup2\n31 23 x / / rw - cgroup2 none rw\n");
	expect_found("", NULL);
	add_mount("jail/sys/fs/cgroup", "/machine.slice", "cgroup2", "rw");
	expect_found("", "jail/sys/fs/cgroup");
	add_mount("cg/system.slice/jitsud.service/x", "/", "cgroup2", "rw");
	expect_found("", "jail/sys/fs/cgroup");
	/* Our group is in it: that counts more than the place in the table. */
	add_mount("longer", "/", "cgroup2", "rw");
	expect_found("", "longer/system.slice/jitsud.service");
	add_mount("cg", "/", "cgroup2", "rw");
	expect_found("", "cg/system.slice/jitsud.service");
	/* One that is hidden by another is not reached. */
	snprintf(dir, sizeof(dir), "31 23 0:1 / %s rw - cgroup2 none rw\n", root);
	file_put(mounts, dir);
	expect_found("", NULL);
	/* A part that we are in, at a path with a space; a controller among others. */
	file("", "a b/jitsud.service/x");
	add_mount("a b", "/system.slice", "cgroup2", "rw");
	expect_found("", "a b/jitsud.service");
	add_mount("cg", "/", "cgroup", "rw,cpuset,memory");
	expect_found("memory", "cg");   /* /a is not there: the top must do */
	file("", "cg/a/x");
	expect_found("memory", "cg/a");
	expect_found("mem", NULL);
}

static bool
find_real(const char *controller, char *dir)
{
	return cgroup_find("/proc/self/cgroup", "/proc/self/mountinfo", controller, dir, PATH_MAX);
}

/* In a mount namespace: the usual place is gone, comes last in the table, and is hidden. */
static void
really_moved(const char *controller)
{
	char before[PATH_MAX], after[PATH_MAX];

	if (!find_real(controller, before) || strncmp(before, "/sys/fs/cgroup", 14) != 0)
		_exit(77);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("/sys/fs/cgroup", root, NULL, MS_BIND | MS_REC, NULL) != 0)
		_exit(77);
	if (umount2("/sys/fs/cgroup", MNT_DETACH) != 0 || !find_real(controller, after) ||
	    strncmp(after, root, strlen(root)) != 0)
		_exit(1);
	if (mount(root, "/sys/fs/cgroup", NULL, MS_BIND | MS_REC, NULL) != 0 ||
	    !find_real(controller, after) || strcmp(before, after) != 0)
		_exit(2);
	if (mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) != 0 ||
	    !find_real(controller, after) || strncmp(after, root, strlen(root)) != 0)
		_exit(3);
	if (umount2(root, MNT_DETACH) != 0)
		_exit(4);
	/* Others' mounts may be left, but neither of these two. */
	if (find_real(controller, after) && strcmp(before, after) == 0)
		_exit(5);
	_exit(0);
}

static void
test_real_mounts(void **state)
{
	static const char *const controllers[] = { "", "memory" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			really_moved(controllers[i]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			print_message("no mounts of \"%s\" for us\n", controllers[i]);
		else
			assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* In a child: enters the group, says so, and ends two seconds later. */
static void
stay_busy(const char *procs, int ready)
{
	FILE *f = fopen(procs, "w");

	if (f == NULL || fputs("0", f) < 0 || fclose(f) != 0 || write(ready, "", 1) != 1)
		_exit(1);
	sleep(2);
	_exit(0);
}

/*
 * A group of the kernel's that is busy for longer than a moment.  Here a live process is why: what
 * counts of a dead one, and how long, depends on the kernel.
 */
static void
test_busy(void **state)
{
	char dir[PATH_MAX], group[PATH_MAX + 32], procs[PATH_MAX + 64], byte;
	int ready[2], status;
	struct errmsg m;
	pid_t pid;

	(void)state;
	if (!find_real("memory", dir) && !find_real("", dir))
		skip();
	snprintf(group, sizeof(group), "%s/cgroup_test.%d", dir, (int)getpid());
	if (mkdir(group, 0755) != 0)
		skip();
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		stay_busy(procs, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(cgroup_remove(group, &m), ERR_OK);
	assert_int_not_equal(access(group, F_OK), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_v2, setup,
	    teardown),
		cmocka_unit_test_setup_teardown(test_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real_mounts, setup, teardown),
		cmocka_unit_test(test_busy) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
