/*
 * storm: how long many VMs take without jitsud, each with everything prepared that can be: from the
 * first posix_spawn until the last guest's SYN-ACK, with so many boots under way at a time.
 *
 *   storm BRIDGE SOURCE_ADDRESS COUNT AT_ONCE UID GID -- COMMAND...
 *
 * In the words of COMMAND, @MAC@, @ADDRESS@ and @N@ stand for the VM's own.  Descriptor 3 of each
 * is a listening UNIX socket, 4 is a tap that is a port of BRIDGE.  Prints milliseconds; ends the
 * VMs.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/knock.h"
#include "tests/bench/prepare.h"

#define WORDS 256

struct guest {
	struct knock_to to;
	char mac[18], address[32], number[12];
	int tap, listener;
	pid_t pid;
	bool up;
};

static const char *bridge;
static struct guest *guests;
static unsigned count, at_once, started, ready;
static char **command;

static void
guest_prepare(struct guest *g, unsigned n)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "storm%u", n);
	snprintf(g->mac, sizeof(g->mac), "02:00:00:78:%02x:%02x", n >> 8 & 0xff, n & 0xff);
	snprintf(g->address, sizeof(g->address), "10.77.%u.%u", 200 + n / 250, n % 250 + 1);
	snprintf(g->number, sizeof(g->number), "%u", n);
	knock_to(&g->to, g->mac, g->address);
	g->tap = prepare_tap(bridge, name);
	g->listener = prepare_listener();
}

/* A word of the command with the guest's own in place of what stands for them; malloc'd. */
static char *
word_of(const char *word, const struct guest *g)
{
	const struct {
		const char *sign, *text;
	} signs[] = { { "@MAC@", g->mac }, { "@ADDRESS@", g->address }, { "@N@", g->number } };
	char out[4096] = "";
	size_t n = 0;

	while (*word != '\0' && n < sizeof(out) - 32) {
		unsigned i = 0;

		while (i < 3 && strncmp(word, signs[i].sign, strlen(signs[i].sign)) != 0)
			i++;
		if (i == 3) {
			out[n++] = *word++;
			continue;
		}
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", signs[i].text);
		word += strlen(signs[i].sign);
	}
	out[n] = '\0';
	return strdup(out);
}

static void
guest_start(struct guest *g)
{
	static char *environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	    (char *)"LC_ALL=C", NULL };
	posix_spawn_file_actions_t fa;
	char *words[WORDS] = { NULL };
	int error;

	for (unsigned i = 0; i < WORDS - 1 && command[i] != NULL; i++)
		words[i] = word_of(command[i], g);
	if (posix_spawn_file_actions_init(&fa) != 0 ||
	    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, 0, 1) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, g->listener, FD_QMP) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, g->tap, FD_TAP) != 0)
		err(1, "descriptors");
	error = posix_spawn(&g->pid, words[0], &fa, NULL, words, environment);
	if (error != 0)
		errx(1, "%s: %s", words[0], strerror(error));
	(void)posix_spawn_file_actions_destroy(&fa);
	for (unsigned i = 0; words[i] != NULL; i++)
		free(words[i]);
}

static void
start_more(void)
{
	while (started < count && started - ready < at_once)
		guest_start(&guests[started++]);
}

static void
on_syn_ack(const struct knock_to *to, void *arg)
{
	struct guest *g = (struct guest *)to;     /* its first member */

	(void)arg;
	if (g->up)
		return;
	g->up = true;
	ready++;
	start_more();
}

static void
knock_waiting(void)
{
	for (unsigned i = 0; i < started; i++)
		if (!guests[i].up)
			knock_send(&guests[i].to);
}

static void
finish(int status)
{
	for (unsigned i = 0; i < started; i++)
		(void)kill(guests[i].pid, SIGKILL);
	while (wait(NULL) > 0)
		;
	exit(status);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 8192, 8192 };
	int64_t start, next;

	if (argc < 9 || strcmp(argv[7], "--") != 0)
		errx(2, "usage: storm BRIDGE SOURCE_ADDRESS COUNT AT_ONCE UID GID -- COMMAND...");
	bridge = argv[1];
	count = (unsigned)atoi(argv[3]);
	at_once = (unsigned)atoi(argv[4]);
	command = argv + 8;
	guests = calloc(count, sizeof(*guests));
	if (guests == NULL || setrlimit(RLIMIT_NOFILE, &files) != 0)
		err(1, "%u guests", count);
	knock_open(bridge, argv[2]);
	for (unsigned i = 0; i < count; i++)
		guest_prepare(&guests[i], i);
	prepare_user((uid_t)atoi(argv[5]), (gid_t)atoi(argv[6]));
	start = next = now_ns();
	start_more();
	while (ready < count) {
		int64_t now = now_ns();

		if (now > start + KNOCK_GIVE_UP_S * NS_PER_S) {
			warnx("%u of %u guests within %d s", ready, count, KNOCK_GIVE_UP_S);
			finish(1);
		}
		if (now >= next) {
			knock_waiting();
			next = now + NS_PER_MS;
		}
		knock_hear(next - now, guests, sizeof(*guests), started, on_syn_ack, NULL);
	}
	printf("%.1f\n", (double)(now_ns() - start) / 1e6);
	(void)fflush(stdout);
	finish(0);
}
