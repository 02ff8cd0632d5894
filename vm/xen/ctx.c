/* ctx: a libxl context per driver thread, and what libxl said last on it. */
#include "vm/xen/xen.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <xentoollog.h>

#include "base/log.h"
#include "base/mem.h"

/* The last lines of libxl; more than are shown, as other domains' may stand between. */
#define KEEP_LINES 8
/* How many of them an error shows, behind the first line, which is mostly the cause. */
#define SHOW_LINES 3
#define KEEP_TEXT 320

struct logger {
	xentoollog_logger vtable;      /* first: libxl knows no more */
	atomic_bool broken;
	pthread_mutex_t lock;          /* what follows */
	char first[KEEP_TEXT];
	char lines[KEEP_LINES][KEEP_TEXT];
	unsigned n;                    /* counted on; the oldest line is overwritten */
};

static _Thread_local struct {
	libxl_ctx *ctx;
	xentoollog_logger *log;
} self;

/* QEMUs are children of ours too: only libxl's own may be reaped by it. */
static const libxl_childproc_hooks childproc = {
	.chldowner = libxl_sigchld_owner_libxl_always_selective_reap
};

static void
keep(struct logger *g, const char *text)
{
	pthread_mutex_lock(&g->lock);
	if (g->n == 0)
		snprintf(g->first, KEEP_TEXT, "%s", text);
	snprintf(g->lines[g->n++ % KEEP_LINES], KEEP_TEXT, "%s", text);
	pthread_mutex_unlock(&g->lock);
}

static void
log_message(xentoollog_logger *l, xentoollog_level level, int errnoval, UNUSED const char *context,
    const char *format, va_list ap)
{
	struct logger *g = (struct logger *)l;
	char text[KEEP_TEXT];
	size_t n;

	if (level < XTL_ERROR)
		return;
	vsnprintf(text, sizeof(text), format, ap);
	n = strcspn(text, "\n");
	text[n] = '\0';
	if (errnoval >= 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(errnoval));
	keep(g, text);
	/* Behind a critical line that is no disaster libxl ends the process. */
	log_at(level >= XTL_CRITICAL ? LOG_L_ERR : LOG_L_DEBUG, "libxl: %s", text);
}

static void
log_destroy(xentoollog_logger *l)
{
	pthread_mutex_destroy(&((struct logger *)l)->lock);
	free(l);
}

/* What cannot be mended, such as XenStore's end: without this libxl would end the process. */
static void
disaster(void *arg, UNUSED libxl_event_type type, UNUSED const char *msg, UNUSED int errnoval)
{
	atomic_store(&((struct logger *)arg)->broken, true);
}

bool
xen_ctx_broken(xentoollog_logger *log)
{
	return atomic_load(&((struct logger *)log)->broken);
}

static const libxl_event_hooks hooks = { .disaster = disaster };

enum err
xen_ctx_open(libxl_ctx **ctx, xentoollog_logger **log, struct errmsg *m)
{
	struct logger *g = mem_zero(1, sizeof(*g));

	*ctx = NULL;
	*log = NULL;
	pthread_mutex_init(&g->lock, NULL);
	g->vtable.vmessage = log_message;
	g->vtable.destroy = log_destroy;
	if (libxl_ctx_alloc(ctx, LIBXL_VERSION, 0, &g->vtable) == 0) {
		libxl_event_register_callbacks(*ctx, &hooks, g);
		libxl_childproc_setmode(*ctx, &childproc, NULL);
		*log = &g->vtable;
		return ERR_OK;
	}
	(void)err_set(m, ERR_UNSUPPORTED, "driver xen: libxl does not start: %s", g->n > 0
	    ? g->lines[(g->n - 1) % KEEP_LINES] : "no reason given");
	log_destroy(&g->vtable);
	*ctx = NULL;
	return ERR_UNSUPPORTED;
}

void
xen_ctx_close(libxl_ctx *ctx, xentoollog_logger *log)
{
	if (ctx != NULL)
		(void)libxl_ctx_free(ctx);     /* it can only succeed */
	if (log != NULL)
		xtl_logger_destroy(log);
}

void
xen_log_forget(void)
{
	if (self.log != NULL)
		((struct logger *)self.log)->n = 0;
}

libxl_ctx *
xen_thread_ctx(struct errmsg *m)
{
	if (self.ctx != NULL && xen_ctx_broken(self.log))
		xen_thread_end();
	if (self.ctx == NULL && xen_ctx_open(&self.ctx, &self.log, m) != ERR_OK)
		return NULL;
	xen_log_forget();
	return self.ctx;
}

libxl_ctx *
xen_thread_ctx_fresh(struct errmsg *m)
{
	xen_thread_end();
	xen_priority_drop();
	return xen_thread_ctx(m);
}

void
xen_priority_drop(void)
{
	if (getpriority(PRIO_PROCESS, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);     /* downwards is always allowed */
}

void
xen_thread_end(void)
{
	xen_ctx_close(self.ctx, self.log);
	self.ctx = NULL;
	self.log = NULL;
}

unsigned
xen_log_mark(xentoollog_logger *log)
{
	struct logger *g = (struct logger *)log;
	unsigned n;

	pthread_mutex_lock(&g->lock);
	n = g->n;
	pthread_mutex_unlock(&g->lock);
	return n;
}

/* libxl writes "Domain N:" before what it says of a domain. */
static bool
is_of_another(const char *line, uint32_t domid)
{
	static const char word[] = "Domain ";
	const char *at = strstr(line, word);
	char *end;
	unsigned long n;

	if (at == NULL)
		return false;
	n = strtoul(at + sizeof(word) - 1, &end, 10);
	return *end == ':' && n != domid;
}

void
xen_log_borrow(xentoollog_logger *log, unsigned mark, uint32_t domid)
{
	struct logger *g = (struct logger *)log, *own = (struct logger *)self.log;

	if (own == NULL)
		return;
	pthread_mutex_lock(&g->lock);
	for (unsigned i = g->n - mark > KEEP_LINES ? g->n - KEEP_LINES : mark; i != g->n; i++)
		if (!is_of_another(g->lines[i % KEEP_LINES], domid))
			keep(own, g->lines[i % KEEP_LINES]);
	pthread_mutex_unlock(&g->lock);
}

static enum err
rc_err(int rc)
{
	return rc == ERROR_NOMEM ? ERR_NOMEM
	    : rc == ERROR_TIMEDOUT ? ERR_TIMEOUT
	    : rc == ERROR_DOMAIN_NOTFOUND ? ERR_MISSING
	    : rc == ERROR_NOPARAVIRT ? ERR_UNSUPPORTED : ERR_IO;
}

/* Appends ": line; line" as far as it fits. */
static void
append_lines(const struct logger *g, char *text, size_t size)
{
	unsigned begin = g->n > SHOW_LINES ? g->n - SHOW_LINES : 0;
	size_t used = strlen(text);

	if (begin > 0 && used < size)
		used += (size_t)snprintf(text + used, size - used, ": %s%s", g->first, begin > 1 ?
		    "; ..." : "");
	for (unsigned i = begin; i < g->n && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? ": " : "; ",
		    g->lines[i % KEEP_LINES]);
}

enum err
xen_fail(struct errmsg *m, int rc, const char *fmt, ...)
{
	const struct logger *g = (const struct logger *)self.log;
	char text[sizeof(m->text)];
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	used = strlen(text);
	if (g != NULL && g->n > 0)
		append_lines(g, text, sizeof(text));
	else
		snprintf(text + used, sizeof(text) - used, ": libxl error %d", rc);
	return err_set(m, rc_err(rc), "%s", text);
}
