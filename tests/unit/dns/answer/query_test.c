/* query_test: queries as they should be, and as they should not. */
#include "tests/unit/dns/zone_fixture.h"

static const struct dns_reply_conf conf = { .udp_payload = 1232, .nsid = "here" };

static size_t
query(uint8_t *wire)
{
	return fixture_query(wire, "Www.Example.TEST", DNS_T_A);
}

/* An OPT with `options` appended. */
static size_t
query_edns(uint8_t *wire, uint8_t version, const void *options, size_t options_len)
{
	size_t len = query(wire);
	uint8_t opt[11] = { 0, 0, 41, 0x10, 0, 0, version, 0x80, 0, 0, (uint8_t)options_len };

	memcpy(wire + len, opt, sizeof(opt));
	if (options_len > 0)
		memcpy(wire + len + sizeof(opt), options, options_len);
	wire[11] = 1;
	return len + sizeof(opt) + options_len;
}

static void
well_formed(void **state)
{
	uint8_t wire[512];
	struct dns_query q;
	uint16_t rcode;
	size_t len = query(wire);

	(void)state;
	wire[3] = 0x10;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.qtype, DNS_T_A);
	assert_int_equal(q.qclass, 1);
	assert_true(q.rd && q.cd && !q.edns.present);
	assert_int_equal(q.qname_len, 18);
	assert_memory_equal(q.qname, "\3www\7example\4test", 18);
	assert_memory_equal(q.qname_wire, "\3Www\7Example\4TEST", 18);
	assert_int_equal(q.question_len, 22);
	len = query_edns(wire, 0, "\0\3\0\0" "\0\12\0\10abcdefgh" "\377\1\0\2xx", 22);
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	assert_true(q.edns.present && q.edns.dnssec_ok && q.edns.nsid);
	assert_int_equal(q.edns.udp_payload, 4096);
	assert_int_equal(q.edns.cookie_len, 8);
	assert_memory_equal(q.edns.cookie, "abcdefgh", 8);
}

static void
expect(const uint8_t *wire, size_t len, enum dns_parsed parsed, uint16_t expected)
{
	struct dns_query q;
	uint16_t rcode;

	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), parsed);
	if (parsed == DNS_PARSED_ERROR)
		assert_int_equal(rcode, expected);
}

static void
malformed(void **state)
{
	uint8_t wire[512];
	size_t len = query(wire);

	(void)state;
	for (size_t i = 0; i < 12; i++)
		expect(wire, i, DNS_PARSED_DROP, 0);
	for (size_t i = 12; i < len; i++)
		expect(wire, i, DNS_PARSED_ERROR, DNS_R_FORMERR);
	wire[len] = 0;
	expect(wire, len + 1, DNS_PARSED_ERROR, DNS_R_FORMERR);   /* trailing junk */
	wire[2] = 0x81;
	expect(wire, len, DNS_PARSED_DROP, 0);                    /* a reply */
	wire[2] = 0x03;
	expect(wire, len, DNS_PARSED_OK, 0);                      /* TC: not for clients to set */
	expect(wire, len - 1, DNS_PARSED_ERROR, DNS_R_FORMERR);
	wire[2] = 0x28;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_NOTIMP);        /* UPDATE */
	(void)query(wire);
	wire[5] = 2;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	wire[5] = 0;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	(void)query(wire);
	wire[7] = 1;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	(void)query(wire);
	wire[12] = 0xc0;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);       /* a pointer in the question */
	wire[12] = 0x40;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
}

/* RFC 1995 section 3: a client of IXFR says with a SOA in the authority section what it has. */
static void
authority(void **state)
{
	static const uint8_t soa[] =
	    "\300\20\0\6\0\1\0\0\0\0\0\26\0\0" "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0";
	uint8_t wire[512];
	size_t len = fixture_query(wire, "example.test", DNS_T_IXFR);
	struct dns_query q;
	uint16_t rcode;

	(void)state;
	memcpy(wire + len, soa, sizeof(soa));
	wire[9] = 1;
	for (size_t i = len; i < len + sizeof(soa); i++)
		expect(wire, i, DNS_PARSED_ERROR, DNS_R_FORMERR);
	assert_int_equal(dns_query_parse(wire, len + sizeof(soa), &q, &rcode), DNS_PARSED_OK);
	assert_int_equal(q.qtype, DNS_T_IXFR);
	memcpy(wire + len + sizeof(soa), "\0\0\51\4\320\0\0\0\0\0\0", 11);
	wire[11] = 1;
	assert_int_equal(dns_query_parse(wire, len + sizeof(soa) + 11, &q, &rcode), DNS_PARSED_OK);
	assert_true(q.edns.present);
	wire[11] = 0;
	memcpy(wire + len + sizeof(soa), soa, sizeof(soa));
	wire[9] = 2;
	expect(wire, len + 2 * sizeof(soa), DNS_PARSED_ERROR, DNS_R_FORMERR);
	wire[9] = 1;
	dns_put16(wire + len - 4, DNS_T_SOA);
	expect(wire, len + sizeof(soa), DNS_PARSED_ERROR, DNS_R_FORMERR);
}

static void
edns(void **state)
{
	uint8_t wire[512];
	size_t len = query_edns(wire, 1, NULL, 0);

	(void)state;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_BADVERS);
	len = query_edns(wire, 0, "\0\12\0\7abcdefg", 11);
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);       /* a cookie of no lawful length */
	len = query_edns(wire, 0, "\0\12\0\20abcdefg", 11);
	/* an option that leaves the OPT */
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	len = query_edns(wire, 0, NULL, 0);
	memcpy(wire + len, wire + len - 11, 11);
	wire[11] = 2;
	expect(wire, len + 11, DNS_PARSED_ERROR, DNS_R_FORMERR);  /* two OPTs */
	wire[11] = 1;
	expect(wire, len + 11, DNS_PARSED_ERROR, DNS_R_FORMERR);
	expect(wire, len - 1, DNS_PARSED_ERROR, DNS_R_FORMERR);
}

/* Time 0x010203040506, fudge 300, a MAC of 4 bytes, original ID 0x1234, no error, no other data. */
#define TSIG_DATA "\1\2\3\4\5\6\1\54\0\4mac!\x12\x34\0\0\0\0"
#define TSIG_FIXED "\0\372\0\377\0\0\0\0"
#define ALGORITHM "\13hmac-sha256\0"
#define KEY "\1k\4Test\0"

/* Appends a record; returns the new length. */
static size_t
append(uint8_t *wire, size_t len, const void *bytes, size_t n)
{
	memcpy(wire + len, bytes, n);
	wire[11]++;
	return len + n;
}

#define APPEND(wire, len, bytes) append(wire, len, bytes, sizeof(bytes) - 1)

/* RFC 8945: the unknown key and its algorithm come back with the error, without a MAC. */
static void
tsig(void **state)
{
	static const char whole[] = KEY TSIG_FIXED "\0\41" ALGORITHM TSIG_DATA;
	static const char answer[] = KEY TSIG_FIXED "\0\35" ALGORITHM
	    "\1\2\3\4\5\6\1\54\0\0\x12\x34\0\21\0\0";
	static const char compressed[] = "\1k\300\36" TSIG_FIXED "\0\41" ALGORITHM TSIG_DATA;
	uint8_t wire[512], buf[DNS_MESSAGE_MAX];
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	struct dns_query q;
	uint16_t rcode;
	size_t begin = query(wire), len = APPEND(wire, begin, whole);

	(void)state;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	assert_int_equal(rcode, DNS_R_NOTAUTH);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.len, begin + sizeof(answer) - 1);
	assert_memory_equal(buf, "\x12\x34\x81\x09\0\1\0\0\0\0\0\1", 12);
	assert_memory_equal(buf + 12, wire + 12, begin - 12);
	assert_memory_equal(buf + begin, answer, sizeof(answer) - 1);
	/* every way of cutting it off */
	for (size_t i = begin; i < len; i++)
		expect(wire, i, DNS_PARSED_ERROR, DNS_R_FORMERR);
	/* behind OPT, whose version is not looked at; before OPT it is misplaced */
	begin = query_edns(wire, 1, NULL, 0);
	len = APPEND(wire, begin, whole);
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	assert_int_equal(rcode, DNS_R_NOTAUTH);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(buf[11], 2);
	assert_int_equal(r.len, begin + sizeof(answer) - 1);
	assert_memory_equal(buf + begin, answer, sizeof(answer) - 1);
	begin = query(wire);
	len = APPEND(wire, APPEND(wire, begin, whole), "\0\0\51\4\320\0\0\0\0\0\0");
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	/* two of them; none in the authority section */
	(void)query(wire);
	len = APPEND(wire, APPEND(wire, begin, whole), whole);
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	len = fixture_query(wire, "example.test", DNS_T_IXFR);
	len = APPEND(wire, len, whole);
	wire[9] = 1;
	wire[11] = 0;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	/* the key's name compressed against the question's last label */
	begin = query(wire);
	len = APPEND(wire, begin, compressed);
	wire[begin + 3] = 12 + 12;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	assert_int_equal(rcode, DNS_R_NOTAUTH);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_memory_equal(buf + begin, "\1k\4TEST\0" TSIG_FIXED, 16);
	assert_memory_equal(buf + begin + 8, answer + 8, sizeof(answer) - 1 - 8);
	/* pointers at themselves, forwards, and beyond the end */
	for (unsigned to = (unsigned)begin; to < 512; to += 7) {
		wire[begin + 2] = (uint8_t)(0xc0 | to >> 8);
		wire[begin + 3] = (uint8_t)to;
		expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
	}
}

/* One byte of the record after the other is changed: what cannot be read is FORMERR. */
static void
malformed_tsig(void **state)
{
	static const char whole[] = KEY TSIG_FIXED "\0\41" ALGORITHM TSIG_DATA;
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {
		{ 0, 64 }, { 0, 2 },                        /* the key's name */
		{ 10, 1 }, { 11, 1 },                       /* its class */
		{ 12, 1 }, { 15, 1 },                       /* its TTL */
		{ 17, 32 }, { 17, 34 }, { 17, 0 },          /* its length */
		{ 18, 192 }, { 18, 12 }, { 18, 64 },        /* the algorithm */
		{ 39, 1 }, { 40, 3 }, { 40, 5 },            /* MAC size */
		{ 49, 1 }, { 50, 1 },                       /* other length */
	};
	uint8_t wire[512];
	size_t begin = query(wire), len = APPEND(wire, begin, whole);

	(void)state;
	expect(wire, len, DNS_PARSED_ERROR, DNS_R_NOTAUTH);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t was = wire[begin + bad[i].at];

		wire[begin + bad[i].at] = bad[i].value;
		expect(wire, len, DNS_PARSED_ERROR, DNS_R_FORMERR);
		wire[begin + bad[i].at] = was;
	}
}

/* Long names: over UDP without EDNS the record does not fit; over TCP it does. */
static void
tsig_that_does_not_fit(void **state)
{
	uint8_t wire[1200], buf[DNS_MESSAGE_MAX], label[64] = { 63 };
	struct dns_reply r = { .buf = buf, .cap = 1232 };
	size_t begin = query(wire), len = begin;
	struct dns_query q;
	uint16_t rcode;

	(void)state;
	memset(label + 1, 'x', 63);
	for (unsigned i = 0; i < 3; i++, len += 64)
		memcpy(wire + len, label, 64);
	memcpy(wire + len, "\0" TSIG_FIXED "\0\331", 11);
	len += 11;
	for (unsigned i = 0; i < 3; i++, len += 64)
		memcpy(wire + len, label, 64);
	memcpy(wire + len, "\0" TSIG_DATA, 21);
	wire[len - 192 - 1] = 192 + 21;
	len += 21;
	wire[11] = 1;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	assert_int_equal(rcode, DNS_R_NOTAUTH);
	/* 12 + 22 + 193 + 10 + 193 + 16 = 446; with 67 more of the question it is 513 */
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.len, 446);
	assert_int_equal(r.rcode, DNS_R_NOTAUTH);
	memmove(wire + 12 + 67, wire + 12, len - 12);
	memcpy(wire + 12, label, 64);
	memcpy(wire + 12 + 64, "\2xx", 3);
	len += 67;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	assert_int_equal(rcode, DNS_R_NOTAUTH);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.len, begin + 67);
	assert_memory_equal(buf + 2, "\x83\0\0\1\0\0\0\0\0\0", 10);   /* TC, NOERROR */
	r.cap = sizeof(buf);
	dns_error_build(&q, true, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.len, 513);
	assert_memory_equal(buf + 2, "\x81\x09\0\1\0\0\0\0\0\1", 10);
}

/* Replies to errors: the question comes back as it was asked, OPT only to those who sent one. */
static void
errors(void **state)
{
	uint8_t wire[512], buf[1232];
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	struct dns_query q;
	uint16_t rcode;
	size_t len = query(wire);

	(void)state;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	dns_error_build(&q, false, DNS_R_SERVFAIL, (struct dns_ede){ 22, "no" }, &conf, &r);
	assert_int_equal(r.len, len);
	assert_int_equal(r.rcode, DNS_R_SERVFAIL);
	assert_memory_equal(buf + 12, wire + 12, len - 12);
	assert_memory_equal(buf, "\x12\x34\x81\x02\0\1\0\0\0\0\0\0", 12);
	len = query_edns(wire, 0, "\0\3\0\0", 4);
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	dns_error_build(&q, false, DNS_R_SERVFAIL, (struct dns_ede){ 22, "no" }, &conf, &r);
	assert_int_equal(r.len, len - 4 + 8 + 8);
	assert_memory_equal(buf + r.len - 16, "\0\3\0\4here\0\17\0\4\0\26no", 16);
	len = query_edns(wire, 1, NULL, 0);
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.rcode, DNS_R_BADVERS);
	assert_int_equal(buf[3] & 15, 0);
	assert_int_equal(buf[r.len - 6], 1);                      /* the upper bits of 16 */
	wire[5] = 3;
	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_ERROR);
	dns_error_build(&q, false, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
	assert_int_equal(r.len, 12);
	assert_memory_equal(buf, "\x12\x34\x81\x01\0\0\0\0\0\0\0\0", 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed), cmocka_unit_test(malformed),
		cmocka_unit_test(authority), cmocka_unit_test(edns), cmocka_unit_test(errors),
		cmocka_unit_test(tsig), cmocka_unit_test(malformed_tsig),
		cmocka_unit_test(tsig_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
