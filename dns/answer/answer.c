/* answer: the algorithm of RFC 1034 section 4.3.2, from a parsed query to a reply. */
#include "dns/answer/answer.h"

#include <string.h>

#include "dns/answer/lookup.h"
#include "dns/zimage/rdata.h"

#define ARCOUNT 10             /* where it stands in the header */
#define UDP_LEAST 512          /* RFC 1035 section 2.3.4; also for less announced (RFC 6891) */
#define ANY_TTL 3600           /* of the HINFO that stands for "ask for what you want" */

/* RFC 8914 section 4. */
#define EDE_PROHIBITED 18
#define EDE_NOT_AUTHORITATIVE 20
#define EDE_NOT_SUPPORTED 21

struct answer {
	const struct dns_zoneset *set;
	const struct dns_query *q;
	struct reply w;
	struct reply_end end;
	unsigned parts;                    /* enum reply_part; with DO, signatures too */
	uint32_t unit;
	/* where the search is: the question's name, or where a CNAME or DNAME led */
	const struct dns_zone *zone;
	uint8_t name[DNS_WIRE_NAME];
	size_t len;
	struct dns_labels labels;
	unsigned steps;                    /* CNAMEs and DNAMEs followed */
	struct {
		size_t len;
		uint8_t name[DNS_WIRE_NAME];
	} been[LIMIT_CNAME_STEPS];         /* where it was before */
	unsigned ndnames;
	const struct znode *dnames[LIMIT_CNAME_STEPS];   /* whose DNAME is in the answer already */
	/* with DO: wildcards whose data was given; their proofs go behind the answer section */
	unsigned nwild;
	struct {
		struct denial proof;
		uint8_t name[DNS_WIRE_NAME];
	} wild[LIMIT_CNAME_STEPS];
	struct denial_seen denied;
};

enum step { STEP_DONE, STEP_FOLLOW };

static enum step
truncated(struct answer *a)
{
	a->end.tc = true;
	return STEP_DONE;
}

/* How a node above, at, or standing in for the current name is called in the reply. */
static struct reply_owner
owner_of(const struct answer *a, const struct znode *n, uint8_t buf[DNS_WIRE_NAME])
{
	size_t len = znode_owner(a->zone->head, n, buf);

	return (struct reply_owner){
		.name = buf, .len = len, .stored = buf, .stored_len = len,
		.shared = a->steps == 0 ? len : 0,
	};
}

/* The same for a match: a wildcard's records are called by the name that was asked for. */
static struct reply_owner
owner_of_match(const struct answer *a, const struct dns_lookup *l, uint8_t buf[DNS_WIRE_NAME])
{
	struct reply_owner o = owner_of(a, l->node, buf);

	o.name = a->name;
	o.len = a->len;
	if (l->found == DNS_FOUND_WILDCARD && o.shared > 0)
		o.shared -= 2;   /* all but the asterisk */
	return o;
}

/* ---- proofs ---- */

static bool
secure(const struct answer *a)
{
	return (a->parts & REPLY_SIGS) != 0 && a->zone->head->norder > 0;
}

/* The current name was answered from a wildcard. */
static void
wild_remember(struct answer *a, const struct znode *n)
{
	if (!secure(a) || a->nwild == LIMIT_CNAME_STEPS)
		return;
	memcpy(a->wild[a->nwild].name, a->name, a->len);
	a->wild[a->nwild].proof = (struct denial){ .kind = DENIAL_WILDCARD, .z = a->zone->head,
		.node = n, .name = a->wild[a->nwild].name, .len = a->len,
		.in_question = a->steps == 0 };
	a->nwild++;
}

static bool
wild_put(struct answer *a)
{
	for (unsigned i = 0; i < a->nwild; i++)
		if (!denial_put(&a->w, &a->denied, &a->wild[i].proof))
			return false;
	a->nwild = 0;
	return true;
}

static bool
put_denial(struct answer *a, enum denial_kind kind, const struct znode *n, const uint8_t *name,
    size_t len)
{
	const struct denial d = { .kind = kind, .z = a->zone->head, .node = n, .name = name,
		.len = len, .in_question = a->steps == 0 };

	return !secure(a) || denial_put(&a->w, &a->denied, &d);
}

/* ---- answers and negative answers ---- */

/* Is this node's DNAME in the answer already?  What a wildcard makes of it has another owner. */
static bool
dname_given(const struct answer *a, enum dns_found found, const struct znode *n)
{
	unsigned i = 0;

	if (found != DNS_FOUND_NODE)
		return false;
	while (i < a->ndnames && a->dnames[i] != n)
		i++;
	return i < a->ndnames;
}

static bool
put_match(struct answer *a, const struct dns_lookup *l, const struct zrrset *set)
{
	uint8_t buf[DNS_WIRE_NAME];
	struct reply_owner o;

	if (set->type == DNS_T_DNAME && dname_given(a, l->found, l->node))
		return true;
	if (a->steps == 0 && l->found == DNS_FOUND_NODE && (set->count & ZRRSET_REWRITE) == 0)
		return reply_put_exact(&a->w, set, a->parts);
	o = owner_of_match(a, l, buf);
	if (l->found == DNS_FOUND_WILDCARD)
		wild_remember(a, l->node);
	return reply_put(&a->w, REPLY_ANSWER, &o, set, a->parts);
}

/* The SOA of a negative answer, RFC 2308 section 3, and what proves it. */
static enum step
put_negative(struct answer *a, const struct dns_lookup *l)
{
	const struct zone_head *z = a->zone->head;
	uint8_t buf[DNS_WIRE_NAME];
	struct reply_owner o = owner_of(a, zone_at(z, z->apex), buf);
	enum denial_kind kind = l->found == DNS_FOUND_NODE ? DENIAL_NODATA : DENIAL_NXDOMAIN;

	if (l->found == DNS_FOUND_WILDCARD)
		kind = DENIAL_WILDCARD_NODATA;
	if (kind == DENIAL_NXDOMAIN)
		a->end.rcode = DNS_R_NXDOMAIN;
	return reply_put(&a->w, REPLY_AUTHORITY, &o, zone_at(z, z->negative), a->parts) &&
	    put_denial(a, kind, l->node, a->name, a->len) ? STEP_DONE : truncated(a);
}

/* ---- delegations ---- */

/* Addresses of one name server; false when glue that the client needs does not fit (RFC 9471). */
static bool
put_glue(struct answer *a, const struct reply_owner *cut, const uint8_t *target, size_t len)
{
	static const uint16_t types[] = { DNS_T_A, DNS_T_AAAA };
	const struct znode *n = dns_zone_node(a->zone->head, target, len);
	struct reply_owner o = { .name = target, .len = len, .stored = target, .stored_len = len };

	for (unsigned i = 0; n != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		const struct zrrset *set = znode_find(n, types[i]);

		if (set != NULL && set->len > 0 &&
		    !reply_put(&a->w, REPLY_ADDITIONAL, &o, set, REPLY_DATA) &&
		    dns_name_under(target, len, cut->name, cut->len))
			return false;
	}
	return true;
}

/* The DS of a delegation, or that it has none: the last of the authority section. */
static bool
put_ds(struct answer *a, const struct znode *n, const struct reply_owner *cut)
{
	const struct zrrset *ds = znode_find(n, DNS_T_DS);

	return (ds != NULL && ds->len > 0
	    ? reply_put(&a->w, REPLY_AUTHORITY, cut, ds, a->parts)
	    : put_denial(a, DENIAL_NODATA, n, cut->name, cut->len)) && wild_put(a);
}

static enum step
refer(struct answer *a, const struct znode *n)
{
	uint8_t buf[DNS_WIRE_NAME], stored[DNS_WIRE_NAME], target[DNS_WIRE_NAME];
	struct reply_owner cut = owner_of(a, n, buf);
	const struct zrrset *ns = znode_find(n, DNS_T_NS);
	size_t used;

	if (a->steps == 0)
		a->end.aa = false;
	if (ns == NULL || !reply_put(&a->w, REPLY_AUTHORITY, &cut, ns, REPLY_DATA) ||
	    (a->parts != REPLY_DATA && !put_ds(a, n, &cut)))
		return truncated(a);
	for (size_t i = 0; i < ns->len; i += ZRR_FIXED + (size_t)dns_get16(ns->wire + i + 10)) {
		size_t len = zimage_name_expand(ns->wire + i + ZRR_FIXED, cut.stored,
		    cut.stored_len, stored, &used);

		dns_name_lower(target, stored, len);
		if (!put_glue(a, &cut, target, len))
			return truncated(a);
	}
	return STEP_DONE;
}

/* ---- aliases ---- */

/* The search goes on at another name, but not where it was before: a loop is answered once. */
static enum step
go_to(struct answer *a, const uint8_t *name, size_t len)
{
	if (a->steps + 1 >= LIMIT_CNAME_STEPS)
		return STEP_DONE;
	a->been[a->steps].len = a->len;
	memcpy(a->been[a->steps++].name, a->name, a->len);
	a->len = len;
	dns_name_lower(a->name, name, len);
	for (unsigned i = 0; i < a->steps; i++)
		if (a->been[i].len == len && memcmp(a->been[i].name, a->name, len) == 0)
			return STEP_DONE;
	dns_name_labels(a->name, &a->labels);
	return STEP_FOLLOW;
}

static enum step
follow_cname(struct answer *a, const struct dns_lookup *l, const struct zrrset *set)
{
	uint8_t owner[DNS_WIRE_NAME], target[DNS_WIRE_NAME];
	size_t owner_len = znode_owner(a->zone->head, l->node, owner), len, used;

	if (!put_match(a, l, set))
		return truncated(a);
	len = zimage_name_expand(set->wire + ZRR_FIXED, owner, owner_len, target, &used);
	return go_to(a, target, len);
}

/* The DNAME, once: a chain may pass it several times. */
static bool
put_dname(struct answer *a, const struct znode *n, const struct reply_owner *o,
    const struct zrrset *set)
{
	if (dname_given(a, DNS_FOUND_NODE, n))
		return true;
	a->dnames[a->ndnames++] = n;   /* one for each step at most */
	return reply_put(&a->w, REPLY_ANSWER, o, set, a->parts);
}

/* RFC 6672 section 3.2: the DNAME, and a CNAME made from it. */
static enum step
follow_dname(struct answer *a, const struct znode *n)
{
	uint8_t buf[DNS_WIRE_NAME], name[2 * DNS_WIRE_NAME];
	struct reply_owner o = owner_of(a, n, buf);
	const struct zrrset *set = znode_find(n, DNS_T_DNAME);
	struct reply_made cname = { .type = DNS_T_CNAME, .class = DNS_CLASS_IN, .rdata = name,
		.is_name = true };
	size_t prefix = a->len - o.len, suffix;

	if (set == NULL || !put_dname(a, n, &o, set))
		return truncated(a);
	suffix = dns_get16(set->wire + 10);
	if (prefix + suffix > DNS_WIRE_NAME) {
		a->end.rcode = DNS_R_YXDOMAIN;
		return STEP_DONE;
	}
	memcpy(name, a->name, prefix);
	memcpy(name + prefix, set->wire + ZRR_FIXED, suffix);
	cname.ttl = dns_get32(set->wire + 6);
	cname.rdlen = prefix + suffix;
	if (!reply_put_made(&a->w, a->name, a->len, &cname))
		return truncated(a);
	return a->q->qtype == DNS_T_CNAME ? STEP_DONE : go_to(a, name, prefix + suffix);
}

/* ---- a node ---- */

/* Signatures asked for by their own type: those of one RRset, as for ANY. */
static enum step
answer_rrsig(struct answer *a, const struct dns_lookup *l)
{
	const struct zrrset *set = znode_rrsets(l->node);
	uint8_t buf[DNS_WIRE_NAME];
	struct reply_owner o = owner_of_match(a, l, buf);
	unsigned i;

	for (i = 0; i < l->node->nrrsets && set->sig_len == 0; i++)
		set = zrrset_next(set);
	if (i == l->node->nrrsets)
		return put_negative(a, l);
	if (set->type == DNS_T_DNAME && (a->parts & REPLY_SIGS) != 0 &&
	    dname_given(a, l->found, l->node))
		return STEP_DONE;
	if (l->found == DNS_FOUND_WILDCARD)
		wild_remember(a, l->node);
	return reply_put(&a->w, REPLY_ANSWER, &o, set, REPLY_SIGS) ? STEP_DONE : truncated(a);
}

static bool
put_hinfo(struct answer *a)
{
	static const char rfc8482[] = "\7RFC8482";   /* the CPU; its terminator is the empty OS */
	const struct reply_made hinfo = { .type = DNS_T_HINFO, .class = DNS_CLASS_IN,
		.ttl = ANY_TTL, .rdata = rfc8482, .rdlen = sizeof(rfc8482) };

	return reply_put_made(&a->w, a->name, a->len, &hinfo);
}

/*
 * RFC 8482: one RRset, or at a unit, whose address goes out to those alone who ask for it, a
 * made-up HINFO.  A validator would refuse that in a signed zone: there it is the NSEC, or failing
 * that signatures.
 */
static enum step
answer_any(struct answer *a, const struct dns_lookup *l)
{
	const struct zrrset *set = znode_rrsets(l->node);
	unsigned i;

	if ((l->node->flags & ZNODE_UNIT) != 0 && secure(a)) {
		set = znode_find(l->node, DNS_T_NSEC);
		if (set == NULL || set->len == 0)
			return answer_rrsig(a, l);
		return put_match(a, l, set) ? STEP_DONE : truncated(a);
	}
	if ((l->node->flags & ZNODE_UNIT) != 0)
		return put_hinfo(a) ? STEP_DONE : truncated(a);
	for (i = 0; i < l->node->nrrsets && set->len == 0; i++)
		set = zrrset_next(set);
	if (i == l->node->nrrsets)
		return put_negative(a, l);
	return put_match(a, l, set) ? STEP_DONE : truncated(a);
}

/* Types that a client asks for before it connects wake a unit; a look at MX or TXT does not. */
static bool
wakes(uint16_t qtype)
{
	return qtype == DNS_T_A || qtype == DNS_T_AAAA || qtype == DNS_T_HTTPS ||
	    qtype == DNS_T_SVCB;
}

static enum step
answer_node(struct answer *a, const struct dns_lookup *l)
{
	const struct znode *n = l->node;
	const struct zrrset *set;

	if (a->q->qtype == DNS_T_ANY)
		return answer_any(a, l);
	if (a->q->qtype == DNS_T_RRSIG)
		return answer_rrsig(a, l);
	set = znode_find(n, a->q->qtype);   /* beside a CNAME may stand NSEC, KEY */
	if (set == NULL || set->len == 0)
		return (n->flags & ZNODE_CNAME) != 0 && a->q->qtype != DNS_T_CNAME
		    ? follow_cname(a, l, znode_find(n, DNS_T_CNAME)) : put_negative(a, l);
	if (!put_match(a, l, set))
		return truncated(a);
	if ((n->flags & ZNODE_UNIT) != 0 && wakes(a->q->qtype))
		a->unit = a->set->numbers[a->zone->first_unit + znode_unit(n)];
	return STEP_DONE;
}

/* No zone has the name: of the name that was asked for this is the answer; a chain just ends. */
static enum step
no_zone(struct answer *a, uint16_t rcode, int ede, const char *text)
{
	if (a->steps == 0)
		a->end = (struct reply_end){ .rcode = rcode, .ede = ede, .ede_text = text };
	return STEP_DONE;
}

/* Step 3 of the algorithm for the current name. */
static enum step
answer_step(struct answer *a)
{
	struct dns_lookup l;

	a->zone = dns_zoneset_find(a->set, a->name, a->len, &a->labels, a->q->qtype == DNS_T_DS);
	/* no parent here: the child itself says NODATA */
	if (a->zone == NULL && a->q->qtype == DNS_T_DS)
		a->zone = dns_zoneset_find(a->set, a->name, a->len, &a->labels, false);
	if (a->zone == NULL)
		return no_zone(a, DNS_R_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
	/* A zone of ours that could not be loaded: another server may have it. */
	if ((a->zone->head->flags & ZONE_ABSENT) != 0)
		return no_zone(a, DNS_R_SERVFAIL, MSG_EDE_NOT_READY,
		    "the zone could not be loaded");
	dns_zone_lookup(a->zone->head, a->name, a->len, &a->labels, a->q->qtype, &l);
	switch (l.found) {
	case DNS_FOUND_NODE: case DNS_FOUND_WILDCARD:
		return answer_node(a, &l);
	case DNS_FOUND_CUT:
		return refer(a, l.node);
	case DNS_FOUND_DNAME:
		return follow_dname(a, l.node);
	case DNS_FOUND_NOTHING:
		break;
	}
	return put_negative(a, &l);
}

static size_t
reply_limit(const struct dns_query *q, bool tcp, const struct dns_reply_conf *conf,
    const struct dns_reply *r)
{
	size_t limit = DNS_MESSAGE_MAX;

	if (!tcp) {
		limit = q->edns.present && q->edns.udp_payload > UDP_LEAST
		    ? q->edns.udp_payload : UDP_LEAST;
		if (limit > conf->udp_payload && conf->udp_payload >= UDP_LEAST)
			limit = conf->udp_payload;
	}
	return limit < r->cap ? limit : r->cap;
}

/*
 * Nobody may transfer a zone.  RFC 5936: over UDP there is no AXFR (section 4.2), and what is no
 * zone of ours is NOTAUTH (section 2.2.1).
 */
static struct reply_end
no_transfer(const struct answer *a, bool tcp)
{
	const struct dns_zone *zone = dns_zoneset_find(a->set, a->name, a->len, &a->labels, false);

	if (!tcp && a->q->qtype == DNS_T_AXFR)
		return (struct reply_end){ .rcode = DNS_R_NOTIMP, .ede = EDE_NOT_SUPPORTED };
	if (zone == NULL || zone->head->origin_len != a->len)
		return (struct reply_end){ .rcode = DNS_R_NOTAUTH, .ede = EDE_NOT_AUTHORITATIVE };
	return (struct reply_end){ .rcode = DNS_R_REFUSED, .ede = EDE_PROHIBITED };
}

/*
 * What we do not serve at all; NOERROR when the zones are to be asked.  What is true in all classes
 * is nobody's to say: no AA (RFC 1035 section 6.2).
 */
static struct reply_end
refusal(const struct answer *a, bool tcp)
{
	uint16_t qtype = a->q->qtype, qclass = a->q->qclass;

	if (qclass != DNS_CLASS_IN && qclass != DNS_CLASS_ANY)
		return (struct reply_end){ .rcode = DNS_R_REFUSED, .ede = EDE_NOT_AUTHORITATIVE };
	if (qtype == DNS_T_AXFR || qtype == DNS_T_IXFR)
		return no_transfer(a, tcp);
	return (struct reply_end){ .rcode = DNS_R_NOERROR, .aa = qclass == DNS_CLASS_IN,
	    .ede = -1 };
}

/* Which server this is (RFC 4892).  False: the question is another, or the server must not say. */
static bool
put_identity(struct answer *a, const struct dns_reply_conf *conf)
{
	static const uint8_t id_server[] = "\2id\6server", hostname_bind[] = "\10hostname\4bind";
	bool asked = (a->len == sizeof(id_server) && memcmp(a->name, id_server, a->len) == 0) ||
	    (a->len == sizeof(hostname_bind) && memcmp(a->name, hostname_bind, a->len) == 0);
	size_t len = conf->nsid != NULL ? strlen(conf->nsid) : 0;
	uint8_t rdata[256];
	const struct reply_made txt = { .type = DNS_T_TXT, .class = DNS_CLASS_CH, .rdata = rdata,
		.rdlen = len + 1 };

	if (!asked || a->q->qclass != DNS_CLASS_CH ||
	    (a->q->qtype != DNS_T_TXT && a->q->qtype != DNS_T_ANY) || len == 0 || len > 255)
		return false;
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, conf->nsid, len);
	a->end = (struct reply_end){ .rcode = DNS_R_NOERROR, .ede = -1,
	    .tc = !reply_put_made(&a->w, a->name, a->len, &txt) };
	return true;
}

uint32_t
dns_answer_build(const struct dns_zoneset *set, const struct dns_query *q, bool tcp,
    const struct dns_reply_conf *conf, struct dns_reply *r)
{
	struct answer a;

	a.set = set;
	a.q = q;
	a.parts = REPLY_DATA | (q->edns.dnssec_ok ? REPLY_SIGS : 0);
	a.unit = DNS_NO_UNIT;
	a.steps = 0;
	a.len = q->qname_len;
	memcpy(a.name, q->qname, q->qname_len);
	dns_name_labels(a.name, &a.labels);
	a.end = refusal(&a, tcp);
	reply_init(&a.w, q, r->buf, reply_limit(q, tcp, conf, r), reply_opt_len(q, conf));
	a.nwild = 0;
	a.ndnames = 0;
	a.denied.n = 0;
	if (q->qclass != DNS_CLASS_CH || !put_identity(&a, conf))
		while (a.end.rcode == DNS_R_NOERROR && answer_step(&a) == STEP_FOLLOW)
			;
	if (!a.end.tc && !wild_put(&a))
		a.end.tc = true;
	reply_finish(&a.w, &a.end, conf, r);
	return a.unit;
}

void
dns_error_build(const struct dns_query *q, bool tcp, uint16_t rcode, struct dns_ede ede,
    const struct dns_reply_conf *conf, struct dns_reply *r)
{
	struct reply_end end = { .rcode = rcode, .ede = ede.code, .ede_text = ede.text };
	size_t limit = reply_limit(q, tcp, conf, r), opt = reply_opt_len(q, conf);
	size_t tsig = rcode == DNS_R_NOTAUTH ? tsig_reply_len(&q->tsig, q->wire, q->len) : 0;
	struct reply w;

	if (tsig > 0 && DNS_MESSAGE_HEADER + q->question_len + opt + tsig > limit) {
		/* RFC 8945 section 5.3: over TCP there is room. */
		end = (struct reply_end){ .tc = true, .ede = -1 };
		tsig = 0;
	}
	reply_init(&w, q, r->buf, limit - tsig, opt);
	reply_finish(&w, &end, conf, r);
	if (tsig == 0)
		return;
	tsig_reply_put(&q->tsig, q->wire, q->len, r->buf + r->len);
	r->len += tsig;
	dns_put16(r->buf + ARCOUNT, (uint16_t)(dns_get16(r->buf + ARCOUNT) + 1));
}

void
dns_truncated_build(const struct dns_query *q, const struct dns_reply_conf *conf,
    struct dns_reply *r)
{
	struct reply_end end = { .aa = true, .tc = true, .ede = -1 };
	struct reply w;

	reply_init(&w, q, r->buf, reply_limit(q, false, conf, r), reply_opt_len(q, conf));
	reply_finish(&w, &end, conf, r);
}
