/* report: messages from driver threads, brought to the loop. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "vm/host/host.h"

struct log_job {
	struct work_job work;
	struct vm_host *host;
	struct vm_uuid uuid;
	char text[1024];
};

static void
log_done(void *arg)
{
	struct log_job *j = arg;
	struct vm_event ev = { .kind = VM_EVENT_LOG, .uuid = j->uuid, .time_ns = clock_now_ns(),
		.text = j->text, .console = "" };

	j->host->on_event(&ev, j->host->arg);
	free(j);
}

void
vm_report_log(struct vm_reporter *r, const struct vm_uuid *uuid, const char *fmt, ...)
{
	struct log_job *j = mem_zero(1, sizeof(*j));
	va_list ap;

	j->work.done = log_done;
	j->work.drop = free;
	j->work.arg = j;
	j->host = r->host;
	if (uuid != NULL)
		j->uuid = *uuid;
	va_start(ap, fmt);
	vsnprintf(j->text, sizeof(j->text), fmt, ap);
	va_end(ap);
	work_post(j->host->work, &j->work);
}
