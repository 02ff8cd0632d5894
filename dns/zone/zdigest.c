/* zdigest: digests in RDATA. */
#include "dns/zone/zdigest.h"

#include <stdio.h>

#define TYPE_DS 43
#define TYPE_SSHFP 44
#define TYPE_CDS 59
#define TYPE_ZONEMD 63
#define TYPE_DLV 32769

/* The registries of digests, and what RDATA calls their numbers. */
enum registry { OF_DS, OF_SSHFP, OF_ZONEMD };

static const char *const fields[] = { [OF_DS] = "digest type", [OF_SSHFP] = "fingerprint type",
	[OF_ZONEMD] = "hash algorithm" };

/* Where that number stands; the digest begins behind it. */
static const struct place {
	uint16_t type;
	uint8_t at;
	enum registry registry;
	const char *name;
} places[] = {
	{ TYPE_DS, 3, OF_DS, "DS" },
	{ TYPE_CDS, 3, OF_DS, "CDS" },
	{ TYPE_DLV, 3, OF_DS, "DLV" },
	{ TYPE_SSHFP, 1, OF_SSHFP, "SSHFP" },
	{ TYPE_ZONEMD, 5, OF_ZONEMD, "ZONEMD" },
};

/* RFC 3658, 4509, 6605; RFC 4255, 6594; RFC 8976.  CDS and DLV are as DS (RFC 7344, 4431). */
static const struct digest {
	enum registry registry;
	uint8_t number, bytes;
	const char *name;
} digests[] = {
	{ OF_DS, 1, 20, "SHA-1" },
	{ OF_DS, 2, 32, "SHA-256" },
	{ OF_DS, 4, 48, "SHA-384" },
	{ OF_SSHFP, 1, 20, "SHA-1" },
	{ OF_SSHFP, 2, 32, "SHA-256" },
	{ OF_ZONEMD, 1, 48, "SHA-384" },
	{ OF_ZONEMD, 2, 64, "SHA-512" },
};

static bool
check_length(const struct place *p, const uint8_t *rdata, size_t len, char *why, size_t size)
{
	if (len <= p->at) {
		snprintf(why, size, "%s needs at least %u bytes, not %zu", p->name, p->at + 1u,
		    len);
		return false;
	}
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		const struct digest *d = &digests[i];

		if (d->registry != p->registry || d->number != rdata[p->at] ||
		    len == p->at + 1u + d->bytes)
			continue;
		snprintf(why, size,
		    "%s with %s %u (%s) needs a digest of %u bytes (%u hex digits), not of %zu",
		    p->name, fields[p->registry], d->number, d->name, d->bytes, 2u * d->bytes,
		    len - p->at - 1);
		return false;
	}
	return true;
}

bool
zdigest_check(uint16_t type, const uint8_t *rdata, size_t len, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].type == type)
			return check_length(&places[i], rdata, len, why, size);
	return true;
}
