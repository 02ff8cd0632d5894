/* table_test: what `jitsu` prints for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "src/cli/table.h"

/* Runs a printer and returns what it wrote; valid until the next call. */
static const char *
printed(bool (*print)(FILE *, const json_t *), const char *json, bool want)
{
	static char *text;
	static size_t size;
	json_error_t why;
	json_t *data = json_loads(json, JSON_DECODE_ANY, &why);
	FILE *f;

	free(text);
	text = NULL;
	f = open_memstream(&text, &size);
	assert_non_null(f);
	if (data == NULL)
		fail_msg("%s: %s", json, why.text);
	assert_int_equal(print(f, data), want);
	fclose(f);
	json_decref(data);
	return text;
}

static void
test_list(void **state)
{
	(void)state;
	assert_string_equal(printed(cli_print_list,
				"[{\"name\":\"www.example.test\",\"state\":\"awake\",\"image\":"
				"\"hello\",\"driver\":\"qemu\",\"addresses\":[\"10.77.0.10\","
				"\"fd77::a:1\"],"
				"\"boots\":12,\"last_boot_ms\":35,\"idle_s\":5,\"sleeps_in_s\":115}"
				","
				"{\"name\":\"b.test\",\"state\":\"dormant\",\"standby\":true,"
				"\"memory_now\":17825792,\"image\":\"hello\","
				"\"driver\":\"qemu\",\"addresses\":[\"10.77.0.11\"],\"boots\":0,"
				"\"last_boot_ms\":null}]",
				true),
	    "NAME              STATE              IMAGE  DRIVER  ADDRESSES              MEMORY  "
	    "BOOTS  LAST BOOT   IDLE  SLEEPS IN\n"
	    "www.example.test  awake              hello  qemu    10.77.0.10, fd77::a:1       -  "
	    "   12      35 ms  5.0 s      1m55s\n"
	    "b.test            dormant (standby)  hello  qemu    10.77.0.11             17 MiB  "
	    "    0          -      -          -\n");
	/* Nothing to show is a table too, and only as wide as its titles. */
	assert_string_equal(printed(cli_print_list, "[]", true),
	    "NAME  STATE  IMAGE  DRIVER  ADDRESSES  MEMORY  BOOTS  LAST BOOT  IDLE  SLEEPS IN\n");
	(void)printed(cli_print_list, "{}", false);
	(void)printed(cli_print_list, "[7]", false);
	(void)printed(cli_print_list, "[{\"name\":7,\"boots\":\"x\",\"addresses\":{}}]", true);
}

static void
test_why(void **state)
{
	(void)state;
	assert_string_equal(printed(cli_print_why,
	    "{\"name\":\"a.test\",\"state\":\"awake\",\"text\":\"a.test is awake\\u001b[1m\","
	    "\"reasons\":[{\"kind\":\"query\",\"what\":null,\"age_s\":12.3,\"left_s\":47.7},"
	    "{\"kind\":\"flow\",\"peer\":\"10.77.0.1\",\"port\":80,\"bytes\":2048,"
	    "\"age_s\":0.5},{\"kind\":\"needed\",\"what\":\"b.test\"}]}", true),
	    "a.test is awake\\033[1m\n"
	    "REASON  PEER       PORT  BYTES     AGO  LEFT  WHAT\n"
	    "query   -             -      -    12 s  47 s  -\n"
	    "flow    10.77.0.1    80  2 KiB  500 ms     -  -\n"
	    "needed  -             -      -       -     -  b.test\n");
	assert_string_equal(printed(cli_print_why, "{\"text\":\"x\",\"reasons\":[]}", true), "x\n");
	(void)printed(cli_print_why, "{\"name\":\"a.test\"}", false);
	(void)printed(cli_print_why, "{\"text\":\"x\",\"reasons\":[7]}", false);
	(void)printed(cli_print_why, "[]", false);
}

static void
test_show(void **state)
{
	(void)state;
	assert_string_equal(printed(cli_print_show,
				"{\"name\":\"www.example.test\",\"aliases\":[\"blog.example.test\"]"
				",\"state\":\"failed\",\"since_s\":75,\"backoff_s\":4,\"image\":"
				"\"hello\","
				"\"driver\":\"qemu\",\"addresses\":[\"10.77.0.10\"],\"mac\":\"02:"
				"00:5e:10:00:0a\",\"uuid\":\"u-u\",\"pid\":42,\"memory\":16777216,"
				"\"policy\":{\"idle_ms\":120000,\"hold_ms\":1000,\"min_up_ms\":0,"
				"\"unused_after_ms\":30000,\"ready\":\"tcp:80\",\"sleep\":\"stop\"}"
				","
				"\"boots\":3,\"last_boot_ms\":35.5,\"crashes\":1,\"failures\":2,"
				"\"queries\":9,\"durations_us\":{\"alive\":20500,\"spawn\":3000},"
				"\"file\":\"/etc/z\",\"line\":8,"
				"\"last_error\":\"kernel "
				"\\u001b[31mred\\nsecond\",\"console\":"
				"\"Hello\\r\\n\\u0007bell\\\\\\n\"}",
				true),
	    "name        www.example.test\n"
	    "aliases     blog.example.test\n"
	    "state       failed for 1m15s, may be tried again in 4.0 s\n"
	    "image       hello (qemu)\n"
	    "addresses   10.77.0.10\n"
	    "mac         02:00:5e:10:00:0a\n"
	    "vm          u-u\n"
	    "pid         42\n"
	    "memory      16 MiB\n"
	    "policy      idle 2m00s, hold 1.0 s, min-up 0 s, unused-after 30 s, ready tcp:80, "
	    "sleep stop\n"
	    "boots       3 (the last took 36 ms)\n"
	    "trouble     1 crashes, 2 failed boots in a row\n"
	    "durations   spawn 3.0 ms, alive 20 ms\n"
	    "queries     9\n"
	    "defined     /etc/z:8\n"
	    "last error\n"
	    "    kernel \\033[31mred\n"
	    "    second\n"
	    "console\n"
	    "    Hello\n"
	    "    \\007bell\\\n");
	assert_string_equal(
	    printed(cli_print_show, "{\"name\":\"x\",\"state\":\"awake\",\"pid\":null,\"domid\":7}",
		true),
	    "name        x\nstate       awake\ndomain      7\n");
	assert_string_equal(printed(cli_print_show, "{\"name\":\"x\",\"state\":\"dormant\"}", true),
	    "name        x\nstate       dormant\n");
	(void)printed(cli_print_show, "{}", false);
	(void)printed(cli_print_show, "[]", false);
}

static void
test_small_answers(void **state)
{
	(void)state;
	assert_string_equal(printed(cli_print_wake,
				"{\"name\":\"w\",\"state\":\"awake\",\"boot_ms\":33,\"addresses\":["
				"\"10.0.0.1\"]}",
				true),
	    "w is awake at 10.0.0.1, after 33 ms\n");
	assert_string_equal(
	    printed(cli_print_wake, "{\"name\":\"w\",\"state\":\"dormant\"}", true),
	    "w is dormant\n");
	assert_string_equal(
	    printed(cli_print_console, "{\"name\":\"w\",\"text\":\"a\\tb\\n\\u009bZ\\n\"}", true),
	    "a\\011b\n\\302\\233Z\n");
	assert_string_equal(
	    printed(cli_print_reload,
		"{\"zones\":2,\"units\":5,\"warnings\":[\"port needs a restart\"]}", true),
	    "reloaded: 2 zones, 5 units\nport needs a restart\n");
	(void)printed(cli_print_wake, "7", false);
	(void)printed(cli_print_console, "[]", false);
	(void)printed(cli_print_reload, "null", false);
}

static void
test_status(void **state)
{
	(void)state;
	assert_string_equal(printed(cli_print_status,
				"{\"version\":\"0.1.0\",\"pid\":7,\"uptime_s\":93784,\"zones_"
				"failed\":1,\"zones_old\":0,"
				"\"zones\":[{\"name\":\"example.test\",\"state\":\"ok\",\"serial\":"
				"1,\"units\":2,\"file\":\"/z\","
				"\"error\":null}],\"children\":[{\"name\":\"dns\",\"pid\":8,"
				"\"restarts\":0}],\"counters\":{\"queries\":100,\"rcodes\":{"
				"\"NOERROR\":99}},"
				"\"limits\":{\"boots\":{\"used\":1,\"most\":2},\"memory\":{"
				"\"used\":16777216,\"most\":1610612736}}}",
				true),
	    "version     0.1.0\npid         7\nuptime      1d02h\n"
	    "bad zones   1 NOT SERVED, 0 with old contents (see ERROR below)\n"
	    "\nZONE          STATE  SERIAL  UNITS  FILE  ERROR\nexample.test  ok          1      2 "
	    " /z    -\n"
	    "\nPROCESS  PID  RESTARTS\ndns        8         0\n"
	    "\nCOUNTER         VALUE\nqueries           100\nrcodes NOERROR     99\n"
	    "\nLIMIT     USED     MOST\nboots        1        2\nmemory  16 MiB  1.5 GiB\n");
	assert_string_equal(printed(cli_print_status, "{}", true), "");
	(void)printed(cli_print_status, "[]", false);
	(void)printed(cli_print_status,
	    "{\"zones\":7,\"children\":{},\"counters\":[],\"limits\":{\"x\":1}}", true);
}

static struct cli_table *events;

static bool
print_events(FILE *f, const json_t *data)
{
	return cli_events_print(events, f, data);
}

static void
test_events(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	events = cli_events_new();
	assert_non_null(events);
	assert_string_equal(printed(print_events,
				"[{\"time\":1795224000.25,\"unit\":\"www.example.test\",\"kind\":"
				"\"ready\",\"durations_us\":{\"spawn\":900,\"alive\":27000,"
				"\"ready\":1200},"
				"\"text\":\"\"}]",
				true),
	    "TIME                     UNIT              EVENT   SPAWN  ALIVE   READY  ANSWER  "
	    "TEXT\n"
	    "2026-11-21 01:20:00.250  www.example.test  ready  0.9 ms  27 ms  1.2 ms       -  -\n");
	/* One that comes later keeps the columns, and has no titles. */
	assert_string_equal(printed(print_events,
				"{\"time\":1795224001.0,\"unit\":\"b\",\"kind\":\"sleep\",\"text\":"
				"\"idle\"}",
				true),
	    "2026-11-21 01:20:01.000  b                 sleep       -      -       -       -  "
	    "idle\n");
	(void)printed(print_events, "7", false);
	(void)printed(print_events, "[[]]", false);
	cli_table_free(events);
}

static void
test_values(void **state)
{
	static const struct {
		double ms;
		const char *text;
	} rows[] = { { -1, "-" }, { 0, "0 s" }, { 0.25, "0.2 ms" }, { 9.94, "9.9 ms" },
		{ 35.4, "35 ms" }, { 999, "999 ms" }, { 1200, "1.2 s" }, { 12345, "12 s" },
		{ 60000, "1m00s" }, { 3599000, "59m59s" }, { 3600000, "1h00m" },
		{ 86400000, "1d00h" } };
	char text[CLI_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(cli_text_ms(rows[i].ms, text), rows[i].text);
	assert_string_equal(cli_text_bytes(0, text), "0 B");
	assert_string_equal(cli_text_bytes(1023, text), "1023 B");
	assert_string_equal(cli_text_bytes(1536, text), "1.5 KiB");
	assert_string_equal(cli_text_bytes(1ull << 40, text), "1 TiB");
	text_show(text, 12, "ab\x1b" "cdefgh", 9);
	assert_string_equal(text, "ab\\033cd");   /* cut where an escape might not fit */
	text_show(text, 1, "ab", 2);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_why),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_small_answers),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
