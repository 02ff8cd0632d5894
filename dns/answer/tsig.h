/*
 * tsig: TSIG as an authority without keys meets it (RFC 8945): every key is unknown.
 *
 * So a record that can be read is answered NOTAUTH with the error BADKEY in a TSIG record of ours,
 * unsigned, and anything else is FORMERR.  Signatures, times and truncated MACs are looked at with a
 * key that is known, and never here.
 */
#ifndef DNS_ANSWER_TSIG_H
#define DNS_ANSWER_TSIG_H

#include "dns/answer/answer.h"

/*
 * The record at `owner` of q's message; `fixed` is what stands between its name and its RDATA.
 * Fills in q->tsig; false: it cannot be read.
 */
bool tsig_parse(struct dns_query *q, const uint8_t *owner, const uint8_t *fixed, const uint8_t *rdata);

/* Bytes of the record that answers q->tsig, or 0 where q has none. */
size_t tsig_reply_len(const struct dns_query *q);

/* Writes the record to `p`, where tsig_reply_len bytes are free. */
void tsig_reply_put(const struct dns_query *q, uint8_t *p);

#endif
