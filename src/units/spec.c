/* spec: builds what the VM module is asked to run. */
#include "src/units/spec.h"

#include <stdio.h>
#include <string.h>

#include "src/units/unit_addr.h"
#include "src/units/unit_text.h"

/* A copy; NULL of NULL. */
static const char *
keep(struct vm_spec *s, const char *text)
{
	return text == NULL ? NULL : arena_strdup(&s->memory, text);
}

/* NULL stays NULL. */
static enum err
keep_filled(struct vm_spec *s, const struct unit_text *t, const char *template, const char **out,
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
fill_disks(struct vm_spec *s, const struct config *conf, const struct unit_conf *u,
    const struct unit_text *t, struct errmsg *m)
{
	for (unsigned i = 0; i < u->image->ndisks; i++) {
		const struct config_disk *from = &u->image->disks[i];
		struct vm_disk *to = &s->disks[i];
		char overlay[LIMIT_CMDLINE];
		enum err e = keep_filled(s, t, from->path, &to->path, m);

		if (e != ERR_OK)
			return e;
		to->format = from->format;
		to->readonly = from->readonly;
		s->ndisks = i + 1;
		if (from->readonly || !u->image->overlay)
			continue;
		snprintf(
		    overlay, sizeof(overlay), "%s/overlay/%s.%u.qcow2", conf->state, u->name, i);
		to->overlay = keep(s, overlay);
	}
	return ERR_OK;
}

static void
fill_nics(struct vm_spec *s, const struct mapping_secret *secret, const struct unit_conf *u)
{
	s->nnics = 1 + u->image->nnics;
	for (unsigned i = 0; i < s->nnics; i++) {
		const struct config_network *net = i == 0 ? u->image->network :
		    u->image->nics[i - 1];
		struct vm_nic *nic = &s->nics[i];

		snprintf(nic->bridge, sizeof(nic->bridge), "%s", net->bridge);
		unit_addr_nic_mac(secret, u, i, nic->mac);
	}
}

static enum err
fill_args(struct vm_spec *s, const struct unit_conf *u, const struct unit_text *t, struct errmsg *m)
{
	const char **args = arena_array(&s->memory, u->image->args.n, sizeof(*args));

	for (unsigned i = 0; i < u->image->args.n; i++) {
		enum err e = keep_filled(s, t, u->image->args.items[i], &args[i], m);

		if (e != ERR_OK)
			return e;
		s->nargs = i + 1;
	}
	s->args = args;
	return ERR_OK;
}

static enum err
fill_texts(struct vm_spec *s, const struct unit_conf *u, const struct unit_text *t,
    struct errmsg *m)
{
	const struct config_image *im = u->image;
	enum err e;

	s->unit = keep(s, u->name);
	s->driver = keep(s, im->driver_name);
	s->kernel = keep(s, im->kernel);
	s->xl = keep(s, im->xl);
	s->vif_script = keep(s, im->vif_script);
	s->ready_key = keep(s, im->ready.key);
	e = keep_filled(s, t, im->initrd, &s->initrd, m);
	if (e == ERR_OK)
		e = keep_filled(s, t, im->cmdline, &s->cmdline, m);
	return e;
}

enum err
spec_build(const struct config *conf, const struct mapping_secret *secret,
    const struct unit_conf *u, const struct vm_uuid *uuid, struct vm_spec *s, struct errmsg *m)
{
	const struct config_image *im = u->image;
	struct unit_text text;
	enum err e;

	*s = (struct vm_spec){ .uuid = *uuid, .memory_bytes = u->policy.memory_bytes,
		.vcpus = im->vcpus, .machine = (enum vm_machine)im->machine,
		.accel = (enum vm_accel)im->accel, .type = (enum vm_type)im->type,
		.cpu_percent = im->cpu_percent, .cpu_weight = im->cpu_weight };
	unit_text_init(&text, u, uuid);
	fill_nics(s, secret, u);
	e = fill_texts(s, u, &text, m);
	if (e == ERR_OK)
		e = fill_disks(s, conf, u, &text, m);
	if (e == ERR_OK)
		e = fill_args(s, u, &text, m);
	if (e != ERR_OK)
		arena_clear(&s->memory);
	return e;
}

unsigned
spec_nics(const struct mapping_secret *secret, const struct unit_conf *u, const struct vm_ids *ids,
    struct vm_activity_nic nics[LIMIT_NICS])
{
	unsigned n = 1 + u->image->nnics;

	for (unsigned i = 0; i < n; i++) {
		memcpy(nics[i].name, ids->nics[i], sizeof(nics[i].name));
		unit_addr_nic_mac(secret, u, i, nics[i].mac);
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
	for (unsigned i = 0; i < net->nprobes; i++)
		if (addr_in_prefix(guest, &net->probes[i]))
			*source = net->probes[i];
	return spec_probes(u);
}
