/*
 * activity: when a payload packet of a MAC last passed a bridge, remembered by the kernel.
 *
 * A set of MACs whose elements live for an hour; each payload packet renews its element, so what is left of the hour tells when
 * the last one passed.  It works while no daemon runs.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "base/clock.h"
#include "vm/host.h"

#define KEEP_S 3600

/* Elements of the set; beyond it new MACs are not counted. */
#define SET_SIZE 65535

#define TAG_MOST 64

struct vm_activity {
	struct vm_host *host;
	pthread_mutex_t lock;      /* the nftables context */
	struct nft_ctx *nft;
	char table[TAG_MOST + 8];
	unsigned reads;            /* under way; on the loop only */
	bool closed;
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

static bool
table_exists(struct vm_activity *a)
{
	char command[160];

	snprintf(command, sizeof(command), "list chain bridge %s to_guest", a->table);
	return run(a, command, NULL) == ERR_OK;
}

/*
 * In order of the rules: not ARP; nobody in particular is meant; not neighbour discovery; not our readiness probes; a refusal is no use.  One
 * transaction, so the table is whole or not there.
 */
static enum err
table_make(struct vm_activity *a, struct errmsg *m)
{
	static const char skip[] = "ether type arp return; ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 return; "
	    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } return; "
	    "tcp flags & rst == rst return;";
	char commands[2048];

	snprintf(commands, sizeof(commands),
	    "table bridge %s {\n"
	    " set active { type ether_addr; flags dynamic,timeout; size %d; };\n"
	    " chain from_guest { type filter hook prerouting priority -300; policy accept; %s tcp dport %d-%d return; "
	    "update @active { ether saddr timeout %ds }; }\n"
	    " chain to_guest { type filter hook postrouting priority 300; policy accept; %s tcp sport %d-%d return; "
	    "update @active { ether daddr timeout %ds }; }\n"
	    "}\n",
	    a->table, SET_SIZE, skip, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST, KEEP_S, skip, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST, KEEP_S);
	return run(a, commands, m);
}

static void
act_free(struct vm_activity *a)
{
	if (a->nft != NULL)
		nft_ctx_free(a->nft);
	pthread_mutex_destroy(&a->lock);
	free(a);
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
	snprintf(a->table, sizeof(a->table), "jitsu-%s", tag);
	a->nft = nft_ctx_new(NFT_CTX_DEFAULT);
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
	if (a->reads == 0)
		act_free(a);
}

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

static void
read_run(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;
	struct vm_activity *a = j->act;
	const uint8_t *b = j->mac;
	char command[200];
	const char *text;
	int64_t left;

	snprintf(command, sizeof(command), "get element bridge %s active { %02x:%02x:%02x:%02x:%02x:%02x }", a->table,
	    b[0], b[1], b[2], b[3], b[4], b[5]);
	pthread_mutex_lock(&a->lock);
	if (run(a, command, NULL) == ERR_OK) {
		text = nft_ctx_get_output_buffer(a->nft);
		left = text != NULL ? find_expires(text) : -1;
		if (left < 0)
			j->err = err_set(&j->m, ERR_PROTO, "nftables does not say when an element expires");
		else
			j->last_ns = last_passed(left);
	} else if (!table_exists(a)) {
		/* Someone loaded another ruleset: what was counted is lost, which is not the same as "never". */
		j->err = table_make(a, &j->m);
		if (j->err == ERR_OK)
			j->err = err_set(&j->m, ERR_MISSING, "the nftables table %s was removed by somebody; it is made anew and counts from now on", a->table);
	}
	pthread_mutex_unlock(&a->lock);
}

static void
read_drop(struct pool_job *pj)
{
	struct read_job *j = (struct read_job *)pj;
	struct vm_activity *a = j->act;

	free(j);
	if (--a->reads == 0 && a->closed)
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
	a->reads++;
	pool_submit(a->host->pool, LANE_QUICK, &j->pj);
}
