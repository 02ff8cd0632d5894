/* host: what the files of this folder share: the table of VMs, their jobs, the drivers. */
#ifndef VM_HOST_HOST_H
#define VM_HOST_HOST_H

#include <sys/queue.h>

#include "base/table.h"
#include "base/work.h"
#include "vm/driver.h"
#include "vm/host/owner.h"

#define HOST_DRIVERS 8

/*
 * Boots; ends, which wait for a process; saves; what takes a moment; all of VMs that hang; parked
 * MACs; descriptors whose close takes the kernel long.
 */
enum { LANE_START, LANE_STOP, LANE_SAVE, LANE_QUICK, LANE_HUNG, LANE_PARK, LANE_CLOSE, LANES };

/* The last are the host's own: watch_fd, asking for a word, whether a VM hangs, cleaning up. */
enum op { OP_FREEZE = VM_FREEZE, OP_THAW = VM_THAW, OP_SAVE = VM_SAVE, OP_CONSOLE = VM_CONSOLE,
    OP_START, OP_RESTORE, OP_STOP, OP_WATCHED, OP_CHECK, OP_JUDGE, OP_BURY };

enum entry_state { ENTRY_NEW, ENTRY_RUNS, ENTRY_SAVED, ENTRY_GONE };

struct host_driver {
	const struct vm_driver *driver;
	void *ctx;
	enum err err;              /* of open; with its message */
	struct errmsg msg;
};

struct vm_reporter {
	struct vm_host *host;
};

struct host_job {
	struct work_job work;
	struct vm_host *host;
	struct entry *entry;
	struct vm_uuid uuid;
	enum op op;
	struct vm_spec spec;       /* start and restore */
	enum vm_stop_how how;
	unsigned deadline_ms;
	bool takes, wants_link;    /* a thaw: the MAC of the first NIC is parked; VM_EVENT_LINK */
	uint8_t mac[6];
	bool asking;               /* the first half of a shutdown */
	bool reading;              /* the half before the end: the console is read */
	bool has_read;
	bool other_driver;         /* restore: of the specification, not the one that saved it */
	bool died;
	bool told;                 /* OP_BURY: the host was told that it is of no use (vm_end) */
	enum vm_watch_verdict verdict;
	vm_done_cb done;
	void *arg;
	/* for the driver thread */
	const struct vm_driver *driver;
	void *ctx;
	struct vm *vm;
	struct vm_outcome out;
	enum err err;
	char why[512];
	STAILQ_ENTRY(host_job) link;   /* in the entry's queue */
};

struct entry {
	struct vm_host *host;
	struct vm_uuid uuid;
	unsigned driver;
	enum entry_state state;
	struct vm *vm;
	bool busy;                 /* a job is with the threads */
	struct host_job *job;      /* ... this one; NULL once it is done */
	bool dead, readable;       /* what the events said, to be looked at when not busy */
	bool overdue;              /* the deadline of `waiting` has passed */
	bool check;                /* to be asked whether it lives */
	bool judge;                /* ... and host_hang_ms have passed */
	char end[160];             /* why it is to be ended; "" = it is not */
	struct host_job *waiting;  /* a shutdown that the guest was asked for */
	int link_fd;               /* see vm_link_done; -1: none */
	struct event *watch_ev, *death_ev, *timer;
	STAILQ_HEAD(, host_job) queue;
};

struct adopted {
	struct vm_uuid uuid;
	struct owner owner;
	struct vm *vm;
	enum vm_found_state state;
	unsigned driver;
	char why[512];
};

struct adopt_job {
	struct work_job work;
	struct vm_host *host;
	vm_found_cb found;
	void *arg;
	unsigned driver;
	struct adopted *list;
	size_t n, room;
};

struct vm_host {
	struct event_base *base;
	struct vm_host_conf conf;
	char *run_dir, *state_dir, *qemu;
	struct owner_dirs owners;
	vm_event_cb on_event;
	void *arg;
	struct work *work;
	struct vm_env env;
	struct vm_reporter reporter;
	struct host_driver drivers[HOST_DRIVERS];
	unsigned ndrivers;
	struct table entries;      /* by UUID */
	struct vm_links *links;    /* late.c; NULL: not needed so far */
};

/* ---- entry.c ---- */

struct host_job *entry_job_new(struct vm_host *h, enum op op, vm_done_cb done, void *arg);
void entry_job_free(struct host_job *j);
/* Fails it, from the loop's next round; the job is gone then. */
void entry_job_refuse(struct host_job *j, enum err e, const char *why);
/* A stop that waits for no guest. */
bool entry_job_destroys(const struct host_job *j);

struct entry *entry_find(struct vm_host *h, const struct vm_uuid *u);
struct entry *entry_new(struct vm_host *h, const struct vm_uuid *u, unsigned driver);
/* Takes it off the table; its jobs and its VM are the caller's. */
void entry_free(struct entry *e);
static inline unsigned
host_hang_ms(const struct vm_host *h)
{
	return h->conf.hang_ms != 0 ? h->conf.hang_ms : LIMIT_HANG_S * 1000;
}

/* The hypervisor is to say a word within host_hang_ms. */
void entry_owes(struct entry *e);
/* Does what is due; afterwards the entry may be gone. */
void entry_next(struct entry *e);

/* ---- late.c ---- */

/* A VM that is `late` runs. */
void host_late_add(struct entry *e);

/* ---- park.c ---- */

/* Keeps a copy, and closes the former; fd -1: none. */
void host_link_keep(struct entry *e, int fd);
/* The others are for driver threads. */

/* What was parked before is parked. */
void host_park_flush(struct vm_host *h);
/* Moves the MAC from where it is parked to the VM's first NIC, behind its VM_EVENT_LINK. */
void host_park_take(struct vm_host *h, const struct vm *vm, const uint8_t mac[6], bool link);

#endif
