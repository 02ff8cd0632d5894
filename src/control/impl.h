/* impl: what the files of the control socket share; not included elsewhere. */
#ifndef SRC_CONTROL_IMPL_H
#define SRC_CONTROL_IMPL_H

#include <sys/queue.h>
#include <sys/types.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/limits.h"
#include "src/control/proto.h"
#include "src/control/types.h"

/* ---- socket.c: the listening socket's file and modes; replaced only when nobody listens ---- */

struct control_file {
	char path[LIMIT_SOCKET_PATH + 1];
	dev_t dev;
	ino_t ino;
	bool group_may;            /* the group was given the file */
};

/* *fd listens, non-blocking and CLOEXEC; the caller's.  Errors as control_new. */
enum err control_socket_listen(
    const char *path, const char *group, struct control_file *file, int *fd, struct errmsg *m);

/*
 * Users who may connect besides the owner and the group, in place of those before: they need not be
 * members of the group.  An error when the file system has no access lists.
 */
enum err control_socket_admit(
    const struct control_file *file, const uid_t *uids, size_t n, struct errmsg *m);
/* Is the file where it was made? */
bool control_socket_there(const struct control_file *file);
/* Removes the file unless another has taken its place. */
void control_socket_remove(const struct control_file *file);

struct client {
	TAILQ_ENTRY(client) link;        /* least recently active first */
	struct control *control;
	struct bufferevent *bev;
	struct control_request *pending;
	uid_t uid;
	bool eof;                        /* it will send no more */
	bool closing;                    /* it broke the protocol: goes when the answer has left */
	bool following;
	bool follow_asked;               /* granted with the pending answer; until then `held` */
	char *follow_unit;               /* NULL = all */
	struct evbuffer *held;
	size_t follow_slack;             /* of the first answer: bytes that are no unread events */
};

struct control_request {
	struct client *client;           /* NULL: it left */
	uid_t uid;
};

struct control {
	struct event_base *base;
	struct event *accept, *resume;
	const struct control_verb *verbs;
	void *arg;
	int fd;
	const char *group;
	struct control_file file;
	TAILQ_HEAD(, client) clients;
	uid_t *admins;
	size_t nadmins;
	unsigned nclients, nfollowers;
};

/* Takes over `fd`, a connection of this user. */
void control_client_new(struct control *c, int fd, uid_t uid);
void control_client_free(struct client *cl);
/* Queues bytes; false when the client had to go. */
bool control_client_write(struct client *cl, const char *line, size_t len);
/* Queues an error, with the verb that has the names that there are or NULL; false likewise. */
bool control_client_error(struct client *cl, const char *text, const char *see);
/* Bytes of answers that wait. */
size_t control_client_unsent(const struct client *cl);
/* May this user use verbs that are for admins only? */
bool control_is_admin(const struct control *c, uid_t uid);

#endif
