/* readconfig: arguments as a file for -readconfig (QEMU: util/qemu-config.c, softmmu/vl.c). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vm/qemu/args.h"

/* A line is read into 1,024 bytes, of which the value's name and quotes need some. */
#define VALUE_MOST 900
#define WORD_MOST 63

/* How the value of an option becomes lines of a group. */
enum how {
	NOTHING,                   /* the process has it already */
	WHOLE,                     /* it is the value of `first` */
	LIST,                      /* KEY=VALUE,...; the first may lack its key, which is `first` */
	GLOBAL                     /* DRIVER.PROPERTY=VALUE */
};

static const struct {
	const char *option;
	enum how how;
	const char *group, *first;
} rows[] = {
	{ "-uuid", NOTHING, NULL, NULL }, { "-cpu", NOTHING, NULL, NULL },
	{ "-display", NOTHING, NULL, NULL }, { "-sandbox", NOTHING, NULL, NULL },
	{ "-action", NOTHING, NULL, NULL }, { "-chardev", NOTHING, NULL, NULL },
	{ "-mon", NOTHING, NULL, NULL },
	{ "-name", LIST, "name", "guest" }, { "-machine", LIST, "machine", "type" },
	{ "-bios", WHOLE, "machine", "firmware" }, { "-global", GLOBAL, "global", NULL },
	{ "-accel", LIST, "accel", "accel" }, { "-m", WHOLE, "memory", "size" },
	{ "-smp", LIST, "smp-opts", "cpus" }, { "-kernel", WHOLE, "machine", "kernel" },
	{ "-initrd", WHOLE, "machine", "initrd" }, { "-append", WHOLE, "machine", "append" },
	{ "-netdev", LIST, "netdev", "type" }, { "-device", LIST, "device", "driver" },
	{ "-drive", LIST, "drive", "file" },
};

static const char *const alone[] = { "-nodefaults", "-no-user-config", "-no-reboot" };
#define CONSOLE_DEVICE "isa-serial,"   /* the process has it already, too */

struct writer {
	char *text;
	size_t len, room;
	bool bad;                  /* something cannot be said */
};

static void __attribute__((format(printf, 2, 3)))
put(struct writer *w, const char *fmt, ...)
{
	char line[VALUE_MOST + 2 * WORD_MOST + 16];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	w->bad = w->bad || n < 0 || (size_t)n >= sizeof(line);
	for (int i = 0; i < n && !w->bad; i++) {
		w->text = mem_room(w->text, w->len + 1, &w->room, 1);
		w->text[w->len++] = line[i];
	}
	if (w->text != NULL)
		w->text[w->len] = '\0';
}

/* Nothing is escaped in such a file. */
static void
put_value(struct writer *w, const char *key, const char *value)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++)
		w->bad = w->bad || value[i] == '"' || (unsigned char)value[i] < ' ';
	w->bad = w->bad || len > VALUE_MOST || strlen(key) > WORD_MOST || key[0] == '\0';
	if (!w->bad)
		put(w, "  %s = \"%s\"\n", key, value);
}

/* The next of KEY=VALUE,... with commas as they are meant; false: there is none, or too long. */
static bool
list_next(const char **at, char *item, size_t size)
{
	const char *p = *at;
	size_t n = 0;

	if (*p == '\0')
		return false;
	for (; *p != '\0' && (*p != ',' || p[1] == ','); p++) {
		if (n + 1 < size)
			item[n] = *p;
		n++;
		p += *p == ',';
	}
	if (n >= size)
		return false;
	item[n] = '\0';
	*at = *p == ',' ? p + 1 : p;
	return true;
}

/* The id goes into the head, and must be found first. */
static void
put_list(struct writer *w, const char *group, const char *first, const char *value)
{
	char item[VALUE_MOST + WORD_MOST + 2], id[WORD_MOST + 1] = "";
	const char *at = value;
	bool is_first = true;

	while (list_next(&at, item, sizeof(item)))
		if (strncmp(item, "id=", 3) == 0)
			snprintf(id, sizeof(id), "%.*s", WORD_MOST, item + 3);
	if (id[0] != '\0')
		put(w, "[%s \"%s\"]\n", group, id);
	else
		put(w, "[%s]\n", group);
	for (at = value; list_next(&at, item, sizeof(item)); is_first = false) {
		char *equals = strchr(item, '=');

		if (strncmp(item, "id=", 3) == 0)
			continue;
		if (equals != NULL)
			*equals = '\0';
		w->bad = w->bad || (equals == NULL && !is_first);
		put_value(w, equals != NULL ? item : first, equals != NULL ? equals + 1 : item);
	}
	w->bad = w->bad || *at != '\0';
}

static void
put_global(struct writer *w, const char *value)
{
	char text[3 * WORD_MOST], *dot, *equals;

	snprintf(text, sizeof(text), "%s", value);
	dot = strchr(text, '.');
	equals = dot != NULL ? strchr(dot, '=') : NULL;
	if (equals == NULL) {
		w->bad = true;
		return;
	}
	*dot = *equals = '\0';
	put(w, "[global]\n");
	put_value(w, "driver", text);
	put_value(w, "property", dot + 1);
	put_value(w, "value", equals + 1);
}

static void
put_option(struct writer *w, const char *option, const char *value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(option, rows[i].option) != 0)
			continue;
		if (rows[i].how == WHOLE) {
			put(w, "[%s]\n", rows[i].group);
			put_value(w, rows[i].first, value);
		} else if (rows[i].how == LIST) {
			put_list(w, rows[i].group, rows[i].first, value);
		} else if (rows[i].how == GLOBAL) {
			put_global(w, value);
		}
		return;
	}
	w->bad = true;
}

char *
qemu_args_config(const struct qemu_args *args)
{
	struct writer w = { .text = NULL };

	for (size_t i = 1; i < args->n && !w.bad; i++) {
		const char *option = args->argv[i], *value = args->argv[i + 1];
		bool is_alone = false;

		for (size_t k = 0; k < sizeof(alone) / sizeof(alone[0]); k++)
			is_alone = is_alone || strcmp(option, alone[k]) == 0;
		if (is_alone)
			continue;
		i++;
		if (value == NULL)
			w.bad = true;
		else if (strcmp(option, "-device") != 0 ||
		    strncmp(value, CONSOLE_DEVICE, strlen(CONSOLE_DEVICE)) != 0)
			put_option(&w, option, value);
	}
	if (!w.bad)
		return w.text;
	free(w.text);
	return NULL;
}
