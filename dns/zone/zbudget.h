/* zbudget: what one zone may take while it is compiled. */
#ifndef DNS_ZONE_ZBUDGET_H
#define DNS_ZONE_ZBUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum zbudget_spent { ZBUDGET_LEFT, ZBUDGET_MEMORY, ZBUDGET_TEXT, ZBUDGET_TIME };

struct zbudget {
	const char *zone;              /* for the sentence; outlives the budget */
	uint64_t most_bytes;           /* of memory, and of text with its includes; 0: any */
	uint32_t most_ms;              /* 0: any */
	uint64_t until_ms;             /* as clock_now_ms has it */
	uint64_t memory, text;         /* bytes that were taken and read */
	enum zbudget_spent spent;      /* by what; once it is spent it stays so */
};

/* From now on; 0 is no limit. */
void zbudget_init(struct zbudget *b, const char *zone, uint64_t most_bytes, uint32_t most_ms);

/* Takes memory, or counts text that was read and looks at the clock; false: it is spent. */
bool zbudget_take(struct zbudget *b, uint64_t bytes);
bool zbudget_read(struct zbudget *b, uint64_t bytes);

/* Is so much memory left, beside what was taken? */
bool zbudget_has(struct zbudget *b, uint64_t bytes);

/* ERR_LIMIT and the sentence for a budget that is spent. */
enum err zbudget_err(const struct zbudget *b, struct errmsg *m);

#endif
