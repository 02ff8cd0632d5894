/* report: messages and descriptors from driver threads, brought to the loop. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

struct link_job {
	struct work_job work;
	struct vm_host *host;
	struct vm_uuid uuid;
	int fd;
};

static void
link_done(void *arg)
{
	struct link_job *j = arg;
	struct vm_event ev = { .kind = VM_EVENT_LINK, .uuid = j->uuid, .time_ns = clock_now_ns(),
		.fd = j->fd, .text = "", .console = "" };
	struct entry *e = entry_find(j->host, &j->uuid);

	if (e != NULL)
		host_link_keep(e, j->fd);
	j->host->on_event(&ev, j->host->arg);
	free(j);
}

static void
link_drop(void *arg)
{
	struct link_job *j = arg;

	close(j->fd);
	free(j);
}

void
vm_report_link(struct vm_reporter *r, const struct vm_uuid *uuid, const char *ifname,
    const uint8_t mac[6])
{
	struct link_job *j = mem_zero(1, sizeof(*j));
	struct errmsg m;

	*j = (struct link_job){ .host = r->host, .uuid = *uuid, .fd = -1,
	    .work = { .done = link_done, .drop = link_drop, .arg = j } };
	if (ifname[0] == '\0') {
		(void)err_set(&m, ERR_MISSING, "the host's end of its NIC has no name yet");
	} else if (vm_link_socket(ifname, mac, &j->fd, &m) == ERR_OK) {
		work_post(j->host->work, &j->work);
		return;
	}
	vm_report_log(r, uuid, "packets of its clients are not held while it boots: %s", m.text);
	free(j);
}
