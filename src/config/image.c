/* image: images, their devices and templates; and the files that they need. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/config.h"
#include "src/config/impl.h"

static const struct config_network *
find_network(struct config_loader *l, const char *key, const char *name, unsigned line)
{
	const struct config_network *net = config_network_find(l->conf, name);
	char known[256] = "";

	for (unsigned i = 0; net == NULL && i < l->conf->nnetworks; i++)
		text_join(known, sizeof(known), ", ", "\"%s\"", l->conf->networks[i].name);
	if (net == NULL)
		config_found(l, line, "%s: there is no network \"%s\"; there is %s", key, name,
		    known[0] != '\0' ? known : "no network section");
	return net;
}

static void
build_networks(struct config_loader *l, const struct config_raw *raw, struct config_image *im)
{
	const struct config_list *text = &im->nics_text;

	if (im->network_name != NULL)
		im->network = find_network(
		    l, "network", im->network_name, config_line(raw, "network"));
	if (im->network != NULL && im->network->nunits == 0 && im->network->units_text.n == 0)
		config_found(l, config_line(raw, "network"),
		    "network: \"%s\" has no units, so that no unit could have an address there",
		    im->network_name);
	im->nics = arena_array(&l->arena, text->n, sizeof(*im->nics));
	for (unsigned i = 0; i < text->n; i++) {
		im->nics[im->nnics] = find_network(l, "nics", text->items[i], text->lines[i]);
		im->nnics += im->nics[im->nnics] != NULL;
	}
}

static void
build_disks(struct config_loader *l, struct config_image *im)
{
	const struct config_list *text = &im->disks_text;

	im->disks = arena_array(&l->arena, text->n, sizeof(*im->disks));
	for (unsigned i = 0; i < text->n; i++) {
		struct config_disk *disk = &im->disks[im->ndisks];
		size_t len;
		bool qcow2;

		if (!option_parse_disk(text->items[i], &len, &qcow2, &disk->readonly))
			continue;
		disk->path = config_path(l, arena_strndup(&l->arena, text->items[i], len));
		disk->format = qcow2 ? VM_DISK_QCOW2 : VM_DISK_RAW;
		disk->line = text->lines[i];
		im->ndisks++;
	}
}

static void
scan_text(struct config_loader *l, struct config_image *im, const char *key, const char *text,
    unsigned line)
{
	struct errmsg m;

	if (text != NULL && template_scan(text, &im->placeholders, &m) != ERR_OK)
		config_found(l, line, "%s: %s", key, m.text);
}

static void
scan_templates(struct config_loader *l, const struct config_raw *raw, struct config_image *im)
{
	scan_text(l, im, "cmdline", im->cmdline, config_line(raw, "cmdline"));
	scan_text(l, im, "initrd", im->initrd, config_line(raw, "initrd"));
	for (unsigned i = 0; i < im->ndisks; i++)
		scan_text(l, im, "disks", im->disks[i].path, im->disks[i].line);
	for (unsigned i = 0; i < im->args.n; i++)
		scan_text(l, im, "args", im->args.items[i], im->args.lines[i]);
}

static bool
is_set(const struct config_raw *raw, const char *name)
{
	return raw->set[option_row_named(OPTION_IMAGE, name)];
}

/* What says no more than the default is no mistake. */
static bool
is_default(const struct config_raw *raw, const char *name)
{
	const struct config_option *o = option_find(OPTION_IMAGE, name, strlen(name));
	const struct config_list *v = &raw->values[option_row(o)];

	return o->def != NULL && v->n == 1 && strcmp(v->items[0], o->def) == 0;
}

/* What the file says of size counts for the limits, so it is read now. */
static void
build_xl(struct config_loader *l, const struct config_raw *raw, struct config_image *im)
{
	struct vm_xl xl;
	struct errmsg m;

	if (vm_xl_read(im->xl, &xl, &m) != ERR_OK) {
		config_found(l, config_line(raw, "xl"), "xl: %s", m.text);
		return;
	}
	if (!is_set(raw, "type"))
		im->type = xl.type;
	if (!is_set(raw, "memory") && xl.memory_bytes > 0)
		im->policy.memory_bytes = xl.memory_bytes;
	if (!is_set(raw, "vcpus"))
		im->vcpus = xl.vcpus;
	if (!xl.boots && im->kernel == NULL && im->ndisks == 0)
		config_found(l, config_line(raw, "xl"),
		    "xl: neither %s nor image \"%s\" has a kernel or a disk to boot from; one is "
		    "needed", im->xl, im->name);
}

static bool
is_xen(const struct config_image *im)
{
	return strcmp(im->driver_name, "xen") == 0;
}

/* What only one driver understands. */
static void
check_driver(struct config_loader *l, const struct config_raw *raw, const struct config_image *im)
{
	static const char *const others[2][4] = {
		{ "type", "xl", "vif-script", NULL }, { "machine", "accel", "args", "standby" }
	};
	bool xen = is_xen(im);

	for (unsigned i = 0; i < 4 && others[xen][i] != NULL; i++) {
		const char *key = others[xen][i];

		if (is_set(raw, key) && !is_default(raw, key))
			config_found(l, config_line(raw, key),
			    "%s: driver %s has no such thing; it is for driver %s", key,
			    im->driver_name, xen ? "qemu" : "xen");
	}
	if (!xen && im->ready.kind == CONFIG_READY_XENSTORE)
		config_found(l, config_line(raw, "ready"),
		    "ready: \"%s\": only guests of driver xen have a XenStore", im->ready_text);
}

static void
check_image(struct config_loader *l, const struct config_raw *raw, const struct config_image *im)
{
	if (im->kernel == NULL && im->ndisks == 0 && im->xl == NULL)
		config_found(l, raw->line,
		    "image \"%s\" has neither a kernel nor a disk to boot from; one is needed",
		    im->name);
	if (im->kernel == NULL && im->xl == NULL && (im->initrd != NULL || im->cmdline != NULL))
		config_found(l, raw->line, "image \"%s\" has %s but no kernel", im->name,
		    im->cmdline != NULL ? "a cmdline" : "an initrd");
	if (im->standby > 0 && (im->placeholders & 1u << TEMPLATE_UUID) != 0)
		config_found(l, config_line(raw, "standby"),
		    "standby: image \"%s\" uses {uuid}, which is another one for each boot, so "
		    "that no VM can be started before", im->name);
	if (im->backoff_min_ms > im->backoff_max_ms)
		config_found(l,
		    config_line(raw, is_set(raw, "backoff-min") ? "backoff-min" : "backoff-max"),
		    "backoff-min: %u ms is more than backoff-max, which is %u ms",
		    im->backoff_min_ms, im->backoff_max_ms);
	if (im->policy.memory_bytes > l->conf->limits.memory_bytes)
		config_found(l, config_line(raw, "memory"),
		    "memory: image \"%s\" needs more than memory of section limits allows to all "
		    "VMs", im->name);
}

static void
build_image(struct config_loader *l, struct config_raw *raw)
{
	struct config_image *im = &l->conf->images[l->conf->nimages];
	unsigned word = 0;
	uint32_t n = 0;

	im->name = raw->title;
	im->line = raw->line;
	im->index = l->conf->nimages++;
	config_check_title(l, raw);
	config_store(l, raw, OPTION_IMAGE, im, im->lines);
	im->driver_name = option_drivers[im->driver];
	if (option_parse_ready(im->ready_text, &word, &n)) {
		im->ready.kind = (enum config_ready_kind)word;
		im->ready.port = im->ready.kind == CONFIG_READY_TCP ? (uint16_t)n : 0;
		im->ready.delay_ms = im->ready.kind == CONFIG_READY_DELAY ? n : 0;
		im->ready.key = im->ready.kind == CONFIG_READY_XENSTORE ? im->ready_text + n : NULL;
	}
	im->policy.wake_on = config_wake_on(&l->arena, im->wake_on_text.items, im->wake_on_text.n);
	im->policy.passive = config_passive(&l->arena, im->passive_text.items, im->passive_text.n);
	im->policy.schedule =
	    config_schedule(&l->arena, im->schedule_text.items, im->schedule_text.n);
	build_disks(l, im);
	scan_templates(l, raw, im);
	if (raw->bad)
		return;
	build_networks(l, raw, im);
	check_driver(l, raw, im);
	if (im->xl != NULL && is_xen(im))
		build_xl(l, raw, im);
	check_image(l, raw, im);
}

void
config_build_images(struct config_loader *l)
{
	l->conf->images = arena_array(
	    &l->arena, config_count(l, OPTION_IMAGE), sizeof(*l->conf->images));
	for (struct config_raw *raw = l->raws; raw != NULL; raw = raw->next)
		if (raw->section == OPTION_IMAGE)
			build_image(l, raw);
}

const struct config_image *
config_image_find(const struct config *conf, const char *name)
{
	for (unsigned i = 0; i < conf->nimages; i++)
		if (strcmp(conf->images[i].name, name) == 0)
			return &conf->images[i];
	return NULL;
}

bool
config_image_parks(const struct config_image *im)
{
	return im->network->packets && im->vif_script == NULL;
}

/* Paths with placeholders differ from unit to unit and are left to the wake. */
static void
check_file(const struct config *conf, const struct config_image *im, const char *key,
    const char *path, unsigned line, struct report *r)
{
	struct stat st;

	if (path == NULL || strchr(path, '{') != NULL)
		return;
	if (stat(path, &st) == -1 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == -1)
		(void)report_add(r, conf->path, line, "image \"%s\": %s \"%s\" cannot be read: %s",
		    im->name, key, path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		(void)report_add(r, conf->path, line,
		    "image \"%s\": %s \"%s\" is a directory; a file is needed", im->name, key,
		    path);
}

void
config_check_xl(const struct config *conf, struct report *r)
{
	for (unsigned i = 0; i < conf->nimages; i++)
		if (conf->images[i].xl != NULL && is_xen(&conf->images[i]))
			vm_xl_check(conf->images[i].xl, r);
}

enum err
config_check_files(const struct config *conf, struct report *r)
{
	unsigned kernel = option_row_named(OPTION_IMAGE, "kernel");
	unsigned initrd = option_row_named(OPTION_IMAGE, "initrd");
	size_t before = r->nerrors;

	for (unsigned i = 0; i < conf->nimages; i++) {
		const struct config_image *im = &conf->images[i];

		check_file(conf, im, "kernel", im->kernel, im->lines[kernel], r);
		check_file(conf, im, "initrd", im->initrd, im->lines[initrd], r);
		for (unsigned d = 0; d < im->ndisks; d++)
			check_file(conf, im, "disk", im->disks[d].path, im->disks[d].line, r);
	}
	return r->nerrors == before ? ERR_OK : ERR_PARSE;
}
