/* answer_test: followers of events. */
#include "tests/unit/src/control/fixture.h"

#include <string.h>
#include <unistd.h>

static void
push(struct bench *b, const char *unit, int i)
{
	json_t *event = json_pack("{si}", "i", i);

	control_event_push(b->control, unit, event);
	json_decref(event);
}

static void
test_followers(void **state)
{
	struct bench *b = *state;
	int all = bench_dial(b), one = bench_dial(b), slow = bench_dial(b);

	assert_false(control_has_followers(b->control));
	push(b, "a", 0);
	bench_tell(all, "{\"v\":1,\"verb\":\"events\"}\n");
	bench_tell(one, "{\"v\":1,\"verb\":\"events\",\"name\":\"a\"}\n");
	bench_expect(b, all, "{\"v\":1,\"ok\":true,\"data\":[]}\n");
	bench_expect(b, one, "{\"v\":1,\"ok\":true,\"data\":[]}\n");
	assert_true(control_has_followers(b->control));
	push(b, "a", 1);
	push(b, "b", 2);
	push(b, NULL, 3);
	bench_tell(one, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");   /* not read any more */
	bench_expect(b, all,
	    "{\"v\":1,\"event\":{\"i\":1}}\n{\"v\":1,\"event\":{\"i\":2}}\n{\"v\":1,\"event\":{"
	    "\"i\":3}}\n");
	bench_expect(b, one, "{\"v\":1,\"event\":{\"i\":1}}\n");

	/* What happens before the answer comes behind it. */
	bench_tell(slow, "{\"v\":1,\"verb\":\"events\",\"later\":true}\n");
	bench_spin(b);
	push(b, "a", 4);
	bench_expect(b, slow, "");
	b->nlater = 0;
	control_reply(b->later[0], json_string("history"));
	bench_expect(
	    b, slow, "{\"v\":1,\"ok\":true,\"data\":\"history\"}\n{\"v\":1,\"event\":{\"i\":4}}\n");

	close(one);
	bench_spin(b);
	assert_int_equal(b->control->nfollowers, 2);
	/* Who does not read goes; the others stay. */
	for (int i = 0; i < 40000; i++) {
		push(b, "b", i);
		if (i % 500 == 0)
			(void)bench_hear(b, all);
	}
	bench_spin(b);
	assert_int_equal(b->control->nfollowers, 1);
	(void)bench_hear(b, all);
	push(b, "b", 7);
	bench_expect(b, all, "{\"v\":1,\"event\":{\"i\":7}}\n");
	close(all);
	close(slow);
}

/* A client that does not read gets no second answer made. */
static void
test_slow_reader(void **state)
{
	struct bench *b = *state;
	int fd = bench_dial(b);
	size_t total = 0;
	const char *got;

	bench_tell(fd, "{\"v\":1,\"verb\":\"big\"}\n{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	for (int i = 0; i < 100; i++)
		bench_spin(b);
	assert_int_equal(b->calls, 0);
	do {
		got = bench_hear(b, fd);
		total += strlen(got);
	} while (b->calls == 0 && got[0] != '\0');
	assert_true(total > 500000);
	assert_int_equal(b->calls, 1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_followers, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, control_setup, control_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
