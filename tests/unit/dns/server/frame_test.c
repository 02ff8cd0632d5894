/* frame_test: messages in a TCP stream, cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dns/server/frame.h"

static void
takes_whole_messages_only(void **state)
{
	const uint8_t two[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 2, 'd' };
	const uint8_t *msg;
	size_t pos = 0, len;

	(void)state;
	assert_true(frame_next(two, sizeof(two), &pos, &msg, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(msg, "abc", 3);
	assert_true(frame_next(two, sizeof(two), &pos, &msg, &len));
	assert_int_equal(len, 0);
	assert_int_equal(pos, 7);
	assert_false(frame_next(two, sizeof(two), &pos, &msg, &len));
	assert_int_equal(pos, 7);
	for (size_t n = 0; n < 5; n++) {
		pos = 0;
		assert_false(frame_next(two, n, &pos, &msg, &len));
	}
	pos = 0;
	assert_false(frame_next(NULL, 0, &pos, &msg, &len));
}

static void
seals_the_longest(void **state)
{
	uint8_t *buf = calloc(1, FRAME_MAX);
	const uint8_t *msg;
	size_t pos = 0, len;

	(void)state;
	assert_non_null(buf);
	assert_int_equal(frame_seal(buf, 65535), FRAME_MAX);
	assert_false(frame_next(buf, FRAME_MAX - 1, &pos, &msg, &len));
	assert_true(frame_next(buf, FRAME_MAX, &pos, &msg, &len));
	assert_int_equal(len, 65535);
	free(buf);
}

static void
keeps_and_drops(void **state)
{
	struct frame_kept k = { .data = NULL };

	(void)state;
	assert_int_equal(frame_keep(&k, (const uint8_t *)"hello", 5), ERR_OK);
	assert_int_equal(frame_keep_more(&k, (const uint8_t *)" you", 4, 9), ERR_OK);
	assert_int_equal(frame_keep_more(&k, (const uint8_t *)"!", 1, 9), ERR_LIMIT);
	assert_int_equal(frame_keep_more(&k, (const uint8_t *)"!", 0, 9), ERR_OK);
	assert_int_equal(k.len, 9);
	frame_drop(&k, 6);
	assert_int_equal(k.len, 3);
	assert_memory_equal(k.data, "you", 3);
	assert_int_equal(frame_keep(&k, (const uint8_t *)"no", 2), ERR_OK);
	assert_int_equal(k.len, 2);
	frame_drop(&k, 2);
	assert_null(k.data);
	assert_int_equal(k.cap, 0);
	assert_int_equal(frame_keep(&k, NULL, 0), ERR_OK);
	assert_null(k.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_whole_messages_only),
		cmocka_unit_test(seals_the_longest),
		cmocka_unit_test(keeps_and_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
