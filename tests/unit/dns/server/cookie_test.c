/* cookie_test: server cookies, with the examples of RFC 9018 appendix A, and the shared rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rate.h"
#include "dns/server/cookie.h"

static size_t
from_hex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
	return n;
}

static struct msg_addr
address(const char *text)
{
	struct msg_addr a = { .family = 4 };

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		return a;
	a.family = 6;
	assert_int_equal(inet_pton(AF_INET6, text, a.bytes), 1);
	return a;
}

static bool
check(const struct msg_cookies *s, const char *cookie, const char *client, uint32_t now_s,
    const char *reply)
{
	uint8_t in[40], out[DNS_COOKIE_LEN], want[DNS_COOKIE_LEN];
	struct msg_addr a = address(client);
	bool ok = dns_cookie_check(s, in, from_hex(cookie, in), &a, now_s, out);

	assert_int_equal(from_hex(reply, want), DNS_COOKIE_LEN);
	assert_memory_equal(out, want, sizeof(out));
	return ok;
}

static void
the_examples_of_the_rfc(void **state)
{
	struct msg_cookies s = { .n = 1 };

	(void)state;
	from_hex("e5e973e5a6b2a43f48e7dc849e37bfcf", s.secret[0]);
	/*
	 * A.1: a new client; again before the cookie is old; A.2: after 40 minutes it gets a new
	 * one
	 */
	assert_false(check(&s, "2464c4abcf10c957", "198.51.100.100", 1559731985,
	    "2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
	assert_true(check(&s, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", "198.51.100.100",
	    1559733785, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
	assert_true(check(&s, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", "198.51.100.100",
	    1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"));
	/*
	 * A.3: reserved bits are hashed as they come; in the RFC it comes after two hours, which is
	 * too late
	 */
	assert_true(check(&s, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "203.0.113.203",
	    1559727985, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"));
	assert_false(check(&s, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "203.0.113.203",
	    1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"));
	/* A.4: IPv6, a secret that was rolled */
	s.n = 2;
	from_hex("445536bcd2513298075a5d379663c962", s.secret[0]);
	from_hex("dd3bdf9344b678b185a6f5cb60fca715", s.secret[1]);
	assert_true(check(&s, "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
	    "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
	    "22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
}

static void
what_is_not_ours_is_refused(void **state)
{
	static const char good[] = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
	struct msg_cookies s = { .n = 1 };
	struct msg_addr a = address("198.51.100.100"), other = address("198.51.100.101");
	uint8_t in[40], out[DNS_COOKIE_LEN];

	(void)state;
	from_hex("e5e973e5a6b2a43f48e7dc849e37bfcf", s.secret[0]);
	from_hex(good, in);
	assert_true(dns_cookie_check(&s, in, 24, &a, 1559731985 + 3600, out));
	assert_false(dns_cookie_check(&s, in, 24, &a, 1559731985 + 3601, out));
	assert_true(dns_cookie_check(&s, in, 24, &a, 1559731985 - 300, out));
	assert_false(dns_cookie_check(&s, in, 24, &a, 1559731985 - 301, out));
	assert_false(dns_cookie_check(&s, in, 24, &other, 1559731985, out));
	for (unsigned i = 0; i < 24; i++) {
		in[i] ^= 1;
		assert_false(dns_cookie_check(&s, in, 24, &a, 1559731985, out));
		in[i] ^= 1;
	}
	for (size_t len = 16; len <= 40; len++)
		assert_int_equal(dns_cookie_check(&s, in, len, &a, 1559731985, out), len == 24);
}

static void
a_rate_allows_a_burst_and_then_its_pace(void **state)
{
	struct rate r = { .per_minute = 60 };
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	for (int i = 0; i < 60; i++)
		assert_true(rate_take(&r, now_ns));
	assert_false(rate_take(&r, now_ns));
	assert_false(rate_take(&r, now_ns + NS_PER_S - 1));
	assert_true(rate_take(&r, now_ns + NS_PER_S));
	assert_false(rate_take(&r, now_ns + NS_PER_S));
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&r, now_ns + 4 * NS_PER_S));
	assert_false(rate_take(&r, now_ns + 4 * NS_PER_S));
	r.per_minute = 0;
	for (int i = 0; i < 1000; i++)
		assert_true(rate_take(&r, now_ns));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc),
		cmocka_unit_test(what_is_not_ours_is_refused),
		cmocka_unit_test(a_rate_allows_a_burst_and_then_its_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
