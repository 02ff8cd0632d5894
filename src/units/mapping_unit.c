/* mapping_unit: one unit, with every check that needs no other unit's name. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/units/mapping_impl.h"
#include "src/units/unit_addr.h"
#include "src/units/unit_text.h"

#define IDLE_LEAST_MS (60u * 1000)
#define UNUSED_LEAST_MS (30u * 1000)
#define AUTO_MOST_MS (600u * 1000)

#define KEYS_MOST 24

/* The strings of a mapping, checked one by one. */
struct keys {
	unsigned n;
	struct {
		const struct config_option *o;
		char text[256];
		uint64_t number;
	} at[KEYS_MOST];
};

/* What the functions below work on. */
struct job {
	struct mapping_set *set;
	const struct config_zone *zone;
	struct unit_conf *u;
	const struct dns_unit *d;
	struct report *r;
	struct keys keys;
};

void
mapping_found(struct report *r, const struct unit_conf *u, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)report_add(r, u->file, u->line, "%s: %s", u->name, text);   /* always ERR_PARSE */
}

static const char *
key_text(const struct keys *k, const char *name)
{
	for (unsigned i = 0; i < k->n; i++)
		if (strcmp(k->at[i].o->name, name) == 0)
			return k->at[i].text;
	return NULL;
}

/* The value of a key; of a list its items, which commas separate. */
static bool
check_value(struct job *j, const struct config_option *o, const char *text, uint64_t *number)
{
	bool list = (o->flags & OPTION_LIST) != 0;
	char item[sizeof(j->keys.at[0].text)];
	unsigned n = 0;
	struct errmsg m;

	if (list && *text == '\0')
		return true;
	for (;;) {
		size_t len = list ? strcspn(text, ",") : strlen(text);

		memcpy(item, text, len);
		item[len] = '\0';
		if (option_parse(o, item, number, &m) != ERR_OK) {
			mapping_found(j->r, j->u, "%s: %s", o->name, m.text);
			return false;
		}
		if (list && ++n > o->most) {
			mapping_found(j->r, j->u, "%s: \"%s\" is number %u; at most %u items are "
			    "accepted", o->name, item, n, (unsigned)o->most);
			return false;
		}
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* Splits and checks one string; a key's letter case does not count (RFC 6763, section 6.4). */
static void
take_string(struct job *j, const char *data, size_t len)
{
	char shown[1024], name[64], accepted[320];
	const char *equals = memchr(data, '=', len);
	size_t name_len = equals == NULL ? 0 : (size_t)(equals - data);
	struct keys *k = &j->keys;
	const struct config_option *o;
	struct suggest near;

	text_escape(shown, sizeof(shown), data, len);
	if (equals == NULL || name_len == 0 || name_len >= sizeof(name)) {
		mapping_found(j->r, j->u, "\"%s\": a mapping consists of strings key=value", shown);
		return;
	}
	for (size_t i = 0; i < name_len; i++)
		name[i] = (char)tolower((unsigned char)data[i]);
	o = option_find_key(name, name_len);
	if (o == NULL) {
		name[name_len] = '\0';
		suggest_init(&near, name);
		option_offer(OPTION_MAPPING, &near);
		option_keys(accepted, sizeof(accepted));
		mapping_found(j->r, j->u, "\"%s\": unknown key%s (accepted are %s)", shown,
		    suggest_text(&near), accepted);
		return;
	}
	if (k->n == KEYS_MOST)
		return;   /* there are fewer keys than that */
	memcpy(k->at[k->n].text, equals + 1, len - name_len - 1);
	k->at[k->n].text[len - name_len - 1] = '\0';
	k->at[k->n].o = o;
	if (key_text(k, o->name) != NULL)
		mapping_found(j->r, j->u, "\"%s\": the key stands there twice", shown);
	else if (memchr(data, '\0', len) != NULL)
		mapping_found(j->r, j->u, "\"%s\": the value has a NUL byte", shown);
	else if (check_value(j, o, k->at[k->n].text, &k->at[k->n].number))
		k->n++;
}

/* Letters, digits, `-` and `_` in every label; no wildcard, nothing escaped. */
static bool
check_owner(struct job *j)
{
	static const struct config_option owner = { .name = "owner", .type = OPTION_OWNER,
		.least = 1, .most = 253 };
	uint64_t unused;
	bool good = option_parse(&owner, j->d->owner, &unused, NULL) == ERR_OK;

	if (!good)
		mapping_found(j->r, j->u, "a unit's name consists of letters, digits, \"-\" and "
		    "\"_\" and is no wildcard");
	return good;
}

static bool
check_name(struct job *j)
{
	const struct unit_conf *other = table_find(&j->set->names, j->u->name, strlen(j->u->name));

	if (other != NULL)
		mapping_found(j->r, j->u, "is a unit of zone \"%s\" already (%s:%u)",
		    other->zone->origin, other->file, other->line);
	return other == NULL;
}

static bool
pick_image(struct job *j)
{
	const char *name = key_text(&j->keys, "image");
	const struct config_zone_section *sec = j->zone->section;
	const struct config_image *im;
	bool allowed = sec->nimages == 0;

	if (name == NULL) {
		mapping_found(
		    j->r, j->u, "the mapping has neither image= nor unit=; one of them is needed");
		return false;
	}
	im = config_image_find(j->set->conf, name);
	for (unsigned i = 0; i < sec->nimages; i++)
		allowed = allowed || sec->images[i] == im;
	if (im == NULL && j->set->before != NULL) {
		im = mapping_image_keep(j->set, name);
		/* a list cannot name what is gone, and the zone was checked when it was not */
		allowed = true;
	}
	if (im == NULL)
		mapping_found(j->r, j->u, "image=%s: there is no section image \"%s\" in %s", name,
		    name, j->set->conf->path);
	else if (!allowed)
		mapping_found(j->r, j->u,
		    "image=%s: zone \"%s\" may not use it; add it to images in %s:%u", name,
		    j->zone->origin, j->set->conf->path, sec->line);
	j->u->image = im;
	return im != NULL && allowed;
}

static uint32_t
clamp(uint64_t ms, uint32_t least, uint32_t most)
{
	return ms < least ? least : ms > most ? most : (uint32_t)ms;
}

_Static_assert(LIMIT_SCHEDULE <= LIMIT_PASSIVE, "they all fit below");

/* A list, whose items have no commas. */
static void
set_list(struct job *j, const struct config_option *o, char *text, struct config_policy *p)
{
	const char *items[LIMIT_PASSIVE > LIMIT_WAKE_ON ? LIMIT_PASSIVE : LIMIT_WAKE_ON];
	unsigned n = 0;

	for (char *item = strtok(text, ","); item != NULL; item = strtok(NULL, ","))
		items[n++] = item;
	if (o->type == OPTION_WAKE)
		p->wake_on = config_wake_on(&j->set->arena, items, n);
	else if (o->type == OPTION_HOURS)
		p->schedule = config_schedule(&j->set->arena, items, n);
	else
		p->passive = config_passive(&j->set->arena, items, n);
}

static void
set_policy(struct job *j)
{
	struct config_policy *p = &j->u->policy;
	const struct config_policy *image = &j->u->image->policy;
	uint64_t ttl_ms = (uint64_t)j->d->ttl * 1000;
	struct config_image scratch = *j->u->image;

	for (unsigned i = 0; i < j->keys.n; i++) {
		const struct config_option *o = j->keys.at[i].o;
		char *field = (char *)&scratch + o->offset;
		uint64_t n = j->keys.at[i].number;

		if (o->section != OPTION_IMAGE)
			continue;
		if ((o->flags & OPTION_DOWN) != 0 && n > image->memory_bytes)
			mapping_found(j->r, j->u,
			    "%s=%s is more than image \"%s\" has; a mapping may only lower it",
			    o->name, j->keys.at[i].text, j->u->image->name);
		if ((o->flags & OPTION_LIST) != 0)
			set_list(j, o, j->keys.at[i].text, &scratch.policy);
		else if (o->type == OPTION_SIZE || o->type == OPTION_RATE)
			*(uint64_t *)(void *)field = n;
		else if (o->type == OPTION_BOOL)
			*(bool *)(void *)field = n != 0;
		else if (o->type == OPTION_DURATION)
			*(uint32_t *)(void *)field = (uint32_t)n;
		else
			*(unsigned *)(void *)field = (unsigned)n;
	}
	*p = scratch.policy;
	if (j->r->wants_zone_warnings && !config_image_parks(j->u->image) &&
	    p->idle_ms != OPTION_AUTO_32 && p->idle_ms > 0 && p->idle_ms < ttl_ms)
		report_warn(j->r, j->u->file, j->u->line,
		    "%s: idle is %u s and the TTL of its addresses %u s: who has the address from "
		    "a cache finds it asleep", j->u->name, p->idle_ms / 1000, j->d->ttl);
	if (p->idle_ms == OPTION_AUTO_32)
		p->idle_ms = clamp(2 * ttl_ms, IDLE_LEAST_MS, AUTO_MOST_MS);
	if (p->unused_after_ms == OPTION_AUTO_32)
		p->unused_after_ms = clamp(ttl_ms, UNUSED_LEAST_MS, AUTO_MOST_MS);
}

/* Network and broadcast address; /31 (RFC 3021) and /127 (RFC 6164) have neither. */
static bool
is_reserved(const struct msg_addr *a, const struct msg_addr *subnet)
{
	struct addr_range r;

	if (subnet->prefixlen >= (subnet->family == 4 ? 31 : 127))
		return false;
	addr_prefix_range(subnet, &r);
	return addr_cmp(a, &r.first) == 0 || (a->family == 4 && addr_cmp(a, &r.last) == 0);
}

static const char *
address_fault(const struct job *j, struct msg_addr *a)
{
	const struct config_network *net = j->u->image->network;
	const struct msg_addr *subnet = NULL;
	bool inside = false;

	for (unsigned i = 0; i < net->nunits; i++)
		inside = inside || addr_in_range(a, &net->units[i]);
	for (unsigned i = 0; i < net->nsubnets; i++)
		if (addr_in_prefix(a, &net->subnets[i]))
			subnet = &net->subnets[i];
	if (!inside || subnet == NULL)
		return "is outside the units of network";
	if (is_reserved(a, subnet))
		return "is no host's address (it stands for a whole subnet) in network";
	if (table_find(&j->set->host_addrs, a->bytes, a->family == 4 ? 4 : 16) != NULL)
		return "is the address of this host, on network";
	a->prefixlen = subnet->prefixlen;
	return NULL;
}

static bool
copy_addrs(struct job *j)
{
	struct unit_conf *u = j->u;

	if (j->d->naddrs == 0) {
		mapping_found(j->r, u,
		    "has a mapping but no address; an A or AAAA record is needed at that name");
		return false;
	}
	u->naddrs = (uint8_t)j->d->naddrs;
	u->addrs = arena_array(&j->set->arena, u->naddrs, sizeof(*u->addrs));
	memcpy(u->addrs, j->d->addrs, u->naddrs * sizeof(*u->addrs));
	return true;
}

static void
check_addrs(struct job *j)
{
	struct unit_conf *u = j->u;

	for (unsigned i = 0; i < u->naddrs; i++) {
		const char *fault = address_fault(j, &u->addrs[i]);
		const struct unit_conf *other = table_find(
		    &j->set->addrs, u->addrs[i].bytes, u->addrs[i].family == 4 ? 4 : 16);
		char text[ADDR_TEXT];

		if (fault == NULL && (other == NULL || other == u))
			continue;
		addr_text(&u->addrs[i], text);
		if (fault != NULL)
			mapping_found(
			    j->r, u, "%s %s \"%s\"", text, fault, u->image->network->name);
		if (other != NULL && other != u)
			mapping_found(j->r, u,
			    "%s belongs to the unit %s (%s:%u) already; a second name for it says "
			    "unit=%s", text, other->name, other->file, other->line, other->name);
	}
}

static void
check_mac(struct job *j)
{
	const char *text = key_text(&j->keys, "mac");
	struct unit_conf *u = j->u;
	char shown[ADDR_MAC_TEXT];

	if (text == NULL || !addr_parse_mac(text, u->mac))
		unit_addr_mac(&j->set->secret, u->name, 0, u->mac);
	for (unsigned nic = 0; nic <= u->image->nnics; nic++) {
		const struct vm_host_mac *own;
		const struct unit_conf *other;
		char ifname[IFNAMSIZ];
		uint8_t mac[6];

		unit_addr_nic_mac(&j->set->secret, u, nic, mac);
		own = table_find(&j->set->host_macs, mac, sizeof(mac));
		other = table_find(&j->set->macs, mac, sizeof(mac));
		addr_mac_text(mac, shown);
		if (own != NULL)
			mapping_found(j->r, u,
			    "the MAC address %s of NIC %u is this host's own (%s); %s", shown, nic,
			    if_indextoname(own->ifindex, ifname) != NULL ? ifname : "an interface",
			    text != NULL ? "use another mac=" : "set a mac=");
		if (other == NULL)
			continue;
		mapping_found(j->r, u,
		    "the MAC address %s of NIC %u is that of %s (%s:%u) already; %s", shown, nic,
		    other->name, other->file, other->line,
		    text != NULL ? "use another mac=" : "set a mac= for one of them");
	}
}

static void
set_standby(struct job *j)
{
	const char *text = key_text(&j->keys, "standby");
	const struct config_image *im = j->u->image;
	uint64_t yes = 0;

	if (text == NULL)
		return;
	(void)option_parse(option_find_key("standby", 7), text, &yes, NULL);   /* it was checked */
	j->u->standby = yes != 0 ? UNIT_STANDBY_YES : UNIT_STANDBY_NO;
	j->set->stands_by = j->set->stands_by || yes != 0;
	if (yes != 0 && strcmp(im->driver_name, "qemu") != 0)
		mapping_found(j->r, j->u, "standby=%s: image \"%s\" is of driver %s, which has no "
		    "such thing; it is for driver qemu", text, im->name, im->driver_name);
	if (yes != 0 && (im->placeholders & 1u << TEMPLATE_UUID) != 0)
		mapping_found(j->r, j->u, "standby=%s: image \"%s\" uses {uuid}, which is another "
		    "one for each boot, so that no VM can be started before", text, im->name);
}

/* ---- templates ---- */

static void
check_text(struct job *j, const struct template_values *v, const char *key, const char *template)
{
	char buf[LIMIT_CMDLINE];
	struct errmsg m;
	size_t len;

	if (template != NULL && template_fill(template, v, buf, sizeof(buf), &len, &m) != ERR_OK)
		mapping_found(j->r, j->u, "%s of image \"%s\": %s", key, j->u->image->name, m.text);
}

/* Another unit that uses the same file in a way that does not go together with writing to it. */
static const struct unit_conf *
disk_rival(const struct mapping_set *set, const struct unit_conf *u, const char *path, bool written)
{
	const struct unit_conf *other = table_find(&set->disks_written, path, strlen(path));

	if ((other == NULL || other == u) && written)
		other = table_find(&set->disks_read, path, strlen(path));
	return other == u ? NULL : other;
}

static void
check_disks(struct job *j, const struct template_values *v)
{
	const struct config_image *im = j->u->image;

	for (unsigned i = 0; i < im->ndisks; i++) {
		const struct config_disk *disk = &im->disks[i];
		const struct unit_conf *other;
		char path[LIMIT_CMDLINE];
		size_t len;

		/* What it lacks was reported by check_text. */
		if (template_fill(disk->path, v, path, sizeof(path), &len, NULL) != ERR_OK)
			continue;
		other = disk_rival(j->set, j->u, path, !disk->readonly && !im->overlay);
		if (other != NULL)
			mapping_found(j->r, j->u,
			    "disk \"%s\" of image \"%s\" is used by %s (%s:%u) too, and one of "
			    "them writes to it; accepted are readonly, overlay = yes, or a path "
			    "with {name}", path, im->name, other->name, other->file, other->line);
	}
}

static void
check_templates(struct job *j)
{
	const struct config_image *im = j->u->image;
	struct unit_text text;

	unit_text_init(&text, j->u, NULL);
	check_text(j, &text.v, "cmdline", im->cmdline);
	check_text(j, &text.v, "initrd", im->initrd);
	for (unsigned i = 0; i < im->ndisks; i++)
		check_text(j, &text.v, "disks", im->disks[i].path);
	for (unsigned i = 0; i < im->args.n; i++)
		check_text(j, &text.v, "args", im->args.items[i]);
	check_disks(j, &text.v);
}

/* ---- entering ---- */

static void
enter_disks(struct mapping_set *set, struct unit_conf *u)
{
	struct unit_text text;

	if (u->image->ndisks == 0)
		return;
	unit_text_init(&text, u, NULL);
	for (unsigned i = 0; i < u->image->ndisks; i++) {
		const struct config_disk *disk = &u->image->disks[i];
		struct table *x = disk->readonly || u->image->overlay ? &set->disks_read :
		    &set->disks_written;
		char path[LIMIT_CMDLINE];
		size_t len;

		/* A path with {uuid} is another one for every VM. */
		if (template_fill(disk->path, &text.v, path, sizeof(path), &len, NULL) != ERR_OK ||
		    strstr(disk->path, "{uuid}") != NULL || table_find(x, path, len) != NULL)
			continue;
		(void)table_add(x, arena_strndup(&set->arena, path, len), len, u);
	}
}

void
mapping_unit_enter(struct mapping_set *set, struct unit_conf *u)
{
	if (u->refused)
		return;
	(void)table_add(&set->names, u->name, strlen(u->name), u);
	if (u->image == NULL)
		return;   /* an alias has nothing of its own */
	for (unsigned i = 0; i < u->naddrs; i++)
		(void)table_add(&set->addrs, u->addrs[i].bytes,
		    u->addrs[i].family == 4 ? 4 : 16, u);
	(void)table_add(&set->macs, u->mac, sizeof(u->mac), u);
	for (unsigned nic = 1; nic <= u->image->nnics; nic++) {
		uint8_t mac[6];

		unit_addr_mac(&set->secret, u->name, nic, mac);
		(void)table_add(&set->macs,
		    arena_strndup(&set->arena, (const char *)mac, sizeof(mac)), sizeof(mac), u);
	}
	enter_disks(set, u);
}

void
mapping_unit_refuse(struct unit_conf *u)
{
	u->refused = true;
	u->image = NULL;
	u->target = NULL;
	u->nneeds = 0;
}

static void
add_reference(struct job *j, const char *alias, const char *needs)
{
	struct mapping_zone *mz = &j->set->zones[j->zone->index];
	struct mapping_reference *ref = arena_alloc(&j->set->arena, sizeof(*ref));

	ref->unit = j->u;
	ref->alias = alias == NULL ? NULL : arena_strdup(&j->set->arena, alias);
	ref->needs = needs == NULL ? NULL : arena_strdup(&j->set->arena, needs);
	ref->next = mz->references;
	mz->references = ref;
}

static void
start(struct job *j)
{
	struct mapping_zone *mz = &j->set->zones[j->zone->index];
	struct unit_conf *u = j->u, *before = u > mz->units ? u - 1 : NULL;
	const char *file = config_zone_file(j->zone, j->d->file, sizeof(j->d->file) - 1);

	u->zone = j->zone;
	u->line = j->d->line;
	u->name = arena_strdup(&j->set->arena, j->d->owner);
	u->file = before != NULL && strcmp(before->file, file) == 0 ? before->file :
	    arena_strdup(&j->set->arena, file);
}

void
mapping_unit_build(struct mapping_set *set, const struct config_zone *zone, struct unit_conf *u,
    const struct dns_unit *d, struct report *r)
{
	struct job j = { .set = set, .zone = zone, .u = u, .d = d, .r = r };
	const char *alias, *needs;
	size_t before = r->nerrors;

	start(&j);
	if (!check_owner(&j) || !check_name(&j))
		return;
	for (unsigned i = 0; i < d->nstrings; i++)
		take_string(&j, d->strings[i].data, d->strings[i].len);
	if (r->nerrors != before || !copy_addrs(&j))
		return;
	alias = key_text(&j.keys, "unit");
	needs = key_text(&j.keys, "needs");
	if (alias != NULL && j.keys.n > 1)
		mapping_found(
		    r, u, "unit=%s makes this name an alias; it accepts no other key", alias);
	if (alias == NULL && !pick_image(&j))
		return;
	if (alias != NULL || needs != NULL)
		add_reference(&j, alias, needs);
	if (alias == NULL) {
		set_policy(&j);
		set_standby(&j);
		check_addrs(&j);
		check_mac(&j);
		check_templates(&j);
	}
	if (r->nerrors == before)
		mapping_unit_enter(set, u);
}
