/*
 * late: NICs that are ports of their bridge before anybody is behind them.
 *
 * A Xen vif has no carrier until the guest's driver is connected, and a bridge drops what is for a
 * port without one.  So the MAC stays where it is parked, and clients' frames are held, until the
 * kernel says that there is a carrier.
 */
#include <string.h>

#include "base/log.h"
#include "vm/host/host.h"
#include "vm/net/port.h"

/* Takes the MAC, if it can by now, or never. */
static void
look(struct entry *e)
{
	struct vm_host *h = e->host;
	struct errmsg m;
	enum err err = port_take_late(h->env.parks, e->vm->ids.nics[0], e->vm->late_mac, &m);

	e->vm->late = err == ERR_STATE;
	if (err != ERR_OK && err != ERR_STATE)
		vm_report_log(&h->reporter, &e->uuid, "%s", m.text);
}

static void
on_link(const struct vm_link *link, void *arg)
{
	struct vm_host *h = arg;
	struct entry *e;
	size_t at = 0;

	if (link->kind != VM_LINK_IS && link->kind != VM_LINK_LOST)
		return;
	while ((e = table_next(&h->entries, &at)) != NULL)
		if (e->vm != NULL && e->vm->late && (link->kind == VM_LINK_LOST ||
		    strcmp(e->vm->ids.nics[0], link->name) == 0))
			look(e);
}

void
host_late_add(struct entry *e)
{
	struct vm_host *h = e->host;
	struct errmsg m;

	/* Where no VM is late nobody listens. */
	if (h->links == NULL && vm_links_new(h->base, on_link, h, &h->links, &m) != ERR_OK)
		log_warn("%s: packets do not reach it: %s", e->vm->unit, m.text);
	look(e);
}
