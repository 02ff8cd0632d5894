/* secret_test: the host's secret is made once, and has a copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/units/mapping.h"

static void
secret_is_made_once(void **state)
{
	char dir[] = "/tmp/jitsu-secret-XXXXXX", path[64];
	struct mapping_secret a, b;
	struct errmsg m;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(mapping_secret_load(dir, &a, &m), ERR_OK);
	assert_int_equal(mapping_secret_load(dir, &b, &m), ERR_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(mapping_secret_load(dir, &b, &m), ERR_PARSE);
	assert_non_null(strstr(m.text, "only its owner may read"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mapping_secret_load(dir, &b, &m), ERR_OK);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mapping_secret_load(dir, &b, &m), ERR_IO);
}

static void
secret_has_a_copy(void **state)
{
	char dir[] = "/tmp/jitsu-secret-XXXXXX", at_state[64], at_run[64], path[96], copy[96];
	struct mapping_secret a, b, c;
	struct errmsg m;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at_state, sizeof(at_state), "%s/state", dir);
	snprintf(at_run, sizeof(at_run), "%s/run", dir);
	snprintf(path, sizeof(path), "%s/secret", at_state);
	snprintf(copy, sizeof(copy), "%s/secret", at_run);
	assert_int_equal(mkdir(at_state, 0755), 0);
	assert_int_equal(mkdir(at_run, 0755), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &a, &m), ERR_OK);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Lost: it comes back, and is stored. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &b, &m), ERR_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(mapping_secret_load(at_state, &c, &m), ERR_OK);
	assert_memory_equal(&a, &c, sizeof(a));
	/* Lost with its directory: it is used all the same. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(at_state), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &b, &m), ERR_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(mkdir(at_state, 0755), 0);
	/* A copy that others could have read is none; what is in the state directory counts. */
	assert_int_equal(chmod(copy, 0644), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &b, &m), ERR_OK);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_equal(mapping_secret_load(at_run, &c, &m), ERR_OK);
	assert_memory_equal(&b, &c, sizeof(b));
	/* One that is damaged is refused, and the copy stays. */
	assert_int_equal(truncate(path, 3), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &a, &m), ERR_PARSE);
	assert_non_null(strstr(m.text, "remove it to get back its copy"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mapping_secret_keep(at_state, at_run, &c, &m), ERR_OK);
	assert_memory_equal(&b, &c, sizeof(b));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(copy), 0);
	assert_int_equal(rmdir(at_state), 0);
	assert_int_equal(rmdir(at_run), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- zones that keep their old contents ---- */

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret_is_made_once),
		cmocka_unit_test(secret_has_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
