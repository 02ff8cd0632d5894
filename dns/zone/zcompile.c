/* zcompile: one zone from open files into a zimage, and dns_compile_file, which opens them. */
#include "dns/zone/zcompile.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/zonefile.h"
#include "dns/dns.h"
#include "dns/zone/ztree.h"

enum err
zcompile_zone(struct zcompile *c, struct zout *o, struct report *r)
{
	struct ztree t;
	const struct zparse_ops zone_ops = { ztree_add_record, &t, c->include, c->arg, &c->budget };
	const struct zparse_ops units_ops = { ztree_add_mapping, &t, c->include, c->arg,
		&c->budget };
	uint8_t origin[DNS_WIRE_NAME];
	struct errmsg m = { "" };
	struct zparse *p;
	enum err e, found = ERR_OK;
	size_t len;

	p = zparse_new(c->origin, r, origin, &len, &m);
	if (p == NULL)
		return report_add(r, c->path, 0, "%s", m.text);
	if ((e = ztree_init(&t, origin, len, c->path, c->units_fd >= 0, &c->budget, r, &m)))
		goto out;
	found = zparse_file(p, c->fd, c->path, c->shown, &zone_ops);
	if (c->units_fd >= 0 &&
	    zparse_file(p, c->units_fd, c->units_path, c->units_shown, &units_ops) != ERR_OK)
		found = ERR_PARSE;
	/* Of a zone that was not read to its end, nothing else can be said. */
	if (c->budget.spent == ZBUDGET_LEFT)
		e = zcheck_tree(&t);
	c->lone_sigs = t.lone_sigs;
	if (e == ERR_OK && found == ERR_OK && r->wants_zone_warnings)
		zlint_tree(&t);
	if (e == ERR_OK && found == ERR_OK)
		e = zwrite_tree(&t, o, c->index, &m);
	ztree_clear(&t);
out:
	zparse_free(p);
	if (m.text[0] != '\0')
		(void)report_add(r, c->path, 0, "%s", m.text);   /* always ERR_PARSE */
	return found != ERR_OK ? found : e;
}

/* ---- in this process ---- */

struct includer {
	const char *zone_file;
	struct writers writers;
};

static int
include_file(void *arg, const char *path, bool *shown, struct errmsg *why)
{
	struct includer *in = arg;
	struct zonefile f;
	char *full;

	/* f.fd tells */
	(void)zonefile_open_include(&f, in->zone_file, path, &in->writers, &full, why);
	free(full);
	*shown = f.shown;
	return f.fd;
}

static enum err
open_file(const char *path, struct includer *in, int *fd, bool *shown, struct report *r)
{
	struct zonefile f;
	struct errmsg m;

	if (zonefile_open(&f, path, &in->writers, &m) != ERR_OK)
		return report_add(r, path, 0, "%s", m.text);
	*fd = f.fd;
	*shown = f.shown;
	return ERR_OK;
}

enum err
dns_compile_file(const char *origin, const char *path, const char *units_path, int *zimage_fd,
    struct report *r)
{
	return dns_compile_within(origin, path, units_path, NULL, zimage_fd, r);
}

enum err
dns_compile_within(const char *origin, const char *path, const char *units_path,
    const struct dns_zone_limits *limits, int *zimage_fd, struct report *r)
{
	struct includer in = { .zone_file = path };
	struct zcompile c = { .origin = origin, .path = path, .units_path = units_path, .fd = -1,
		.units_fd = -1, .include = include_file, .arg = &in };
	struct zout o = { .fd = -1 };
	struct errmsg m = { "" };
	enum err e;

	*zimage_fd = -1;
	zbudget_init(&c.budget, origin, limits != NULL ? limits->memory_bytes : 0,
	    limits != NULL ? limits->time_ms : 0);
	e = open_file(path, &in, &c.fd, &c.shown, r);
	if (e == ERR_OK && units_path != NULL)
		e = open_file(units_path, &in, &c.units_fd, &c.units_shown, r);
	if (e == ERR_OK && (e = zout_open(&o, &m)) == ERR_OK &&
	    (e = zcompile_zone(&c, &o, r)) == ERR_OK)
		e = zout_finish(&o, zimage_fd, &m);
	if (m.text[0] != '\0')
		(void)report_add(r, path, 0, "%s", m.text);   /* always ERR_PARSE */
	zout_close(&o);
	if (c.fd >= 0)
		close(c.fd);
	if (c.units_fd >= 0)
		close(c.units_fd);
	return e;
}
