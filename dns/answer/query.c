/* query: a query's bytes, checked and taken apart. */
#include "dns/answer/query.h"

#include <string.h>

#include "dns/zimage/rdata.h"

/* What is left of the message; every read is checked. */
struct cursor {
	const uint8_t *p, *end;
};

static bool
take(struct cursor *c, size_t n, const uint8_t **at)
{
	if ((size_t)(c->end - c->p) < n)
		return false;
	*at = c->p;
	c->p += n;
	return true;
}

/* A name that may be compressed; what a pointer points at does not matter here. */
static bool
skip_name(struct cursor *c)
{
	const uint8_t *p;
	size_t len = 0;

	while (take(c, 1, &p)) {
		if (*p == 0)
			return true;
		if ((*p & 0xc0) == 0xc0)
			return take(c, 1, &p);
		len += 1u + *p;
		if (*p > 63 || len >= DNS_WIRE_NAME || !take(c, *p, &p))
			return false;
	}
	return false;
}

static bool
parse_options(struct cursor c, struct dns_edns *e)
{
	const uint8_t *head, *data;

	while (c.p < c.end) {
		uint16_t code, len;

		if (!take(&c, 4, &head))
			return false;
		code = dns_get16(head);
		len = dns_get16(head + 2);
		if (!take(&c, len, &data))
			return false;
		if (code == DNS_OPTION_NSID) {
			e->nsid = true;
		} else if (code == DNS_OPTION_KEEPALIVE) {
			e->keepalive = true;
			e->keepalive_bad |= len > 0;
		} else if (code == DNS_OPTION_COOKIE) {
			/* RFC 7873 section 5.2.2: any other length is a FORMERR. */
			if (len != 8 && (len < 16 || len > sizeof(e->cookie)))
				return false;
			if (e->cookie_len == 0) {
				memcpy(e->cookie, data, len);
				e->cookie_len = (uint8_t)len;
			}
		}
	}
	return true;
}

/* A record; *fixed is what stands between its owner and its RDATA. */
static bool
take_record(struct cursor *c, const uint8_t **fixed, const uint8_t **rdata)
{
	return skip_name(c) && take(c, 10, fixed) && take(c, dns_get16(*fixed + 8), rdata);
}

/* One record of the additional section.  False: FORMERR. */
static bool
parse_additional(struct cursor *c, struct dns_query *q, uint16_t *rcode)
{
	const uint8_t *start = c->p, *fixed, *rdata;
	uint16_t type, rdlen;

	/* RFC 8945 section 5.1: TSIG is the last record. */
	if (q->tsig.rdata != NULL || !take_record(c, &fixed, &rdata))
		return false;
	type = dns_get16(fixed);
	rdlen = dns_get16(fixed + 8);
	if (type == DNS_T_TSIG) {
		*rcode = DNS_R_NOTAUTH;   /* whatever else there is to say */
		return tsig_parse(&q->tsig, q->wire, q->len, start, fixed);
	}
	if (type != DNS_T_OPT)
		return true;
	/* RFC 6891 section 6.1.1: one OPT, and its owner is the root. */
	if (q->edns.present || *start != 0)
		return false;
	q->edns.present = true;
	q->edns.udp_payload = dns_get16(fixed + 2);
	q->edns.version = fixed[5];
	q->edns.dnssec_ok = (fixed[6] & 0x80) != 0;
	if (q->edns.version != 0) {
		*rcode = DNS_R_BADVERS;
		return true;
	}
	return parse_options((struct cursor){ rdata, rdata + rdlen }, &q->edns);
}

/* The authority section: RFC 1995 section 3 has a client of IXFR say there which version it has. */
static bool
parse_authority(struct cursor *c, const struct dns_query *q, unsigned n)
{
	const uint8_t *fixed, *rdata;

	if (n == 0)
		return true;
	return n == 1 && q->qtype == DNS_T_IXFR && take_record(c, &fixed, &rdata) &&
	    dns_get16(fixed) == DNS_T_SOA;
}

static bool
parse_question(struct cursor *c, struct dns_query *q)
{
	const uint8_t *name, *fixed;
	size_t len = dns_name_len(c->p, (size_t)(c->end - c->p));

	if (len == 0 || !take(c, len, &name) || !take(c, 4, &fixed))
		return false;
	q->qname_wire = name;
	q->qname_len = (uint8_t)len;
	dns_name_lower(q->qname, name, len);
	q->qtype = dns_get16(fixed);
	q->qclass = dns_get16(fixed + 2);
	q->question_len = len + 4;
	return true;
}

enum dns_parsed
dns_query_parse(const uint8_t *wire, size_t len, struct dns_query *q, uint16_t *rcode)
{
	struct cursor c = { wire, wire + len };
	const uint8_t *h;
	unsigned questions, additional;

	/* Everything but the name's buffer, which qname_len bounds. */
	q->wire = wire;
	q->len = len;
	q->id = q->qtype = q->qclass = 0;
	q->opcode = 0;
	q->rd = q->cd = false;
	q->qname_wire = NULL;
	q->qname_len = 0;
	q->question_len = 0;
	q->edns = (struct dns_edns){ .present = false };
	q->tsig = (struct dns_tsig){ NULL, NULL };
	*rcode = DNS_R_NOERROR;
	if (!take(&c, DNS_MESSAGE_HEADER, &h) || (h[2] & 0x80) != 0)
		return DNS_PARSED_DROP;
	q->id = dns_get16(h);
	q->opcode = (h[2] >> 3) & 0x0f;
	q->rd = (h[2] & 0x01) != 0;
	q->cd = (h[3] & 0x10) != 0;
	if (q->opcode != 0) {
		*rcode = DNS_R_NOTIMP;
		return DNS_PARSED_ERROR;
	}
	*rcode = DNS_R_FORMERR;
	questions = dns_get16(h + 4);
	/* One question, no answers.  TC says nothing in a query: what is cut off shows. */
	if (questions > 1 || dns_get16(h + 6) != 0 || (questions == 1 && !parse_question(&c, q)) ||
	    !parse_authority(&c, q, dns_get16(h + 8)))
		return DNS_PARSED_ERROR;
	*rcode = DNS_R_NOERROR;
	for (additional = dns_get16(h + 10); additional > 0; additional--)
		if (!parse_additional(&c, q, rcode))
			break;
	/* RFC 7873 section 5.4: without a question, a cookie is asked for. */
	if (additional > 0 || c.p != c.end ||
	    (questions == 0 && *rcode == DNS_R_NOERROR && q->edns.cookie_len == 0))
		*rcode = DNS_R_FORMERR;
	return *rcode == DNS_R_NOERROR && questions == 1 ? DNS_PARSED_OK : DNS_PARSED_ERROR;
}
