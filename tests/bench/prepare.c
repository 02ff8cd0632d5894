/* prepare: tap, socket and user. */
#include "tests/bench/prepare.h"

#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
high(int fd)
{
	int other = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	if (fd < 0 || other < 0)
		err(1, "descriptor");
	close(fd);
	return other;
}

int
prepare_tap(const char *bridge, const char *name)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC),
	    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
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
	return high(fd);
}

int
prepare_listener(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at.sun_family)) != 0 ||
	    listen(fd, 1) != 0)
		err(1, "listening socket");
	return high(fd);
}

void
prepare_user(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		err(1, "uid %d", (int)uid);
}
