/* zdump_test: what is printed of a zone loads again to the same zone. */
#include "tests/unit/dns/zone_fixture.h"

#include <sys/mman.h>

#include "base/memfd.h"
#include "dns/zimage/format.h"
#include "tests/unit/dns/zone/rdata_random.h"

static const char zone[] =
    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\n@ NS ns.elsewhere.org.\nns A 10.0.0.1\n"
    "www 5 A 10.0.0.2\nwww AAAA fd00::2\nwww HTTPS 1 . alpn=\"h2,h3\" port=8443\n"
    "www TXT \"a \\\"quoted\\\" ; text\" \"two\"\n"
    "*.wild MX 10 mail.wild\n*.wild MX 20 MAIL.example.net.\n"
    "alias CNAME Target.dump.test.\nold DNAME new\nsub NS ns.sub\nns.sub A 10.0.0.3\n"
    "sub DS 1 8 1 00112233445566778899aabbccddeeff00112233\n"
    "place LOC 90 N 180 0 0 W -100000m 0m 90000000m 10m\n"
    "place LOC 52 22 23.000 N 4 53 32.999 E 42849672.95m\nplace LOC 0 0 0.001 S 0 59 W .5\n"
    "key SSHFP 4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
    "_s._tcp SRV 1 2 3 www\nodd TYPE65280 \\# 3 010203\nodd\\.name CAA 0 issue \"x\"\n"
    "odd\\000name A 10.0.0.4\nmi MINFO a.b c.d\n"
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
	if (dns_zimage_print(fd, 0, f, &m) != ERR_OK)
		fail_msg("%s", m.text);
	assert_int_equal(dns_zimage_print(fd, 1, f, &m), ERR_RANGE);
	assert_int_equal(fclose(f), 0);
	close(fd);
	return out;
}

/*
 * What is printed of the zone has these lines, and is the same when it is loaded and printed again.
 */
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
		"; zone dump.test, serial 1, ",
		"\ndump.test.\t60\tIN\tSOA\tns.dump.test. h.dump.test. 1 2 3 4 30\n",
		"\nwww.dump.test.\t5\tIN\tA\t10.0.0.2\n",
		"\n*.wild.dump.test.\t60\tIN\tMX\t20 MAIL.example.net.\n",
		"\nns.sub.dump.test.\t60\tIN\tA\t10.0.0.3\n", "TYPE65280\t\\# 3 010203\n",
		"MINFO\ta.b.dump.test. c.d.dump.test.\n",
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
	static const char odd[] =
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n\\$origin A 10.0.0.2\n"
	    "\\@ A 10.0.0.3\na\\\"b A 10.0.0.4\n"
	    "q MX 10 a\\\"b\nat CNAME \\@x\nlong CNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

	(void)state;
	reads_back(odd, lines, sizeof(lines) / sizeof(lines[0]));
}

/*
 * A zone that has random data of every type, as unknown data; JITSU_SEED and JITSU_ROUNDS as in
 * zrdata_test.
 */
static char *
random_zone(struct rdata_random *r)
{
	static uint8_t wire[ZRDATA_MAX];
	struct ztext x = { .buf = NULL };
	char name[ZTYPE_TEXT];
	size_t len;

	ztext_add(
	    &x, "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n@ NSEC3PARAM 1 0 1 AB\n");
	for (unsigned type = 1; type <= 265; type++) {
		if (type == DNS_T_SOA || type == DNS_T_RRSIG || type == DNS_T_NSEC ||
		    type == DNS_T_NSEC3 || type == DNS_T_NSEC3PARAM ||
		    (type >= 128 && type <= 255) || !rdata_random(r, (uint16_t)type, wire, &len) ||
		    len > 60000)
			continue;
		ztext_add(&x, "t%u %u %s \\# %zu ", type, rdata_random_below(r, 1u << 31),
		    ztype_text((uint16_t)type, name), len);
		ztext_add_hex(&x, wire, len);
		ztext_add(&x, "\n");
	}
	return x.buf;
}

/* The compiled zone, as one number. */
static uint64_t
zone_sum(int fd)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	const struct zone_head *z;
	const uint8_t *p, *end;
	struct errmsg m;
	const void *map;
	size_t size;

	assert_int_equal(memfd_map_sealed(fd, &map, &size, &m), ERR_OK);
	z = zimage_zone(map, 0);
	p = zone_at(z, z->nodes);
	end = zone_at(z, z->nodes_end);
	while (p < end) {
		const struct znode *n = (const void *)p;
		const struct zrrset *s = znode_rrsets(n);

		for (unsigned i = 0; i < n->nrrsets; i++, s = zrrset_next(s))
			for (unsigned k = 0; k < s->len; k++)
				sum = (sum ^ s->wire[k]) * 0x100000001b3ull;
		p = (const void *)s;
	}
	(void)munmap((void *)(uintptr_t)map, size);   /* cannot fail for a mapping of ours */
	return sum;
}

static void
every_type_loads_again(void **state)
{
	const char *seed = getenv("JITSU_SEED"), *rounds = getenv("JITSU_ROUNDS");
	struct rdata_random r;
	char found[4096];

	(void)state;
	rdata_random_init(&r, seed != NULL ? strtoull(seed, NULL, 0) : 4712);
	for (unsigned long left = rounds != NULL ? strtoul(rounds, NULL, 0) : 30; left > 0;
	     left--) {
		char *text = random_zone(&r), *once = printed(text);
		int first = fixture_compile("dump.test", text, NULL, found, sizeof(found));
		int again = fixture_compile("dump.test", once, NULL, found, sizeof(found));

		if (first < 0 || again < 0)
			fail_msg("%s", found);
		if (zone_sum(first) != zone_sum(again))
			fail_msg("what is printed is another zone:\n%s%s", text, once);
		close(first);
		close(again);
		free(text);
		free(once);
	}
}

static void
mappings_are_not_printed(void **state)
{
	char *text = printed(
	    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n"
	    "_jitsu.ns TXT image=hello\n");

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
	assert_int_not_equal(dns_zimage_print(fileno(f), 0, stdout, &m), ERR_OK);
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_printed_loads_again),
		cmocka_unit_test(odd_names_load_again), cmocka_unit_test(every_type_loads_again),
		cmocka_unit_test(mappings_are_not_printed),
		cmocka_unit_test(what_is_no_image_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
