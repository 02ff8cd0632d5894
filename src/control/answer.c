/* answer: what handlers say to who asked, and what followers are told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/passfd.h"
#include "src/control/control.h"
#include "src/control/impl.h"

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
		there = control_client_error(cl,
		    "the answer could not be made: out of memory, or a text in it is not UTF-8",
		    NULL);
	else
		there = control_client_write(cl, line, len);
	free(line);
	return there;
}

/* The answer is on its way; the events that came since the request follow it. */
static void
follow_start(struct client *cl)
{
	cl->follow_asked = false;
	cl->following = true;
	cl->control->nfollowers++;
	if (bufferevent_write_buffer(cl->bev, cl->held) != 0) {
		log_warn("control: out of memory for events");
		control_client_free(cl);
		return;
	}
	cl->follow_slack = control_client_unsent(cl);
}

void
control_reply(struct control_request *req, json_t *data)
{
	struct client *cl = request_end(req);

	if (cl != NULL && reply(cl, data) && cl->follow_asked)
		follow_start(cl);
	json_decref(data);
}

void
control_reply_fd(struct control_request *req, json_t *data, int fd)
{
	struct client *cl = request_end(req);
	size_t len = 0;
	char *line = data != NULL && cl != NULL ? control_line_ok(data, &len) : NULL;
	ssize_t n = -1;

	/* The buffer is empty now; it takes what the socket does not. */
	if (line != NULL)
		n = passfd_send(bufferevent_getfd(cl->bev), line, len, &fd, 1, MSG_DONTWAIT);
	if (cl != NULL && line == NULL)
		(void)control_client_error(cl, "the answer could not be made: out of memory", NULL);
	else if (cl != NULL && n < 0)
		(void)control_client_error(cl, "the answer could not be sent", NULL);
	else if (cl != NULL)
		(void)control_client_write(cl, line + n, len - (size_t)n);
	free(line);
	json_decref(data);
}

bool
control_progress(struct control_request *req, json_t *event)
{
	struct client *cl = req->client;
	size_t len = 0;
	char *line = cl != NULL && control_client_unsent(cl) == 0 && event != NULL ?
	    control_line_event(event, &len) : NULL;
	bool sent = line != NULL && control_client_write(cl, line, len);

	free(line);
	json_decref(event);
	return sent;
}

void
control_fail_see(struct control_request *req, const char *see, const char *fmt, ...)
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
		(void)control_client_error(cl, "out of memory", NULL);
		return;
	}
	for (char *p = text; *p != '\0'; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || (unsigned char)*p >= 0x7f)
			*p = '?';
	(void)control_client_error(cl, text, see);
	free(text);
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
	size_t waiting = cl->following ? control_client_unsent(cl) : evbuffer_get_length(cl->held);

	if (waiting + len > cl->follow_slack + LIMIT_CONTROL_FOLLOW_BYTES) {
		log_info("control: a follower (uid %u) does not read its events; disconnected",
		    (unsigned)cl->uid);
		control_client_free(cl);
	} else if (cl->following) {
		(void)control_client_write(cl, line, len);   /* a client that left needs none */
	} else if (evbuffer_add(cl->held, line, len) != 0) {
		log_warn("control: out of memory for events");
		control_client_free(cl);
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

	if (c->nfollowers > 0)
		return true;
	TAILQ_FOREACH(cl, &c->clients, link)
		if (cl->follow_asked)
			return true;
	return false;
}

uid_t
control_request_uid(const struct control_request *req)
{
	return req->uid;
}
