/* cgroup_test: both versions, on made-up trees of files; host_test does it on the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm/cgroup.h"

static char root[64], self[80], mounts[80];

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

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
	write_file(path, text);
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
	struct cgroup_limits lim = { .memory_bytes = 123456789, .cpu_percent = 150, .cpu_weight = 40 };
	struct cgroup_host h;
	struct cgroup_entry en;
	struct errmsg m;
	char why[400], text[2 * PATH_MAX], line[256];

	(void)state;
	write_file(self, "0::/system.slice/jitsud.service\n");
	snprintf(line, sizeof(line), "cgroup2 %s/cg cgroup2 rw 0 0\n", root);
	write_file(mounts, line);
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
	write_file(self, "0::/system.slice/jitsud.service/daemon\n");
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
	write_file(self, "4:memory:/a/b\n1:cpuacct,cpu:/\n0::/\n");
	snprintf(line, sizeof(line), "none %s/mem cgroup rw,memory 0 0\nnone %s/cpu cgroup rw,cpuacct,cpu 0 0\n", root, root);
	write_file(mounts, line);
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
	write_file(self, "0::/\n");
	write_file(mounts, "proc /proc proc rw 0 0\n");
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

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_v2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v1, setup, teardown), cmocka_unit_test_setup_teardown(test_none, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
