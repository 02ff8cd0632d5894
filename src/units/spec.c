/* spec: builds what the VM module is asked to run. */
#include "src/units/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "src/units/unit_addr.h"
#include "src/units/unit_text.h"

/*
 * kernel, initrd, cmdline, unit, driver, xl, vif-script, readiness key, and per disk its path and
 * overlay
 */
#define STRINGS_MOST (8 + 2 * LIMIT_DISKS + LIMIT_ARGS)

/* A copy of `text`, NULL of NULL. */
static const char *
keep(struct spec *s, const char *text)
{
	return text == NULL ? NULL : (s->strings[s->nstrings++] = mem_text(text));
}

/* NULL stays NULL. */
static enum err
keep_filled(struct spec *s, const struct unit_text *t, const char *template, const char **out,
    struct errmsg *m)
{
	char buf[LIMIT_CMDLINE];
	struct errmsg why;
	size_t len;
	enum err e;

	if (template == NULL)
		return ERR_OK;
	e = template_fill(template, &t->v, buf, sizeof(buf), &len, &why);
	if (e != ERR_OK)
		return err_set(m, e, "%s: %s", t->v.values[TEMPLATE_NAME], why.text);
	*out = keep(s, buf);
	return ERR_OK;
}

static enum err
fill_disks(struct spec *s, const struct config *conf, const struct unit_conf *u,
    const struct unit_text *t, struct errmsg *m)
{
	for (unsigned i = 0; i < u->image->ndisks; i++) {
		const struct config_disk *from = &u->image->disks[i];
		struct vm_disk *to = &s->vm.disks[i];
		char overlay[LIMIT_CMDLINE];
		enum err e = keep_filled(s, t, from->path, &to->path, m);

		if (e != ERR_OK)
			return e;
		to->format = from->format;
		to->readonly = from->readonly;
		s->vm.ndisks = i + 1;
		if (from->readonly || !u->image->overlay)
			continue;
		snprintf(
		    overlay, sizeof(overlay), "%s/overlay/%s.%u.qcow2", conf->state, u->name, i);
		to->overlay = keep(s, overlay);
	}
	return ERR_OK;
}

static void
nic_mac(
    const struct mapping_secret *secret, const struct unit_conf *u, unsigned nic, uint8_t mac[6])
{
	if (nic == 0)
		memcpy(mac, u->mac, sizeof(u->mac));
	else
		unit_addr_mac(secret, u->name, nic, mac);
}

static void
fill_nics(struct spec *s, const struct mapping_secret *secret, const struct unit_conf *u)
{
	s->vm.nnics = 1 + u->image->nnics;
	for (unsigned i = 0; i < s->vm.nnics; i++) {
		const struct config_network *net = i == 0 ? u->image->network :
		    u->image->nics[i - 1];
		struct vm_nic *nic = &s->vm.nics[i];

		snprintf(nic->bridge, sizeof(nic->bridge), "%s", net->bridge);
		nic_mac(secret, u, i, nic->mac);
	}
}

static enum err
fill_args(struct spec *s, const struct unit_conf *u, const struct unit_text *t, struct errmsg *m)
{
	for (unsigned i = 0; i < u->image->args.n; i++) {
		enum err e = keep_filled(s, t, u->image->args.items[i], &s->args[i], m);

		if (e != ERR_OK)
			return e;
		s->vm.nargs = i + 1;
	}
	s->vm.args = s->args;
	return ERR_OK;
}

static enum err
fill_texts(struct spec *s, const struct unit_conf *u, const struct unit_text *t, struct errmsg *m)
{
	const struct config_image *im = u->image;
	enum err e;

	s->vm.unit = keep(s, u->name);
	s->vm.driver = keep(s, im->driver_name);
	s->vm.kernel = keep(s, im->kernel);
	s->vm.xl = keep(s, im->xl);
	s->vm.vif_script = keep(s, im->vif_script);
	s->vm.ready_key = keep(s, im->ready.key);
	e = keep_filled(s, t, im->initrd, &s->vm.initrd, m);
	if (e == ERR_OK)
		e = keep_filled(s, t, im->cmdline, &s->vm.cmdline, m);
	return e;
}

enum err
spec_build(const struct config *conf, const struct mapping_secret *secret,
    const struct unit_conf *u, const struct vm_uuid *uuid, struct spec *s, struct errmsg *m)
{
	const struct config_image *im = u->image;
	struct unit_text text;
	enum err e;

	memset(s, 0, sizeof(*s));
	s->strings = mem_zero(STRINGS_MOST, sizeof(*s->strings));
	unit_text_init(&text, u, uuid);
	s->vm.uuid = *uuid;
	s->vm.memory_bytes = u->policy.memory_bytes;
	s->vm.vcpus = im->vcpus;
	s->vm.machine = (enum vm_machine)im->machine;
	s->vm.accel = (enum vm_accel)im->accel;
	s->vm.type = (enum vm_type)im->type;
	s->vm.cpu_percent = im->cpu_percent;
	s->vm.cpu_weight = im->cpu_weight;
	fill_nics(s, secret, u);
	e = fill_texts(s, u, &text, m);
	if (e == ERR_OK)
		e = fill_disks(s, conf, u, &text, m);
	if (e == ERR_OK)
		e = fill_args(s, u, &text, m);
	if (e != ERR_OK)
		spec_clear(s);
	return e;
}

void
spec_clear(struct spec *s)
{
	for (unsigned i = 0; i < s->nstrings; i++)
		free(s->strings[i]);
	free(s->strings);
	memset(s, 0, sizeof(*s));
}

unsigned
spec_nics(const struct mapping_secret *secret, const struct unit_conf *u, const struct vm_ids *ids,
    struct vm_activity_nic nics[LIMIT_NICS])
{
	unsigned n = 1 + u->image->nnics;

	for (unsigned i = 0; i < n; i++) {
		memcpy(nics[i].name, ids->nics[i], sizeof(nics[i].name));
		nic_mac(secret, u, i, nics[i].mac);
	}
	return n;
}

bool
spec_probes(const struct unit_conf *u)
{
	return u->image->ready.kind != CONFIG_READY_DELAY &&
	    u->image->ready.kind != CONFIG_READY_XENSTORE;
}

bool
spec_probe(const struct unit_conf *u, struct msg_addr *guest, struct msg_addr *source)
{
	const struct config_network *net = u->image->network;

	*guest = u->addrs[0];
	*source = (struct msg_addr){ .prefixlen = guest->prefixlen };
	for (unsigned i = 0; i < net->nprobes; i++) {
		if (addr_in_prefix(guest, &net->probes[i]))
			*source = net->probes[i];
	}
	return spec_probes(u);
}
