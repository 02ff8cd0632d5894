/* unit_test: the table finds units by number, name and UUID, and never gives a number twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/warden/unit.h"

static void
found_by_everything(void **state)
{
	struct unit_table t = { 0 };
	struct unit_conf a = { .name = "a.test" }, b = { .name = "b.test" };
	struct vm_uuid one = { { 1 } }, two = { { 2 } };
	struct unit *ua, *ub;
	struct errmsg m;

	(void)state;
	ua = unit_new(&t, &a, &m);
	ub = unit_new(&t, &b, &m);
	assert_ptr_equal(unit_by_number(&t, 0), ua);
	assert_ptr_equal(unit_by_number(&t, 1), ub);
	assert_null(unit_by_number(&t, 2));
	assert_ptr_equal(unit_by_name(&t, "b.test"), ub);
	assert_null(unit_by_name(&t, "c.test"));
	assert_null(unit_by_uuid(&t, &one));
	unit_uuid_set(&t, ua, &one);
	unit_uuid_set(&t, ub, &two);
	assert_ptr_equal(unit_by_uuid(&t, &one), ua);
	unit_uuid_set(&t, ua, NULL);
	assert_null(unit_by_uuid(&t, &one));
	assert_ptr_equal(unit_by_uuid(&t, &two), ub);
	unit_table_clear(&t);
}

static void
a_leaving_unit_frees_its_name_but_not_its_number(void **state)
{
	struct unit_table t = { 0 };
	struct unit_conf a = { .name = "a.test" };
	struct unit *first, *second;
	struct vm_uuid one = { { 1 } };
	struct errmsg m;

	(void)state;
	first = unit_new(&t, &a, &m);
	unit_uuid_set(&t, first, &one);
	unit_leave(&t, first);
	assert_null(unit_by_name(&t, "a.test"));
	assert_ptr_equal(unit_by_number(&t, 0), first);
	assert_ptr_equal(unit_by_uuid(&t, &one), first);
	second = unit_new(&t, &a, &m);
	assert_int_equal(second->number, 1);
	assert_ptr_equal(unit_by_name(&t, "a.test"), second);
	unit_free(&t, first);
	assert_null(unit_by_number(&t, 0));
	assert_null(unit_by_uuid(&t, &one));
	assert_ptr_equal(unit_by_name(&t, "a.test"), second);
	assert_int_equal(t.count, 1);
	unit_table_clear(&t);
}

static void
many_units(void **state)
{
	enum { N = 20000 };
	static char names[N][16];
	static struct unit_conf conf[N];
	struct unit_table t = { 0 };
	struct errmsg m;

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "u%d.test", i);
		conf[i].name = names[i];
		assert_non_null(unit_new(&t, &conf[i], &m));
	}
	for (int i = 0; i < N; i += 97)
		assert_int_equal(unit_by_name(&t, names[i])->number, i);
	for (int i = 0; i < N; i += 2)
		unit_free(&t, unit_by_number(&t, (uint32_t)i));
	assert_null(unit_by_name(&t, names[0]));
	assert_non_null(unit_by_name(&t, names[1]));
	assert_int_equal(t.count, N / 2);
	unit_table_clear(&t);
}

/* A reload that replaces all of them: with a list that is searched this takes minutes. */
static void
many_leave_at_once(void **state)
{
	enum { N = 300000 };
	char (*names)[16] = calloc(2 * N, sizeof(*names));
	struct unit_conf *conf = calloc(2 * N, sizeof(*conf));
	struct unit_table t = { 0 };
	struct errmsg m;

	(void)state;
	assert_non_null(names);
	assert_non_null(conf);
	(void)alarm(60);
	for (int i = 0; i < 2 * N; i++) {
		snprintf(names[i], sizeof(names[i]), "u%d.test", i);
		conf[i].name = names[i];
		assert_non_null(unit_new(&t, &conf[i], &m));
	}
	for (int i = 0; i < N; i++) {
		unit_leave(&t, unit_by_number(&t, (uint32_t)i));
		if (i % 2 == 0)
			unit_gone(&t, unit_by_number(&t, (uint32_t)i));
	}
	assert_int_equal(t.count, N);
	for (int i = 0; i < N; i++)
		unit_free(&t, unit_by_number(&t, (uint32_t)i));
	(void)alarm(0);
	assert_true(LIST_EMPTY(&t.left) && LIST_EMPTY(&t.gone));
	for (int i = N; i < 2 * N; i += 97)
		assert_int_equal(unit_by_name(&t, names[i])->number, i);
	unit_table_clear(&t);
	free(names);
	free(conf);
}

static void
a_leaving_unit_is_before_those_that_it_would_collide_with(void **state)
{
	struct msg_addr four = { .family = 4, .bytes = { 10, 77, 0, 10 } },
			other = { .family = 4, .bytes = { 10, 77, 0, 11 } };
	struct unit_conf gone = { .name = "a.test", .mac = { 2, 1 }, .addrs = &four, .naddrs = 1 };
	struct unit_conf name = { .name = "a.test", .mac = { 2, 2 }, .addrs = &other, .naddrs = 1 };
	struct unit_conf mac = { .name = "b.test", .mac = { 2, 1 }, .addrs = &other, .naddrs = 1 };
	struct unit_conf addr = { .name = "c.test", .mac = { 2, 3 }, .addrs = &four, .naddrs = 1 };
	struct unit_conf none = { .name = "d.test", .mac = { 2, 4 }, .addrs = &other, .naddrs = 1 };
	struct unit *first, *u[4];
	struct unit_table t = { 0 };
	struct errmsg m;

	(void)state;
	first = unit_new(&t, &gone, &m);
	assert_null(unit_before(&t, first));
	unit_leave(&t, first);
	u[0] = unit_new(&t, &name, &m);
	u[1] = unit_new(&t, &mac, &m);
	u[2] = unit_new(&t, &addr, &m);
	u[3] = unit_new(&t, &none, &m);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(unit_before(&t, u[i]), first);
	assert_null(unit_before(&t, u[3]));
	unit_gone(&t, first);
	for (int i = 0; i < 4; i++)
		assert_null(unit_before(&t, u[i]));
	unit_free(&t, first);
	for (int i = 0; i < 4; i++)
		assert_null(unit_before(&t, u[i]));
	unit_table_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_everything),
		cmocka_unit_test(a_leaving_unit_frees_its_name_but_not_its_number),
		cmocka_unit_test(a_leaving_unit_is_before_those_that_it_would_collide_with),
		cmocka_unit_test(many_units),
		cmocka_unit_test(many_leave_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
