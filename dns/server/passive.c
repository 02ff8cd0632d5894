/* passive: lists of clients that neither wake a unit nor count as its use. */
#include "dns/server/passive.h"

#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

struct passive_list {
	uint32_t n;
	struct msg_addr from[];
};

enum err
passive_add(struct passive *p, const struct msg *msg, struct errmsg *m)
{
	uint32_t list = msg->passive.list, n = msg->passive.n;
	struct passive_list *l;

	if (list < 1 || list > LIMIT_PASSIVE_LISTS || n > LIMIT_PASSIVE ||
	    atomic_load(&p->lists[list - 1]) != NULL)
		return err_set(m, ERR_PROTO, "list %u of %u passive clients, or a second one of "
		    "that number", list, n);
	l = mem_zero(1, sizeof(*l) + n * sizeof(l->from[0]));
	l->n = n;
	memcpy(l->from, msg->passive.from, n * sizeof(l->from[0]));
	atomic_store_explicit(&p->lists[list - 1], l, memory_order_release);
	return ERR_OK;
}

bool
passive_has(const struct passive *p, unsigned list, const struct dns_peer *peer)
{
	const struct passive_list *l = list > LIMIT_PASSIVE_LISTS ? NULL :
	    atomic_load_explicit(&p->lists[list - 1], memory_order_acquire);
	struct msg_addr client;

	if (l == NULL)
		return false;
	dns_peer_client(peer, &client);
	for (uint32_t i = 0; i < l->n; i++)
		if (addr_in_prefix(&client, &l->from[i]))
			return true;
	return false;
}
