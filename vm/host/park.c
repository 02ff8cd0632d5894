/* park: vm_park and its kin on the loop; what waits is carried out by a thread (vm/net/park.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "vm/host/host.h"
#include "vm/net/parkport.h"
#include "vm/net/port.h"

/* What is queued is to be carried out, or was, and some of it failed; or fd is to be closed. */
struct park_job {
	struct work_job work;
	struct vm_host *host;
	struct park_list failed;
	int fd;
};

static void
job_drop(void *arg)
{
	struct park_job *j = arg;
	struct park *k;

	while ((k = STAILQ_FIRST(&j->failed)) != NULL) {
		STAILQ_REMOVE_HEAD(&j->failed, link);
		park_free(k);
	}
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}

static void
job_done(void *arg)
{
	struct park_job *j = arg;
	const struct park *k;

	STAILQ_FOREACH(k, &j->failed, link)
		if (k->failed != NULL)
			k->failed(k->unit, k->err, k->why, k->arg);
	job_drop(j);
}

static void
run_queue(void *arg)
{
	struct park_job *j = arg;

	parks_run(j->host->env.parks, &j->failed);
}

static void
close_fd(void *arg)
{
	struct park_job *j = arg;

	close(j->fd);
	j->fd = -1;
}

/*
 * Whoever has the sentinel's copy of a link neither hears nor says anything there any more: it is
 * bound to no interface, and to a protocol that no frame has.
 */
static void
close_link(void *arg)
{
	struct park_job *j = arg;
	struct sockaddr_ll nowhere = { .sll_family = AF_PACKET, .sll_protocol = htons(0xffff) };

	if (bind(j->fd, (const struct sockaddr *)&nowhere, sizeof(nowhere)) != 0)
		log_err("a link that was done with stays open: %s", strerror(errno));
	close_fd(j);
}

static struct park_job *
job_new(struct vm_host *h, void (*run)(void *), int fd)
{
	struct park_job *j = mem_zero(1, sizeof(*j));

	*j = (struct park_job){ .host = h, .fd = fd,
	    .work = { .run = run, .done = job_done, .drop = job_drop, .arg = j } };
	STAILQ_INIT(&j->failed);
	return j;
}

void
host_park_flush(struct vm_host *h)
{
	struct park_job *j = job_new(h, NULL, -1);

	run_queue(j);
	if (STAILQ_EMPTY(&j->failed))
		job_drop(j);
	else
		work_post(h->work, &j->work);
}

/* ---- on the loop ---- */

static void
add(struct vm_host *h, struct park *k)
{
	if (parks_add(h->env.parks, k))
		work_submit(h->work, LANE_PARK, &job_new(h, run_queue, -1)->work);
}

void
vm_park(struct vm_host *h, const struct vm_park_port *port, const uint8_t mac[6],
    const struct vm_uuid *uuid, uint32_t unit, vm_park_cb failed, void *arg)
{
	const struct entry *e = uuid != NULL ? entry_find(h, uuid) : NULL;
	struct park *k = mem_zero(1, sizeof(*k));

	*k = (struct park){ .port = port->ifindex, .unit = unit, .failed = failed, .arg = arg };
	memcpy(k->mac, mac, sizeof(k->mac));
	if (e != NULL && e->vm != NULL) {
		memcpy(k->from, e->vm->ids.nics[0], sizeof(k->from));
		e->vm->late = false;
	}
	add(h, k);
}

void
vm_unpark(struct vm_host *h, const struct vm_park_port *port, const uint8_t mac[6])
{
	struct park *k = mem_zero(1, sizeof(*k));

	*k = (struct park){ .port = port->ifindex, .remove = true };
	memcpy(k->mac, mac, sizeof(k->mac));
	add(h, k);
}

void
vm_park_take(struct vm_host *h, const struct vm_uuid *uuid, const uint8_t mac[6])
{
	const struct entry *e = entry_find(h, uuid);

	if (e != NULL && e->vm != NULL)
		host_park_take(h, e->vm, mac, false);
}

enum vm_park_state
vm_park_port(struct vm_host *h, const char *bridge, struct vm_park_port *port, struct errmsg *m)
{
	return parkport_keep(h->env.parks, bridge, port, m);
}

static void
close_later(struct vm_host *h, void (*close_it)(void *), int *fd)
{
	if (*fd >= 0)
		work_submit(h->work, LANE_CLOSE, &job_new(h, close_it, *fd)->work);
	*fd = -1;
}

void
vm_park_port_close(struct vm_host *h, struct vm_park_port *port)
{
	close_later(h, close_fd, &port->fd);
	*port = (struct vm_park_port){ .fd = -1 };
}

void
host_link_keep(struct entry *e, int fd)
{
	close_later(e->host, close_link, &e->link_fd);
	e->link_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

void
vm_link_done(struct vm_host *h, const struct vm_uuid *uuid)
{
	struct entry *e = entry_find(h, uuid);

	if (e != NULL)
		host_link_keep(e, -1);
}

enum err
vm_link_open(struct vm_host *h, const struct vm_uuid *uuid, const uint8_t mac[6], int *fd,
    struct errmsg *m)
{
	struct entry *e = entry_find(h, uuid);
	enum err err;

	*fd = -1;
	if (e == NULL || e->vm == NULL || e->vm->ids.nics[0][0] == '\0')
		return err_set(m, ERR_MISSING, "the host's end of its NIC is not known");
	err = vm_link_socket(e->vm->ids.nics[0], mac, fd, m);
	if (err == ERR_OK)
		host_link_keep(e, *fd);
	return err;
}

enum vm_port_state
vm_port_keep(struct vm_host *h, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m)
{
	return port_keep(h->env.parks, name, bridge, mac, m);
}

/* ---- on any thread ---- */

void
host_park_take(struct vm_host *h, const struct vm *vm, const uint8_t mac[6], bool link)
{
	const char *name = vm->ids.nics[0];
	struct errmsg m;

	if (link)
		vm_report_link(&h->reporter, &vm->uuid, name, mac);
	if (name[0] == '\0')
		parks_away(h->env.parks, mac);
	else if (port_take(h->env.parks, name, mac, &m) != ERR_OK)
		vm_report_log(&h->reporter, &vm->uuid, "%s", m.text);
}
