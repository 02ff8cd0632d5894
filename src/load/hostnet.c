/* hostnet: asking the kernel. */
#include "src/load/hostnet.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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

/* Of every interface, however many there are; *addrs is the caller's. */
static enum err
addrs_read(struct msg_addr **addrs, unsigned *n, struct errmsg *m)
{
	struct ifaddrs *list = NULL;
	unsigned room = 0;

	if (getifaddrs(&list) != 0)
		return err_sys(m, "this host's own addresses, which no unit may have");
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		room++;
	*addrs = mem_zero(room + 1, sizeof(**addrs));
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		*n += addr_take(&(*addrs)[*n], i->ifa_addr);
	freeifaddrs(list);
	return ERR_OK;
}

struct mapping_set *
hostnet_mappings(const struct config *conf, const struct mapping_secret *secret, struct report *r)
{
	struct msg_addr *addrs = NULL;
	struct vm_host_mac *macs = NULL;
	unsigned naddrs = 0, nmacs = 0;
	struct mapping_set *set = NULL;
	struct errmsg m;

	if (addrs_read(&addrs, &naddrs, &m) == ERR_OK &&
	    vm_host_macs(&macs, &nmacs, &m) == ERR_OK) {
		set = mapping_set_new(conf, secret, addrs, naddrs);
		mapping_set_host_macs(set, macs, nmacs);
	} else {
		(void)report_add(r, conf->path, 0, "%s", m.text);   /* always ERR_PARSE */
	}
	free(addrs);
	free(macs);
	return set;
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

static void
check_stp(const struct config *conf, const struct config_network *net, struct report *r)
{
	const struct config_image *im = hastiest(conf, net);
	char fails[300] = "";
	struct vm_bridge br;

	/* A bridge that is not there is said where it is missed. */
	if (vm_bridge_get(net->bridge, &br, NULL) != ERR_OK || br.stp_wait_ms == 0)
		return;
	if (im != NULL && im->boot_timeout_ms <= br.stp_wait_ms)
		snprintf(fails, sizeof(fails),
		    ", so that every boot of image \"%.200s\" fails (boot-timeout)", im->name);
	report_warn(r, conf->path, net->line,
	    "network \"%s\": bridge %s runs the kernel's spanning tree protocol: a VM's port "
	    "forwards nothing for the first %u s%s; turn it off (ip link set %s type bridge "
	    "stp_state 0), or make its delay shorter (forward_delay 200 makes that 4 s)",
	    net->name, net->bridge, (br.stp_wait_ms + 999) / 1000, fails, net->bridge);
}

struct saying {
	const struct config *conf;
	const struct config_network *net;
	struct report *r;
};

static void
on_sentence(const char *sentence, void *arg)
{
	const struct saying *s = arg;

	report_warn(s->r, s->conf->path, s->net->line, "network \"%s\": bridge %s: %s",
	    s->net->name, s->net->bridge, sentence);
}

void
hostnet_check(const struct config *conf, struct report *r)
{
	for (unsigned i = 0; i < conf->nnetworks; i++) {
		struct saying s = { .conf = conf, .net = &conf->networks[i], .r = r };

		check_stp(conf, s.net, r);
		vm_bridge_says(s.net->bridge, on_sentence, &s);
	}
}
