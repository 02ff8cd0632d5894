/*
 * chan: one end of the channel between the warden and a child: whole messages (msg.h) and
 * descriptors, never blocking.
 *
 * A channel lives on one libevent loop.  chan_send may be called (after evthread_use_pthreads) from
 * any thread of the process; everything else only from the loop's.  What the socket does not take
 * at once is queued and sent when it is writable; beyond LIMIT_CHAN_QUEUE the peer counts as dead.
 */
#ifndef BASE_CHAN_H
#define BASE_CHAN_H

#include <event2/event.h>

#include "base/err.h"
#include "base/msg.h"

struct chan;

/*
 * A message arrived with `nfds` descriptors, which now belong to the callee, also on its rejecting
 * paths (chan_close_fds). Size, version and range of `type` were checked; nothing else was. The
 * callback may free the channel.
 */
typedef void (*chan_msg_cb)(struct chan *, const struct msg *, int *fds, unsigned nfds, void *arg);

/* The peer closed, or broke the protocol (`why`).  Called once; the callee frees the channel. */
typedef void (*chan_lost_cb)(struct chan *, const char *why, void *arg);
/* A connected pair, both ends CLOEXEC and non-blocking. */
enum err chan_pair(int fds[2], struct errmsg *m);
/* Takes over `fd`.  NULL when out of memory (fd is closed then). */
struct chan *chan_new(struct event_base *base, int fd, chan_msg_cb on_msg, chan_lost_cb on_lost,
    void *arg);
/* Closes the descriptor, drops what is queued.  NULL is allowed. */
void chan_free(struct chan *c);

/*
 * Sends or queues a copy of `m` (version is filled in); the descriptors stay the caller's (they are
 * duplicated when queued). ERR_LIMIT: the queue is full; ERR_IO: the peer is gone (on_lost
 * follows).
 */
enum err chan_send(struct chan *c, const struct msg *m, const int *fds, unsigned nfds);
/* From now on this process logs to its peer (MSG_LOG), until the channel is freed; then nowhere. */
void chan_log(struct chan *c);
/* Has the peer, which may have ended, sent something that was not read yet and will be? */
bool chan_unread(const struct chan *c);
/* Messages queued; and what is called, unless NULL, each time that the queue has emptied. */
unsigned chan_queued(struct chan *c);
typedef void (*chan_drained_cb)(struct chan *c, void *arg);
void chan_on_drained(struct chan *c, chan_drained_cb cb);
/* For a child's set-up phase, before it has a loop: they block.  ERR_IO: the peer is gone. */
enum err chan_recv_blocking(int fd, struct msg *m, int *fds, unsigned *nfds, struct errmsg *why);
enum err chan_send_blocking(int fd, const struct msg *m, const int *fds, unsigned nfds,
    struct errmsg *why);
void chan_close_fds(int *fds, unsigned nfds);

#endif
