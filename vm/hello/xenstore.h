/*
 * xenstore.h: a client of XenStore over the page that is shared with it (Xen's
 * docs/misc/xenstore.txt)
 *
 * No I/O of its own: how to wake the store and how to wait for it come with the page. Requests are
 * sent several at once, which spares a boot the round trips. Watches fire as bits.
 */
#ifndef HELLO_XENSTORE_H
#define HELLO_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/limits.h"
#include "vm/hello/xen_abi.h"

#define XENSTORE_TOKENS 8

struct xenstore_port {
	void (*notify)(void); /* tells the store that the page has changed */
	void (*wait)(void);   /* returns when that may have happened */
};

/* Zeroed and with its page it is ready. */
struct xenstore {
	struct xenstore_page *page;
	const struct xenstore_port *port;
	uint32_t next_request;
	uint32_t fired;                     /* watches by token; the reader clears them */
	bool broken;                        /* the store broke the protocol: nothing works now */
	struct xenstore_header header;      /* of the message that is coming */
	size_t have;                        /* bytes of it, header included */
	char body[LIMIT_XENSTORE_BODY + 1]; /* what is longer is cut off */
};

/* One request. Paths are relative to the domain's own directory, unless they begin with '/'. */
struct xenstore_op {
	enum xenstore_type type; /* READ, WRITE or WATCH */
	const char *path;
	const char *value; /* to write */
	unsigned token;    /* of the watch, below XENSTORE_TOKENS */
	char *out;         /* what was read, NUL-terminated; empty without success */
	size_t cap;        /* of `out`: a longer value is no success */
	bool ok;           /* result */
	bool done;
};

/* Does all of them, in order; false when the store is broken. */
bool xenstore_run(struct xenstore *xs, struct xenstore_op *ops, unsigned count);
/* Takes what has come meanwhile, which can only be watches. */
void xenstore_poll(struct xenstore *xs);

#endif
