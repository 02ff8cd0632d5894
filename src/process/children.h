/*
 * children: starts, watches and replaces the confined processes of the warden.
 *
 * A child is the same binary, executed anew with its role as argv[0] and nothing but its channel,
 * stdin from /dev/null and a memory file (output.h) as stdout and stderr, for what
 * it says before it can log through its channel, and for what libc says of its end; the file is
 * logged, escaped, when it has ended.  A child that ends, or that breaks the protocol (child_kill),
 * is logged and started again after a back-off that doubles from CHILD_BACKOFF_MIN_MS to
 * CHILD_BACKOFF_MAX_MS and starts afresh when the child lived for CHILD_LIVED_MS.  Of a child that
 * ends again and again the first ends of each minute are logged, the others counted.
 */
#ifndef SRC_PROCESS_CHILDREN_H
#define SRC_PROCESS_CHILDREN_H

#include <sys/types.h>

#include "base/chan.h"

/*
 * While the DNS process is away nobody is answered: with its start, of some 30 ms of CPU, the
 * longest is well under a second, and one that ends at each start takes some 5 % of a CPU.
 */
#define CHILD_BACKOFF_MIN_MS 50
#define CHILD_BACKOFF_MAX_MS 500
#define CHILD_LIVED_MS 10000

#define CHILD_CHANNEL_FD 3         /* a child's end of the channel */

/* Of a role: in messages; argv[0], by which jitsud knows what to be; and for ps(1). */
extern const struct child_names {
	const char *name, *title, *comm;
} child_names[ROLE_COUNT];

struct child;
struct flood;

struct child_ops {
	/* MSG_HELLO was sent: send what comes before MSG_RUN.  An error stops this attempt. */
	enum err (*setup)(struct child *c, struct errmsg *m);
	/* A checked message but MSG_RUNNING and MSG_LOG.  The descriptors are the callee's. */
	void (*message)(struct child *c, const struct msg *m, int *fds, unsigned nfds);
	void (*running)(struct child *c);                /* confined and serving; may be NULL */
	/* It ended, and will be started again if c->restart; may be NULL. */
	void (*gone)(struct child *c, const char *why);
};

struct child_conf {
	uid_t uid;
	gid_t gid;
	const char *empty_root;
	int log_level;
	struct flood *flood;            /* bounds what they log; NULL: nothing does */
};

struct child {
	enum msg_role role;
	const char *name;               /* "dns" */
	const struct child_ops *ops;
	const struct child_conf *conf;
	void *arg;
	struct event_base *base;
	bool restart;                   /* keep it running */
	bool confined;                  /* MSG_RUNNING came */
	bool ran;                       /* MSG_RUNNING came once, of this process or one before */
	bool told;                      /* its last end was logged, and not only counted */
	pid_t pid;                      /* 0 = not running */
	int pidfd;
	int output_fd;                  /* what it wrote to stderr */
	struct chan *chan;              /* NULL = not running */
	struct event *ev_exit, *ev_restart;
	uint64_t started_ms;
	unsigned backoff_ms;
	unsigned restarts;              /* since the warden started */
	char why[128];                  /* of the last end */
};

/* Embedded: `child_init`, then child_start; child_clear kills and reaps it. */
void child_init(struct child *c, enum msg_role role, struct event_base *base,
    const struct child_conf *conf, const struct child_ops *ops, void *arg);
enum err child_start(struct child *c, struct errmsg *m);
void child_clear(struct child *c);
/* For a child that talks nonsense: logs why, ends it; `gone` and the restart follow. */
void child_kill(struct child *c, const char *why);
/* The same for a child that is not wrong, but is not waited for any longer. */
void child_give_up(struct child *c, const char *why);
/* Sends; a child that cannot take it any more is killed.  Nothing is sent while it does not run. */
void child_send(struct child *c, struct msg *m, const int *fds, unsigned nfds);

#endif
