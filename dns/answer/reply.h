/* reply: names with compression, RRsets whole or not at all, header and OPT of a reply. */
#ifndef DNS_ANSWER_REPLY_H
#define DNS_ANSWER_REPLY_H

#include "dns/answer/query.h"
#include "dns/zimage/format.h"

/* What a server puts into replies besides the zone's data. */
struct dns_reply_conf {
	uint16_t udp_payload;      /* our EDNS buffer size; also the limit for UDP replies */
	const char *nsid;          /* NULL or empty = none */
	uint16_t keepalive;        /* of an idle TCP connection, in tenths of a second (RFC 7828) */
};

/* A reply's place, and what became of the reply. */
struct dns_reply {
	uint8_t *buf;              /* DNS_MESSAGE_MAX bytes for TCP, conf.udp_payload for UDP */
	size_t cap;
	size_t len;                /* out */
	uint16_t rcode;            /* out, extended */
};

/* Suffixes remembered for compression; names beyond that are only written longer. */
#define REPLY_NAMES 200

/* A reply on its way. */
struct reply {
	uint8_t *buf;
	size_t len;                /* bytes written */
	size_t limit, end;         /* the most there may be before the OPT, and with it */
	const struct dns_query *q;
	uint16_t count[3];         /* answer, authority, additional */
	bool names_ready;          /* the tables below are filled in when first needed */
	unsigned nnames;
	uint8_t by_len[256];       /* a suffix's length → 1 + index of the newest of it */
	struct {
		uint16_t at;       /* where in the message */
		uint8_t older;     /* 1 + index of the next older name of the same length */
	} names[REPLY_NAMES];
};

enum reply_section { REPLY_ANSWER, REPLY_AUTHORITY, REPLY_ADDITIONAL };

/* Where a RRset goes and what it is called there. */
struct reply_owner {
	const uint8_t *name;       /* as it is to be called */
	size_t len;
	const uint8_t *stored;     /* the node's own, for pointers in RDATA; a wildcard's differs */
	size_t stored_len;
	size_t shared;             /* last bytes of `stored` that the question's name has as well */
};

/* Begins with the question.  `limit` bounds the message, with `opt` bytes free (reply_opt_len). */
void reply_init(struct reply *w, const struct dns_query *q, uint8_t *buf, size_t limit, size_t opt);

enum reply_part { REPLY_DATA = 1, REPLY_SIGS = 2 };

/* Appends a RRset, its signatures, or both; false, and nothing written, when that does not fit. */
bool reply_put(struct reply *w, enum reply_section s, const struct reply_owner *o,
    const struct zrrset *set, unsigned parts);

/* The same for the node that the question names, first in the answer; `parts` has REPLY_DATA. */
bool reply_put_exact(struct reply *w, const struct zrrset *set, unsigned parts);

/* A record made up here, for the answer section. */
struct reply_made {
	uint16_t type, class;
	uint32_t ttl;
	const void *rdata;
	size_t rdlen;
	bool is_name;              /* the data is a name, and compressed */
};

bool reply_put_made(struct reply *w, const uint8_t *owner, size_t owner_len,
    const struct reply_made *made);

/* Header, counts and OPT; `aa` and `tc` are flags. */
struct reply_end {
	uint16_t rcode;
	bool aa, tc;
	int ede;                   /* RFC 8914 INFO-CODE or -1 */
	const char *ede_text;      /* NULL = none */
};

void reply_finish(struct reply *w, const struct reply_end *end, const struct dns_reply_conf *conf,
    struct dns_reply *r);

/* Bytes to leave for the OPT that reply_finish will add. */
size_t reply_opt_len(const struct dns_query *q, const struct dns_reply_conf *conf);

/*
 * ---- denial.c: the NSEC or NSEC3 records that prove what an answer says is not there ----
 *
 * RFC 4035 section 3.1.3, RFC 5155 section 7.2; for zones that come signed: the records and their
 * order are in the zimage.
 */

enum denial_kind {
	DENIAL_NXDOMAIN,           /* no name, no wildcard for it; `node`: the closest encloser */
	DENIAL_NODATA,             /* `node` has the name, not the type; or no DS at a delegation */
	DENIAL_WILDCARD_NODATA,    /* `node` is the name's wildcard, and lacks the type */
	DENIAL_WILDCARD            /* the wildcard `node` answered: nothing is closer to the name */
};

struct denial {
	enum denial_kind kind;
	const struct zone_head *z;
	const struct znode *node;
	const uint8_t *name;       /* lower case, in the zone */
	size_t len;
	bool in_question;          /* the question's name is in this zone too */
};

/* Records that the reply has already. */
#define DENIAL_SEEN 64

struct denial_seen {
	unsigned n;
	struct {
		const struct zone_head *z;
		uint32_t index;
	} at[DENIAL_SEEN];
};

/* Puts the proof, if the zone has a chain, into the authority section; false: no room. */
bool denial_put(struct reply *w, struct denial_seen *seen, const struct denial *d);

#endif
