/* driver_xen_ctx: a libxl context per driver thread, and what libxl said last on it. */
#include "vm/driver_xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xentoollog.h>

#include "base/log.h"

#define KEEP_LINES 3
#define KEEP_TEXT 320

struct logger {
	xentoollog_logger vtable;      /* first: libxl knows no more */
	char lines[KEEP_LINES][KEEP_TEXT];
	unsigned n;                    /* counted on; the oldest line is overwritten */
};

struct thread {
	libxl_ctx *ctx;
	xentoollog_logger *log;
};

static _Thread_local struct thread self;

/* QEMUs are children of ours too: only libxl's own may be reaped by it. */
static const libxl_childproc_hooks childproc = { .chldowner = libxl_sigchld_owner_libxl_always_selective_reap };

static void
log_message(xentoollog_logger *l, xentoollog_level level, int errnoval, const char *context, const char *format, va_list ap)
{
	struct logger *g = (struct logger *)l;
	char text[KEEP_TEXT];
	size_t n;

	(void)context;
	if (level < XTL_ERROR)
		return;
	vsnprintf(text, sizeof(text), format, ap);
	n = strcspn(text, "\n");
	text[n] = '\0';
	if (errnoval >= 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(errnoval));
	snprintf(g->lines[g->n++ % KEEP_LINES], KEEP_TEXT, "%s", text);
	log_debug("libxl: %s", text);
}

static void
log_progress(xentoollog_logger *l, const char *context, const char *doing, int percent, unsigned long done, unsigned long total)
{
	(void)l;
	(void)context;
	(void)doing;
	(void)percent;
	(void)done;
	(void)total;
}

static void
log_destroy(xentoollog_logger *l)
{
	free(l);
}

enum err
xen_ctx_open(libxl_ctx **ctx, xentoollog_logger **log, struct errmsg *m)
{
	struct logger *g = calloc(1, sizeof(*g));
	const char *why;

	*ctx = NULL;
	*log = NULL;
	if (g == NULL)
		return err_set(m, ERR_NOMEM, "libxl: out of memory");
	g->vtable.vmessage = log_message;
	g->vtable.progress = log_progress;
	g->vtable.destroy = log_destroy;
	if (libxl_ctx_alloc(ctx, LIBXL_VERSION, 0, &g->vtable) == 0) {
		libxl_childproc_setmode(*ctx, &childproc, NULL);
		*log = &g->vtable;
		return ERR_OK;
	}
	why = g->n > 0 ? g->lines[(g->n - 1) % KEEP_LINES] : "no reason given";
	(void)err_set(m, ERR_UNSUPPORTED, "driver xen: libxl does not start: %s", why);
	free(g);
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

libxl_ctx *
xen_thread_ctx(struct errmsg *m)
{
	if (self.ctx == NULL && xen_ctx_open(&self.ctx, &self.log, m) != ERR_OK)
		return NULL;
	((struct logger *)self.log)->n = 0;
	return self.ctx;
}

void
xen_thread_end(void)
{
	xen_ctx_close(self.ctx, self.log);
	self.ctx = NULL;
	self.log = NULL;
}

static enum err
rc_err(int rc)
{
	switch (rc) {
	case ERROR_NOMEM:
		return ERR_NOMEM;
	case ERROR_TIMEDOUT:
		return ERR_TIMEOUT;
	case ERROR_DOMAIN_NOTFOUND:
		return ERR_MISSING;
	case ERROR_NOPARAVIRT:
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

enum err
xen_fail(struct errmsg *m, int rc, const char *fmt, ...)
{
	const struct logger *g = (const struct logger *)self.log;
	unsigned n = g != NULL ? g->n : 0, first = n > KEEP_LINES ? n - KEEP_LINES : 0;
	char text[sizeof(m->text)];
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	used = strlen(text);
	for (unsigned i = first; i < n && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i == first ? ": " : "; ", g->lines[i % KEEP_LINES]);
	if (n == 0 && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used, ": libxl error %d", rc);
	return err_set(m, rc_err(rc), "%s", text);
}
