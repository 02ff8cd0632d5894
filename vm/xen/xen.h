/*
 * xen: what the parts of the Xen driver share.  libxl and XenStore are used in vm/xen only.
 *
 *     driver.c  the operations, and the driver's beginning and end
 *     vm.c      what they have in common: a domain's identity, its end, its saved state
 *     start.c   from a specification to a running domain, cold or from a saved state
 *     xl.c      xl.cfg files, read through libxlutil (none.c in a build without Xen)
 *     keys.c    the keys of such files
 *     mark.c    the files by which our domains are known
 *     list.c    adoption, and what a dead domain left in XenStore
 *     event.c   the thread that hears of ends and of XenStore keys
 *     ctx.c     libxl contexts and libxl's own words
 *     vif/      the helper that libxl runs for a NIC
 *
 * A domain is ours by its UUID, which stands in run_dir/xen/UUID since before the domain existed,
 * or by a tag in XenStore that is written with the domain's creation and that the guest cannot
 * write.  Before anything is done to a domain its UUID is compared again: domain numbers are
 * reused.
 */
#ifndef VM_XEN_XEN_H
#define VM_XEN_XEN_H

#include <limits.h>
#include <pthread.h>
#include <sys/queue.h>

#define LIBXL_API_VERSION 0x041300
#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <libxl_uuid.h>
#include <xenstore.h>

#include "vm/driver.h"
#include "vm/proc/dir.h"
#include "vm/proc/ring.h"

/* below the domain's path; the value is the instance's run directory */
#define XEN_TAG "jitsu/instance"
#define XEN_SAVED ".xen"               /* after the UUID, in state_dir/saved */
#define XEN_PART XEN_SAVED ".part"     /* while it is written */

struct xen_events;
struct xen_watch;
struct xen_rest;

struct xen_ctx {
	const struct vm_env *env;
	char instance[PATH_MAX];       /* run_dir, canonical */
	int marks_fd;                  /* run_dir/xen */
	int saved_fd;                  /* state_dir/saved */
	struct xen_events *events;
	pthread_mutex_t rests_lock;
	SLIST_HEAD(, xen_rest) rests;  /* domains of failed starts that could not be destroyed */
};

struct xen_mark {
	bool running;                  /* the domain was whole when this was written */
	uint32_t domid;
	char unit[LIMIT_NAME_TEXT];
	char ready[LIMIT_XENSTORE_KEY];
};

struct xen_vm {
	struct vm vm;                  /* first: the host knows no more */
	struct xen_mark mark;
	struct xen_ctx *ctx;
	uint32_t domid;
	struct xen_watch *watch;       /* NULL: its end is not noticed, as it is to be destroyed */
	bool paused;
	bool ready_told;
	struct ring con;               /* what was read of its console */
};

/* ---- ctx.c ---- */

/* This thread's context, made when needed; forgets libxl's earlier words.  NULL with the reason. */
libxl_ctx *xen_thread_ctx(struct errmsg *m);
/*
 * As xen_thread_ctx, for a driver thread that makes a domain: a context that has watched nothing
 * yet, and the priority that everybody has from then on.  From the first watch on, libxenstore
 * hands each reply through a further thread; and before xenstored has written a whole reply, a
 * client of higher priority preempts it for the reply's header.  A create asks some 500 times: the
 * two cost 5 of the 8 ms by which a wake was slower than libxl alone, some 4 % of a create each.
 */
libxl_ctx *xen_thread_ctx_fresh(struct errmsg *m);
void xen_thread_end(void);
/* Of this thread: no higher than everybody's. */
void xen_priority_drop(void);
/* A context with a logger that keeps its last errors; always_selective_reap. */
enum err xen_ctx_open(libxl_ctx **ctx, xentoollog_logger **log, struct errmsg *m);
void xen_ctx_close(libxl_ctx *ctx, xentoollog_logger *log);
/* No event comes any more, and calls may fail: such a context is only good to be closed. */
bool xen_ctx_broken(xentoollog_logger *log);
/* What libxl said on this thread so far is not about what comes now. */
void xen_log_forget(void);
/* Of another thread's context: lines from the mark on count as ours, but for other domains'. */
unsigned xen_log_mark(xentoollog_logger *log);
void xen_log_borrow(xentoollog_logger *log, unsigned mark, uint32_t domid);
/* As err_set, with libxl's first and last errors of this thread; libxl's rc may set the code. */
enum err xen_fail(struct errmsg *m, int rc, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* ---- event.c ---- */

struct xen_news {
	bool ended;
	bool vanished;                 /* the domain is gone, not only shut down */
	int reason;                    /* libxl_shutdown_reason */
	bool ready;
};

enum err xen_events_new(struct xen_events **ev, struct errmsg *m);
void xen_events_free(struct xen_events *ev);
/* Sets v->watch, and watch_fd, readable at news; key: below the domain's path, or NULL. */
enum err xen_watch_new(struct xen_events *ev, struct xen_vm *v, const char *key, struct errmsg *m);
void xen_watch_free(struct xen_events *ev, struct xen_watch *w);
void xen_watch_take(struct xen_events *ev, struct xen_watch *w, struct xen_news *news);
/* Makes it readable once more, so that what is known is looked at again. */
void xen_watch_again(const struct xen_watch *w);
/* What is to be looked at as if the key had appeared. */
void xen_watch_ready(struct xen_events *ev, struct xen_watch *w);
/* After a suspend that came to nothing: libxl tells one shutdown per watch, and that was it. */
void xen_watch_renew(struct xen_events *ev, struct xen_watch *w);
/* Asks for a shutdown; does not wait for the guest. */
int xen_events_shutdown(struct xen_events *ev, uint32_t domid);
/*
 * Writes the guest's state to fd, and closes fd in the end.  A guest that has not suspended itself
 * at answer_ns, or is not written at end_ns, is given up.  Returns libxl's rc; borrows its words.
 */
int xen_events_suspend(struct xen_events *ev, uint32_t domid, int fd, uint64_t answer_ns,
    uint64_t end_ns);

/* ---- list.c, mark.c ---- */

enum err xen_mark_write(struct xen_ctx *ctx, const struct vm_uuid *uuid,
    const struct xen_mark *mark, struct errmsg *m);
/* Their directory and a domain's mark, made again where somebody has removed them. */
enum err xen_marks_keep(void *ctx, struct errmsg *m);
enum err xen_mark_keep(struct vm *vm, struct errmsg *m);
void xen_mark_remove(struct xen_ctx *ctx, const struct vm_uuid *uuid);
/* False, and an empty mark, when there is none. */
bool xen_mark_read(struct xen_ctx *ctx, const struct vm_uuid *uuid, struct xen_mark *mark);
enum err xen_list(void *arg, vm_each_cb each, void *each_arg, struct errmsg *m);

/* ---- xl.c ---- */

/*
 * Fills an initialised configuration from an xl.cfg file; as `type`, or with
 * LIBXL_DOMAIN_TYPE_INVALID as the file says.  ERR_PARSE with file, line and text.
 */
enum err xen_xl_load(const char *path, libxl_domain_type type, libxl_domain_config *dc,
    struct errmsg *m);
/* Replaces *to, a text of a configuration, by a copy; NULL changes nothing. */
void xen_xl_override(char **to, const char *text);

/* ---- keys.c ---- */

struct xen_key {
	const char *name;
	enum xen_key_kind {
		XEN_KEY_TEXT, XEN_KEY_NUMBER, XEN_KEY_BOOL, XEN_KEY_LIST,
		XEN_KEY_XL,            /* xl's own matter: it says nothing of the guest */
		XEN_KEY_REFUSED        /* an error, unless it is an empty list */
	} kind;
};

extern const struct xen_key xen_keys[];
extern const size_t xen_keys_count;

/* The last line in which the text, which libxlutil has accepted, sets a key; 0: in none. */
unsigned xen_key_line(const char *text, size_t size, const char *key);
/* Adds a warning for each key that is not understood. */
void xen_keys_report(const char *path, const char *text, size_t size, struct report *r);

/* ---- start.c ---- */

enum err xen_start(void *ctx, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out);
enum err xen_restore(void *ctx, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out);

/* ---- vm.c ---- */

struct xen_vm *xen_vm_new(struct xen_ctx *ctx, const struct vm_uuid *uuid, const char *unit,
    uint32_t domid);
/* Notes its NICs' ends that libxl has named: HVM's have two, and an xl file may name others. */
void xen_vm_nics(struct xen_vm *v, libxl_domain_type type);
void xen_vm_free(struct vm *vm);
struct xen_info {
	int64_t usec_cpu;
	bool dying;
};
/* info may be NULL.  ERR_MISSING: no domain has both; ERR_IO: the hypervisor does not tell. */
enum err xen_vm_info(libxl_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid,
    struct xen_info *info);
/* Destroys a domain of ours; of none there is nothing to do. */
enum err xen_domain_end(libxl_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid,
    int64_t *usec_cpu, struct errmsg *m);
/* A domain whose start failed, and its end, too: xen_rests_end or the next daemon ends it. */
void xen_rest_add(struct xen_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid);
void xen_rests_end(struct xen_ctx *ctx, libxl_ctx *xl);
void xen_rests_free(struct xen_ctx *ctx);

#endif
