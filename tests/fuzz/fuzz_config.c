/*
 * fuzz_config: any text is a configuration or gets findings; what was loaded prints to something
 * that loads to the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *
load(const char *text, size_t len)
{
	struct config *conf;
	struct report r;
	enum err e;

	report_init(&r);
	/* A directory that does not exist: globs find nothing. */
	e = config_load_text("/nonexistent/jitsu.conf", text, len, &conf, &r);
	if ((e == ERR_OK) != (conf != NULL) || (e == ERR_OK) != (r.nerrors == 0))
		abort();
	report_clear(&r);
	return conf;
}

static char *
print(const struct config *conf, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (f == NULL)
		abort();
	config_print(conf, f);
	fclose(f);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *conf = load((const char *)data, size), *again;
	char *text, *second;
	size_t len, len2;

	if (conf == NULL)
		return 0;
	text = print(conf, &len);
	again = load(text, len);
	if (again == NULL)
		abort();
	second = print(again, &len2);
	if (len != len2 || memcmp(text, second, len) != 0 ||
	    config_needs_restart(conf, again, NULL))
		abort();
	free(text);
	free(second);
	config_free(conf);
	config_free(again);
	return 0;
}
