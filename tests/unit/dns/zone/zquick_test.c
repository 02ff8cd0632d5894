/* zquick_test: what the quick reader takes, and that it leaves everything else alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dns/zimage/rdata.h"
#include "dns/zone/zparse.h"

static const uint8_t origin[] = "\7example\4test";

static bool
read_it(const char *entry, struct zparse_rr *q)
{
	static uint8_t rdata[16];

	q->ttl = 60;
	return zquick_read(entry, origin, sizeof(origin), q, rdata);
}

static void
takes(void **state)
{
	struct zparse_rr q;

	(void)state;
	assert_true(read_it("Www A 192.0.2.7", &q));
	assert_int_equal(q.owner_len, 4 + sizeof(origin));
	assert_memory_equal(q.owner, "\3www\7example\4test", q.owner_len);
	assert_int_equal(q.ttl, 60);
	assert_int_equal(q.type, DNS_T_A);
	assert_int_equal(q.rdlen, 4);
	assert_memory_equal(q.rdata, "\300\0\2\7", 4);
	assert_true(read_it("a.b-c._d.org. 300 IN AAAA 2001:db8::1", &q));
	assert_int_equal(q.owner_len, 14);
	assert_memory_equal(q.owner, "\1a\3b-c\2_d\3org", 14);
	assert_int_equal(q.ttl, 300);
	assert_int_equal(q.type, DNS_T_AAAA);
	assert_int_equal(q.rdlen, 16);
	assert_memory_equal(q.rdata, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_true(read_it("3 4 A 0.0.0.255", &q));
	assert_int_equal(q.ttl, 4);
}

static void
leaves(void **state)
{
	static const char *const entries[] = {
		"", " ", " A 10.0.0.1", "@ A 10.0.0.1", "* A 10.0.0.1", "www", "www ", "www A",
		"www A ", "www A 10.0.0", "www A 10.0.0.256",
		"www A 10.0.0.01", "www A 10.0.0.1 ", "www A 10.0.0.1 x", "www A 10.0.0.1.2",
		"www a 10.0.0.1", "www CH A 10.0.0.1", "www 1h A 10.0.0.1",
		"www 9999999999 A 10.0.0.1", "www IN 60 A 10.0.0.1", "www AAAA 10.0.0.1",
		"www AAAA 2001:db8::1 x", "www AAAA ", "www TXT x",
		"w\\119w A 10.0.0.1", "w..x A 10.0.0.1", ".www A 10.0.0.1", ". A 10.0.0.1",
		"www A \\# 4 0a000001", "www A 1000.0.0.1",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa A 10.0.0.1",
	};
	struct zparse_rr q;

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (read_it(entries[i], &q))
			fail_msg("`%s' was taken", entries[i]);
}

/* The longest name, and one more byte. */
static void
lengths(void **state)
{
	char entry[400];
	struct zparse_rr q;
	size_t at = 0;

	(void)state;
	for (; at + 2 <= 254 - 2 * 7; at += 2)
		memcpy(entry + at, "a.", 2);
	memcpy(entry + at - 1, " A 10.0.0.1", 12);
	assert_true(read_it(entry, &q));
	assert_int_equal(q.owner_len, at + sizeof(origin));
	memmove(entry + 2, entry, sizeof(entry) - 2);
	memcpy(entry, "b.", 2);
	assert_true(read_it(entry, &q) == (at + 2 + sizeof(origin) <= DNS_WIRE_NAME));
	memmove(entry + 2, entry, sizeof(entry) - 2);
	memcpy(entry, "c.", 2);
	assert_false(read_it(entry, &q));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(takes), cmocka_unit_test(leaves),
		cmocka_unit_test(lengths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
