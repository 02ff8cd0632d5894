/* zbudget: what one zone may take while it is compiled. */
#include "dns/zone/zbudget.h"

#include "base/clock.h"

void
zbudget_init(struct zbudget *b, const char *zone, uint64_t most_bytes, uint32_t most_ms)
{
	*b = (struct zbudget){ .zone = zone, .most_bytes = most_bytes, .most_ms = most_ms,
		.until_ms = clock_now_ms() + most_ms };
}

static bool
within(struct zbudget *b, uint64_t bytes, enum zbudget_spent why)
{
	if (b->spent == ZBUDGET_LEFT && b->most_bytes != 0 && bytes > b->most_bytes)
		b->spent = why;
	return b->spent == ZBUDGET_LEFT;
}

bool
zbudget_take(struct zbudget *b, uint64_t bytes)
{
	b->memory += bytes;
	return within(b, b->memory, ZBUDGET_MEMORY);
}

bool
zbudget_has(struct zbudget *b, uint64_t bytes)
{
	return within(b, b->memory + bytes, ZBUDGET_MEMORY);
}

bool
zbudget_read(struct zbudget *b, uint64_t bytes)
{
	b->text += bytes;
	if (within(b, b->text, ZBUDGET_TEXT) && b->most_ms != 0 && clock_now_ms() > b->until_ms)
		b->spent = ZBUDGET_TIME;
	return b->spent == ZBUDGET_LEFT;
}

enum err
zbudget_err(const struct zbudget *b, struct errmsg *m)
{
	unsigned long long mib = b->most_bytes >> 20;

	switch (b->spent) {
	case ZBUDGET_LEFT:
		return ERR_OK;
	case ZBUDGET_MEMORY:
		return err_set(m, ERR_LIMIT, "zone %s needs more memory than a zone may have, "
		    "%lluM (zone-memory of section limits)", b->zone, mib);
	case ZBUDGET_TEXT:
		return err_set(m, ERR_LIMIT, "zone %s is longer than %lluM with what it includes "
		    "(zone-memory of section limits)", b->zone, mib);
	case ZBUDGET_TIME:
		break;
	}
	return err_set(m, ERR_LIMIT, "zone %s takes longer to compile than a zone may, %u ms "
	    "(zone-time of section limits)", b->zone, b->most_ms);
}
