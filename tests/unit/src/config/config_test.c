/* config_test: jitsu.conf, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/config.h"

#define NET                                                            \
	"network \"lan\" { bridge = b0\n subnets = { \"10.0.0.0/24\" }\n" \
	" units = { \"10.0.0.10-10.0.0.20\" } }\n"

static struct config *
load(const char *text)
{
	struct config *conf;
	struct report r;
	char line[2048];

	report_init(&r);
	if (config_load_text("/c/jitsu.conf", NULL, text, strlen(text), &conf, &r) != ERR_OK) {
		report_format(&r, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	assert_int_equal(r.nerrors, 0);
	report_clear(&r);
	return conf;
}

/* The findings of a text, one per line; the caller frees. */
static char *
findings(const char *text)
{
	struct config *conf;
	struct report r;
	char *out = NULL, line[2048];
	size_t len;
	FILE *f = open_memstream(&out, &len);

	report_init(&r);
	if (config_load_text("/c/jitsu.conf", NULL, text, strlen(text), &conf, &r) != ERR_PARSE)
		fail_msg("this is accepted:\n%s", text);
	assert_null(conf);
	for (size_t i = 0; i < r.nlines; i++) {
		report_format(&r, i, line, sizeof(line));
		fprintf(f, "%s\n", line);
	}
	fclose(f);
	report_clear(&r);
	return out;
}

static void
defaults(void **state)
{
	struct config *c = load("");

	(void)state;
	assert_int_equal(c->nlisten, 2);
	assert_int_equal(c->listen[0].port, 53);
	assert_true(addr_is_any(&c->listen[1].addr) && c->listen[1].addr.family == 6);
	assert_string_equal(c->control, "/run/jitsu/control");
	assert_string_equal(c->state, "/var/lib/jitsu");
	assert_null(c->nsid);
	assert_true(c->workers >= 1 && c->limits.boots >= 4 && c->limits.memory_bytes > 0);
	assert_int_equal(c->nzones + c->nimages + c->nnetworks, 0);
	config_free(c);
	c = load("run-dir = /tmp/x");
	assert_string_equal(c->control, "/tmp/x/control");
	config_free(c);
}

static void
values(void **state)
{
	struct config *c = load("listen = { \"127.0.0.1\", \"::1@99\" } port = 5300\n" NET
	    "image i { kernel = k network = lan ready = 'tcp:80'"
	    " disks = { 'd{name}.img,readonly', '/x,format=qcow2' }\n"
	    " args = { -device, 'a b' } idle = 2m cpu = 50% }\n"
	    "zone Example.TEST. { file = z images = { i } }");
	const struct config_image *im = config_image_find(c, "i");

	(void)state;
	assert_int_equal(c->listen[0].port, 5300);
	assert_int_equal(c->listen[1].port, 99);
	assert_non_null(im);
	assert_string_equal(im->kernel, "/c/k");
	assert_ptr_equal(im->network, &c->networks[0]);
	assert_int_equal(im->ready.kind, CONFIG_READY_TCP);
	assert_int_equal(im->ready.port, 80);
	assert_int_equal(im->ndisks, 2);
	assert_string_equal(im->disks[0].path, "/c/d{name}.img");
	assert_true(im->disks[0].readonly && im->disks[1].format == VM_DISK_QCOW2);
	assert_int_equal(im->args.n, 2);
	assert_int_equal(im->policy.idle_ms, 120000);
	assert_int_equal(im->cpu_percent, 50);
	assert_non_null(config_zone_find(c, "example.test"));
	assert_ptr_equal(config_zone_find(c, "example.test")->section->images[0], im);
	config_free(c);
}

/* Everything wrong is reported at once, each with its line. */
static void
every_error_is_reported(void **state)
{
	static const char *const want[] = {
		"/c/jitsu.conf:1: port: \"0\"",
		"/c/jitsu.conf:3: listen: \"localhost\"",
		"/c/jitsu.conf:5: boots: \"none\"",
		"/c/jitsu.conf:8: idle: \"2\"",
		"/c/jitsu.conf:9: machine: \"pc\" is not accepted: it must be microvm or q35",
		"/c/jitsu.conf:11: title of section zone: \"a b\"",
	};
	char *got = findings(
	    "port = 0\nlisten = { '::1',\n  localhost }\nlimits {\n boots = none }\n"
	    "image i {\n kernel = k\n idle = 2\n machine = pc\n}\nzone 'a b' { file = x }\n");

	(void)state;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (strstr(got, want[i]) == NULL)
			fail_msg("%s is not in\n%s", want[i], got);
	}
	free(got);
}

static void
one_error_each(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\nprt = 1\n",
		    ":2: unknown option \"prt\" at the top level; did you mean port?" },
		{ "image i {\n kernle = x }",
		    ":2: unknown option \"kernle\" in section image; did you mean kernel?" },
		{ "frob = 1",
		    ":1: unknown option \"frob\" at the top level; accepted are listen," },
		{ "port = 1\nport = 2\n", ":2: port: \"2\": it was set already in line 1" },
		{ "listen = {}\n", ": listen: the list is empty; at least 1 is needed" },
		{ "port 53", ":1: syntax: missing equal sign" },
		{ "limits {\n boots = 1\n", ":1: the { that is opened here is not closed" },
		{ "\n}\n", ":2: syntax: unexpected closing brace" },
		{ "user = \"a\n\n", ":1: a string in quotes begins here and has no end" },
		{ "\n/* user = a\n", ":2: a comment begins here and has no end" },
		{ "user = \"${HOME}\"\n", ":1: \"${HOME}\": ${...} is not accepted" },
		{ "user = x${HOME}\n", ":1: \"${HOME}\"" },
		{ "\nuser = ${A:-b}\n", ":2: \"${A:-b}\"" },
		{ "user = \"a\001\"", ":1: control character \\001" },
		{ "zone a { file = x }\nzone a { file = y }",
		    ":2: zone \"a\" comes from \"/c/x\" and from \"/c/y\"" },
		{ NET "network lan { bridge = b1 }",
		    ":4: there is a section network \"lan\" already, in line 1; titles must "
		    "differ" },
		{ "network a {\n}\nnetwork a {}\n",
		    ":3: there is a section network \"a\" already, in line 2; titles must differ" },
		{ "zone a { file = x }\nzone A. { file = y }",
		    ":2: zone \"a\" comes from \"/c/x\" and from \"/c/y\"" },
		{ "zone a {\n}", "zone \"a\" has no file" },
		{ "zone a { file = 'x/*.zone' }", ": a * is accepted only in section zone \"*\"" },
		{ "zone '*' { file = '/*/x' }", ": in section zone \"*\", one * is needed" },
		{ "zone '*' { file = '/nonexistent/*' }", "the directory cannot be read" },
		{ "zone a { file = x\n images = { i, j } }",
		    ":2: images: there is no image \"i\"" },
		{ "zone a { file = '{name}' }",
		    ":1: file: \"{name}\": placeholders are not filled in here" },
		{ "network n { subnets = { 10.0.0.0/8 } }", "network \"n\" has no bridge" },
		{ NET "network b { bridge = b0 }",
		    ":4: bridge: \"b0\" is network \"lan\" already" },
		{ NET "network b { bridge = b1\n subnets = 10.0.0.128/25 }",
		    ":5: subnets: \"10.0.0.128/25\" overlaps \"10.0.0.0/24\" of network \"lan\"" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n gateway = 10.0.1.1 }",
		    ":2: gateway: \"10.0.1.1\" is in none of the subnets" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n gateway = { 10.0.0.1, 10.0.0.2 } "
		  "}",
		    ":2: gateway: \"10.0.0.1\" and \"10.0.0.2\" are in the same" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n units = 10.0.0.0/28\n gateway = "
		  "10.0.0.1 }",
		    ":3: gateway: \"10.0.0.1\" is inside" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n units = 10.0.0.9-10.0.1.9 }",
		    ":2: units: \"10.0.0.9-10.0.1.9\" is not inside" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n units = { 10.0.0.9,\n10.0.0.8/30 "
		  "} }",
		    ":3: units: \"10.0.0.8/30\" overlaps \"10.0.0.9\"" },
		{ "network n { bridge = b subnets = 10.0.0.0/24\n probe = 10.9.0.1 }",
		    ":2: probe: \"10.9.0.1\" is in none" },
		{ NET "image i { kernel = k\n network = lam }",
		    ":5: network: there is no network \"lam\"; there is \"lan\"" },
		{ NET "image i { kernel = k network = lan\n nics = wan }",
		    ":5: nics: there is no network \"wan\"" },
		{ "network n { bridge = b }\nimage i { kernel = k network = n }",
		    ":2: network: \"n\" has no units" },
		{ "image i { kernel = k\n}", "image \"i\" has no network, which is needed" },
		{ NET "image i { network = lan }",
		    ":4: image \"i\" has neither a kernel nor a disk" },
		{ NET "image i { disks = d network = lan cmdline = x }",
		    ":4: image \"i\" has a cmdline but no kernel" },
		{ NET "image i { kernel = k network = lan\n\n cmdline = \"{nmae}\" }",
		    ":6: cmdline: unknown placeholder \"{nmae}\"" },
		{ NET "image i { kernel = k network = lan\n disks = { a,\n \"b{\" } }",
		    ":6: disks: \"{\": the brace is not closed" },
		{ NET "image i { kernel = k network = lan\n backoff-min = 10m }",
		    ":5: backoff-min: 600000 ms is more than backoff-max" },
		{ "limits { memory = 32M }\n" NET "image i { kernel = k network = lan\n memory = "
		    "64M }",
		    ":6: memory: image \"i\" needs more than" },
		{ "limits { held-per-unit = 10\n held-total = 5 }",
		    ":1: held-per-unit: 10 is more than held-total" },
		{ "listen = { '::1', '::1@53' }", ":1: listen: \"::1@53\" stands there twice" },
		{ "network 'a b' { bridge = x }", ":1: title of section network: \"a b\"" },
		{ "image 'a b' { kernel = k }", ":1: title of section image: \"a b\"" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = findings(cases[i].text);

		if (strstr(got, cases[i].want) == NULL)
			fail_msg("of %s:\n%s is not in\n%s", cases[i].text, cases[i].want, got);
		free(got);
	}
}

static void
environment_is_never_read(void **state)
{
	struct config *c;

	(void)state;
	assert_int_equal(setenv("JITSU_TEST", "evil", 1), 0);
	c = load("# ${JITSU_TEST}\n/* ${JITSU_TEST} */ nsid = '${JITSU_TEST}' // ${JITSU_TEST}\n");
	assert_string_equal(c->nsid, "${JITSU_TEST}");
	config_free(c);
	c = load("nsid = \"\\${JITSU_TEST}\"");
	assert_string_equal(c->nsid, "${JITSU_TEST}");
	config_free(c);
}

static void
what_is_loaded_twice_is_the_same(void **state)
{
	static const char text[] = "nsid = 'a\"b\\\\c${d}' admins = { x, y } workers = 3 limits { "
	    "boots = auto memory = 3G }\n" NET "image i { kernel = k "
	    "network = lan overlay = yes "
	    "cmdline = 'a=\"{name}\"' "
	    "idle = auto\n"
	    "hold = 1500ms cpu = 120% args = { 'x\\'y', z } }\n"
	    "zone . { file = root }\n";
	struct config *c = load(text), *again = load(text);

	(void)state;
	assert_string_equal(again->nsid, c->nsid);
	assert_int_equal(again->images[0].policy.idle_ms, UINT32_MAX);
	assert_false(config_needs_restart(c, again, NULL));
	config_free(c);
	config_free(again);
}

static void
restart_is_asked_for(void **state)
{
	struct config *a = load("port = 53"),
		      *b = load("on-exit = stop\nport = 54\nlimits {\n tcp-clients = 7 boots = 9 "
		    "}");
	struct report r;
	char line[256];

	(void)state;
	report_init(&r);
	assert_true(config_needs_restart(a, b, &r));
	assert_int_equal(r.nlines, 2);
	report_format(&r, 0, line, sizeof(line));
	assert_string_equal(
	    line, "/c/jitsu.conf:2: port: the new value takes effect when jitsud is restarted");
	report_format(&r, 1, line, sizeof(line));
	assert_non_null(strstr(line, ":4: limits.tcp-clients: "));
	report_clear(&r);
	config_free(a);
	config_free(b);
}

static void
touch(const char *dir, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

/* Zones of the suite are called so (RFC 4592 section 2.1.2). */
static void
an_asterisk_may_be_a_label(void **state)
{
	struct config *c = load("zone 'www.*.test' { file = a }\nzone '*.test' { file = b }");

	(void)state;
	assert_non_null(config_zone_find(c, "www.*.test"));
	assert_non_null(config_zone_find(c, "*.test"));
	config_free(c);
	free(findings("zone 'w*.test' { file = a }"));
	free(findings("zone '*w.test' { file = a }"));
}

static void
globs_find_zones(void **state)
{
	char dir[] = "/tmp/jitsu-config-XXXXXX", text[256], path[256];
	static const char *const files[] = { "b.test.zone", "A.test.zone", ".hidden.zone",
		"c.test.zone~", "own.test.zone" };
	struct config *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < 5; i++)
		touch(dir, files[i]);
	snprintf(text, sizeof(text),
	    "zone '*' { file = '%s/*.zone' units = '%s/*.units' }\nzone own.test { file = "
	    "/elsewhere }",
	    dir, dir);
	c = load(text);
	assert_int_equal(c->nzones, 3);
	assert_string_equal(c->zones[0].origin, "a.test");
	snprintf(path, sizeof(path), "%s/A.test.zone", dir);
	assert_string_equal(c->zones[0].file, path);
	snprintf(path, sizeof(path), "%s/b.test.units", dir);
	assert_string_equal(config_zone_find(c, "b.test")->units, path);
	assert_string_equal(config_zone_find(c, "own.test")->file, "/elsewhere");
	assert_int_equal(config_zone_find(c, "own.test")->index, 2);
	config_free(c);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* Each costs only itself. */
static void
files_that_are_no_zones(void **state)
{
	char dir[] = "/tmp/jitsu-config-XXXXXX", text[256], path[256], line[2048];
	static const char *const files[] = { "b (copy).test.zone", "A.Test.zone", "a.test.zone",
		"A.TEST.zone", "c.TEST.zone", "C.test.zone", "new\nline.zone" };
	struct config *c;
	struct report r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < 7; i++)
		touch(dir, files[i]);
	snprintf(text, sizeof(text),
	    "zone '*' {\n file = '%s/*.zone' }\nzone '*' { file = '%s/*.test.zone' }", dir, dir);
	c = load(text);
	assert_int_equal(c->nzones, 4);   /* a.test, and a; c.test, and c */
	snprintf(path, sizeof(path), "%s/a.test.zone", dir);
	assert_string_equal(config_zone_find(c, "a.test")->file, path);
	snprintf(path, sizeof(path), "%s/C.test.zone", dir);
	assert_string_equal(config_zone_find(c, "c.test")->file, path);
	/*
	 * the copy by both sections; two more of a.test and one of c.test; the one with two lines
	 */
	assert_int_equal(c->nstrays, 6);
	report_init(&r);
	config_report_strays(c, &r);
	assert_int_equal(r.nerrors, 6);
	for (unsigned i = 0; i < 6; i++) {
		report_format(&r, i, line, sizeof(line));
		assert_true(strncmp(line, "/c/jitsu.conf:2: file: ", 23) == 0 ||
		    strncmp(line, "/c/jitsu.conf:3: file: ", 23) == 0);
		assert_null(strchr(line, '\n'));
	}
	report_clear(&r);
	config_free(c);
	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

static enum err
loss(const char *before, const char *after, char line[512])
{
	struct config *a = load(before), *b = load(after);
	struct report r;
	enum err e;

	report_init(&r);
	e = config_check_loss(a, b, &r);
	line[0] = '\0';
	if (e != ERR_OK)
		report_format(&r, 0, line, 512);
	assert_int_equal(r.nlines, e != ERR_OK);
	report_clear(&r);
	config_free(a);
	config_free(b);
	return e;
}

#define Z(x) "zone " x " { file = f }\n"
#define FIVE Z("a") Z("b") Z("c") Z("d") Z("e")
#define IMAGE_I "image i { kernel = k network = lan }\n"
#define NET_L "network lan { bridge = b\n subnets = 10.0.0.0/24 units = 10.0.0.0/24 }\n"

static void
a_file_that_was_cut_short(void **state)
{
	char line[512];

	(void)state;
	assert_int_equal(loss(Z("a"), "", line), ERR_PARSE);
	assert_non_null(strstr(line,
	    "/c/jitsu.conf: it has no zone, so that all that are served, which are 1, would be "
	    "dropped"));
	assert_non_null(strstr(line, "`jitsu reload --force`"));
	assert_int_equal(loss(Z("a"), "# nothing\nport = 53\n", line), ERR_PARSE);
	assert_int_equal(loss("", "", line), ERR_OK);
	assert_int_equal(loss("", Z("a"), line), ERR_OK);
	/* most of them */
	assert_int_equal(loss(FIVE, Z("a"), line), ERR_PARSE);
	assert_non_null(strstr(line, "it has 1 of the 5 zones that are served"));
	assert_int_equal(loss(FIVE, Z("a") Z("b"), line), ERR_OK);
	assert_int_equal(loss(Z("a") Z("b") Z("c"), Z("a"), line), ERR_OK);
	assert_int_equal(loss(FIVE, Z("v") Z("w") Z("x") Z("y"), line), ERR_OK);
	/* not to the end of a line */
	assert_int_equal(loss(Z("a") Z("b"), Z("a") "# and", line), ERR_PARSE);
	assert_non_null(strstr(
	    line, "it ends within a line, and 1 zones, 0 networks and 0 images are missing"));
	assert_int_equal(loss(Z("a") Z("b"), Z("a"), line), ERR_OK);
	assert_int_equal(loss(Z("a"), Z("a") "# and", line), ERR_OK);
	/* neither has it */
	assert_int_equal(loss(Z("a") "zone b { file = f }", "zone a { file = f }", line), ERR_OK);
	assert_int_equal(loss(NET_L IMAGE_I Z("a"), NET_L Z("a") "#", line), ERR_PARSE);
	assert_int_equal(loss(NET_L Z("a"), Z("a") "#", line), ERR_PARSE);
	/* zones first, then what they need */
	assert_int_equal(loss(Z("a") NET_L IMAGE_I, Z("a"), line), ERR_PARSE);
	assert_non_null(strstr(line, "it is the beginning of what is loaded"));
	assert_int_equal(loss(Z("a") NET_L IMAGE_I, Z("a") NET_L, line), ERR_PARSE);
	assert_int_equal(loss(Z("a") NET_L IMAGE_I, NET_L Z("a"), line), ERR_OK);
}

/* What they say is read where they lead now, and relative paths start there. */
static void
links_are_followed_at_each_load(void **state)
{
	char dir[] = "/tmp/jitsu-config-XXXXXX", cmd[600], path[256], want[256];
	struct report r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd),
	    "cd %s && mkdir one two && echo 'zone a { file = f }' >one/c && echo 'zone b { file = "
	    "f }' >two/c && ln -s one now && ln -s now/c jitsu.conf",
	    dir);
	assert_int_equal(system(cmd), 0);
	snprintf(path, sizeof(path), "%s/jitsu.conf", dir);
	report_init(&r);
	for (int i = 0; i < 2; i++) {
		struct config *c;

		assert_int_equal(config_load(path, &c, &r), ERR_OK);
		snprintf(want, sizeof(want), "%s/%s/f", dir, i == 0 ? "one" : "two");
		assert_string_equal(c->zones[0].origin, i == 0 ? "a" : "b");
		assert_string_equal(c->zones[0].file, want);
		config_free(c);
		snprintf(cmd, sizeof(cmd), "cd %s && ln -sfn two now", dir);
		assert_int_equal(system(cmd), 0);
	}
	report_clear(&r);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void
files_are_checked_apart(void **state)
{
	struct config *c = load(NET "image i { network = lan\n kernel = /nonexistent/k\n initrd = "
	    "'/nonexistent/{name}' disks = {\n '/tmp' } }");
	struct report r;
	char line[512];

	(void)state;
	report_init(&r);
	assert_int_equal(config_check_files(c, &r), ERR_PARSE);
	assert_int_equal(r.nlines, 2);
	report_format(&r, 0, line, sizeof(line));
	assert_string_equal(line,
	    "/c/jitsu.conf:5: image \"i\": kernel \"/nonexistent/k\" cannot be read: No such file "
	    "or directory");
	report_format(&r, 1, line, sizeof(line));
	assert_non_null(strstr(line, ":7: image \"i\": disk \"/tmp\" is a directory"));
	report_clear(&r);
	config_free(c);
}

static void
the_example_loads(void **state)
{
	struct config *c;
	struct report r;
	char line[1024];

	(void)state;
	report_init(&r);
	if (config_load("config/jitsu.conf", &c, &r) != ERR_OK) {
		report_format(&r, 0, line, sizeof(line));
		fail_msg("%s (the test is run from the top of the tree)", line);
	}
	assert_int_equal(c->nzones, 1);
	assert_int_equal(access(c->zones[0].file, R_OK), 0);
	assert_int_equal(c->nimages, 1);
	config_free(c);
	report_clear(&r);
}

static void
unreadable_files(void **state)
{
	struct config *c;
	struct report r;
	char line[512];

	(void)state;
	report_init(&r);
	assert_int_not_equal(config_load("/nonexistent/jitsu.conf", &c, &r), ERR_OK);
	assert_null(c);
	report_format(&r, 0, line, sizeof(line));
	assert_string_equal(
	    line, "/nonexistent/jitsu.conf: cannot be read: No such file or directory");
	report_clear(&r);
	report_init(&r);
	assert_int_not_equal(config_load("/tmp", &c, &r), ERR_OK);
	report_clear(&r);
}

static void
ten_thousand_zones(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct config *c;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		fprintf(f, "zone z%u.test { file = z%u }\n", i, i);
	fclose(f);
	c = load(text);
	assert_int_equal(c->nzones, 10000);
	assert_non_null(config_zone_find(c, "z9999.test"));
	assert_null(config_zone_find(c, "z10000.test"));
	config_free(c);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(every_error_is_reported),
		cmocka_unit_test(one_error_each),
		cmocka_unit_test(environment_is_never_read),
		cmocka_unit_test(what_is_loaded_twice_is_the_same),
		cmocka_unit_test(restart_is_asked_for),
		cmocka_unit_test(an_asterisk_may_be_a_label),
		cmocka_unit_test(globs_find_zones),
		cmocka_unit_test(files_that_are_no_zones),
		cmocka_unit_test(a_file_that_was_cut_short),
		cmocka_unit_test(links_are_followed_at_each_load),
		cmocka_unit_test(files_are_checked_apart),
		cmocka_unit_test(the_example_loads),
		cmocka_unit_test(unreadable_files),
		cmocka_unit_test(ten_thousand_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
