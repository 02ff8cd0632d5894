/*
 * client: the connections of the control socket, and the requests that come on them.
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
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "src/control/impl.h"

void
control_client_free(struct client *cl)
{
	struct control *c = cl->control;

	if (cl->pending != NULL)
		cl->pending->client = NULL;
	TAILQ_REMOVE(&c->clients, cl, link);
	c->nclients--;
	c->nfollowers -= cl->following;
	bufferevent_free(cl->bev);
	if (cl->held != NULL)
		evbuffer_free(cl->held);
	free(cl->follow_unit);
	free(cl);
	if (!event_pending(c->accept, EV_READ, NULL) && event_add(c->accept, NULL) != 0)
		log_warn("control: out of memory; nobody can connect");
}

bool
control_client_write(struct client *cl, const char *line, size_t len)
{
	if (line != NULL && bufferevent_write(cl->bev, line, len) == 0)
		return true;
	log_warn("control: out of memory for an answer");
	control_client_free(cl);
	return false;
}

bool
control_client_error(struct client *cl, const char *text, const char *see)
{
	size_t len;
	char *line = control_line_error(text, see, &len);
	bool there = control_client_write(cl, line, len);

	free(line);
	return there;
}

size_t
control_client_unsent(const struct client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
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
	(void)control_client_error(cl, text, NULL);
}

static void
unknown_verb(struct client *cl, const char *verb)
{
	const struct control_verb *v;
	struct errmsg m;
	struct suggest s;
	char all[512] = "";

	suggest_init(&s, verb);
	for (v = cl->control->verbs; v->name != NULL; v++) {
		suggest_offer(&s, v->name);
		text_join(all, sizeof(all), ", ", "%s", v->name);
	}
	(void)err_set(&m, ERR_MISSING, "unknown verb \"%.64s\"%s accepted: %s", verb,
	    suggest_text(&s)[0] != '\0' ? suggest_text(&s) : ";", all);
	(void)control_client_error(cl, m.text, NULL);
}

static void
verb_run(struct client *cl, const struct control_verb *v, json_t *args)
{
	struct control *c = cl->control;
	struct control_request *req;

	if (v->admin_only && !control_is_admin(c, cl->uid)) {
		refuse_uid(cl, v->name);
		return;
	}
	req = calloc(1, sizeof(*req));
	if (req == NULL) {
		(void)control_client_error(cl, "out of memory", NULL);
		return;
	}
	req->client = cl;
	req->uid = cl->uid;
	cl->pending = req;
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
		(void)control_client_error(cl, m.text, NULL);
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

/* Takes the next line, at the end of the input the rest; NULL: there is none yet. */
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
	cl->closing = true;
	(void)bufferevent_disable(cl->bev, EV_READ);   /* cannot fail for a socket */
	(void)control_client_error(cl, text, NULL);
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
	if (cl->pending != NULL || control_client_unsent(cl) > 0)
		return;
	if (cl->closing) {
		control_client_free(cl);
		return;
	}
	line = line_take(cl, &len);
	if (line == NULL) {
		if (evbuffer_get_length(in) >= LIMIT_CONTROL_REQUEST)
			too_long(cl);
		else if (cl->eof)
			control_client_free(cl);
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
		control_client_free(cl);
		return;
	}
	cl->eof = true;   /* half closed: the client may still read */
	client_work(cl);
}

void
control_client_new(struct control *c, int fd, uid_t uid)
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
	c->nclients++;
	bufferevent_setcb(cl->bev, read_cb, write_cb, event_cb, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, LIMIT_CONTROL_REQUEST);
	if (bufferevent_enable(cl->bev, EV_READ | EV_WRITE) != 0)
		control_client_free(cl);
}
