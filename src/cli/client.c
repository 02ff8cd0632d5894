/* client: one connection to the daemon, blocking, and what to say when there is none. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/passfd.h"
#include "base/suggest.h"
#include "src/cli/cli.h"
#include "src/control/control.h"

struct cli_client {
	const struct cli *cli;
	int fd;
	FILE *stream;          /* reads from fd */
	char *line;
	size_t size;
	bool told;             /* why there is no answer */
};

static void
say_why_not(const char *path, int error)
{
	const struct passwd *pw;

	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		cli_note("no jitsud listens on %s: start it with `systemctl start jitsud` "
		    "(or `jitsud -f`), or name its socket with -s", path);
		break;
	case EACCES:
	case EPERM:
		pw = getpwuid(geteuid());
		cli_note("permission denied on %s: be root, be listed in `admins` of "
		    "jitsu.conf, or, to read, join the group " CONTROL_GROUP
			       " (`adduser %s " CONTROL_GROUP "`, then log in again)",
		    path, pw != NULL ? pw->pw_name : "YOU");
		break;
	default:
		cli_note("%s: %s", path, strerror(error));
	}
}

static int
dial(const struct cli *cli)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = cli->verb->wait.s };
	int fd;

	if (strlen(cli->socket) >= sizeof(sun.sun_path)) {
		cli_note("%s: a socket's path has at most %zu characters", cli->socket,
		    sizeof(sun.sun_path) - 1);
		return -1;
	}
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", cli->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		say_why_not(cli->socket, errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!cli->follow && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0)
		/* the wait has no end then */
		cli_note("%s: time-out: %s", cli->socket, strerror(errno));
	return fd;
}

/* Sends the request.  A daemon that refuses us may have closed: then its answer says why. */
static bool
send_request(struct cli_client *c, int fd, json_t *request)
{
	char *text = NULL;
	size_t len, sent = 0;
	ssize_t n = 0;

	if (request != NULL &&
	    json_object_set_new(request, "v", json_integer(CONTROL_VERSION)) == 0 &&
	    json_object_set_new(request, "verb", json_string(c->cli->verb->name)) == 0)
		text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (text == NULL) {
		cli_note("the request cannot be made: out of memory, or the name is no UTF-8");
		return false;
	}
	len = strlen(text);
	text[len++] = '\n';   /* in the place of the NUL */
	while (sent < len && (n = send(fd, text + sent, len - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	free(text);
	if (sent < len && errno != EPIPE && errno != ECONNRESET) {
		cli_note("%s: %s", c->cli->socket, strerror(errno));
		return false;
	}
	return true;
}

/* Nothing came for a while: is it worth waiting?  Any answer, also a refusal, is a sign of life. */
static bool
still_lives(struct cli_client *c)
{
	const struct cli_verb *status = cli_verb_find("status");
	struct cli_verb probe;
	struct cli ask = *c->cli;
	struct cli_client *other;
	bool lives;

	if (!c->cli->verb->wait.asks || status == NULL)
		return false;
	probe = *status;
	probe.wait.s = c->cli->verb->wait.s;
	ask.verb = &probe;
	ask.arg = NULL;
	other = cli_client_ask(&ask, json_pack("{s:b}", "bad_zones", 1));
	lives = other != NULL && getline(&other->line, &other->size, other->stream) >= 0;
	c->told = other == NULL;
	cli_client_free(other);
	if (!lives)
		errno = EAGAIN;
	return lives;
}

/* As passfd_recv, whose wait goes on after a stop (^Z); begun again while the daemon lives. */
static ssize_t
receive(struct cli_client *c, void *bytes, size_t len, int *fd, unsigned nfds)
{
	unsigned n;
	ssize_t got;

	do {
		n = nfds;
		got = passfd_recv(c->fd, bytes, len, fd, &n, NULL);
	} while (got < 0 && errno == EAGAIN && still_lives(c));
	return got;
}

static ssize_t
stream_read(void *arg, char *buf, size_t size)
{
	return receive(arg, buf, size, NULL, 0);
}

struct cli_client *
cli_client_ask(const struct cli *cli, json_t *request)
{
	static const cookie_io_functions_t reader = { .read = stream_read };
	struct cli_client *c = mem_zero(1, sizeof(*c));

	c->cli = cli;
	c->fd = dial(cli);
	if (c->fd >= 0 && send_request(c, c->fd, request)) {
		c->stream = fopencookie(c, "r", reader);
		if (c->stream == NULL)
			cli_note("%s: %s", cli->socket, strerror(errno));
	}
	json_decref(request);
	if (c->stream != NULL)
		return c;
	cli_client_free(c);
	return NULL;
}

json_t *
cli_client_once(const struct cli *cli, json_t *request)
{
	struct cli_client *c = cli_client_ask(cli, request);
	json_t *data = c != NULL ? cli_client_next(c, NULL) : NULL;

	cli_client_free(c);
	return data;
}

/* Every name in the answer of a reading verb: of units in an array, of zones in the status. */
static void
offer_names(struct suggest *s, const json_t *data)
{
	const json_t *rows = json_is_array(data) ? data : json_object_get(data, "zones"), *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name != NULL)
			suggest_offer(s, name);
	}
}

/* A failure with what may have been meant, if the daemon says which verb (`see`) has the names. */
static void
say_failure(const struct cli_client *c, const char *failure, const json_t *see)
{
	const struct cli_verb *v = see != NULL ? cli_verb_find(json_string_value(see)) : NULL;
	char name[LIMIT_NAME_TEXT];
	struct cli ask = *c->cli;
	struct suggest s;
	struct errmsg m;
	json_t *data;

	if (v == NULL || v->least > 0 || ask.arg == NULL ||
	    control_name_normalize(ask.arg, name, &m) != ERR_OK) {
		cli_note("%s", failure);
		return;
	}
	ask.verb = v;
	ask.arg = NULL;
	ask.follow = false;
	suggest_init(&s, name);
	data = cli_client_once(&ask, json_object());
	offer_names(&s, data);
	cli_note("%s%s", failure, suggest_text(&s));
	json_decref(data);
}

static json_t *
answer_of(struct cli_client *c, size_t len, bool *is_event)
{
	struct errmsg m;
	char *failure;
	json_t *data;

	switch (control_response_parse(c->line, len, &data, is_event, &failure, &m)) {
	case ERR_OK:
		break;
	case ERR_STATE:
		say_failure(c, failure, data);
		free(failure);
		json_decref(data);
		data = NULL;
		break;
	case ERR_UNSUPPORTED:
		cli_note("%s: %s; use the jitsu that came with that jitsud (this one "
		    "is " JITSU_VERSION ")", c->cli->socket, m.text);
		break;
	default:
		cli_note("%s: %s", c->cli->socket, m.text);
	}
	return data;
}

static void
say_no_answer(const struct cli_client *c, bool late)
{
	if (c->told)
		return;
	if (late)
		cli_note("jitsud on %s does not answer: no reply to %s within %d s",
		    c->cli->socket, c->cli->verb->name, c->cli->verb->wait.s);
	else
		cli_note("jitsud on %s closed the connection%s", c->cli->socket,
		    c->cli->follow ? "" : " without an answer: see its log");
}

json_t *
cli_client_next(struct cli_client *c, bool *is_event)
{
	bool unused;
	ssize_t n;

	errno = 0;
	n = getline(&c->line, &c->size, c->stream);
	if (n >= 0)
		return answer_of(c, (size_t)n, is_event != NULL ? is_event : &unused);
	say_no_answer(c, ferror(c->stream) && errno == EAGAIN);
	return NULL;
}

json_t *
cli_client_next_fd(struct cli_client *c, int *fd)
{
	char byte;
	ssize_t n;

	*fd = -1;
	/* The descriptor comes with the first byte; the rest of the line is read as ever. */
	n = receive(c, &byte, 1, fd, 1);
	if (n != 1) {
		say_no_answer(c, n < 0 && errno == EAGAIN);
		return NULL;
	}
	if (ungetc((unsigned char)byte, c->stream) == EOF) {
		cli_note("%s: the answer cannot be read", c->cli->socket);
		return NULL;
	}
	return cli_client_next(c, NULL);
}

void
cli_client_free(struct cli_client *c)
{
	if (c == NULL)
		return;
	if (c->stream != NULL)
		(void)fclose(c->stream);   /* only read from */
	if (c->fd >= 0)
		close(c->fd);
	free(c->line);
	free(c);
}
