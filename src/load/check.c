/* check: configuration, files, zones, mappings, in this process. */
#include "src/load/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/load/check_impl.h"
#include "src/load/hostnet.h"

/* The secret that is there, so that MACs collide as they would; else any: no file is made. */
static void
host_secret(const struct config *conf, struct mapping_secret *secret)
{
	char path[4096];

	memset(secret, 0, sizeof(*secret));
	if (snprintf(path, sizeof(path), "%s/secret", conf->state) >= (int)sizeof(path) ||
	    access(path, R_OK) != 0)
		return;
	if (mapping_secret_load(conf->state, secret, NULL) != ERR_OK)
		memset(secret, 0, sizeof(*secret));
}

/* Compiles one zone and adds its units.  Every error is in `r` afterwards. */
static void
check_zone(struct mapping_set *set, const struct config *conf, const struct config_zone *zone,
    struct report *r, struct check_counts *counts)
{
	const struct dns_zone_limits limits = config_zone_limits(conf);
	size_t before = r->nerrors;
	struct dns_zimage *view = NULL;
	struct errmsg m = { .text = "" };
	int fd = -1;
	enum err e;

	counts->zones++;
	e = dns_compile_within(zone->origin, zone->file, zone->units, &limits, &fd, r);
	if (e == ERR_OK)
		e = dns_zimage_open(fd, &view, &m);
	if (e == ERR_OK)
		e = mapping_set_add(set, zone, view, 0, r);
	if (e != ERR_OK && r->nerrors == before)
		(void)report_add(r, zone->file, 0, "zone %s: %s", zone->origin,
		    m.text[0] != '\0' ? m.text : err_str(e));   /* always ERR_PARSE */
	dns_zimage_close(view);
	if (fd >= 0)
		close(fd);
}

/* The innermost zone that is served for a name of `zone`. */
static const struct config_zone *
zone_for(const struct config *conf, const char *name, const struct config_zone *zone)
{
	const char *end = name + strlen(name);

	if (strcmp(zone->origin, ".") != 0)
		end -= strlen(zone->origin);
	for (const char *at = name; at < end; at += strcspn(at, "."), at += *at == '.') {
		const struct config_zone *z = config_zone_find(conf, at);

		if (z != NULL)
			return z;
	}
	return zone;
}

/* Units whose names another zone of ours answers for. */
static void
check_shadowed(const struct config *conf, const struct mapping_set *set,
    const struct config_zone *zone, struct report *r)
{
	uint32_t n = mapping_zone_added(set, zone) ? mapping_zone_units(set, zone) : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct unit_conf *u = mapping_zone_unit(set, zone, i);
		const struct config_zone *z = zone_for(conf, u->name, zone);

		if (z != zone)
			report_warn(r, u->file, u->line,
			    "_jitsu: %s is in zone %s, which is served here, too, and answers for "
			    "it: no query wakes this unit; its mapping belongs there",
			    u->name, z->origin);
	}
}

static void
check_zones(const struct config *conf, struct report *r, struct check_counts *counts)
{
	struct mapping_set *set;
	struct mapping_secret secret;

	host_secret(conf, &secret);
	set = hostnet_mappings(conf, &secret, r);
	if (set == NULL)
		return;
	for (unsigned i = 0; i < conf->nzones; i++)
		check_zone(set, conf, &conf->zones[i], r, counts);
	(void)mapping_set_finish(set, r);   /* what it found is in r */
	counts->units = mapping_set_units(set);
	for (unsigned i = 0; i < conf->nzones; i++)
		check_shadowed(conf, set, &conf->zones[i], r);
	check_holds(conf, set, r);
	mapping_set_free(set);
}

enum err
check_cookies(const struct config *conf, struct msg_cookies *cookies, struct report *r)
{
	const char *path = conf->cookie_secret_file;
	unsigned row = option_row_named(OPTION_TOP, "cookie-secret-file");
	struct errmsg m;

	if (path == NULL || cookie_secrets_read(path, cookies, &m) == ERR_OK)
		return ERR_OK;
	return report_add(r, conf->path, conf->lines[row], "cookie-secret-file: %s", m.text);
}

enum err
check_run(const char *conf_path, struct report *r, struct check_counts *counts)
{
	struct msg_cookies cookies;
	struct config *conf = NULL;
	size_t before = r->nerrors;
	enum err e;

	memset(counts, 0, sizeof(*counts));
	e = config_load(conf_path, &conf, r);
	if (e != ERR_OK)
		return e;
	counts->networks = conf->nnetworks;
	counts->images = conf->nimages;
	(void)config_check_files(conf, r);   /* what it found is in r */
	config_check_xl(conf, r);
	config_report_strays(conf, r);
	hostnet_check(conf, r);
	if (r->wants_host_findings)
		check_host(conf, r);
	(void)check_cookies(conf, &cookies, r);    /* what it found is in r */
	check_zones(conf, r, counts);
	config_free(conf);
	return r->nerrors == before ? ERR_OK : ERR_PARSE;
}
