/* check_test: whole configurations on disk, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/load/check.h"
#include "tests/unit/base/files.h"

struct bench {
	char dir[64], conf[128];
	struct report report;
	struct check_counts counts;
};

static const char conf_text[] =
    "state = \"state\"\n"
    "network \"lan\" {\n"
    "    bridge  = \"jitsu0\"\n"
    "    subnets = { \"10.254.77.0/24\" }\n"
    "    gateway = { \"10.254.77.1\" }\n"
    "    units   = { \"10.254.77.10-10.254.77.250\" }\n"
    "}\n"
    "zone \"example.test\" { file = \"example.zone\" }\n"
    "zone \"other.test\" { file = \"other.zone\" }\n"
    "image \"hello\" {\n"
    "    driver  = \"qemu\"\n"
    "    kernel  = \"hello.elf\"\n"
    "    memory  = \"16M\"\n"
    "    network = \"lan\"\n"
    "    ready   = \"tcp:80\"\n"
    "}\n";

static const char example_text[] =
    "$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster 1 1h 15m 1w 30\n NS ns\nns A 10.254.77.2\n"
    "www A 10.254.77.10\n_jitsu.www TXT \"image=hello\" \"idle=2m\"\n"
    "blog A 10.254.77.10\n_jitsu.blog TXT \"unit=www\"\n";

static const char other_text[] =
    "$ORIGIN other.test.\n$TTL 60\n@ SOA ns hostmaster 1 1h 15m 1w 30\n NS ns\nns A 10.254.77.2\n"
    "mail A 10.254.77.11\n_jitsu.mail TXT \"image=hello\"\n";

static void
put(const struct bench *b, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	file_put(path, text);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/check_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->conf, sizeof(b->conf), "%s/jitsu.conf", b->dir);
	put(b, "jitsu.conf", conf_text);
	put(b, "example.zone", example_text);
	put(b, "other.zone", other_text);
	put(b, "hello.elf", "\177ELF");
	report_init(&b->report);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	char cmd[128];

	report_clear(&b->report);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

static enum err
check(struct bench *b)
{
	report_clear(&b->report);
	return check_run(b->conf, &b->report, &b->counts);
}

static void
found(const struct bench *b, const char *file, unsigned line, const char *part)
{
	char all[4096] = "", row[512];
	size_t used = 0;

	for (size_t i = 0; i < b->report.nlines; i++) {
		const struct report_line *l = &b->report.lines[i];

		if (l->file != NULL && strstr(l->file, file) != NULL && l->line == line &&
		    strstr(l->text, part) != NULL)
			return;
		report_format(&b->report, i, row, sizeof(row));
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s\n", row);
	}
	fail_msg("no finding %s:%u with \"%s\" in:\n%s", file, line, part, all);
}

static void
test_good(void **state)
{
	struct bench *b = *state;
	char path[128];

	if (check(b) != ERR_OK)
		fail_msg("%s", b->report.nlines > 0 ? b->report.lines[0].text : "no finding");
	assert_int_equal(b->report.nerrors, 0);
	assert_int_equal(b->counts.zones, 2);
	assert_int_equal(b->counts.units, 2);
	assert_int_equal(b->counts.images, 1);
	assert_int_equal(b->counts.networks, 1);
	assert_int_equal(check_run(b->conf, &b->report, &b->counts), ERR_OK);

	/* With a state directory that has no secret yet: a check makes none. */
	snprintf(path, sizeof(path), "%s/state", b->dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(check(b), ERR_OK);
	assert_int_equal(rmdir(path), 0);
}

static void
test_configuration(void **state)
{
	struct bench *b = *state;

	put(b, "jitsu.conf", "port = 0\nlisten = { \"300.0.0.1\" }\n");
	assert_int_equal(check(b), ERR_PARSE);
	found(b, "jitsu.conf", 2, "300.0.0.1");
	assert_int_equal(unlink(b->conf), 0);
	assert_int_not_equal(check(b), ERR_OK);
	found(b, "jitsu.conf", 0, "No such file");
}

static void
test_files(void **state)
{
	struct bench *b = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/hello.elf", b->dir);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/other.zone", b->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(b), ERR_PARSE);
	found(b, "jitsu.conf", 12, "hello.elf");
	found(b, "other.zone", 0, "No such file");
	assert_int_equal(b->report.nerrors, 2);   /* the other zone is well, and says nothing */
}

static void
test_zones(void **state)
{
	struct bench *b = *state;
	char text[1024];

	snprintf(text, sizeof(text), "%sbad A 10.1\n", other_text);
	put(b, "other.zone", text);
	snprintf(text, sizeof(text),
	    "%sx A 10.254.77.12\n_jitsu.x TXT \"image=hallo\"\n", example_text);
	put(b, "example.zone", text);
	assert_int_equal(check(b), ERR_PARSE);
	found(b, "other.zone", 8, "10.1");
	found(b, "example.zone", 11, "hallo");
}

/* What only shows when all zones are seen together. */
static void
test_across_zones(void **state)
{
	struct bench *b = *state;
	char text[1024];

	snprintf(text, sizeof(text),
	    "%sx A 10.254.77.10\n_jitsu.x TXT \"image=hello\"\n", other_text);
	put(b, "other.zone", text);
	assert_int_equal(check(b), ERR_PARSE);
	found(b, "other.zone", 9, "10.254.77.10");
}

static void
test_host_address(void **state)
{
	struct bench *b = *state;

	/* Every host has 127.0.0.1. */
	put(b, "jitsu.conf",
	    "network \"lo\" {\n bridge = \"b0\"\n subnets = { \"127.0.0.0/24\" }\n "
	    "gateway = { \"127.0.0.254\" }\n units = { \"127.0.0.1-127.0.0.9\" }\n}\n"
	    "zone \"example.test\" { file = \"example.zone\" }\n"
	    "image \"hello\" {\n driver = \"qemu\"\n kernel = \"hello.elf\"\n memory = \"16M\"\n "
	    "network = \"lo\"\n ready = \"arp\"\n}\n");
	put(b, "example.zone",
	    "$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster 1 1h 15m 1w 30\n NS ns\n"
	    "ns A 10.254.77.2\n"
	    "www A 127.0.0.1\n_jitsu.www TXT \"image=hello\"\n");
	assert_int_equal(check(b), ERR_PARSE);
	found(b, "example.zone", 7, "127.0.0.1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_across_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_address, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
