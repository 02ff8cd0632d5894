/* build: from raw sections to values, and the checks that concern one section or the top level. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "src/config/config.h"
#include "src/config/impl.h"

#define DEFAULT_BOOTS_LEAST 4u

const char *
config_path(struct config_loader *l, const char *text)
{
	const char *path;

	if (text[0] == '/')
		path = arena_strdup(&l->arena, text);
	else
		path = arena_printf(&l->arena, "%s%s%s", l->conf->dir, strcmp(l->conf->dir, "/") == 0 ? "" : "/", text);
	l->nomem |= path == NULL;
	return path;
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
	unsigned row = option_row(option_find(raw->section, name, strlen(name)));

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
		*(uint64_t *)field = number;
		break;
	default:
		*(unsigned *)field = (unsigned)number;
		break;
	}
}

static void
store_one(struct config_loader *l, const struct config_option *o, const char *text, unsigned line, void *field)
{
	uint64_t number;

	if (o->type <= OPTION_PERCENT) {
		/* The text was checked when it was read; defaults are checked by a test. */
		if (option_parse(o, text, &number, NULL) == ERR_OK)
			store_number(o, number, field);
		return;
	}
	if (o->type == OPTION_PATH && (o->flags & OPTION_TEMPLATE) == 0 && strchr(text, '{') != NULL)
		config_found(l, line, "%s: \"%.200s\": placeholders are not filled in here", o->name, text);
	*(const char **)field = o->type == OPTION_PATH ? config_path(l, text) : arena_strdup(&l->arena, text);
	l->nomem |= *(const char **)field == NULL;
}

/* A list's default: its items with spaces between. */
static void
store_default_list(struct config_loader *l, const char *def, struct config_list *list)
{
	char item[64];

	while (*def != '\0') {
		size_t len = strcspn(def, " ");

		snprintf(item, sizeof(item), "%.*s", (int)len, def);
		l->nomem |= !config_list_add(&l->arena, list, item, 0);
		def += len + (def[len] == ' ');
	}
}

static void
store_option(struct config_loader *l, struct config_raw *raw, const struct config_option *o, void *field, unsigned *line)
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
			config_found(l, list->lines[o->most], "%s: \"%.200s\" is number %u; at most %u items are accepted", o->name,
			    list->items[o->most], (unsigned)o->most + 1, (unsigned)o->most);
		if (list->n < o->least && !raw->bad)
			config_found(l, raw->line, "%s: the list is empty; at least %u is needed", o->name, (unsigned)o->least);
		return;
	}
	if (value != NULL && value->n > 0)
		store_one(l, o, value->items[0], value->lines[0], field);
	else if (o->def != NULL)
		store_one(l, o, o->def, 0, field);
	else if ((o->flags & OPTION_REQUIRED) != 0 && !raw->bad)
		config_found(l, raw->line, "%s \"%s\" has no %s, which is needed", option_section_name(o->section), raw->title, o->name);
}

void
config_store(struct config_loader *l, struct config_raw *raw, enum option_section section, void *base, unsigned *lines)
{
	for (unsigned i = 0; i < options_count && !l->nomem; i++) {
		unsigned line;

		if (options[i].section != section)
			continue;
		store_option(l, raw, &options[i], (char *)base + options[i].offset, &line);
		if (lines != NULL)
			lines[option_row(&options[i])] = line;
	}
}

static void
build_listen(struct config_loader *l)
{
	struct config *c = l->conf;

	c->listen = arena_array(&l->arena, c->listen_text.n, sizeof(*c->listen));
	if (c->listen == NULL) {
		l->nomem = true;
		return;
	}
	for (unsigned i = 0; i < c->listen_text.n; i++) {
		struct config_listen *listen = &c->listen[c->nlisten];

		listen->port = (uint16_t)c->port;
		if (!addr_parse_listen(c->listen_text.items[i], &listen->addr, &listen->port))
			continue;
		for (unsigned j = 0; j < c->nlisten; j++) {
			if (addr_cmp(&listen->addr, &c->listen[j].addr) == 0 && listen->port == c->listen[j].port)
				config_found(l, c->listen_text.lines[i], "listen: \"%s\" stands there twice", c->listen_text.items[i]);
		}
		c->nlisten++;
	}
}

static void
build_proxies(struct config_loader *l)
{
	struct config *c = l->conf;

	c->proxies = arena_array(&l->arena, c->proxies_text.n, sizeof(*c->proxies));
	if (c->proxies == NULL) {
		l->nomem = true;
		return;
	}
	for (unsigned i = 0; i < c->proxies_text.n; i++)
		if (addr_parse_range(c->proxies_text.items[i], &c->proxies[c->nproxies]))   /* else it was reported when it was read */
			c->nproxies++;
}

static unsigned
cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)n;
}

/* What `auto` means on this machine. */
static void
resolve_auto(struct config *c)
{
	struct sysinfo si;

	if (c->workers == OPTION_AUTO_32 || c->workers == 0)
		c->workers = cores();
	if (c->limits.boots == OPTION_AUTO_32)
		c->limits.boots = cores() * 2 > DEFAULT_BOOTS_LEAST ? cores() * 2 : DEFAULT_BOOTS_LEAST;
	if (c->limits.memory_bytes == OPTION_AUTO_64) {
		c->limits.memory_bytes = 1ull << 30;
		if (sysinfo(&si) == 0)
			c->limits.memory_bytes = (uint64_t)si.totalram * si.mem_unit / 4 * 3;
		/* Whole KiB, so that it can be written down. */
		c->limits.memory_bytes &= ~(uint64_t)1023;
	}
}

static void
check_top(struct config_loader *l, struct config_raw *top)
{
	struct config *c = l->conf;

	if (c->control == NULL) {
		c->control = arena_printf(&l->arena, "%s/control", c->run_dir);
		l->nomem |= c->control == NULL;
	} else if (strlen(c->control) > 107) {
		config_found(l, config_line(top, "control"), "control: \"%s\": the address of a UNIX socket has at most 107 characters", c->control);
	}
	if (strlen(c->run_dir) > 59)
		config_found(l, config_line(top, "run-dir"), "run-dir: \"%s\" is too long: at most 59 characters, since the sockets' "
		    "paths begin with it", c->run_dir);
	if (c->limits.held_per_unit > c->limits.held_total)
		config_found(l, c->limits_lines[option_row(option_find(OPTION_LIMITS, "held-per-unit", 13))],
		    "held-per-unit: %u is more than held-total, which is %u", c->limits.held_per_unit, c->limits.held_total);
}

void
config_build(struct config_loader *l)
{
	struct config *c = l->conf;
	struct config_raw none_top = { .section = OPTION_TOP, .line = 1 }, none_limits = { .section = OPTION_LIMITS, .line = 1 };
	struct config_raw *top = l->single[OPTION_TOP] != NULL ? l->single[OPTION_TOP] : &none_top;

	assert(c != NULL);   /* the loader made it; for the analyzer */
	config_store(l, top, OPTION_TOP, c, c->lines);
	config_store(l, l->single[OPTION_LIMITS] != NULL ? l->single[OPTION_LIMITS] : &none_limits, OPTION_LIMITS, &c->limits, c->limits_lines);
	if (l->nomem)
		return;
	build_listen(l);
	build_proxies(l);
	resolve_auto(c);
	check_top(l, top);
	config_build_networks(l);
	if (!l->nomem)
		config_build_images(l);
	if (!l->nomem)
		config_build_zones(l);
}
