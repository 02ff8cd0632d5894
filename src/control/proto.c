/* proto: requests and responses as lines of JSON. */
#include "src/control/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line, pure ASCII. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY)

static enum err
check_version(const json_t *obj, const char *whose, struct errmsg *m)
{
	const json_t *v = json_object_get(obj, "v");

	if (v == NULL)
		return err_set(m, ERR_UNSUPPORTED, "%s has no version: \"v\": %d is missing", whose,
		    CONTROL_VERSION);
	if (!json_is_integer(v))
		return err_set(
		    m, ERR_UNSUPPORTED, "%s: \"v\" must be the number %d", whose, CONTROL_VERSION);
	if (json_integer_value(v) != CONTROL_VERSION)
		return err_set(m, ERR_UNSUPPORTED,
		    "%s is of protocol version %lld; version %d is spoken here", whose,
		    (long long)json_integer_value(v), CONTROL_VERSION);
	return ERR_OK;
}

enum err
control_request_parse(
    const char *line, size_t len, json_t **args, const char **verb, struct errmsg *m)
{
	json_error_t why;
	json_t *obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	const json_t *v = json_object_get(obj, "verb");
	enum err e = ERR_OK;

	*args = NULL;
	*verb = NULL;
	if (obj == NULL)
		return err_set(
		    m, ERR_PARSE, "the request is no JSON: column %d: %s", why.column, why.text);
	if (!json_is_object(obj))
		e = err_set(m, ERR_PARSE,
		    "the request must be a JSON object such as {\"v\":%d,\"verb\":\"list\"}",
		    CONTROL_VERSION);
	else if ((e = check_version(obj, "the request", m)) == ERR_OK && !json_is_string(v))
		e = err_set(
		    m, ERR_PARSE, "the request has no \"verb\" that is a string, such as \"list\"");
	if (e != ERR_OK) {
		json_decref(obj);
		return e;
	}
	*args = obj;
	*verb = json_string_value(v);
	return ERR_OK;
}

/* A response that is an object of our version. */
static enum err
response_data(const json_t *obj, json_t **data, bool *is_event, char **failure, struct errmsg *m)
{
	json_t *event = json_object_get(obj, "event"), *error = json_object_get(obj, "error");
	json_t *see = json_object_get(obj, "see");
	const json_t *ok = json_object_get(obj, "ok");

	if (event != NULL) {
		*is_event = true;
		*data = json_incref(event);
		return ERR_OK;
	}
	if (json_is_true(ok)) {
		json_t *d = json_object_get(obj, "data");

		*data = d != NULL ? json_incref(d) : json_null();
		return ERR_OK;
	}
	if (!json_is_false(ok) || !json_is_string(error))
		return err_set(m, ERR_PROTO, "the daemon's answer has neither data nor an error");
	*failure = strdup(json_string_value(error));
	if (*failure != NULL && json_is_string(see))
		*data = json_incref(see);
	return *failure != NULL ? ERR_STATE : err_set(m, ERR_NOMEM, "out of memory");
}

enum err
control_response_parse(
    const char *line, size_t len, json_t **data, bool *is_event, char **failure, struct errmsg *m)
{
	json_error_t why;
	json_t *obj = json_loadb(line, len, JSON_ALLOW_NUL, &why);
	enum err e;

	*data = NULL;
	*is_event = false;
	*failure = NULL;
	if (obj == NULL)
		return err_set(m, ERR_PROTO, "the daemon's answer is no JSON: column %d: %s",
		    why.column, why.text);
	if (!json_is_object(obj))
		e = err_set(m, ERR_PROTO, "the daemon's answer is no JSON object");
	else
		e = check_version(obj, "the daemon's answer", m);
	if (e == ERR_OK)
		e = response_data(obj, data, is_event, failure, m);
	json_decref(obj);
	return e;
}

/* Takes over `obj`, which may be NULL: no memory. */
static char *
line_of(json_t *obj, size_t *len)
{
	char *text = json_dumps(obj, DUMP_FLAGS), *line = NULL;
	int n = text != NULL ? asprintf(&line, "%s\n", text) : -1;

	json_decref(obj);
	free(text);
	*len = n > 0 ? (size_t)n : 0;
	return n > 0 ? line : NULL;
}

char *
control_line_ok(json_t *data, size_t *len)
{
	return line_of(json_pack("{sisbsO}", "v", CONTROL_VERSION, "ok", 1, "data", data), len);
}

char *
control_line_error(const char *text, const char *see, size_t *len)
{
	return line_of(json_pack("{sisbssss*}", "v", CONTROL_VERSION, "ok", 0, "error", text, "see",
	    see), len);
}

char *
control_line_event(json_t *event, size_t *len)
{
	return line_of(json_pack("{sisO}", "v", CONTROL_VERSION, "event", event), len);
}
