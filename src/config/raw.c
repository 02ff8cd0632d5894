/* raw: what the builders share: findings, raw sections, and their options stored as values. */
#include <string.h>

#include "src/config/impl.h"

void
config_found(struct config_loader *l, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)report_vadd(l->report, l->file, line, fmt, ap);   /* always ERR_PARSE */
	va_end(ap);
}

void
config_list_add(struct arena *a, struct config_list *list, const char *text, unsigned line)
{
	unsigned n = list->n;

	if ((n & (n - 1)) == 0) {
		const char **items = arena_array(a, n == 0 ? 1 : 2 * n, sizeof(*items));
		unsigned *lines = arena_array(a, n == 0 ? 1 : 2 * n, sizeof(*lines));

		for (unsigned i = 0; i < n; i++) {
			items[i] = list->items[i];
			lines[i] = list->lines[i];
		}
		list->items = items;
		list->lines = lines;
	}
	list->items[n] = arena_strdup(a, text);
	list->lines[n] = line;
	list->n++;
}

void
config_check_title(struct config_loader *l, const struct config_raw *raw)
{
	static const struct config_option title = { .type = OPTION_NAME, .least = 1, .most = 63 };
	struct errmsg m;
	uint64_t unused;

	if (option_parse(&title, raw->title, &unused, &m) != ERR_OK)
		config_found(l, raw->line, "title of section %s: %s",
		    option_section_name(raw->section), m.text);
}

const char *
config_path(struct config_loader *l, const char *text)
{
	const char *dir = l->conf->dir;

	if (text[0] == '/')
		return arena_strdup(&l->arena, text);
	return arena_printf(&l->arena, "%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/", text);
}

unsigned
config_count(const struct config_loader *l, enum option_section section)
{
	unsigned n = 0;

	for (const struct config_raw *raw = l->raws; raw != NULL; raw = raw->next)
		n += raw->section == section;
	return n;
}

unsigned
config_line(const struct config_raw *raw, const char *name)
{
	unsigned row = option_row_named(raw->section, name);

	return raw->values[row].n > 0 ? raw->values[row].lines[0] : raw->line;
}

static void
store_number(const struct config_option *o, uint64_t number, void *field)
{
	switch (o->type) {
	case OPTION_BOOL:
		*(bool *)field = number != 0;
		break;
	case OPTION_DURATION:
		*(uint32_t *)field = (uint32_t)number;
		break;
	case OPTION_SIZE:
	case OPTION_RATE:
		*(uint64_t *)field = number;
		break;
	default:
		*(unsigned *)field = (unsigned)number;
		break;
	}
}

static void
store_one(struct config_loader *l, const struct config_option *o, const char *text, unsigned line,
    void *field)
{
	uint64_t number;

	if (o->type <= OPTION_PERCENT) {
		/* The text was checked when it was read; defaults are checked by a test. */
		if (option_parse(o, text, &number, NULL) == ERR_OK)
			store_number(o, number, field);
		return;
	}
	if (o->type == OPTION_PATH && (o->flags & OPTION_TEMPLATE) == 0 &&
	    strchr(text, '{') != NULL)
		config_found(
		    l, line, "%s: \"%.200s\": placeholders are not filled in here", o->name, text);
	*(const char **)field = o->type == OPTION_PATH ? config_path(l, text) :
	    arena_strdup(&l->arena, text);
}

/* A list's default: its items with spaces between. */
static void
store_default_list(struct config_loader *l, const char *def, struct config_list *list)
{
	while (*def != '\0') {
		size_t len = strcspn(def, " ");

		config_list_add(&l->arena, list, arena_strndup(&l->scratch, def, len), 0);
		def += len + (def[len] == ' ');
	}
}

static void
store_option(struct config_loader *l, struct config_raw *raw, const struct config_option *o,
    void *field, unsigned *line)
{
	unsigned row = option_row(o);
	const struct config_list *value = raw->set[row] ? &raw->values[row] : NULL;

	*line = value == NULL || value->n == 0 ? 0 : value->lines[0];
	if ((o->flags & OPTION_LIST) != 0) {
		struct config_list *list = field;

		if (value != NULL)
			*list = *value;
		else if (o->def != NULL)
			store_default_list(l, o->def, list);
		if (list->n > o->most)
			config_found(l, list->lines[o->most],
			    "%s: \"%.200s\" is number %u; at most %u items are accepted", o->name,
			    list->items[o->most], (unsigned)o->most + 1, (unsigned)o->most);
		if (list->n < o->least && !raw->bad)
			config_found(l, raw->line, "%s: the list is empty; at least %u is needed",
			    o->name, (unsigned)o->least);
		return;
	}
	if (value != NULL && value->n > 0)
		store_one(l, o, value->items[0], value->lines[0], field);
	else if (o->def != NULL)
		store_one(l, o, o->def, 0, field);
	else if ((o->flags & OPTION_REQUIRED) != 0 && !raw->bad)
		config_found(l, raw->line, "%s \"%s\" has no %s, which is needed",
		    option_section_name(o->section), raw->title, o->name);
}

void
config_store(struct config_loader *l, struct config_raw *raw, enum option_section section,
    void *base, unsigned *lines)
{
	for (unsigned i = 0; i < options_count; i++) {
		unsigned line;

		if (options[i].section != section)
			continue;
		store_option(l, raw, &options[i], (char *)base + options[i].offset, &line);
		if (lines != NULL)
			lines[option_row(&options[i])] = line;
	}
}
