/*
 * fuzz_answer: zones made from the input go through the compiler, and every answer from them is
 * compared with an oracle's.
 *
 * The input: a byte for the kind of the zones, one for how many records, the records, then queries
 * until it ends.
 */
#include <ldns/packet.h>
#include <ldns/wire2host.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/dns.h"
#include "dns/zone/zcompile.h"
#include "fuzz_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MOST 32
#define QUERIES_MOST 12
#define HEADER_LEN 12
#define UDP_PAYLOAD 1232
#define UNIT 7
_Static_assert(ORACLE_ZONES == 2, "a zone is chosen by a bit");

#define LONG_LABEL "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"

struct input {
	const uint8_t *at, *end;
};

static uint8_t
take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static unsigned
choose(struct input *in, unsigned n)
{
	return take(in) % n;
}

/* ---- zones ---- */

static const char *const labels[] = { "a", "*", "b", "*", "n", "a", "\\000x", "ns", "b", "a\\.b",
    LONG_LABEL };
static const char *const suffixes[] = { "z.", "n.z.", "a.z.", "elsewhere.org.", "." };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct oracle oracle;
static struct {
	char *text;
	size_t len;
	FILE *f;
} file[ORACLE_ZONES];

/* Up to `most` labels in front of a suffix; the text may be too long for a name. */
static void
make_name(struct input *in, unsigned most, const char *suffix, char name[ORACLE_NAME])
{
	unsigned n = choose(in, most + 1);
	size_t len = 0;

	name[0] = '\0';
	for (; n > 0; n--)
		len += (size_t)snprintf(name + len, ORACLE_NAME - len, "%s.",
		    labels[choose(in, COUNT(labels))]);
	if (len == 0 || strcmp(suffix, ".") != 0)
		snprintf(name + len, ORACLE_NAME - len, "%s", suffix);
}

static void
add_line(void *arg, struct oracle_zone *z, const char *line)
{
	(void)arg;
	if (oracle_add(z, line) && fprintf(file[z - oracle.zones].f, "%s\n", line) < 0)
		abort();
}

/* What may follow an owner: $N is a name, $U a number, $T a long text. */
static const char *const kinds[] = {
	"A 10.0.0.$U", "60 A 10.0.1.$U", "120 A 10.0.1.$U", "AAAA fd00::$U", "NS $N", "CNAME $N",
	"DNAME $N", "MX $U $N", "TXT \"u=$U\"", "TXT $T",
	"DS $U 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"SRV 1 2 $U $N", "HTTPS 1 $N alpn=h2", "SVCB $U $N", "PTR $N", "MINFO $N $N", "HINFO a $U",
	"TYPE65400 \\# 3 0102ff", "A \\# 4 0a0000ff", "CAA 0 issue \"$U\"", "NS Ns.A.z.",
	"RP $N $N",
};

static void
make_record(struct input *in, struct oracle_zone *z)
{
	char line[CHAIN_LINE], owner[ORACLE_NAME], name[ORACLE_NAME];
	size_t n;

	make_name(in, 3, z->origin, owner);
	n = (size_t)snprintf(line, sizeof(line), "%s ", owner);
	for (const char *k = kinds[choose(in, COUNT(kinds))]; *k != '\0'; k++) {
		if (*k != '$') {
			line[n++] = *k;
			line[n] = '\0';
			continue;
		}
		switch (*++k) {
		case 'N':
			make_name(in, 2, choose(in, 3) == 0 ?
			    owner : suffixes[choose(in, COUNT(suffixes))], name);
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s", name);
			break;
		case 'U':
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%u", take(in));
			break;
		default:
			n += (size_t)snprintf(line + n, sizeof(line) - n, "\"%0*u\"",
			    100 + (int)choose(in, 150), take(in));
			break;
		}
	}
	add_line(NULL, z, line);
}

static void
open_zone(const char *origin, unsigned minimum)
{
	struct oracle_zone *z = &oracle.zones[oracle.nzones];
	char line[128];

	file[oracle.nzones].f = open_memstream(&file[oracle.nzones].text, &file[oracle.nzones].len);
	if (file[oracle.nzones].f == NULL ||
	    fprintf(file[oracle.nzones].f, "$TTL %d\n", ORACLE_TTL) < 0)
		abort();
	oracle.nzones++;
	snprintf(z->origin, sizeof(z->origin), "%s", origin);
	z->unit[0] = '\0';
	z->n = 0;
	snprintf(line, sizeof(line), "%s SOA Ns.z. Host.elsewhere.org. 1 2 3 4 %u", origin,
	    minimum);
	add_line(NULL, z, line);
	snprintf(line, sizeof(line), "%s NS ns.z.", origin);
	add_line(NULL, z, line);
}

/* The first address that may be a unit's becomes one. */
static void
choose_unit(struct oracle_zone *z)
{
	for (unsigned i = 0; i < z->n && z->unit[0] == '\0'; i++) {
		const struct oracle_record *r = &z->records[i];

		if ((r->type == DNS_T_A || r->type == DNS_T_AAAA) && r->owner[0] != '*' &&
		    oracle_above(z, r->owner, true) == NULL)
			snprintf(z->unit, sizeof(z->unit), "%s", r->owner);
	}
}

static enum chain
make_zones(struct input *in)
{
	uint8_t how = take(in);
	unsigned n = choose(in, RECORDS_MOST + 1);
	enum chain chain = (enum chain)(how & 3);

	oracle.nzones = 0;
	open_zone("z.", 30);
	if ((how & 4) != 0)
		open_zone("n.z.", 90);
	while (n-- > 0)
		make_record(in, &oracle.zones[choose(in, oracle.nzones)]);
	for (unsigned i = 0; i < oracle.nzones; i++) {
		if ((how & 8) != 0)
			choose_unit(&oracle.zones[i]);
		if (chain != CHAIN_NONE)
			chain_sign(&oracle.zones[i], chain, add_line, NULL);
		if (fclose(file[i].f) != 0)
			abort();
	}
	return chain;
}

/* ---- compiling ---- */

static int
text_fd(const char *text, size_t size)
{
	int fd = memfd_create("zone", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Whatever the oracle takes must compile. */
static void
compile_zone(struct zout *o, unsigned i)
{
	const struct oracle_zone *z = &oracle.zones[i];
	struct zcompile c = { .origin = z->origin, .path = "zone", .units_path = "units",
	    .index = i };
	char units[2 * ORACLE_NAME] = "; nothing\n", line[2048];
	struct report r;

	if (z->unit[0] != '\0')
		snprintf(units, sizeof(units), "_jitsu.%s TXT image=x\n", z->unit);
	c.fd = text_fd(file[i].text, file[i].len);
	c.units_fd = text_fd(units, strlen(units));
	report_init(&r);
	if (zcompile_zone(&c, o, &r) != ERR_OK) {
		for (size_t k = 0; k < r.nlines; k++) {
			report_format(&r, k, line, sizeof(line));
			fprintf(stderr, "%s\n", line);
		}
		abort();
	}
	report_clear(&r);
	close(c.fd);
	close(c.units_fd);
	free(file[i].text);
}

static struct dns_zoneset *
make_set(void)
{
	struct msg_binding rows[ORACLE_ZONES];
	uint32_t numbers[ORACLE_ZONES], nunits = 0;
	struct dns_zoneset *set;
	struct dns_zimage *map;
	struct errmsg m;
	struct zout o;
	int fd;

	if (zout_open(&o, &m) != ERR_OK)
		abort();
	for (unsigned i = 0; i < oracle.nzones; i++) {
		compile_zone(&o, i);
		rows[i] = (struct msg_binding){ .zone = i, .first_unit = nunits,
		    .nunits = oracle.zones[i].unit[0] != '\0' };
		if (rows[i].nunits > 0)
			numbers[nunits++] = UNIT;
	}
	if (zout_finish(&o, &fd, &m) != ERR_OK || dns_zimage_open(fd, &map, &m) != ERR_OK ||
	    dns_zoneset_new(&map, 1, rows, oracle.nzones, numbers, nunits, &set, &m) != ERR_OK)
		abort();
	dns_zimage_close(map);
	close(fd);
	zout_close(&o);
	return set;
}

/* ---- queries ---- */

struct question {
	char name[ORACLE_NAME];    /* lower case */
	uint16_t type;
	bool edns, dnssec;
	uint16_t payload;
	uint8_t wire[HEADER_LEN + 255 + 4 + 11];
	size_t len, question_len;
};

static const uint16_t types[] = { 1, 2, 5, 6, 12, 13, 14, 15, 16, 17, 28, 33, 39, 43, 46, 47, 48,
    50, 51, 64, 65, 99, 255, 257, 65400, 10 };

/* False when the name is too long to ask for. */
static bool
make_question(struct input *in, struct question *q)
{
	uint8_t how = take(in), flags = take(in), upper = take(in);
	const struct oracle_zone *z = &oracle.zones[flags >> 5 & (oracle.nzones - 1)];
	const struct oracle_record *near = &z->records[take(in) % z->n];
	ldns_rdf *rdf;
	size_t n;

	q->type = types[choose(in, COUNT(types))];
	if ((how & 1) != 0) {
		/* At what is there, or below; of that type, or whether a delegation is signed. */
		make_name(in, (flags & 2) != 0 ? 0 : 2, near->owner, q->name);
		if ((flags & 4) != 0)
			q->type = near->type == DNS_T_NS && (flags & 8) != 0 ?
			    DNS_T_DS : near->type;
	} else {
		make_name(in, 5, suffixes[choose(in, COUNT(suffixes))], q->name);
	}
	rdf = ldns_dname_new_frm_str(q->name);
	n = rdf != NULL ? ldns_rdf_size(rdf) : 0;
	if (n == 0 || n > 255 || oracle_lower(q->name) == NULL) {
		ldns_rdf_deep_free(rdf);
		return false;
	}
	memset(q->wire, 0, sizeof(q->wire));
	q->wire[0] = upper;
	q->wire[1] = how;
	q->wire[2] = flags & 1;              /* RD */
	q->wire[3] = flags & 0x10;           /* CD */
	q->wire[5] = 1;
	memcpy(q->wire + HEADER_LEN, ldns_rdf_data(rdf), n);
	ldns_rdf_deep_free(rdf);
	for (size_t i = HEADER_LEN; q->wire[i] != 0; i += 1u + q->wire[i])
		for (unsigned k = 1; k <= q->wire[i]; k++)
			if (islower(q->wire[i + k]) && (upper >> k % 8 & 1) != 0)
				q->wire[i + k] = (uint8_t)toupper(q->wire[i + k]);
	dns_put16(q->wire + HEADER_LEN + n, q->type);
	q->wire[HEADER_LEN + n + 3] = 1;
	q->question_len = n + 4;
	q->len = HEADER_LEN + q->question_len;
	q->edns = (how & 2) != 0;
	q->dnssec = q->edns && (how & 4) != 0;
	q->payload = (uint16_t)((how >> 3) * 64);
	if (q->edns) {
		q->wire[11] = 1;
		dns_put16(q->wire + q->len + 1, DNS_T_OPT);
		dns_put16(q->wire + q->len + 3, q->payload);
		q->wire[q->len + 7] = q->dnssec ? 0x80 : 0;
		q->len += 11;
	}
	return true;
}

/* ---- replies ---- */

struct parsed {
	bool aa, tc;
	uint16_t rcode;
	struct lines section[3];   /* without the OPT */
	ldns_rr_list *authority;
	unsigned opts;
};

/* Says what is wrong, and everything one needs to see why. */
static void
wrong(const struct question *q, const struct parsed *p, const struct expected *e, const char *what)
{
	const struct lines *want[] = { &e->answer, &e->authority, &e->additional };

	fprintf(stderr, "%s type %u%s: %s\nrcode %u, expected %u; aa %d, expected %d; tc %d\n",
	    q->name, q->type, q->dnssec ? " DO" : "", what, p->rcode, e->rcode, p->aa, e->aa,
	    p->tc);
	for (unsigned s = 0; s < 3; s++) {
		for (unsigned i = 0; i < p->section[s].n; i++)
			fprintf(stderr, "section %u has      %s", s, p->section[s].at[i]);
		for (unsigned i = 0; i < want[s]->n; i++)
			fprintf(stderr, "section %u expected %s", s, want[s]->at[i]);
	}
	for (unsigned k = 0; k < oracle.nzones; k++) {
		for (unsigned i = 0; i < oracle.zones[k].n; i++) {
			char *s = ldns_rr2str(oracle.zones[k].records[i].rr);

			fprintf(stderr, "zone %u: %s", k, s);
			free(s);
		}
		fprintf(stderr, "zone %u: unit `%s'\n", k, oracle.zones[k].unit);
	}
	abort();
}

static void
parsed_clear(struct parsed *p)
{
	for (unsigned i = 0; i < 3; i++)
		lines_clear(&p->section[i]);
	ldns_rr_list_deep_free(p->authority);
}

/* Every byte of the reply, with ldns; NULL, or what is wrong. */
static const char *
parse_reply(const struct question *q, const struct dns_reply *r, struct parsed *p)
{
	const uint8_t *h = r->buf;
	size_t pos = HEADER_LEN + q->question_len;
	ldns_pkt *pkt = NULL;

	memset(p, 0, sizeof(*p));
	p->authority = ldns_rr_list_new();
	if (r->len < pos || memcmp(h, q->wire, 2) != 0 || h[2] >> 3 != 0x10 ||
	    (h[2] & 1) != (q->wire[2] & 1) || (h[3] & 0xf0) != 0)
		return "header";
	if (dns_get16(h + 4) != 1 ||
	    memcmp(h + HEADER_LEN, q->wire + HEADER_LEN, q->question_len) != 0)
		return "question";
	if (ldns_wire2pkt(&pkt, h, r->len) != LDNS_STATUS_OK)
		return "not a message";
	ldns_pkt_free(pkt);
	p->aa = (h[2] & 4) != 0;
	p->tc = (h[2] & 2) != 0;
	p->rcode = h[3] & 15;
	for (unsigned s = 0; s < 3; s++) {
		for (unsigned n = dns_get16(h + 6 + 2 * s); n > 0; n--) {
			ldns_rr *rr;
			char *line;

			if (ldns_wire2rr(&rr, h, r->len, &pos, (ldns_pkt_section)(s + 1)) !=
			    LDNS_STATUS_OK)
				return "record";
			if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_OPT) {
				p->opts += s == 2 && ldns_rdf_size(ldns_rr_owner(rr)) == 1 ?
				    1 : 100;
				ldns_rr_free(rr);
				continue;
			}
			line = oracle_lower(ldns_rr2str(rr));
			if (lines_have(&p->section[s], line)) {
				fprintf(stderr, "twice: %s", line);
				free(line);
				ldns_rr_free(rr);
				return "record twice";
			}
			lines_add(&p->section[s], line);
			if (s == 1)
				ldns_rr_list_push_rr(p->authority, rr);
			else
				ldns_rr_free(rr);
		}
	}
	if (pos != r->len || p->opts != q->edns || p->rcode != r->rcode)
		return "size, OPT or rcode";
	return NULL;
}

static bool
is_proof(const char *line)
{
	return strstr(line, "\tnsec\t") != NULL || strstr(line, "\tnsec3\t") != NULL ||
	    strstr(line, "\trrsig\tnsec ") != NULL || strstr(line, "\trrsig\tnsec3 ") != NULL;
}

/* The answer is one RRset of those that will do, and nothing else. */
static bool
some_ok(const struct parsed *p, const struct expected *e)
{
	const struct lines *got = &p->section[0];

	if (e->hinfo)
		return got->n == 1 && strstr(got->at[0], "\thinfo\t\"rfc8482\" \"\"") != NULL;
	return got->n > 0 && lines_within(got, &e->answer);
}

/*
 * The authority section: what is expected, and with it only records of the chain, all of them
 * signed.
 */
static const char *
authority_wrong(const struct parsed *p, const struct expected *e, enum chain chain, bool dnssec)
{
	unsigned others = 0, chained = 0, sigs = 0;

	for (unsigned i = 0; i < p->section[1].n; i++) {
		const char *line = p->section[1].at[i];

		if (!is_proof(line)) {
			others++;
			continue;
		}
		if (strstr(line, "\trrsig\t") != NULL)
			sigs++;
		else
			chained++;
	}
	if (others != e->authority.n || !lines_within(&e->authority, &p->section[1]))
		return "authority section";
	if (chained != sigs || (chained > 0 && (chain == CHAIN_NONE || !dnssec || e->nproofs == 0)))
		return "records of the chain";
	for (unsigned i = 0; i < e->nproofs && chain != CHAIN_NONE && dnssec; i++)
		if (!proof_holds(&e->proofs[i], chain, p->authority))
			return "proof";
	return NULL;
}

/* A whole answer. */
static const char *
answer_wrong(const struct question *q, const struct parsed *p, const struct expected *e,
    enum chain chain)
{
	if (p->tc)
		return "truncated";
	if (p->rcode != e->rcode || p->aa != e->aa)
		return "rcode or aa";
	/* Of ANY and RRSIG the last RRset may be any, behind whatever led there. */
	if (e->one_rrset || e->hinfo ? !some_ok(p, e) :
	    p->section[0].n != e->answer.n || !lines_within(&e->answer, &p->section[0]))
		return "answer section";
	if (p->section[2].n != e->additional.n || !lines_within(&e->additional, &p->section[2]))
		return "additional section";
	return authority_wrong(p, e, chain, q->dnssec);
}

/* Over UDP the same, or what fits of it. */
static const char *
udp_wrong(const struct dns_reply *whole, const struct parsed *full, const struct dns_reply *r,
    const struct parsed *p, size_t limit)
{
	if (r->len > limit)
		return "longer than the limit";
	if (whole->len <= limit)
		return r->len == whole->len && memcmp(r->buf, whole->buf, r->len) == 0 ?
		    NULL : "it would have fitted";
	for (unsigned s = 0; s < 3; s++)
		if (!lines_within(&p->section[s], &full->section[s]) ||
		    (s < 2 && !p->tc && p->section[s].n != full->section[s].n))
			return "neither whole nor truncated";
	return p->tc || (p->rcode == full->rcode && p->aa == full->aa) ? NULL : "rcode or aa";
}

static void
ask(const struct dns_zoneset *set, const struct question *q, enum chain chain)
{
	static uint8_t tcp_buf[DNS_MESSAGE_MAX], udp_buf[UDP_PAYLOAD];
	static struct expected e;
	const struct dns_reply_conf conf = { .udp_payload = UDP_PAYLOAD };
	struct dns_reply tcp = { .buf = tcp_buf, .cap = sizeof(tcp_buf) },
	    udp = { .buf = udp_buf, .cap = sizeof(udp_buf) };
	size_t limit = q->edns && q->payload > 512 ? q->payload : 512;
	struct parsed whole, part;
	const char *what;
	struct dns_query query;
	uint16_t rcode;

	oracle_ask(&oracle, q->name, q->type, q->dnssec, &e);
	if (dns_query_parse(q->wire, q->len, &query, &rcode) != DNS_PARSED_OK)
		abort();
	if (dns_answer_build(set, &query, true, &conf, &tcp) != (e.unit ? UNIT : DNS_NO_UNIT))
		fprintf(stderr, "unit, expected %d: ", e.unit), e.rcode = 0xffff;
	if ((what = parse_reply(q, &tcp, &whole)) != NULL ||
	    (what = answer_wrong(q, &whole, &e, chain)) != NULL)
		wrong(q, &whole, &e, what);
	(void)dns_answer_build(set, &query, false, &conf, &udp);   /* the same unit */
	if ((what = parse_reply(q, &udp, &part)) != NULL ||
	    (what = udp_wrong(&tcp, &whole, &udp, &part,
	    limit < UDP_PAYLOAD ? limit : UDP_PAYLOAD)) != NULL)
		wrong(q, &part, &e, what);
	parsed_clear(&whole);
	parsed_clear(&part);
	expected_clear(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	static struct question q;
	enum chain chain = make_zones(&in);
	struct dns_zoneset *set = make_set();

	for (unsigned i = 0; i < QUERIES_MOST && in.at < in.end; i++)
		if (make_question(&in, &q))
			ask(set, &q, chain);
	dns_zoneset_free(set);
	oracle_clear(&oracle);
	return 0;
}
