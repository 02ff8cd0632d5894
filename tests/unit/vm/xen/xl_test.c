/* xl_test: what an xl.cfg file says, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/vm.h"

#ifdef JITSU_XEN

static enum err
read_text(const char *text, struct vm_xl *xl, struct errmsg *m)
{
	char path[] = "/tmp/jitsu-xl.XXXXXX";
	int fd = mkstemp(path);
	enum err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	m->text[0] = '\0';
	e = vm_xl_read(path, xl, m);
	unlink(path);
	return e;
}

static void
what_builds_write_is_read(void **state)
{
	static const struct {
		const char *text;
		struct vm_xl want;
	} cases[] = {
		/* as MirageOS writes them */
		{ "name = 'www'\nkernel = '/x/www.xen'\ntype = \"pvh\"\nmemory = 32\non_crash = "
		    "'preserve'\nvif = [ 'bridge=br0' ]\n",
		    { VM_TYPE_PVH, 32u << 20, 1, true, true } },
		{ "kernel='/k'\nbuilder = 'linux'\nmemory=16\nmaxmem=64\nvcpus=2\n"
		    "root='/dev/xvda'\nextra='quiet'\ndisk=['/dev/vg/a,raw,xvda,rw']\n"
		    "vif=['mac=00:16:3e:00:00:01, bridge=br0,model=e1000,rate=10Mb/s','']\n",
		    { VM_TYPE_PV, 64u << 20, 2, true, true } },
		{ "builder='hvm'\nmemory=128\nboot='c'\ndisk=['/a.qcow2,qcow2,hda,w']\n",
		    { VM_TYPE_HVM, 128u << 20, 1, false, true } },
		{ "pvh = 1\nkernel = 'hello.elf'\n", { VM_TYPE_PVH, 0, 1, true, true } },
		{ "memory = 8\n", { VM_TYPE_PV, 8u << 20, 1, false, false } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errmsg m;
		struct vm_xl xl;

		if (read_text(cases[i].text, &xl, &m) != ERR_OK)
			fail_msg("%zu: %s", i, m.text);
		assert_int_equal(xl.type, cases[i].want.type);
		assert_int_equal(xl.memory_bytes, cases[i].want.memory_bytes);
		assert_int_equal(xl.vcpus, cases[i].want.vcpus);
		assert_int_equal(xl.has_kernel, cases[i].want.has_kernel);
		assert_int_equal(xl.boots, cases[i].want.boots);
	}
}

static void
a_bad_file_is_refused_with_its_text(void **state)
{
	static const struct {
		const char *text, *says;
		enum err err;
	} cases[] = {
		{ "kernel = \"/k\n", ":1: ", ERR_PARSE },
		{ "a = 1\nmemory = bla\n", ":2: ", ERR_PARSE },
		{ "memory = 'bla'\n", ":1: memory = \"bla\"", ERR_PARSE },
		{ "memory = 0\n", "a number from 1 to", ERR_PARSE },
		{ "memory = [ 16 ]\n", "one value, not a list", ERR_PARSE },
		{ "kernel = [ '/k' ]\n", "one value, not a list", ERR_PARSE },
		{ "name = 'memory = 1 # \\' memory = 2'\n# memory = 3\nvif = [ '',\n "
		    "'mac=00:16:3e:00:00:01' ]\nmemory = 4; memory = 0x0\n", ":5: memory = \"0x0\"",
		    ERR_PARSE },
		{ "\nhap = 'maybe'\n", ":2: hap = \"maybe\": 0 or 1", ERR_PARSE },
		{ "type = 'xen'\n", "pv, pvh or hvm", ERR_PARSE },
		{ "vif = [ 'brdge=br0' ]\n", "brdge", ERR_PARSE },
		{ "vif = [ 'bridge' ]\n", "KEY=VALUE", ERR_PARSE },
		{ "vif = [ 'mac=00:16:3e:00:00' ]\n", "six octets", ERR_PARSE },
		{ "vif = 'bridge=br0'\n", "a list", ERR_PARSE },
		{ "disk = [ 'phy:/x,hda:xx,zz' ]\n", "disk specification", ERR_PARSE },
		{ "memory = 1\npci = [ '01:00.0' ]\n", ":2: pci", ERR_UNSUPPORTED },
	};
	struct errmsg m;
	struct vm_xl xl;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_text(cases[i].text, &xl, &m), cases[i].err);
		if (strstr(m.text, cases[i].says) == NULL || strchr(m.text, '\\') != NULL)
			fail_msg("\"%s\" does not say \"%s\" on one line", m.text, cases[i].says);
	}
	assert_int_equal(vm_xl_read("/nonexistent/a.xl", &xl, &m), ERR_PARSE);
	assert_non_null(strstr(m.text, "/nonexistent/a.xl"));
}

static void
of_keys_that_do_nothing_the_operator_hears(void **state)
{
	static const char text[] = "name = 'a'\nmemory = 8 # vnc = 1\ncpus = \"1-3\"\nextra = "
	    "'serial = 1\\' tsc_mode = 0'\npci = []\n"
				   "vif = [ 'bridge=br0',\n  '' ]; memmory = 0x10\nlocaltime=1";
	static const char *const says[] = { ":3: warning: cpus: ", ":7: warning: memmory: ",
	    ":8: warning: localtime: " };
	char path[] = "/tmp/jitsu-xl.XXXXXX", line[512];
	int fd = mkstemp(path);
	struct report r;
	struct errmsg m;
	struct vm_xl xl;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
	report_init(&r);
	assert_int_equal(vm_xl_read(path, &xl, &m), ERR_OK);
	vm_xl_check(path, &r);
	assert_int_equal(r.nerrors, 0);
	assert_int_equal(r.nlines, sizeof(says) / sizeof(says[0]));
	for (size_t i = 0; i < r.nlines; i++) {
		report_format(&r, i, line, sizeof(line));
		assert_non_null(strstr(line, path));
		if (strstr(line, says[i]) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", line, says[i]);
	}
	report_clear(&r);
	unlink(path);
}

#else

static void
there_is_no_xen(void **state)
{
	struct errmsg m;
	struct vm_xl xl;

	(void)state;
	assert_int_equal(vm_xl_read("/etc/hostname", &xl, &m), ERR_UNSUPPORTED);
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef JITSU_XEN
		cmocka_unit_test(what_builds_write_is_read),
		cmocka_unit_test(a_bad_file_is_refused_with_its_text),
		cmocka_unit_test(of_keys_that_do_nothing_the_operator_hears),
#else
		cmocka_unit_test(there_is_no_xen),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
