/*
 * answer: from a query's bytes to a reply's bytes; no sockets, no clock, no allocation.
 *
 * A set of zones is immutable while it is used; the server swaps whole sets.  Sources: RFC 1034 section 4.3.2, RFC 2308, RFC 4592, RFC 6672, RFC 6891,
 * RFC 8482, RFC 8914.
 */
#ifndef DNS_ANSWER_ANSWER_H
#define DNS_ANSWER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/msg.h"

#define DNS_MESSAGE_MAX 65535
#define DNS_NAME_MAX 255

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
	bool cookie_reply;         /* the server has put the reply's cookie into `cookie`, DNS_COOKIE_LEN bytes */
};

/* A TSIG record, in the wire; see tsig.h. */
struct dns_tsig {
	const uint8_t *owner, *rdata;   /* NULL = none */
};

/* A parsed query.  Points into the wire, which must outlive it. */
struct dns_query {
	const uint8_t *wire;
	size_t len;
	uint16_t id, qtype, qclass;
	uint8_t opcode;
	bool rd, cd;
	const uint8_t *qname_wire; /* as asked, for the reply's question: case is preserved */
	uint8_t qname[DNS_NAME_MAX];   /* wire format, lower case */
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

/* Never reads outside wire[0..len).  On DNS_PARSED_ERROR as much of `q` is filled in as was understood. */
enum dns_parsed dns_query_parse(const uint8_t *wire, size_t len, struct dns_query *q, uint16_t *rcode);

/* What a server puts into replies besides the zone's data. */
struct dns_reply_conf {
	uint16_t udp_payload;      /* our EDNS buffer size; also the limit for UDP replies */
	const char *nsid;          /* NULL or empty = none */
	uint16_t keepalive;        /* how long an idle TCP connection stays, in tenths of a second */
};

struct dns_reply {
	uint8_t *buf;              /* at least DNS_MESSAGE_MAX bytes for TCP, conf.udp_payload for UDP */
	size_t cap;
	size_t len;                /* out */
	uint16_t rcode;            /* out, extended */
};

struct dns_zoneset;            /* zones and the images they live in */

#define DNS_NO_UNIT UINT32_MAX

/*
 * Builds the whole reply to a parsed query, for UDP or TCP: truncates as the transport demands.  Returns the number of the unit whose address the
 * reply gives (also at the end of a CNAME chain), or DNS_NO_UNIT.  Only A, AAAA, HTTPS and SVCB queries that end in data at a unit's owner name
 * a unit; a missing type there is NODATA and names none.  The caller decides whether a reply that names a unit may leave now.
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
void dns_truncated_build(const struct dns_query *q, const struct dns_reply_conf *conf, struct dns_reply *r);

/* ---- sets of zones ---- */

struct dns_mapped;             /* one mapped image, counted by the sets that use it */

/*
 * Maps a sealed image and checks all of it, so that nothing on the answer path needs to check an offset again.  With `checked` the warden has done that
 * (dns_image_open, of the same sealed file) and only its head is looked at: the check of a million names takes some 50 ms, in which nobody is answered.
 */
enum err dns_mapped_open(int fd, bool checked, struct dns_mapped **map, struct errmsg *m);
void dns_mapped_unref(struct dns_mapped *map);

/*
 * A new set from bindings: rows[i].image indexes `maps` (nmaps of them).  Takes its own references.  numbers[] are unit numbers, copied.
 * ERR_PROTO when a row points outside its image.
 */
enum err dns_zoneset_new(struct dns_mapped *const *maps, uint32_t nmaps, const struct msg_binding *rows, uint32_t nrows,
    const uint32_t *numbers, uint32_t nnumbers, struct dns_zoneset **set, struct errmsg *m);
void dns_zoneset_free(struct dns_zoneset *set);

/*
 * Adds zones that are configured and could not be loaded, once, before the set is used: `names` is text, each terminated, `len` bytes in all.  What is
 * asked about them is SERVFAIL.  ERR_PROTO when one is no name; the set must be freed then.
 */
enum err dns_zoneset_absent(struct dns_zoneset *set, const char *names, size_t len, struct errmsg *m);

#endif
