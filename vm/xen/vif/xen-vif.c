/*
 * xen-vif: the hotplug script of a Xen domain's NIC, as a program: joins the backend's interface to
 * its bridge.
 *
 *     xen-vif online|offline|add|remove [type_if=vif|tap]
 *
 * libxl sets XENBUS_PATH, and vif or INTERFACE (the interface); the bridge stands in XenStore at
 * XENBUS_PATH/bridge, and at XENBUS_PATH/vifname another name that the interface is to have.
 * Linked statically, because what a shell script costs here (300 ms to seconds) is the largest part
 * of a small guest's boot.  A failure goes to XENBUS_PATH/hotplug-error, which libxl logs.  Going
 * offline never fails: what is gone already need not leave.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <xenstore.h>

struct job {
	struct xs_handle *xs;
	const char *path;              /* XENBUS_PATH */
	const char *interface;
	char *bridge;
	char *name;                    /* that the interface is to have; NULL = its own */
	int sock;
};

/* The path of a key of the NIC's; one that is too long is an error. */
static int
path_of(const struct job *j, const char *name, char path[256])
{
	if (snprintf(path, 256, "%s/%s", j->path, name) < 256)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int
store(struct job *j, const char *name, const char *value)
{
	char path[256];

	return path_of(j, name, path) == 0 &&
	    xs_write(j->xs, XBT_NULL, path, value, (unsigned)strlen(value)) ? 0 : -1;
}

static int
fail(struct job *j, const char *what, const char *object)
{
	char text[256];
	int saved = errno;

	snprintf(text, sizeof(text), "%s %s: %s", what, object, saved == EXFULL ?
	    "the bridge is full: it has 1,023 ports" : strerror(saved));
	fprintf(stderr, "jitsu-xen-vif: %s\n", text);
	if (j->xs != NULL && j->path != NULL) {
		(void)store(j, "hotplug-error", text);     /* the exit status says it too */
		(void)store(j, "hotplug-status", "error");
	}
	return 1;
}

static char *
read_store(struct job *j, const char *name)
{
	char path[256];
	unsigned len;

	return path_of(j, name, path) == 0 ? xs_read(j->xs, XBT_NULL, path, &len) : NULL;
}

/* A request about `name`; cut off, it would be about another interface. */
static int
request(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	if (strlen(name) >= IFNAMSIZ) {
		errno = ENODEV;
		return -1;
	}
	memcpy(ifr->ifr_name, name, strlen(name));
	return 0;
}

static int
set_up(struct job *j)
{
	struct ifreq ifr;

	if (request(&ifr, j->interface) != 0 || ioctl(j->sock, SIOCGIFFLAGS, &ifr) != 0)
		return -1;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(j->sock, SIOCSIFFLAGS, &ifr);
}

static int
rename_it(struct job *j)
{
	struct ifreq ifr, to;

	if (request(&to, j->name) != 0 || request(&ifr, j->interface) != 0)
		return -1;
	memcpy(ifr.ifr_newname, to.ifr_name, IFNAMSIZ);
	if (ioctl(j->sock, SIOCSIFNAME, &ifr) != 0)
		return -1;
	j->interface = j->name;
	return 0;
}

/* A bridge takes the least MTU of its ports: one of 1,500 would lower a larger. */
static void
follow_mtu(struct job *j)
{
	struct ifreq ifr, bridge;

	if (request(&bridge, j->bridge) != 0 || ioctl(j->sock, SIOCGIFMTU, &bridge) != 0 ||
	    request(&ifr, j->interface) != 0)
		return;
	ifr.ifr_mtu = bridge.ifr_mtu;
	/* if it cannot, the bridge goes down to what the interface can */
	(void)ioctl(j->sock, SIOCSIFMTU, &ifr);
}

static int
bridge_port(struct job *j, unsigned long how)
{
	unsigned ifindex = if_nametoindex(j->interface);
	struct ifreq ifr;

	if (ifindex == 0 || request(&ifr, j->bridge) != 0)
		return -1;
	ifr.ifr_ifindex = (int)ifindex;
	return ioctl(j->sock, how, &ifr);
}

/* Keeps errno. */
static int
is_port(const struct job *j)
{
	int saved = errno, is;
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%.16s/brif/%.16s", j->bridge, j->interface);
	is = access(path, F_OK) == 0;
	errno = saved;
	return is;
}

static int
online(struct job *j, int is_tap)
{
	if (!is_tap && j->name != NULL && *j->name != '\0' && strcmp(j->name, j->interface) != 0 &&
	    rename_it(j) != 0)
		return fail(j, "cannot give the interface its name", j->name);
	follow_mtu(j);
	if (bridge_port(j, SIOCBRADDIF) != 0 && !(errno == EBUSY && is_port(j)))
		return fail(j, "cannot join bridge", j->bridge);
	if (set_up(j) != 0)
		return fail(j, "cannot set up", j->interface);
	if (is_tap)
		return 0;
	return store(j, "hotplug-status", "connected") == 0 ? 0 : fail(j, "XenStore", j->path);
}

/* The interface leaves its bridge by itself when the backend goes. */
static int
offline(struct job *j)
{
	j->xs = xs_open(0);
	j->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (j->xs != NULL && (j->bridge = read_store(j, "bridge")) != NULL)
		(void)bridge_port(j, SIOCBRDELIF);
	return 0;
}

static int
begin(struct job *j)
{
	j->xs = xs_open(0);
	if (j->xs == NULL)
		return fail(j, "XenStore", "");
	j->bridge = read_store(j, "bridge");
	if (j->bridge == NULL)
		return fail(j, "no bridge in XenStore at", j->path);
	j->name = read_store(j, "vifname");
	j->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return j->sock >= 0 ? 0 : fail(j, "socket", "");
}

int
main(int argc, char **argv)
{
	int is_tap = argc > 2 && strcmp(argv[2], "type_if=tap") == 0, status;
	struct job j = { .sock = -1, .path = getenv("XENBUS_PATH"),
	    .interface = getenv(is_tap ? "INTERFACE" : "vif") };

	if (argc < 2) {
		fprintf(stderr, "usage: jitsu-xen-vif online|offline|add|remove "
		    "[type_if=vif|tap]\n");
		return 2;
	}
	if (j.path == NULL || j.interface == NULL) {
		fprintf(stderr, "jitsu-xen-vif: XENBUS_PATH and %s must be set; libxl runs this\n",
		    is_tap ? "INTERFACE" : "vif");
		return 1;
	}
	if (strcmp(argv[1], "online") == 0 || strcmp(argv[1], "add") == 0) {
		status = begin(&j);
		if (status == 0)
			status = online(&j, is_tap);
	} else if (strcmp(argv[1], "offline") == 0 || strcmp(argv[1], "remove") == 0) {
		status = offline(&j);
	} else {
		fprintf(stderr, "jitsu-xen-vif: \"%s\": online, offline, add or remove\n", argv[1]);
		status = 2;
	}
	if (j.sock >= 0)
		close(j.sock);
	if (j.xs != NULL)
		xs_close(j.xs);
	free(j.bridge);
	free(j.name);
	return status;
}
