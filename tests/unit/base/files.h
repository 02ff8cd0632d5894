/* files: files with a given text; for tests that hand paths to what they test. */
#ifndef TESTS_UNIT_BASE_FILES_H
#define TESTS_UNIT_BASE_FILES_H

#include <stdio.h>

/* After cmocka.h and what that needs. */
static inline void
file_put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
