/* park: a queue, and batches of requests over one netlink socket. */
#include "vm/net/park.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "vm/net/fdb.h"

/* Requests of one message to the kernel; the answers to so many fit a socket's buffer. */
#define BATCH 64
#define REQUEST_BYTES 64

struct parks {
	char prefix[PARKS_PREFIX];
	pthread_mutex_t turn;      /* held while one waits for the next: who comes behind waits */
	pthread_mutex_t kernel;    /* held while entries are changed */
	pthread_mutex_t list;      /* the rest; never held for long */
	struct park_list queue;
	bool runs;                 /* somebody is to empty the queue */
};

/* ---- the queue ---- */

struct parks *
parks_new(const char *run_dir)
{
	static const uint8_t no_key[16] = { 0 };
	struct parks *p = mem_zero(1, sizeof(*p));

	/* No VM's tap has a "p" there (vm/net/tap.c), and four digits fit behind it. */
	snprintf(p->prefix, sizeof(p->prefix), "jtp%07x.",
	    (unsigned)siphash24(no_key, run_dir, strlen(run_dir)) & 0xfffffff);
	pthread_mutex_init(&p->turn, NULL);
	pthread_mutex_init(&p->kernel, NULL);
	pthread_mutex_init(&p->list, NULL);
	STAILQ_INIT(&p->queue);
	return p;
}

void
park_free(struct park *k)
{
	free(k->why);
	free(k);
}

void
parks_free(struct parks *p)
{
	struct park *k;

	if (p == NULL)
		return;
	while ((k = STAILQ_FIRST(&p->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->queue, link);
		park_free(k);
	}
	pthread_mutex_destroy(&p->turn);
	pthread_mutex_destroy(&p->kernel);
	pthread_mutex_destroy(&p->list);
	free(p);
}

const char *
parks_prefix(const struct parks *p)
{
	return p->prefix;
}

bool
parks_has(const struct parks *p, unsigned ifindex)
{
	char name[IFNAMSIZ];

	return p != NULL && if_indextoname(ifindex, name) != NULL &&
	    strncmp(name, p->prefix, strlen(p->prefix)) == 0;
}

bool
parks_add(struct parks *p, struct park *k)
{
	bool idle;

	pthread_mutex_lock(&p->list);
	STAILQ_INSERT_TAIL(&p->queue, k, link);
	idle = !p->runs;
	p->runs = true;
	pthread_mutex_unlock(&p->list);
	return idle;
}

/* A mutex alone goes to who had it just now, batch after batch, while a VM's start waits. */
static void
kernel_lock(struct parks *p)
{
	pthread_mutex_lock(&p->turn);
	pthread_mutex_lock(&p->kernel);
	pthread_mutex_unlock(&p->turn);
}

void
parks_hold(struct parks *p, const uint8_t mac[6])
{
	struct park_list kept = STAILQ_HEAD_INITIALIZER(kept);
	struct park *k;

	if (p == NULL)
		return;
	kernel_lock(p);
	pthread_mutex_lock(&p->list);
	while ((k = STAILQ_FIRST(&p->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->queue, link);
		if (memcmp(k->mac, mac, sizeof(k->mac)) == 0)
			park_free(k);
		else
			STAILQ_INSERT_TAIL(&kept, k, link);
	}
	STAILQ_CONCAT(&p->queue, &kept);
	pthread_mutex_unlock(&p->list);
}

bool
parks_wait(struct parks *p, const uint8_t mac[6])
{
	const struct park *k;
	bool found = false;

	if (p == NULL)
		return false;
	kernel_lock(p);
	pthread_mutex_lock(&p->list);
	STAILQ_FOREACH(k, &p->queue, link)
		found = found || memcmp(k->mac, mac, sizeof(k->mac)) == 0;
	pthread_mutex_unlock(&p->list);
	return found;
}

void
parks_release(struct parks *p)
{
	if (p != NULL)
		pthread_mutex_unlock(&p->kernel);
}

/* ---- one batch ---- */

struct batch {
	struct park *list[BATCH];
	unsigned n;
	int errors[BATCH];         /* errno of each; 0 */
};

static bool
is_in(const struct batch *b, const uint8_t mac[6])
{
	for (unsigned i = 0; i < b->n; i++)
		if (memcmp(b->list[i]->mac, mac, sizeof(b->list[i]->mac)) == 0)
			return true;
	return false;
}

/* What comes next, and is done in any order: no MAC twice.  False: nothing is left. */
static bool
batch_take(struct parks *p, struct batch *b)
{
	struct park *k;

	*b = (struct batch){ .n = 0 };
	pthread_mutex_lock(&p->list);
	while (b->n < BATCH && (k = STAILQ_FIRST(&p->queue)) != NULL && !is_in(b, k->mac)) {
		STAILQ_REMOVE_HEAD(&p->queue, link);
		b->list[b->n++] = k;
	}
	p->runs = b->n > 0;
	pthread_mutex_unlock(&p->list);
	return b->n > 0;
}

/* Notes the errors; true: the answer to the last request, which always comes, was among them. */
static bool
batch_heard(struct batch *b, const char *buf, ssize_t size)
{
	int left = (int)size;

	for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
	    h = mnl_nlmsg_next(h, &left)) {
		const struct nlmsgerr *said = mnl_nlmsg_get_payload(h);

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq >= b->n)
			continue;
		b->errors[h->nlmsg_seq] = -said->error;
		if (h->nlmsg_seq == b->n - 1)
			return true;
	}
	return false;
}

/* One message for all; the kernel answers only those that fail, and the last. */
static int
batch_ask(struct mnl_socket *nl, struct batch *b)
{
	static const enum fdb_what whats[] = { [false] = FDB_ADD, [true] = FDB_REMOVE };
	char requests[BATCH * REQUEST_BYTES], buf[RTNL_BYTES] __attribute__((aligned(8)));
	size_t size = 0;
	ssize_t n;

	for (unsigned i = 0; i < b->n; i++) {
		union rtnl_request r;

		fdb_request(&r, whats[b->list[i]->remove], b->list[i]->port, b->list[i]->mac);
		r.nlh.nlmsg_seq = i;
		if (i == b->n - 1)
			r.nlh.nlmsg_flags |= NLM_F_ACK;
		memcpy(requests + size, &r, r.nlh.nlmsg_len);
		size += MNL_ALIGN(r.nlh.nlmsg_len);
	}
	if (mnl_socket_sendto(nl, requests, size) < 0)
		return errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return errno;
	} while (!batch_heard(b, buf, n));
	return 0;
}

/* ---- what is in the way of one ---- */

static bool
is_from(const struct park *k, unsigned ifindex)
{
	char name[IFNAMSIZ];

	return k->from[0] != '\0' && if_indextoname(ifindex, name) != NULL &&
	    strcmp(name, k->from) == 0;
}

/* The bridge has an entry: may the port have its MAC? */
static int
replace(const struct parks *p, struct mnl_socket *nl, struct park *k, struct errmsg *m)
{
	struct rtnl_link port;
	struct fdb_entry f = { 0 };
	int error = rtnl_link_get(nl, NULL, k->port, &port);

	if (error == 0)
		error = fdb_get(nl, port.master, k->mac, &f);
	if (error != 0 && error != ENOENT)
		return error;
	if (error == 0 && f.ifindex == k->port && (f.state & NUD_NOARP) != 0)
		return 0;
	if (error == 0 && ((f.state & NUD_PERMANENT) != 0 || ((f.state & NUD_NOARP) != 0 &&
	    !is_from(k, f.ifindex) && !parks_has(p, f.ifindex)))) {
		k->err = fdb_taken(port.master, k->mac, "a unit", &f, m);
		return 0;
	}
	return fdb_ask(nl, FDB_REPLACE, k->port, k->mac);
}

/* No such interface; it is on no bridge. */
static bool
is_port_gone(int error)
{
	return error == ENODEV || error == EOPNOTSUPP;
}

static void
settle(const struct parks *p, struct mnl_socket *nl, struct park *k, int error)
{
	struct errmsg m = { "" };

	if (k->remove && error == ENOENT)
		error = 0;
	if (error == EEXIST)
		error = replace(p, nl, k, &m);
	if (error != 0 && !is_port_gone(error)) {
		errno = error;
		k->err = err_sys(&m, "forwarding entry");
	}
	if (k->err != ERR_OK)
		k->why = mem_text(m.text);
}

static void
batch_run(struct parks *p, struct mnl_socket *nl, struct batch *b)
{
	int error = batch_ask(nl, b);

	for (unsigned i = 0; i < b->n; i++)
		settle(p, nl, b->list[i], error != 0 ? error : b->errors[i]);
}

static void
batch_end(struct batch *b, enum err e, const struct errmsg *m, struct park_list *failed)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct park *k = b->list[i];

		if (e != ERR_OK) {
			k->err = e;
			k->why = mem_text(m->text);
		}
		if (k->err != ERR_OK)
			STAILQ_INSERT_TAIL(failed, k, link);
		else
			park_free(k);
	}
}

void
parks_run(struct parks *p, struct park_list *failed)
{
	struct mnl_socket *nl = NULL;
	enum err e = ERR_OK;
	struct errmsg m;
	struct batch b;
	bool more;

	do {
		/* What is taken is done before a VM takes its MAC. */
		kernel_lock(p);
		more = batch_take(p, &b);
		if (more && nl == NULL)
			e = rtnl_open(&nl, &m);
		if (more && e == ERR_OK)
			batch_run(p, nl, &b);
		pthread_mutex_unlock(&p->kernel);
		batch_end(&b, e, &m, failed);
	} while (more);
	if (nl != NULL)
		mnl_socket_close(nl);
}

/* ---- a MAC at whose port nobody knows ---- */

void
parks_away(struct parks *p, const uint8_t mac[6])
{
	struct if_nameindex *all = p != NULL ? if_nameindex() : NULL;
	struct mnl_socket *nl = NULL;
	struct errmsg m;

	if (all == NULL)
		return;
	parks_hold(p, mac);
	for (const struct if_nameindex *i = all; i->if_index != 0; i++)
		if (strncmp(i->if_name, p->prefix, strlen(p->prefix)) == 0 &&
		    (nl != NULL || rtnl_open(&nl, &m) == ERR_OK))
			(void)fdb_ask(nl, FDB_REMOVE, i->if_index, mac);   /* most have none */
	parks_release(p);
	if (nl != NULL)
		mnl_socket_close(nl);
	if_freenameindex(all);
}
