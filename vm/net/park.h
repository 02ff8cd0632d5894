/*
 * park: MACs of units that are not awake, behind a port of ours (parkport.h) by static forwarding
 * entries: what is for them does not flood, and comes to the sentinel.  Not included outside vm/.
 *
 * The loop says what is to be parked, and what no longer; threads carry it out in that order, many
 * at once.  A VM that gets its NIC takes its MAC from the port at any time (port_take): then what
 * was said of the MAC before is void.  Lack of memory is fatal.
 */
#ifndef VM_NET_PARK_H
#define VM_NET_PARK_H

#include <sys/queue.h>

#include "vm/vm.h"

struct parks;

/* Of the instance with that run directory, which tells its ports from others'. */
struct parks *parks_new(const char *run_dir);
void parks_free(struct parks *p);             /* NULL is allowed */

/* Names of its ports: this text and a number. */
#define PARKS_PREFIX 12
const char *parks_prefix(const struct parks *p);
/* Is that interface one of its ports?  False for NULL. */
bool parks_has(const struct parks *p, unsigned ifindex);

struct park {
	uint8_t mac[6];
	bool remove;               /* no longer parked */
	unsigned port;             /* ifindex */
	char from[IFNAMSIZ];       /* the end of a NIC of ours that may have it now; "" = none */
	uint32_t unit;
	vm_park_cb failed;
	void *arg;
	enum err err;
	char *why;                 /* malloc'd; after an error */
	STAILQ_ENTRY(park) link;
};
STAILQ_HEAD(park_list, park);
void park_free(struct park *k);

/* Takes `k` over.  True: nobody carries out yet what is queued: parks_run is to be called. */
bool parks_add(struct parks *p, struct park *k);
/*
 * Carries out all that was queued before, on any thread; *failed gets what failed.  For want of the
 * port, which was deleted or left its bridge, nothing fails: then all are parked again anyway.
 */
void parks_run(struct parks *p, struct park_list *failed);

/*
 * Nothing is carried out from here to the release.  Hold: what is queued about the MAC is void.
 * Wait: is anything queued about the MAC?  NULL is allowed: nothing is.
 */
void parks_hold(struct parks *p, const uint8_t mac[6]);
bool parks_wait(struct parks *p, const uint8_t mac[6]);
void parks_release(struct parks *p);
/*
 * The MAC is parked no longer, for a guest behind a port that nobody can name: its first frame says
 * where it is.  NULL is allowed.
 */
void parks_away(struct parks *p, const uint8_t mac[6]);

#endif
