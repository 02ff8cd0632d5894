/* answer_test: RFC 1034 section 4.3.2 and what came after it, on zones small enough to read. */
#include "dns/server/cookie.h"
#include "dns/answer/lookup.h"
#include "tests/unit/dns/zone_fixture.h"

#define SOA_TEXT "example.test. 30 IN SOA ns.example.test. h.example.test. 1 2 3 4 30\n"

static const char zone_text[] =
    "$TTL 60\n"
    "@ SOA ns h 1 2 3 4 30\n"
    "@ NS ns\n@ NS ns.elsewhere.org.\n"
    "ns A 10.0.0.1\n"
    "www A 10.0.0.10\nwww A 10.0.0.11\nwww AAAA fd00::10\nwww TXT plain\n"
    "_jitsu.www TXT image=hello\n"
    "four A 10.0.0.12\n_jitsu.four TXT image=hello\n"
    "alias CNAME www\nalias2 CNAME alias\nloop1 CNAME loop2\nloop2 CNAME loop1\n"
    "out CNAME www.other.org.\nnowhere CNAME nothing\nacross CNAME www.second.test.\n"
    "mail MX 10 mx1.mail\nmail MX 20 mx2.mail\nmx1.mail A 10.0.0.20\n"
    "*.wild TXT any\nexact.wild TXT exact\nc.ent.wild TXT deep\n*.wcname CNAME www\n"
    "*.self CNAME *.self\n"
    "sub NS ns.sub\nsub NS ns.other.org.\nsub NS ns\nns.sub A 10.0.0.30\nns.sub AAAA fd00::30\n"
    "sub DS 1 8 2 "
    "0000000000000000000000000000000000000000000000000000000000000000\n"
    "old DNAME new\nx.new A 10.0.0.40\nold TXT here\n"
    "far DNAME far.away.example.org.\n"
    "a.very.deep TXT leaf\n";

static struct fixture fx;

static int
setup(void **state)
{
	(void)state;
	fixture_add(&fx, "example.test", zone_text);
	fixture_add(&fx, "second.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nwww A 10.0.1.2\n"
	    "_jitsu.www TXT image=x\n");
	fx.rows[1].first_unit = 8;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_clear(&fx);
	return 0;
}

#define ASK(name, type, expected)							\
	assert_int_equal(fixture_ask(&fx, true, name, type, expected), DNS_NO_UNIT)

static void
exact(void **state)
{
	(void)state;
	ASK("ns.example.test", DNS_T_A, "NOERROR aa\nan ns.example.test. 60 IN A 10.0.0.1\n");
	ASK("EXAMPLE.test", DNS_T_NS,
	    "NOERROR aa\nan EXAMPLE.test. 60 IN NS ns.EXAMPLE.test.\n"
	    "an EXAMPLE.test. 60 IN NS ns.elsewhere.org.\n");
	ASK("mail.example.test", DNS_T_MX,
	    "NOERROR aa\nan mail.example.test. 60 IN MX 10 mx1.mail.example.test.\n"
	    "an mail.example.test. 60 IN MX 20 mx2.mail.example.test.\n");
	ASK("ns.example.test", DNS_T_AAAA, "NOERROR aa\nns " SOA_TEXT);
	ASK("deep.example.test", DNS_T_A, "NOERROR aa\nns " SOA_TEXT);
	ASK("b.very.deep.example.test", DNS_T_A, "NXDOMAIN aa\nns " SOA_TEXT);
	ASK("_jitsu.www.example.test", DNS_T_TXT, "NXDOMAIN aa\nns " SOA_TEXT);
	ASK("www.other.org", DNS_T_A, "REFUSED\n");
	ASK("test", DNS_T_A, "REFUSED\n");
	ASK("ns.example.test", DNS_T_ANY, "NOERROR aa\nan ns.example.test. 60 IN A 10.0.0.1\n");
}

static void
transfers(void **state)
{
	static const struct {
		const char *name, *by_udp, *by_tcp;
		uint16_t type;
	} rows[] = {
		{ "example.test", "NOTIMP\n", "REFUSED\n", DNS_T_AXFR },
		{ "example.test", "REFUSED\n", "REFUSED\n", DNS_T_IXFR },
		{ "www.example.test", "NOTIMP\n", "NOTAUTH\n", DNS_T_AXFR },
		{ "www.example.test", "NOTAUTH\n", "NOTAUTH\n", DNS_T_IXFR },
		{ "other.org", "NOTIMP\n", "NOTAUTH\n", DNS_T_AXFR },
		{ "other.org", "NOTAUTH\n", "NOTAUTH\n", DNS_T_IXFR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)fixture_ask(&fx, false, rows[i].name, rows[i].type, rows[i].by_udp);
		(void)fixture_ask(&fx, true, rows[i].name, rows[i].type, rows[i].by_tcp);
	}
}

static uint32_t
ask_class(const char *name, uint16_t type, uint16_t class, const char *nsid, const char *expected)
{
	uint8_t wire[300];
	size_t len = fixture_query(wire, name, type);
	struct dns_query q;
	uint16_t rcode;

	dns_put16(wire + len - 2, class);
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	return fixture_answer(&fx, false, &q, nsid, expected);
}

static void
classes(void **state)
{
	(void)state;
	(void)ask_class("ns.example.test", DNS_T_A, DNS_CLASS_ANY, NULL,
	    "NOERROR\nan ns.example.test. 60 IN A 10.0.0.1\n");
	(void)ask_class("nothing.example.test", DNS_T_A, DNS_CLASS_ANY, NULL,
	    "NXDOMAIN\nns " SOA_TEXT);
	assert_int_equal(ask_class("four.example.test", DNS_T_A, DNS_CLASS_ANY, NULL, NULL), 101);
	(void)ask_class("example.test", DNS_T_AXFR, DNS_CLASS_ANY, NULL, "NOTIMP\n");
	(void)ask_class("ns.example.test", DNS_T_A, 254, NULL, "REFUSED\n");
	(void)ask_class("ns.example.test", DNS_T_A, DNS_CLASS_CH, "here", "REFUSED\n");
	(void)ask_class("ID.server", DNS_T_TXT, DNS_CLASS_CH, "here",
	    "NOERROR\nan ID.server. 0 CH TXT \"here\"\n");
	(void)ask_class("hostname.bind", DNS_T_ANY, DNS_CLASS_CH, "here",
	    "NOERROR\nan hostname.bind. 0 CH TXT \"here\"\n");
	(void)ask_class("id.server", DNS_T_TXT, DNS_CLASS_CH, NULL, "REFUSED\n");
	(void)ask_class("id.server", DNS_T_A, DNS_CLASS_CH, "here", "REFUSED\n");
	(void)ask_class("x.id.server", DNS_T_TXT, DNS_CLASS_CH, "here", "REFUSED\n");
	(void)ask_class("version.bind", DNS_T_TXT, DNS_CLASS_CH, "here", "REFUSED\n");
	(void)ask_class("id.server", DNS_T_TXT, DNS_CLASS_IN, "here", "REFUSED\n");
}

static void
aliases(void **state)
{
	(void)state;
	ASK("alias.example.test", DNS_T_CNAME,
	    "NOERROR aa\nan alias.example.test. 60 IN CNAME www.example.test.\n");
	ASK("alias2.example.test", DNS_T_TXT,
	    "NOERROR aa\nan alias2.example.test. 60 IN CNAME alias.example.test.\n"
	    "an alias.example.test. 60 IN CNAME www.example.test.\n"
	    "an www.example.test. 60 IN TXT \"plain\"\n");
	ASK("loop1.example.test", DNS_T_A,
	    "NOERROR aa\nan loop1.example.test. 60 IN CNAME loop2.example.test.\n"
	    "an loop2.example.test. 60 IN CNAME loop1.example.test.\n");
	ASK("out.example.test", DNS_T_A,
	    "NOERROR aa\nan out.example.test. 60 IN CNAME www.other.org.\n");
	ASK("nowhere.example.test", DNS_T_A,
	    "NXDOMAIN aa\nan nowhere.example.test. 60 IN CNAME nothing.example.test.\n"
	    "ns " SOA_TEXT);
	ASK("x.old.example.test", DNS_T_A,
	    "NOERROR aa\nan old.example.test. 60 IN DNAME new.example.test.\n"
	    "an x.old.example.test. 60 IN CNAME x.new.example.test.\n"
	    "an x.new.example.test. 60 IN A 10.0.0.40\n");
	ASK("old.example.test", DNS_T_TXT, "NOERROR aa\nan old.example.test. 60 IN TXT \"here\"\n");
}

/* RFC 6672 section 2.2: the DNAME alone, when the name it makes is too long for a CNAME. */
static void
dname_too_long(void **state)
{
	static const char label[] =
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	/* 3 * 64 + 45 + 18 = 255 bytes */
	char name[300], tail[48] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

	(void)state;
	snprintf(name, sizeof(name), "%s.%s.%s.%s.far.example.test", label, label, label, tail);
	ASK(name, DNS_T_A, "YXDOMAIN aa\nan far.example.test. 60 IN DNAME far.away.example.org.\n");
	tail[40] = '\0';   /* 251, and 4 more after the step */
	snprintf(name, sizeof(name), "%s.%s.%s.%s.far.example.test", label, label, label, tail);
	assert_int_equal(fixture_ask(&fx, true, name, DNS_T_A, NULL), DNS_NO_UNIT);
	ASK("a.far.example.test", DNS_T_A,
	    "NOERROR aa\nan far.example.test. 60 IN DNAME far.away.example.org.\n"
	    "an a.far.example.test. 60 IN CNAME a.far.away.example.org.\n");
}

/* Chains that come back, or pass one DNAME twice: every record is in the answer once. */
static void
loops(void **state)
{
	struct fixture f = { .n = 0 };

	(void)state;
	fixture_add(&f, "l.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n*.w CNAME x.w\nself DNAME self\n"
	    "in DNAME a.in\n"
	    "d DNAME e\nz.e CNAME y.d\ny.e A 10.0.0.1\nf DNAME @\n");
	fixture_ask(&f, true, "q.w.l.test", DNS_T_A,
	    "NOERROR aa\nan q.w.l.test. 60 IN CNAME x.w.l.test.\n"
	    "an x.w.l.test. 60 IN CNAME x.w.l.test.\n");
	fixture_ask(&f, true, "q.self.l.test", DNS_T_A,
	    "NOERROR aa\nan self.l.test. 60 IN DNAME self.l.test.\n"
	    "an q.self.l.test. 60 IN CNAME q.self.l.test.\n");
	fixture_ask(&f, true, "z.d.l.test", DNS_T_A,
	    "NOERROR aa\nan d.l.test. 60 IN DNAME e.l.test.\n"
	    "an z.d.l.test. 60 IN CNAME z.e.l.test.\n"
	    "an z.e.l.test. 60 IN CNAME y.d.l.test.\nan y.d.l.test. 60 IN CNAME y.e.l.test.\n"
	    "an y.e.l.test. 60 IN A 10.0.0.1\n");
	fixture_ask(&f, true, "f.f.l.test", DNS_T_DNAME,
	    "NOERROR aa\nan f.l.test. 60 IN DNAME l.test.\nan f.f.l.test. 60 IN CNAME f.l.test.\n");
	fixture_clear(&f);
}

static void
wildcards(void **state)
{
	(void)state;
	ASK("a.b.wild.example.test", DNS_T_TXT,
	    "NOERROR aa\nan a.b.wild.example.test. 60 IN TXT \"any\"\n");
	ASK("a.wild.example.test", DNS_T_A, "NOERROR aa\nns " SOA_TEXT);
	ASK("exact.wild.example.test", DNS_T_TXT,
	    "NOERROR aa\nan exact.wild.example.test. 60 IN TXT \"exact\"\n");
	ASK("below.exact.wild.example.test", DNS_T_TXT, "NXDOMAIN aa\nns " SOA_TEXT);
	ASK("x.ent.wild.example.test", DNS_T_TXT, "NXDOMAIN aa\nns " SOA_TEXT);
	ASK("ent.wild.example.test", DNS_T_TXT, "NOERROR aa\nns " SOA_TEXT);
	ASK("*.wild.example.test", DNS_T_TXT,
	    "NOERROR aa\nan *.wild.example.test. 60 IN TXT \"any\"\n");
	ASK("q.self.example.test", DNS_T_A,
	    "NOERROR aa\nan q.self.example.test. 60 IN CNAME *.self.example.test.\n"
	    "an *.self.example.test. 60 IN CNAME *.self.example.test.\n");
	assert_int_equal(fixture_ask(&fx, true, "q.wcname.example.test", DNS_T_AAAA,
	    "NOERROR aa\nan q.wcname.example.test. 60 IN CNAME www.example.test.\n"
	    "an www.example.test. 60 IN AAAA fd00::10\n"), 100);
}

static void
delegations(void **state)
{
	static const char referral[] =
	    "NOERROR\nns sub.example.test. 60 IN NS ns.sub.example.test.\n"
	    "ns sub.example.test. 60 IN NS ns.other.org.\n"
	    "ns sub.example.test. 60 IN NS ns.example.test.\n"
	    "ar ns.sub.example.test. 60 IN A 10.0.0.30\n"
	    "ar ns.sub.example.test. 60 IN AAAA fd00::30\nar ns.example.test. 60 IN A 10.0.0.1\n";

	(void)state;
	ASK("sub.example.test", DNS_T_A, referral);
	ASK("deep.below.sub.example.test", DNS_T_A, referral);
	ASK("ns.sub.example.test", DNS_T_A, referral);
	ASK("sub.example.test", DNS_T_DS,
	    "NOERROR aa\nan sub.example.test. 60 IN DS 1 8 2 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n");
	ASK("example.test", DNS_T_DS, "NOERROR aa\nns " SOA_TEXT);
}

static void
units(void **state)
{
	(void)state;
	assert_int_equal(fixture_ask(&fx, false, "www.example.test", DNS_T_A,
	    "NOERROR aa\nan www.example.test. 60 IN A 10.0.0.10\n"
	    "an www.example.test. 60 IN A 10.0.0.11\n"), 100);
	assert_int_equal(fixture_ask(&fx, false, "www.example.test", DNS_T_AAAA,
	    "NOERROR aa\nan www.example.test. 60 IN AAAA fd00::10\n"), 100);
	assert_int_equal(fixture_ask(&fx, false, "four.example.test", DNS_T_A,
	    "NOERROR aa\nan four.example.test. 60 IN A 10.0.0.12\n"), 101);
	assert_int_equal(fixture_ask(&fx, false, "alias2.example.test", DNS_T_AAAA, NULL), 100);
	/* the missing type, other types, and ANY do not wake */
	ASK("four.example.test", DNS_T_AAAA, "NOERROR aa\nns " SOA_TEXT);
	ASK("www.example.test", DNS_T_HTTPS, "NOERROR aa\nns " SOA_TEXT);
	ASK("www.example.test", DNS_T_TXT,
	    "NOERROR aa\nan www.example.test. 60 IN TXT \"plain\"\n");
	ASK("www.example.test", DNS_T_ANY,
	    "NOERROR aa\nan www.example.test. 3600 IN HINFO \"RFC8482\" \"\"\n");
	ASK("alias.example.test", DNS_T_CNAME, NULL);
}

/* A second zone of another zimage, whose units are numbered from elsewhere in the array. */
static void
zones(void **state)
{
	struct dns_zoneset *set = NULL, *old = fx.set;
	struct errmsg m;

	(void)state;
	assert_int_equal(dns_zoneset_new(fx.maps, fx.n, fx.rows, fx.n, fx.numbers, 16, &set, &m),
	    ERR_OK);
	fx.set = set;
	assert_int_equal(fixture_ask(&fx, true, "across.example.test", DNS_T_A,
	    "NOERROR aa\nan across.example.test. 60 IN CNAME www.second.test.\n"
	    "an www.second.test. 60 IN A 10.0.1.2\n"), 108);
	fx.numbers[8] = MSG_UNIT_NONE;
	dns_zoneset_free(set);
	assert_int_equal(dns_zoneset_new(fx.maps, fx.n, fx.rows, fx.n, fx.numbers, 16, &set, &m),
	    ERR_OK);
	fx.set = set;
	ASK("www.second.test", DNS_T_A, "NOERROR aa\nan www.second.test. 60 IN A 10.0.1.2\n");
	fx.set = old;
	dns_zoneset_free(set);
	fx.rows[1].first_unit = 16;
	assert_int_equal(dns_zoneset_new(fx.maps, fx.n, fx.rows, fx.n, fx.numbers, 16, &set, &m),
	    ERR_PROTO);
	fx.rows[1].first_unit = 8;
	fx.rows[1].zone = 1;
	assert_int_equal(dns_zoneset_new(fx.maps, fx.n, fx.rows, fx.n, fx.numbers, 16, &set, &m),
	    ERR_PROTO);
	fx.rows[1].zone = 0;
}

/* Nested zones in one set: the longest origin answers, but a DS is the parent's. */
static void
nested(void **state)
{
	struct fixture f = { .n = 0 };

	(void)state;
	fixture_add(&f, "test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nchild NS ns.child\n"
	    "ns.child A 10.0.1.9\n");
	fixture_add(&f, "child.test", "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.2\n");
	fixture_add(&f, ".", "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.3\n");
	fixture_ask(&f, true, "ns.child.test", DNS_T_A,
	    "NOERROR aa\nan ns.child.test. 60 IN A 10.0.1.2\n");
	fixture_ask(&f, true, "child.test", DNS_T_DS,
	    "NOERROR aa\nns test. 30 IN SOA ns.test. h.test. 1 2 3 4 30\n");
	fixture_ask(&f, true, "x.org", DNS_T_A, "NXDOMAIN aa\nns . 30 IN SOA ns. h. 1 2 3 4 30\n");
	fixture_ask(&f, true, ".", DNS_T_NS, "NOERROR aa\nan . 60 IN NS ns.\n");
	fixture_ask(&f, true, ".", DNS_T_DS, "NOERROR aa\nns . 30 IN SOA ns. h. 1 2 3 4 30\n");
	fixture_clear(&f);
}

/*
 * What is configured and could not be loaded is neither answered from a zone above nor refused;
 * chains end there.
 */
static void
absent(void **state)
{
	static const char names[] = "sub.one.test\0Two.test", bad[] = "a..b";
	struct fixture f = { .n = 0 };
	struct errmsg m;

	(void)state;
	fixture_add(&f, "one.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nto CNAME a.sub\n"
	    "sub A 10.0.1.2\n");
	assert_int_equal(dns_zoneset_absent(f.set, names, sizeof(names), &m), ERR_OK);
	fixture_ask(&f, true, "ns.one.test", DNS_T_A,
	    "NOERROR aa\nan ns.one.test. 60 IN A 10.0.1.1\n");
	fixture_ask(&f, true, "sub.one.test", DNS_T_A, "SERVFAIL\n");
	fixture_ask(&f, true, "x.y.sub.one.test", DNS_T_A, "SERVFAIL\n");
	fixture_ask(&f, false, "two.test", DNS_T_SOA, "SERVFAIL\n");
	fixture_ask(&f, true, "sub.one.test", DNS_T_DS,
	    "NOERROR aa\nns one.test. 30 IN SOA ns.one.test. h.one.test. 1 2 3 4 30\n");
	fixture_ask(&f, true, "to.one.test", DNS_T_A,
	    "NOERROR aa\nan to.one.test. 60 IN CNAME a.sub.one.test.\n");
	fixture_ask(&f, true, "three.test", DNS_T_A, "REFUSED\n");
	fixture_clear(&f);
	fixture_add(&f, "one.test", "@ SOA ns h 1 2 3 4 30\n@ NS ns\n");
	assert_int_equal(dns_zoneset_absent(f.set, "", 0, &m), ERR_OK);
	assert_int_equal(dns_zoneset_absent(f.set, bad, sizeof(bad) - 1, &m), ERR_PROTO);
	assert_int_equal(dns_zoneset_absent(f.set, bad, sizeof(bad), &m), ERR_PROTO);
	fixture_clear(&f);
}

/* A line without an owner belongs to the line before it, whichever reader took that. */
/* What the names of one RRset share is written once, wherever the RRset stands. */
static void
compression(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
	} rows[] = { { "mx.c.test", DNS_T_MX }, { "to.c.test", DNS_T_MX },
		{ "any.w.c.test", DNS_T_MX }, { "deep.sub.c.test", DNS_T_A } };
	static const char shared[] = "\6shared";
	uint8_t wire[300], buf[1232];
	struct dns_reply_conf conf = { .udp_payload = sizeof(buf) };
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	struct fixture f = { .n = 0 };
	struct dns_query q;
	uint16_t rcode;

	(void)state;
	fixture_add(&f, "c.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nto CNAME mx\n"
	    "mx MX 1 a.shared.mx\nmx MX 2 b.shared.mx\nmx MX 3 c.shared.mx\n"
	    "*.w MX 1 a.shared.w\n*.w MX 2 b.shared.w\n"
	    "sub NS a.shared.sub\nsub NS b.shared.sub\na.shared.sub A 10.0.1.2\n"
	    "b.shared.sub A 10.0.1.3\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = fixture_query(wire, rows[i].name, rows[i].type);
		unsigned n = 0;

		assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
		(void)dns_answer_build(f.set, &q, true, &conf, &r);
		for (const uint8_t *p = buf; (p = memmem(p, r.len - (size_t)(p - buf),
		    shared, sizeof(shared) - 1)) != NULL; p++)
			n++;
		assert_int_equal(n, 1);
	}
	fixture_ask(&f, true, "mx.c.test", DNS_T_MX,
	    "NOERROR aa\nan mx.c.test. 60 IN MX 1 a.shared.mx.c.test.\n"
	    "an mx.c.test. 60 IN MX 2 b.shared.mx.c.test.\n"
	    "an mx.c.test. 60 IN MX 3 c.shared.mx.c.test.\n");
	fixture_clear(&f);
}

static void
owners(void **state)
{
	struct fixture f = { .n = 0 };

	(void)state;
	fixture_add(&f, "o.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n NS ns\nns A 10.0.1.1\n AAAA fd00::1\n TXT one\n"
	    "\\120 TXT two\n A 10.0.1.2\n"
	    "$ORIGIN sub.o.test.\ny A 10.0.1.3\n$ORIGIN o.test.\n TXT three\n");
	fixture_ask(&f, true, "ns.o.test", DNS_T_TXT,
	    "NOERROR aa\nan ns.o.test. 60 IN TXT \"one\"\n");
	fixture_ask(&f, true, "ns.o.test", DNS_T_AAAA,
	    "NOERROR aa\nan ns.o.test. 60 IN AAAA fd00::1\n");
	fixture_ask(&f, true, "x.o.test", DNS_T_A, "NOERROR aa\nan x.o.test. 60 IN A 10.0.1.2\n");
	fixture_ask(&f, true, "y.sub.o.test", DNS_T_TXT,
	    "NOERROR aa\nan y.sub.o.test. 60 IN TXT \"three\"\n");
	fixture_clear(&f);
}

/*
 * Over UDP a RRset that does not fit is left out whole, and glue that the client needs counts too.
 */
static void
truncation(void **state)
{
	struct fixture f = { .n = 0 };
	char text[16384];
	size_t n = (size_t)snprintf(text, sizeof(text),
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nto CNAME many\n");

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "many A 10.0.2.%u\nsub NS ns%u.sub\nns%u.sub A 10.0.3.%u\n"
		    "sib NS ns%u.sub\n", i, i, i, i, i % 10);
	fixture_add(&f, "big.test", text);
	fixture_ask(&f, false, "many.big.test", DNS_T_A, "NOERROR aa tc\n");
	fixture_ask(&f, false, "to.big.test", DNS_T_A,
	    "NOERROR aa tc\nan to.big.test. 60 IN CNAME many.big.test.\n");
	fixture_ask(&f, false, "x.sub.big.test", DNS_T_A, "NOERROR tc\n");
	fixture_ask(&f, false, "x.sib.big.test", DNS_T_A, NULL);
	fixture_ask(&f, true, "many.big.test", DNS_T_A, NULL);
	fixture_clear(&f);
}

/* What is fetched beforehand is what the lookup touches, and a message may say anything. */
static void
probes(void **state)
{
	static const uint8_t query[] = "\0\1\0\0\0\1\0\0\0\0\0\0\3wWw\3ONE\4test\0\0\1\0\1";
	static const size_t name = 12, name_len = 14;
	struct fixture f = { .n = 0 };
	const struct zslot *slots;
	struct dns_probe p;
	uint8_t wire[64];

	(void)state;
	fixture_add(&f, "one.test",
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nwww A 10.0.1.2\n");
	fixture_ask(&f, true, "www.one.test", DNS_T_A, NULL);   /* binds */
	memcpy(wire, query, sizeof(query));
	dns_probe_slot(f.set, wire, sizeof(query) - 1, &p);
	assert_ptr_equal(p.z, f.set->zones[0].head);
	slots = zone_at(p.z, p.z->slots);
	while (p.slot->node != 0 && p.slot->tag != p.tag)
		p.slot = p.slot + 1 == slots + p.z->nslots ? slots : p.slot + 1;
	assert_ptr_equal(zone_at(p.z, p.slot->node),
	    dns_zone_node(p.z, (const uint8_t *)"\3www\3one\4test", name_len));
	dns_probe_node(&p);
	for (size_t len = 0; len < name + name_len; len++) {
		dns_probe_slot(f.set, wire, len, &p);
		assert_null(p.z);
		dns_probe_node(&p);
	}
	wire[name + 5] = 'x';   /* another zone */
	dns_probe_slot(f.set, wire, sizeof(query) - 1, &p);
	assert_null(p.z);
	wire[name] = 0xc0;
	dns_probe_slot(f.set, wire, sizeof(query) - 1, &p);
	assert_null(p.z);
	fixture_clear(&f);
}

/* Signatures beside their records with DO, none without; NSEC3 owners do not exist. */
static void
signed_zone(void **state)
{
	static const char sig[] = "8 2 60 20300101000000 20200101000000 1 sig.test. AAAA\n";
	struct dns_reply_conf conf = { .udp_payload = 1232 };
	static uint8_t buf[1232];
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	struct fixture f = { .n = 0 };
	uint8_t wire[300];
	char text[8192];
	struct dns_query q;
	uint16_t rcode;
	size_t len;

	(void)state;
	snprintf(text, sizeof(text),
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NSEC3PARAM 1 0 1 AB\nns A 10.0.1.1\n"
	    "ns RRSIG A %s@ RRSIG SOA %s"
	    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 1 AB 1p9mhaveqvm6t7vbl5lop2u3t2rp3tom A "
	    "RRSIG\n"
	    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom RRSIG NSEC3 %s", sig, sig, sig);
	fixture_add(&f, "sig.test", text);
	fixture_ask(&f, true, "ns.sig.test", DNS_T_A,
	    "NOERROR aa\nan ns.sig.test. 60 IN A 10.0.1.1\n");
	fixture_ask(&f, true, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.sig.test", DNS_T_NSEC3,
	    "NXDOMAIN aa\nns sig.test. 30 IN SOA ns.sig.test. h.sig.test. 1 2 3 4 30\n");
	fixture_ask(&f, true, "ns.sig.test", DNS_T_RRSIG,
	    "NOERROR aa\nan ns.sig.test. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 "
	    "sig.test. AAAA\n");
	len = fixture_query(wire, "ns.sig.test", DNS_T_A);
	memcpy(wire + len, "\0\0\51\4\320\0\0\200\0\0\0", 11);
	wire[11] = 1;
	assert_int_equal(dns_query_parse(wire, len + 11, &q, &rcode), DNS_PARSED_OK);
	(void)dns_answer_build(f.set, &q, false, &conf, &r);
	assert_int_equal(dns_get16(buf + 6), 2);
	assert_int_equal(dns_get16(buf + 10), 1);
	assert_int_equal(buf[r.len - 4], 0x80);
	fixture_clear(&f);
}

/*
 * Asks for the largest RRset with every option that there is, over TCP and UDP; the reply's size
 * over TCP.
 */
static size_t
ask_largest(struct fixture *f, const char *name, uint16_t type, unsigned records)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	char nsid[sizeof(((struct msg *)NULL)->dns_conf.nsid)] = "";
	const struct dns_reply_conf conf = { .udp_payload = 4096, .nsid = nsid, .keepalive = 100 };
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	uint8_t wire[300];
	struct dns_query q;
	ldns_pkt *p = NULL;
	uint16_t rcode;
	size_t size;

	memset(nsid, 'n', sizeof(nsid) - 1);
	assert_int_equal(dns_query_parse(wire, fixture_query(wire, name, type), &q, &rcode),
	    DNS_PARSED_OK);
	q.edns = (struct dns_edns){ .present = true, .dnssec_ok = true, .udp_payload = 65535,
	    .nsid = true, .keepalive = true, .cookie_len = 8, .cookie_reply = true };
	(void)dns_answer_build(f->set, &q, true, &conf, &r);
	size = r.len;
	assert_int_equal(buf[2] & 0x02, 0);
	assert_int_equal(ldns_wire2pkt(&p, buf, size), LDNS_STATUS_OK);
	assert_int_equal(ldns_pkt_ancount(p), records);
	assert_non_null(ldns_pkt_edns_data(p));
	assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(p)), 4 + 63 + 4 + DNS_COOKIE_LEN + 6);
	ldns_pkt_free(p);
	r.cap = conf.udp_payload;
	(void)dns_answer_build(f->set, &q, false, &conf, &r);
	assert_int_equal(buf[2] & 0x02, 0x02);
	assert_true(dns_get16(buf + 6) <= 1);   /* an alias */
	return size;
}

/*
 * What the compiler takes is answered whole over TCP: beside the longest name and all options, from
 * a wildcard, with signatures, behind an alias.
 */
static void
largest(void **state)
{
	char *text = malloc(1 << 20), name[300], label[64];
	struct fixture f = { .n = 0 };
	size_t n, size = 1 << 20;

	(void)state;
	memset(label, 'x', 63);
	label[63] = '\0';
	(void)snprintf(name, sizeof(name), "%s.%s.%s.%.52s.big.test", label, label, label, label);
	n = (size_t)snprintf(text, size,
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.1.1\nalias CNAME mx\n");
	for (unsigned i = 0; i < 4062; i++)
		n += (size_t)snprintf(text + n, size - n, "*.w TYPE65280 \\# 4 %08x\n", i);
	n += (size_t)snprintf(text + n, size - n, "%s. A 10.1.0.0\n", name);
	for (unsigned i = 1; i < 4062; i++)
		n += (size_t)snprintf(text + n, size - n, " A 10.0.%u.%u\n", i >> 8, i & 255);
	for (unsigned i = 0; i < 1585; i++)
		n += (size_t)snprintf(text + n, size - n,
		    "mx MX 1 h%04u.a.mail.big.test.\nown MX 1 h%04u.own\n", i, i);
	for (unsigned i = 0; i < 3000; i++)
		n += (size_t)snprintf(text + n, size - n, "s A 10.0.%u.%u\n", i >> 8, i & 255);
	n += (size_t)snprintf(text + n, size - n,
	    "s RRSIG A 8 3 60 20300101000000 20200101000000 1 big.test. ");
	memset(text + n, 'A', 22000);
	(void)snprintf(text + n + 22000, size - n - 22000, "\n");
	fixture_add(&f, "big.test", text);
	free(text);
	assert_int_equal(ask_largest(&f, name, DNS_T_A, 4062),
	    12 + 255 + 4 + 4062 * 16 + 11 + 67 + 4 + DNS_COOKIE_LEN + 6);
	(void)ask_largest(&f, "any.w.big.test", 65280, 4062);
	(void)ask_largest(&f, "own.big.test", DNS_T_MX, 1585);
	(void)ask_largest(&f, "alias.big.test", DNS_T_MX, 1 + 1585);
	(void)ask_largest(&f, "s.big.test", DNS_T_A, 3000 + 1);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact), cmocka_unit_test(transfers), cmocka_unit_test(classes),
		cmocka_unit_test(aliases), cmocka_unit_test(dname_too_long),
		cmocka_unit_test(wildcards),
		cmocka_unit_test(delegations), cmocka_unit_test(units), cmocka_unit_test(zones),
		cmocka_unit_test(nested),
		cmocka_unit_test(truncation), cmocka_unit_test(owners),
		cmocka_unit_test(compression), cmocka_unit_test(absent),
		cmocka_unit_test(loops), cmocka_unit_test(probes),
		cmocka_unit_test(signed_zone), cmocka_unit_test(largest),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
