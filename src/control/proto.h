/* proto: the lines of the control socket (control.h), for both of its ends. */
#ifndef SRC_CONTROL_PROTO_H
#define SRC_CONTROL_PROTO_H

#include <jansson.h>

#include "base/err.h"

#define CONTROL_VERSION 1

/*
 * Parses one request line (no newline).  On success *args is the caller's and *verb points into it.
 * ERR_PARSE: no JSON object, no verb; ERR_UNSUPPORTED: another version.
 */
enum err control_request_parse(
    const char *line, size_t len, json_t **args, const char **verb, struct errmsg *m);

/*
 * Parses one line from the daemon.  *data is the `data` or `event` member, the caller's, and
 * *is_event says which.  ERR_STATE: the daemon answered with an error, *failure is its text
 * (malloc'd) and *data, if not NULL, the string `see`; ERR_PROTO, ERR_UNSUPPORTED: `m` says why.
 */
enum err control_response_parse(
    const char *line, size_t len, json_t **data, bool *is_event, char **failure, struct errmsg *m);
/* Lines with their newline, malloc'd; NULL when out of memory.  They take over no reference. */
char *control_line_ok(json_t *data, size_t *len);
/* `see`: the reading verb whose answer has the names that there are; NULL = none. */
char *control_line_error(const char *text, const char *see, size_t *len);
char *control_line_event(json_t *event, size_t *len);

#endif
