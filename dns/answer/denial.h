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
	DENIAL_NXDOMAIN,           /* neither the name nor a wildcard for it exists; `node` is the closest encloser */
	DENIAL_NODATA,             /* `node` has the name, and lacks the type: also a delegation without DS */
	DENIAL_WILDCARD_NODATA,    /* `node` is the wildcard that stands for the name, and lacks the type */
	DENIAL_WILDCARD            /* the data of the wildcard `node` was given, since nothing is closer to the name */
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

/* Puts the proof into the authority section; false when it does not fit.  A zone without a chain has none to give. */
bool denial_put(struct reply *w, struct denial_seen *seen, const struct denial *d);

#endif
