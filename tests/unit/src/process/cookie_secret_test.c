/* cookie_secret_test: files with secrets of DNS cookies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/process/cookie_secret.h"

#define ONE "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define TWO "445536BCD2513298075A5D379663C962"

static enum err
read_text(const char *text, mode_t mode, struct msg_cookies *s, struct errmsg *m)
{
	char path[] = "/tmp/jitsu-cookie-XXXXXX";
	int fd = mkstemp(path);
	enum err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	e = cookie_secrets_read(path, s, m);
	assert_int_equal(unlink(path), 0);
	if (e != ERR_OK)
		assert_memory_equal(m->text, path, strlen(path));
	return e;
}

static void
one_or_two_are_read(void **state)
{
	struct msg_cookies s;
	struct errmsg m;

	(void)state;
	assert_int_equal(read_text(ONE, 0600, &s, &m), ERR_OK);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.secret[0][0], 0xe5);
	assert_int_equal(s.secret[0][15], 0xcf);
	assert_int_equal(
	    read_text("# shared with ns2\n" ONE "  \r\n\n" TWO "\n", 0640, &s, &m), ERR_OK);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.secret[1][0], 0x44);
	assert_int_equal(s.secret[1][15], 0x62);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *found;
	} bad[] = {
		{ "", "there is no secret" },
		{ "# nothing\n", "there is no secret" },
		{ "\n" ONE "0\n", ":2: this is no secret: 32 hexadecimal digits" },
		{ "e5e973e5a6b2a43f48e7dc849e37bfc", ":1: this is no secret" },
		{ "e5e973e5a6b2a43f48e7dc849e37bfcg", ":1: this is no secret" },
		{ ONE "\n" TWO "\n" ONE, ":3: one more secret; at most 2" },
	};
	struct msg_cookies s;
	struct errmsg m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_text(bad[i].text, 0600, &s, &m), ERR_PARSE);
		if (strstr(m.text, bad[i].found) == NULL)
			fail_msg("%s", m.text);
		assert_null(strstr(m.text, "e5e9"));   /* secrets are not quoted */
	}
	assert_int_equal(read_text(ONE, 0604, &s, &m), ERR_PARSE);
	assert_non_null(strstr(m.text, "chmod o="));
	assert_int_equal(cookie_secrets_read("/nonexistent/x", &s, &m), ERR_IO);
	assert_int_equal(cookie_secrets_read("/tmp", &s, &m), ERR_PARSE);
}

static void
random_ones_differ(void **state)
{
	struct msg_cookies a, b;
	struct errmsg m;

	(void)state;
	assert_int_equal(cookie_secrets_make(&a, &m), ERR_OK);
	assert_int_equal(cookie_secrets_make(&b, &m), ERR_OK);
	assert_int_equal(a.n, 1);
	assert_memory_not_equal(a.secret[0], b.secret[0], sizeof(a.secret[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_or_two_are_read),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(random_ones_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
