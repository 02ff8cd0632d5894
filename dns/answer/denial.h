/*
 * denial: the NSEC or NSEC3 records that prove what an answer says is not there (RFC 4035
 * section 3.1.3, RFC 5155 section 7.2).
 *
 * For zones that come signed; the records and their order are in the zimage.
 */
#ifndef DNS_ANSWER_DENIAL_H
#define DNS_ANSWER_DENIAL_H

#include "dns/answer/reply.h"

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
