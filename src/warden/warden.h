/*
 * warden: the privileged process: configuration, units, life cycle, store, drivers, control socket; no byte from the network or a guest.
 *
 * One struct warden holds it all and is passed around; the files that work on it are
 *
 *     warden.c    start, signals, end              loader.c   from configuration files to a new generation
 *     dnslink.c   the DNS process                  unit.c     the table of units
 *     probelink.c the sentinel                     wake*.c    life-cycle actions carried out
 *     generation.c zones and units of a load       policy.c   what they and the board are told of a unit
 *     listen.c    sockets                          adopt.c    VMs that a former warden left
 *     aside.c     VMs whose units are not known    children.c processes
 *     rundir.c    the run directory, kept whole        links.c    bridges and taps that change
 *     verbs.c     what `jitsu` asks                holds.c    addresses that are held for others
 *     keep.c      compiled images for the next start    prepare.c  what of a load may block
 *
 * Everything runs on one libevent loop; what blocks is in vm/ (driver threads), store.c, imagejob.c and prepare.c (their own
 * threads).
 */
#ifndef SRC_WARDEN_WARDEN_H
#define SRC_WARDEN_WARDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/board.h"
#include "base/err.h"
#include "base/msg.h"
#include "dns/dns.h"
#include "src/life/life.h"
#include "src/process/process.h"
#include "src/config/config.h"
#include "src/control/control.h"
#include "src/load/inputs.h"
#include "src/units/units.h"
#include "src/store/store.h"
#include "src/warden/unit.h"
#include "vm/vm.h"

struct imagejob;
struct loader;
struct adoption;
struct aside;
struct rundir;
struct wake_pending;

/* A compiled image that is served, at least in part. */
struct image {
	uint32_t id;               /* never reused */
	int fd;
	struct dns_image *view;
	bool sent;                 /* the running DNS process has it */
	unsigned refs;             /* zones of generations, and a load in progress */
};

/* What is served for one zone of the configuration. */
struct served_zone {
	char *origin;
	struct image *image;       /* NULL: it never loaded */
	uint32_t index;            /* within the image */
	uint32_t serial;
	uint32_t nunits;
	char *error;               /* why the newest version is not what is served; NULL = it is */
	struct inputs inputs;      /* what it was compiled from */
	bool alone;                /* the image has no other zone: it may be kept on disk */
	bool kept;                 /* it is, or that was tried */
};

/* Is what is served what its file says? */
static inline bool
served_zone_ok(const struct served_zone *z)
{
	return z->image != NULL && z->error == NULL;
}

/* One generation: a configuration, its zones and their units' settings; replaced as a whole by a reload. */
struct generation {
	uint64_t number;
	struct config *conf;
	struct mapping_set *mappings;
	uid_t *admins;             /* of the configuration's, those that exist */
	size_t nadmins;
	struct served_zone *zones; /* parallel to conf->zones */
	const struct config_zone_section *empty;   /* aside_empty_section */
	unsigned compiled;         /* zones that this load read anew */
	unsigned from_disk;        /* zones whose images it found compiled (imagecache.h) */
};

struct sockets {
	int *fds;                  /* [worker][i]: UDP and TCP of each listening address */
	uint8_t *kinds, *wildcards;
	unsigned per_worker, workers;
};

struct warden {
	struct event_base *base;
	const char *conf_path;
	bool foreground;
	bool stopping;
	bool ready;                    /* both children ran, and whoever started us knows */
	bool reload_again;             /* SIGHUP came while a load was running */
	bool commit_again;             /* the DNS process is told of the generation soon: it could not be yet */
	struct child_conf child_conf;
	struct child dns, sentinel;
	struct probed {
		unsigned ifindex;
		uint8_t mac[6];
	} probed[LIMIT_NETWORKS];      /* by network: the bridge that the sentinel has a socket of, as it was told; 0 = none */
	struct sockets sockets;
	struct board board;
	struct store *store;
	char store_note[STORE_NOTE];   /* what was wrong with it at the start; "" = nothing */
	struct vm_host *vms;
	struct vm_links *links;        /* NULL: the kernel does not tell of interfaces */
	struct event *ev_links;        /* ... what it told is looked at */
	struct event *ev_lost;         /* ... VMs that cannot be reached are put to sleep */
	struct link_bridge {
		char name[16];             /* as the configuration had it; "" = not known yet */
		unsigned ifindex;          /* 0: there is none */
		bool up;
		uint8_t mac[6];
		bool doubt;                /* something was heard of it: it is looked at */
	} bridges[LIMIT_NETWORKS];     /* by network */
	struct vm_activity *activity;  /* NULL: payload is not counted, queries decide alone */
	struct control *control;
	struct admit admit;
	struct mapping_secret secret;
	struct cookie_secrets cookies;         /* of the generation */
	struct cookie_secrets cookies_random;  /* made at the start, for configurations without a file */
	struct config *started;        /* as it was at the start: what no reload changes is still so */
	struct generation *gen;        /* NULL until the first load is done */
	struct loader *loader;         /* a load in progress */
	uint64_t served;               /* the newest generation that the DNS process has confirmed */
	struct imagejob *keeping;      /* images on their way to the disk */
	bool keep_again;               /* when that is done: a load was done meanwhile */
	char *images_dir;
	struct adoption *adoption;     /* until every VM that was found is dealt with */
	bool adopted;                  /* ... which is done */
	LIST_HEAD(, aside) asides;     /* aside.h */
	bool stop_vms;                 /* on-exit = "stop" of the newest configuration */
	struct unit_table units;
	unsigned refused_units;        /* units with refused (holds.h) */
	STAILQ_HEAD(, wake_pending) pending;   /* events that wait until the step in progress is done */
	bool stepping;
	unsigned ready_held;           /* units with ready_held */
	LIST_HEAD(, unit) behind;      /* units with behind, by run->behind_link */
	LIST_HEAD(, unit) needing;     /* units with needing, by run->needs_link */
	LIST_HEAD(, unit_waiter) told; /* who is told what its unit waits for */
	bool tell_soon;                /* ... which is under way */
	uint32_t next_image;
	uint64_t next_generation;
	struct {
		double time;               /* of its end, seconds since 1970; 0 = there was none since the start */
		const char *by;            /* who asked for it; a literal */
		bool refused;
		char *error;               /* the first of its errors, or NULL */
	} reload;                      /* the last one */
	uint64_t started_ns;
	struct flood *flood;           /* what was said in this minute */
	struct {
		uint64_t wakes, boots, failures, crashes, refused, queued, adopted, left_out;
	} totals;
	struct event *ev_hup, *ev_term, *ev_int;
	struct rundir *rundir;         /* rundir.h */
	char *empty_root;
	char tag[16];                  /* of this instance, from its run directory */
	unsigned wait_stop;            /* VMs still to be stopped before the end (on-exit = "stop") */
};

/* ---- warden.c ---- */

struct warden_options {
	const char *conf_path;
	bool foreground;
};

/* Runs until SIGTERM or SIGINT; the exit status. */
int warden_main(const struct warden_options *opt);
/* Zones of the generation: in all, not served at all, and served as they were before their files went wrong. */
struct warden_zones {
	unsigned all, failed, old;
};
void warden_zones(const struct warden *w, struct warden_zones *n);
/* Logs and remembers how a reload went that `by` (a literal) asked for; NULL: the load at the start. */
void warden_reloaded(struct warden *w, const char *by, enum err e, const struct report *r);
/* The first generation is loaded and adoption is done: start the children that serve. */
void warden_serve(struct warden *w);
/* A child is confined and runs: when both did for the first time, we are READY. */
void warden_child_runs(struct warden *w);
/* A child ended.  One that never ran after LIMIT_CHILD_FIRST_STARTS ends the start. */
void warden_child_gone(struct warden *w, const struct child *c);

/* ---- listen.c ---- */

/* Binds every listening address once per worker; they stay bound as long as the warden lives. */
enum err listen_open(struct sockets *s, const struct config *conf, struct errmsg *m);
void listen_close(struct sockets *s);

/* ---- dnslink.c ---- */

void dnslink_init(struct warden *w);
/* Sends the current generation to the DNS process; harmless while it does not run (it gets it when it starts). */
void dnslink_commit(struct warden *w);
/* The same for what a reload may change besides zones. */
void dnslink_tune(struct warden *w);
void dnslink_woken(struct warden *w, uint32_t unit, enum msg_wake_result result, unsigned ede);

/* ---- probelink.c ---- */

void probelink_init(struct warden *w);
/* Networks changed: the sentinel gets a packet socket for each bridge that exists. */
void probelink_networks(struct warden *w);
/* Can the unit be probed: is there a source address on its bridge?  The message says what to configure.  What was found out is kept for probelink_start. */
enum err probelink_plan(struct warden *w, struct unit *u, struct errmsg *m);
void probelink_unplan(struct unit_run *r);
/* Starts the readiness probe of a unit, as planned if it was; while its VM is being started by a driver with VM_RUNS_LATE, it waits for the next call. */
void probelink_start(struct warden *w, struct unit *u, bool vm_starts);
/* Starts those under way anew: they name networks by numbers that a reload changes. */
void probelink_probe_all(struct warden *w);
/* The bridge of a network has another MAC or address, or is another: the sentinel learns that. */
void probelink_bridge(struct warden *w, unsigned network, const struct vm_bridge *br);
void probelink_unprobe(struct warden *w, const struct unit *u);

/* ---- loader.c ---- */

/* How a load ended: `r` has the findings of zones that were refused, too, when the load as a whole worked. */
typedef void (*load_done_cb)(struct warden *w, enum err e, const struct report *r, void *arg);

/*
 * Reads the configuration and all zones and makes them the new generation; without `force` not one that
 * seems to be cut short (config_check_loss).  One at a time: ERR_STATE while another runs.
 */
enum err loader_start(struct warden *w, bool force, load_done_cb done, void *arg);
void loader_cancel(struct warden *w);
/* The DNS process serves w->served, or ended: a load that waits for it is done. */
void loader_served(struct warden *w);
void generation_free(struct warden *w, struct generation *g);
/* What the images of this configuration need to know of the host is found out in the background. */
void generation_prepare(struct warden *w, const struct config *conf);
void image_unref(struct image *img);

/* ---- keep.c ---- */

/* A load has worked: large zones that it compiled are kept on disk, entries of zones that are gone are removed. */
void keep_images(struct warden *w);

/* ---- wake*.c ---- */

/* Somebody asked for a unit.  time_ns: when; never later than now. */
void wake_request(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns);
/* Puts an event into a unit's life cycle and carries out what follows.  The unit may be freed when it returns (LIFE_FORGET). */
void wake_step(struct warden *w, struct unit *u, const struct life_event *ev);
/*
 * The unit has left the configuration.  It waits for nothing any more, and that it left is the next
 * that its life cycle hears: wake_drain delivers that before anything else happens to any unit.
 */
void wake_leave(struct warden *w, struct unit *u);
/* Delivers the events that are queued, and those that follow from them. */
void wake_drain(struct warden *w);
/* Boots those that wait for a slot, as far as there are any (more). */
void wake_admit(struct warden *w);
/* What keeps a wake from its boot; only the boots are sure to let it on. */
enum wake_waits { WAITS_NOT = 0, WAITS_BOOTS, WAITS_VMS, WAITS_MEMORY, WAITS_FORMER, WAITS_NEEDS };

enum wake_waits wake_waits_for(const struct warden *w, const struct unit *u);
/* As programs see it: the limit's name, "former" or "needs". */
const char *wake_waits_text(enum wake_waits what);
/* As people read it: a sentence without the unit. */
void wake_waits_say(const struct warden *w, const struct unit *u, char *buf, size_t size);
/* Somebody waits for a VM of it that may never boot, or would if somebody asked now. */
bool wake_is_unsure(const struct warden *w, const struct unit *u);
/* After a reload: what waits for memory follows its new settings. */
void wake_slot_review(struct warden *w);
/* admit_sure_cb */
void wake_slot_sure(struct admit_waiter *x, void *warden);
/* The unit's policy as the life cycle wants it. */
void wake_policy(const struct warden *w, const struct unit *u, struct life_policy *p);
void wake_alive(struct warden *w, struct unit *u, uint64_t seen_ns);
void wake_ready(struct warden *w, struct unit *u, uint64_t seen_ns);
/* Its readiness is probed from now on; the sentinel saw something of a guest (u may be NULL), false: nonsense. */
void wake_why_probed(struct unit *u, const struct msg *probe);
bool wake_why_sign(struct unit *u, const struct msg *m);
/* What a unit needs is awake now: its own readiness, held back, counts. */
void wake_ready_again(struct warden *w, struct unit *u);
/* The packets of the unit's VM count as use. */
void wake_count(struct warden *w, const struct unit *u, const struct vm_uuid *uuid);
void wake_vm_event(const struct vm_event *ev, void *arg);
/* The first of a wake's held queries was answered. */
void wake_answered(struct warden *w, struct unit *u, uint64_t first_query_ns, uint64_t time_ns, unsigned answers, bool expired);
/* An operator waits: answered when the unit is awake (or asleep), or when that failed.  Takes over the request. */
void wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep);
/* The same for a wake; meanwhile it is told, when that changes, what the unit waits for before it boots. */
void wake_wait_told(struct warden *w, struct unit *u, struct control_request *req);
/* What units wait for has changed: who is told of it is told soon. */
void wake_waits_changed(struct warden *w);
/* The end: whoever still waits is told so. */
void wake_answer_all(struct warden *w, const char *why);
/* Why it failed, as an answer may say it: MSG_EDE_*. */
unsigned wake_ede(const struct unit *u);
/* After a reload: what the board says of a unit follows its new policy. */
void wake_board(struct warden *w, struct unit *u);
/* Newest use of a unit: queries (board) and payload as far as it was read; 0 = never. */
uint64_t wake_last_use_ns(const struct warden *w, const struct unit *u);

/* ---- links.c ---- */

/*
 * VMs whose NICs lose their bridge get it back; those whose NICs are gone, or whose bridge stays
 * away, are ended.
 */
void links_init(struct warden *w);
void links_clear(struct warden *w);
/* Every VM and every network is looked at soon; after a reload, networks only. */
void links_review(struct warden *w);
void links_reload(struct warden *w);
/* Have its NICs bridges that are up?  On the way of every wake: what is known is not asked for. */
enum err links_check(const struct warden *w, const struct unit *u, struct errmsg *m);
/* Its VM was started: what happened to its NICs meanwhile is looked at. */
void links_started(struct warden *w, const struct unit *u);
/* It is awake (again): when it is known that nobody can reach it, not for long. */
void links_awake(struct warden *w, struct unit *u);

/* ---- adopt.c ---- */

/* Joins what runs to what the store remembers; for the first generation, once. */
void adopt_start(struct warden *w);
/* Instead, or while it goes on, when w->stopping: destroys every VM of ours and breaks the loop when that is done. */
void adopt_destroy(struct warden *w);
void adopt_free(struct warden *w);

/* ---- verbs.c ---- */

enum err verbs_open(struct warden *w, struct errmsg *m);
/* The generation's admins are those of the control socket from now on. */
void verbs_admins(struct warden *w);

#endif
