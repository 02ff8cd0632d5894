/* zone: zone sections, and the zones that a section "*" finds. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/zonefile.h"
#include "src/config/config.h"
#include "src/config/impl.h"

/* A label may be an asterisk (RFC 4592 section 2.1.2), not contain one. */
static bool
is_star(const char *text, size_t len, size_t i)
{
	return text[i] == '*' && len > 1 && (i == 0 || text[i - 1] == '.') &&
	    (i + 1 == len || text[i + 1] == '.');
}

/* Copies an origin in lower case and without its final dot; false: it is no domain name. */
static bool
copy_origin(char *dst, size_t size, const char *text, size_t len)
{
	size_t label = 0;

	if (len == 1 && text[0] == '.') {
		snprintf(dst, size, ".");
		return true;
	}
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > 253 || len >= size)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c != '.' && !isalnum(c) && (c == '\0' || strchr("-_/", c) == NULL) &&
		    !is_star(text, len, i))
			return false;
		if (label == (c == '.' ? 0 : 63))
			return false;
		label = c == '.' ? 0 : label + 1;
		dst[i] = (char)tolower(c);
	}
	dst[len] = '\0';
	return label > 0;
}

static void
build_images(struct config_loader *l, struct config_zone_section *sec)
{
	const struct config_list *text = &sec->images_text;

	sec->images = arena_array(&l->arena, text->n, sizeof(*sec->images));
	for (unsigned i = 0; i < text->n; i++) {
		const struct config_image *im = config_image_find(l->conf, text->items[i]);

		if (im == NULL)
			config_found(
			    l, text->lines[i], "images: there is no image \"%s\"", text->items[i]);
		else
			sec->images[sec->nimages++] = im;
	}
}

static unsigned
stars(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '*';
	return n;
}

static bool
check_glob(struct config_loader *l, const struct config_raw *raw, const char *key, const char *path,
    bool glob)
{
	if (glob ? stars(path) == 1 && stars(strrchr(path, '/')) == 1 : stars(path) == 0)
		return true;
	config_found(l, config_line(raw, key), glob ?
	    "%s: \"%s\": in section zone \"*\", one * is needed, in the file's name; it stands for "
	    "the zone's name" :
	    "%s: \"%s\": a * is accepted only in section zone \"*\"", key, path);
	return false;
}

static bool
build_section(struct config_loader *l, struct config_raw *raw)
{
	struct config_zone_section *sec = &l->conf->sections[l->conf->nsections++];
	char origin[256];
	bool glob = strcmp(raw->title, "*") == 0;

	sec->line = raw->line;
	if (glob) {
		sec->origin = "*";
	} else if (copy_origin(origin, sizeof(origin), raw->title, strlen(raw->title))) {
		sec->origin = arena_strdup(&l->arena, origin);
	} else {
		config_found(l, raw->line,
		    "title of section zone: \"%.200s\" is no domain name; accepted are names such "
		    "as \"example.test\", and \"*\"", raw->title);
		return false;
	}
	config_store(l, raw, OPTION_ZONE, sec, NULL);
	if (raw->bad || sec->file == NULL)
		return false;
	build_images(l, sec);
	if (sec->units != NULL && !check_glob(l, raw, "units", sec->units, glob))
		return false;
	return check_glob(l, raw, "file", sec->file, glob);
}

struct candidate {
	struct config_zone zone;
	unsigned line;                 /* of its section's `file` */
	bool exact;                    /* the file's name spells the origin as it is served */
};

struct zones {
	struct candidate *at;          /* malloc'd */
	unsigned n;
	size_t room;
};

static void
zones_add(struct zones *zs, const struct candidate *c)
{
	zs->at = mem_room(zs->at, zs->n, &zs->room, sizeof(*zs->at));
	zs->at[zs->n++] = *c;
}

static void __attribute__((format(printf, 5, 6)))
stray_add(struct config_loader *l, const char *file, const char *name, unsigned line,
    const char *fmt, ...)
{
	struct config_stray *s = arena_alloc(&l->arena, sizeof(*s));
	struct arena *a = &l->arena;
	char why[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	*s = (struct config_stray){ .next = l->conf->strays, .name = arena_strdup(a, name),
		.file = file, .line = line, .why = arena_strdup(a, why) };
	l->conf->strays = s;
	l->conf->nstrays++;
}

void
config_report_strays(const struct config *conf, struct report *r)
{
	for (const struct config_stray *s = conf->strays; s != NULL; s = s->next)
		(void)report_add(r, conf->path, s->line, "%s", s->why);   /* always ERR_PARSE */
}

/* `pattern` with its star replaced. */
static const char *
fill_star(struct config_loader *l, const char *pattern, const char *text, size_t len)
{
	const char *star = strchr(pattern, '*');

	return arena_printf(
	    &l->arena, "%.*s%.*s%s", (int)(star - pattern), pattern, (int)len, text, star + 1);
}

/* One file of the directory: is it a zone of this section? */
static void
glob_one(struct config_loader *l, struct zones *zs, const struct config_zone_section *sec,
    unsigned line, const char *name)
{
	const char *pattern = strrchr(sec->file, '/') + 1, *star = strchr(pattern, '*');
	size_t head = (size_t)(star - pattern), tail = strlen(star + 1), len = strlen(name);
	struct candidate c = { .line = line, .zone.section = sec };
	char origin[256], shown[1024];

	if (name[0] == '.' || len <= head + tail || memcmp(name, pattern, head) != 0 ||
	    strcmp(name + len - tail, star + 1) != 0)
		return;
	name += head;
	len -= head + tail;
	c.zone.file = fill_star(l, sec->file, name, len);
	if (!copy_origin(origin, sizeof(origin), name, len)) {
		text_escape(shown, sizeof(shown), name, len);
		stray_add(l, c.zone.file, shown, line,
		    "file: the name of \"%.*s%s%s\" matches, but \"%s\" is no domain name; rename "
		    "it or narrow the pattern", (int)head, pattern, shown, star + 1, shown);
		return;
	}
	c.exact = strlen(origin) == len && memcmp(origin, name, len) == 0;
	c.zone.origin = arena_strdup(&l->arena, origin);
	c.zone.units = sec->units == NULL ? NULL : fill_star(l, sec->units, name, len);
	zones_add(zs, &c);
}

static void
glob_section(
    struct config_loader *l, struct zones *zs, const struct config_zone_section *sec, unsigned line)
{
	size_t len = (size_t)(strrchr(sec->file, '/') - sec->file);
	char *dir = arena_strndup(&l->arena, sec->file, len == 0 ? 1 : len);
	struct dirent *entry;
	struct errmsg m = { .text = "" };
	int fd = zonefile_open_dir(dir, &m);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		config_found(l, line, "file: \"%s\": the directory cannot be read: it %s",
		    sec->file, m.text);
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL)
		glob_one(l, zs, sec, line, entry->d_name);
	closedir(d);
}

/*
 * By origin; a section of its own comes before a match, of matches the section that stands first,
 * and in its directory the file whose name is spelt as the zone is served.
 */
static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = strcmp(x->zone.origin, y->zone.origin);

	if (order == 0)
		order = (x->zone.section->origin[0] == '*') - (y->zone.section->origin[0] == '*');
	if (order == 0)
		order = (x->zone.section > y->zone.section) - (x->zone.section < y->zone.section);
	if (order == 0)
		order = y->exact - x->exact;
	return order != 0 ? order : strcmp(x->zone.file, y->zone.file);
}

/* Two of a kind have this name. */
static void
not_twice(struct config_loader *l, const struct config_zone *first, const struct candidate *again)
{
	if (again->zone.section->origin[0] != '*')
		config_found(l, again->zone.section->line,
		    "zone \"%s\" comes from \"%s\" and from \"%s\"", first->origin, first->file,
		    again->zone.file);
	else
		stray_add(l, again->zone.file, first->origin, again->line,
		    "file: zone \"%s\" comes from \"%s\", and \"%s\", which has the same name, is "
		    "left out; remove one of them", first->origin, first->file, again->zone.file);
}

/* Sorts, lets sections win over matches, and reports names that two of a kind have. */
static void
merge(struct config_loader *l, struct zones *zs)
{
	struct config *c = l->conf;

	if (zs->n > 0)
		qsort(zs->at, zs->n, sizeof(*zs->at), compare);
	c->zones = arena_array(&l->arena, zs->n, sizeof(*c->zones));
	for (unsigned i = 0; i < zs->n; i++) {
		const struct candidate *z = &zs->at[i];
		unsigned n = c->nzones;

		if (n == 0 || strcmp(c->zones[n - 1].origin, z->zone.origin) != 0) {
			c->zones[c->nzones] = z->zone;
			c->zones[c->nzones].index = c->nzones;
			c->nzones++;
		} else if ((c->zones[n - 1].section->origin[0] == '*') ==
		    (z->zone.section->origin[0] == '*')) {
			not_twice(l, &c->zones[n - 1], z);
		}
	}
}

void
config_build_zones(struct config_loader *l)
{
	struct zones zs = { 0 };

	l->conf->sections = arena_array(
	    &l->arena, config_count(l, OPTION_ZONE), sizeof(*l->conf->sections));
	for (struct config_raw *raw = l->raws; raw != NULL; raw = raw->next) {
		const struct config_zone_section *sec = &l->conf->sections[l->conf->nsections];

		if (raw->section != OPTION_ZONE || !build_section(l, raw))
			continue;
		if (strcmp(sec->origin, "*") == 0)
			glob_section(l, &zs, sec, config_line(raw, "file"));
		else
			zones_add(&zs, &(struct candidate){ .zone = { .origin = sec->origin,
			    .file = sec->file, .units = sec->units, .section = sec } });
	}
	merge(l, &zs);
	free(zs.at);
}

static int
origin_cmp(const void *origin, const void *zone)
{
	return strcmp(origin, ((const struct config_zone *)zone)->origin);
}

const struct config_zone *
config_zone_find(const struct config *conf, const char *origin)
{
	return conf->nzones == 0 ? NULL :
	    bsearch(origin, conf->zones, conf->nzones, sizeof(*conf->zones), origin_cmp);
}

/* Is that the path, or as much of the path as fits a message? */
static bool
is_said(const char *said, const char *path, size_t most)
{
	size_t len = strlen(said);

	return strcmp(said, path) == 0 || (len >= most && strncmp(said, path, len) == 0);
}

const char *
config_zone_file(const struct config_zone *zone, const char *said, size_t most)
{
	char units[sizeof(((struct msg *)NULL)->zone.path) + sizeof(MSG_ZONE_UNITS)];

	/* fits */
	(void)snprintf(units, sizeof(units), "%.*s" MSG_ZONE_UNITS,
	    (int)sizeof(((struct msg *)NULL)->zone.path) - 1, zone->file);
	if (is_said(said, zone->file, most))
		return zone->file;
	return zone->units != NULL && is_said(said, units, most) ? zone->units : said;
}

const struct config_zone *
config_zone_above(const struct config *conf, const char *name)
{
	const struct config_zone *zone = NULL;

	while (zone == NULL && name != NULL) {
		zone = config_zone_find(conf, name);
		name = strchr(name, '.');
		name = name != NULL ? name + 1 : NULL;
	}
	return zone != NULL ? zone : config_zone_find(conf, ".");
}
