/* hostnet: asking the kernel. */
#include "src/load/hostnet.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "src/config/config.h"

static bool
addr_take(struct msg_addr *to, const struct sockaddr *from)
{
	memset(to, 0, sizeof(*to));
	if (from != NULL && from->sa_family == AF_INET) {
		to->family = 4;
		memcpy(to->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from != NULL && from->sa_family == AF_INET6) {
		to->family = 6;
		memcpy(
		    to->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	}
	return to->family != 0;
}

static enum err
addrs_read(struct hostnet *h, struct errmsg *m)
{
	struct ifaddrs *list = NULL;
	unsigned room = 0;

	if (getifaddrs(&list) != 0)
		return err_sys(m, "this host's own addresses, which no unit may have");
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		room++;
	h->addrs = mem_zero(room + 1, sizeof(*h->addrs));
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		h->naddrs += addr_take(&h->addrs[h->naddrs], i->ifa_addr);
	freeifaddrs(list);
	return ERR_OK;
}

enum err
hostnet_read(struct hostnet *h, struct errmsg *m)
{
	enum err e;

	memset(h, 0, sizeof(*h));
	e = addrs_read(h, m);
	if (e == ERR_OK)
		e = vm_host_macs(&h->macs, &h->nmacs, m);
	if (e != ERR_OK)
		hostnet_clear(h);
	return e;
}

void
hostnet_clear(struct hostnet *h)
{
	free(h->addrs);
	free(h->macs);
	memset(h, 0, sizeof(*h));
}

/* The image in that network whose boot-timeout is the shortest; NULL when there is none. */
static const struct config_image *
hastiest(const struct config *conf, const struct config_network *net)
{
	const struct config_image *found = NULL;

	for (unsigned i = 0; i < conf->nimages; i++) {
		const struct config_image *im = &conf->images[i];

		if (im->network == net &&
		    (found == NULL || im->boot_timeout_ms < found->boot_timeout_ms))
			found = im;
	}
	return found;
}

void
hostnet_check(const struct config *conf, struct report *r)
{
	for (unsigned i = 0; i < conf->nnetworks; i++) {
		const struct config_network *net = &conf->networks[i];
		const struct config_image *im = hastiest(conf, net);
		char fails[300] = "";
		struct vm_bridge br;

		/* A bridge that is not there is said where it is missed. */
		if (vm_bridge_get(net->bridge, &br, NULL) != ERR_OK || br.stp_wait_ms == 0)
			continue;
		if (im != NULL && im->boot_timeout_ms <= br.stp_wait_ms)
			snprintf(fails, sizeof(fails),
			    ", so that every boot of image \"%.200s\" fails (boot-timeout)",
			    im->name);
		report_warn(r, conf->path, net->line,
		    "network \"%s\": bridge %s runs the kernel's spanning tree protocol: a VM's "
		    "port forwards nothing for the first %u s%s; turn it off (ip link set %s type "
		    "bridge stp_state 0), or make its delay shorter (forward_delay 200 makes that "
		    "4 s)",
		    net->name, net->bridge, (br.stp_wait_ms + 999) / 1000, fails, net->bridge);
	}
}
