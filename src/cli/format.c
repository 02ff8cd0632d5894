/* format: the answers of the daemon's verbs as tables and pages. */
#include "src/cli/table.h"

#include <string.h>
#include <time.h>

#include "base/err.h"

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

/* 0 when it is absent, no number, or less. */
static double
count_of(const json_t *obj, const char *key)
{
	double v = number_of(obj, key);

	return v > 0 ? v : 0;
}

/* A time of `unit_ms` milliseconds each, behind `before`; "" when it is absent. */
static const char *
time_of(const json_t *obj, const char *key, double unit_ms, const char *before, char text[CLI_TEXT])
{
	double v = number_of(obj, key);
	char ms[CLI_TEXT];

	text[0] = '\0';
	if (v >= 0)
		snprintf(text, CLI_TEXT, "%s%s", before, cli_text_ms(v * unit_ms, ms));
	return text;
}

/* The strings of an array, joined with ", ". */
static const char *
join(const json_t *array, char *buf, size_t size)
{
	size_t i;
	json_t *item;

	buf[0] = '\0';
	json_array_foreach(array, i, item)
		if (json_is_string(item))
			text_join(buf, size, ", ", "%s", json_string_value(item));
	return buf;
}

/* Lines of text, indented: their ends stay, what else is not printable is escaped. */
static void
print_block(FILE *f, const char *text, int indent)
{
	char part[512];

	while (*text != '\0') {
		size_t len = strcspn(text, "\n"), used = len;

		if (used > 0 && text[used - 1] == '\r')
			used--;
		fprintf(f, "%*s", indent, "");
		for (size_t at = 0; at < used; at += 100) {
			text_show(part, sizeof(part), text + at, used - at < 100 ? used - at : 100);
			fputs(part, f);
		}
		fputc('\n', f);
		text += len + (text[len] == '\n');
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
	text_show(text, sizeof(text), raw, strlen(raw));
	fprintf(f, "%-*s%s\n", LABEL, label, text);
}

static const char *
standby_text(const json_t *u)
{
	return json_is_true(json_object_get(u, "standby")) ? " (standby)" : "";
}

/* What a unit waits for before its boot, and its place in the queue; "" when for nothing. */
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

/* How a member of an object is shown; one that is absent, or of another type, is "". */
enum kind { TEXT, TEXTS, STATE, NUMBER, BYTES, MS, SECONDS, US, DATE };

/* A column, and which member of an object stands in it. */
struct field {
	const char *title;
	bool right;
	const char *key;
	enum kind kind;
};

#define FIELDS_MOST 11   /* with the end */
#define VALUE 1024       /* longer ones are cut */

static const char *
value_of(const json_t *obj, const char *key, enum kind kind, char text[VALUE])
{
	double v = number_of(obj, key);
	char queue[CLI_TEXT];

	text[0] = '\0';
	switch (kind) {
	case TEXT:
		return text_of(obj, key);
	case TEXTS:
		return join(json_object_get(obj, key), text, VALUE);
	case STATE:
		snprintf(text, VALUE, "%s%s%s%s", text_of(obj, key), standby_text(obj),
		    queue_text(obj, queue),
		    text_of(obj, "conflict")[0] != '\0' ? " (conflict)" : "");
		break;
	case NUMBER:
		if (v >= 0)
			snprintf(text, VALUE, "%.0f", v);
		break;
	case BYTES:
		return v >= 0 ? cli_text_bytes((uint64_t)v, text) : "";
	case MS:
		return time_of(obj, key, 1, "", text);
	case SECONDS:
		return time_of(obj, key, 1000, "", text);
	case US:
		return time_of(obj, key, 0.001, "", text);
	case DATE:
		return date_text(v, text);
	}
	return text;
}

static void
cell(struct cli_table *t, unsigned column, const json_t *obj, const char *key, enum kind kind)
{
	char text[VALUE];

	cli_table_cell(t, column, "%s", value_of(obj, key, kind, text));
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
			cell(t, c, row, fields[c].key, fields[c].kind);
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
		{ "NAME", false, "name", TEXT },
		{ "STATE", false, "state", STATE },
		{ "IMAGE", false, "image", TEXT },
		{ "DRIVER", false, "driver", TEXT },
		{ "ADDRESSES", false, "addresses", TEXTS },
		{ "MEMORY", true, "memory_now", BYTES },
		{ "BOOTS", true, "boots", NUMBER },
		{ "LAST BOOT", true, "last_boot_ms", MS },
		{ "IDLE", true, "idle_s", SECONDS },
		{ "SLEEPS IN", true, "sleeps_in_s", SECONDS },
	};

	return print_rows(f, data, fields);
}

bool
cli_print_aside(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "NAME", false, "name", TEXT },
		{ "VM", false, "vm", TEXT },
		{ "DRIVER", false, "driver", TEXT },
		{ "UUID", false, "uuid", TEXT },
		{ "WHY", false, "why", TEXT },
	};

	return print_rows(f, data, fields);
}

bool
cli_print_held(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "ADDRESS", false, "address", TEXT },
		{ "OF", false, "owner", TEXT },
		{ "UNTIL", false, "until", DATE },
		{ "REFUSED TO", false, "refused_to", TEXT },
	};

	return print_rows(f, data, fields);
}

static void
show_state(FILE *f, const json_t *u)
{
	char since[CLI_TEXT], idle[CLI_TEXT], sleeps[CLI_TEXT], backoff[CLI_TEXT] = "";
	char queue[CLI_TEXT];

	if (number_of(u, "backoff_s") > 0)
		time_of(u, "backoff_s", 1000, ", may be tried again in ", backoff);
	print_line(f, "state", "%s%s%s%s%s", text_of(u, "state"), standby_text(u),
	    queue_text(u, queue),
	    time_of(u, "since_s", 1000, " for ", since), backoff);
	time_of(u, "idle_s", 1000, "", idle);
	time_of(u, "sleeps_in_s", 1000, ", sleeps in ", sleeps);
	print_line(f, "idle", "%s%s", idle[0] == '\0' && sleeps[0] != '\0' ? "-" : idle, sleeps);
}

/* The members that there are, each behind its label. */
static void
join_values(const json_t *obj, const char *const keys[], const char *const labels[],
    enum kind kind, char *buf, size_t size)
{
	char text[VALUE];

	buf[0] = '\0';
	for (unsigned i = 0; keys[i] != NULL; i++)
		if (value_of(obj, keys[i], kind, text)[0] != '\0')
			text_join(buf, size, ", ", "%s %s", labels[i], text);
}

static void
show_policy(FILE *f, const json_t *p)
{
	static const char *const keys[] = {
		"idle_ms", "hold_ms", "min_up_ms", "unused_after_ms", NULL
	};
	static const char *const labels[] = { "idle", "hold", "min-up", "unused-after" };
	char text[512];

	join_values(p, keys, labels, MS, text, sizeof(text));
	if (text_of(p, "ready")[0] != '\0')
		text_join(text, sizeof(text), ", ", "ready %.64s", text_of(p, "ready"));
	if (text_of(p, "sleep")[0] != '\0')
		text_join(text, sizeof(text), ", ", "sleep %.64s%s", text_of(p, "sleep"),
		    json_is_true(json_object_get(p, "save_failed")) ?
		    " (it cannot be saved: stop)" : "");
	print_line(f, "policy", "%s", text);
}

/* The legs of a wake, in the order in which they happen. */
static const char *const legs[] = { "spawn", "alive", "ready", "answer", NULL };

static void
show_history(FILE *f, const json_t *u)
{
	double boots = number_of(u, "boots");
	char last[CLI_TEXT] = "", durations[256], queries[VALUE];

	if (boots > 0)
		time_of(u, "last_boot_ms", 1, " (the last took ", last);
	if (boots >= 0)
		print_line(f, "boots", "%.0f%s%s", boots, last, last[0] != '\0' ? ")" : "");
	if (number_of(u, "crashes") >= 0 || number_of(u, "failures") >= 0)
		print_line(f, "trouble", "%.0f crashes, %.0f failed boots in a row",
		    count_of(u, "crashes"), count_of(u, "failures"));
	join_values(
	    json_object_get(u, "durations_us"), legs, legs, US, durations, sizeof(durations));
	print_line(f, "durations", "%s", durations);
	print_line(f, "queries", "%s", value_of(u, "queries", NUMBER, queries));
}

/* What it needs: "db.example.test (after ready; is awake)". */
static void
show_needs(FILE *f, const json_t *needs)
{
	char text[VALUE] = "";
	const json_t *need;
	size_t i;

	json_array_foreach(needs, i, need)
		text_join(text, sizeof(text), ", ", "%s (after %s; is %s)", text_of(need, "name"),
		    text_of(need, "after"), text_of(need, "state"));
	print_line(f, "needs", "%s", text);
}

/* A text of several lines below its label; left out when the text is empty. */
static void
show_block(FILE *f, const char *label, const char *text)
{
	if (text[0] == '\0')
		return;
	fprintf(f, "%s\n", label);
	print_block(f, text, 4);
}

/* "16 MiB, takes 18.5 MiB now". */
static void
show_memory(FILE *f, const json_t *u)
{
	char memory[VALUE], now[VALUE];

	value_of(u, "memory", BYTES, memory);
	value_of(u, "memory_now", BYTES, now);
	print_line(f, "memory", "%s%s%s%s", memory, now[0] != '\0' ? ", takes " : "", now,
	    now[0] != '\0' ? " now" : "");
}

bool
cli_print_show(FILE *f, const json_t *u)
{
	double pid = number_of(u, "pid"), domid = number_of(u, "domid");
	const json_t *next = json_object_get(u, "next");
	const char *driver = text_of(u, "driver"), *accel = text_of(u, "accel");
	double line = number_of(u, "line");
	char text[VALUE];

	if (!json_is_object(u) || text_of(u, "name")[0] == '\0')
		return false;
	print_line(f, "name", "%s", text_of(u, "name"));
	if (text_of(u, "why")[0] != '\0')
		print_line(f, "aside", "its VM is %s and kept aside: %s", text_of(u, "vm"),
		    text_of(u, "why"));
	print_line(f, "aliases", "%s", value_of(u, "aliases", TEXTS, text));
	show_state(f, u);
	print_line(f, "woken by", "%s", text_of(u, "woken_by"));
	print_line(f, "conflict", "%s", text_of(u, "conflict"));
	print_line(f, "image", "%s%s%s%s%s%s", text_of(u, "image"), driver[0] != '\0' ? " (" : "",
	    driver, accel[0] != '\0' ? ", " : "", accel, driver[0] != '\0' ? ")" : "");
	print_line(f, "addresses", "%s", value_of(u, "addresses", TEXTS, text));
	print_line(f, "mac", "%s", text_of(u, "mac"));
	print_line(f, "vm", "%s", text_of(u, "uuid"));
	if (pid > 0)
		print_line(f, "pid", "%.0f", pid);
	if (domid > 0)
		print_line(f, "domain", "%.0f", domid);
	show_memory(f, u);
	if (value_of(next, "memory", BYTES, text)[0] != '\0')
		print_line(f, "next boot", "image %s, memory %s", text_of(next, "image"), text);
	show_policy(f, json_object_get(u, "policy"));
	show_needs(f, json_object_get(u, "needs"));
	show_history(f, u);
	if (line > 0)
		print_line(f, "defined", "%s:%.0f", text_of(u, "file"), line);
	else
		print_line(f, "defined", "%s", text_of(u, "file"));
	show_block(f, "last error", text_of(u, "last_error"));
	show_block(f, "console", text_of(u, "console"));
	return true;
}

bool
cli_print_why(FILE *f, const json_t *data)
{
	static const struct field fields[FIELDS_MOST] = {
		{ "REASON", false, "kind", TEXT },
		{ "PEER", false, "peer", TEXT },
		{ "PORT", true, "port", NUMBER },
		{ "BYTES", true, "bytes", BYTES },
		{ "AGO", true, "age_s", SECONDS },
		{ "LEFT", true, "left_s", SECONDS },
		{ "WHAT", false, "what", TEXT },
	};
	char text[2048];

	if (!json_is_object(data) || text_of(data, "text")[0] == '\0')
		return false;
	text_show(text, sizeof(text), text_of(data, "text"), strlen(text_of(data, "text")));
	fprintf(f, "%s\n", text);
	return json_array_size(json_object_get(data, "reasons")) == 0 ||
	    print_rows(f, json_object_get(data, "reasons"), fields);
}

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

bool
cli_print_wake(FILE *f, const json_t *data)
{
	char addrs[1024], after[CLI_TEXT] = "", line[2048], text[2048];

	if (!json_is_object(data))
		return false;
	join(json_object_get(data, "addresses"), addrs, sizeof(addrs));
	if (number_of(data, "boot_ms") > 0)
		time_of(data, "boot_ms", 1, ", after ", after);
	snprintf(line, sizeof(line), "%s is %s%s%s%s", text_of(data, "name"),
	    text_of(data, "state"), addrs[0] != '\0' ? " at " : "", addrs, after);
	text_show(text, sizeof(text), line, strlen(line));
	fprintf(f, "%s\n", text);
	return true;
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
	double zones = count_of(data, "zones"), units = count_of(data, "units");
	double old = count_of(data, "old"), failed = count_of(data, "failed");
	const json_t *warning;
	size_t i;

	if (!json_is_object(data))
		return false;
	if (old + failed > 0)
		fprintf(f,
		    "reloaded: %.0f of %.0f zones, %.0f units; %.0f zones keep their old contents, "
		    "%.0f are not served\n", zones - old - failed, zones, units, old, failed);
	else
		fprintf(f, "reloaded: %.0f zones, %.0f units\n", zones, units);
	json_array_foreach(json_object_get(data, "warnings"), i, warning)
		print_block(f, json_is_string(warning) ? json_string_value(warning) : "", 0);
	return true;
}

static const struct field zone_fields[FIELDS_MOST] = {
	{ "ZONE", false, "name", TEXT },
	{ "STATE", false, "state", TEXT },
	{ "SERIAL", true, "serial", NUMBER },
	{ "UNITS", true, "units", NUMBER },
	{ "FILE", false, "file", TEXT },
	{ "ERROR", false, "error", TEXT },
};

static const struct field child_fields[FIELDS_MOST] = {
	{ "PROCESS", false, "name", TEXT },
	{ "PID", true, "pid", NUMBER },
	{ "RESTARTS", true, "restarts", NUMBER },
};

static void
status_rows(FILE *f, const json_t *rows, const struct field fields[])
{
	if (json_array_size(rows) == 0)
		return;
	fputc('\n', f);
	(void)print_rows(f, rows, fields);   /* what is no object is an empty row */
}

/* Counters, one row each; of an object among them (rcodes) a row for each that is not 0. */
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
status_table(FILE *f, struct cli_table *t)
{
	fputc('\n', f);
	cli_table_print(t, f);
	cli_table_free(t);
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
	status_table(f, t);
}

static void
status_limits(FILE *f, json_t *limits)
{
	static const struct cli_column columns[] = { { "LIMIT", false }, { "USED", true },
		{ "MOST", true }, { NULL, false } };
	struct cli_table *t;
	const char *key;
	json_t *v;

	if (json_object_size(limits) == 0)
		return;
	t = cli_table_new(columns);
	json_object_foreach(limits, key, v) {
		enum kind kind = strstr(key, "memory") != NULL ? BYTES : NUMBER;

		cli_table_cell(t, 0, "%s", key);
		cell(t, 1, v, "used", kind);
		cell(t, 2, v, "most", kind);
		cli_table_row(t);
	}
	status_table(f, t);
}

/* The last reload, which may have been SIGHUP's: that one got no answer. */
static void
status_reload(FILE *f, const json_t *reload)
{
	const char *error = text_of(reload, "error");
	char stamp[CLI_TEXT];

	if (date_text(number_of(reload, "time"), stamp)[0] == '\0')
		return;
	print_line(f, "last reload", "%s, by %s: %s%s%s", stamp, text_of(reload, "by"),
	    json_is_true(json_object_get(reload, "refused")) ? "REFUSED, nothing was changed" :
	    "loaded", error[0] != '\0' ? ": " : "", error);
}

bool
cli_print_status(FILE *f, const json_t *data)
{
	double pid = number_of(data, "pid"), refused = number_of(data, "refused_units");
	double anew = number_of(data, "zones_read"), kept = number_of(data, "zones_from_disk");
	double failed = count_of(data, "zones_failed"), old = count_of(data, "zones_old");
	size_t aside = json_array_size(json_object_get(data, "aside"));
	char up[CLI_TEXT];

	if (!json_is_object(data))
		return false;
	print_line(f, "version", "%s", text_of(data, "version"));
	if (pid > 0)
		print_line(f, "pid", "%.0f", pid);
	print_line(f, "uptime", "%s", time_of(data, "uptime_s", 1000, "", up));
	if (anew >= 0 && kept >= 0)
		print_line(f, "last load", "%.0f zones read anew, %.0f found compiled", anew, kept);
	status_reload(f, json_object_get(data, "reload"));
	if (failed > 0 || old > 0)
		print_line(f, "bad zones",
		    "%.0f NOT SERVED, %.0f with old contents (see ERROR below)", failed, old);
	print_line(f, "state", "%s", text_of(data, "state"));
	if (refused > 0)
		print_line(f, "refused",
		    "%.0f units NOT WOKEN, since their addresses are held (`jitsu held`)", refused);
	if (aside > 0)
		print_line(f, "aside", "%zu VMs KEPT ASIDE (`jitsu aside` says why)", aside);
	status_rows(f, json_object_get(data, "zones"), zone_fields);
	status_rows(f, json_object_get(data, "children"), child_fields);
	status_counters(f, json_object_get(data, "counters"));
	status_limits(f, json_object_get(data, "limits"));
	return true;
}

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
	double when = number_of(ev, "time");
	char stamp[CLI_TEXT];

	if (!json_is_object(ev))
		return false;
	if (date_text(when, stamp)[0] != '\0')
		cli_table_cell(t, 0, "%s.%03d", stamp, (int)((when - (double)(time_t)when) * 1000));
	cell(t, 1, ev, "unit", TEXT);
	cell(t, 2, ev, "kind", TEXT);
	for (unsigned i = 0; legs[i] != NULL; i++)
		cell(t, 3 + i, json_object_get(ev, "durations_us"), legs[i], US);
	cell(t, 7, ev, "text", TEXT);
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
