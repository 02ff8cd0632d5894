/* format: the answers of the daemon's verbs as tables and pages. */
#include "src/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LABEL 12   /* width of the first column of a page */

/* ---- members of objects ---- */

/* "" when it is absent or no string. */
static const char *
text_of(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text != NULL ? text : "";
}

/* -1 when it is absent or no number. */
static double
number_of(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	return json_is_number(v) ? json_number_value(v) : -1;
}

/* Whole numbers in a cell; nothing when it is absent. */
static void
cell_number(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	double v = number_of(obj, key);

	if (v >= 0)
		cli_table_cell(t, column, "%.0f", v);
}

/* A duration given in `unit_ms` milliseconds. */
static void
cell_time(struct cli_table *t, unsigned column, const json_t *obj, const char *key, double unit_ms)
{
	char text[CLI_TEXT];
	double v = number_of(obj, key);

	if (v >= 0)
		cli_table_cell(t, column, "%s", cli_text_ms(v * unit_ms, text));
}

/* The strings of an array, joined with ", ". */
static const char *
join(const json_t *array, char *buf, size_t size)
{
	size_t used = 0, i;
	json_t *item;

	buf[0] = '\0';
	json_array_foreach(array, i, item) {
		const char *text = json_string_value(item);

		if (text != NULL && used < size)
			used += (size_t)snprintf(
			    buf + used, size - used, "%s%s", used > 0 ? ", " : "", text);
	}
	return buf;
}

/*
 * Text of several lines: line ends stay, everything else that is not printable is escaped; each
 * line is indented.
 */
static void
print_block(FILE *f, const char *text, int indent)
{
	char line[512];

	while (*text != '\0') {
		size_t len = strcspn(text, "\n"), used = len;

		if (used > 0 && text[used - 1] == '\r')
			used--;
		fprintf(f, "%*s", indent, "");
		for (size_t at = 0; at < used; at += 100) {
			cli_text_safe(
			    line, sizeof(line), text + at, used - at < 100 ? used - at : 100);
			fputs(line, f);
		}
		fputc('\n', f);
		text += len;
		if (*text == '\n')
			text++;
	}
}

/* One line of a page: label and text; left out when the text is empty. */
static void __attribute__((format(printf, 3, 4)))
print_line(FILE *f, const char *label, const char *fmt, ...)
{
	char raw[2048], text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (raw[0] == '\0')
		return;
	cli_text_safe(text, sizeof(text), raw, strlen(raw));
	fprintf(f, "%-*s%s\n", LABEL, label, text);
}

/* What it waits for before it boots, if it does, and its place in the queue. */
static const char *
queue_text(const json_t *u, char text[CLI_TEXT])
{
	json_int_t position = json_integer_value(json_object_get(u, "queue_position"));
	const char *waits = text_of(u, "waits_for");

	text[0] = '\0';
	if (position > 0)
		snprintf(
		    text, CLI_TEXT, " (waits for %.32s, number %lld)", waits, (long long)position);
	else if (waits[0] != '\0')
		snprintf(text, CLI_TEXT, " (waits for %.32s)", waits);
	return text;
}

/* "2026-12-02 04:30:00", in local time; "" when there is no time. */
static const char *
date_text(double when, char text[CLI_TEXT])
{
	time_t s = (time_t)when;
	struct tm tm;

	if (when <= 0 || localtime_r(&s, &tm) == NULL ||
	    strftime(text, CLI_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		text[0] = '\0';
	return text;
}

/* ---- rows ---- */

typedef void (*cell_fn)(struct cli_table *t, unsigned column, const json_t *obj, const char *key);

/* A column, and which member of an object stands in it, how. */
struct field {
	const char *title;
	bool right;
	const char *key;
	cell_fn cell;
};

#define FIELDS_MOST 10   /* with the end */

static void
cell_text(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	cli_table_cell(t, column, "%s", text_of(obj, key));
}

static void
cell_texts(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	char buf[1024];

	cli_table_cell(t, column, "%s", join(json_object_get(obj, key), buf, sizeof(buf)));
}

static void
cell_state(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	char queue[CLI_TEXT];

	cli_table_cell(t, column, "%s%s", text_of(obj, key), queue_text(obj, queue));
}

static void
cell_ms(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	cell_time(t, column, obj, key, 1);
}

static void
cell_s(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	cell_time(t, column, obj, key, 1000);
}

static void
cell_date(struct cli_table *t, unsigned column, const json_t *obj, const char *key)
{
	char text[CLI_TEXT];

	cli_table_cell(t, column, "%s", date_text(number_of(obj, key), text));
}

/* A row for each object of an array; false: there is none, or another thing in it. */
static bool
print_rows(FILE *f, const json_t *rows, const struct field fields[])
{
	struct cli_column columns[FIELDS_MOST] = { { NULL, false } };
	struct cli_table *t;
	const json_t *row;
	bool ok = true;
	size_t i;

	if (!json_is_array(rows))
		return false;
	for (i = 0; fields[i].title != NULL; i++)
		columns[i] = (struct cli_column){ fields[i].title, fields[i].right };
	t = cli_table_new(columns);
	json_array_foreach(rows, i, row) {
		for (unsigned c = 0; fields[c].title != NULL; c++)
			fields[c].cell(t, c, row, fields[c].key);
		cli_table_row(t);
		ok = ok && json_is_object(row);
	}
	cli_table_print(t, f);
	cli_table_free(t);
	return ok;
}

bool
cli_print_list(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "NAME", false, "name", cell_text },
		{ "STATE", false, "state", cell_state },
		{ "IMAGE", false, "image", cell_text },
		{ "DRIVER", false, "driver", cell_text },
		{ "ADDRESSES", false, "addresses", cell_texts },
		{ "BOOTS", true, "boots", cell_number },
		{ "LAST BOOT", true, "last_boot_ms", cell_ms },
		{ "IDLE", true, "idle_s", cell_s },
		{ "SLEEPS IN", true, "sleeps_in_s", cell_s },
	};

	return print_rows(f, data, fields);
}

bool
cli_print_aside(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "NAME", false, "name", cell_text },
		{ "VM", false, "vm", cell_text },
		{ "DRIVER", false, "driver", cell_text },
		{ "UUID", false, "uuid", cell_text },
		{ "WHY", false, "why", cell_text },
	};

	return print_rows(f, data, fields);
}

bool
cli_print_held(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "ADDRESS", false, "address", cell_text },
		{ "OF", false, "owner", cell_text },
		{ "UNTIL", false, "until", cell_date },
		{ "REFUSED TO", false, "refused_to", cell_text },
	};

	return print_rows(f, data, fields);
}

/* ---- show ---- */

static void
show_state(FILE *f, const json_t *u)
{
	char since[CLI_TEXT], idle[CLI_TEXT], sleeps[CLI_TEXT], backoff[CLI_TEXT], queue[CLI_TEXT];
	double since_s = number_of(u, "since_s"), idle_s = number_of(u, "idle_s"),
	    sleeps_s = number_of(u, "sleeps_in_s");
	double backoff_s = number_of(u, "backoff_s");

	print_line(f, "state", "%s%s%s%s%s%s", text_of(u, "state"), queue_text(u, queue),
	    since_s >= 0 ? " for " : "", since_s >= 0 ? cli_text_ms(since_s * 1000, since) : "",
	    backoff_s > 0 ? ", may be tried again in " : "",
	    backoff_s > 0 ? cli_text_ms(backoff_s * 1000, backoff) : "");
	if (idle_s >= 0 || sleeps_s >= 0)
		print_line(f, "idle", "%s%s%s", cli_text_ms(idle_s < 0 ? -1 : idle_s * 1000, idle),
		    sleeps_s >= 0 ? ", sleeps in " : "",
		    sleeps_s >= 0 ? cli_text_ms(sleeps_s * 1000, sleeps) : "");
}

static void
show_policy(FILE *f, const json_t *p)
{
	static const struct {
		const char *key, *label;
	} times[] = { { "idle_ms", "idle" }, { "hold_ms", "hold" }, { "min_up_ms", "min-up" },
		{ "unused_after_ms", "unused-after" } };
	char text[512] = "", ms[CLI_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		double v = number_of(p, times[i].key);

		if (v >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
			    used > 0 ? ", " : "", times[i].label, cli_text_ms(v, ms));
	}
	if (text_of(p, "ready")[0] != '\0')
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sready %.64s",
		    used > 0 ? ", " : "", text_of(p, "ready"));
	if (text_of(p, "sleep")[0] != '\0')
		snprintf(text + used, sizeof(text) - used, "%ssleep %.64s%s", used > 0 ? ", " : "",
		    text_of(p, "sleep"),
		    json_is_true(json_object_get(p, "save_failed")) ?
			" (it cannot be saved: stop)" : "");
	print_line(f, "policy", "%s", text);
}

/* The legs of a wake, in the order in which they happen. */
static void
show_durations(FILE *f, const json_t *steps)
{
	static const char *const legs[] = { "spawn", "alive", "ready", "answer" };
	char text[256] = "", ms[CLI_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < sizeof(legs) / sizeof(legs[0]); i++) {
		double us = number_of(steps, legs[i]);

		if (us >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
			    used > 0 ? ", " : "", legs[i], cli_text_ms(us / 1000, ms));
	}
	if (used > 0)
		print_line(f, "durations", "%s", text);
}

static void
show_history(FILE *f, const json_t *u)
{
	double boots = number_of(u, "boots"), last = number_of(u, "last_boot_ms"),
	    crashes = number_of(u, "crashes");
	double failures = number_of(u, "failures"), queries = number_of(u, "queries");
	char ms[CLI_TEXT];

	if (boots >= 0)
		print_line(f, "boots", "%.0f%s%s%s", boots,
		    boots > 0 && last >= 0 ? " (the last took " : "",
		    boots > 0 && last >= 0 ? cli_text_ms(last, ms) : "",
		    boots > 0 && last >= 0 ? ")" : "");
	if (crashes >= 0 || failures >= 0)
		print_line(f, "trouble", "%.0f crashes, %.0f failed boots in a row",
		    crashes > 0 ? crashes : 0, failures > 0 ? failures : 0);
	show_durations(f, json_object_get(u, "durations_us"));
	if (queries >= 0)
		print_line(f, "queries", "%.0f", queries);
}

bool
cli_print_show(FILE *f, const json_t *u)
{
	double memory = number_of(u, "memory"), pid = number_of(u, "pid"),
	    domid = number_of(u, "domid"), line = number_of(u, "line");
	char buf[1024], bytes[CLI_TEXT];

	if (!json_is_object(u) || text_of(u, "name")[0] == '\0')
		return false;
	print_line(f, "name", "%s", text_of(u, "name"));
	if (text_of(u, "why")[0] != '\0')
		print_line(f, "aside", "its VM is %s and kept aside: %s", text_of(u, "vm"),
		    text_of(u, "why"));
	print_line(f, "aliases", "%s", join(json_object_get(u, "aliases"), buf, sizeof(buf)));
	show_state(f, u);
	print_line(f, "image", "%s%s%s%s%s%s", text_of(u, "image"),
	    text_of(u, "driver")[0] != '\0' ? " (" : "", text_of(u, "driver"),
	    text_of(u, "accel")[0] != '\0' ? ", " : "", text_of(u, "accel"),
	    text_of(u, "driver")[0] != '\0' ? ")" : "");
	print_line(f, "addresses", "%s", join(json_object_get(u, "addresses"), buf, sizeof(buf)));
	print_line(f, "mac", "%s", text_of(u, "mac"));
	print_line(f, "vm", "%s", text_of(u, "uuid"));
	if (pid > 0)
		print_line(f, "pid", "%.0f", pid);
	if (domid > 0)
		print_line(f, "domain", "%.0f", domid);
	if (memory >= 0)
		print_line(f, "memory", "%s", cli_text_bytes((uint64_t)memory, bytes));
	if (number_of(json_object_get(u, "next"), "memory") >= 0)
		print_line(f, "next boot", "image %s, memory %s",
		    text_of(json_object_get(u, "next"), "image"),
		    cli_text_bytes(
			(uint64_t)number_of(json_object_get(u, "next"), "memory"), bytes));
	show_policy(f, json_object_get(u, "policy"));
	show_history(f, u);
	if (line > 0)
		print_line(f, "defined", "%s:%.0f", text_of(u, "file"), line);
	else
		print_line(f, "defined", "%s", text_of(u, "file"));
	if (text_of(u, "last_error")[0] != '\0') {
		fputs("last error\n", f);
		print_block(f, text_of(u, "last_error"), 4);
	}
	if (text_of(u, "console")[0] != '\0') {
		fputs("console\n", f);
		print_block(f, text_of(u, "console"), 4);
	}
	return true;
}

/* ---- destroy, release ---- */

bool
cli_print_destroy(FILE *f, const json_t *data)
{
	if (!json_is_object(data))
		return false;
	print_line(f, "destroyed", "%s (%s)", text_of(data, "uuid"), text_of(data, "name"));
	return true;
}

bool
cli_print_release(FILE *f, const json_t *data)
{
	const char *unit = text_of(data, "unit");

	if (!json_is_object(data))
		return false;
	print_line(f, "released", "%s of %s%s%s%s", text_of(data, "address"),
	    text_of(data, "owner"), unit[0] != '\0' ? " (" : "", unit,
	    unit[0] != '\0' ? " has it now)" : "");
	return true;
}

/* ---- wake, sleep, console, reload ---- */

bool
cli_print_wake(FILE *f, const json_t *data)
{
	char addrs[1024], ms[CLI_TEXT], line[2048], text[2048];
	double boot = number_of(data, "boot_ms");

	if (!json_is_object(data))
		return false;
	/* join returns the buffer */
	(void)join(json_object_get(data, "addresses"), addrs, sizeof(addrs));
	snprintf(line, sizeof(line), "%s is %s%s%s%s%s", text_of(data, "name"),
	    text_of(data, "state"), addrs[0] != '\0' ? " at " : "", addrs,
	    boot > 0 ? ", after " : "", boot > 0 ? cli_text_ms(boot, ms) : "");
	cli_text_safe(text, sizeof(text), line, strlen(line));
	fprintf(f, "%s\n", text);
	return true;
}

bool
cli_print_sleep(FILE *f, const json_t *data)
{
	return cli_print_wake(f, data);
}

bool
cli_print_console(FILE *f, const json_t *data)
{
	if (!json_is_object(data))
		return false;
	print_block(f, text_of(data, "text"), 0);
	return true;
}

bool
cli_print_reload(FILE *f, const json_t *data)
{
	double zones = number_of(data, "zones"), units = number_of(data, "units"),
	    old = number_of(data, "old"), failed = number_of(data, "failed");
	const json_t *warning;
	size_t i;

	if (!json_is_object(data))
		return false;
	zones = zones > 0 ? zones : 0;
	units = units > 0 ? units : 0;
	old = old > 0 ? old : 0;
	failed = failed > 0 ? failed : 0;
	if (old + failed > 0)
		fprintf(f,
		    "reloaded: %.0f of %.0f zones, %.0f units; %.0f zones keep their old contents, "
		    "%.0f are not served\n",
		    zones - old - failed, zones, units, old, failed);
	else
		fprintf(f, "reloaded: %.0f zones, %.0f units\n", zones, units);
	json_array_foreach(json_object_get(data, "warnings"), i, warning)
		print_block(f, json_is_string(warning) ? json_string_value(warning) : "", 0);
	return true;
}

/* ---- status ---- */

static void
status_zones(FILE *f, const json_t *zones)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "ZONE", false, "name", cell_text },
		{ "STATE", false, "state", cell_text },
		{ "SERIAL", true, "serial", cell_number },
		{ "UNITS", true, "units", cell_number },
		{ "FILE", false, "file", cell_text },
		{ "ERROR", false, "error", cell_text },
	};

	if (json_array_size(zones) == 0)
		return;
	fputc('\n', f);
	(void)print_rows(f, zones, fields);   /* what is no object is an empty row */
}

static void
status_children(FILE *f, const json_t *children)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "PROCESS", false, "name", cell_text },
		{ "PID", true, "pid", cell_number },
		{ "RESTARTS", true, "restarts", cell_number },
	};

	if (json_array_size(children) == 0)
		return;
	fputc('\n', f);
	(void)print_rows(f, children, fields);   /* what is no object is an empty row */
}

/*
 * Counters, one row each; an object among them (rcodes) gives rows of its own, for what has
 * happened at all.
 */
static void
counter_rows(struct cli_table *t, const char *prefix, json_t *counters)
{
	const char *key;
	json_t *v;

	json_object_foreach(counters, key, v) {
		if (json_is_object(v)) {
			if (prefix[0] == '\0')
				counter_rows(t, key, v);
			continue;
		}
		if (prefix[0] != '\0' && json_is_number(v) && json_number_value(v) == 0)
			continue;
		cli_table_cell(t, 0, "%s%s%s", prefix, prefix[0] != '\0' ? " " : "", key);
		if (json_is_number(v))
			cli_table_cell(t, 1, "%.0f", json_number_value(v));
		cli_table_row(t);
	}
}

static void
status_counters(FILE *f, json_t *counters)
{
	static const struct cli_column columns[] = { { "COUNTER", false }, { "VALUE", true },
		{ NULL, false } };
	struct cli_table *t;

	if (json_object_size(counters) == 0)
		return;
	t = cli_table_new(columns);
	counter_rows(t, "", counters);
	fputc('\n', f);
	cli_table_print(t, f);
	cli_table_free(t);
}

static void
status_limits(FILE *f, json_t *limits)
{
	static const struct cli_column columns[] = { { "LIMIT", false }, { "USED", true },
		{ "MOST", true }, { NULL, false } };
	struct cli_table *t;
	const char *key;
	char text[CLI_TEXT];
	json_t *v;

	if (json_object_size(limits) == 0)
		return;
	t = cli_table_new(columns);
	json_object_foreach(limits, key, v) {
		bool memory = strstr(key, "memory") != NULL;
		double used = number_of(v, "used"), most = number_of(v, "most");

		cli_table_cell(t, 0, "%s", key);
		if (memory && used >= 0)
			cli_table_cell(t, 1, "%s", cli_text_bytes((uint64_t)used, text));
		else
			cell_number(t, 1, v, "used");
		if (memory && most >= 0)
			cli_table_cell(t, 2, "%s", cli_text_bytes((uint64_t)most, text));
		else
			cell_number(t, 2, v, "most");
		cli_table_row(t);
	}
	fputc('\n', f);
	cli_table_print(t, f);
	cli_table_free(t);
}

/* The last reload, which may have been SIGHUP's: that one got no answer. */
static void
status_reload(FILE *f, const json_t *reload)
{
	char stamp[CLI_TEXT];

	if (date_text(number_of(reload, "time"), stamp)[0] == '\0')
		return;
	print_line(f, "last reload", "%s, by %s: %s%s%s", stamp, text_of(reload, "by"),
	    json_is_true(json_object_get(reload, "refused")) ? "REFUSED, nothing was changed" :
	    "loaded",
	    json_is_string(json_object_get(reload, "error")) ? ": " : "",
	    json_is_string(json_object_get(reload, "error")) ? text_of(reload, "error") : "");
}

bool
cli_print_status(FILE *f, const json_t *data)
{
	double up = number_of(data, "uptime_s"), pid = number_of(data, "pid"),
	    anew = number_of(data, "zones_read"), from_disk = number_of(data, "zones_from_disk"),
	    failed = number_of(data, "zones_failed"), old = number_of(data, "zones_old");
	char ms[CLI_TEXT];

	if (!json_is_object(data))
		return false;
	print_line(f, "version", "%s", text_of(data, "version"));
	if (pid > 0)
		print_line(f, "pid", "%.0f", pid);
	if (up >= 0)
		print_line(f, "uptime", "%s", cli_text_ms(up * 1000, ms));
	if (anew >= 0 && from_disk >= 0)
		print_line(
		    f, "last load", "%.0f zones read anew, %.0f found compiled", anew, from_disk);
	status_reload(f, json_object_get(data, "reload"));
	if (failed > 0 || old > 0)
		print_line(f, "bad zones",
		    "%.0f NOT SERVED, %.0f with old contents (see ERROR below)",
		    failed > 0 ? failed : 0, old > 0 ? old : 0);
	print_line(f, "state", "%s", text_of(data, "state"));
	if (number_of(data, "refused_units") > 0)
		print_line(f, "refused",
		    "%.0f units NOT WOKEN, since their addresses are held (`jitsu held`)",
		    number_of(data, "refused_units"));
	if (json_array_size(json_object_get(data, "aside")) > 0)
		print_line(f, "aside", "%zu VMs KEPT ASIDE (`jitsu aside` says why)",
		    json_array_size(json_object_get(data, "aside")));
	status_zones(f, json_object_get(data, "zones"));
	status_children(f, json_object_get(data, "children"));
	status_counters(f, json_object_get(data, "counters"));
	status_limits(f, json_object_get(data, "limits"));
	return true;
}

/* ---- events ---- */

struct cli_table *
cli_events_new(void)
{
	static const struct cli_column columns[] = { { "TIME", false }, { "UNIT", false },
		{ "EVENT", false }, { "SPAWN", true }, { "ALIVE", true }, { "READY", true },
		{ "ANSWER", true }, { "TEXT", false }, { NULL, false } };

	return cli_table_new(columns);
}

static bool
event_row(struct cli_table *t, const json_t *ev)
{
	static const char *const steps[] = { "spawn", "alive", "ready", "answer" };
	double when = number_of(ev, "time");
	char stamp[CLI_TEXT];

	if (!json_is_object(ev))
		return false;
	if (date_text(when, stamp)[0] != '\0')
		cli_table_cell(t, 0, "%s.%03d", stamp, (int)((when - (double)(time_t)when) * 1000));
	cli_table_cell(t, 1, "%s", text_of(ev, "unit"));
	cli_table_cell(t, 2, "%s", text_of(ev, "kind"));
	for (unsigned i = 0; i < 4; i++)
		cell_time(t, 3 + i, json_object_get(ev, "durations_us"), steps[i], 0.001);
	cli_table_cell(t, 7, "%s", text_of(ev, "text"));
	cli_table_row(t);
	return true;
}

bool
cli_events_print(struct cli_table *t, FILE *f, const json_t *data)
{
	const json_t *ev;
	bool ok = true;
	size_t i;

	if (json_is_array(data))
		json_array_foreach(data, i, ev)
			ok = event_row(t, ev) && ok;
	else
		ok = event_row(t, data);
	cli_table_print(t, f);
	return ok;
}
