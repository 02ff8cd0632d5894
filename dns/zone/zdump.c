/* zdump: a zone of a zimage as a master file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/dns.h"
#include "dns/zimage/rdata.h"
#include "dns/zimage/format.h"
#include "dns/zone/zrdata.h"

struct dump {
	FILE *f;
	uint8_t owner[DNS_WIRE_NAME];
	size_t owner_len;
	char owner_text[LIMIT_NAME_TEXT];              /* without the final dot */
	uint8_t rdata[ZRDATA_MAX + 2 * DNS_WIRE_NAME]; /* with its names in full */
	struct ztext line;
};

/* The data of the record at `rr` in full; *len is the result's. */
static void
expand(struct dump *d, const uint8_t *rr, size_t *len)
{
	struct dns_layout layout = dns_rdata_layout(dns_get16(rr + 2));
	size_t rdlen = dns_get16(rr + 10), done = 0, used, at = 0;

	rr += ZRR_FIXED;
	if (layout.names > 0) {
		memcpy(d->rdata, rr, layout.fixed);
		at = done = layout.fixed;
	}
	for (unsigned i = 0; i < layout.names; i++, done += used)
		at += zimage_name_expand(rr + done, d->owner, d->owner_len, d->rdata + at, &used);
	memcpy(d->rdata + at, rr + done, rdlen - done);
	*len = at + rdlen - done;
}

/* OWNER TTL CLASS TYPE DATA, with tabs between. */
static void
print_record(struct dump *d, const uint8_t *rr)
{
	uint16_t type = dns_get16(rr + 2);
	char name[ZTYPE_TEXT];
	size_t len;

	expand(d, rr, &len);
	ztext_cut(&d->line, 0);
	ztext_add(&d->line, "%s%s\t%u\tIN\t%s\t", d->owner_text,
	    strcmp(d->owner_text, ".") != 0 ? "." : "", dns_get32(rr + 6), ztype_text(type, name));
	zrdata_print(&d->line, type, d->rdata, len);
	ztext_add(&d->line, "\n");
	fputs(d->line.buf, d->f);   /* ferror tells the caller */
}

/* All of a node, or with `soa` its SOA alone, or what is left then; returns the place behind it. */
static const void *
print_node(struct dump *d, const struct zone_head *z, const struct znode *n, bool soa)
{
	const struct zrrset *s = znode_rrsets(n);

	d->owner_len = znode_owner(z, n, d->owner);
	dns_name_text(d->owner, d->owner_text);
	for (unsigned i = 0; i < n->nrrsets; i++, s = zrrset_next(s)) {
		size_t len = soa == (s->type == DNS_T_SOA) ? (size_t)s->len + s->sig_len : 0;

		for (const uint8_t *rr = s->wire, *end = rr + len; rr < end;
		    rr += ZRR_FIXED + dns_get16(rr + 10))
			print_record(d, rr);
	}
	return s;
}

static void
print_zone(const struct zone_head *z, FILE *f)
{
	const uint8_t *p = zone_at(z, z->nodes), *end = zone_at(z, z->nodes_end);
	struct dump *d = mem_zero(1, sizeof(*d));
	char origin[LIMIT_NAME_TEXT];

	dns_name_text(zone_origin(z), origin);
	d->f = f;
	fprintf(f, "; zone %s, serial %u, %u names, %u records\n", origin, z->serial, z->names,
	    z->records);
	(void)print_node(d, z, zone_at(z, z->apex), true);
	while (p < end)
		p = print_node(d, z, (const void *)p, false);
	free(d->line.buf);
	free(d);
}

enum err
dns_zimage_print(int fd, uint32_t zone, FILE *f, struct errmsg *m)
{
	struct dns_zimage *zimage;
	const struct zone_head *z;
	enum err e = dns_zimage_open(fd, &zimage, m);

	if (e == ERR_OK && (e = dns_zimage_head(zimage, zone, &z, m)) == ERR_OK)
		print_zone(z, f);
	dns_zimage_close(zimage);
	return e;
}
