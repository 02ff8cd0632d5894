/*
 * fuzz_config: any text is a configuration or gets findings; what is loaded once loads again, to
 * the same.
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
	e = config_load_text("/nonexistent/jitsu.conf", NULL, text, len, &conf, &r);
	if ((e == ERR_OK) != (conf != NULL) || (e == ERR_OK) != (r.nerrors == 0))
		abort();
	report_clear(&r);
	return conf;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *conf = load((const char *)data, size), *again;

	if (conf == NULL)
		return 0;
	again = load((const char *)data, size);
	if (again == NULL || config_needs_restart(conf, again, NULL))
		abort();
	config_free(conf);
	config_free(again);
	return 0;
}
