/* qmp: lines in, flags and replies out; and the socket under it. */
#include "vm/qemu/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/passfd.h"

void
qmp_init(struct qmp *q)
{
	memset(q, 0, sizeof(*q));
	q->fd = -1;
}

void
qmp_clear(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	free(q->buf);
	json_decref(q->reply);
	qmp_init(q);
}

/* ---- lines ---- */

static enum err
nonsense(struct errmsg *m, const char *what, const char *line, size_t len)
{
	char quoted[96];

	text_escape(quoted, sizeof(quoted), line, len < 60 ? len : 60);
	return err_set(m, ERR_PROTO, "QEMU talks nonsense (%s): \"%s%s\"", what, quoted, len > 60 ?
	    "..." : "");
}

void
qmp_word(char *word, size_t size, const char *said)
{
	size_t n = 0;

	for (; said != NULL && *said != '\0' && n + 1 < size; said++)
		if ((*said >= 'a' && *said <= 'z') || *said == '-')
			word[n++] = *said;
	word[n] = '\0';
}

static enum err
on_event(struct qmp *q, const json_t *obj, struct errmsg *m)
{
	const char *name = json_string_value(json_object_get(obj, "event")), *status;
	const json_t *data = json_object_get(obj, "data");
	uint64_t now = clock_now_ns();

	if (name == NULL)
		return err_set(m, ERR_PROTO, "QEMU talks nonsense (an event without a name)");
	if (now - q->window_ns > LIMIT_QMP_EVENTS_S * NS_PER_S) {
		q->window_ns = now;
		q->events = 0;
	}
	if (++q->events > LIMIT_QMP_EVENTS)
		return err_set(m, ERR_PROTO, "QEMU sent more than %d events in %d s",
		    LIMIT_QMP_EVENTS, (int)LIMIT_QMP_EVENTS_S);
	q->saw_shutdown |= strcmp(name, "SHUTDOWN") == 0;
	q->saw_panic |= strcmp(name, "GUEST_PANICKED") == 0;
	q->saw_stop |= strcmp(name, "STOP") == 0;
	q->saw_resume |= strcmp(name, "RESUME") == 0;
	if (strcmp(name, "SHUTDOWN") == 0)
		qmp_word(q->reason, sizeof(q->reason),
		    json_string_value(json_object_get(data, "reason")));
	status = json_string_value(json_object_get(data, "status"));
	if (strcmp(name, "MIGRATION") == 0 && status != NULL) {
		q->saw_migrated |= strcmp(status, "completed") == 0;
		q->saw_migration_failed |= strcmp(status, "failed") == 0;
	}
	return ERR_OK;
}

static enum err
on_reply(struct qmp *q, json_t *obj, struct errmsg *m)
{
	const json_t *id = json_object_get(obj, "id");
	uint64_t number;

	if (!json_is_integer(id) || json_integer_value(id) <= 0)
		return err_set(m, ERR_PROTO, "QEMU talks nonsense (a reply without our id)");
	number = (uint64_t)json_integer_value(id);
	if (number > q->id)
		return err_set(m, ERR_PROTO, "QEMU talks nonsense (a reply to a command that was "
		    "not sent)");
	if (number < q->id)
		return ERR_OK;     /* to a command whose deadline has passed */
	if (q->reply != NULL)
		return err_set(m, ERR_PROTO, "QEMU talks nonsense (two replies to one command)");
	q->reply = json_incref(obj);
	return ERR_OK;
}

static enum err
on_line(struct qmp *q, const char *line, size_t len, struct errmsg *m)
{
	enum err e = ERR_OK;
	json_error_t je;
	json_t *obj;
	bool greeting;

	if (len == 0 || (len == 1 && line[0] == '\r'))
		return ERR_OK;
	obj = json_loadb(line, len, 0, &je);
	greeting = json_is_object(json_object_get(obj, "QMP"));
	if (!json_is_object(obj))
		e = nonsense(m, "no JSON object", line, len);
	/* In front of the greeting, too: QEMU's socket is open a moment before it greets. */
	else if (json_object_get(obj, "event") != NULL)
		e = on_event(q, obj, m);
	else if (q->state == QMP_GREETING && !greeting)
		e = nonsense(m, "no greeting", line, len);
	else if (q->state == QMP_GREETING)
		q->state = QMP_CAPS;
	else if (json_object_get(obj, "return") != NULL ||
	    json_is_object(json_object_get(obj, "error")))
		e = on_reply(q, obj, m);
	else
		e = nonsense(m, "neither event nor reply", line, len);
	json_decref(obj);
	return e;
}

static enum err
keep(struct qmp *q, const char *data, size_t len, struct errmsg *m)
{
	if (q->len + len > LIMIT_QMP_LINE)
		return err_set(m, ERR_PROTO, "QEMU sent a line of more than %d bytes",
		    LIMIT_QMP_LINE);
	if (q->buf == NULL || q->len + len > q->size) {   /* an empty first line needs one, too */
		q->size = q->size == 0 ? 4096 : q->size;
		while (q->size < q->len + len)
			q->size *= 2;
		q->buf = mem_resize(q->buf, q->size, 1);
	}
	memcpy(q->buf + q->len, data, len);
	q->len += len;
	return ERR_OK;
}

enum err
qmp_feed(struct qmp *q, const char *data, size_t len, struct errmsg *m)
{
	enum err e = ERR_OK;

	while (len > 0 && e == ERR_OK) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) : len;

		e = keep(q, data, n, m);
		if (e != ERR_OK || end == NULL)
			break;
		e = on_line(q, q->buf, q->len, m);
		q->len = 0;
		data += n + 1;
		len -= n + 1;
	}
	return e;
}

/* ---- the socket ---- */

/* A socket and its address.  A directory's descriptor keeps names short: sun_path has 108 bytes. */
static enum err
socket_make(int dir_fd, const char *name, int flags, struct sockaddr_un *sun, int *fd,
    struct errmsg *m)
{
	*fd = -1;
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((size_t)snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s", dir_fd,
	    name) >= sizeof(sun->sun_path))
		return err_set(m, ERR_RANGE, "socket name %s is too long", name);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return *fd >= 0 ? ERR_OK : err_sys(m, "socket");
}

enum err
qmp_listen(int dir_fd, const char *name, int *fd, struct errmsg *m)
{
	struct sockaddr_un sun;
	enum err e = socket_make(dir_fd, name, 0, &sun, fd, m);

	if (e != ERR_OK)
		return e;
	if (bind(*fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(*fd, 4) != 0) {
		e = err_sys(m, "QMP socket");
		close(*fd);
		*fd = -1;
	}
	return e;
}

enum err
qmp_connect(struct qmp *q, int dir_fd, const char *name, struct errmsg *m)
{
	struct sockaddr_un sun;
	enum err e;

	qmp_clear(q);
	e = socket_make(dir_fd, name, SOCK_NONBLOCK, &sun, &q->fd, m);
	if (e != ERR_OK)
		return e;
	if (connect(q->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		e = errno == EAGAIN ? err_set(m, ERR_LIMIT, "QMP socket: other programs wait for "
		    "QEMU's answer already") : err_sys(m, "QMP socket");
		qmp_clear(q);
		return e;
	}
	q->state = QMP_GREETING;
	return ERR_OK;
}

/* Sends all of it by the deadline; the descriptor goes with the first byte. */
static enum err
send_all(struct qmp *q, const char *data, size_t len, int pass_fd, uint64_t deadline_ns,
    struct errmsg *m)
{
	while (len > 0) {
		struct pollfd p = { .fd = q->fd, .events = POLLOUT };
		uint64_t now = clock_now_ns();
		ssize_t n = passfd_send(q->fd, data, len, &pass_fd, pass_fd >= 0, MSG_DONTWAIT);

		if (n > 0) {
			pass_fd = -1;
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return err_set(m, ERR_MISSING, "QEMU closed its QMP connection");
		if (n < 0 && errno != EAGAIN)
			return err_sys(m, "QMP: send");
		if (now >= deadline_ns)
			return err_set(m, ERR_TIMEOUT, "QEMU does not read its QMP socket");
		if (poll(&p, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return err_sys(m, "QMP: poll");
	}
	return ERR_OK;
}

static enum err
send_command(struct qmp *q, const char *name, json_t *args, int pass_fd, uint64_t deadline_ns,
    struct errmsg *m)
{
	json_t *obj = json_pack("{s:s,s:I}", "execute", name, "id", (json_int_t)(q->id + 1));
	char *text = NULL;
	enum err e;

	if (obj == NULL || (args != NULL && json_object_set(obj, "arguments", args) != 0) ||
	    (text = json_dumps(obj, JSON_COMPACT)) == NULL) {
		e = err_set(m, ERR_NOMEM, "QMP: out of memory");
	} else {
		q->id++;
		json_decref(q->reply);
		q->reply = NULL;
		e = send_all(q, text, strlen(text), pass_fd, deadline_ns, m);
		if (e == ERR_OK)
			e = send_all(q, "\n", 1, -1, deadline_ns, m);
	}
	free(text);
	json_decref(obj);
	return e;
}

/* Asks for the capabilities after a greeting; their reply makes the connection ready. */
static enum err
advance(struct qmp *q, struct errmsg *m)
{
	if (q->state == QMP_CAPS && q->id == 0)
		return send_command(q, "qmp_capabilities", NULL, -1, clock_now_ns() + NS_PER_S, m);
	if (q->state == QMP_CAPS && q->reply != NULL) {
		bool refused = json_object_get(q->reply, "error") != NULL;

		json_decref(q->reply);
		q->reply = NULL;
		if (refused)
			return err_set(m, ERR_PROTO, "QEMU refuses qmp_capabilities");
		q->state = QMP_READY;
	}
	return ERR_OK;
}

enum err
qmp_pump(struct qmp *q, struct errmsg *m)
{
	char data[16384];
	enum err e = ERR_OK;

	if (q->fd < 0)
		return err_set(m, ERR_STATE, "no QMP connection");
	/* At most one longest line per call, or a talkative QEMU keeps the thread. */
	for (size_t got = 0; got < LIMIT_QMP_LINE && e == ERR_OK;) {
		ssize_t n = recv(q->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_sys(m, "QMP: receive");
		if (n <= 0)
			return err_set(m, ERR_MISSING, "QEMU closed its QMP connection");
		q->heard = true;
		got += (size_t)n;
		e = qmp_feed(q, data, (size_t)n, m);
		if (e == ERR_OK)
			e = advance(q, m);
	}
	return e;
}

static bool
is_ready(const struct qmp *q)
{
	return q->state == QMP_READY;
}

static bool
has_reply(const struct qmp *q)
{
	return q->reply != NULL;
}

enum err
qmp_wait(struct qmp *q, bool (*seen)(const struct qmp *), uint64_t deadline_ns, struct errmsg *m)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && !seen(q)) {
		struct pollfd p = { .fd = q->fd, .events = POLLIN };
		uint64_t now = clock_now_ns();
		bool late = now >= deadline_ns;

		/* What has come is read also when the deadline passed while we had no processor. */
		if (poll(&p, 1, late ? 0 : (int)((deadline_ns - now) / NS_PER_MS) + 1) < 0 &&
		    errno != EINTR)
			return err_sys(m, "QMP: poll");
		e = qmp_pump(q, m);
		if (e == ERR_OK && late && !seen(q))
			e = err_set(m, ERR_TIMEOUT, "QEMU does not answer on its QMP socket");
	}
	return e;
}

static enum err
take_reply(struct qmp *q, const char *name, json_t **ret, struct errmsg *m)
{
	json_t *error = json_object_get(q->reply, "error");
	enum err e = ERR_OK;

	if (error != NULL) {
		const char *desc = json_string_value(json_object_get(error, "desc"));

		e = err_set(m, ERR_STATE, "QEMU refuses %s: %.200s", name, desc != NULL ? desc :
		    "no reason given");
	} else if (ret != NULL) {
		*ret = json_incref(json_object_get(q->reply, "return"));
	}
	json_decref(q->reply);
	q->reply = NULL;
	return e;
}

enum err
qmp_command(struct qmp *q, const char *name, json_t *args, int pass_fd, uint64_t deadline_ns,
    json_t **ret, struct errmsg *m)
{
	enum err e;

	if (ret != NULL)
		*ret = NULL;
	if (q->fd < 0) {
		json_decref(args);
		return err_set(m, ERR_STATE, "no QMP connection");
	}
	e = qmp_wait(q, is_ready, deadline_ns, m);
	if (e == ERR_OK)
		e = send_command(q, name, args, pass_fd, deadline_ns, m);
	if (e == ERR_OK)
		e = qmp_wait(q, has_reply, deadline_ns, m);
	if (e == ERR_OK)
		e = take_reply(q, name, ret, m);
	json_decref(args);
	return e;
}

enum err
qmp_ask(struct qmp *q, const char *name, struct errmsg *m)
{
	if (q->state != QMP_READY)
		return err_set(m, ERR_STATE, "QEMU has not greeted us on its QMP socket");
	return send_command(q, name, NULL, -1, clock_now_ns(), m);
}
