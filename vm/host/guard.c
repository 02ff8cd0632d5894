/* guard: the list of those that are wanted, and what of it the kernel knows. */
#include "vm/host/guard.h"

#include <libmnl/libmnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/mem.h"
#include "vm/net/waking.h"

struct guard {
	LIST_ENTRY(guard) link;
	struct vm_uuid uuid;
	uint8_t mac[6];
	bool wanted, applied;      /* is to be there; is there, as far as we know */
};

struct guards {
	pthread_mutex_t kernel;    /* held while the set is changed; the socket */
	struct mnl_socket *nl;     /* NULL: not open */
	pthread_mutex_t lock;      /* the list; never held for long */
	LIST_HEAD(, guard) list;
};

struct guards *
guards_new(void)
{
	struct guards *g = mem_zero(1, sizeof(*g));

	pthread_mutex_init(&g->kernel, NULL);
	pthread_mutex_init(&g->lock, NULL);
	LIST_INIT(&g->list);
	return g;
}

void
guards_free(struct guards *g)
{
	struct guard *one;

	while ((one = LIST_FIRST(&g->list)) != NULL) {
		LIST_REMOVE(one, link);
		free(one);
	}
	if (g->nl != NULL)
		mnl_socket_close(g->nl);
	pthread_mutex_destroy(&g->kernel);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void
guards_set(struct guards *g, const struct vm_uuid *uuid, const uint8_t mac[6], bool on)
{
	struct guard *one;

	pthread_mutex_lock(&g->lock);
	LIST_FOREACH(one, &g->list, link)
		if (memcmp(&one->uuid, uuid, sizeof(*uuid)) == 0 &&
		    memcmp(one->mac, mac, sizeof(one->mac)) == 0)
			break;
	if (one == NULL && on) {
		one = mem_zero(1, sizeof(*one));
		one->uuid = *uuid;
		memcpy(one->mac, mac, sizeof(one->mac));
		LIST_INSERT_HEAD(&g->list, one, link);
	}
	if (one != NULL)
		one->wanted = on;
	pthread_mutex_unlock(&g->lock);
}

/* A unit's next VM has another UUID, and the same MAC.  The list is locked. */
static bool
mac_wanted(const struct guards *g, const uint8_t mac[6])
{
	const struct guard *one;

	LIST_FOREACH(one, &g->list, link)
		if (one->wanted && memcmp(one->mac, mac, sizeof(one->mac)) == 0)
			return true;
	return false;
}

static bool
is_in(const struct waking *list, unsigned n, const uint8_t mac[6])
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(list[i].mac, mac, sizeof(list[i].mac)) == 0)
			return true;
	return false;
}

/* What the kernel does not know yet, as much as one call takes. */
static unsigned
take(struct guards *g, struct waking list[WAKING_MOST])
{
	struct guard *one, *next;
	unsigned n = 0;

	pthread_mutex_lock(&g->lock);
	for (one = LIST_FIRST(&g->list); one != NULL && n < WAKING_MOST; one = next) {
		next = LIST_NEXT(one, link);
		if (one->wanted != one->applied && !is_in(list, n, one->mac)) {
			list[n].on = mac_wanted(g, one->mac);
			memcpy(list[n++].mac, one->mac, sizeof(one->mac));
		}
		one->applied = one->wanted;
		if (one->wanted)
			continue;
		LIST_REMOVE(one, link);
		free(one);
	}
	pthread_mutex_unlock(&g->lock);
	return n;
}

enum err
guards_apply(struct guards *g, const char *table, struct errmsg *m)
{
	struct waking list[WAKING_MOST];
	enum err e = ERR_OK;
	unsigned n;

	pthread_mutex_lock(&g->kernel);
	while (e == ERR_OK && (n = take(g, list)) > 0)
		e = waking_set(&g->nl, table, list, n, m);
	pthread_mutex_unlock(&g->kernel);
	return e;
}

void
guards_fill_begin(struct guards *g, const char *table, FILE *out)
{
	struct guard *one;

	pthread_mutex_lock(&g->kernel);
	pthread_mutex_lock(&g->lock);
	LIST_FOREACH(one, &g->list, link) {
		if (one->wanted)
			fprintf(out, "; add element bridge %s waking { %s }", table,
			    ADDR_MAC_STR(one->mac));
		one->applied = one->wanted;
	}
	pthread_mutex_unlock(&g->lock);
}

void
guards_fill_end(struct guards *g)
{
	pthread_mutex_unlock(&g->kernel);
}
