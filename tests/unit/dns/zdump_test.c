/* zdump_test: what is printed of a zone loads again to the same zone. */
#include "zone_fixture.h"

static const char zone[] =
    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NS ns.elsewhere.org.\nns A 10.0.0.1\n"
    "www 5 A 10.0.0.2\nwww AAAA fd00::2\nwww HTTPS 1 . alpn=\"h2,h3\" port=8443\nwww TXT \"a \\\"quoted\\\" ; text\" \"two\"\n"
    "*.wild MX 10 mail.wild\n*.wild MX 20 MAIL.example.net.\n"
    "alias CNAME Target.dump.test.\nold DNAME new\nsub NS ns.sub\nns.sub A 10.0.0.3\nsub DS 1 8 1 00112233445566778899aabbccddeeff00112233\n"
    "place LOC 90 N 180 0 0 W -100000m 0m 90000000m 10m\nplace LOC 52 22 23.000 N 4 53 32.999 E 42849672.95m\nplace LOC 0 0 0.001 S 0 59 W .5\n"
    "key SSHFP 4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
    "_s._tcp SRV 1 2 3 www\nodd TYPE65280 \\# 3 010203\nodd\\.name CAA 0 issue \"x\"\nodd\\000name A 10.0.0.4\nmi MINFO a.b c.d\n"
    "www NSEC www A\nwww RRSIG A 8 3 5 20300101000000 20200101000000 1 dump.test. AAAA\n"
    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 1 AB 1p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n";

/* Compiled and printed; the caller's to free. */
static char *
printed(const char *text)
{
	char found[4096], *out = NULL;
	int fd = fixture_compile("dump.test", text, NULL, found, sizeof(found));
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	struct errmsg m;

	if (fd < 0)
		fail_msg("%s\n%s", found, text);
	assert_non_null(f);
	if (dns_image_print(fd, 0, f, &m) != ERR_OK)
		fail_msg("%s", m.text);
	assert_int_equal(dns_image_print(fd, 1, f, &m), ERR_RANGE);
	assert_int_equal(fclose(f), 0);
	close(fd);
	return out;
}

/* What is printed of the zone has these lines, and is the same when it is loaded and printed again. */
static void
reads_back(const char *text, const char *const lines[], size_t n)
{
	char *once = printed(text), *twice = printed(once);

	for (size_t i = 0; i < n; i++)
		if (strstr(once, lines[i]) == NULL)
			fail_msg("%s is not in\n%s", lines[i], once);
	assert_string_equal(once, twice);
	free(once);
	free(twice);
}

static void
what_is_printed_loads_again(void **state)
{
	static const char *const lines[] = {
		"; zone dump.test, serial 1, ", "\ndump.test.\t60\tIN\tSOA\tns.dump.test. h.dump.test. 1 2 3 4 30\n",
		"\nwww.dump.test.\t5\tIN\tA\t10.0.0.2\n", "\n*.wild.dump.test.\t60\tIN\tMX\t20 MAIL.example.net.\n",
		"\nns.sub.dump.test.\t60\tIN\tA\t10.0.0.3\n", "TYPE65280\t\\# 3 010203\n", "MINFO\ta.b.dump.test. c.d.dump.test.\n",
		"alias.dump.test.\t60\tIN\tCNAME\tTarget.dump.test.\n", "\tNSEC3\t1 0 1 ab ",
	};

	(void)state;
	reads_back(zone, lines, sizeof(lines) / sizeof(lines[0]));
}

/*
 * Names that are misread as they are: "$" begins a directive, "@" is the origin and a quote has to
 * have an end.
 */
static void
odd_names_load_again(void **state)
{
	static const char *const lines[] = {
		"\n\\$origin.dump.test.\t60\tIN\tA\t10.0.0.2\n",
		"\n\\@.dump.test.\t60\tIN\tA\t10.0.0.3\n",
		"\na\\\"b.dump.test.\t60\tIN\tA\t10.0.0.4\n",
		"\nq.dump.test.\t60\tIN\tMX\t10 a\\\"b.dump.test.\n",
		"\nat.dump.test.\t60\tIN\tCNAME\t\\@x.dump.test.\n",
		"\nlong.dump.test.\t60\tIN\tCNAME\taaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dump.test.\n",
	};
	static const char odd[] = "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n\\$origin A 10.0.0.2\n\\@ A 10.0.0.3\na\\\"b A 10.0.0.4\n"
	    "q MX 10 a\\\"b\nat CNAME \\@x\nlong CNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

	(void)state;
	reads_back(odd, lines, sizeof(lines) / sizeof(lines[0]));
}

static void
mappings_are_not_printed(void **state)
{
	char *text = printed("$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n_jitsu.ns TXT image=hello\n");

	(void)state;
	assert_non_null(strstr(text, "ns.dump.test.\t60\tIN\tA"));
	assert_null(strstr(text, "jitsu"));
	free(text);
}

static void
what_is_no_image_is_refused(void **state)
{
	struct errmsg m;
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	assert_int_not_equal(dns_image_print(fileno(f), 0, stdout, &m), ERR_OK);
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_printed_loads_again), cmocka_unit_test(odd_names_load_again),
		cmocka_unit_test(mappings_are_not_printed), cmocka_unit_test(what_is_no_image_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
