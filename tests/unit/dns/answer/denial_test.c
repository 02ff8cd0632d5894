/*
 * denial_test: which NSEC and NSEC3 records go with which answer; tests/system/dnssec.bats compares
 * more with other servers.
 */
#include "tests/unit/dns/zone_fixture.h"

#include "dns/zimage/name.h"

#define SOA "ns s. 30 IN SOA ns.s. h.s. 1 2 3 4 30\n"
#define NSEC(owner, next, types) "ns " owner "s. 60 IN NSEC " next "s. " types " \n"
#define APEX NSEC("", "a.", "NS SOA")
#define AT_A NSEC("a.", "b.ent.", "A")
#define AT_ENT NSEC("b.ent.", "sub.", "A")
#define AT_SUB NSEC("sub.", "c.wild.", "NS")
#define AT_C NSEC("c.wild.", "*.wild2.", "A")
#define AT_STAR NSEC("*.wild2.", "*.wild3.", "A")
#define AT_LAST NSEC("*.wild3.", "", "CNAME")

static const char zone[] =
    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NSEC a NS SOA\n"
    "a A 10.0.0.1\na NSEC b.ent A\n"
    "b.ent A 10.0.0.2\nb.ent NSEC sub A\n"
    "sub NS ns.sub\nns.sub A 10.0.0.3\nsub NSEC c.wild NS\n"
    "c.wild A 10.0.0.4\nc.wild NSEC *.wild2 A\n"
    "*.wild2 A 10.0.0.5\n*.wild2 NSEC *.wild3 A\n"
    "*.wild3 CNAME x.wild2\n*.wild3 NSEC @ CNAME\n";

static struct fixture f;

#define ASK(name, type, expected) fixture_ask_with(&f, true, true, name, type, expected)

static void
nsec(void **state)
{
	(void)state;
	fixture_add(&f, "s", zone);
	ASK("a.s", DNS_T_A, "NOERROR aa\nan a.s. 60 IN A 10.0.0.1\n");
	ASK("a.s", DNS_T_TXT, "NOERROR aa\n" SOA AT_A);
	ASK("s", DNS_T_TXT, "NOERROR aa\n" SOA APEX);
	ASK("ent.s", DNS_T_A, "NOERROR aa\n" SOA AT_A);
	ASK("0.s", DNS_T_A, "NXDOMAIN aa\n" SOA APEX);
	ASK("x.y.a.s", DNS_T_A, "NXDOMAIN aa\n" SOA AT_A);
	ASK("q.s", DNS_T_A, "NXDOMAIN aa\n" SOA AT_ENT APEX);
	ASK("zz.s", DNS_T_A, "NXDOMAIN aa\n" SOA AT_LAST APEX);
	ASK("d.wild.s", DNS_T_A, "NXDOMAIN aa\n" SOA AT_C AT_SUB);
	ASK("x.wild2.s", DNS_T_A, "NOERROR aa\nan x.wild2.s. 60 IN A 10.0.0.5\n" AT_STAR);
	ASK("x.wild2.s", DNS_T_TXT, "NOERROR aa\n" SOA AT_STAR);
	ASK("*.wild2.s", DNS_T_A, "NOERROR aa\nan *.wild2.s. 60 IN A 10.0.0.5\n");
	ASK("x.wild3.s", DNS_T_A,
	    "NOERROR aa\nan x.wild3.s. 60 IN CNAME x.wild2.s.\n"
	    "an x.wild2.s. 60 IN A 10.0.0.5\n" AT_LAST AT_STAR);
	ASK("x.wild3.s", DNS_T_TXT,
	    "NOERROR aa\nan x.wild3.s. 60 IN CNAME x.wild2.s.\n" SOA AT_STAR AT_LAST);
	ASK("x.sub.s", DNS_T_A,
	    "NOERROR\nns sub.s. 60 IN NS ns.sub.s.\n" AT_SUB "ar ns.sub.s. 60 IN A 10.0.0.3\n");
	ASK("sub.s", DNS_T_DS, "NOERROR aa\n" SOA AT_SUB);
	/* nobody asked for proofs */
	fixture_ask(&f, true, "q.s", DNS_T_A, "NXDOMAIN aa\n" SOA);
	fixture_ask(&f, true, "x.wild2.s", DNS_T_A, "NOERROR aa\nan x.wild2.s. 60 IN A 10.0.0.5\n");
	fixture_clear(&f);
}

/* Names between an encloser and its asterisk, and none. */
static void
nsec_before_star(void **state)
{
	static const char text[] =
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NSEC ! NS SOA\n! A 10.0.0.1\n! NSEC #.! A\n"
	    "#.! A 10.0.0.2\n#.! NSEC a A\na A 10.0.0.3\na NSEC +.a A\n+.a A 10.0.0.4\n"
	    "+.a NSEC @ A\n";

	(void)state;
	f = (struct fixture){ .n = 0 };
	fixture_add(&f, "s", text);
	ASK("b.s", DNS_T_A, "NXDOMAIN aa\n" SOA NSEC("+.a.", "", "A") NSEC("#.!.", "a.", "A"));
	ASK("b.!.s", DNS_T_A, "NXDOMAIN aa\n" SOA NSEC("#.!.", "a.", "A"));
	ASK("b.a.s", DNS_T_A, "NXDOMAIN aa\n" SOA NSEC("+.a.", "", "A") NSEC("a.", "+.a.", "A"));
	fixture_clear(&f);
}

/*
 * An asterisk that is an empty non-terminal stands for the name as well (RFC 4592 section 2.2.2).
 */
static void
nsec_star_between(void **state)
{
	static const char text[] =
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NSEC x.*.a NS SOA\nx.*.a A 10.0.0.1\n"
	    "x.*.a NSEC *.b A\n"
	    "*.b A 10.0.0.2\n*.b NSEC @ A\n*.b RRSIG A 13 2 60 20300101000000 20200101000000 1 s. "
	    "AAAA\n";

	(void)state;
	f = (struct fixture){ .n = 0 };
	fixture_add(&f, "s", text);
	ASK("q.a.s", DNS_T_A, "NOERROR aa\n" SOA NSEC("x.*.a.", "*.b.", "A")
	    NSEC("", "x.*.a.", "NS SOA"));
	/* signatures from a wildcard are data of it */
	ASK("q.b.s", DNS_T_RRSIG,
	    "NOERROR aa\nan q.b.s. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 s. "
	    "AAAA\n" NSEC("*.b.", "", "A"));
	fixture_clear(&f);
}

/* An NSEC3 for every name, in the order of the names. */
static void
nsec3(void **state)
{
	static const char *const names[] = { "\1s", "\1a\1s", "\3ent\1s", "\1b\3ent\1s" };
	const struct nsec3_param p = { .salt = (const uint8_t *)"\xab", .salt_len = 1,
		.iterations = 1 };
	char text[2048] =
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns.o.\n@ NSEC3PARAM 1 0 1 AB\na A 10.0.0.1\n"
	    "b.ent A 10.0.0.2\n"
	    "deleg.optout NS ns.o.\n", line[4][128];
	uint8_t label[NSEC3_LABEL];
	uint32_t count[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		nsec3_label(&p, (const uint8_t *)names[i], strlen(names[i]) + 1, label);
		snprintf(line[i], sizeof(line[i]), "%.32s NSEC3 1 1 1 AB %.32s A\n", label + 1,
		    label + 1);
		strncat(text, line[i], sizeof(text) - strlen(text) - 1);
		snprintf(line[i], sizeof(line[i]), "ns %.32s.s. 60 IN NSEC3 1 1 1 ab", label + 1);
	}
	fixture_add(&f, "s", text);
	for (unsigned i = 0; i < 3; i++) {
		/* An empty non-terminal, a name, and one that opt-out left out: their encloser. */
		static const char *const asked[] = { "ent.s", "a.s", "optout.s" };
		const struct dns_reply_conf conf = { .udp_payload = 1232 };
		static uint8_t buf[1232];
		struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
		uint8_t wire[300];
		struct dns_query q;
		uint16_t rcode;
		size_t len = fixture_query(wire, asked[i], DNS_T_TXT);

		assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
		q.edns.dnssec_ok = true;
		(void)dns_answer_build(f.set, &q, false, &conf, &r);
		fixture_text(buf, r.len, text, sizeof(text));
		for (unsigned k = 0; k < 4; k++)
			count[k] = strstr(text, line[k]) != NULL;
		if (i == 0)
			assert_true(count[2] && !count[0] && !count[1] && !count[3]);
		else if (i == 1)
			assert_true(count[1] && !count[0] && !count[2] && !count[3]);
		else
			assert_true(count[0] && count[0] + count[1] + count[2] + count[3] <= 2);
	}
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nsec),
		cmocka_unit_test(nsec_before_star), cmocka_unit_test(nsec_star_between),
		cmocka_unit_test(nsec3) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
