/*
 * park_state: the states of a unit that is not awake.
 *
 *              a packet:            MSG_              MSG_              all is answered,
 *   MSG_       MSG_KNOCK            LINK              AWAKE             or 10 s: MSG_SETTLED
 *   PARK: ASLEEP ---------> ASKED ---------> LINKED ---------> AWAKE -----------------> (none)
 *           ^                 |                |                 |
 *           |    MSG_DROP     |                |                 |
 *           +-----------------+----------------+-----------------+
 *           | MSG_PARK, from every state
 *
 * MSG_PARK with MSG_PARK_BUSY makes ASLEEP ASKED, and leaves what comes later as it is.  A wake
 * that DNS began goes from ASLEEP to LINKED.  ASLEEP, ASKED and LINKED answer for the addresses
 * (park_claim.c); LINKED and AWAKE give held SYNs until the guest accepts them (park_flow.c).
 * Invariants: a unit has a timer exactly while a claim, a given SYN or a deadline is under way;
 * only LINKED and AWAKE have a link, which is closed before MSG_SETTLED.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vm/sentinel/park_impl.h"

struct park_set *
park_set_new(const struct park_ops *ops, void *arg)
{
	struct park_set *set = mem_zero(1, sizeof(*set));

	set->ops = *ops;
	set->arg = arg;
	for (size_t i = 0; i < FULL_STEPS; i++)
		TAILQ_INIT(&set->full[i]);
	for (size_t i = 0; i < sizeof(set->secret); i += sizeof(uint32_t)) {
		uint32_t r = ops->random(arg);

		memcpy(set->secret + i, &r, sizeof(r));
	}
	return set;
}

struct park_unit *
park_find(const struct park_set *set, uint32_t unit)
{
	return table_find(&set->by_unit, &unit, sizeof(unit));
}

static void
unit_free(struct park_set *set, struct park_unit *u)
{
	park_hold_clear(set, u);
	park_claim_clear(set, u);
	park_due_never(set, u);
	(void)table_remove(&set->by_unit, &u->number, sizeof(u->number));
	free(u->policy);
	free(u);
}

void
park_set_free(struct park_set *set)
{
	struct park_unit *u;
	size_t at = 0;

	if (set == NULL)
		return;
	while ((u = table_next(&set->by_unit, &at)) != NULL)
		unit_free(set, u);
	table_clear(&set->by_unit);
	table_clear(&set->by_addr);
	free(set->heap);
	free(set);
}

static void
unlink_unit(struct park_set *set, struct park_unit *u)
{
	if (u->linked)
		set->ops.unlink(set->arg, u->number);
	u->linked = u->alive = false;
}

static void
tell_settled(struct park_set *set, uint32_t unit)
{
	struct msg m = { .type = MSG_SETTLED, .unit = unit };

	set->ops.tell(set->arg, &m);
}

/* ---- MSG_PARK ---- */

static enum err
check(const struct msg *msg, struct errmsg *m)
{
	const struct msg_park *p = &msg->park;

	if (p->network >= LIMIT_NETWORKS)
		return err_set(m, ERR_RANGE, "unit %u: network %u of at most %d", msg->unit,
		    p->network, LIMIT_NETWORKS);
	if ((p->mac[0] & 1) != 0)
		return err_set(m, ERR_RANGE, "unit %u: its MAC is a multicast address", msg->unit);
	if (p->non > LIMIT_WAKE_ON || p->npassive > LIMIT_PASSIVE)
		return err_set(m, ERR_RANGE, "unit %u: %u that wake of at most %d, %u passive "
		    "prefixes of at most %d", msg->unit, p->non, LIMIT_WAKE_ON, p->npassive,
		    LIMIT_PASSIVE);
	for (size_t i = 0; i < PARK_ADDRS; i++)
		if (p->addr[i].family != 0 && p->addr[i].family != 4 && p->addr[i].family != 6)
			return err_set(m, ERR_RANGE, "unit %u: address family %u, not 4 or 6",
			    msg->unit, p->addr[i].family);
	return ERR_OK;
}

static void
policy_set(struct park_unit *u, const struct msg_park *p)
{
	free(u->policy);
	u->policy = NULL;
	if (p->non == 0 && p->npassive == 0)
		return;
	u->policy = mem_zero(1, sizeof(*u->policy));
	u->policy->non = p->non;
	u->policy->npassive = p->npassive;
	u->policy->passive_accepts = p->passive_accepts;
	memcpy(u->policy->on, p->on, sizeof(p->on));
	memcpy(u->policy->passive, p->passive, sizeof(p->passive));
}

static struct park_unit *
unit_new(struct park_set *set, uint32_t number)
{
	struct park_unit *u = mem_zero(1, sizeof(*u));

	u->number = number;
	for (size_t i = 0; i < PARK_ADDRS; i++)
		u->claims[i].unit = u;
	TAILQ_INIT(&u->held);
	table_set(&set->by_unit, &u->number, sizeof(u->number), u);
	return u;
}

/*
 * The unit sleeps: what is held waits for the next wake, which it asks for.  What a guest that was
 * awake has not answered is not held any more: it was sent to sleep all the same, and a client who
 * still wants it sends again.  The pause after MSG_DROP, which comes before, goes on.
 */
static void
sleep_begin(struct park_set *set, struct park_unit *u, bool busy, uint64_t now_ns)
{
	const struct held *first;

	if (busy && u->state != PARK_ASLEEP)
		return;
	if (u->state >= PARK_AWAKE) {
		park_hold_clear(set, u);
		u->knock_ns = 0;
	}
	first = TAILQ_FIRST(&u->held);
	unlink_unit(set, u);
	u->deadline_ns = 0;
	u->state = busy ? PARK_ASKED : PARK_ASLEEP;
	if (!busy && first != NULL)
		park_knock(set, u, &first->packet, now_ns);
}

enum err
park_put(struct park_set *set, const struct msg *msg, uint64_t now_ns, struct errmsg *m)
{
	const struct msg_park *p = &msg->park;
	struct park_unit *u = park_find(set, msg->unit);
	enum err e = check(msg, m);

	if (e != ERR_OK)
		return e;
	if (u == NULL)
		u = unit_new(set, msg->unit);
	if (memcmp(u->mac, p->mac, sizeof(u->mac)) != 0)
		park_claim_clear(set, u);
	u->network = p->network;
	memcpy(u->mac, p->mac, sizeof(u->mac));
	u->memory = (p->flags & MSG_PARK_MEMORY) != 0;
	policy_set(u, p);
	park_claim_set(set, u, p, now_ns);
	sleep_begin(set, u, (p->flags & MSG_PARK_BUSY) != 0, now_ns);
	park_due_set(set, u);
	return ERR_OK;
}

/* ---- the others ---- */

void
park_remove(struct park_set *set, uint32_t unit)
{
	struct park_unit *u = park_find(set, unit);

	if (u == NULL)
		return;
	unlink_unit(set, u);
	unit_free(set, u);
}

/*
 * What is given now waits in the NIC's queue until the guest reads it, which a guest that was
 * frozen or saved does at once, with all that its services were.  One that boots may read a SYN too
 * early: it is given again.
 */
bool
park_link(struct park_set *set, uint32_t unit, uint64_t now_ns)
{
	struct park_unit *u = park_find(set, unit);

	if (u == NULL)
		return false;
	u->linked = true;
	if (u->state < PARK_LINKED)
		u->state = PARK_LINKED;
	park_give_syns(set, u, now_ns);
	if (u->memory)
		park_give_datagrams(set, u, now_ns);
	park_due_set(set, u);
	return true;
}

/* The link is closed first: the warden has it, too, and its close is the last, which takes long. */
static void
settle(struct park_set *set, struct park_unit *u)
{
	uint32_t unit = u->number;

	unlink_unit(set, u);
	unit_free(set, u);
	tell_settled(set, unit);
}

bool
park_settle(struct park_set *set, struct park_unit *u)
{
	if (u->state != PARK_AWAKE || u->nheld > 0)
		return false;
	settle(set, u);
	return true;
}

void
park_awake(struct park_set *set, uint32_t unit, uint64_t now_ns)
{
	struct park_unit *u = park_find(set, unit);

	if (u == NULL) {
		tell_settled(set, unit);
		return;
	}
	if (u->state == PARK_AWAKE)
		return;
	u->state = PARK_AWAKE;
	u->deadline_ns = now_ns + PARK_SETTLE_NS;
	if (u->linked) {
		u->alive = true;
		park_give_syns(set, u, now_ns);
		park_give_datagrams(set, u, now_ns);
	} else {
		park_hold_clear(set, u);   /* clients send again, and to the guest */
	}
	if (!park_settle(set, u))
		park_due_set(set, u);
}

void
park_drop(struct park_set *set, uint32_t unit, uint64_t now_ns)
{
	struct park_unit *u = park_find(set, unit);
	bool ran;

	if (u == NULL)
		return;
	ran = u->state >= PARK_LINKED;
	park_refuse_held(set, u, true, now_ns);
	park_hold_clear(set, u);
	unlink_unit(set, u);
	u->state = PARK_ASLEEP;
	u->deadline_ns = 0;
	u->knock_ns = ran ? 0 : now_ns + PARK_REFUSED_NS;
	park_due_set(set, u);
}

/* ---- time ---- */

static void
unit_tick(struct park_set *set, struct park_unit *u, uint64_t now_ns)
{
	struct held *h;

	/* No service wants what is still held: the guest's refusals are passed on. */
	if (u->deadline_ns != 0 && u->deadline_ns <= now_ns) {
		park_refuse_held(set, u, false, now_ns);
		settle(set, u);
		return;
	}
	for (size_t i = 0; i < PARK_ADDRS; i++)
		if (u->claims[i].next_ns != 0 && u->claims[i].next_ns <= now_ns &&
		    u->state < PARK_LINKED)
			park_claim_tick(set, &u->claims[i], now_ns);
	TAILQ_FOREACH(h, &u->held, entry)
		if (u->alive && h->next_ns != 0 && h->next_ns <= now_ns)
			park_give(set, u, h, now_ns);
	park_due_set(set, u);
}

void
park_tick(struct park_set *set, uint64_t now_ns)
{
	struct park_unit *u;

	while ((u = park_due_first(set, now_ns)) != NULL)
		unit_tick(set, u, now_ns);
}

uint32_t
park_network(const struct park_set *set, uint32_t unit)
{
	const struct park_unit *u = park_find(set, unit);

	return u != NULL ? u->network : LIMIT_NETWORKS;
}

struct park_figures
park_figures(const struct park_set *set)
{
	return (struct park_figures){ .units = set->by_unit.count, .held = set->held,
	    .held_bytes = set->held_bytes, .timed = set->nheap };
}
