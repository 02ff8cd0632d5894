/*
 * xl: an xl.cfg file, as far as it says how to run a guest.
 *
 * libxlutil reads the syntax and the disks; which key means what is xl's own code and not in any
 * library, so the table is here, after xl.cfg(5).  Keys that need what this driver does not do (PCI
 * devices, for instance) are an error; those that only concern xl itself (name, uuid, on_poweroff,
 * ...) are left alone; of all others the operator is told (vm_xl_check).
 */
#include "vm/xen/xen.h"

#include <errno.h>
#include <libxlutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Guests with more would not fit XenStore's default quota either. */
#define XL_NICS_MOST 64
#define XL_DISKS_MOST 64

/* Nobody writes one by hand that is larger. */
#define XL_FILE_MOST (1u << 20)

struct reader {
	const char *path;
	char *text;                /* the file's */
	size_t len;
	libxl_domain_type type;    /* INVALID: the file's */
	XLU_Config *cfg;
	libxl_domain_config *dc;
	struct errmsg *m;
};

static enum err
bad(const struct reader *r, const char *key, const char *text, const char *accepted)
{
	return err_set(r->m, ERR_PARSE, "%s:%u: %s = \"%s\": %s", r->path,
	    xen_key_line(r->text, r->len, key), key, text, accepted);
}

/* libxlutil's own words, on one line; or what they stand for. */
static const char *
said_text(FILE *report, char **said, const char *otherwise)
{
	fflush(report);
	if (*said == NULL || **said == '\0')
		return otherwise;
	(*said)[strcspn(*said, "\n")] = '\0';
	return *said;
}

/* NULL when it is not there, or no string. */
static const char *
get_string(const struct reader *r, const char *key)
{
	const char *text = NULL;

	if (xlu_cfg_get_string(r->cfg, key, &text, 1) != 0)
		return NULL;
	return text;
}

void
xen_xl_override(char **to, const char *text)
{
	if (text == NULL)
		return;
	free(*to);
	*to = mem_text(text);
}

/* A list of at most `most` items of that form; *n = 0 when the key is not there. */
static enum err
get_list(const struct reader *r, const char *key, int most, const char *form,
    XLU_ConfigList **list, int *n)
{
	const char *text = get_string(r, key);

	*n = 0;
	if (xlu_cfg_get_list(r->cfg, key, list, n, 1) != 0 || *n == 0)
		return text != NULL ? bad(r, key, text, form) : ERR_OK;
	return *n <= most ? ERR_OK : err_set(r->m, ERR_LIMIT, "%s: %s: %d of them; at most %d",
	    r->path, key, *n, most);
}

/* *out stays as it is when the key is not there. */
static enum err
get_number(const struct reader *r, const char *key, long least, long most, long *out)
{
	char given[64] = "";
	const char *text = get_string(r, key);
	long n;
	int rc = xlu_cfg_get_long(r->cfg, key, &n, 1);

	if (rc == ESRCH)
		return ERR_OK;
	if (rc == 0 && n >= least && n <= most) {
		*out = n;
		return ERR_OK;
	}
	snprintf(given, sizeof(given), "a number from %ld to %ld", least, most);
	return bad(r, key, text != NULL ? text : "", given);
}

/* As get_number. */
static enum err
get_bool(const struct reader *r, const char *key, libxl_defbool *out)
{
	int rc = xlu_cfg_get_defbool(r->cfg, key, out, 1);
	const char *text = get_string(r, key);

	return rc == 0 || rc == ESRCH ? ERR_OK : bad(r, key, text != NULL ? text : "", "0 or 1");
}

/* ---- type ---- */

static enum err
read_type(struct reader *r)
{
	static const struct {
		const char *key, *accepted, *texts[3];
		libxl_domain_type types[3];
	} keys[] = {
		{ "builder", "generic, linux or hvm", { "generic", "linux", "hvm" },
		    { LIBXL_DOMAIN_TYPE_PV, LIBXL_DOMAIN_TYPE_PV, LIBXL_DOMAIN_TYPE_HVM } },
		{ "type", "pv, pvh or hvm", { "pv", "pvh", "hvm" },
		    { LIBXL_DOMAIN_TYPE_PV, LIBXL_DOMAIN_TYPE_PVH, LIBXL_DOMAIN_TYPE_HVM } },
	};
	libxl_domain_type type = LIBXL_DOMAIN_TYPE_PV;
	long pvh = 0;
	enum err e;

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = get_string(r, keys[i].key);
		unsigned k = 0;

		while (text != NULL && k < 3 && strcmp(keys[i].texts[k], text) != 0)
			k++;
		if (k == 3)
			return bad(r, keys[i].key, text, keys[i].accepted);
		if (text != NULL)
			type = keys[i].types[k];
	}
	e = get_number(r, "pvh", 0, 1, &pvh);
	if (e == ERR_OK) {
		if (r->type != LIBXL_DOMAIN_TYPE_INVALID)
			type = r->type;
		else if (pvh == 1)
			type = LIBXL_DOMAIN_TYPE_PVH;
		r->dc->c_info.type = type;
		libxl_domain_build_info_init_type(&r->dc->b_info, r->dc->c_info.type);
	}
	return e;
}

/* ---- size and kernel ---- */

static enum err
read_size(struct reader *r)
{
	libxl_domain_build_info *b = &r->dc->b_info;
	long memory = 0, most = 0, vcpus = 1, vcpus_most = 0, weight = 0, cap = -1;
	enum err e;

	if ((e = get_number(r, "memory", 1, 1l << 30, &memory)) != ERR_OK ||
	    (e = get_number(r, "maxmem", 1, 1l << 30, &most)) != ERR_OK ||
	    (e = get_number(r, "vcpus", 1, 512, &vcpus)) != ERR_OK ||
	    (e = get_number(r, "maxvcpus", 1, 512, &vcpus_most)) != ERR_OK ||
	    (e = get_number(r, "cpu_weight", 1, 65535, &weight)) != ERR_OK ||
	    (e = get_number(r, "cap", 0, 51200, &cap)) != ERR_OK)
		return e;
	if (memory == 0)
		memory = most;
	if (most < memory)
		most = memory;
	if (vcpus_most < vcpus)
		vcpus_most = vcpus;
	if (memory > 0) {
		b->target_memkb = (uint64_t)memory * 1024;
		b->max_memkb = (uint64_t)most * 1024;
	}
	b->max_vcpus = (int)vcpus_most;
	if (weight > 0)
		b->sched_params.weight = (int)weight;
	if (cap >= 0)
		b->sched_params.cap = (int)cap;
	return ERR_OK;
}

/* xl joins `root` and `extra` unless there is a `cmdline`. */
static void
read_cmdline(struct reader *r)
{
	const char *cmdline = get_string(r, "cmdline"), *root = get_string(r, "root"),
	    *extra = get_string(r, "extra");

	if (cmdline != NULL || root == NULL) {
		xen_xl_override(&r->dc->b_info.cmdline, cmdline != NULL ? cmdline : extra);
		return;
	}
	free(r->dc->b_info.cmdline);
	r->dc->b_info.cmdline = mem_format("root=%s%s%s", root, extra != NULL ? " " : "",
	    extra != NULL ? extra : "");
}

/* A path beside the file may be relative to it. */
static enum err
read_path(struct reader *r, const char *key, char **to)
{
	const char *text = get_string(r, key), *slash = strrchr(r->path, '/');
	char path[PATH_MAX];
	int dir;

	if (text == NULL)
		return ERR_OK;
	dir = text[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - r->path);
	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", dir, r->path, text) >= sizeof(path))
		return bad(r, key, text, "the path is too long");
	xen_xl_override(to, path);
	return ERR_OK;
}

static enum err
read_boot(struct reader *r)
{
	libxl_domain_build_info *b = &r->dc->b_info;
	enum err e;

	if ((e = read_path(r, "kernel", &b->kernel)) != ERR_OK ||
	    (e = read_path(r, "ramdisk", &b->ramdisk)) != ERR_OK)
		return e;
	read_cmdline(r);
	xen_xl_override(&b->bootloader, get_string(r, "bootloader"));
	if (xlu_cfg_get_list_as_string_list(r->cfg, "bootloader_args", &b->bootloader_args,
	    1) == EINVAL)
		return bad(r, "bootloader_args", "", "a list of strings");
	if (r->dc->c_info.type == LIBXL_DOMAIN_TYPE_HVM) {
		const char *bios = get_string(r, "bios");

		xen_xl_override(&b->u.hvm.boot, get_string(r, "boot"));
		xen_xl_override(&b->u.hvm.serial, get_string(r, "serial"));
		if (bios != NULL && libxl_bios_type_from_string(bios, &b->u.hvm.bios) != 0)
			e = bad(r, "bios", bios, "seabios, rombios or ovmf");
	}
	if (e == ERR_OK && (e = get_bool(r, "hap", &r->dc->c_info.hap)) == ERR_OK &&
	    (e = get_bool(r, "acpi", &b->acpi)) == ERR_OK)
		e = get_bool(r, "apic", &b->apic);
	return e;
}

/* ---- devices ---- */

static enum err
nic_mac(const struct reader *r, libxl_device_nic *nic, const char *value)
{
	unsigned b[6];
	char end;

	if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
	    &end) != 6)
		return bad(r, "vif", value, "mac: six octets such as 00:16:3e:00:00:01");
	for (int i = 0; i < 6; i++)
		nic->mac[i] = (uint8_t)b[i];
	return ERR_OK;
}

static enum err
nic_type(const struct reader *r, libxl_device_nic *nic, const char *value)
{
	bool vif = strcmp(value, "vif") == 0;

	nic->nictype = vif ? LIBXL_NIC_TYPE_VIF : LIBXL_NIC_TYPE_VIF_IOEMU;
	return vif || strcmp(value, "ioemu") == 0 ? ERR_OK
	    : bad(r, "vif", value, "type: vif or ioemu");
}

static enum err
nic_key(struct reader *r, libxl_device_nic *nic, const char *key, const char *value)
{
	const struct {
		const char *key;
		char **to;
	} texts[] = {
		{ "bridge", &nic->bridge }, { "script", &nic->script }, { "model", &nic->model },
		{ "ip", &nic->ip }, { "vifname", &nic->ifname },
		{ "backend", &nic->backend_domname },
	};

	if (strcmp(key, "mac") == 0)
		return nic_mac(r, nic, value);
	if (strcmp(key, "type") == 0)
		return nic_type(r, nic, value);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0) {
			xen_xl_override(texts[i].to, value);
			return ERR_OK;
		}
	if (strcmp(key, "rate") == 0)
		return xlu_vif_parse_rate(r->cfg, value, nic) == 0 ? ERR_OK
		    : bad(r, "vif", value, "rate: such as 10Mb/s");
	return bad(r, "vif", key, "mac, bridge, script, model, type, ip, vifname, backend and rate "
	    "are understood");
}

/* `key=value,key=value`, xl-network-configuration(5). */
static enum err
read_nic(struct reader *r, libxl_device_nic *nic, const char *text)
{
	char *copy = mem_text(text), *at, *item;
	enum err e = ERR_OK;

	for (at = copy; e == ERR_OK && (item = strsep(&at, ",")) != NULL;) {
		char *value = strchr(item, '=');

		item += strspn(item, " \t");
		if (*item == '\0')
			continue;
		if (value == NULL) {
			e = bad(r, "vif", text, "items KEY=VALUE, separated by commas");
			break;
		}
		*value++ = '\0';
		item[strcspn(item, " \t")] = '\0';
		e = nic_key(r, nic, item, value + strspn(value, " \t"));
	}
	free(copy);
	return e;
}

static enum err
read_nics(struct reader *r)
{
	libxl_domain_config *dc = r->dc;
	XLU_ConfigList *list;
	int n;
	enum err e = get_list(r, "vif", XL_NICS_MOST, "a list: [ 'bridge=...' ]", &list, &n);

	if (e != ERR_OK || n == 0)
		return e;
	dc->nics = mem_zero((size_t)n, sizeof(*dc->nics));
	for (int i = 0; i < n && e == ERR_OK; i++) {
		const char *text = xlu_cfg_get_listitem(list, i);

		libxl_device_nic_init(&dc->nics[dc->num_nics]);
		e = read_nic(r, &dc->nics[dc->num_nics++], text != NULL ? text : "");
	}
	return e;
}

static enum err
read_disks(struct reader *r, FILE *report, char **said)
{
	libxl_domain_config *dc = r->dc;
	XLU_ConfigList *list;
	int n;
	enum err e = get_list(r, "disk", XL_DISKS_MOST, "a list: [ 'PATH,FORMAT,VDEV,ACCESS' ]",
	    &list, &n);

	if (e != ERR_OK || n == 0)
		return e;
	dc->disks = mem_zero((size_t)n, sizeof(*dc->disks));
	for (int i = 0; i < n; i++) {
		const char *text = xlu_cfg_get_listitem(list, i);

		libxl_device_disk_init(&dc->disks[dc->num_disks]);
		if (xlu_disk_parse(r->cfg, 1, &text, &dc->disks[dc->num_disks++]) != 0)
			return bad(r, "disk", text != NULL ? text : "",
			    said_text(report, said, "not a disk specification of xl"));
	}
	return ERR_OK;
}

/* ---- the file ---- */

/* What libxlutil answers as if a key were not there. */
static enum err
check_keys(const struct reader *r)
{
	XLU_ConfigList *list;

	for (size_t i = 0; i < xen_keys_count; i++) {
		const struct xen_key *k = &xen_keys[i];
		int n = 0;
		bool listed = xlu_cfg_get_list(r->cfg, k->name, &list, &n, 1) == 0,
		    single = get_string(r, k->name) != NULL;

		if (k->kind == XEN_KEY_REFUSED && (single || n > 0))
			return err_set(r->m, ERR_UNSUPPORTED, "%s:%u: %s: jitsu does not do this; "
			    "remove it, or run this guest without jitsu", r->path,
			    xen_key_line(r->text, r->len, k->name), k->name);
		if (listed && (k->kind == XEN_KEY_TEXT || k->kind == XEN_KEY_NUMBER ||
		    k->kind == XEN_KEY_BOOL))
			return bad(r, k->name, "[...]", "one value, not a list");
	}
	return ERR_OK;
}

static enum err
read_all(struct reader *r, FILE *report, char **said)
{
	enum err e;

	if (xlu_cfg_readdata(r->cfg, r->text, (int)r->len) != 0)
		return err_set(r->m, ERR_PARSE, "xl file %s", said_text(report, said, r->path));
	if ((e = check_keys(r)) != ERR_OK || (e = read_type(r)) != ERR_OK ||
	    (e = read_size(r)) != ERR_OK || (e = read_boot(r)) != ERR_OK ||
	    (e = read_nics(r)) != ERR_OK)
		return e;
	return read_disks(r, report, said);
}

/* The whole file; *text is the caller's, also after an error. */
static enum err
read_file(const char *path, char **text, size_t *len, struct errmsg *m)
{
	FILE *f = fopen(path, "re");
	enum err e = ERR_OK;

	*text = NULL;
	*len = 0;
	if (f == NULL)
		return err_set(m, ERR_PARSE, "xl file %s: %s", path, strerror(errno));
	*text = mem_zero(1, XL_FILE_MOST);
	if ((*len = fread(*text, 1, XL_FILE_MOST, f)) == XL_FILE_MOST)
		e = err_set(m, ERR_PARSE, "xl file %s: larger than 1 MiB", path);
	else if (ferror(f))
		e = err_set(m, ERR_PARSE, "xl file %s: %s", path, strerror(errno));
	fclose(f);
	return e;
}

enum err
xen_xl_load(const char *path, libxl_domain_type type, libxl_domain_config *dc, struct errmsg *m)
{
	struct reader r = { .path = path, .type = type, .dc = dc, .m = m };
	char *said = NULL;
	size_t size = 0;
	enum err e = read_file(path, &r.text, &r.len, m);

	if (e == ERR_OK) {
		FILE *report = mem_must(open_memstream(&said, &size));

		r.cfg = mem_must(xlu_cfg_init(report, path));
		e = read_all(&r, report, &said);
		xlu_cfg_destroy(r.cfg);
		fclose(report);
		free(said);
	}
	free(r.text);
	return e;
}

void
vm_xl_check(const char *path, struct report *r)
{
	size_t len;
	char *text;

	if (read_file(path, &text, &len, NULL) == ERR_OK)     /* it could be read a moment ago */
		xen_keys_report(path, text, len, r);
	free(text);
}

enum err
vm_xl_read(const char *path, struct vm_xl *xl, struct errmsg *m)
{
	libxl_domain_config dc;
	enum err e;

	memset(xl, 0, sizeof(*xl));
	libxl_domain_config_init(&dc);
	e = xen_xl_load(path, LIBXL_DOMAIN_TYPE_INVALID, &dc, m);
	if (e == ERR_OK) {
		xl->type = dc.c_info.type == LIBXL_DOMAIN_TYPE_PV ? VM_TYPE_PV
		    : dc.c_info.type == LIBXL_DOMAIN_TYPE_HVM ? VM_TYPE_HVM : VM_TYPE_PVH;
		xl->memory_bytes = dc.b_info.max_memkb != LIBXL_MEMKB_DEFAULT
		    ? dc.b_info.max_memkb * 1024 : 0;
		xl->vcpus = (unsigned)dc.b_info.max_vcpus;
		xl->has_kernel = dc.b_info.kernel != NULL;
		xl->boots = xl->has_kernel || dc.num_disks > 0;
	}
	libxl_domain_config_dispose(&dc);
	return e;
}
