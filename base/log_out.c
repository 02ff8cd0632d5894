/* log_out: destinations of log lines, and the lines that wait for them. */
#include "base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/thread.h"

#define PAUSE_MS 10

struct line {
	STAILQ_ENTRY(line) next;
	size_t len, sent;             /* a terminal may take a part of a line */
	unsigned long count;          /* of dropped lines that this line tells of */
	char text[];
};

/* How a destination is written to without waiting. */
enum manner {
	MANNER_NONE,                  /* not open */
	MANNER_WRITE,                 /* write(2): a file, or our own non-blocking description */
	MANNER_SEND,                  /* send(2): a socket */
	MANNER_THREAD,                /* write(2) may wait, so only the thread may call it */
};

struct outlet {
	enum manner manner;
	int fd;                       /* -1: nobody listens to syslog; tried with the next line */
	bool journal;                 /* the journal reads "<priority>" in front of a line */
	bool stream;                  /* syslog's socket: lines end with NUL */
	bool waiting;                 /* a thread has been started for what is queued */
	STAILQ_HEAD(, line) queue;
	size_t queued_bytes;
	unsigned long dropped;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct outlet standard = { .fd = STDERR_FILENO,
	.queue = STAILQ_HEAD_INITIALIZER(standard.queue) };
static struct outlet system_log = { .fd = -1, .queue = STAILQ_HEAD_INITIALIZER(system_log.queue) };

/* ---- opening ---- */

/* Is descriptor 2 the journal's?  systemd.exec(5): $JOURNAL_STREAM. */
static bool
is_journal(const struct stat *st)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;

	return env != NULL && sscanf(env, "%llu:%llu", &dev, &ino) == 2 &&
	    st->st_dev == (dev_t)dev && st->st_ino == (ino_t)ino;
}

/* A non-blocking description of the same pipe or terminal takes the number. */
static bool
make_own(int fd)
{
	char path[32];
	int own;
	bool ok;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return false;
	ok = dup2(own, fd) == fd;
	close(own);
	return ok;
}

static enum manner
standard_manner(void)
{
	/* The socket is the service's alone; what libraries write there waits no longer. */
	static const struct timeval patience = { LIMIT_LOG_EXIT_MS / 1000,
		LIMIT_LOG_EXIT_MS % 1000 * 1000 };
	struct stat st;

	standard.journal = false;
	if (fstat(STDERR_FILENO, &st) != 0)
		return MANNER_NONE;
	if (S_ISSOCK(st.st_mode)) {
		standard.journal = is_journal(&st);
		if (standard.journal)
			(void)setsockopt(
			    STDERR_FILENO, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		return MANNER_SEND;
	}
	/* Another description would have a position of its own; a disk is not waited for long. */
	if (S_ISREG(st.st_mode))
		return MANNER_WRITE;
	return make_own(STDERR_FILENO) ? MANNER_WRITE : MANNER_THREAD;
}

/* Datagrams are usual; an old syslogd wants a stream. */
static int
syslog_connect(bool *stream)
{
	static const struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		*stream = types[i] == SOCK_STREAM;
		if (fd < 0)
			return -1;
		if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
			return fd;
		close(fd);
		if (errno != EPROTOTYPE)
			return -1;
	}
	return -1;
}

/* Takes the first line off a queue, if there is one: the caller's. */
static struct line *
queue_take(struct outlet *o)
{
	struct line *l = STAILQ_FIRST(&o->queue);

	if (l != NULL) {
		STAILQ_REMOVE_HEAD(&o->queue, next);
		o->queued_bytes -= sizeof(*l) + l->len;
	}
	return l;
}

static void
outlet_clear(struct outlet *o)
{
	struct line *l;

	while ((l = queue_take(o)) != NULL)
		free(l);
	o->dropped = 0;
	o->manner = MANNER_NONE;
}

/* A child of fork(2) has the lines, but not the threads. */
static void
fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void
fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
fork_child(void)
{
	standard.waiting = system_log.waiting = false;
	pthread_mutex_unlock(&lock);
}

void
log_out_open(bool to_stderr, bool to_syslog)
{
	static bool prepared;

	if (!prepared)
		/* without memory for it: lines of a fork may be lost */
		(void)pthread_atfork(fork_prepare, fork_parent, fork_child);
	prepared = true;
	pthread_mutex_lock(&lock);
	if (!to_stderr)
		outlet_clear(&standard);
	else
		standard.manner = standard_manner();
	if (!to_syslog) {
		outlet_clear(&system_log);
		if (system_log.fd >= 0)
			close(system_log.fd);
		system_log.fd = -1;
	} else {
		tzset();
		system_log.manner = MANNER_SEND;
		if (system_log.fd < 0)
			system_log.fd = syslog_connect(&system_log.stream);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- writing ---- */

/* What was taken of `len` bytes; -1: EAGAIN, later; another error, nobody will ever read them. */
static ssize_t
try_once(const struct outlet *o, const char *text, size_t len)
{
	size_t cut = o == &system_log && !o->stream;   /* a datagram has no NUL at its end */
	ssize_t n;

	do {
		n = o->manner == MANNER_SEND ?
		    send(o->fd, text, len - cut, MSG_DONTWAIT | MSG_NOSIGNAL) :
		    write(o->fd, text, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? n : n + (ssize_t)cut;
}

/* As try_once; makes syslog's socket anew when nobody listens on the old one. */
static ssize_t
try_line(struct outlet *o, const char *text, size_t len)
{
	ssize_t n = -1;

	if (o->fd >= 0)
		n = try_once(o, text, len);
	if (o != &system_log || n >= 0 || (o->fd >= 0 && (errno == EAGAIN || errno == ENOBUFS)))
		return n;
	if (o->fd >= 0)
		close(o->fd);
	o->fd = syslog_connect(&o->stream);
	if (o->fd >= 0)
		return try_once(o, text, len);
	errno = EAGAIN;
	return -1;
}

static void
keep(struct outlet *o, const char *text, size_t len, size_t sent, unsigned long count)
{
	struct line *l =
	    o->queued_bytes + len > LIMIT_LOG_QUEUE_BYTES ? NULL : malloc(sizeof(*l) + len);

	if (l == NULL) {
		o->dropped += count > 0 ? count : 1;
		return;
	}
	l->count = count;
	l->len = len;
	l->sent = sent;
	memcpy(l->text, text, len);
	STAILQ_INSERT_TAIL(&o->queue, l, next);
	o->queued_bytes += sizeof(*l) + len;
}

/* The line as this destination wants it, syslog's with its NUL; its length. */
static int
format(const struct outlet *o, int priority, const char *line, char *buf, size_t size)
{
	char stamp[32];
	struct tm tm;
	time_t now;
	int n;

	if (o != &system_log) {
		n = o->journal ? snprintf(buf, size, "<%d>%s\n", priority, line) :
		    snprintf(buf, size, "%s\n", line);
		return n < (int)size ? n : (int)size - 1;
	}
	now = time(NULL);
	if (localtime_r(&now, &tm) == NULL || strftime(stamp, sizeof(stamp), "%h %e %T", &tm) == 0)
		stamp[0] = '\0';
	n = snprintf(buf, size, "<%d>%s jitsud[%d]: %s", LOG_DAEMON | priority, stamp,
	    (int)getpid(), line);
	return n < (int)size ? n + 1 : (int)size;
}

/* "4711 lines were dropped": behind those that were kept. */
static void
keep_count(struct outlet *o)
{
	unsigned long count = o->dropped;
	char text[160], buf[256];
	int n;

	if (count == 0)
		return;
	snprintf(text, sizeof(text),
	    "log: warning: %lu lines were dropped here: nobody read them, or they "
	    "could not be written", count);
	n = format(o, LOG_WARNING, text, buf, sizeof(buf));
	o->dropped = 0;
	keep(o, buf, (size_t)n, 0, count);
}

/* What could not be written, and never will be, is counted: a disk may have room again. */
static bool
line_lost(struct outlet *o, const struct line *l, ssize_t n)
{
	if (n < 0)
		o->dropped += l->count > 0 ? l->count : 1;
	return n < 0;
}

/* Sends what waits; true when nothing does any more.  Called with the lock held. */
static bool
drain(struct outlet *o)
{
	struct line *l;

	for (bool lost = false;;) {
		ssize_t n;

		if ((l = STAILQ_FIRST(&o->queue)) == NULL) {
			if (lost)
				return true;
			keep_count(o);
			if ((l = STAILQ_FIRST(&o->queue)) == NULL)
				return true;
		}
		n = try_line(o, l->text + l->sent, l->len - l->sent);
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return false;
		if (n >= 0 && (size_t)n < l->len - l->sent) {
			l->sent += (size_t)n;
			continue;
		}
		lost = line_lost(o, l, n);
		free(queue_take(o));
	}
}

/* Writes may wait here: nobody else takes lines off the queue, unless the destination closes. */
static void
drain_waiting(struct outlet *o)
{
	struct line *l;
	ssize_t n;

	while (o->manner == MANNER_THREAD && (l = queue_take(o)) != NULL) {
		pthread_mutex_unlock(&lock);
		do {
			n = write(o->fd, l->text + l->sent, l->len - l->sent);
			l->sent += n > 0 ? (size_t)n : 0;
		} while ((n < 0 && errno == EINTR) || (n > 0 && l->sent < l->len));
		pthread_mutex_lock(&lock);
		if (!line_lost(o, l, n) && STAILQ_EMPTY(&o->queue))
			keep_count(o);
		free(l);
	}
}

static void *
wait_for_reader(void *arg)
{
	struct outlet *o = arg;
	bool ready = false;

	pthread_mutex_lock(&lock);
	while (o->manner != MANNER_NONE && o->fd >= 0) {
		struct pollfd p = { .fd = o->fd, .events = POLLOUT };

		if (o->manner == MANNER_THREAD) {
			drain_waiting(o);
			break;
		}
		if (drain(o))
			break;
		pthread_mutex_unlock(&lock);
		/* An error shows in the write.  What had room, if not enough, is given time. */
		ready = poll(&p, ready ? 0 : 1, ready ? PAUSE_MS : -1) > 0;
		pthread_mutex_lock(&lock);
	}
	o->waiting = false;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Nobody waits for a syslogd that is not there: the next line looks for one. */
static void
start_waiting(struct outlet *o)
{
	pthread_t thread;

	if (o->waiting || o->fd < 0 || thread_start(&thread, wait_for_reader, o) != 0)
		return;
	o->waiting = true;
	(void)pthread_detach(thread);
}

static void
outlet_line(struct outlet *o, int priority, const char *line)
{
	char buf[LIMIT_LOG_LINE + 64];
	ssize_t n = 0;
	int len;

	if (o->manner == MANNER_NONE)
		return;
	len = format(o, priority, line, buf, sizeof(buf));
	if (o->manner != MANNER_THREAD && drain(o)) {
		n = try_line(o, buf, (size_t)len);
		if (n == len)
			return;
		if (n < 0 && errno != EAGAIN && errno != ENOBUFS) {
			o->dropped++;
			return;
		}
	}
	keep(o, buf, (size_t)len, n > 0 ? (size_t)n : 0, 0);
	start_waiting(o);
}

void
log_out_line(int priority, const char *line)
{
	pthread_mutex_lock(&lock);
	outlet_line(&standard, priority, line);
	outlet_line(&system_log, priority, line);
	pthread_mutex_unlock(&lock);
}

static bool
outlet_empty(struct outlet *o)
{
	return o->manner == MANNER_NONE || (o->manner == MANNER_THREAD ? !o->waiting : drain(o));
}

void
log_out_flush(void)
{
	uint64_t end = clock_now_ms() + LIMIT_LOG_EXIT_MS;
	struct pollfd p[2] = { { .events = POLLOUT }, { .events = POLLOUT } };

	pthread_mutex_lock(&lock);
	for (;;) {
		bool thread = standard.manner == MANNER_THREAD;
		uint64_t now = clock_now_ms();
		bool empty[2] = { outlet_empty(&standard), outlet_empty(&system_log) };

		if ((empty[0] && empty[1]) || now >= end)
			break;
		p[0].fd = empty[0] ? -1 : standard.fd;
		p[1].fd = empty[1] ? -1 : system_log.fd;
		pthread_mutex_unlock(&lock);
		/* Where the thread writes, nothing can be waited for: look again soon. */
		(void)poll(p, thread ? 0 : 2, thread ? PAUSE_MS : (int)(end - now));
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
}

/* `head`, the line and its end; by hand: snprintf is not async-signal-safe. */
static void
crash_write(const struct outlet *o, const char *head, const char *line, char end)
{
	char buf[LIMIT_CRASH_LINE + 16];
	size_t n = strnlen(head, 15), len = strnlen(line, LIMIT_CRASH_LINE);

	memcpy(buf, head, n);
	memcpy(buf + n, line, len);
	buf[n + len] = end;
	(void)try_once(o, buf, n + len + 1);
}

void
log_out_crash(const char *line)
{
	/* 3: LOG_ERR; 27: LOG_DAEMON | LOG_ERR. */
	if (standard.manner == MANNER_WRITE || standard.manner == MANNER_SEND)
		crash_write(&standard, standard.journal ? "<3>" : "", line, '\n');
	if (system_log.manner == MANNER_SEND && system_log.fd >= 0)
		crash_write(&system_log, "<27>jitsud: ", line, '\0');
}
