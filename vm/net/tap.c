/* tap: its name, and its creation by ioctl. */
#include "vm/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hex.h"
#include "vm/net/port.h"

void
tap_name(const struct vm_uuid *uuid, unsigned nic, char name[IFNAMSIZ])
{
	char id[9];

	hex_write(id, uuid->bytes, 4);
	snprintf(name, IFNAMSIZ, "jt%s.%u", id, nic % 100);
}

enum err
tap_device(int *fd, struct errmsg *m)
{
	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return *fd >= 0 ? ERR_OK : err_sys(m, "/dev/net/tun (taps need it: modprobe tun, and root "
	    "or CAP_NET_ADMIN)");
}

enum err
tap_attach(int fd, const char *name, struct errmsg *m)
{
	struct ifreq ifr = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL),
	};

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return ERR_OK;
	if (errno == EBUSY)
		return err_set(m, ERR_EXISTS, "tap %s exists already", name);
	if (errno == ENOTTY || errno == EINVAL)
		return err_sys(m, "/dev/net/tun is not the device of taps (rm /dev/net/tun && "
		    "mknod -m 600 /dev/net/tun c 10 200)");
	return err_sys(m, "tap %s", name);
}

enum err
tap_make(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6], int *fd,
    struct errmsg *m)
{
	enum err e = tap_device(fd, m);

	if (e != ERR_OK)
		return e;
	e = tap_attach(*fd, name, m);
	if (e == ERR_OK)
		e = port_add(parks, name, bridge, mac, m);
	if (e != ERR_OK) {
		close(*fd);
		*fd = -1;
	}
	return e;
}
