/* monitor: the list of those that are wanted, and what of it the kernel has. */
#include "vm/host/monitor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/net/activity_table.h"

/* Of one NIC. */
struct monitor {
	LIST_ENTRY(monitor) link;
	struct vm_uuid uuid;
	uint8_t mac[6];
	bool wanted, applied;      /* is to be there; is there, as far as we know */
	unsigned n;
	struct msg_addr from[LIMIT_PASSIVE];
};

struct monitors {
	pthread_mutex_t lock;      /* never held for long */
	LIST_HEAD(, monitor) list;
	bool all;                  /* what the kernel has is not known: a change has failed */
};

struct monitors *
monitors_new(void)
{
	struct monitors *l = mem_zero(1, sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	LIST_INIT(&l->list);
	return l;
}

void
monitors_free(struct monitors *l)
{
	struct monitor *one;

	while ((one = LIST_FIRST(&l->list)) != NULL) {
		LIST_REMOVE(one, link);
		free(one);
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static bool
is_same(const struct monitor *one, const struct vm_activity_nic *nic)
{
	return memcmp(one->mac, nic->mac, sizeof(one->mac)) == 0 && one->n == nic->npassive &&
	    memcmp(one->from, nic->passive, one->n * sizeof(one->from[0])) == 0;
}

bool
monitors_watch(struct monitors *l, const struct vm_uuid *uuid, const struct vm_activity_nic *nics,
    unsigned n)
{
	struct monitor *one;
	bool any = false;

	pthread_mutex_lock(&l->lock);
	LIST_FOREACH(one, &l->list, link) {
		if (memcmp(&one->uuid, uuid, sizeof(*uuid)) != 0)
			continue;
		one->wanted = false;
		any = true;
	}
	for (unsigned i = 0; i < n; i++) {
		if (nics[i].npassive == 0 || nics[i].npassive > LIMIT_PASSIVE)
			continue;
		any = true;
		LIST_FOREACH(one, &l->list, link)
			if (memcmp(&one->uuid, uuid, sizeof(*uuid)) == 0 && is_same(one, &nics[i]))
				break;
		if (one == NULL) {
			one = mem_zero(1, sizeof(*one));
			*one = (struct monitor){ .uuid = *uuid, .n = nics[i].npassive };
			memcpy(one->mac, nics[i].mac, sizeof(one->mac));
			memcpy(one->from, nics[i].passive, one->n * sizeof(one->from[0]));
			LIST_INSERT_HEAD(&l->list, one, link);
		}
		one->wanted = true;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

/* The commands that do `verb` to the elements of `one`, each behind a ';'. */
static void
write_elements(const struct monitor *one, const char *verb, const char *table, FILE *out)
{
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < one->n; i++) {
		addr_text(&one->from[i], text);
		fprintf(out, "; %s element bridge %s passive%u { %s . %s/%u }", verb, table,
		    one->from[i].family, ADDR_MAC_STR(one->mac), text, one->from[i].prefixlen);
	}
}

void
monitors_fill(struct monitors *l, const char *table, FILE *out)
{
	struct monitor *one;

	pthread_mutex_lock(&l->lock);
	LIST_FOREACH(one, &l->list, link) {
		if (one->wanted)
			write_elements(one, "add", table, out);
		one->applied = one->wanted;
	}
	pthread_mutex_unlock(&l->lock);
}

/* A unit's next VM has the same MAC, and perhaps the same elements. */
static void
add_again(struct monitors *l, const uint8_t mac[6])
{
	struct monitor *one;

	LIST_FOREACH(one, &l->list, link)
		if (memcmp(one->mac, mac, sizeof(one->mac)) == 0 && one->wanted)
			one->applied = false;
}

/* What is to go is added first: then it is there.  What is wanted is added last. */
static bool
write_changes(struct monitors *l, const char *table, FILE *out)
{
	struct monitor *one, *next;
	bool any = l->all;

	pthread_mutex_lock(&l->lock);
	for (one = LIST_FIRST(&l->list); one != NULL; one = next) {
		next = LIST_NEXT(one, link);
		any = any || one->wanted != one->applied;
		if (one->wanted)
			continue;
		if (one->applied) {
			write_elements(one, "add", table, out);
			write_elements(one, "delete", table, out);
			add_again(l, one->mac);
		}
		LIST_REMOVE(one, link);
		free(one);
	}
	LIST_FOREACH(one, &l->list, link) {
		if (l->all || !one->applied)
			write_elements(one, "add", table, out);
		one->applied = true;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

enum err
monitors_apply(struct monitors *l, struct activity_table *table, struct errmsg *m)
{
	char *commands = NULL;
	size_t size;
	FILE *out = mem_must(open_memstream(&commands, &size));
	bool any = write_changes(l, activity_table_name(table), out);
	enum err e = ERR_OK;

	if (fclose(out) != 0)
		fatal("out of memory for the commands of a table");
	if (any && size > 2)
		e = activity_table_run(table, commands + 2, m);   /* behind the first "; " */
	l->all = e != ERR_OK;
	free(commands);
	return e;
}
