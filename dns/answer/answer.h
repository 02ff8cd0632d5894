/*
 * answer: from a query's bytes to a reply's bytes; no sockets, no clock, no allocation.
 *
 * A set of zones is immutable while it is used.  Sources: RFC 1034 section 4.3.2, RFC 2308,
 * RFC 4592, RFC 6672, RFC 6891, RFC 8482, RFC 8914.
 */
#ifndef DNS_ANSWER_ANSWER_H
#define DNS_ANSWER_ANSWER_H

#include "dns/answer/query.h"
#include "dns/answer/reply.h"
#include "dns/answer/zoneset.h"

#define DNS_NO_UNIT UINT32_MAX

/*
 * Builds the whole reply to a parsed query, for UDP or TCP: truncates as the transport demands.
 * Returns the number of the unit whose address the reply gives (also at the end of a CNAME chain),
 * or DNS_NO_UNIT.  Only A, AAAA, HTTPS and SVCB queries that end in data at a unit's owner name a
 * unit; a missing type there is NODATA and names none.  The caller decides whether a reply that
 * names a unit may leave now.
 */
uint32_t dns_answer_build(const struct dns_zoneset *set, const struct dns_query *q, bool tcp,
    const struct dns_reply_conf *conf, struct dns_reply *r);

/* An RFC 8914 INFO-CODE (-1 = none) with a text (may be NULL); left out where it does not fit. */
struct dns_ede {
	int code;
	const char *text;
};

/*
 * A reply with `rcode` and no data.  With NOTAUTH goes the TSIG record that says that q's key is
 * not known; where that does not fit, the reply is truncated instead.
 */
void dns_error_build(const struct dns_query *q, bool tcp, uint16_t rcode, struct dns_ede ede,
    const struct dns_reply_conf *conf, struct dns_reply *r);

/* No data and TC=1: ask again over TCP. */
void dns_truncated_build(const struct dns_query *q, const struct dns_reply_conf *conf,
    struct dns_reply *r);

#endif
