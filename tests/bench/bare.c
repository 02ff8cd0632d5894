/*
 * bare: how long a VM takes without jitsud, with everything prepared that can be: from posix_spawn
 * of a command line to the guest's SYN-ACK.
 *
 *   bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS UID GID -- COMMAND...
 *
 * Descriptor 3 of the command is a listening UNIX socket, 4 is a tap that is a port of BRIDGE, as
 * jitsud passes them to QEMU.  A SYN to port 80 leaves every millisecond from a packet socket on
 * the bridge.  Prints microseconds, and ends the command.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/knock.h"
#include "tests/bench/prepare.h"

static int64_t
still_runs(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	if (waitpid(pid, NULL, WNOHANG) == pid)
		errx(1, "the command ended");
	return NS_PER_MS;
}

int
main(int argc, char **argv)
{
	static char *environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	    (char *)"LC_ALL=C", NULL };
	posix_spawn_file_actions_t fa;
	int tap, listener, error;
	int64_t start, took;
	char name[IFNAMSIZ];
	pid_t pid;
	bool came;

	if (argc < 9 || strcmp(argv[7], "--") != 0)
		errx(2, "usage: bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS UID GID "
		    "-- COMMAND...");
	knock_init(argv[1], argv[2], argv[3], argv[4]);
	snprintf(name, sizeof(name), "bare%d", (int)getpid());
	tap = prepare_tap(argv[1], name);
	listener = prepare_listener();
	prepare_user((uid_t)atoi(argv[5]), (gid_t)atoi(argv[6]));
	if (posix_spawn_file_actions_init(&fa) != 0 ||
	    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, 0, 1) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, listener, FD_QMP) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, tap, FD_TAP) != 0)
		err(1, "descriptors");
	start = now_ns();
	error = posix_spawn(&pid, argv[8], &fa, NULL, argv + 8, environment);
	if (error != 0)
		errx(1, "%s: %s", argv[8], strerror(error));
	came = knock(start, NS_PER_MS, still_runs, &pid);
	took = now_ns() - start;
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, NULL, 0) != pid)
		warn("pid %d", (int)pid);
	if (!came)
		errx(1, "no SYN-ACK within %d s", KNOCK_GIVE_UP_S);
	printf("%.1f\n", (double)took / 1000);
	return 0;
}
