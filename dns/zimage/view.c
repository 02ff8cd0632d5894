/* view: the warden's view of a zimage. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/memfd.h"
#include "dns/dns.h"
#include "dns/zimage/rdata.h"
#include "dns/zimage/format.h"

static enum err
open_with(enum err (*check)(const void *, size_t, struct errmsg *), int fd,
    struct dns_zimage **out, struct errmsg *m)
{
	struct dns_zimage *zimage = mem_zero(1, sizeof(*zimage));
	enum err e;

	*out = NULL;
	atomic_init(&zimage->refs, 1);
	if ((e = memfd_map_sealed(fd, &zimage->map, &zimage->size, m)) == ERR_OK)
		e = check(zimage->map, zimage->size, m);
	if (e == ERR_OK)
		*out = zimage;
	else
		dns_zimage_close(zimage);
	return e;
}

enum err
dns_zimage_open(int fd, struct dns_zimage **zimage, struct errmsg *m)
{
	return open_with(zimage_check, fd, zimage, m);
}

enum err
dns_zimage_open_checked(int fd, struct dns_zimage **zimage, struct errmsg *m)
{
	return open_with(zimage_check_head, fd, zimage, m);
}

void
dns_zimage_close(struct dns_zimage *zimage)
{
	if (zimage == NULL || atomic_fetch_sub(&zimage->refs, 1) != 1)
		return;
	if (zimage->map != NULL)
		/* cannot fail for a mapping of ours */
		(void)munmap((void *)(uintptr_t)zimage->map, zimage->size);
	free(zimage);
}

uint32_t
dns_zimage_zones(const struct dns_zimage *zimage)
{
	return zimage_zones(zimage->map);
}

enum err
dns_zimage_head(const struct dns_zimage *zimage, uint32_t zone, const struct zone_head **z,
    struct errmsg *m)
{
	if (zone >= zimage_zones(zimage->map))
		return err_set(m, ERR_RANGE, "the zimage has %u zones, there is no zone %u",
		    zimage_zones(zimage->map), zone);
	*z = zimage_zone(zimage->map, zone);
	return ERR_OK;
}

enum err
dns_zimage_zone(const struct dns_zimage *zimage, uint32_t zone, struct dns_zone_info *info,
    struct errmsg *m)
{
	const struct zone_head *z = NULL;
	enum err e = dns_zimage_head(zimage, zone, &z, m);

	if (e != ERR_OK)
		return e;
	*info = (struct dns_zone_info){ .index = z->index, .serial = z->serial,
		.names = z->names, .records = z->records, .units = z->nunits };
	dns_name_text(zone_origin(z), info->origin);
	return ERR_OK;
}

/* Addresses of one RRset into the unit; those beyond the table are left out. */
static bool
unit_addrs(struct dns_unit *u, const struct znode *n, uint16_t type, uint8_t family, size_t len)
{
	const struct zrrset *s = znode_find(n, type);

	if (s == NULL || s->len == 0)
		return false;
	for (size_t i = 0; i < s->len && u->naddrs < LIMIT_UNIT_ADDRS; i += ZRR_FIXED + len) {
		struct msg_addr *a = &u->addrs[u->naddrs++];

		*a = (struct msg_addr){ .family = family };
		memcpy(a->bytes, s->wire + i + ZRR_FIXED, len);
		if (dns_get32(s->wire + i + 6) < u->ttl)
			u->ttl = dns_get32(s->wire + i + 6);
	}
	return true;
}

enum err
dns_zimage_unit(const struct dns_zimage *zimage, uint32_t zone, uint32_t i, struct dns_unit *u,
    struct errmsg *m)
{
	const struct zone_head *z = NULL;
	const struct zunit *zu;
	const struct znode *n;
	const uint8_t *strings;
	uint8_t owner[DNS_WIRE_NAME];
	bool has4, has6;
	enum err e = dns_zimage_head(zimage, zone, &z, m);

	if (e != ERR_OK)
		return e;
	if (i >= z->nunits)
		return err_set(m, ERR_RANGE, "zone %u has %u units, there is no unit %u", zone,
		    z->nunits, i);
	zu = (const struct zunit *)zone_at(z, z->units) + i;
	n = zone_at(z, zu->node);
	if (zu->nstrings > DNS_UNIT_STRINGS)
		return err_set(m, ERR_PROTO, "unit %u of zone %u has %u strings", i, zone,
		    zu->nstrings);
	*u = (struct dns_unit){ .ttl = UINT32_MAX, .line = zu->line };
	(void)znode_owner(z, n, owner);   /* the text ends where the name does */
	dns_name_text(owner, u->owner);
	has4 = unit_addrs(u, n, DNS_T_A, 4, 4);
	has6 = unit_addrs(u, n, DNS_T_AAAA, 6, 16);
	if (!has4 && !has6)
		u->ttl = zu->ttl;
	strings = zone_at(z, zu->strings);
	for (; u->nstrings < zu->nstrings; strings += 1u + strings[0], u->nstrings++) {
		u->strings[u->nstrings].data = (const char *)strings + 1;
		u->strings[u->nstrings].len = strings[0];
	}
	/* cut when it is too long */
	(void)snprintf(u->file, sizeof(u->file), "%s", (const char *)zone_at(z, zu->file));
	return ERR_OK;
}
