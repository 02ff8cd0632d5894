/* query: a query's bytes, checked and taken apart. */
#ifndef DNS_ANSWER_QUERY_H
#define DNS_ANSWER_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/zimage/name.h"

#define DNS_MESSAGE_MAX 65535

/* Bytes of a cookie (RFC 7873): the client's part, and with the server's (RFC 9018). */
#define DNS_COOKIE_CLIENT 8
#define DNS_COOKIE_SERVER 16
#define DNS_COOKIE_LEN (DNS_COOKIE_CLIENT + DNS_COOKIE_SERVER)

/*
 * TSIG as an authority without keys meets it (RFC 8945): every key is unknown.  So a record that
 * can be read is answered NOTAUTH with the error BADKEY in a TSIG record of ours, unsigned, and
 * anything else is FORMERR.  Signatures, times and truncated MACs are looked at with a key that is
 * known, and never here.
 */
struct dns_tsig {
	const uint8_t *owner, *rdata;   /* in the wire of the record's message; NULL = none */
};

/*
 * tsig.c: the record at `owner` of the message wire[0..len); `fixed` is what stands between its
 * name and its RDATA.  Fills in *t; false: it cannot be read.
 */
bool tsig_parse(struct dns_tsig *t, const uint8_t *wire, size_t len, const uint8_t *owner,
    const uint8_t *fixed);

/* Bytes of the record that answers *t, of the same message, or 0 where there is none. */
size_t tsig_reply_len(const struct dns_tsig *t, const uint8_t *wire, size_t len);

/* Writes the record to `p`, where tsig_reply_len bytes are free. */
void tsig_reply_put(const struct dns_tsig *t, const uint8_t *wire, size_t len, uint8_t *p);

/* Codes of EDNS options. */
enum dns_option {
	DNS_OPTION_NSID = 3, DNS_OPTION_COOKIE = 10, DNS_OPTION_KEEPALIVE = 11, DNS_OPTION_EDE = 15
};

struct dns_edns {
	bool present;
	bool dnssec_ok;
	uint8_t version;
	uint16_t udp_payload;      /* as the client announced it */
	bool nsid;                 /* the client asked for it */
	bool keepalive;            /* RFC 7828: asked for; the server takes it back for UDP */
	bool keepalive_bad;        /* asked for with data in it */
	uint8_t cookie_len;        /* 0 = none; 8, or 16 to 40 */
	uint8_t cookie[40];
	bool cookie_reply;         /* the server has put the reply's cookie into `cookie` */
};

/* A parsed query.  Points into the wire, which must outlive it. */
struct dns_query {
	const uint8_t *wire;
	size_t len;
	uint16_t id, qtype, qclass;
	uint8_t opcode;
	bool rd, cd;
	const uint8_t *qname_wire; /* as asked, for the reply's question: case is preserved */
	uint8_t qname[DNS_WIRE_NAME];   /* lower case */
	uint8_t qname_len;         /* with the root label */
	size_t question_len;       /* bytes of the question section */
	struct dns_edns edns;
	struct dns_tsig tsig;
};

enum dns_parsed {
	DNS_PARSED_OK,
	/* Reply with *rcode by dns_error_build: FORMERR, NOTIMP, BADVERS, NOTAUTH to who signs with
	 * TSIG, or NOERROR to who only wants a cookie. */
	DNS_PARSED_ERROR,
	DNS_PARSED_DROP     /* no reply: shorter than a header, or QR is set */
};

/* Reads only wire[0..len).  On DNS_PARSED_ERROR `q` has as much as was understood. */
enum dns_parsed dns_query_parse(const uint8_t *wire, size_t len, struct dns_query *q,
    uint16_t *rcode);

#endif
