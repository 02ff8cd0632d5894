/*
 * state: the warden's one structure, which its files pass around, and who works on it.
 *
 *     start.c     start, signals, end              reload.c    a load, from its cause to its answer
 *     ready.c     what the starter is told         swap.c      from one generation to the next
 *     unit.c      the table of units               listen.c    the sockets of the DNS process
 *     wake*.c     life-cycle actions carried out (wake_impl.h)
 *     dnslink.c   to the DNS process               inbox.c     what both children send
 *     probelink.c, parklink.c  to the sentinel     timer.c     timers
 *     ports.c     of networks, for packets         passive.c   clients that wake nothing
 *     adopt.c     VMs that a former warden left    aside.c     VMs whose units are not known
 *     links.c     bridges and taps that change     holds.c     addresses that are held for others
 *     record.c    log, events, rows                show.c      units as JSON
 *     verbs.c     what `jitsu` asks                status.c    `jitsu status`
 *     rundir.c    the run directory, kept whole    row.c       what is remembered of a unit
 *     why.c       `jitsu why`                      pressure.c  VMs that give way
 *     ahead.c     QEMUs that wait for wakes        schedule.c  hours of units
 *
 * Everything runs on one libevent loop; what blocks is in vm/ (driver threads), src/store and
 * src/load (threads of their own).  Files with few entries have these below, and no header.
 */
#ifndef SRC_WARDEN_STATE_H
#define SRC_WARDEN_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/board.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/rate.h"
#include "base/table.h"
#include "src/config/config.h"
#include "src/control/control.h"
#include "src/life/life.h"
#include "src/load/load.h"
#include "src/process/process.h"
#include "src/store/store.h"
#include "src/units/units.h"
#include "src/warden/unit.h"
#include "vm/vm.h"

struct adoption;
struct ahead;
struct aside;
struct pressure;
struct reload;
struct rundir;
struct schedule;
struct wake_pending;

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
	bool commit_again;             /* the generation is sent to the DNS process again soon */
	struct child_conf child_conf;
	struct child dns, sentinel;
	struct probed {
		unsigned ifindex;
		uint8_t mac[6];
		bool failed;               /* its socket; said once */
	} probed[LIMIT_NETWORKS];      /* bridges as the sentinel knows them; 0 = none */
	struct network_port {
		char bridge[16];           /* as the configuration had it */
		struct vm_park_port port;
		bool failed;               /* said once */
	} ports[LIMIT_NETWORKS];           /* ports.h */
	struct event *ev_park;             /* units are told to the sentinel, from park_at on */
	uint32_t park_at;
	bool park_waits;                   /* somebody is looked at once more, soon */
	struct rate packet_wakes;          /* udp-wakes-per-minute, of packets */
	struct sockets sockets;
	struct board board;
	struct store *store;
	char store_note[STORE_NOTE];   /* what was wrong with it at the start; "" = nothing */
	struct vm_host *vms;
	struct vm_links *links;        /* NULL: the kernel does not tell of interfaces */
	struct event *ev_links;        /* bridges and NICs in doubt are looked at */
	struct event *ev_lost;         /* VMs that cannot be reached are put to sleep */
	struct link_bridge {
		char name[16];             /* as the configuration had it; "" = not known yet */
		unsigned ifindex;          /* 0: there is none */
		bool up;
		uint8_t mac[6];
		bool doubt;                /* may have changed: to be looked at */
	} bridges[LIMIT_NETWORKS];     /* by network */
	struct vm_activity *activity;  /* NULL: payload is not counted, queries decide alone */
	struct control *control;
	struct admit admit;
	struct pressure *pressure;     /* pressure.h; NULL before units can be woken */
	struct ahead *ahead;           /* ahead.h; likewise */
	struct mapping_secret secret;
	struct msg_cookies cookies_random;  /* for configurations without a file of them */
	struct config *started;        /* as at the start, for what no reload changes */
	struct generation *gen;        /* NULL until the first load is done */
	struct reload *reloading;      /* a load in progress (reload.c) */
	uint64_t served;               /* the newest generation that the DNS process serves */
	struct work *work;             /* of loads, and of `keeping` */
	struct zjob *keeping;          /* zimages on their way to the disk */
	bool keep_again;               /* a load ended while zimages were being kept */
	char *zimages_dir;
	struct adoption *adoption;     /* until every VM that was found is dealt with */
	bool adopted;                  /* adoption is done */
	LIST_HEAD(, aside) asides;     /* aside.h */
	bool stop_vms;                 /* on-exit = "stop" of the newest configuration */
	struct unit_table units;
	struct {
		struct msg **lists;    /* MSG_PASSIVE, by number - 1 */
		uint32_t n;
		size_t room;
		struct table by_bytes; /* of the prefixes, to the messages */
		bool full;             /* said once */
	} passive;                     /* passive.h */
	unsigned refused_units;        /* units with refused (holds.h) */
	STAILQ_HEAD(, wake_pending) pending;   /* events until the step in progress is done */
	bool stepping;
	unsigned ready_held;           /* units with ready_held */
	LIST_HEAD(, unit) behind;      /* units with behind, by run->behind_link */
	LIST_HEAD(, unit) needing;     /* units with needing, by run->needs_link */
	LIST_HEAD(, unit_waiter) told; /* who is told what its unit waits for */
	bool tell_soon;                /* they will be */
	uint64_t next_generation;
	struct {
		double time;               /* of its end, s since 1970; 0 = none since the start */
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
	struct schedule *schedule;     /* schedule.h; NULL before units can be woken */
	char *empty_root;
	char tag[16];                  /* of this instance, from its run directory */
	unsigned wait_stop;            /* looks before VMs that do not stop are left */
};

/* Joins what runs to what the store remembers; then calls `done`, but never when w->stopping. */
void adopt_start(struct warden *w, void (*done)(struct warden *w));
/* When w->stopping: destroys every VM of ours instead, and breaks the loop after that. */
void adopt_destroy(struct warden *w);
void adopt_free(struct warden *w);

/* Makes w->dns and w->sentinel, which child_start starts. */
void inbox_init(struct warden *w);

/* Binds every listening address once per worker; they stay bound as long as the warden lives. */
enum err listen_open(struct sockets *s, const struct config *conf, struct errmsg *m);
void listen_close(struct sockets *s);

/* The state that `systemctl status` shows. */
void ready_tell(const struct warden *w);
/* A child is confined and runs: when both did for the first time, we are READY. */
void ready_child_runs(struct child *c);
/* A child ended.  One that never ran after LIMIT_CHILD_FIRST_STARTS ends the start. */
void ready_child_gone(struct child *c, const char *why);

/* `g` is the warden's from now on, and the former one is freed; `r` has findings about units. */
void swap_generation(struct warden *w, struct generation *g, struct report *r);
/* Finds out in the background what the images of this configuration need to know of the host. */
void swap_prepare(struct warden *w, const struct config *conf);

/* Opens the control socket. */
enum err verbs_open(struct warden *w, struct errmsg *m);
/* The unit of a request, aliases resolved; NULL after the request was failed. */
struct unit *verbs_unit(struct warden *w, struct control_request *req, json_t *args);
/* The verb `why` (control.h). */
void why_verb(struct control_request *req, json_t *args, void *arg);
/* The verb `status` (control.h). */
void status_verb(struct control_request *req, json_t *args, void *arg);

#endif
