/*
 * activity_table: rules and sets in the kernel, by libnftables.
 *
 *     active   MACs; an element lives for ACTIVITY_KEEP_S and is renewed by each payload packet, so
 *              that what is left of its life tells when the last packet passed.  The element
 *              mark_mac is no guest's: while it is there, nobody has emptied the set, and its life
 *              tells how long
 *     guests   pairs of host interface and MAC of VMs that are watched, with a counter of bytes
 *     macs     MACs of VMs whose interface is not known, likewise
 *     below    MACs whose traffic counts only beyond a rate: each has a token bucket of its own,
 *              which the kernel empties, so that nobody has to look between two deadlines
 *     flows4, flows6
 *              TCP connections that were opened to watched VMs, by MAC, peer, its port and the
 *              VM's.  One begins with the VM's SYN-ACK, for FLOW_OPENS_S; what follows of its peer
 *              makes that FLOW_KEEP_S; a FIN or RST of either ends it
 *     waking   MACs of guests that are waking up: vm/net/waking.c
 *     passive4, passive6
 *              MACs and prefixes of monitors, whose packets count not: vm/host/monitor.c
 */
#include "vm/net/activity_table.h"
#include "vm/net/activity_element.h"
#include "vm/net/activity_rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <nftables/libnftables.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* The mark outlives everything.  nft(8) reads at most seven digits of a time. */
#define MARK_DAYS 3650
#define MARK_S (MARK_DAYS * 24 * 3600ll)
_Static_assert(MARK_S > ACTIVITY_KEEP_S, "the mark is longer there than what it vouches for");

/* Its last octet is another one whenever elements are to be read in another way. */
static const uint8_t mark_mac[6] = { 0, 0, 0, 0, 0, 2 };

#define TAG_MOST 64

struct activity_table {
	struct nft_ctx *nft;
	char name[TAG_MOST + 8];
	char *rules[ACTIVITY_CHAINS];   /* the chains as nftables lists them when they are right */
	uint64_t since_ns;
};

enum err
activity_table_run(struct activity_table *t, const char *commands, struct errmsg *m)
{
	const char *said;
	int failed;

	(void)nft_ctx_get_output_buffer(t->nft);     /* it grows until somebody looks */
	failed = nft_run_cmd_from_buffer(t->nft, commands);
	said = nft_ctx_get_error_buffer(t->nft);
	if (failed == 0)
		return ERR_OK;
	return err_set(m, ERR_IO, "nftables: %.*s", said != NULL ? (int)strcspn(said, "\n") : 0,
	    said != NULL ? said : "");
}

uint64_t
activity_table_since(const struct activity_table *t)
{
	return t->since_ns;
}

const char *
activity_table_name(const struct activity_table *t)
{
	return t->name;
}

/* ---- the rules ---- */

static enum err
rules_make(struct activity_table *t, bool anew, struct errmsg *m)
{
	char *commands = activity_rules(t->name, anew);
	enum err e = activity_table_run(t, commands, m);

	free(commands);
	return e;
}

/* A chain as listed now, alone (of two nftables 1.0.6 finds one); NULL: it is not there. */
static const char *
rules_list(struct activity_table *t, const char *chain)
{
	char command[TAG_MOST + 80];

	snprintf(command, sizeof(command), "list chain bridge %s %s", t->name, chain);
	return activity_table_run(t, command, NULL) == ERR_OK ? nft_ctx_get_output_buffer(t->nft)
	    : NULL;
}

static bool
rules_whole(struct activity_table *t)
{
	for (unsigned i = 0; i < ACTIVITY_CHAINS; i++) {
		const char *now = rules_list(t, activity_chains[i]);

		if (now == NULL || strcmp(now, t->rules[i]) != 0)
			return false;
	}
	return true;
}

/* They are as they are to be. */
static enum err
rules_note(struct activity_table *t, struct errmsg *m)
{
	for (unsigned i = 0; i < ACTIVITY_CHAINS; i++) {
		const char *now = rules_list(t, activity_chains[i]);

		free(t->rules[i]);
		t->rules[i] = now != NULL ? mem_text(now) : NULL;
		if (now == NULL)
			return err_set(m, ERR_IO, "nftables: chain %s of table %s cannot be read "
			    "back", activity_chains[i], t->name);
	}
	return ERR_OK;
}

/* ---- elements ---- */

void
activity_table_command(const struct activity_table *t, const char *verb,
    const struct vm_activity_nic *nic, char command[ACTIVITY_COMMAND])
{
	const char *mac = ADDR_MAC_STR(nic->mac);
	int n = snprintf(command, ACTIVITY_COMMAND, "%s element bridge %s ", verb, t->name);

	if (nic->name[0] != '\0')
		snprintf(command + n, ACTIVITY_COMMAND - (size_t)n, "guests { \"%s\" . %s }",
		    nic->name, mac);
	else
		snprintf(command + n, ACTIVITY_COMMAND - (size_t)n, "macs { %s }", mac);
}

/* Only what is there can be deleted, and only what is not gets another rate. */
void
activity_table_add(const struct activity_table *t, const struct vm_activity_nic *nic,
    char command[ACTIVITY_COMMAND])
{
	const char *mac = ADDR_MAC_STR(nic->mac);
	size_t n;

	activity_table_command(t, "add", nic, command);
	n = strlen(command);
	n += (size_t)snprintf(command + n, ACTIVITY_COMMAND - n, "; add element bridge %s below { "
	    "%s }; delete element bridge %s below { %s }", t->name, mac, t->name, mac);
	if (nic->below_bytes != 0)
		snprintf(command + n, ACTIVITY_COMMAND - n, "; add element bridge %s below { %s "
		    "limit rate %u bytes/%s burst 1 bytes }", t->name, mac, nic->below_bytes,
		    nic->below_s == 1 ? "second" : nic->below_s == 60 ? "minute" : "hour");
}

bool
activity_table_has(struct activity_table *t, const struct vm_activity_nic *nic)
{
	char command[ACTIVITY_COMMAND];

	activity_table_command(t, "get", nic, command);
	return activity_table_run(t, command, NULL) == ERR_OK;
}

enum err
activity_table_fill(struct activity_table *t, const char *commands, struct errmsg *m)
{
	char *all = NULL;
	enum err e;

	if (asprintf(&all, "flush set bridge %s guests; flush set bridge %s macs; flush set bridge "
	    "%s waking; flush set bridge %s below; flush set bridge %s passive4; flush set bridge "
	    "%s passive6%s", t->name, t->name, t->name, t->name, t->name, t->name, commands) < 0)
		fatal("out of memory for the commands of a table");
	e = activity_table_run(t, all, m);
	free(all);
	return e;
}

/* A command about an element of `active`. */
static enum err
active_run(struct activity_table *t, const char *verb, const uint8_t mac[6], struct errmsg *m)
{
	char command[ACTIVITY_COMMAND];

	snprintf(command, sizeof(command), "%s element bridge %s active { %s }", verb, t->name,
	    ADDR_MAC_STR(mac));
	return activity_table_run(t, command, m);
}

/* When an element of `active` was renewed; ERR_MISSING: there is none. */
static enum err
renewed(struct activity_table *t, const uint8_t mac[6], int64_t life_s, uint64_t *at_ns,
    struct errmsg *m)
{
	uint64_t now, ago;
	int64_t left;

	if (active_run(t, "get", mac, m) != ERR_OK)
		return ERR_MISSING;
	left = activity_element_expires(nft_ctx_get_output_buffer(t->nft), life_s);
	if (left < 0)
		return err_set(m, ERR_PROTO, "nftables does not say when an element expires");
	now = clock_now_ns();
	ago = (uint64_t)(life_s * (int64_t)MS_PER_S - left) * NS_PER_MS;
	*at_ns = now > ago ? now - ago : 1;
	return ERR_OK;
}

enum err
activity_table_last(struct activity_table *t, const uint8_t mac[6], uint64_t *last_ns,
    struct errmsg *m)
{
	enum err e = renewed(t, mac, ACTIVITY_KEEP_S, last_ns, m);

	if (e == ERR_MISSING)
		*last_ns = 0;
	return e == ERR_MISSING ? ERR_OK : e;
}

uint64_t
activity_table_bytes(struct activity_table *t, const struct vm_activity_nic *nic)
{
	char command[ACTIVITY_COMMAND];
	const char *p;

	activity_table_command(t, "get", nic, command);
	if (activity_table_run(t, command, NULL) != ERR_OK)
		return 0;
	p = strstr(nft_ctx_get_output_buffer(t->nft), " bytes ");
	return p != NULL ? strtoull(p + strlen(" bytes "), NULL, 10) : 0;
}

/* ---- flows ---- */

static const char *const flow_sets[2] = { "flows4", "flows6" };

/* A set as it is now, until the next command; "" when it cannot be read. */
static const char *
flows_list(struct activity_table *t, const char *set)
{
	char command[ACTIVITY_COMMAND];

	snprintf(command, sizeof(command), "list set bridge %s %s", t->name, set);
	return activity_table_run(t, command, NULL) == ERR_OK ? nft_ctx_get_output_buffer(t->nft)
	    : "";
}

unsigned
activity_table_flows(struct activity_table *t, const uint8_t mac[6], struct vm_flow *flows,
    unsigned most)
{
	struct activity_flow f;
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		const char *text = flows_list(t, flow_sets[i]);

		while (activity_element_flow(&text, mac, &f)) {
			uint64_t ago = (FLOW_KEEP_S * MS_PER_S - (uint64_t)f.left_ms) * NS_PER_MS;
			uint64_t now = clock_now_ns();

			if (f.left_ms <= FLOW_OPENS_S * (int64_t)MS_PER_S)
				continue;
			f.flow.last_ns = now > ago ? now - ago : 1;
			if (n < most)
				flows[n] = f.flow;
			n++;
		}
	}
	return n;
}

/* The connections of a VM that is no more. */
static void
flows_forget(struct activity_table *t, const uint8_t mac[6])
{
	struct activity_flow f;

	for (unsigned i = 0; i < 2; i++) {
		char *all = mem_text(flows_list(t, flow_sets[i]));
		const char *text = all;

		while (activity_element_flow(&text, mac, &f)) {
			char command[ACTIVITY_COMMAND];

			snprintf(command, sizeof(command), "delete element bridge %s %s { %s }",
			    t->name, flow_sets[i], f.key);
			(void)activity_table_run(t, command, NULL);   /* it may just have ended */
		}
		free(all);
	}
}

void
activity_table_forget(struct activity_table *t, const uint8_t mac[6])
{
	(void)active_run(t, "delete", mac, NULL);     /* perhaps no packet of it has passed */
	flows_forget(t, mac);
}

/* ---- whole or not ---- */

/* Nothing was counted before now. */
static enum err
mark(struct activity_table *t, struct errmsg *m)
{
	char command[3 * (TAG_MOST + 80)];

	snprintf(command, sizeof(command),
	    "flush set bridge %s active; add element bridge %s active { %s timeout %dd }", t->name,
	    t->name, ADDR_MAC_STR(mark_mac), MARK_DAYS);
	t->since_ns = clock_now_ns();
	return activity_table_run(t, command, m);
}

/* Rules and sets as they are to be; *kept: with what was counted before. */
static enum err
make(struct activity_table *t, bool *kept, struct errmsg *m)
{
	enum err e = rules_make(t, false, m);

	/* A table of another kind has its name. */
	if (e != ERR_OK)
		e = rules_make(t, true, m);
	if (e == ERR_OK)
		e = rules_note(t, m);
	if (e != ERR_OK)
		return e;
	*kept = renewed(t, mark_mac, MARK_S, &t->since_ns, NULL) == ERR_OK;
	return *kept ? ERR_OK : mark(t, m);
}

enum err
activity_table_lost(struct activity_table *t, struct errmsg *m)
{
	bool kept;
	enum err e = make(t, &kept, m);

	if (e == ERR_OK && kept)
		e = mark(t, m);
	return e != ERR_OK ? e : err_set(m, ERR_MISSING, "the nftables table %s was changed by "
	    "somebody; it is as it was and counts from now on", t->name);
}

enum err
activity_table_check(struct activity_table *t, struct errmsg *m)
{
	uint64_t since_ns;

	if (rules_whole(t) && renewed(t, mark_mac, MARK_S, &since_ns, NULL) == ERR_OK)
		return ERR_OK;
	return activity_table_lost(t, m);
}

/* ---- beginning and end ---- */

/*
 * Closes libnftables' sockets, which it leaves open, in what is executed: libxl executes device
 * models and scripts from this process.  Returns the highest number among them.
 */
static int
hide_netfilter_sockets(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	int highest = -1;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		int fd = atoi(d->d_name), domain = -1, protocol = -1;
		socklen_t len = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_NETLINK &&
		    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
		    protocol == NETLINK_NETFILTER) {
			/* of a descriptor that is open it cannot fail */
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
			highest = fd > highest ? fd : highest;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return highest;
}

/* libnftables ends its process where it cannot have this socket. */
static enum err
netfilter_there(struct errmsg *m)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return err_sys(m, "nftables: netlink socket%s",
		    errno == EPROTONOSUPPORT ? " (this kernel has no nftables)" : "");
	close(fd);
	return ERR_OK;
}

enum err
activity_table_open(const char *tag, struct activity_table **out, struct errmsg *m)
{
	size_t len = strlen(tag);
	struct activity_table *t;
	enum err e = ERR_OK;
	bool kept;

	*out = NULL;
	if (len == 0 || len > TAG_MOST ||
	    strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len)
		return err_set(m, ERR_RANGE, "tag \"%s\" of the nftables table: 1 to %d letters, "
		    "digits, - and _", tag, TAG_MOST);
	e = netfilter_there(m);
	if (e != ERR_OK)
		return e;
	t = mem_zero(1, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "jitsu-%s", tag);
	t->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (hide_netfilter_sockets() >= FD_SETSIZE)
		e = err_set(m, ERR_LIMIT, "nftables needs a descriptor below %d, and all of them "
		    "are in use", FD_SETSIZE);
	else if (t->nft == NULL || nft_ctx_buffer_output(t->nft) != 0 ||
	    nft_ctx_buffer_error(t->nft) != 0)
		e = err_set(m, ERR_IO, "nftables: no context");
	if (e == ERR_OK)
		e = make(t, &kept, m);
	if (e != ERR_OK)
		activity_table_close(t, false);
	else
		*out = t;
	return e;
}

void
activity_table_close(struct activity_table *t, bool remove)
{
	char command[TAG_MOST + 40];

	if (t == NULL)
		return;
	if (remove) {
		snprintf(command, sizeof(command), "delete table bridge %s", t->name);
		/* somebody else may have removed it */
		(void)activity_table_run(t, command, NULL);
	}
	if (t->nft != NULL)
		nft_ctx_free(t->nft);
	for (unsigned i = 0; i < ACTIVITY_CHAINS; i++)
		free(t->rules[i]);
	free(t);
}
