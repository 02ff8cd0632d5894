/*
 * forge: says to the warden what a captured child might say, on the child's own channel.
 *
 *     forge PID expired UNIT COUNT   held queries of the unit were answered too early
 *     forge PID nothing UNIT COUNT   ... were answered, but none
 *     forge PID include ZONE COUNT   the zone wants "forged.zone" included
 *     forge PID wake UNIT COUNT      somebody asked for the unit
 *     forge PID log LEVEL COUNT      a line for the log
 *
 * The channel is taken out of the process with pidfd_getfd(2); what the warden answers is read and
 * thrown away.  Prints how many messages it could send before the warden had enough.  Exit status:
 * 0; 2 for trouble.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/msg.h"

#define CHANNEL_FD 3
#define EXIT_TROUBLE 2
#define PATIENCE_MS 30000

static int
trouble(const char *what)
{
	fprintf(stderr, "forge: %s: %s\n", what, strerror(errno));
	return EXIT_TROUBLE;
}

static void
answered(struct msg *m, uint32_t unit, uint32_t answers)
{
	m->type = MSG_ANSWERED;
	m->unit = unit;
	m->answered.answers = answers;
	m->answered.first_query_ns = m->time_ns;
	m->answered.expired = 1;
}

static void
expired(struct msg *m, uint32_t unit)
{
	answered(m, unit, 1);
}

static void
nothing(struct msg *m, uint32_t unit)
{
	answered(m, unit, 0);
}

static void
include(struct msg *m, uint32_t zone)
{
	m->type = MSG_WANT_INCLUDE;
	m->include.index = zone;
	strcpy(m->include.path, "forged.zone");
}

static void
wake(struct msg *m, uint32_t unit)
{
	m->type = MSG_WAKE;
	m->unit = unit;
	/* what was asked for before the end of the last wake begins no other */
	m->time_ns = UINT64_MAX;
}

static void
line(struct msg *m, uint32_t level)
{
	m->type = MSG_LOG;
	m->log.level = level;
	strcpy(m->log.text, "\033[31mforged\nwarden: error: all is lost");
}

static const struct {
	const char *name;
	void (*make)(struct msg *m, uint32_t number);
} kinds[] = { { "expired", expired }, { "nothing", nothing }, { "include", include },
    { "wake", wake }, { "log", line } };

/* Empties the channel of messages; descriptors beside them are not taken. */
static void
drain(int fd)
{
	struct msg m;

	while (recv(fd, &m, sizeof(m), MSG_DONTWAIT) > 0)
		;
}

/* False when the warden does not want to hear it any more. */
static int
say(int fd, const struct msg *m)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	for (;;) {
		drain(fd);
		if (send(fd, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*m))
			return 1;
		if (errno != EAGAIN || poll(&p, 1, PATIENCE_MS) <= 0)
			return 0;
	}
}

int
main(int argc, char **argv)
{
	struct msg m = { .version = MSG_VERSION, .time_ns = clock_now_ns() };
	int pidfd, fd;
	long n = 0, count;

	if (argc != 5)
		return trouble("usage: forge PID expired|nothing|include|wake|log NUMBER COUNT");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[2], kinds[i].name) == 0)
			kinds[i].make(&m, (uint32_t)strtoul(argv[3], NULL, 10));
	pidfd = (int)syscall(SYS_pidfd_open, strtol(argv[1], NULL, 10), 0);
	if (pidfd < 0)
		return trouble("pidfd_open");
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, CHANNEL_FD, 0);
	if (fd < 0)
		return trouble("pidfd_getfd");
	count = strtol(argv[4], NULL, 10);
	while (n < count && say(fd, &m))
		n++;
	printf("%ld\n", n);
	return 0;
}
