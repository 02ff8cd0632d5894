/*
 * tsig: TSIG as an authority without keys meets it (RFC 8945): every key is unknown.
 *
 * So a record that can be read is answered NOTAUTH with the error BADKEY in a TSIG record of ours,
 * unsigned, and anything else is FORMERR.  Signatures, times and truncated MACs are looked at with
 * a key that is known, and never here.
 */
#ifndef DNS_ANSWER_TSIG_H
#define DNS_ANSWER_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A TSIG record, in the wire of its message. */
struct dns_tsig {
	const uint8_t *owner, *rdata;   /* NULL = none */
};

/*
 * The record at `owner` of the message wire[0..len); `fixed` is what stands between its name and
 * its RDATA.  Fills in *t; false: it cannot be read.
 */
bool tsig_parse(struct dns_tsig *t, const uint8_t *wire, size_t len, const uint8_t *owner,
    const uint8_t *fixed);

/* Bytes of the record that answers *t, of the same message, or 0 where there is none. */
size_t tsig_reply_len(const struct dns_tsig *t, const uint8_t *wire, size_t len);

/* Writes the record to `p`, where tsig_reply_len bytes are free. */
void tsig_reply_put(const struct dns_tsig *t, const uint8_t *wire, size_t len, uint8_t *p);

#endif
