/* zcompile_test: what master files may say, and what is said of those that may not. */
#include "tests/unit/dns/zone_fixture.h"

#include <sys/mman.h>

#include "dns/zone/zcompile.h"

#define HEAD \
	"$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster 7 1h 15m 1w 30\n NS ns\n" \
	"ns A 10.0.0.1\n"

static void
expect_found(const char *text, const char *units, const char *expected)
{
	char found[8192];
	int fd = fixture_compile("example.test", text, units, found, sizeof(found));

	if (fd >= 0)
		close(fd);
	if (strstr(found, expected) == NULL || (expected[0] == '\0' && found[0] != '\0'))
		fail_msg("expected `%s' in:\n%s", expected, found);
}

#define OK(text) expect_found(text, NULL, "")
#define BAD(text, expected) expect_found(text, NULL, expected)

static void
syntax(void **state)
{
	struct fixture f = { .n = 0 };

	(void)state;
	fixture_add(&f, "Example.Test.",
	    "$ORIGIN test.\r\n$TTL 1h30m\r\n"
	    "example IN 1m SOA ns.example hostmaster.example (\r\n 7 ; serial\r\n"
	    " 1h 15m 1w ; more ( here\n 30 )\n"
	    "example 120 IN NS ns.example\n"
	    "$ORIGIN example.test.\n"
	    "ns\tA\t10.0.0.1\n   AAAA fd00::1\n"
	    "$ORIGIN sub\n@ TXT \"a;b (c)\" d\\\"e \"with space\"\n"
	    "x.example.test. TYPE65280 \\# 3 010203\n"
	    "svc.example.test. 5 HTTPS 1 . alpn=h2\n"
	    "caa.example.test. 5 CAA 0 issue ca\\\"x\n"
	    "class.example.test. IN 7 A 10.0.0.9\n");
	fixture_ask(&f, true, "example.test", DNS_T_SOA,
	    "NOERROR aa\nan example.test. 60 IN SOA ns.example.test. hostmaster.example.test. 7 "
	    "3600 900 604800 30\n");
	fixture_ask(&f, true, "example.test", DNS_T_NS,
	    "NOERROR aa\nan example.test. 120 IN NS ns.example.test.\n");
	fixture_ask(&f, true, "ns.example.test", DNS_T_AAAA,
	    "NOERROR aa\nan ns.example.test. 5400 IN AAAA fd00::1\n");
	fixture_ask(&f, true, "sub.example.test", DNS_T_TXT,
	    "NOERROR aa\nan sub.example.test. 5400 IN TXT \"a;b (c)\" \"d\\\"e\" \"with space\"\n");
	fixture_ask(&f, true, "x.example.test", 65280,
	    "NOERROR aa\nan x.example.test. 5400 IN TYPE65280 \\# 3 010203\n");
	fixture_ask(&f, true, "svc.example.test", DNS_T_HTTPS,
	    "NOERROR aa\nan svc.example.test. 5 IN HTTPS 1 . alpn=h2\n");
	fixture_ask(&f, true, "caa.example.test", 257,
	    "NOERROR aa\nan caa.example.test. 5 IN CAA 0 issue \"ca\\\"x\"\n");
	fixture_ask(&f, true, "class.example.test", DNS_T_A,
	    "NOERROR aa\nan class.example.test. 7 IN A 10.0.0.9\n");
	fixture_clear(&f);
}

/* Zero is a TTL as any other, by $TTL and by itself, whichever reader the type has. */
static void
ttl_zero(void **state)
{
	struct fixture f = { .n = 0 };

	(void)state;
	fixture_add(&f, "zero.test",
	    "$TTL 0\n@ SOA ns h 1 1h 15m 1w 30\n NS ns\nns A 10.0.0.1\nx TXT \"a\"\nz MX 10 ns\n"
	    "$TTL 1h\ny 0 TXT b\ny2 0 A 10.0.0.2\n$TTL 0s\n$ORIGIN in\nx TXT c\n");
	fixture_ask(
	    &f, true, "x.zero.test", DNS_T_TXT, "NOERROR aa\nan x.zero.test. 0 IN TXT \"a\"\n");
	fixture_ask(
	    &f, true, "ns.zero.test", DNS_T_A, "NOERROR aa\nan ns.zero.test. 0 IN A 10.0.0.1\n");
	fixture_ask(&f, true, "zero.test", DNS_T_SOA,
	    "NOERROR aa\nan zero.test. 0 IN SOA ns.zero.test. h.zero.test. 1 3600 900 604800 30\n");
	fixture_ask(
	    &f, true, "y.zero.test", DNS_T_TXT, "NOERROR aa\nan y.zero.test. 0 IN TXT \"b\"\n");
	fixture_ask(
	    &f, true, "y2.zero.test", DNS_T_A, "NOERROR aa\nan y2.zero.test. 0 IN A 10.0.0.2\n");
	fixture_ask(&f, true, "x.in.zero.test", DNS_T_TXT,
	    "NOERROR aa\nan x.in.zero.test. 0 IN TXT \"c\"\n");
	fixture_clear(&f);
}

static void
findings(void **state)
{
	(void)state;
	OK(HEAD);
	BAD("", "zone: no SOA record at example.test");
	BAD("$TTL 60\n@ SOA ns h 1 1 1 1 1\n", "zone: no NS record at example.test");
	BAD(HEAD "@ SOA ns hostmaster 8 1h 15m 1w 30\n", "zone:3: 2 SOA records");
	BAD(HEAD "www SOA ns hostmaster 8 1h 15m 1w 30\n", "zone:6: SOA below the zone's apex");
	BAD(HEAD "www.other. A 10.0.0.2\n",
	    "zone:6: www.other is outside of the zone example.test");
	BAD(HEAD "www CNAME ns\nwww A 10.0.0.2\n",
	    "zone:6: www.example.test has a CNAME and other data (");
	BAD(HEAD "www CNAME ns\nwww CNAME @\n", "zone:6: www.example.test has 2 CNAME records");
	BAD(HEAD "www DNAME ns\nwww DNAME @\n", "zone:6: www.example.test has 2 DNAME records");
	BAD(HEAD "www CH TXT x\n", "zone:6: only class IN is served");
	BAD(HEAD "www A 10.0.0\n", "zone:6: ");
	BAD(HEAD "www A 10.0.0\n", "`www A 10.0.0'");
	BAD(HEAD "www 99999999999 A 10.0.0.1\n", "zone:6: `99999999999' is not a TTL");
	BAD(HEAD "www WKS 10.0.0.1 tcp smtp\n",
	    "zone:6: data of type WKS is read only as \\# LENGTH HEX");
	BAD(HEAD "www TYPE1 \\# 3 010203\n", "zone:6: ");
	BAD(HEAD "www TXT \"open\nnext A 10.0.0.3\n", "zone:6: quote without its end");
	BAD(HEAD "www A ( 10.0.0.3\n\n", "zone:6: `(' without `)'");
	BAD(HEAD "www\\\\  TXT (\n a\n \"open\n b )\nnext A 10.0.0.3\n",
	    "zone:8: quote without its end");
	BAD(HEAD "www TXT \"open", "zone:6: quote without its end");
	BAD(HEAD "www TXT ( a )\nx TXT a ( b\n c (\n d )\nnext A 10.0.0.3\n",
	    "zone:7: `(' without `)'");
	BAD(HEAD "www TXT a\n\\\nnext A 10.0.0\n", "zone:8: `10.0.0' is not an IPv4 address");
	OK(HEAD "www\\\\ \t 60 TXT \\\\ \\  ; c\n");
	BAD(HEAD "$ORIGIN \"sub\"\n",
	    "zone:6: `\"sub\"' is not a domain name: names are written without quotes");
	BAD(HEAD "$TTL \"60\"\n", "zone:6: $TTL `\"60\"'");
	BAD(HEAD "www A 10.0.0.3 )\n", "zone:6: `)' without `('");
	BAD(HEAD "$GENERATE 1-2 a$ A 10.0.0.$\n", "zone:6: unknown directive `$GENERATE'");
	BAD(HEAD "$TTL 1h30\n", "zone:6: $TTL `1h30'");
	BAD(HEAD "www 1h30 A 10.0.0.2\n", "zone:6: `1h30' is not a TTL");
	BAD(HEAD "$TTL soon\n", "zone:6: $TTL `soon'");
	BAD(HEAD "$TTL 1 2\n", "zone:6: usage: $TTL TIME");
	BAD(HEAD "$ORIGIN\n", "zone:6: usage: $ORIGIN NAME");
	BAD(HEAD "(\n\nwww\n\nA 10.0.0.3 )\nwww A 10.0.0.3.4\n", "zone:11: ");
	BAD("\xef\xbb\xbf" HEAD, "zone:1: the file begins with a byte order mark");
	BAD("\xef\xbb\xbf; comment\n" HEAD, "zone:1: the file begins with a byte order mark");
	OK(HEAD "www A 10.0.0.2\nWWW A 10.0.0.2\n");
}

/* What ldns would cut, or take for something else. */
static void
fields(void **state)
{
	(void)state;
	BAD(HEAD "a MX 65536 ns\n",
	    "zone:6: `65536' is not a number from 0 to 65535: `a MX 65536 ns'");
	BAD(HEAD "a MX -1 ns\n", "zone:6: `-1' is not a number from 0 to 65535");
	BAD(HEAD "a MX +1 ns\n", "`+1' is not a number");
	BAD(HEAD "a 5 IN SRV 0 0 99999 ns\n", "zone:6: `99999' is not a number from 0 to 65535");
	BAD(HEAD "a CAA 256 issue x\n", "zone:6: `256' is not a number from 0 to 255");
	BAD(HEAD "a TLSA 3 1 257 00\n", "zone:6: `257' is not a number from 0 to 255");
	BAD(HEAD "a DS 1 264 2 00\n", "zone:6: `264' is not a number from 0 to 255");
	BAD(HEAD "a SVCB 1 . alpn=h2 port=65979\n",
	    "zone:6: `65979' is not a number from 0 to 65535");
	BAD(HEAD "a HTTPS 1 . port=\"65979\"\n", "zone:6: `65979' is not a number from 0 to 65535");
	BAD("$TTL 60\n@ SOA ns h 4294967296 1 1 1 1\n@ NS ns\n",
	    "zone:2: `4294967296' is not a number from 0 to 4294967295");
	BAD("$TTL 60\n@ SOA ns h 1 1 1 1 8000w\n@ NS ns\n", "zone:2: `8000w' is no time");
	BAD(HEAD "a TYPE65537 \\# 4 0a000001\n", "zone:6: there is no record type \"TYPE65537\"");
	BAD(HEAD "a foo\n", "zone:6: ");
	BAD(HEAD "a CAA 0 issue\n", "zone:6: ");
	BAD(HEAD "a CAA 0 issue a b\n", "zone:6: ");
	BAD(HEAD "foo bar\n", "zone:6: there is no record type \"bar\": `foo bar'");
	BAD(HEAD "a NSEC b A FOO\n", "zone:6: there is no record type \"FOO\"");
	BAD(HEAD "a NSEC b A TYPE65537\n", "zone:6: there is no record type \"TYPE65537\"");
	BAD(HEAD "a RRSIG FOO 8 3 5 20300101000000 20200101000000 1 example.test. AAAA\n",
	    "zone:6: ");
	BAD(HEAD "@a A 10.0.0.2\n",
	    "zone:6: `@a' is not a domain name: one that begins with @ is written with a backslash "
	    "before it");
	BAD(HEAD "a MX 1 @.b\n",
	    "zone:6: `@.b' is not a domain name: one that begins with @ is written with a "
	    "backslash");
	OK(HEAD "a CNAME \\@\nb MX 1 \\@.b\nc MX 1 \\064\n");
	OK(HEAD "a MX 65535 @\nb CNAME \\@x\nc MX 0 x\\@.y\n\\@a TXT x\n\\@ TXT x\n");
	OK(HEAD "a DS 1 RSASHA256 200 00\nb TLSA PKIX-TA SPKI SHA2-256 00\nc CERT PKIX 1 8 AAAA\n"
	    "d SVCB 1 . port=\"443\" alpn=h2\n");
	OK(HEAD "a NSEC b A TYPE65535 type1\nb TYPE65535 \\# 0\nc TYPE15 65535 ns\n"
	    "d MX \\# 3 ffff00\n");
	OK("$TTL 60\n@ SOA ns h 4294967295 4294967295 1h30m 2W 1\n@ NS ns\n");
}

#define HEX20 "00112233445566778899aabbccddeeff00112233"
#define HEX32 HEX20 "445566778899aabbccddeeff"
#define HEX48 HEX32 "00112233445566778899aabbccddeeff"
#define HEX64 HEX48 "00112233445566778899aabbccddeeff"

/* Each length that a digest may have, one byte less, one more, none, and the same as bytes. */
static void
digests(void **state)
{
	static const struct {
		const char *head, *digest, *why;
	} rows[] = {
		{ "a DS 1 8 1 ", HEX20,
		    "DS with digest type 1 (SHA-1) needs a digest of 20 bytes (40 hex digits), not "
		    "of " },
		{ "a DS 1 8 2 ", HEX32,
		    "DS with digest type 2 (SHA-256) needs a digest of 32 bytes (64 hex digits), "
		    "not of " },
		{ "a DS 1 8 4 ", HEX48,
		    "DS with digest type 4 (SHA-384) needs a digest of 48 bytes (96 hex digits), "
		    "not of " },
		{ "@ CDS 1 8 2 ", HEX32, "CDS with digest type 2 (SHA-256) needs" },
		{ "a DLV 1 8 1 ", HEX20, "DLV with digest type 1 (SHA-1) needs" },
		{ "a SSHFP 4 1 ", HEX20,
		    "SSHFP with fingerprint type 1 (SHA-1) needs a digest of 20 bytes" },
		{ "a SSHFP 4 2 ", HEX32,
		    "SSHFP with fingerprint type 2 (SHA-256) needs a digest of 32 bytes" },
		{ "@ ZONEMD 7 1 1 ", HEX48,
		    "ZONEMD with hash algorithm 1 (SHA-384) needs a digest of 48 bytes" },
		{ "@ ZONEMD 7 1 2 ", HEX64,
		    "ZONEMD with hash algorithm 2 (SHA-512) needs a digest of 64 bytes" },
	};
	char text[512], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), HEAD "%s%s\n", rows[i].head, rows[i].digest);
		OK(text);
		(void)snprintf(expected, sizeof(expected), "zone:6: %s", rows[i].why);
		(void)snprintf(text, sizeof(text), HEAD "%s%s00\n", rows[i].head, rows[i].digest);
		BAD(text, expected);
		(void)snprintf(text, sizeof(text), HEAD "%s%s\n", rows[i].head, rows[i].digest + 2);
		BAD(text, expected);
	}
	BAD(HEAD "a DS 1 8 2 00\n",
	    "zone:6: DS with digest type 2 (SHA-256) needs a digest of 32 bytes (64 hex digits), "
	    "not of 1: `a DS 1 8 2 00'");
	BAD(HEAD "a DS \\# 6 000108010011\n",
	    "(40 hex digits), not of 2: `a DS \\# 6 000108010011'");
	BAD(HEAD "a SSHFP \\# 2 0101\n", "(40 hex digits), not of 0");
	BAD(HEAD "a DS \\# 3 000108\n", "zone:6: DS needs at least 4 bytes, not 3");
	BAD(HEAD "a SSHFP \\# 0\n", "zone:6: SSHFP needs at least 2 bytes, not 0");
	OK(HEAD "@ CDS 0 0 0 00\na DS 1 8 3 00\nb DS 1 8 200 0011\nc SSHFP 1 0 00\n"
	    "d SSHFP 1 3 00\n@ ZONEMD 7 1 240 001122334455667788990011\n");
	OK(HEAD "a TLSA 3 1 1 00\nb SMIMEA 3 1 2 00\nc TYPE65280 \\# 4 00010801\n");
}

static void
loc(void **state)
{
	(void)state;
	BAD(HEAD "a LOC 91 N 4 E 0m\n",
	    "zone:6: `91' where LOC needs degrees of latitude, from 0 to 90: `a LOC 91 N 4 E 0m'");
	BAD(HEAD "a LOC 52 N 181 E 0m\n",
	    "zone:6: `181' where LOC needs degrees of longitude, from 0 to 180");
	BAD(HEAD "a LOC 52 60 N 4 E 0m\n", "zone:6: `60' where LOC needs minutes, from 0 to 59");
	BAD(HEAD "a LOC 52 59 60 N 4 E 0m\n",
	    "zone:6: `60' where LOC needs seconds, from 0 to 59.999");
	BAD(HEAD "a LOC 52 59 59.9999 N 4 E 0m\n", "zone:6: `59.9999' where LOC needs seconds");
	BAD(HEAD "a LOC 52 N 4 75 E 0m\n", "zone:6: `75' where LOC needs minutes");
	BAD(HEAD "a LOC 52 N 4 59 61.5 E 0m\n", "zone:6: `61.5' where LOC needs seconds");
	BAD(HEAD "a LOC 90 1 N 4 E 0m\n", "zone:6: `1' behind it: latitude ends at 90 degrees");
	BAD(HEAD "a LOC 90 0 0.001 S 4 E 0m\n",
	    "zone:6: `0.001' behind it: latitude ends at 90 degrees");
	BAD(HEAD "a LOC 52 N 180 0 1 W 0m\n",
	    "zone:6: `1' behind it: longitude ends at 180 degrees");
	BAD(HEAD "a LOC 52N 4E 0m\n", "zone:6: `52N' where LOC needs degrees of latitude");
	BAD(HEAD "a LOC 52 N 4 E\n",
	    "zone:6: LOC needs an altitude, from -100000.00m to 42849672.95m: `a LOC 52 N 4 E'");
	BAD(HEAD "a LOC 52 N 4 E -100000.01m\n",
	    "zone:6: `-100000.01m' where LOC needs an altitude");
	BAD(HEAD "a LOC 52 N 4 E 42849672.96m\n",
	    "zone:6: `42849672.96m' where LOC needs an altitude");
	BAD(HEAD "a LOC 52 N 4 E 10km\n", "zone:6: `10km' where LOC needs an altitude");
	BAD(HEAD "a LOC 52 N 4 E 1000000000000000000000m\n",
	    "zone:6: `1000000000000000000000m' where LOC needs an altitude");
	BAD(HEAD "a LOC 52 N 4 E 0m 90000001m\n",
	    "zone:6: `90000001m' where LOC needs a size, from 0 to 90000000m");
	BAD(HEAD "a LOC 52 N 4 E 0m 1m x\n", "zone:6: `x' where LOC needs a horizontal precision");
	BAD(HEAD "a LOC 52 N 4 E 0m 1m 1m 99999999m\n",
	    "zone:6: `99999999m' where LOC needs a vertical precision");
	BAD(HEAD "a LOC 52 N 4 E 0m 1m 1m 1m 7m\n", "zone:6: `7m' behind the last field of LOC");
	OK(HEAD "a LOC 90 0 0.000 N 180 00 00.000 W -100000.00m 0 0 0\n"
	    "b LOC 52 59 59.999 S 4 59 5. E +42849672.95\n");
	OK(HEAD "a LOC 052 05 N 4 E .5m 90000000.00m 1m 1\nb LOC ( 52\n22 23 N 4 53 32 E\n"
	    "-2m ) 1.55m\nc LOC \\# 16 0012161380000000800000000098 9680\n");
}

/* RFC 9460: what makes clients throw the RRset away. */
static void
svcb(void **state)
{
	(void)state;
	BAD(HEAD "a SVCB 1 . port=1 port=2\n",
	    "zone:6: a key stands there twice: `a SVCB 1 . port=1 port=2'");
	BAD(HEAD "a HTTPS \\# 9 000100000100026832\n",
	    "zone:6: alpn has no value, or an empty one");
	BAD(HEAD "a SVCB 1 . port\n", "zone:6: port needs a number");
	BAD(HEAD "a SVCB \\# 10 00010000040003616263\n", "zone:6: ipv4hint needs IPv4 addresses");
	BAD(HEAD "a SVCB \\# 7 00010000060000\n", "zone:6: ipv6hint needs IPv6 addresses");
	BAD(HEAD "a SVCB 1 . no-default-alpn\n", "zone:6: no-default-alpn needs alpn");
	BAD(HEAD "a SVCB \\# 15 000100000100030268320002000178\n",
	    "zone:6: no-default-alpn takes no value");
	BAD(HEAD "a SVCB 1 . mandatory=port\n", "zone:6: mandatory names a key that is not there");
	BAD(HEAD "a SVCB 1 . mandatory=mandatory\n", "zone:6: mandatory names itself");
	BAD(HEAD "a SVCB \\# 17 00010000000004000300030003000201bb\n",
	    "zone:6: mandatory names a key twice");
	BAD(HEAD "a SVCB \\# 5 0001000003\n", "zone:6: the last parameter is cut off");
	BAD(HEAD "a SVCB \\# 16 0001000003000201bb00010003026832\n",
	    "zone:6: keys are not in ascending order");
	BAD(HEAD "a HTTPS \\# 2 0001\n", "zone:6: ");
	OK(HEAD "a SVCB 0 b\nb HTTPS 1 . ipv6hint=::1 port=443 no-default-alpn alpn=h2,h3 "
	    "mandatory=port,alpn ipv4hint=192.0.2.1,192.0.2.2\n");
	OK(HEAD "a SVCB 1 . key65280=x dohpath=/q{?dns} alpn=h2 ech=\"AEX+\"\n"
	    "b SVCB \\# 3 000100\n");
}

static void
mappings(void **state)
{
	(void)state;
	OK(HEAD "www A 10.0.0.2\n_jitsu.www TXT \"image=hello\" \"idle=2m\"\n");
	OK(HEAD "www AAAA fd00::2\n_Jitsu.WWW TXT image=hello\n");
	BAD(HEAD "www A 10.0.0.2\n_jitsu.www TXT \"image\"\n",
	    "zone:7: _jitsu: \"image\" is not \"key=value\"");
	BAD(HEAD "www A 10.0.0.2\n_jitsu.www TXT \"=hello\"\n",
	    "zone:7: _jitsu: \"=hello\" is not \"key=value\"");
	BAD(HEAD "www TXT x\n_jitsu.www TXT image=hello\n",
	    "zone:7: _jitsu: www.example.test has no A or AAAA record");
	BAD(HEAD "_jitsu.www TXT image=hello\n",
	    "zone:6: _jitsu: www.example.test has no A or AAAA record");
	BAD(HEAD "*.w A 10.0.0.2\n_jitsu.*.w TXT image=hello\n",
	    "zone:7: _jitsu: *.w.example.test is a wildcard");
	BAD(HEAD "sub NS ns.sub\nns.sub A 10.0.0.2\n_jitsu.ns.sub TXT image=hello\n",
	    "zone:8: _jitsu: ns.sub.example.test is delegated");
	BAD(HEAD "www A 10.0.0.2\n_jitsu.www TXT image=a\n_jitsu.www TXT idle=1m\n",
	    "zone:8: _jitsu: www.example.test has a mapping already (");
	expect_found(HEAD "www A 10.0.0.2\n", "_jitsu.www TXT image=hello\n", "");
	expect_found(HEAD "www A 10.0.0.2\n_jitsu.www TXT image=a\n", "; none\n",
	    "zone:7: _jitsu: this zone's mappings stand in its units file");
	expect_found(HEAD "www A 10.0.0.2\n", "www A 10.0.0.2\n",
	    "units:1: a units file holds TXT records at _jitsu names");
	expect_found(HEAD "www NSEC @ A\nwww A 10.0.0.2\n_jitsu.www TXT image=a\n", NULL,
	    "zone:8: _jitsu: this zone is signed");
}

/* What the warden sees of the mappings. */
static void
units(void **state)
{
	char found[4096];
	int fd = fixture_compile("example.test",
	    HEAD "www 30 A 10.0.0.2\nwww 40 AAAA fd00::2\nwww 30 A 10.0.0.3\n\n"
	    "_jitsu.www TXT \"image=hello\" \"idle=2m\"\n"
	    "blog A 10.0.0.2\n_jitsu.blog TXT unit=www\n@ A 10.0.0.4\n_jitsu TXT image=apex\n",
	    NULL, found, sizeof(found));
	struct dns_zone_info info;
	struct dns_zimage *zimage;
	struct dns_unit u;
	struct errmsg m;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dns_zimage_open(fd, &zimage, &m), ERR_OK);
	close(fd);
	assert_int_equal(dns_zimage_zones(zimage), 1);
	assert_int_equal(dns_zimage_zone(zimage, 0, &info, &m), ERR_OK);
	assert_string_equal(info.origin, "example.test");
	assert_int_equal(info.serial, 7);
	assert_int_equal(info.names, 4);      /* no _jitsu among them */
	assert_int_equal(info.records, 8);
	assert_int_equal(info.units, 3);
	assert_int_equal(dns_zimage_unit(zimage, 0, 0, &u, &m), ERR_OK);
	assert_string_equal(u.owner, "www.example.test");
	assert_int_equal(u.naddrs, 3);
	assert_int_equal(u.addrs[0].family, 4);
	assert_memory_equal(u.addrs[1].bytes, "\12\0\0\3", 4);
	assert_int_equal(u.addrs[2].family, 6);
	assert_int_equal(u.ttl, 30);
	assert_int_equal(u.line, 10);
	assert_non_null(strstr(u.file, "/zone"));
	assert_int_equal(u.nstrings, 2);
	assert_memory_equal(u.strings[1].data, "idle=2m", u.strings[1].len);
	assert_int_equal(dns_zimage_unit(zimage, 0, 1, &u, &m), ERR_OK);
	assert_string_equal(u.owner, "blog.example.test");
	assert_int_equal(dns_zimage_unit(zimage, 0, 2, &u, &m), ERR_OK);
	assert_string_equal(u.owner, "example.test");
	assert_int_equal(dns_zimage_unit(zimage, 0, 3, &u, &m), ERR_RANGE);
	assert_int_equal(dns_zimage_zone(zimage, 1, &info, &m), ERR_RANGE);
	dns_zimage_close(zimage);
}

/*
 * $INCLUDE: origin and last owner come back, lines are the included file's, and nothing outside of
 * the directory is read.
 */
static void
includes(void **state)
{
	char dir[64], zone[128], part[128], deep[128], text[512], line[1400];
	struct report r;
	int fd = -1;

	(void)state;
	fixture_dir(dir);
	fixture_write(dir, "part", "a A 10.0.0.7\n$ORIGIN elsewhere.test.\n", part);
	fixture_write(dir, "deep", "\n\nx A nonsense\n$INCLUDE deep\n", deep);
	fixture_write(dir, "zone", HEAD "www A 10.0.0.2\n$INCLUDE part in\n AAAA fd00::2\n", zone);
	report_init(&r);
	assert_int_equal(dns_compile_file("example.test", zone, NULL, &fd, &r), ERR_OK);
	close(fd);
	snprintf(text, sizeof(text), HEAD "$INCLUDE %s\n", part);
	fixture_write(dir, "zone", text, zone);
	assert_int_equal(dns_compile_file("example.test", zone, NULL, &fd, &r), ERR_OK);
	close(fd);
	fixture_write(dir, "zone",
	    HEAD "$INCLUDE \"deep\"\n$INCLUDE /etc/hostname\n$INCLUDE ../x\n$INCLUDE none\n", zone);
	assert_int_equal(dns_compile_file("example.test", zone, NULL, &fd, &r), ERR_PARSE);
	assert_int_equal(fd, -1);
	assert_int_equal(r.nlines, LIMIT_INCLUDE_DEPTH + 1 + 3);
	report_format(&r, 0, line, sizeof(line));
	assert_string_equal(strstr(line, "deep:3: ") != NULL ? "found" : line, "found");
	report_format(&r, LIMIT_INCLUDE_DEPTH, line, sizeof(line));
	assert_non_null(strstr(line, "does it include itself?"));
	for (unsigned i = 1; i <= 2; i++) {
		report_format(&r, LIMIT_INCLUDE_DEPTH + i, line, sizeof(line));
		assert_non_null(strstr(line, "outside the zone file's directory"));
	}
	report_format(&r, LIMIT_INCLUDE_DEPTH + 3, line, sizeof(line));
	assert_non_null(strstr(line, "zone:9: $INCLUDE none: "));
	report_clear(&r);
	unlink(zone);
	unlink(part);
	unlink(deep);
	rmdir(dir);
}

/*
 * What is said of a file whose text may be a secret: `text` is a part of all that is quoted
 * otherwise.
 */
static void
expect_unquoted(const char *text, bool is_units, const char *expected)
{
	struct zout o = { .fd = -1 };
	struct zcompile c = { .origin = "example.test", .path = "zone", .units_path = "units",
		.fd = memfd_create("zone", MFD_CLOEXEC), .units_fd = -1 };
	char line[1400];
	struct report r;
	struct errmsg m;

	if (is_units)
		c.units_fd = memfd_create("units", MFD_CLOEXEC);
	assert_true(write(c.fd, is_units ? HEAD : text, strlen(is_units ? HEAD : text)) > 0);
	assert_true(!is_units || write(c.units_fd, text, strlen(text)) > 0);
	assert_int_equal(lseek(c.fd, 0, SEEK_SET), 0);
	assert_true(!is_units || lseek(c.units_fd, 0, SEEK_SET) == 0);
	report_init(&r);
	assert_int_equal(zout_open(&o, &m), ERR_OK);
	assert_int_equal(zcompile_zone(&c, &o, &r), ERR_PARSE);
	report_format(&r, 0, line, sizeof(line));
	if (strstr(line, expected) == NULL)
		fail_msg("expected `%s': %s", expected, line);
	for (size_t i = 0; i < r.nlines; i++)
		if (strstr(r.lines[i].text, "s3cr3t") != NULL)
			fail_msg("%s", r.lines[i].text);
	report_clear(&r);
	zout_close(&o);
	close(c.fd);
	if (is_units)
		close(c.units_fd);
}

/* No part of a line comes out before a line was right; then all may, as it is a zone. */
static void
secrets(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "s3cr3t\n", ":1: a type and its data are missing; the text is not shown" },
		{ "root:$y$j9T$s3cr3t:1:0:99999:7:::\n", ":1: a type and its data are missing; " },
		{ "-----BEGIN s3cr3t KEY-----\ns3cr3t\n", ":1: there is no such record type; " },
		{ "\n\ns3cr3t..s3cr3t A 192.0.2.1\n",
		    ":3: the entry does not begin with a domain name; " },
		{ "a 1s3cr3t A 192.0.2.1\n", ":1: an owner and something that is not a TTL; " },
		{ "s3cr3t CH A 192.0.2.1\n", ":1: only class IN is served; " },
		{ "a A s3cr3t\n", ":1: A needs an IPv4 address, such as 192.0.2.1; the text" },
		{ "a SVCB 1 . s3cr3t=s3cr3t\n", ":1: SVCB needs a priority" },
		{ "a LOC s3cr3t\n", ":1: this is no data of type LOC; " },
		{ "$s3cr3t s3cr3t\n", ":1: unknown directive; known are " },
		{ "a TXT \"s3cr3t\n", ":1: " },
		{ "a TXT ( s3cr3t\n", ":1: " },
		{ "a TXT s3cr3t )\n", ":1: " },
		{ "\xef\xbb\xbfs3cr3t A 192.0.2.1\n", "byte order mark" },
		{ "s3cr3t\na A s3cr3t\ns3cr3t\n", ":1: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_unquoted(rows[i].text, false, rows[i].expected);
		expect_unquoted(rows[i].text, true, rows[i].expected);
	}
	expect_unquoted("$TTL 60\nnonsense\n", false,
	    ":2: a type and its data are missing: `nonsense'");
	expect_unquoted("a A 192.0.2.1\nnonsense\n", false,
	    "zone:2: a type and its data are missing: `nonsense'");
	expect_unquoted("$TTL nonsense\n", false, ":1: $TTL `nonsense'");
}

/* A record that is longer than a read block, and RRsets that no message holds. */
static void
limits(void **state)
{
	size_t size = 900000;
	char *text = malloc(size);
	size_t n = (size_t)snprintf(text, size, HEAD "big TYPE65280 \\# 20000 ");

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		n += (size_t)snprintf(text + n, size - n, "%02x", i & 255);
	snprintf(text + n, size - n, "\n");
	OK(text);
	n = (size_t)snprintf(text, size, HEAD);
	for (unsigned i = 0; i < 4062; i++)
		n += (size_t)snprintf(text + n, size - n, "many A 10.0.%u.%u\n", i >> 8, i & 255);
	OK(text);
	snprintf(text + n, size - n, "many A 10.9.0.1\n");
	BAD(text, "more records of one name and type than fit into an answer");
	/* 64,000 bytes, and signatures of 1,000 and 1,003 */
	n = (size_t)snprintf(text, size, HEAD);
	for (unsigned i = 0; i < 4000; i++)
		n += (size_t)snprintf(text + n, size - n, "many A 10.0.%u.%u\n", i >> 8, i & 255);
	n += (size_t)snprintf(text + n, size - n,
	    "many RRSIG A 8 3 60 20300101000000 20200101000000 1 . ");
	memset(text + n, 'A', 1292);
	snprintf(text + n + 1292, size - n - 1292, "\n");
	OK(text);
	snprintf(text + n + 1292, size - n - 1292, "AAAA\n");
	BAD(text,
	    "zone:6: many.example.test: records of one type (64000 bytes) and their signatures "
	    "(1003) do not fit into an answer (65000 bytes)");
	n = (size_t)snprintf(text, size, HEAD);
	for (unsigned i = 0; i < 300; i++)
		n += (size_t)snprintf(text + n, size - n, "many TYPE%u \\# 1 00\n", 1000 + i);
	BAD(text, "more than 256 types of records at one name");
	n = (size_t)snprintf(text, size, HEAD "long TXT ");
	memset(text + n, 'x', size - n - 1);
	text[size - 1] = '\0';
	BAD(text, "longer than any record can be");
	free(text);
}

static void
expect_limited(const char *zone, const struct dns_zone_limits *limits, const char *expected)
{
	char line[1400];
	struct report r;
	int fd = -1;

	report_init(&r);
	(void)dns_compile_within("example.test", zone, NULL, limits, &fd, &r);
	assert_int_equal(fd >= 0, expected == NULL);
	if (fd >= 0)
		close(fd);
	assert_int_equal(r.nlines, expected != NULL);
	if (expected != NULL) {
		report_format(&r, 0, line, sizeof(line));
		if (strstr(line, expected) == NULL)
			fail_msg("%s", line);
	}
	report_clear(&r);
}

/* Whatever is spent is said once, where it happened, and the rest is not read. */
static void
budgets(void **state)
{
	static const struct dns_zone_limits memory = { 16 << 20, 0 }, text = { 4 << 20, 0 },
	                                    late = { 0, 1 }, none = { 0, 0 };
	char dir[64], zone[128], part[128], *many = malloc(1 << 20);
	size_t n = 0;

	(void)state;
	fixture_dir(dir);
	for (unsigned i = 0; i < 20000; i++)
		n += (size_t)sprintf(many + n, "h%u A 10.0.%u.%u\n", i, i >> 8, i & 255);
	fixture_write(dir, "part", many, part);
	n = (size_t)sprintf(many, HEAD);
	for (unsigned i = 0; i < 30; i++)
		n += (size_t)sprintf(many + n, "$INCLUDE part s%u\n", i);
	fixture_write(dir, "zone", many, zone);
	expect_limited(zone, &none, NULL);
	expect_limited(zone, &memory,
	    "zone example.test needs more memory than a zone may have, 16M (zone-memory of section "
	    "limits)");
	expect_limited(zone, &memory, "part:");
	expect_limited(zone, &late,
	    "zone example.test takes longer to compile than a zone may, 1 ms (zone-time of section "
	    "limits)");
	memset(many, ';', 1 << 20);
	many[(1 << 20) - 1] = '\0';
	fixture_write(dir, "part", many, part);
	fixture_write(dir, "zone", HEAD "$INCLUDE part\n$INCLUDE part\n$INCLUDE part\n", zone);
	expect_limited(zone, &text, NULL);
	fixture_write(
	    dir, "zone", HEAD "$INCLUDE part\n$INCLUDE part\n$INCLUDE part\n$INCLUDE part\n", zone);
	expect_limited(zone, &text,
	    "zone example.test is longer than 4M with what it includes (zone-memory of section "
	    "limits)");
	unlink(zone);
	unlink(part);
	rmdir(dir);
	free(many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax), cmocka_unit_test(ttl_zero),
		cmocka_unit_test(findings),
		cmocka_unit_test(fields),
		cmocka_unit_test(digests),
		cmocka_unit_test(loc),
		cmocka_unit_test(svcb),
		cmocka_unit_test(mappings),
		cmocka_unit_test(units),
		cmocka_unit_test(includes), cmocka_unit_test(secrets),
		cmocka_unit_test(limits),
		cmocka_unit_test(budgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
