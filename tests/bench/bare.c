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
#include <grp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/knock.h"

#define FD_QMP 3
#define FD_TAP 4

static const char *bridge;

static int
tap_open(void)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC),
	    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[IFNAMSIZ];

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "bare%d", (int)getpid());
	snprintf(name, sizeof(name), "%s", ifr.ifr_name);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (fd < 0 || sock < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0)
		err(1, "tap");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", bridge);
	ifr.ifr_ifindex = (int)if_nametoindex(name);
	if (ioctl(sock, SIOCBRADDIF, &ifr) != 0)
		err(1, "%s: port %s", bridge, name);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) != 0)
		err(1, "%s: up", name);
	close(sock);
	return fd;
}

/* A listening socket with an address of the kernel's choice (unix(7), autobind). */
static int
listener_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at.sun_family)) != 0 ||
	    listen(fd, 1) != 0)
		err(1, "listening socket");
	return fd;
}

static void
become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		err(1, "uid %d", (int)uid);
}

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
	pid_t pid;
	bool came;

	if (argc < 9 || strcmp(argv[7], "--") != 0)
		errx(2, "usage: bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS UID GID "
		    "-- COMMAND...");
	bridge = argv[1];
	knock_init(bridge, argv[2], argv[3], argv[4]);
	tap = fcntl(tap_open(), F_DUPFD_CLOEXEC, 100);
	listener = fcntl(listener_open(), F_DUPFD_CLOEXEC, 100);
	become((uid_t)atoi(argv[5]), (gid_t)atoi(argv[6]));
	if (tap < 0 || listener < 0 || posix_spawn_file_actions_init(&fa) != 0 ||
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
