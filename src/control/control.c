/* control: the control socket: who may connect, how many, and what they may do. */
#include "src/control/control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/control/impl.h"

#define ACCEPT_PAUSE_S 1   /* descriptors ran out; a client that leaves ends the pause at once */

bool
control_is_admin(const struct control *c, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < c->nadmins; i++)
		if (c->admins[i] == uid)
			return true;
	return false;
}

/* Lets the admins connect to the socket as it is now. */
static void
admit(const struct control *c)
{
	struct errmsg m;

	if (control_socket_admit(&c->file, c->admins, c->nadmins, &m) != ERR_OK)
		log_warn("%s: users that `admins` lists must also be members of the "
		    "group " CONTROL_GROUP, m.text);
}

void
control_set_admins(struct control *c, const uid_t *uids, size_t n)
{
	free(c->admins);
	c->admins = mem_copy(uids, n * sizeof(*uids));
	c->nadmins = n;
	admit(c);
}

/* Whose places are kept: a rank finds those free that lower ones may not have. */
enum rank { RANK_READER, RANK_ADMIN, RANK_ROOT };

static enum rank
rank_of(const struct control *c, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return RANK_ROOT;
	return control_is_admin(c, uid) ? RANK_ADMIN : RANK_READER;
}

/* Clients of this user, or all of no higher rank; `idle`: of them, idle for longest, or NULL. */
static unsigned
clients_count(const struct control *c, uid_t uid, bool all, struct client **idle)
{
	enum rank rank = rank_of(c, uid);
	struct client *cl;
	unsigned n = 0;

	*idle = NULL;
	TAILQ_FOREACH(cl, &c->clients, link) {
		if (all ? rank_of(c, cl->uid) > rank : cl->uid != uid)
			continue;
		n++;
		if (*idle == NULL && cl->pending == NULL && !cl->following &&
		    control_client_unsent(cl) == 0)
			*idle = cl;
	}
	return n;
}

/*
 * Makes room for one more of this user: the client that has been idle longest goes, of this user
 * when this user has too many, otherwise of those of no higher rank.  Returns why there is none.
 */
static const char *
make_room(struct control *c, uid_t uid)
{
	static const unsigned most[] = {
		[RANK_READER] = LIMIT_CONTROL_CLIENTS - LIMIT_CONTROL_KEPT_ADMINS,
		[RANK_ADMIN] = LIMIT_CONTROL_CLIENTS - LIMIT_CONTROL_KEPT_ROOT,
		[RANK_ROOT] = LIMIT_CONTROL_CLIENTS,
	};
	enum rank rank = rank_of(c, uid);
	struct client *idle;

	if (rank != RANK_ROOT && clients_count(c, uid, false, &idle) >= LIMIT_CONTROL_USER) {
		if (idle == NULL)
			return "you have too many connections here; end one, such as a `jitsu "
			    "events --follow`";
		control_client_free(idle);
	}
	if (clients_count(c, uid, true, &idle) >= most[rank] ||
	    c->nclients >= LIMIT_CONTROL_CLIENTS) {
		if (idle == NULL)
			return "too many clients are waiting for answers; try again later";
		control_client_free(idle);
	}
	return NULL;
}

static void
client_take(struct control *c, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	const char *why;
	char *line;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		log_warn("control: a client could not be taken in: %s", strerror(errno));
		close(fd);
		return;
	}
	why = make_room(c, cred.uid);
	if (why == NULL) {
		control_client_new(c, fd, cred.uid);
		return;
	}
	line = control_line_error(why, NULL, &(size_t){ 0 });
	if (line != NULL)
		/* a courtesy; the connection ends either way */
		(void)send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	free(line);
	close(fd);
}

static void
accept_pause(struct control *c, const char *why)
{
	static const struct timeval tv = { ACCEPT_PAUSE_S, 0 };

	log_warn("control: %s; new clients wait", why);
	(void)event_del(c->accept);   /* fails only for an event that was never made */
	if (evtimer_add(c->resume, &tv) != 0)
		log_warn("control: out of memory; nobody can connect until a client leaves");
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (peer >= 0) {
		client_take(c, peer);
		return;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		accept_pause(c, strerror(errno));
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_warn("control: accept: %s", strerror(errno));
}

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	if (!event_pending(c->accept, EV_READ, NULL) && event_add(c->accept, NULL) != 0)
		accept_pause(c, "out of memory");
}

static struct event *
accept_on(struct control *c, int fd)
{
	struct event *ev = mem_must(event_new(c->base, fd, EV_READ | EV_PERSIST, accept_cb, c));

	if (event_add(ev, NULL) != 0)
		fatal("control: out of memory for an event");
	return ev;
}

enum err
control_new(struct event_base *base, const char *path, const char *group,
    const struct control_verb *verbs, void *arg, struct control **control, struct errmsg *m)
{
	struct control *c = mem_zero(1, sizeof(*c));
	enum err e;

	*control = NULL;
	*c = (struct control){ .base = base, .verbs = verbs, .arg = arg, .group = group };
	TAILQ_INIT(&c->clients);
	(void)signal(SIGPIPE, SIG_IGN);   /* cannot fail for SIGPIPE */
	e = control_socket_listen(path, group, &c->file, &c->fd, m);
	if (e != ERR_OK) {
		control_free(c);
		return e;
	}
	c->resume = mem_must(evtimer_new(base, resume_cb, c));
	c->accept = accept_on(c, c->fd);
	*control = c;
	return ERR_OK;
}

const char *
control_path(const struct control *c)
{
	return c->file.path;
}

enum err
control_keep(struct control *c, struct errmsg *m)
{
	struct control_file file;
	struct event *fresh;
	enum err e;
	int fd;

	if (control_socket_there(&c->file))
		return ERR_OK;
	e = control_socket_listen(c->file.path, c->group, &file, &fd, m);
	if (e != ERR_OK)
		return e;
	fresh = accept_on(c, fd);
	log_warn("%s was removed by somebody: it is made again", file.path);
	/* Who had connected to the old one and was not taken in yet has no answer. */
	event_free(c->accept);
	close(c->fd);
	c->accept = fresh;
	c->fd = fd;
	c->file = file;
	admit(c);
	return ERR_OK;
}

void
control_free(struct control *c)
{
	struct client *cl;

	if (c == NULL)
		return;
	while ((cl = TAILQ_FIRST(&c->clients)) != NULL)
		/* NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list */
		control_client_free(cl);
	if (c->accept != NULL)
		event_free(c->accept);
	if (c->resume != NULL)
		event_free(c->resume);
	if (c->fd >= 0) {
		close(c->fd);
		control_socket_remove(&c->file);
	}
	free(c->admins);
	free(c);
}
