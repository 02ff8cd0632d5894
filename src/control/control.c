/*
 * control: clients of the control socket, their requests in order, their followers.
 *
 * A connection is always in one of these states:
 *
 *     READING   → a whole line came              → the verb's handler runs: PENDING
 *     PENDING   → the handler said how it goes    → PENDING (control_progress)
 *     PENDING   → the handler answered           → WRITING (it may have answered from inside: no
 *       state is visible between)
 *     WRITING   → the answer left the buffer     → READING
 *     WRITING   → `follow` was granted           → FOLLOWING, until the connection closes
 *
 * While it is not READING, input stays in the kernel and in one request's worth of buffer.  A
 * client that shut down its sending side still gets its answers; one that closed is gone at once,
 * and the handle of its request lives on, empty, until it is answered.
 */
#include "src/control/control.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/log.h"
#include "src/control/proto.h"
#include "src/control/socket.h"
#include "base/suggest.h"

#define ACCEPT_PAUSE_S 1   /* descriptors ran out; a client that leaves ends the pause at once */

struct client {
	TAILQ_ENTRY(client) link;        /* least recently active first */
	struct control *control;
	struct bufferevent *bev;
	struct control_request *pending;
	uid_t uid;
	bool eof;                        /* it will send no more */
	bool closing;                    /* it broke the protocol: goes when the answer has left */
	bool following;
	/* granted with the answer that is pending; events are held until then */
	bool follow_asked;
	char *follow_unit;               /* NULL = all */
	struct evbuffer *held;
	/* what the first answer left in the buffer does not count as unread events */
	size_t follow_slack;
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
	struct control_stats stats;
};

static void client_work(struct client *cl);

/* ---- clients ---- */

static void
client_free(struct client *cl)
{
	struct control *c = cl->control;

	if (cl->pending != NULL)
		cl->pending->client = NULL;
	TAILQ_REMOVE(&c->clients, cl, link);
	c->stats.clients--;
	if (cl->following)
		c->stats.followers--;
	bufferevent_free(cl->bev);
	if (cl->held != NULL)
		evbuffer_free(cl->held);
	free(cl->follow_unit);
	free(cl);
	if (!event_pending(c->accept, EV_READ, NULL) && event_add(c->accept, NULL) != 0)
		log_warn("control: out of memory; nobody can connect");
}

/* Queues bytes; false when the client had to go. */
static bool
client_write(struct client *cl, const char *line, size_t len)
{
	if (line != NULL && bufferevent_write(cl->bev, line, len) == 0)
		return true;
	log_warn("control: out of memory for an answer");
	client_free(cl);
	return false;
}

static bool
client_error_see(struct client *cl, const char *text, const char *see)
{
	size_t len;
	char *line = control_line_error(text, see, &len);
	bool there = client_write(cl, line, len);

	free(line);
	return there;
}

static bool
client_error(struct client *cl, const char *text)
{
	return client_error_see(cl, text, NULL);
}

static size_t
client_unsent(const struct client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
}

/* ---- permission ---- */

static bool
is_admin(const struct control *c, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < c->nadmins; i++)
		if (c->admins[i] == uid)
			return true;
	return false;
}

static void
refuse_uid(struct client *cl, const char *verb)
{
	struct passwd pw, *found = NULL;
	char buf[4096], text[512];

	if (getpwuid_r(cl->uid, &pw, buf, sizeof(buf), &found) != 0)
		found = NULL;
	snprintf(text, sizeof(text),
	    "%s is for root and the users that `admins` in jitsu.conf lists; you are %s (uid %u)",
	    verb, found != NULL ? pw.pw_name : "neither", (unsigned)cl->uid);
	(void)client_error(cl, text);   /* whether it is still there matters to nobody here */
}

enum err
control_set_admins(struct control *c, const uid_t *uids, size_t n)
{
	uid_t *copy = NULL;
	struct errmsg m;

	if (n > 0) {
		copy = malloc(n * sizeof(*copy));
		if (copy == NULL)
			return ERR_NOMEM;
		memcpy(copy, uids, n * sizeof(*copy));
	}
	free(c->admins);
	c->admins = copy;
	c->nadmins = n;
	if (control_socket_admit(&c->file, uids, n, &m) != ERR_OK)
		log_warn("%s: users that `admins` lists must also be members of the "
		    "group " CONTROL_GROUP,
		    m.text);
	return ERR_OK;
}

/* ---- requests ---- */

static void
unknown_verb(struct client *cl, const char *verb)
{
	const struct control_verb *v;
	struct errmsg m;
	struct suggest s;
	char all[512] = "";
	size_t used = 0;

	suggest_init(&s, verb);
	for (v = cl->control->verbs; v->name != NULL; v++) {
		suggest_offer(&s, v->name);
		if (used < sizeof(all))
			used += (size_t)snprintf(
			    all + used, sizeof(all) - used, "%s%s", used > 0 ? ", " : "", v->name);
	}
	(void)err_set(&m, ERR_MISSING, "unknown verb \"%.64s\"%s accepted: %s", verb,
	    suggest_text(&s)[0] != '\0' ? suggest_text(&s) : ";", all);
	(void)client_error(cl, m.text);   /* whether it is still there matters to nobody here */
}

static void
verb_run(struct client *cl, const struct control_verb *v, json_t *args)
{
	struct control *c = cl->control;
	struct control_request *req;

	if (v->admin_only && !is_admin(c, cl->uid)) {
		c->stats.refused++;
		refuse_uid(cl, v->name);
		return;
	}
	req = calloc(1, sizeof(*req));
	if (req == NULL) {
		/* whether it is still there matters to nobody here */
		(void)client_error(cl, "out of memory");
		return;
	}
	req->client = cl;
	req->uid = cl->uid;
	cl->pending = req;
	c->stats.requests++;
	if (v->admin_only)
		log_info("control: %s, asked by uid %u", v->name, (unsigned)cl->uid);
	v->fn(req, args, c->arg);
}

/* One request line. */
static void
line_run(struct client *cl, const char *line, size_t len)
{
	const struct control_verb *v;
	const char *verb;
	json_t *args;
	struct errmsg m;

	if (control_request_parse(line, len, &args, &verb, &m) != ERR_OK) {
		cl->control->stats.refused++;
		/* whether it is still there matters to nobody here */
		(void)client_error(cl, m.text);
		return;
	}
	for (v = cl->control->verbs; v->name != NULL; v++)
		if (strcmp(v->name, verb) == 0)
			break;
	if (v->name != NULL)
		verb_run(cl, v, args);
	else
		unknown_verb(cl, verb);
	json_decref(args);
}

/*
 * Takes the next line out of the buffer; at the end of the input what is left is one.  NULL: there
 * is none yet.
 */
static char *
line_take(struct client *cl, size_t *len)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);
	char *line = evbuffer_readln(in, len, EVBUFFER_EOL_CRLF);

	if (line != NULL || !cl->eof || evbuffer_get_length(in) == 0)
		return line;
	*len = evbuffer_get_length(in);
	line = malloc(*len + 1);
	if (line == NULL)
		return NULL;
	if (evbuffer_remove(in, line, *len) != (int)*len)
		*len = 0;
	line[*len] = '\0';
	return line;
}

static void
too_long(struct client *cl)
{
	char text[96];

	snprintf(text, sizeof(text), "the request is longer than %d bytes", LIMIT_CONTROL_REQUEST);
	cl->control->stats.refused++;
	cl->closing = true;
	(void)bufferevent_disable(cl->bev, EV_READ);   /* cannot fail for a socket */
	(void)client_error(cl, text);   /* whether it is still there matters to nobody here */
}

/*
 * Goes on with a client as far as it goes now.  Handlers and writes may free it, so nothing of it
 * is touched after them: the next step comes from the write callback.
 */
static void
client_work(struct client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);
	char *line;
	size_t len;

	if (cl->following) {
		(void)evbuffer_drain(in, evbuffer_get_length(in));   /* nothing is frozen here */
		return;
	}
	if (cl->pending != NULL || client_unsent(cl) > 0)
		return;
	if (cl->closing) {
		client_free(cl);
		return;
	}
	line = line_take(cl, &len);
	if (line == NULL) {
		if (evbuffer_get_length(in) >= LIMIT_CONTROL_REQUEST)
			too_long(cl);
		else if (cl->eof)
			client_free(cl);
		return;
	}
	TAILQ_REMOVE(&cl->control->clients, cl, link);
	TAILQ_INSERT_TAIL(&cl->control->clients, cl, link);
	if (len >= LIMIT_CONTROL_REQUEST)
		too_long(cl);
	else
		line_run(cl, line, len);
	free(line);
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	client_work(arg);
}

/* The output is empty. */
static void
write_cb(struct bufferevent *bev, void *arg)
{
	struct client *cl = arg;

	(void)bev;
	cl->follow_slack = 0;
	client_work(cl);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct client *cl = arg;
	struct pollfd p = { .fd = bufferevent_getfd(bev) };

	if ((what & BEV_EVENT_EOF) == 0 || poll(&p, 1, 0) < 0 ||
	    (p.revents & (POLLHUP | POLLERR)) != 0) {
		client_free(cl);
		return;
	}
	cl->eof = true;   /* it may still read: half closed */
	client_work(cl);
}

/* ---- answers ---- */

/* Ends the request; NULL when the client left. */
static struct client *
request_end(struct control_request *req)
{
	struct client *cl = req->client;

	free(req);
	if (cl != NULL)
		cl->pending = NULL;
	return cl;
}

static bool
reply(struct client *cl, json_t *data)
{
	size_t len = 0;
	char *line = data != NULL ? control_line_ok(data, &len) : NULL;
	bool there;

	if (line == NULL)
		there = client_error(cl,
		    "the answer could not be made: out of memory, or a text in it is not UTF-8");
	else
		there = client_write(cl, line, len);
	free(line);
	return there;
}

/* The answer is on its way; the events that came since the request follow it. */
static void
follow_start(struct client *cl)
{
	cl->follow_asked = false;
	cl->following = true;
	cl->control->stats.followers++;
	if (bufferevent_write_buffer(cl->bev, cl->held) != 0) {
		log_warn("control: out of memory for events");
		client_free(cl);
		return;
	}
	cl->follow_slack = client_unsent(cl);
}

void
control_reply(struct control_request *req, json_t *data)
{
	struct client *cl = request_end(req);

	if (cl != NULL && reply(cl, data) && cl->follow_asked)
		follow_start(cl);
	json_decref(data);
}

/*
 * Sends what the socket takes of a line, with the descriptor; what is left over goes through the
 * buffer, which is empty now.
 */
static bool
client_write_fd(struct client *cl, const char *line, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)line, .iov_len = len };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	do {
		n = sendmsg(bufferevent_getfd(cl->bev), &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return client_error(cl, "the answer could not be sent");
	return client_write(cl, line + n, len - (size_t)n);
}

void
control_reply_fd(struct control_request *req, json_t *data, int fd)
{
	struct client *cl = request_end(req);
	size_t len = 0;
	char *line = data != NULL && cl != NULL ? control_line_ok(data, &len) : NULL;

	if (cl != NULL && line == NULL)
		/* whether it is still there matters to nobody here */
		(void)client_error(cl, "the answer could not be made: out of memory");
	else if (cl != NULL)
		(void)client_write_fd(cl, line, len, fd);   /* as above */
	free(line);
	json_decref(data);
}

bool
control_progress(struct control_request *req, json_t *event)
{
	struct client *cl = req->client;
	size_t len = 0;
	char *line = cl != NULL && client_unsent(cl) == 0 && event != NULL ?
	    control_line_event(event, &len) :
	    NULL;
	bool sent = line != NULL && client_write(cl, line, len);

	free(line);
	json_decref(event);
	return sent;
}

void
control_fail(struct control_request *req, const char *fmt, ...)
{
	struct client *cl = request_end(req);
	char *text = NULL;
	va_list ap;
	int n;

	if (cl == NULL)
		return;
	cl->follow_asked = false;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		/* whether it is still there matters to nobody here */
		(void)client_error(cl, "out of memory");
		return;
	}
	for (char *p = text; *p != '\0'; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || (unsigned char)*p >= 0x7f)
			*p = '?';
	(void)client_error(cl, text);   /* as above */
	free(text);
}

void
control_fail_unknown(
    struct control_request *req, const char *what, const char *name, const char *see)
{
	struct client *cl = request_end(req);
	char text[LIMIT_NAME_TEXT + 64];

	if (cl == NULL)
		return;
	cl->follow_asked = false;
	snprintf(text, sizeof(text), "no %s %s", what, name);
	/* whether it is still there matters to nobody here */
	(void)client_error_see(cl, text, see);
}

enum err
control_follow(struct control_request *req, const char *unit)
{
	struct client *cl = req->client;

	if (cl == NULL)
		return ERR_OK;
	if (cl->held == NULL)
		cl->held = evbuffer_new();
	free(cl->follow_unit);
	cl->follow_unit = unit != NULL ? strdup(unit) : NULL;
	if (cl->held == NULL || (unit != NULL && cl->follow_unit == NULL))
		return ERR_NOMEM;
	cl->follow_asked = true;
	return ERR_OK;
}

/* One event to one follower; it may have to go. */
static void
client_push(struct client *cl, const char *line, size_t len)
{
	size_t waiting = cl->following ? client_unsent(cl) : evbuffer_get_length(cl->held);

	if (waiting + len > cl->follow_slack + LIMIT_CONTROL_FOLLOW_BYTES) {
		log_info("control: a follower (uid %u) does not read its events; disconnected",
		    (unsigned)cl->uid);
		client_free(cl);
	} else if (cl->following) {
		/* whether it is still there matters to nobody here */
		(void)client_write(cl, line, len);
	} else if (evbuffer_add(cl->held, line, len) != 0) {
		log_warn("control: out of memory for events");
		client_free(cl);
	}
}

void
control_event_push(struct control *c, const char *unit, json_t *event)
{
	struct client *cl, *next;
	char *line = NULL;
	size_t len = 0;

	for (cl = TAILQ_FIRST(&c->clients); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, link);
		if (!cl->following && !cl->follow_asked)
			continue;
		if (cl->follow_unit != NULL && (unit == NULL || strcmp(cl->follow_unit, unit) != 0))
			continue;
		if (line == NULL)
			line = control_line_event(event, &len);
		if (line == NULL) {
			log_warn("control: an event could not be sent to followers: out of memory, "
			    "or a text in it is not UTF-8");
			return;
		}
		client_push(cl, line, len);
	}
	free(line);
}

bool
control_has_followers(const struct control *c)
{
	const struct client *cl;

	if (c->stats.followers > 0)
		return true;
	TAILQ_FOREACH(cl, &c->clients, link)
		if (cl->follow_asked)
			return true;
	return false;
}

/* ---- accepting ---- */

static void
client_new(struct control *c, int fd, uid_t uid)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL ||
	    (cl->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		log_warn("control: a client could not be taken in: %s", strerror(errno));
		free(cl);
		close(fd);
		return;
	}
	cl->control = c;
	cl->uid = uid;
	TAILQ_INSERT_TAIL(&c->clients, cl, link);
	c->stats.clients++;
	bufferevent_setcb(cl->bev, read_cb, write_cb, event_cb, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, LIMIT_CONTROL_REQUEST);
	if (bufferevent_enable(cl->bev, EV_READ | EV_WRITE) != 0)
		client_free(cl);
}

/* Whose places are kept: a rank finds those free that lower ones may not have. */
enum rank { RANK_READER, RANK_ADMIN, RANK_ROOT };

static enum rank
rank_of(const struct control *c, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return RANK_ROOT;
	return is_admin(c, uid) ? RANK_ADMIN : RANK_READER;
}

/*
 * Clients of this user, or (all) of no higher rank than this user's; `idle` is the one of them that
 * has been idle longest.
 */
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
		    client_unsent(cl) == 0)
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
		client_free(idle);
	}
	if (clients_count(c, uid, true, &idle) >= most[rank] ||
	    c->stats.clients >= LIMIT_CONTROL_CLIENTS) {
		if (idle == NULL)
			return "too many clients are waiting for answers; try again later";
		client_free(idle);
	}
	return NULL;
}

_Static_assert(LIMIT_CONTROL_CLIENTS > LIMIT_CONTROL_KEPT_ADMINS + LIMIT_CONTROL_USER,
    "one reader does not take the places of all");
_Static_assert(LIMIT_CONTROL_KEPT_ADMINS > LIMIT_CONTROL_KEPT_ROOT,
    "root finds a place when admins have all of theirs");

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
		client_new(c, fd, cred.uid);
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

enum err
control_new(struct event_base *base, const char *path, const char *group,
    const struct control_verb *verbs, void *arg, struct control **control, struct errmsg *m)
{
	struct control *c = calloc(1, sizeof(*c));
	enum err e;

	*control = NULL;
	if (c == NULL)
		return err_set(m, ERR_NOMEM, "%s: out of memory", path);
	c->base = base;
	c->verbs = verbs;
	c->arg = arg;
	c->group = group;
	TAILQ_INIT(&c->clients);
	(void)signal(SIGPIPE, SIG_IGN);   /* cannot fail for SIGPIPE */
	e = control_socket_listen(path, group, &c->file, &c->fd, m);
	if (e != ERR_OK)
		goto fail;
	c->accept = event_new(base, c->fd, EV_READ | EV_PERSIST, accept_cb, c);
	c->resume = evtimer_new(base, resume_cb, c);
	if (c->accept == NULL || c->resume == NULL || event_add(c->accept, NULL) != 0) {
		e = err_set(m, ERR_NOMEM, "%s: out of memory", path);
		goto fail;
	}
	*control = c;
	return ERR_OK;
fail:
	control_free(c);
	return e;
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
	struct errmsg why;
	enum err e;
	int fd;

	if (control_socket_there(&c->file))
		return ERR_OK;
	e = control_socket_listen(c->file.path, c->group, &file, &fd, m);
	if (e != ERR_OK)
		return e;
	fresh = event_new(c->base, fd, EV_READ | EV_PERSIST, accept_cb, c);
	if (fresh == NULL || event_add(fresh, NULL) != 0) {
		if (fresh != NULL)
			event_free(fresh);
		close(fd);
		control_socket_remove(&file);
		return err_set(m, ERR_NOMEM, "%s: out of memory", file.path);
	}
	log_warn("%s was removed by somebody: it is made again", file.path);
	/* Who had connected to the old one and was not taken in yet has no answer. */
	event_free(c->accept);
	close(c->fd);
	c->accept = fresh;
	c->fd = fd;
	c->file = file;
	if (control_socket_admit(&c->file, c->admins, c->nadmins, &why) != ERR_OK)
		log_warn("%s: users that `admins` lists must also be members of the "
		    "group " CONTROL_GROUP,
		    why.text);
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
		client_free(cl);
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

/* ---- for handlers ---- */

uid_t
control_request_uid(const struct control_request *req)
{
	return req->uid;
}

bool
control_request_gone(const struct control_request *req)
{
	return req->client == NULL;
}

void
control_stats_get(const struct control *c, struct control_stats *st)
{
	*st = c->stats;
}
