/* table_test: entries come, are found, go, and are all seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/table.h"

#define MANY 5000

static char keys[MANY][8];

static void
make_keys(void)
{
	for (unsigned i = 0; i < MANY; i++)
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
}

static bool
add(struct table *t, unsigned i)
{
	return table_add(t, keys[i], strlen(keys[i]), keys[i]);
}

static void *
find(const struct table *t, unsigned i)
{
	return table_find(t, keys[i], strlen(keys[i]));
}

static void
empty(void **state)
{
	struct table t = { 0 };
	size_t at = 0;

	(void)state;
	assert_null(table_find(&t, "a", 1));
	assert_null(table_remove(&t, "a", 1));
	assert_null(table_next(&t, &at));
	assert_int_equal(table_bytes(&t), 0);
	table_clear(&t);
}

static void
first_stays(void **state)
{
	struct table t = { 0 };
	int one, two;

	(void)state;
	assert_true(table_add(&t, "a", 1, &one));
	assert_false(table_add(&t, "a", 1, &two));
	assert_true(table_add(&t, "ab", 2, &two));
	assert_true(table_add(&t, "", 0, &two));
	assert_ptr_equal(table_find(&t, "a", 1), &one);
	assert_ptr_equal(table_find(&t, "ab", 2), &two);
	assert_ptr_equal(table_find(&t, "x", 0), &two);
	assert_null(table_find(&t, "b", 1));
	assert_int_equal(t.count, 3);
	table_clear(&t);
	assert_null(table_find(&t, "a", 1));
}

static void
set_again(void **state)
{
	char before[] = "name", after[] = "name";
	struct table t = { 0 };
	int one, two;

	(void)state;
	table_set(&t, before, 4, &one);
	table_set(&t, after, 4, &two);
	memset(before, 0, sizeof(before));   /* no key any more */
	assert_ptr_equal(table_find(&t, "name", 4), &two);
	assert_int_equal(t.count, 1);
	assert_ptr_equal(table_remove(&t, after, 4), &two);
	table_clear(&t);
}

static void
many(void **state)
{
	struct table t = { 0 };

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		assert_true(add(&t, i));
	assert_int_equal(t.count, MANY);
	assert_true(table_bytes(&t) >= MANY * sizeof(struct table_slot));
	for (unsigned i = 0; i < MANY; i += 2)
		assert_ptr_equal(table_remove(&t, keys[i], strlen(keys[i])), keys[i]);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(find(&t, i), i % 2 == 0 ? NULL : keys[i]);
	for (unsigned i = 0; i < MANY; i += 2)
		assert_true(add(&t, i));
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(find(&t, i), keys[i]);
	table_clear(&t);
}

/* What comes and goes leaves no slots behind that count for ever. */
static void
churn(void **state)
{
	struct table t = { 0 };

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(add(&t, i));
		if (i >= 4)
			assert_ptr_equal(
			    table_remove(&t, keys[i - 4], strlen(keys[i - 4])), keys[i - 4]);
	}
	assert_int_equal(t.count, 4);
	assert_true(t.size <= 32);
	assert_null(find(&t, 0));
	assert_ptr_equal(find(&t, MANY - 1), keys[MANY - 1]);
	table_clear(&t);
}

static void
next_sees_all(void **state)
{
	struct table t = { 0 };
	unsigned n = 0;
	size_t at = 0;
	char *key;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		add(&t, i);
	while ((key = table_next(&t, &at)) != NULL) {
		n++;
		assert_ptr_equal(table_remove(&t, key, strlen(key)), key);
	}
	assert_int_equal(n, MANY);
	assert_int_equal(t.count, 0);
	table_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(first_stays),
		cmocka_unit_test(set_again),
		cmocka_unit_test(many),
		cmocka_unit_test(churn),
		cmocka_unit_test(next_sees_all),
	};

	make_keys();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
