/* ztree: one zone in memory while it is compiled. */
#include "dns/zone/ztree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "dns/dns.h"
#include "dns/zone/zrdata.h"

#define FIRST_SLOTS 64
#define NSEC3_SALT 0x5bd1e995cafef00dull   /* keeps NSEC3 records apart from the zone's names */

/* The budget pays for a chunk of the arena once it is there, so it is exceeded by one at most. */
void *
ztree_alloc(struct ztree *t, size_t size)
{
	size_t before = t->arena.bytes;
	void *p = arena_alloc(&t->arena, size);

	return t->arena.bytes == before || zbudget_take(t->budget, t->arena.bytes - before)
	    ? p : NULL;
}

void
ztree_clear(struct ztree *t)
{
	arena_clear(&t->arena);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}

void
ztree_found(struct ztree *t, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)report_vadd(t->report, file, line, fmt, ap);   /* always ERR_PARSE */
	va_end(ap);
	t->nerrors++;
}

void
ztree_warn(struct ztree *t, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (!t->report->wants_zone_warnings)
		return;
	va_start(ap, fmt);
	report_vwarn(t->report, file, line, fmt, ap);
	va_end(ap);
}

const char *
ztree_name_text(const struct ztree *t, const uint8_t *rel, size_t len, char text[LIMIT_NAME_TEXT])
{
	uint8_t name[DNS_WIRE_NAME];

	memcpy(name, rel, len);
	memcpy(name + len, t->origin, t->origin_len);
	dns_name_text(name, text);
	return text;
}

/* ---- names ---- */

/* Not a base/table: the hash is that of the compiled zone, and the budget counts the slots. */

static struct tslot *
slot_find(const struct ztree *t, uint64_t hash, const uint8_t *rel, size_t len)
{
	size_t at = hash & (t->nslots - 1);

	for (; t->slots[at].node != NULL; at = (at + 1) & (t->nslots - 1)) {
		const struct tnode *n = t->slots[at].node;

		if (t->slots[at].hash == hash && n->name_len == len &&
		    memcmp(n->name, rel, len) == 0)
			break;
	}
	return &t->slots[at];
}

/* False when the budget is spent. */
static bool
slots_grow(struct ztree *t)
{
	struct tslot *old = t->slots;
	const size_t n = t->nslots;

	if (!zbudget_take(t->budget, 2 * n * sizeof(*old)))
		return false;
	t->nslots = 2 * n;
	t->slots = mem_zero(t->nslots, sizeof(*t->slots));
	/* No name is so long: slot_find gives the first free slot, and reads no node. */
	for (size_t i = 0; i < n; i++)
		if (old[i].node != NULL)
			*slot_find(t, old[i].hash, (const uint8_t *)"", SIZE_MAX) = old[i];
	free(old);
	return true;
}

/* The node of a name with this hash, made if need be; NULL when the budget is spent. */
static struct tnode *
node_enter(struct ztree *t, uint64_t hash, const uint8_t *rel, size_t len, unsigned labels,
    bool *made)
{
	struct tslot *slot = slot_find(t, hash, rel, len);
	struct tnode *n = slot->node;

	*made = n == NULL;
	if (n != NULL)
		return n;
	if (t->nnodes + 1 > t->nslots / 4 * 3) {
		if (!slots_grow(t))
			return NULL;
		slot = slot_find(t, hash, rel, len);
	}
	if ((n = ztree_alloc(t, sizeof(*n) + len)) == NULL)
		return NULL;
	*n = (struct tnode){ .hash = hash, .name_len = (uint8_t)len, .labels = (uint8_t)labels };
	memcpy(n->name, rel, len);
	*slot = (struct tslot){ .hash = hash, .node = n };
	t->nnodes++;
	*t->tail = n;
	t->tail = &n->next;
	return n;
}

/* The labels of a relative name and the hash of each suffix: hash[k] is of the last k labels. */
static unsigned
rel_hash(const struct ztree *t, const uint8_t *rel, size_t len, uint8_t off[DNS_WIRE_LABELS],
    uint64_t hash[DNS_WIRE_LABELS + 1])
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i += 1u + rel[i])
		off[n++] = (uint8_t)i;
	hash[0] = t->seed;
	for (unsigned k = 1; k <= n; k++)
		hash[k] = zhash_label(hash[k - 1], rel + off[n - k]);
	return n;
}

/* The node of a name, made with its ancestors if need be; NULL when the budget is spent. */
static struct tnode *
node_get(struct ztree *t, const uint8_t *rel, size_t len, bool nsec3)
{
	uint8_t off[DNS_WIRE_LABELS];
	uint64_t hash[DNS_WIRE_LABELS + 1];
	unsigned n = rel_hash(t, rel, len, off, hash);
	struct tnode *node = NULL, *here, *below = NULL;
	bool made = true;

	if (nsec3) {
		node = node_enter(t, hash[n] ^ NSEC3_SALT, rel, len, n, &made);
		if (node != NULL)
			node->flags |= ZNODE_NSEC3;
		return node;
	}
	for (unsigned k = n + 1; made && k-- > 0; below = here) {
		size_t at = k > 0 ? off[n - k] : len;

		if ((here = node_enter(t, hash[k], rel + at, len - at, k, &made)) == NULL)
			return NULL;
		t->names += made;
		if (k == n)
			node = here;
		else
			below->parent = here;
	}
	return node;
}

struct tnode *
ztree_find(const struct ztree *t, const uint8_t *rel, size_t len)
{
	uint8_t off[DNS_WIRE_LABELS];
	uint64_t hash[DNS_WIRE_LABELS + 1];
	unsigned n = rel_hash(t, rel, len, off, hash);

	return slot_find(t, hash[n], rel, len)->node;
}

enum err
ztree_init(struct ztree *t, const uint8_t *origin, size_t len, const char *file, bool units_apart,
    struct zbudget *budget, struct report *r, struct errmsg *m)
{
	struct dns_labels labels;

	dns_name_labels(origin, &labels);
	*t = (struct ztree){ .budget = budget, .report = r, .file = file, .origin_len = len,
		.origin_labels = labels.n, .units_apart = units_apart, .nslots = FIRST_SLOTS,
		.tail = &t->first, .units_tail = &t->units };
	memcpy(t->origin, origin, len);
	/* Whoever writes a zone must not be able to choose names that collide. */
	if (getrandom(&t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed))
		return err_sys(m, "getrandom");
	t->slots = mem_zero(t->nslots, sizeof(*t->slots));
	if ((t->apex = node_get(t, origin, 0, false)) == NULL) {
		ztree_clear(t);
		return zbudget_err(budget, m);
	}
	t->apex->flags |= ZNODE_APEX;
	return ERR_OK;
}

/* ---- records ---- */

struct trrset *
tnode_find(const struct tnode *n, uint16_t type, uint16_t covers)
{
	struct trrset *s = n->sets;

	while (s != NULL && (s->type != type || s->covers != covers))
		s = s->next;
	return s;
}

static struct trrset *
rrset_get(struct ztree *t, struct tnode *n, const struct zparse_rr *rr, uint16_t covers)
{
	struct trrset **at = &n->sets, *s;
	unsigned count = 0;

	for (; *at != NULL; at = &(*at)->next, count++)
		if ((*at)->type == rr->type && (*at)->covers == covers)
			return *at;
	if (count >= LIMIT_NODE_RRSETS) {
		ztree_found(t, rr->file, rr->line, "more than %d types of records at one name",
		    LIMIT_NODE_RRSETS);
		return NULL;
	}
	if ((s = ztree_alloc(t, sizeof(*s))) == NULL)
		return NULL;
	*s = (struct trrset){ .tail = &s->first, .type = rr->type, .covers = covers,
		.file = rr->file, .line = rr->line, .ttl = rr->ttl };
	return *at = s;
}

static void
add_to_node(struct ztree *t, struct tnode *n, const struct zparse_rr *rr)
{
	uint16_t covers = rr->type == DNS_T_RRSIG ? dns_get16(rr->rdata) : 0;
	struct trrset *s = rrset_get(t, n, rr, covers);
	struct trec *rec;

	if (s == NULL)
		return;
	for (rec = s->first; rec != NULL; rec = rec->next)
		if (zrdata_equal(rr->type, rec->rdata, rec->rdlen, rr->rdata, rr->rdlen))
			return;   /* RFC 2181 section 5: duplicates are one record */
	if (s->wire + ZRR_FIXED + rr->rdlen > LIMIT_RRSET_WIRE) {
		if (s->wire <= LIMIT_RRSET_WIRE)
			ztree_found(t, rr->file, rr->line,
			    "more records of one name and type than fit into an answer (%d bytes)",
			    LIMIT_RRSET_WIRE);
		s->wire = LIMIT_RRSET_WIRE + 1;
		return;
	}
	if ((rec = ztree_alloc(t, sizeof(*rec) + rr->rdlen)) == NULL)
		return;
	rec->rdlen = (uint16_t)rr->rdlen;
	rec->below = rr->file == s->file && rr->line > s->line && rr->line - s->line <= UINT16_MAX
	    ? (uint16_t)(rr->line - s->line) : 0;
	memcpy(rec->rdata, rr->rdata, rr->rdlen);
	*s->tail = rec;
	s->tail = &rec->next;
	s->n++;
	s->wire += (uint32_t)(ZRR_FIXED + rr->rdlen);
	if (rr->ttl != s->ttl)
		ztree_warn(t, rr->file, rr->line,
		    "TTL %u, where records of the same name and type before it have %u; all are "
		    "served with %u", rr->ttl, s->ttl, rr->ttl < s->ttl ? rr->ttl : s->ttl);
	if (rr->ttl < s->ttl)
		s->ttl = rr->ttl;
	t->records++;
}

/* ---- mappings ---- */

static bool
is_mapping(const struct ztree *t, const struct zparse_rr *rr)
{
	return rr->type == DNS_T_TXT && rr->owner_len >= t->origin_len &&
	    ztree_is_mapping(rr->owner, rr->owner_len - t->origin_len);
}

/* RFC 6763 section 6.4: printable ASCII before the first '='; and ours always have one. */
static bool
strings_ok(struct ztree *t, const struct zparse_rr *rr, unsigned *count)
{
	unsigned n = 0;

	for (size_t i = 0; i < rr->rdlen; i += 1u + rr->rdata[i], n++) {
		const uint8_t *s = rr->rdata + i + 1;
		unsigned len = rr->rdata[i], key = 0;

		while (key < len && s[key] != '=' && s[key] >= 0x20 && s[key] < 0x7f)
			key++;
		if (key == 0 || key == len || s[key] != '=') {
			ztree_found(t, rr->file, rr->line, "_jitsu: \"%.*s\" is not \"key=value\"",
			    (int)len, (const char *)s);
			return false;
		}
	}
	if (n > DNS_UNIT_STRINGS) {
		ztree_found(t, rr->file, rr->line, "_jitsu: %u strings, at most %d are accepted", n,
		    DNS_UNIT_STRINGS);
		return false;
	}
	*count = n;
	return true;
}

static void
add_mapping(struct ztree *t, const struct zparse_rr *rr)
{
	size_t len = rr->owner_len - t->origin_len - ZTREE_MAPPING_LEN;
	unsigned nstrings;
	struct tunit *u;
	uint8_t *name;

	if (!strings_ok(t, rr, &nstrings))
		return;
	if (t->nunits >= LIMIT_UNIT_NUMBERS) {
		ztree_found(t, rr->file, rr->line, "_jitsu: more than %u mappings in one zone",
		    LIMIT_UNIT_NUMBERS);
		return;
	}
	if ((u = ztree_alloc(t, sizeof(*u))) == NULL ||
	    (name = ztree_alloc(t, len + rr->rdlen)) == NULL)
		return;
	*u = (struct tunit){ .index = t->nunits++, .file = rr->file, .line = rr->line,
		.ttl = rr->ttl, .strings_len = (uint16_t)rr->rdlen, .nstrings = (uint16_t)nstrings,
		.name_len = (uint8_t)len, .name = name, .strings = name + len };
	memcpy(u->name, rr->owner + ZTREE_MAPPING_LEN, len);
	memcpy(u->strings, rr->rdata, rr->rdlen);
	*t->units_tail = u;
	t->units_tail = &u->next;
}

/* What any record must have; false after a finding. */
static bool
record_ok(struct ztree *t, const struct zparse_rr *rr)
{
	char text[LIMIT_NAME_TEXT], origin[LIMIT_NAME_TEXT];

	if (!dns_name_under(rr->owner, rr->owner_len, t->origin, t->origin_len)) {
		dns_name_text(rr->owner, text);
		dns_name_text(t->origin, origin);
		ztree_found(t, rr->file, rr->line,
		    "%s is outside of the zone %s; is a final dot missing or too much?", text,
		    origin);
		return false;
	}
	if (rr->type == 0 || rr->type == DNS_T_OPT || (rr->type >= 128 && rr->type <= 255)) {
		ztree_found(t, rr->file, rr->line, "type %u cannot stand in a zone", rr->type);
		return false;
	}
	return true;
}

void
ztree_add_record(void *arg, const struct zparse_rr *rr)
{
	struct ztree *t = arg;
	struct tnode *n = t->recent;
	size_t len;
	bool nsec3;

	if (!record_ok(t, rr))
		return;
	if (is_mapping(t, rr)) {
		if (t->units_apart)
			ztree_found(t, rr->file, rr->line,
			    "_jitsu: this zone's mappings stand in its units file, none may be "
			    "here");
		else
			add_mapping(t, rr);
		return;
	}
	len = rr->owner_len - t->origin_len;
	if (rr->type == DNS_T_SOA && len > 0) {
		ztree_found(t, rr->file, rr->line, "SOA below the zone's apex");
		return;
	}
	if (rr->type == DNS_T_RRSIG || rr->type == DNS_T_NSEC || rr->type == DNS_T_NSEC3)
		t->is_signed = true;
	nsec3 = rr->type == DNS_T_NSEC3 ||
	    (rr->type == DNS_T_RRSIG && dns_get16(rr->rdata) == DNS_T_NSEC3);
	if (nsec3 || n == NULL || n->name_len != len || memcmp(n->name, rr->owner, len) != 0)
		n = node_get(t, rr->owner, len, nsec3);
	if (n == NULL)
		return;
	if (!nsec3)
		t->recent = n;
	add_to_node(t, n, rr);
}

void
ztree_add_mapping(void *arg, const struct zparse_rr *rr)
{
	struct ztree *t = arg;

	if (!record_ok(t, rr))
		return;
	if (!is_mapping(t, rr))
		ztree_found(t, rr->file, rr->line,
		    "a units file holds TXT records at _jitsu names and nothing else");
	else
		add_mapping(t, rr);
}
