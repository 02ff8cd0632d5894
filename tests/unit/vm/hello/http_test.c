/* http_test: the hello image's HTTP: requests whole, cut, pipelined and wrong */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/hello/rig.h"

#define HOST "Host: www.example.test\r\n"

static char reply[16384];
static uint16_t port = 2000;

/* A new connection says the text; what comes back is in `reply`, and whether the image closed. */
static bool
ask(const char *text)
{
	struct rig_segment c = rig_connect(port++, 5000, 1460, 64240);

	rig_say(&c, text);
	return rig_listen(&c, reply, sizeof(reply));
}

static bool
is_status(const char *status)
{
	return strncmp(reply, "HTTP/1.1 ", 9) == 0 &&
	    strncmp(reply + 9, status, strlen(status)) == 0;
}

static const char *
body(void)
{
	const char *end = strstr(reply, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static size_t
content_length(void)
{
	const char *field = strstr(reply, "\r\nContent-Length: ");

	assert_non_null(field);
	return strtoul(field + 18, NULL, 10);
}

static unsigned
count(const char *word)
{
	unsigned n = 0;

	for (const char *at = reply; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void
test_page(void **state)
{
	size_t len;

	(void)state;
	rig_boot_usual(false);
	rig_advance(61005 - rig.now_ms);
	assert_false(ask("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(is_status("200 OK\r\n"));
	assert_non_null(strstr(reply, "\r\nContent-Type: text/html"));
	assert_non_null(strstr(body(), "<title>www</title>"));
	assert_non_null(strstr(body(), "Hello from www"));
	assert_non_null(strstr(body(), "Address: 10.77.0.10\n"));
	assert_non_null(strstr(body(), "Booted 61.005 seconds ago"));
	len = content_length();
	assert_int_equal(strlen(body()), len);
	/* As long however much time passes. */
	rig_advance(123456789);
	(void)ask("GET / HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(body(), "Booted 123517.794 seconds ago"));
	assert_int_equal(content_length(), len);
	/* On IPv6 the address is that one. */
	rig_boot_usual(true);
	(void)ask("GET / HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(body(), "Address: fd77::a:1\n"));
}

static void
test_longest_name(void **state)
{
	char line[600] = "ip=10.77.0.10/24 name=";

	(void)state;
	rig_boot_usual(false);
	memset(line + strlen(line), 'w', 253);
	config_parse(&rig.config, line, rig.net.ops->report, NULL);
	(void)ask("GET / HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(strlen(body()), content_length());
	assert_non_null(strstr(body(), "seconds ago"));
}

static void
test_head(void **state)
{
	size_t len;

	(void)state;
	rig_boot_usual(false);
	(void)ask("GET / HTTP/1.1\r\n" HOST "\r\n");
	len = content_length();
	assert_false(ask("HEAD / HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(is_status("200 "));
	assert_int_equal(content_length(), len);
	assert_string_equal(body(), "");
}

static void
test_keep_alive(void **state)
{
	static const struct {
		const char *text;
		bool closes;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\n" HOST "connection:  TE ,\tCLOSE \r\n\r\n", true },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false },
		{ "GET /nothing HTTP/1.1\r\n" HOST "\r\n", false },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", true },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", true },
		{ "GARBAGE\r\n\r\n", true },
	};

	(void)state;
	rig_boot_usual(false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool closed = ask(cases[i].text);

		if (closed != cases[i].closes)
			fail_msg("closed is %d after %s", closed, cases[i].text);
		assert_non_null(strstr(reply, closed ? "\r\nConnection: close\r\n" :
		    "\r\nConnection: keep-alive\r\n"));
	}
}

static void
test_status(void **state)
{
	static const struct {
		const char *text, *status;
	} cases[] = {
		{ "GET /?q=1 HTTP/1.1\r\n" HOST "\r\n", "200 " },
		{ "GET http://www.example.test HTTP/1.1\r\n" HOST "\r\n", "200 " },
		{ "GET HTTP://www/?x HTTP/1.1\r\n" HOST "\r\n", "200 " },
		{ "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "200 " },
		{ "GET / HTTP/1.1\n" "Host: x\n\n", "200 " },
		{ "GET / HTTP/1.9\r\nhOST:\r\n\r\n", "200 " },
		{ "GET /favicon.ico HTTP/1.1\r\n" HOST "\r\n", "404 " },
		{ "GET http://www/x HTTP/1.1\r\n" HOST "\r\n", "404 " },
		{ "GET x HTTP/1.1\r\n" HOST "\r\n", "404 " },
		{ "POST / HTTP/1.1\r\n" HOST "\r\n", "405 " },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "405 " },
		{ "get / HTTP/1.1\r\n" HOST "\r\n", "405 " },
		{ "GET / HTTP/1.1\r\n\r\n", "400 " },
		{ "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400 " },
		{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", "400 " },
		{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", "400 " },
		{ "GET /\r\n\r\n", "400 " },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", "400 " },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", "400 " },
		{ "GET / HTTP/1\r\n" HOST "\r\n", "400 " },
		{ "GET / HTTP/1.x\r\n" HOST "\r\n", "400 " },
		{ "GET / FTP:/1.1\r\n" HOST "\r\n", "400 " },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", "400 " },
		{ "G(T / HTTP/1.1\r\n" HOST "\r\n", "400 " },
		{ "GET / HTTP/2.0\r\n" HOST "\r\n", "505 " },
		{ "\x16\x03\x01\x02\n\n", "400 " },
	};

	(void)state;
	rig_boot_usual(false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)ask(cases[i].text);
		if (!is_status(cases[i].status))
			fail_msg("'%.20s' instead of %s after %s", reply, cases[i].status,
			    cases[i].text);
		assert_int_equal(strlen(body()), content_length());
		if (cases[i].status[2] == '5' && cases[i].status[0] == '4')
			assert_non_null(strstr(reply, "\r\nAllow: GET, HEAD\r\n"));
	}
}

static void
test_nul(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "A: \0\r\n\r\n";
	struct rig_segment c, s;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(port++, 5000, 1460, 64240);
	s = c;
	s.data = (const uint8_t *)text;
	s.len = sizeof(text) - 1;
	rig_segment(&s);
	c.seq += (uint32_t)s.len;
	assert_true(rig_listen(&c, reply, sizeof(reply)));
	assert_true(is_status("400 "));
}

/* Says a long text in segments, for as long as the image keeps silent. */
static bool
ask_long(const char *text)
{
	struct rig_segment c = rig_connect(port++, 5000, 1460, 64240);
	size_t len = strlen(text);
	bool closed = false;

	reply[0] = '\0';
	for (size_t at = 0; at < len && !reply[0]; at += 1000) {
		char part[1001];

		snprintf(part, sizeof(part), "%s", text + at);
		rig_say(&c, part);
		closed = rig_listen(&c, reply, sizeof(reply));
	}
	return closed;
}

static void
test_long_requests(void **state)
{
	static char text[40000];
	size_t len;

	(void)state;
	rig_boot_usual(false);
	/* A target that does not fit. */
	memcpy(text, "GET /", 5);
	memset(text + 5, 'a', 600);
	strcpy(text + 605, " HTTP/1.1\r\n" HOST "\r\n");
	assert_true(ask_long(text));
	assert_true(is_status("414 "));
	/* A field as long as a browser's cookie does no harm. */
	len = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST "Cookie: ");
	memset(text + len, 'c', 8000);
	strcpy(text + len + 8000, "\r\nConnection: close\r\n\r\n");
	assert_true(ask_long(text));
	assert_true(is_status("200 "));
	/* Fields without end do. */
	len = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
	while (len < 30000)
		len += (size_t)sprintf(text + len, "X-%zu: y\r\n", len);
	assert_true(ask_long(text));
	assert_true(is_status("431 "));
}

static void
test_byte_by_byte(void **state)
{
	const char *text = "GET / HTTP/1.1\r\n" HOST "\r\n";
	struct rig_segment c;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(port++, 5000, 1460, 64240);
	for (const char *at = text; *at; at++) {
		char byte[2] = { *at, '\0' };

		reply[0] = '\0';
		rig_say(&c, byte);
		assert_false(rig_listen(&c, reply, sizeof(reply)));
		assert_int_equal(reply[0] == '\0', at[1] != '\0');
	}
	assert_true(is_status("200 "));
}

static void
test_pipelined(void **state)
{
	(void)state;
	rig_boot_usual(false);
	/* More than the send buffer holds at once. */
	assert_true(ask("GET / HTTP/1.1\r\n" HOST "\r\nGET /no HTTP/1.1\r\n" HOST
	    "\r\nHEAD / HTTP/1.1\r\n" HOST "\r\n"
			"GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST
			    "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"
			"GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST
			    "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"
			"GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST
			    "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"
			"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET / HTTP/1.1\r\n" HOST
			    "\r\n"));
	assert_int_equal(count("HTTP/1.1 200 OK\r\n"), 12);
	assert_int_equal(count("HTTP/1.1 404 "), 1);
	assert_int_equal(count("</h1>"), 11);
	assert_int_equal(count("Connection: close"), 1);
}

/* What a client goes on sending after the reply that closes is thrown away, but not for ever. */
static void
test_endless_body(void **state)
{
	static uint8_t junk[1400];
	struct rig_segment c, s;
	bool reset = false;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(port++, 5000, 1460, 64240);
	rig_say(&c, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
	assert_true(rig_listen(&c, reply, sizeof(reply)));
	assert_true(is_status("405 "));
	for (int i = 0; i < 1000 && !reset; i++) {
		s = c;
		s.data = junk;
		s.len = sizeof(junk);
		rig_segment(&s);
		c.seq += sizeof(junk);
		while (rig.count)
			reset |= rig_expect_segment().flags & RIG_RST;
		assert_true(i > 40 || !reset);
	}
	assert_true(reset);
}

static void
test_half_a_request(void **state)
{
	struct rig_segment c, s;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(port++, 5000, 1460, 64240);
	rig_say(&c, "GET / HTT");
	rig_drop_all();
	s = c;
	s.flags |= RIG_FIN;
	rig_segment(&s);
	s = rig_expect_segment();
	assert_true(s.flags & RIG_FIN);
	assert_int_equal(s.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_requests),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_endless_body),
		cmocka_unit_test(test_half_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
