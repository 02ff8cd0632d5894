/*
 * load: the door of this room: from configuration files to a generation, beside the loop.
 *
 *     check.h    a whole configuration looked at without a daemon
 *     served.h   generations, zones and zimages
 *     claims.h   the addresses that a generation's units claim
 *     zjob.h     zimages that are kept on disk
 *
 * and, below, the load itself.
 */
#ifndef SRC_LOAD_LOAD_H
#define SRC_LOAD_LOAD_H

#include "src/load/check.h"
#include "src/load/claims.h"
#include "src/load/zjob.h"
#include "src/process/process.h"

/* What a load starts from; all that is pointed to stays as it is until the load is over. */
struct loader_conf {
	struct event_base *base;
	struct work *work;         /* of ZJOB_LANES */
	const char *conf_path;
	bool force;                /* also what takes most of the zones away (config_check_loss) */
	uint64_t number;           /* of the generation that is made */
	const struct generation *running;      /* NULL: this is the first load */
	const struct config *started;          /* as it was at the start */
	const struct child_conf *children;
	const char *zimages_dir;
	const struct mapping_secret *secret;
	const struct msg_cookies *cookies;  /* for a configuration without a file of them */
};

struct loader;

/*
 * The load is over, and its struct loader freed.  `g` is the caller's, NULL when nothing can be
 * loaded; `r` is valid during the call and has the findings of zones that were refused, too.
 */
typedef void (*loader_done_cb)(struct generation *g, struct report *r, void *arg);

/* `done` is called on the loop, never from inside this call. */
struct loader *loader_start(const struct loader_conf *conf, loader_done_cb done, void *arg);
/* Gives the load up; `done` is not called.  NULL is allowed. */
void loader_free(struct loader *l);

#endif
