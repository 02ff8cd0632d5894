/* zlint_test: what jitsu check warns of, and what it does not. */
#include "tests/unit/dns/zone_fixture.h"

#define HEAD "$TTL 60\n@ SOA ns h 1 1h 15m 1w 30\n NS ns\nns A 10.0.0.1\n"

/* Among the findings on a zone is this one; "": there is none. */
static void
expect(const char *text, const char *expected)
{
	char all[8192];
	int fd = fixture_check("example.test", text, NULL, true, all, sizeof(all));

	if (fd >= 0)
		close(fd);
	if (expected[0] == '\0' ? all[0] != '\0' : strstr(all, expected) == NULL)
		fail_msg("expected `%s' of\n%s, not:\n%s", expected, text, all);
}

static void
name_servers(void **state)
{
	(void)state;
	expect(HEAD, "");
	expect("$TTL 60\n@ SOA ns h 1 1h 15m 1w 30\n NS ns\n",
	    "zone:3: warning: example.test: its NS record names ns.example.test, which has no A or "
	    "AAAA record\n");
	expect("$TTL 60\n@ SOA ns h 1 1h 15m 1w 30\n NS ns\nns CNAME b\nb A 10.0.0.1\n",
	    "zone:3: warning: example.test: its NS record names ns.example.test, "
	    "which is an alias (CNAME)");
	expect(HEAD "sub NS a\n NS ns.sub\na AAAA ::1\n",
	    "zone:6: warning: sub.example.test: its NS record names ns.sub.example.test, which is "
	    "inside of the delegation");
	expect(HEAD "@ NS 192.0.2.1\n",
	    "zone:5: warning: example.test: its NS record names 192.0.2.1.example.test, which "
	    "looks like an address");
	expect(HEAD "@ NS 192.0.2.1.\n", "names 192.0.2.1, which looks like an address");
	expect(HEAD "*.w NS ns\n",
	    "zone:5: warning: *.w.example.test is a delegation at a wildcard");
	/*
	 * Glue, a name server elsewhere, one in another delegation, at a wildcard, and at the name
	 * itself.
	 */
	expect(HEAD "sub NS ns.sub\n NS ns.elsewhere.\nNS.sub A 10.0.0.2\n", "");
	expect(HEAD "one NS ns.two\ntwo NS NS.two\nns.two AAAA ::2\n", "");
	expect(HEAD "sub NS a.w\n*.w A 10.0.0.2\nself NS self\nself A 10.0.0.3\n@ NS deep.self\n",
	    "");
}

static void
hosts(void **state)
{
	(void)state;
	expect(HEAD "a MX 10 ns\n MX 20 mail\n",
	    "zone:6: warning: a.example.test: its MX record names mail.example.test, which has no "
	    "A or AAAA record");
	expect(HEAD "a MX 10 192.0.2.1\n", "which looks like an address");
	expect(HEAD "_s._tcp SRV 0 0 80 www\nwww CNAME ns\n",
	    "its SRV record names www.example.test, which is an alias");
	expect(
	    HEAD "a MX 0 .\nb MX 1 mail.elsewhere.\nc SRV 0 0 0 .\nd MX 1 NS\ne MX 1 host.sub\n"
	    "sub NS ns\n", "");
	expect(HEAD "a MX 1 x.y.w\n*.w A 10.0.0.2\nb MX 1 1.2.3\n1.2.3 A 10.0.0.3\n", "");
}

static void
places(void **state)
{
	(void)state;
	expect(HEAD "d DNAME elsewhere.\nx.y.d A 10.0.0.2\n",
	    "zone:6: warning: x.y.d.example.test is below a DNAME and never served");
	expect(HEAD "_jitsu.www CNAME ns\n",
	    "zone:5: warning: _jitsu.www.example.test: a mapping is a TXT record");
	expect(HEAD "ns TXT image=a\n_jitsu.ns TXT image=a\n", "");
}

/* Names that lead nowhere in the zone itself, where somebody else's zone is not looked at. */
static void
aliases(void **state)
{
	(void)state;
	expect(HEAD "a CNAME b\n",
	    "zone:5: warning: a.example.test: its CNAME record names b.example.test, which has no "
	    "records; is a final dot");
	expect(HEAD "a CNAME elsewhere.org\n",
	    "names elsewhere.org.example.test, which has no records");
	expect(HEAD "a CNAME x\nb.x A 10.0.0.2\n",
	    "zone:5: warning: a.example.test: its CNAME record names x.example.test, which has no "
	    "records");
	expect(HEAD "a DNAME b\n", "a.example.test: its DNAME record names b.example.test");
	expect(HEAD "a HTTPS 0 b\n", "a.example.test: its HTTPS record names b.example.test");
	expect(HEAD "a SVCB 1 b alpn=h2\n", "a.example.test: its SVCB record names b.example.test");
	expect(HEAD "*.w CNAME b\n", "*.w.example.test: its CNAME record names b.example.test");
	expect(HEAD "a CNAME NS\nb CNAME a\nc CNAME elsewhere.\nd HTTPS 1 . alpn=h2\ne HTTPS 0 "
	            "a\nf SVCB 0 .\n",
	    "");
	expect(HEAD "a CNAME x.w\n*.w A 10.0.0.2\nb CNAME x.sub\nsub NS ns\nc CNAME y.d\nd DNAME "
	            "elsewhere.\n",
	    "");
	expect(HEAD "d DNAME x\nb.x A 10.0.0.2\nc CNAME c\n", "");
}

static void
misspelt_mappings(void **state)
{
	static const char *const names[] = { "_jitus.ns", "_jistu.ns", "jitsu.ns", "_jits.ns",
		"_JITSUU.ns", "_jutsi.ns", "_jitus" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(text, sizeof(text), HEAD "%s TXT image=hello\n", names[i]);
		expect(text,
		    "example.test: this TXT record is served and maps nothing; a mapping's name "
		    "begins with _jitsu\n");
	}
	expect(HEAD "_dmarc TXT \"v=DMARC1\"\n_sip.ns TXT a=b\n_jitus.ns TXT \"a text\"\njit TXT "
	            "a=b\n@ TXT v=spf1\n_domainkey TXT a=b\n",
	    "");
}

#define RRSIG(type, owner) owner " RRSIG " type " 8 2 60 20400101000000 20200101000000 1 @ AAAA\n"
#define NSEC3 "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A\n"

static void
signatures(void **state)
{
	(void)state;
	expect(HEAD RRSIG("A", "ns") RRSIG("SOA", "@") RRSIG("NS", "@"), "");
	expect(HEAD RRSIG("AAAA", "ns"), "zone:5: warning: ns.example.test: the RRSIG for type "
	    "AAAA is not served, since there are no records of that type\n");
	expect(HEAD RRSIG("A", "nobody"), "nobody.example.test: the RRSIG for type A is");
	expect(HEAD RRSIG("TYPE65280", "ns"), "the RRSIG for type TYPE65280 is not served");
	expect(HEAD "c CNAME ns\n" RRSIG("A", "c"), "zone:6: warning: c.example.test: the RRSIG");
	expect(HEAD NSEC3, "zone:5: warning: the zone's NSEC3 records are not served, since it has "
	    "no NSEC3PARAM record\n");
	expect(HEAD NSEC3 "@ NSEC3PARAM 1 0 0 -\n", "");
	expect(HEAD RRSIG("NSEC3", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"), "the RRSIG for type NSEC3");
}

static void
ttls(void **state)
{
	char found[256];
	int fd = fixture_compile("example.test",
	    HEAD "a A 10.0.0.2\na 30 A 10.0.0.3\nb MX 1 none\n", NULL, found, sizeof(found));

	(void)state;
	close(fd);
	assert_string_equal(found, "");   /* a load does not ask */
	expect(HEAD "a A 10.0.0.2\na 30 A 10.0.0.3\n",
	    "zone:6: warning: TTL 30, where records of the same name and type before it have 60; "
	    "all are served with 30");
	expect(HEAD "a A 10.0.0.2\na 90 A 10.0.0.3\n", "have 60; all are served with 60");
	expect(HEAD "a A 10.0.0.2\na 90 TXT x\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_servers),
		cmocka_unit_test(hosts),
		cmocka_unit_test(places),
		cmocka_unit_test(aliases),
		cmocka_unit_test(misspelt_mappings),
		cmocka_unit_test(signatures),
		cmocka_unit_test(ttls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
