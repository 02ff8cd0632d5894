/* reply: writes a reply into a buffer, compressing names (RFC 1035 section 4.1.4). */
#include "dns/answer/reply.h"

#include <string.h>

#include "base/msg.h"
#include "dns/zimage/rdata.h"

#define POINTER_MAX 0x3fff
#define OPT_LEN 11
#define COOKIE_LEN (4 + DNS_COOKIE_LEN)
#define KEEPALIVE_LEN 6
#define NSID_MOST (sizeof(((struct msg *)NULL)->dns_conf.nsid) - 1)

_Static_assert(DNS_MESSAGE_HEADER + DNS_WIRE_NAME + 4 + LIMIT_RRSET_WIRE + OPT_LEN + 4 + NSID_MOST +
    COOKIE_LEN + KEEPALIVE_LEN <= DNS_MESSAGE_MAX,
    "whatever is asked with, a RRset that was compiled can be answered");

void
reply_init(struct reply *w, const struct dns_query *q, uint8_t *buf, size_t limit, size_t opt)
{
	w->buf = buf;
	w->limit = limit > opt ? limit - opt : 0;
	w->end = limit;
	w->q = q;
	w->count[0] = w->count[1] = w->count[2] = 0;
	w->names_ready = false;
	w->nnames = 0;
	w->len = DNS_MESSAGE_HEADER;
	if (q->question_len > 0 && DNS_MESSAGE_HEADER + q->question_len <= w->limit) {
		memcpy(buf + DNS_MESSAGE_HEADER, q->qname_wire, q->question_len);
		w->len += q->question_len;
	}
}

/* ---- names ---- */

/* Remembers that a suffix of `len` bytes stands at `at`. */
static void
name_remember(struct reply *w, size_t at, size_t len)
{
	if (at > POINTER_MAX || w->nnames >= REPLY_NAMES)
		return;
	w->names[w->nnames].at = (uint16_t)at;
	w->names[w->nnames].older = w->by_len[len];
	w->by_len[len] = (uint8_t)++w->nnames;
}

/* Forgets what was remembered after `n` names. */
static void
names_forget(struct reply *w, unsigned n)
{
	if (!w->names_ready || w->nnames == n)
		return;
	w->nnames = n;
	for (unsigned i = 0; i < sizeof(w->by_len); i++)
		while (w->by_len[i] > n)
			w->by_len[i] = w->names[w->by_len[i] - 1].older;
}

static void
names_prepare(struct reply *w)
{
	const struct dns_query *q = w->q;

	if (w->names_ready)
		return;
	w->names_ready = true;
	w->nnames = 0;
	memset(w->by_len, 0, sizeof(w->by_len));
	for (size_t i = 0; q->question_len > 0 && q->qname[i] != 0; i += 1u + q->qname[i])
		name_remember(w, DNS_MESSAGE_HEADER + i, q->qname_len - i);
}

/* Does the message have this name at `at`?  We wrote it ourselves, so its pointers are sound. */
static bool
name_is_at(const struct reply *w, size_t at, const uint8_t *name)
{
	const uint8_t *p = w->buf + at;

	for (;;) {
		while ((*p & 0xc0) == 0xc0)
			p = w->buf + (dns_get16(p) & POINTER_MAX);
		if (!dns_label_equal(p, name))
			return false;
		if (*p == 0)
			return true;
		p += 1u + *p;
		name += 1u + *name;
	}
}

static bool
put_bytes(struct reply *w, const void *data, size_t len)
{
	if (w->limit - w->len < len)
		return false;
	memcpy(w->buf + w->len, data, len);
	w->len += len;
	return true;
}

static bool
put_pointer(struct reply *w, size_t at)
{
	uint8_t p[2] = { (uint8_t)(0xc0 | at >> 8), (uint8_t)at };

	return put_bytes(w, p, 2);
}

static bool
put_name(struct reply *w, const uint8_t *name, size_t len)
{
	names_prepare(w);
	for (; *name != 0; len -= 1u + *name, name += 1u + *name) {
		for (unsigned i = w->by_len[len]; i != 0; i = w->names[i - 1].older)
			if (name_is_at(w, w->names[i - 1].at, name))
				return put_pointer(w, w->names[i - 1].at);
		name_remember(w, w->len, len);
		if (!put_bytes(w, name, 1u + *name))
			return false;
	}
	return put_bytes(w, "", 1);
}

/*
 * A name as it stands in an RRset.  When it ends in a pointer to what the question has too, and the
 * set's names share no more than that, it is copied with a new pointer; else it is written out and
 * compressed anew.
 */
static bool
put_stored_name(struct reply *w, const struct reply_owner *o, const uint8_t *stored, bool rewrite,
    size_t *used)
{
	uint8_t name[DNS_WIRE_NAME];
	size_t labels = 0, suffix, len;

	while (stored[labels] != 0 && stored[labels] < 0xc0)
		labels += 1u + stored[labels];
	if (stored[labels] != 0 && !rewrite) {
		suffix = o->stored_len + DNS_MESSAGE_HEADER -
		    (dns_get16(stored + labels) & POINTER_MAX);
		if (suffix <= o->shared) {
			*used = labels + 2;
			names_prepare(w);
			for (size_t i = 0; i < labels; i += 1u + stored[i])
				name_remember(w, w->len + i, labels - i + suffix);
			return put_bytes(w, stored, labels) &&
			    put_pointer(w, DNS_MESSAGE_HEADER + w->q->qname_len - suffix);
		}
	}
	len = zimage_name_expand(stored, o->stored, o->stored_len, name, used);
	return put_name(w, name, len);
}

/* ---- records ---- */

static bool
put_owner(struct reply *w, const uint8_t *name, size_t len)
{
	const struct dns_query *q = w->q;

	if (len <= q->qname_len && q->question_len > 0 &&
	    memcmp(name, q->qname + q->qname_len - len, len) == 0 &&
	    dns_name_under(q->qname, q->qname_len, name, len) && len > 1)
		return put_pointer(w, DNS_MESSAGE_HEADER + q->qname_len - len);
	return put_name(w, name, len);
}

/*
 * Two names that end alike, behind their first a_len and b_len bytes: how many bytes of the second
 * go before all labels that they share.  Both are lower case.
 */
static size_t
shared_extend(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	uint8_t ao[DNS_WIRE_LABELS], bo[DNS_WIRE_LABELS];
	unsigned an = 0, bn = 0;

	for (size_t i = 0; i < a_len; i += 1u + a[i])
		ao[an++] = (uint8_t)i;
	for (size_t i = 0; i < b_len; i += 1u + b[i])
		bo[bn++] = (uint8_t)i;
	while (an > 0 && bn > 0 && a[ao[an - 1]] == b[bo[bn - 1]] &&
	    memcmp(a + ao[an - 1], b + bo[bn - 1], 1u + a[ao[an - 1]]) == 0) {
		an--;
		b_len = bo[--bn];
	}
	return b_len;
}

/* One stored record under its new owner.  Returns its stored size, 0 when it does not fit. */
static size_t
put_record(struct reply *w, const struct reply_owner *o, const uint8_t *rr, bool rewrite)
{
	struct dns_layout layout = dns_rdata_layout(dns_get16(rr + 2));
	size_t rdlen = dns_get16(rr + 10), done = 0, used, at;
	const uint8_t *rdata = rr + ZRR_FIXED;

	if (!put_owner(w, o->name, o->len) || !put_bytes(w, rr + 2, 8))
		return 0;
	at = w->len;
	if (!put_bytes(w, rr + 10, 2))
		return 0;
	if (layout.names > 0) {
		if (!put_bytes(w, rdata, layout.fixed))
			return 0;
		done = layout.fixed;
		for (unsigned i = 0; i < layout.names; i++, done += used)
			if (!put_stored_name(w, o, rdata + done, rewrite, &used))
				return 0;
	}
	if (!put_bytes(w, rdata + done, rdlen - done))
		return 0;
	dns_put16(w->buf + at, (uint16_t)(w->len - at - 2));
	return ZRR_FIXED + rdlen;
}

/* The owner of a RRset's first record; *pointer is for the next ones, 0 where none can reach it. */
static bool
put_first_owner(struct reply *w, const struct reply_owner *o, uint16_t *pointer)
{
	const struct dns_query *q = w->q;
	size_t at = w->len;

	if (o->name == o->stored && o->shared > 1 && q->question_len > 0) {
		size_t own = shared_extend(q->qname, q->qname_len - o->shared, o->name,
		    o->len - o->shared);

		if (!put_bytes(w, o->name, own) ||
		    !put_pointer(w, DNS_MESSAGE_HEADER + q->qname_len - (o->len - own)))
			return false;
	} else if (!put_owner(w, o->name, o->len)) {
		return false;
	}
	if ((w->buf[at] & 0xc0) == 0xc0)
		*pointer = dns_get16(w->buf + at);
	else
		*pointer = at <= POINTER_MAX ? (uint16_t)(0xc000 | at) : 0;
	return true;
}

/* Records without names in them: what is behind the owner is copied. */
static bool
put_plain(struct reply *w, const struct reply_owner *o, const struct zrrset *set, size_t begin,
    size_t end, uint16_t *count)
{
	uint16_t pointer = 0;

	for (size_t i = begin, n; i < end; i += n, (*count)++) {
		n = ZRR_FIXED + (size_t)dns_get16(set->wire + i + 10);
		if (!(pointer != 0 ? put_pointer(w, pointer & POINTER_MAX)
		    : put_first_owner(w, o, &pointer)) ||
		    !put_bytes(w, set->wire + i + 2, n - 2))
			return false;
	}
	return true;
}

/* Behind a name in a copied record, whose pointer, if it has one, moves along. */
static uint8_t *
move_name(uint8_t *p, size_t by)
{
	while (*p != 0 && *p < 0xc0)
		p += 1u + *p;
	if (*p == 0)
		return p + 1;
	dns_put16(p, (uint16_t)(dns_get16(p) + by));
	return p + 2;
}

/* A RRset whose owner the question's name ends in: a copy; all its pointers move by the same. */
static bool
put_moved(struct reply *w, const struct reply_owner *o, const struct zrrset *set, size_t begin,
    size_t end, uint16_t *count)
{
	size_t by = w->q->qname_len - o->len;
	uint8_t *p = w->buf + w->len, *rdata;

	if (!put_bytes(w, set->wire + begin, end - begin))
		return false;
	for (const uint8_t *stop = w->buf + w->len; p < stop;
	    p = rdata + dns_get16(rdata - 2), (*count)++) {
		struct dns_layout layout = dns_rdata_layout(dns_get16(p + 2));
		uint8_t *name;

		dns_put16(p, (uint16_t)(dns_get16(p) + by));
		rdata = p + ZRR_FIXED;   /* its length stands right before */
		name = rdata + layout.fixed;
		for (unsigned i = 0; i < layout.names; i++)
			name = move_name(name, by);
	}
	return true;
}

static bool
put_records(struct reply *w, const struct reply_owner *o, const struct zrrset *set, size_t begin,
    size_t end, uint16_t *count)
{
	bool plain = dns_rdata_layout(set->type).names == 0,
	    rewrite = (set->count & ZRRSET_REWRITE) != 0;

	/* Of NS and the like names are remembered, for those of glue. */
	if ((plain || set->type == DNS_T_SOA) && !rewrite && o->name == o->stored &&
	    o->shared == o->len && o->len > 1 && w->q->question_len > 0)
		return put_moved(w, o, set, begin, end, count);
	if (plain)
		return put_plain(w, o, set, begin, end, count);
	names_prepare(w);
	for (size_t i = begin, n; i < end; i += n, (*count)++)
		if ((n = put_record(w, o, set->wire + i, rewrite)) == 0)
			return false;
	return true;
}

static unsigned
count_records(const uint8_t *wire, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i += ZRR_FIXED + (size_t)dns_get16(wire + i + 10))
		n++;
	return n;
}

bool
reply_put(struct reply *w, enum reply_section s, const struct reply_owner *o,
    const struct zrrset *set, unsigned parts)
{
	size_t begin = (parts & REPLY_DATA) != 0 ? 0 : set->len, start = w->len;
	size_t end = set->len + ((parts & REPLY_SIGS) != 0 ? set->sig_len : 0u);
	bool were_ready = w->names_ready;
	unsigned names = w->nnames;
	uint16_t count = 0;

	if (!put_records(w, o, set, begin, end, &count)) {
		if (were_ready)
			names_forget(w, names);
		else
			w->names_ready = false;   /* they are gathered again when they are needed */
		w->len = start;
		return false;
	}
	w->count[s] += count;
	return true;
}

bool
reply_put_exact(struct reply *w, const struct zrrset *set, unsigned parts)
{
	size_t n = set->len + ((parts & REPLY_SIGS) != 0 ? set->sig_len : 0u);

	if (!put_bytes(w, set->wire, n))
		return false;
	w->count[REPLY_ANSWER] += set->count & ZRRSET_COUNT;
	if (n > set->len)
		w->count[REPLY_ANSWER] += (uint16_t)count_records(set->wire + set->len,
		    set->sig_len);
	return true;
}

bool
reply_put_made(struct reply *w, const uint8_t *owner, size_t owner_len,
    const struct reply_made *made)
{
	size_t start = w->len, at;
	unsigned names;
	uint8_t fixed[10];
	bool fits;

	names_prepare(w);
	names = w->nnames;
	dns_put16(fixed, made->type);
	dns_put16(fixed + 2, made->class);
	dns_put32(fixed + 4, made->ttl);
	fits = put_owner(w, owner, owner_len) && put_bytes(w, fixed, sizeof(fixed));
	at = w->len;
	if (fits)
		fits = made->is_name ? put_name(w, made->rdata, made->rdlen)
		    : put_bytes(w, made->rdata, made->rdlen);
	if (!fits) {
		names_forget(w, names);
		w->len = start;
		return false;
	}
	dns_put16(w->buf + at - 2, (uint16_t)(w->len - at));
	w->count[REPLY_ANSWER]++;
	return true;
}

/* ---- header and OPT ---- */

static size_t
nsid_len(const struct dns_query *q, const struct dns_reply_conf *conf)
{
	return q->edns.nsid && conf->nsid != NULL ? strlen(conf->nsid) : 0;
}

size_t
reply_opt_len(const struct dns_query *q, const struct dns_reply_conf *conf)
{
	size_t nsid = nsid_len(q, conf);

	if (!q->edns.present)
		return 0;
	return OPT_LEN + (nsid > 0 ? 4 + nsid : 0) + (q->edns.cookie_reply ? COOKIE_LEN : 0) +
	    (q->edns.keepalive ? KEEPALIVE_LEN : 0);
}

/* Begins an option; its data goes to what is returned. */
static uint8_t *
put_option(struct reply *w, uint16_t code, size_t len)
{
	uint8_t *p = w->buf + w->len;

	dns_put16(p, code);
	dns_put16(p + 2, (uint16_t)len);
	w->len += 4 + len;
	return p + 4;
}

/* The OPT record, as far as it fits. */
static void
put_opt(struct reply *w, const struct reply_end *end, const struct dns_reply_conf *conf)
{
	const size_t cap = w->end;
	const struct dns_edns *edns = &w->q->edns;
	size_t nsid = nsid_len(w->q, conf), start = w->len, text;
	uint8_t *p = w->buf + start, *ede;

	if (cap - start < OPT_LEN)
		return;
	memset(p, 0, OPT_LEN);
	dns_put16(p + 1, DNS_T_OPT);
	dns_put16(p + 3, conf->udp_payload);
	p[5] = (uint8_t)(end->rcode >> 4);
	p[7] = edns->dnssec_ok ? 0x80 : 0;
	w->len += OPT_LEN;
	if (edns->cookie_reply && cap - w->len >= COOKIE_LEN)
		memcpy(put_option(w, DNS_OPTION_COOKIE, DNS_COOKIE_LEN), edns->cookie,
		    DNS_COOKIE_LEN);
	if (edns->keepalive && cap - w->len >= KEEPALIVE_LEN)
		dns_put16(put_option(w, DNS_OPTION_KEEPALIVE, 2), conf->keepalive);
	if (nsid > 0 && cap - w->len >= 4 + nsid)
		memcpy(put_option(w, DNS_OPTION_NSID, nsid), conf->nsid, nsid);
	if (end->ede >= 0 && cap - w->len >= 6) {
		text = end->ede_text != NULL ? strlen(end->ede_text) : 0;
		if (cap - w->len < 6 + text)
			text = 0;
		ede = put_option(w, DNS_OPTION_EDE, 2 + text);
		dns_put16(ede, (uint16_t)end->ede);
		if (text > 0)
			memcpy(ede + 2, end->ede_text, text);
	}
	dns_put16(p + 9, (uint16_t)(w->len - start - OPT_LEN));
	w->count[REPLY_ADDITIONAL]++;
}

void
reply_finish(struct reply *w, const struct reply_end *end, const struct dns_reply_conf *conf,
    struct dns_reply *r)
{
	const struct dns_query *q = w->q;
	uint8_t *h = w->buf;

	if (q->edns.present)
		put_opt(w, end, conf);
	dns_put16(h, q->id);
	h[2] = (uint8_t)(0x80 | q->opcode << 3 | (end->aa ? 0x04 : 0) | (end->tc ? 0x02 : 0) |
	    (q->rd ? 0x01 : 0));
	/* RA, AD and CD are clear: no recursion, nothing validated (RFC 4035 section 3.1.6). */
	h[3] = (uint8_t)(end->rcode & 0x0f);
	dns_put16(h + 4, q->question_len > 0 ? 1 : 0);
	for (unsigned i = 0; i < 3; i++)
		dns_put16(h + 6 + 2 * i, w->count[i]);
	r->len = w->len;
	r->rcode = end->rcode;
}
