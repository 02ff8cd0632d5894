/* types: requests and verbs of the control socket. */
#ifndef SRC_CONTROL_TYPES_H
#define SRC_CONTROL_TYPES_H

#include <stdbool.h>

#include <jansson.h>

#define CONTROL_GROUP "jitsu-admin"

struct control;

/*
 * One request.  It belongs to the handler until it is answered, exactly once, with control_reply or
 * control_fail, from inside the handler or at any time later; that frees it.  An answer is due, and
 * only frees it, when the client has left meanwhile, and after control_free.
 */
struct control_request;

typedef void (*control_verb_fn)(struct control_request *req, json_t *args, void *arg);

struct control_verb {
	const char *name;
	bool admin_only;
	control_verb_fn fn;            /* args: the whole request, valid during the call */
};

#endif
