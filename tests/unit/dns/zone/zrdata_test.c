/* zrdata_test: RDATA of every type from text, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zone/zrdata.h"
#include "tests/unit/dns/zone/rdata_random.h"

static const uint8_t origin[] = "\6Origin\4test";

/* `TYPE DATA` as hexadecimal; or, when it is refused, a question mark and why. */
static const char *
read_text(const char *text)
{
	static uint8_t wire[ZRDATA_MAX];
	static struct ztext hex;
	char why[200], entry[1024];
	uint16_t type;
	size_t len;

	(void)snprintf(entry, sizeof(entry), "%s", text);
	assert_true(ztype_number(entry, ztoken_len(entry), &type));
	ztext_cut(&hex, 0);
	if (zrdata_read(
	        type, ztoken_next(entry), origin, sizeof(origin), wire, &len, why, sizeof(why)))
		ztext_add_hex(&hex, wire, len);
	else
		ztext_add(&hex, "?%s", why);
	return hex.len > 0 ? hex.buf : "";
}

#define NS "026e73064f726967696e047465737400"

/* What RFCs and other servers make of it; the cases come in pairs of what is nearly the same. */
static void
is_read_as_it_is_meant(void **state)
{
	static const struct {
		const char *text, *wire;
	} rows[] = {
		{ "A 192.0.2.1", "c0000201" },
		{ "A \\# 4 c0 000 201", "c0000201" },
		{ "TYPE1 192.0.2.1", "c0000201" },
		{ "CNAME @", "064f726967696e047465737400" },
		{ "CNAME \\@", "0140064f726967696e047465737400" },
		{ "CNAME .", "00" },
		{ "CNAME A\\.b\\000\\\"c.", "0641 2e62002263 00" },
		{ "HINFO first \\#", "056669727374 0123" },
		{ "HINFO \"\\#\" \"3\"", "0123 0133" },
		{ "TXT a\"b c\"d \"\"", "0161 03622063 0164 00" },
		{ "TXT \"a\"\"b\"", "0161 0162" },
		{ "TXT a\\\"b \\100\\;", "03612262 02643b" },
		{ "CAA 0 issue \"\"", "00 05 6973737565" },
		{ "CAA 128 Issue ca.test", "80 05 4973737565 63612e74657374" },
		{ "IPSECKEY 10 1 0 192.0.2.38", "0a0100c0000226" },
		{ "IPSECKEY 10 3 2 ns AQNRU3mG", "0a0302" NS "0103515379 86" },
		{ "IPSECKEY 10 0 2 . AQNRU3mG", "0a0002010351537986" },
		{ "CERT 0 0 8 AQNRU3mG", "0000000008010351537986" },
		{ "CERT PGP 1 RSASHA256 AQNR U3mG", "0003000108010351537986" },
		{ "LOC 0 0 1 N 1 E 0", "00121613800003e8 8036ee80 00989680" },
		{ "LOC 1 N 0 2 W 0 1m 10m 1000m", "0012 13 15 8036ee80 7ffe2b40 00989680" },
		{ "SVCB 1 . ohttp", "000100 00080000" },
		{ "SVCB 1 . alpn=a\\\\,", "000100 0001 0003 02612c" },
		{ "SVCB 16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
		    "001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832" },
		{ "SVCB 16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
		    "001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832" },
		{ "SVCB 1 . port=53 alpn=h2 key1000=\"a\\000\\\"b\"",
		    "000100 00010003026832 000300020035 03e8000461002262" },
		{ "SVCB 1 . key1=\\003abc key7=\"/{?dns}\"",
		    "000100 0001000403616263 0007 0007 2f7b3f646e737d" },
		{ "SVCB 1 . key65535", "000100 ffff0000" },
		{ "KEY 49152 3 8", "c0000308" },
		{ "SVCB 0 ns", "0000" NS },
		{ "HTTPS 1 . mandatory=port,alpn alpn=h2 port=1",
		    "000100 0000000400010003 00010003026832 000300020001" },
		{ "APL 1:192.0.2.0/32 !2:2001:db8::/128 1:0.0.0.0/0",
		    "0001 20 03 c00002 0002 80 84 20010db8 00010000" },
		{ "APL", "" },
		{ "NSAP 0x47.0005.80005a", "47000580005a" },
		{ "L64 0 0000:0000:0000:000a", "0000000000000000000a" },
		{ "NID 10 2001:0DB8:1140:1000", "000a20010db811401000" },
		{ "EUI48 00-00-5e-00-53-2A", "00005e00532a" },
		{ "DS 1 RSASHA256 99 ab cd", "00010863abcd" },
		{ "DS 1 8 99 a bc d", "00010863abcd" },
		{ "NSEC3 1 0 0 - 00======", "010000000001 00" },
		{ "NSEC3 1 0 0 ab 00 A", "0100000001ab 0100 000140" },
		{ "NSEC3PARAM 1 0 10 -", "0100000a00" },
		{ "NSEC ns A TYPE1234",
		    NS "000140 041b 0000000000000000000000000000000000000000000000000000 20" },
		{ "CSYNC 66 3", "000000420003" },
		{ "RRSIG A 8 2 1h 0 0 0 . AA==", "?`1h' is not a number from 0 to 4294967295" },
		{ "RRSIG TYPE1 8 2 60 20300101000000 4294967295 1 NS. AA==",
		    "000108020000003c70dbd880ffffffff0001024e5300 00" },
		{ "RRSIG A 8 2 60 20240229235959 21060207062815 1 . AA==",
		    "000108020000003c65e11a7fffffffff000100 00" },
		{ "SOA . . 1 1h 1h30m 0 2147483648",
		    "0000000000010000 0e1000001518 00000000 80000000" },
		{ "AMTRELAY 10 0 0 .", "0a00" },
		{ "NXT ns A TYPE127", NS "4000000000000000000000000000 0001" },
		{ "SSHFP \\# 2 0109", "0109" },
		{ "URI \\# 4 00010001", "00010001" },
		{ "IPSECKEY \\# 4 0a0000ff", "0a0000ff" },
		{ "AMTRELAY 128 1 3 ns", "8083" NS },
		{ "AMTRELAY 10 0 2 2001:db8::15", "0a02 20010db8000000000000000000000015" },
		{ "RESINFO qnamemin exterr=15-17", "08716e616d656d696e0c6578746572723d31352d3137" },
		{ "WALLET BTC abc", "03425443 03616263" },
		{ "AVC \"app-name:x\"", "0a6170702d6e616d653a78" },
		{ "DSYNC CDS NOTIFY 5359 ns", "003b0114ef" NS },
		{ "DSYNC TYPE59 1 5359 NS", "003b0114ef024e53064f726967696e047465737400" },
		{ "HIP 2 00ff AQNR ns .", "02020003 00ff 010351 " NS "00" },
		{ "URI 10 1 \"ftp://x/\"", "000a0001 6674703a2f2f782f" },
		{ "LOC \\# 1 01", "01" }, /* of another version nothing is known */
		{ "NULL \\# 0", "" },
		{ "TYPE65280 \\# 2 AbCd", "abcd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char expected[512];
		size_t n = 0;

		for (const char *p = rows[i].wire; *p != '\0'; p++)
			if (*p != ' ' || rows[i].wire[0] == '?')
				expected[n++] = *p;
		expected[n] = '\0';
		if (strcmp(read_text(rows[i].text), expected) != 0)
			fail_msg(
			    "%s: %s, expected %s", rows[i].text, read_text(rows[i].text), expected);
	}
}

static void
is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "A \\# 5 0102030400", "this is no data of type A" },
		{ "A \\# 4 0102030g", "`0102030g' is not hexadecimal, two digits for each byte" },
		{ "A \\# 4 01020304 0", "not hexadecimal" },
		{ "A \\# 3 01020304", "\\# says 3 bytes, and 4 follow" },
		{ "A \\# 4", "\\# says 4 bytes, and 0 follow" },
		{ "A \\# x", "`x' is not a number" },
		{ "A \\#", "lacks a number" },
		{ "A \\# 65536 00", "not a number from 0 to 65535" },
		{ "A", "A lacks an IPv4 address" },
		{ "A 192.0.2", "`192.0.2' is not an IPv4 address" },
		{ "A 192.0.2.1 x", "`x' behind the last field of A" },
		{ "A \"192.0.2.1\"", "without quotes" },
		{ "RP \\# 3 016100", "this is no data of type RP" },
		{ "LOC \\# 1 00", "this is no data of type LOC" },
		{ "LOC \\# 16 00a2161380000000800000000098 9680", "this is no data of type LOC" },
		{ "LOC \\# 16 00121613ffffffff80000000009896 80", "this is no data of type LOC" },
		{ "LOC 1 N 1 E 0M", "`0M' where LOC needs an altitude" },
		{ "SRV \\# 6 000000000000", "this is no data of type SRV" },
		{ "TXT \\# 0", "this is no data of type TXT" },
		{ "TXT \\# 2 0261", "this is no data of type TXT" },
		{ "MX \\# 4 00000000", "this is no data of type MX" },
		{ "NSEC \\# 4 00000100", "this is no data of type NSEC" },
		{ "NSEC3 \\# 6 010000000000", "this is no data of type NSEC3" },
		{ "IPSECKEY \\# 3 0a0001", "this is no data of type IPSECKEY" },
		{ "IPSECKEY \\# 5 0a03000161", "this is no data of type IPSECKEY" },
		{ "NXT ns TYPE128", "there is no record type \"TYPE128\" from 1 to 127" },
		{ "NXT ns", "NXT lacks types" },
		{ "NXT \\# 3 000100", "this is no data of type NXT" },
		{ "SSHFP 1 9", "SSHFP lacks hexadecimal digits" },
		{ "APL \\# 6 000121020102", "this is no data of type APL" },
		{ "APL 1:192.0.2.0/33", "is not what APL needs" },
		{ "APL 2:2001:db8::/129", "is not what APL needs" },
		{ "APL 3:1/1", "is not what APL needs" },
		{ "APL 1:192.0.2.0", "is not what APL needs" },
		{ "DS 1 8 99 abc", "two digits for each byte" },
		{ "DS 1 8 99", "DS lacks hexadecimal digits" },
		{ "SSHFP 1 9 abc", "two digits for each byte" },
		{ "TLSA 3 1 1", "TLSA lacks hexadecimal digits" },
		{ "NSAP 0x47000580005a0000000001e133ffffff000161000", "two for each byte" },
		{ "NSAP 47", "0x and hexadecimal digits" },
		{ "L64 0 0000:0000:0000:000", "4 groups of 4 hexadecimal digits" },
		{ "NID 0 0000:0000:0000:0000:0000", "4 groups of 4 hexadecimal digits" },
		{ "EUI48 00-00-5e-00-53", "6 groups of 2 hexadecimal digits" },
		{ "EUI64 00:00:5e:00:53:2a:00:00", "8 groups of 2 hexadecimal digits" },
		{ "NSEC3PARAM 1 0 0 abc", "is not a salt" },
		{ "NSEC3 1 0 0 - 0 A", "is not a hash" },
		{ "NSEC3 1 0 0 - 0w A", "is not a hash" },
		{ "NSEC ns", "NSEC lacks types" },
		{ "NSEC ns TYPE0", "there is no record type \"TYPE0\"" },
		{ "NSEC ns A x", "there is no record type \"x\"" },
		{ "SVCB 1 . alpn=abc\\,", "or an empty one among them" },
		{ "SVCB 1 . alpn=,h2", "or an empty one among them" },
		{ "SVCB 1 . alpn=", "alpn has no value" },
		{ "SVCB 1 . ohttp=x", "ohttp takes no value" },
		{ "SVCB 1 . ipv4hint=192.0.2.1,", "`' among the values of ipv4hint" },
		{ "SVCB 1 . ech=x", "is not base64" },
		{ "SVCB 1 . alpn=\"h2\"x", "stands in quotes as a whole" },
		{ "SVCB 1 . \"alpn=h2\"", "is not the key of a parameter" },
		{ "SVCB 1 . ALPN=h2", "`ALPN' is not the key" },
		{ "SVCB 1 . key01=x", "`key01' is not the key" },
		{ "SVCB 1 . key65536=x", "`key65536' is not the key" },
		{ "KEY 256 3 8", "KEY lacks base64" },
		{ "SVCB 1 . dohpath=dns", "dohpath needs a relative URI template" },
		{ "CAA 0 a-b x", "`a-b' is not a tag" },
		{ "CAA 0 issue", "CAA lacks a text" },
		{ "CAA 0 issue a b", "`b' behind the last field of CAA" },
		{ "URI 1 1 x", "needs a text in quotes" },
		{ "URI 1 1 \"\"", "the text of URI is empty" },
		{ "IPSECKEY 10 1 0 192.0.2.38 AAAA",
		    "a key, where algorithm 0 says that there is none" },
		{ "IPSECKEY 10 1 2 192.0.2.38", "IPSECKEY lacks base64" },
		{ "IPSECKEY 10 0 2 ns AAAA", "says that there is no gateway" },
		{ "IPSECKEY 10 4 2 ns AAAA", "gateway type 4" },
		{ "AMTRELAY 10 2 0 .", "0 or 1" },
		{ "AMTRELAY 10 0 4 .", "gateway type 4" },
		{ "AMTRELAY 10 0 1 ns", "`ns' is not an IPv4 address" },
		{ "DSYNC CDS NOTIFY 65536 ns", "not a number from 0 to 65535" },
		{ "DSYNC X NOTIFY 1 ns", "there is no record type" },
		{ "DNSKEY 256 3 8", "DNSKEY lacks base64" },
		{ "DNSKEY 256 3 8 AAA", "is not base64" },
		{ "DNSKEY 256 3 8 AB==", "is not base64" },
		{ "RRSIG A 8 2 60 20230229000000 0 1 . AA==", "`20230229000000' is no time" },
		{ "RRSIG A 8 2 60 2023010100000 0 1 . AA==", "is no time" },
		{ "ZONEMD 1 1 240 00", "ZONEMD needs 12 bytes or more there, not 1" },
		{ "X25 123", "four digits" },
		{ "HINFO a", "HINFO lacks a string" },
		{ "TXT a\\2", "`a\\2': behind a backslash, three digits say a number up to 255" },
		{ "TXT a\\256", "three digits say a number up to 255" },
		{ "CNAME a\\256", "three digits say a number up to 255" },
		{ "CNAME a..b", "a label of it is empty" },
		{ "CNAME .b", "a label of it is empty" },
		{ "CNAME \"a\"", "names are written without quotes" },
		{ "CNAME @a", "one that begins with @ is written with a backslash" },
		{ "CNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "a label of it is longer than 63 bytes" },
		{ "CNAME", "CNAME lacks a name" },
		{ "WKS 192.0.2.1 6 25", "read only as \\# LENGTH HEX" },
		{ "TYPE65280 x", "read only as \\# LENGTH HEX" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = read_text(rows[i].text);

		if (got[0] != '?' || strstr(got, rows[i].why) == NULL)
			fail_msg("%s: %s, expected %s", rows[i].text, got, rows[i].why);
	}
}

static void
is_written_as_people_know_it(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "CAA 0 issue \"\"", "0 issue \"\"" },
		{ "MX 10 \"x", NULL },
		{ "SVCB \\# 35 "
		  "001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832",
		    "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"" },
		{ "SVCB 1 . no-default-alpn alpn=h2 ipv6hint=::1 key9",
		    "1 . alpn=\"h2\" no-default-alpn ipv6hint=::1 key9" },
		{ "NSEC3 1 0 0 - 00======", "1 0 0 - 00" },
		{ "NSEC3 1 1 2 AB 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A TYPE1234",
		    "1 1 2 ab 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A TYPE1234" },
		{ "DSYNC CDS NOTIFY 5359 ns", "CDS 1 5359 ns.Origin.test." },
		{ "AMTRELAY 10 1 0 .", "10 1 0 ." },
		{ "IPSECKEY 10 1 0 192.0.2.38", "10 1 0 192.0.2.38" },
		{ "IPSECKEY \\# 4 0a0000ff", "\\# 4 0a0000ff" },
		{ "SSHFP \\# 2 0109", "\\# 2 0109" },
		{ "URI \\# 4 00010001", "\\# 4 00010001" },
		{ "NXT ns SOA A TYPE127", "ns.Origin.test. A SOA TYPE127" },
		{ "LOC 52 22 23 N 4 53 32.001 W -2.5 1",
		    "52 22 23.000 N 4 53 32.001 W -2.50m 1.00m 10000.00m 10.00m" },
		{ "LOC \\# 16 0003161380000000800000000098 9680",
		    "\\# 16 00031613800000008000000000989680" },
		{ "RRSIG A 8 2 60 20300101000000 20240229235959 1 ns AA==",
		    "A 8 2 60 20300101000000 20240229235959 1 ns.Origin.test. AA==" },
		{ "TXT \\\"\\\\\\;\\000", "\"\\\"\\\\;\\000\"" },
		{ "APL", "\\# 0" },
		{ "TYPE65280 \\# 2 AbCd", "\\# 2 abcd" },
	};
	static uint8_t wire[ZRDATA_MAX];
	struct ztext x = { .buf = NULL };
	char why[200], entry[512];
	uint16_t type;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(entry, sizeof(entry), "%s", rows[i].text);
		assert_true(ztype_number(entry, ztoken_len(entry), &type));
		if (!zrdata_read(type, ztoken_next(entry), origin, sizeof(origin), wire, &len, why,
		        sizeof(why))) {
			assert_null(rows[i].printed);
			continue;
		}
		ztext_cut(&x, 0);
		zrdata_print(&x, type, wire, len);
		assert_string_equal(x.buf, rows[i].printed);
	}
	free(x.buf);
}

/*
 * Names compare in any case where DNSSEC's canonical form has them in lower case, and nothing else
 * does.
 */
static void
equal_but_for_case(void **state)
{
	static const struct {
		uint16_t type;
		const char *a, *b;
		size_t len;
		bool equal;
	} rows[] = {
		{ 15, "\0\101\1a", "\0\141\1a", 5, false }, /* MX 65 and MX 97 */
		{ 15, "\0\1\1a", "\0\1\1A", 5, true },
		{ 33, "\0\1\0\1\0\1\1a", "\0\1\0\1\0\1\1A", 9, true },
		{ 17, "\1a\0\1b", "\1A\0\1B", 6, true },
		{ 66, "\0\1\1\0\1\1a", "\0\1\1\0\1\1A", 8,
		    false }, /* types of RFC 3597 and later are not folded */
		{ 16, "\1a", "\1A", 2, false },
		{ 13, "\1a\1b", "\1A\1b", 4, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(zrdata_equal(rows[i].type, (const uint8_t *)rows[i].a, rows[i].len,
		                     (const uint8_t *)rows[i].b, rows[i].len),
		    rows[i].equal);
	assert_false(zrdata_equal(16, (const uint8_t *)"\1a", 2, (const uint8_t *)"\1a\0", 3));
}

/* JITSU_SEED and JITSU_ROUNDS make a longer run of it, or repeat one. */
static void
what_is_written_is_read_back(void **state)
{
	const char *seed = getenv("JITSU_SEED"), *rounds = getenv("JITSU_ROUNDS");
	struct rdata_random r;
	struct ztext x = { .buf = NULL };
	static uint8_t wire[ZRDATA_MAX], back[ZRDATA_MAX];
	char why[200];
	size_t len, n;

	(void)state;
	rdata_random_init(&r, seed != NULL ? strtoull(seed, NULL, 0) : 4711);
	for (unsigned long left = rounds != NULL ? strtoul(rounds, NULL, 0) : 300; left > 0;
	     left--) {
		for (unsigned type = 1; type <= 265; type++) {
			if (!rdata_random(&r, (uint16_t)type, wire, &len))
				continue;
			if (!zrdata_check((uint16_t)type, wire, len, why, sizeof(why)))
				fail_msg("type %u: the generator's data is refused: %s", type, why);
			ztext_cut(&x, 0);
			zrdata_print(&x, (uint16_t)type, wire, len);
			if (!zrdata_read((uint16_t)type, x.buf, origin, sizeof(origin), back, &n,
			        why, sizeof(why)))
				fail_msg("type %u: %s: %s", type, why, x.buf);
			if (n != len || memcmp(wire, back, len) != 0)
				fail_msg("type %u: read back as something else: %s", type, x.buf);
		}
	}
	free(x.buf);
}

/* A name of 256 bytes is refused before its root label is written behind the buffer. */
static void
names_have_255_bytes(void **state)
{
	uint8_t name[DNS_WIRE_NAME + 1];
	char text[257], why[200];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	text[253] = '.';
	assert_int_equal(zfield_parse_name(text, 254, origin, sizeof(origin), name, why,
	    sizeof(why)), 255);
	memset(name, 0xaa, sizeof(name));
	text[253] = 'a';
	text[254] = '.';
	assert_int_equal(zfield_parse_name(text, 255, origin, sizeof(origin), name, why,
	    sizeof(why)), 0);
	assert_non_null(strstr(why, "longer than 255 bytes"));
	assert_int_equal(name[DNS_WIRE_NAME], 0xaa);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_as_it_is_meant),
		cmocka_unit_test(is_refused),
		cmocka_unit_test(is_written_as_people_know_it),
		cmocka_unit_test(equal_but_for_case),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(names_have_255_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
