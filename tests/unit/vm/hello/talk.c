/* talk: what clients of the hello image's TCP say and expect, for the tests of it. */
#include "tests/unit/vm/hello/talk.h"

#include <string.h>

char page[8192];

void
say_part(const struct rig_segment *c, const char *text, size_t from, size_t to)
{
	struct rig_segment s = *c;

	s.seq += (uint32_t)from;
	s.data = (const uint8_t *)text + from;
	s.len = to - from;
	rig_segment(&s);
}

void
expect_page(struct rig_segment *c, bool fin)
{
	assert_int_equal(rig_listen(c, page, sizeof(page)), fin);
	assert_non_null(strstr(page, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(page, "Hello from www"));
}

void
expect_ack(const struct rig_segment *c)
{
	struct rig_segment s = rig_expect_segment();

	assert_int_equal(s.flags, RIG_ACK);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.ack, c->seq);
	assert_int_equal(s.seq, c->ack);
}

struct rig_segment
expect_reset(void)
{
	struct rig_segment s = rig_expect_segment();

	assert_true(s.flags & RIG_RST);
	return s;
}

struct rig_segment
open_usual(bool v6)
{
	rig_boot_usual(v6);
	return rig_connect(PORT, ISN, 1460, WINDOW);
}

void
say_fin(struct rig_segment *c)
{
	struct rig_segment s = *c;

	s.flags |= RIG_FIN;
	rig_segment(&s);
	c->seq++;
}
