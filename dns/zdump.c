/* zdump: a zone of an image as a master file. */
#include <ldns/rr.h>
#include <ldns/wire2host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memfd.h"
#include "dns/dns.h"
#include "dns/rdata.h"
#include "dns/zimage.h"

/* ldns/host2str.h brings OpenSSL's names with it, which collide with ours. */
extern char *ldns_rr2str(const ldns_rr *rr);

struct dump {
	FILE *f;
	const char *origin;
	uint8_t owner[DNS_WIRE_NAME];
	size_t owner_len;
	char owner_text[LIMIT_NAME_TEXT];   /* without the final dot */
	uint8_t wire[DNS_WIRE_NAME + 10 + 65535 + 2 * DNS_WIRE_NAME];   /* a record with its names in full */
};

/* The record at `rr`, which is called C00C there, in full; *len is the result's. */
static void
expand(struct dump *d, const uint8_t *rr, size_t *len)
{
	struct dns_layout layout = dns_rdata_layout(dns_get16(rr + 2));
	size_t rdlen = dns_get16(rr + 10), done = 0, used, at = d->owner_len, begin;

	memcpy(d->wire, d->owner, at);
	memcpy(d->wire + at, rr + 2, 10);
	begin = at += 10;
	rr += ZRR_FIXED;
	if (layout.names > 0) {
		memcpy(d->wire + at, rr, layout.fixed);
		at += done = layout.fixed;
	}
	for (unsigned i = 0; i < layout.names; i++, done += used)
		at += zname_expand(rr + done, d->owner, d->owner_len, d->wire + at, &used);
	memcpy(d->wire + at, rr + done, rdlen - done);
	at += rdlen - done;
	dns_put16(d->wire + begin - 2, (uint16_t)(at - begin));
	*len = at;
}

/* Would this name be read as another one?  ldns writes quotes and a leading "@" as they are. */
static bool
name_misread(const ldns_rdf *name)
{
	const uint8_t *label = ldns_rdf_data(name);

	if (label[0] > 0 && label[1] == '@')
		return true;
	for (; label[0] != 0; label += 1u + label[0])
		if (memchr(label + 1, '"', label[0]) != NULL)
			return true;
	return false;
}

static bool
rdata_misread(const ldns_rr *rr)
{
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
		if (ldns_rdf_get_type(ldns_rr_rdf(rr, i)) == LDNS_RDF_TYPE_DNAME && name_misread(ldns_rr_rdf(rr, i)))
			return true;
	return false;
}

/* Prints what ldns made of a record, OWNER TTL CLASS TYPE RDATA with tabs between, with our owner, which any server reads back. */
static void
print_text(const struct dump *d, const char *text, const uint8_t *generic, size_t len)
{
	const char *rest = strchr(text, '\t'), *rdata = rest;

	for (unsigned i = 0; rdata != NULL && i < 3; i++)
		rdata = strchr(rdata + 1, '\t');
	fputs(d->owner_text, d->f);
	if (strcmp(d->owner_text, ".") != 0)
		fputc('.', d->f);
	if (rest == NULL || rdata == NULL || generic == NULL) {
		fputs(rest != NULL ? rest : "\n", d->f);
		return;
	}
	fprintf(d->f, "%.*s\\# %zu ", (int)(rdata + 1 - rest), rest, len);
	for (size_t i = 0; i < len; i++)
		fprintf(d->f, "%02x", generic[i]);
	fputc('\n', d->f);
}

static enum err
print_record(struct dump *d, const uint8_t *rr, struct errmsg *m)
{
	ldns_rr *parsed = NULL;
	bool generic;
	ldns_status s;
	char *text;
	size_t len, pos = 0, head = d->owner_len + 10;

	expand(d, rr, &len);
	s = ldns_wire2rr(&parsed, d->wire, len, &pos, LDNS_SECTION_ANSWER);
	if (s != LDNS_STATUS_OK)
		return err_set(m, ERR_PROTO, "zone %s: a record of type %u cannot be read", d->origin, dns_get16(rr + 2));
	text = ldns_rr2str(parsed);
	generic = rdata_misread(parsed);
	ldns_rr_free(parsed);
	if (text == NULL)
		return err_set(m, ERR_NOMEM, "zone %s: out of memory", d->origin);
	print_text(d, text, generic ? d->wire + head : NULL, len - head);   /* ferror tells the caller */
	free(text);
	return ERR_OK;
}

static enum err
print_records(struct dump *d, const uint8_t *wire, size_t len, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < len && e == ERR_OK; i += ZRR_FIXED + (size_t)dns_get16(wire + i + 10))
		e = print_record(d, wire + i, m);
	return e;
}

/* All of a node, or with `soa` its SOA alone, or what is left then. */
static enum err
print_node(struct dump *d, const struct zone_head *z, const struct znode *n, bool soa, struct errmsg *m)
{
	const struct zrrset *s = znode_rrsets(n);
	enum err e = ERR_OK;

	d->owner_len = znode_owner(z, n, d->owner);
	dns_name_text(d->owner, d->owner_text);
	for (unsigned i = 0; i < n->nrrsets && e == ERR_OK; i++, s = zrrset_next(s))
		if (soa == (s->type == DNS_T_SOA))
			e = print_records(d, s->wire, (size_t)s->len + s->sig_len, m);
	return e;
}

static enum err
print_zone(const struct zone_head *z, FILE *f, struct errmsg *m)
{
	const uint8_t *p = zone_at(z, z->nodes), *end = zone_at(z, z->nodes_end);
	struct dump *d = malloc(sizeof(*d));
	char origin[LIMIT_NAME_TEXT];
	enum err e;

	if (d == NULL)
		return err_set(m, ERR_NOMEM, "out of memory");
	dns_name_text(zone_origin(z), origin);
	d->f = f;
	d->origin = origin;
	fprintf(f, "; zone %s, serial %u, %u names, %u records\n", origin, z->serial, z->names, z->records);
	e = print_node(d, z, zone_at(z, z->apex), true, m);
	while (p < end && e == ERR_OK) {
		const struct znode *n = (const void *)p;
		const struct zrrset *s = znode_rrsets(n);

		for (unsigned i = 0; i < n->nrrsets; i++)
			s = zrrset_next(s);
		e = print_node(d, z, n, false, m);
		p = (const void *)s;
	}
	free(d);
	return e;
}

enum err
dns_image_print(int fd, uint32_t zone, FILE *f, struct errmsg *m)
{
	const void *map = NULL;
	size_t size = 0;
	enum err e = memfd_map_sealed(fd, &map, &size, m);

	if (e != ERR_OK)
		return e;
	e = zimage_check(map, size, m);
	if (e == ERR_OK && zone >= zimage_zones(map))
		e = err_set(m, ERR_RANGE, "the image has %u zones, there is no zone %u", zimage_zones(map), zone);
	if (e == ERR_OK)
		e = print_zone(zimage_zone(map, zone), f, m);
	(void)munmap((void *)(uintptr_t)map, size);   /* cannot fail for a mapping of ours */
	return e;
}
