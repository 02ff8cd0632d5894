/*
 * activity: when a payload packet of a VM last passed a bridge, remembered by the kernel.
 *
 * A set of MACs whose elements live for an hour; each payload packet renews its element, so what is left of the hour tells when
 * the last one passed.  It works while no daemon runs.
 *
 * Only packets of VMs that are watched count: two more sets have the pairs of host interface and MAC of VMs (`guests`), and the MACs of VMs whose
 * interface is not known (`macs`).  A guest that sends from other addresses fills nothing and keeps nobody awake.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#include <nftables/libnftables.h>

#include "base/clock.h"
#include "vm/host.h"

#define KEEP_S 3600

/* Elements of the set; beyond it new MACs are not counted. */
#define SET_SIZE 65535

#define TAG_MOST 64

/* An element "\"NIC\" . MAC, " */
#define ELEMENT 64

/* A VM whose packets count, or no longer do. */
struct guest {
	LIST_ENTRY(guest) link;
	struct vm_uuid uuid;
	uint8_t mac[6];
	char nic[IFNAMSIZ];        /* "" = not known */
	bool wanted, applied;      /* is to be in its set; is there, as far as we know */
};

struct vm_activity {
	struct vm_host *host;
	pthread_mutex_t lock;      /* the nftables context */
	struct nft_ctx *nft;
	char table[TAG_MOST + 8];
	unsigned jobs;             /* under way; on the loop only */
	bool closed;
	pthread_mutex_t list;      /* the rest; never held for long */
	LIST_HEAD(, guest) guests;
	bool settle;               /* the sets are to have what is wanted and nothing else */
};

struct read_job {
	struct pool_job pj;        /* first */
	struct vm_activity *act;
	uint8_t mac[6];
	vm_activity_cb cb;
	void *arg;
	enum err err;
	uint64_t last_ns;
	struct errmsg m;
};

/* Runs commands; the lock is held.  The message has what nftables says first. */
static enum err
run(struct vm_activity *a, const char *commands, struct errmsg *m)
{
	const char *said;
	int failed;

	failed = nft_run_cmd_from_buffer(a->nft, commands);
	said = nft_ctx_get_error_buffer(a->nft);
	if (failed == 0)
		return ERR_OK;
	return err_set(m, ERR_IO, "nftables: %.*s", said != NULL ? (int)strcspn(said, "\n") : 0, said != NULL ? said : "");
}

/* The set came with this version of the table; an older table is replaced. */
static bool
table_exists(struct vm_activity *a)
{
	char command[240];

	snprintf(command, sizeof(command), "list chain bridge %s to_guest; list set bridge %s macs", a->table, a->table);
	return run(a, command, NULL) == ERR_OK;
}

/*
 * In order of the rules: not ARP; nobody in particular is meant; not neighbour discovery; a refusal is no use; not our readiness probes; a VM's own.  One
 * transaction, so the table is whole or not there.
 */
static enum err
table_make(struct vm_activity *a, struct errmsg *m)
{
	static const char skip[] = "ether type arp return; ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 return; "
	    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } return; "
	    "tcp flags & rst == rst return;";
	char commands[4096];

	snprintf(commands, sizeof(commands),
	    "table bridge %s\n"
	    "delete table bridge %s\n"
	    "table bridge %s {\n"
	    " set active { type ether_addr; flags dynamic,timeout; size %d; };\n"
	    " set guests { type ifname . ether_addr; size %d; };\n"
	    " set macs { type ether_addr; size %d; };\n"
	    " chain from_guest { type filter hook prerouting priority -300; policy accept; %s tcp dport %d-%d return; "
	    "icmp type echo-reply icmp id %d return; icmpv6 type echo-reply icmpv6 id %d return; "
	    "iifname . ether saddr @guests update @active { ether saddr timeout %ds }; ether saddr @macs update @active { ether saddr timeout %ds }; }\n"
	    " chain to_guest { type filter hook postrouting priority 300; policy accept; %s tcp sport %d-%d return; "
	    "icmp type echo-request icmp id %d return; icmpv6 type echo-request icmpv6 id %d return; "
	    "oifname . ether daddr @guests update @active { ether daddr timeout %ds }; ether daddr @macs update @active { ether daddr timeout %ds }; }\n"
	    "}\n",
	    a->table, a->table, a->table, SET_SIZE, SET_SIZE, SET_SIZE, skip, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST, VM_PROBE_ECHO_ID, VM_PROBE_ECHO_ID,
	    KEEP_S, KEEP_S, skip, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST, VM_PROBE_ECHO_ID, VM_PROBE_ECHO_ID, KEEP_S, KEEP_S);
	return run(a, commands, m);
}

/* ---- which VMs count ---- */

static int
element_text(const struct guest *g, char text[ELEMENT])
{
	const uint8_t *b = g->mac;
	int n = g->nic[0] != '\0' ? snprintf(text, ELEMENT, "\"%s\" . ", g->nic) : 0;

	return n + snprintf(text + n, (size_t)(ELEMENT - n), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static const char *
set_of(const struct guest *g)
{
	return g->nic[0] != '\0' ? "guests" : "macs";
}

/* The commands that make the sets anew from the list; the caller frees them.  NULL: out of memory. */
static char *
settle_text(struct vm_activity *a)
{
	char *commands = NULL, element[ELEMENT];
	struct guest *g;
	size_t size;
	FILE *out = open_memstream(&commands, &size);

	if (out == NULL)
		return NULL;
	pthread_mutex_lock(&a->list);
	fprintf(out, "flush set bridge %s guests; flush set bridge %s macs", a->table, a->table);
	LIST_FOREACH(g, &a->guests, link) {
		(void)element_text(g, element);   /* it fits */
		if (g->wanted)
			fprintf(out, "; add element bridge %s %s { %s }", a->table, set_of(g), element);
		g->applied = g->wanted;
	}
	a->settle = false;
	pthread_mutex_unlock(&a->list);
	if (fclose(out) == 0)
		return commands;
	free(commands);
	return NULL;
}

/* The command for the next VM whose element is not as it is wanted; false when there is none.  Those that are forgotten and gone are dropped. */
static bool
change_text(struct vm_activity *a, char *command, size_t size)
{
	struct guest *g, *after;
	char element[ELEMENT];
	bool found = false;

	pthread_mutex_lock(&a->list);
	for (g = LIST_FIRST(&a->guests); g != NULL && !found; g = after) {
		after = LIST_NEXT(g, link);
		if (g->wanted != g->applied) {
			(void)element_text(g, element);   /* it fits */
			snprintf(command, size, "%s element bridge %s %s { %s }", g->wanted ? "add" : "delete", a->table, set_of(g), element);
			g->applied = g->wanted;
			found = true;
		} else if (!g->wanted) {
			LIST_REMOVE(g, link);
			free(g);
		}
	}
	pthread_mutex_unlock(&a->list);
	return found;
}

static bool
must_settle(struct vm_activity *a, bool again)
{
	bool must;

	pthread_mutex_lock(&a->list);
	must = a->settle = a->settle || again;
	pthread_mutex_unlock(&a->list);
	return must;
}

/* Makes the kernel's sets what is wanted by now.  `lock` is held. */
static enum err
apply(struct vm_activity *a, struct errmsg *m)
{
	char command[ELEMENT + 160], *all;
	enum err e = ERR_OK;

	if (must_settle(a, false)) {
		all = settle_text(a);
		e = all != NULL ? run(a, all, m) : err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
		free(all);
	}
	/* A deletion fails when somebody else was there before. */
	while (e == ERR_OK && change_text(a, command, sizeof(command)))
		if (run(a, command, m) != ERR_OK && command[0] == 'a')
			e = ERR_IO;
	if (e != ERR_OK)
		(void)must_settle(a, true);   /* next time */
	return e;
}

/* Are packets of this MAC counted? */
static bool
is_counted(struct vm_activity *a, const uint8_t mac[6])
{
	const struct guest *g;
	bool counted = false;

	pthread_mutex_lock(&a->list);
	LIST_FOREACH(g, &a->guests, link)
		counted = counted || (!a->settle && g->wanted && g->applied && memcmp(g->mac, mac, sizeof(g->mac)) == 0);
	pthread_mutex_unlock(&a->list);
	return counted;
}

/* ---- beginning and end ---- */

static void
act_free(struct vm_activity *a)
{
	struct guest *g;

	while ((g = LIST_FIRST(&a->guests)) != NULL) {
		LIST_REMOVE(g, link);
		free(g);
	}
	pthread_mutex_destroy(&a->list);
	if (a->nft != NULL)
		nft_ctx_free(a->nft);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* From what is executed: libnftables leaves its socket open then, and libxl executes device models and scripts from this process. */
static void
hide_netfilter_sockets(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		int fd = atoi(d->d_name), domain = -1, protocol = -1;
		socklen_t len = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
		    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == NETLINK_NETFILTER)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);     /* of a descriptor that is open it cannot fail */
	}
	if (dir != NULL)
		closedir(dir);
}

enum err
vm_activity_new(struct vm_host *host, const char *tag, struct vm_activity **out, struct errmsg *m)
{
	size_t len = strlen(tag);
	struct vm_activity *a;
	enum err e = ERR_OK;

	*out = NULL;
	if (len == 0 || len > TAG_MOST || strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len)
		return err_set(m, ERR_RANGE, "tag \"%s\" of the nftables table: 1 to %d letters, digits, - and _", tag, TAG_MOST);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return err_set(m, ERR_NOMEM, "activity: out of memory");
	a->host = host;
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->list, NULL);
	LIST_INIT(&a->guests);
	snprintf(a->table, sizeof(a->table), "jitsu-%s", tag);
	a->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	hide_netfilter_sockets();
	if (a->nft == NULL || nft_ctx_buffer_output(a->nft) != 0 || nft_ctx_buffer_error(a->nft) != 0)
		e = err_set(m, ERR_IO, "nftables: no context");
	/* The table of the daemon before us is kept, and what it counted. */
	if (e == ERR_OK && !table_exists(a))
		e = table_make(a, m);
	if (e != ERR_OK)
		act_free(a);
	else
		*out = a;
	return e;
}

void
vm_activity_free(struct vm_activity *a, bool remove_table)
{
	char command[128];

	if (a == NULL)
		return;
	if (remove_table) {
		snprintf(command, sizeof(command), "delete table bridge %s", a->table);
		pthread_mutex_lock(&a->lock);
		(void)run(a, command, NULL);     /* somebody else may have removed it */
		pthread_mutex_unlock(&a->lock);
	}
	a->closed = true;
	if (a->jobs == 0)
		act_free(a);
}

/* ---- reading ---- */

/*
 * What is left of the one element's time, in ms, from "expires 59m59s988ms" (get element has no JSON in nftables 1.0.6); -1 when there is
 * none.
 */
static int64_t
find_expires(const char *text)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	const char *p = strstr(text, " expires ");
	int64_t left = 0;

	if (p == NULL)
		return -1;
	for (p += strlen(" expires "); *p >= '0' && *p <= '9';) {
		char *end;
		long n = strtol(p, &end, 10);
		size_t i = 0, count = sizeof(units) / sizeof(units[0]);

		while (i < count && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == count || n < 0 || n > KEEP_S * 1000)
			return -1;
		left += n * units[i].ms;
		p = end + strlen(units[i].unit);
	}
	return left <= KEEP_S * (int64_t)MS_PER_S ? left : -1;
}

static uint64_t
last_passed(int64_t left_ms)
{
	uint64_t now = clock_now_ns(), ago = (uint64_t)(KEEP_S * (int64_t)MS_PER_S - left_ms) * NS_PER_MS;

	return now > ago ? now - ago : 1;
}

/* Someone loaded another ruleset: what was counted is lost, which is not the same as "never". */
static enum err
table_again(struct vm_activity *a, struct errmsg *m)
{
	enum err e = table_make(a, m);

	(void)must_settle(a, true);
	if (e == ERR_OK)
		e = apply(a, m);
	return e != ERR_OK ? e :
	    err_set(m, ERR_MISSING, "the nftables table %s was removed by somebody; it is made anew and counts from now on", a->table);
}

static enum err
read_element(struct vm_activity *a, const uint8_t b[6], uint64_t *last_ns, struct errmsg *m)
{
	char command[200];
	const char *text;
	int64_t left;

	snprintf(command, sizeof(command), "get element bridge %s active { %02x:%02x:%02x:%02x:%02x:%02x }", a->table,
	    b[0], b[1], b[2], b[3], b[4], b[5]);
	if (run(a, command, NULL) != ERR_OK)
		return table_exists(a) ? ERR_OK : table_again(a, m);
	text = nft_ctx_get_output_buffer(a->nft);
	left = text != NULL ? find_expires(text) : -1;
	if (left < 0)
		return err_set(m, ERR_PROTO, "nftables does not say when an element expires");
	*last_ns = last_passed(left);
	return ERR_OK;
}

static void
read_run(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;
	struct vm_activity *a = j->act;
	bool counted;

	pthread_mutex_lock(&a->lock);
	counted = is_counted(a, j->mac);
	if (apply(a, &j->m) != ERR_OK && table_exists(a))
		j->err = ERR_IO;
	else
		j->err = read_element(a, j->mac, &j->last_ns, &j->m);
	if (j->err == ERR_OK && !counted)
		j->err = err_set(&j->m, ERR_STATE, "they did not count until now");
	pthread_mutex_unlock(&a->lock);
}

static void
read_drop(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;
	struct vm_activity *a = j->act;

	free(j);
	if (--a->jobs == 0 && a->closed)
		act_free(a);
}

static void
read_done(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;

	if (!j->act->closed)
		j->cb(j->err, j->last_ns, j->m.text, j->arg);
	read_drop(pj);
}

void
vm_activity_read(struct vm_activity *a, const uint8_t mac[6], vm_activity_cb cb, void *arg)
{
	struct read_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		cb(ERR_NOMEM, 0, err_str(ERR_NOMEM), arg);
		return;
	}
	j->pj.run = read_run;
	j->pj.done = read_done;
	j->pj.drop = read_drop;
	j->act = a;
	memcpy(j->mac, mac, sizeof(j->mac));
	j->cb = cb;
	j->arg = arg;
	a->jobs++;
	pool_submit(a->host->pool, LANE_QUICK, &j->pj);
}

/* ---- watching ---- */

static void
apply_run(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;

	pthread_mutex_lock(&j->act->lock);
	/* What does not work is tried again, and told, when the unit's deadline asks. */
	(void)apply(j->act, NULL);
	pthread_mutex_unlock(&j->act->lock);
}

static void
apply_later(struct vm_activity *a)
{
	struct read_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return;   /* as above */
	j->pj.run = apply_run;
	j->pj.done = read_drop;
	j->pj.drop = read_drop;
	j->act = a;
	a->jobs++;
	pool_submit(a->host->pool, LANE_QUICK, &j->pj);
}

void
vm_activity_watch(struct vm_activity *a, const struct vm_uuid *uuid, const char *nic, const uint8_t mac[6])
{
	struct guest *g = calloc(1, sizeof(*g)), *old;

	if (g == NULL)
		return;   /* reading says that it does not count */
	g->uuid = *uuid;
	memcpy(g->mac, mac, sizeof(g->mac));
	snprintf(g->nic, sizeof(g->nic), "%s", nic);
	g->wanted = true;
	pthread_mutex_lock(&a->list);
	LIST_FOREACH(old, &a->guests, link)
		if (memcmp(&old->uuid, uuid, sizeof(*uuid)) == 0)
			old->wanted = false;
	LIST_FOREACH(old, &a->guests, link)
		if (memcmp(&old->uuid, uuid, sizeof(*uuid)) == 0 && strcmp(old->nic, g->nic) == 0)
			break;
	if (old != NULL)
		old->wanted = true;
	else
		LIST_INSERT_HEAD(&a->guests, g, link);
	pthread_mutex_unlock(&a->list);
	if (old != NULL)
		free(g);
	apply_later(a);
}

void
vm_activity_unwatch(struct vm_activity *a, const struct vm_uuid *uuid)
{
	bool any = false;
	struct guest *g;

	pthread_mutex_lock(&a->list);
	LIST_FOREACH(g, &a->guests, link) {
		if (memcmp(&g->uuid, uuid, sizeof(*uuid)) == 0) {
			g->wanted = false;
			any = true;
		}
	}
	pthread_mutex_unlock(&a->list);
	if (any)
		apply_later(a);
}

void
vm_activity_settle(struct vm_activity *a)
{
	(void)must_settle(a, true);
	apply_later(a);
}
