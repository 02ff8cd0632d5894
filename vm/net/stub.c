/* stub: until the sentinel's filters are there. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/vm.h"

__attribute__((weak)) enum err
vm_port_filter(UNUSED int fd, UNUSED struct errmsg *m)
{
	return ERR_OK;
}

__attribute__((weak)) enum err
vm_link_socket(const char *ifname, UNUSED const uint8_t mac[6], int *fd, struct errmsg *m)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(ifname) };
	int one = 1;

	*fd = -1;
	if (at.sll_ifindex == 0)
		return err_set(m, ERR_MISSING, "there is no interface \"%s\"", ifname);
	*fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
	    bind(*fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		return err_sys(m, "packet socket for %s", ifname);
	return ERR_OK;
}
