/*
 * fuzz_control: lines of the control socket, from clients and from daemons: accepted or refused
 * with a sentence, never both.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)      \
	do {             \
		if (!(x))    \
			abort(); \
	} while (0)

static void
request(const char *line, size_t len)
{
	char name[LIMIT_NAME_TEXT], again[LIMIT_NAME_TEXT];
	struct errmsg m = { .text = "" };
	const char *verb, *given;
	json_t *args;
	enum err e = control_request_parse(line, len, &args, &verb, &m);

	MUST((e == ERR_OK) == (args != NULL) && (e == ERR_OK) == (verb != NULL) &&
	    (e == ERR_OK) == (m.text[0] == '\0'));
	if (e != ERR_OK)
		return;
	given = json_string_value(json_object_get(args, "name"));
	if (given != NULL && control_name_normalize(given, name, &m) == ERR_OK) {
		MUST(strlen(name) > 0 && strlen(name) < sizeof(name));
		for (const char *p = name; *p != '\0'; p++)
			MUST(*p > 0x20 && *p < 0x7f && !(*p >= 'A' && *p <= 'Z'));
		/* Normal names stay what they are, final dots in a row aside. */
		if (name[strlen(name) - 1] != '.')
			MUST(control_name_normalize(name, again, &m) == ERR_OK &&
			    strcmp(name, again) == 0);
	}
	json_decref(args);
}

static void
response(const char *line, size_t len)
{
	struct errmsg m = { .text = "" };
	json_t *data;
	char *failure;
	bool is_event;
	enum err e = control_response_parse(line, len, &data, &is_event, &failure, &m);

	MUST((e == ERR_OK || (e == ERR_STATE && data != NULL)) == (data != NULL));
	MUST((e == ERR_OK) <= (data != NULL) && (e == ERR_STATE) == (failure != NULL));
	MUST(e == ERR_OK || e == ERR_STATE || m.text[0] != '\0');
	if (data != NULL) {
		size_t n;
		char *out = is_event ? control_line_event(data, &n) : control_line_ok(data, &n);

		MUST(out == NULL || (n > 0 && memchr(out, '\n', n) == out + n - 1));
		free(out);
	}
	json_decref(data);
	free(failure);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	request((const char *)data, size);
	response((const char *)data, size);
	return 0;
}
