/* unit: the table of managed services. */
#include "src/warden/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/siphash.h"
#include "base/utf8.h"

#define NAMES_LEAST 1024   /* buckets; doubled when there are more names than that */
#define UUID_BITS 10       /* only units with a VM are in this one */

static size_t
name_slot(const struct unit_table *t, const char *name)
{
	return (size_t)(siphash24(t->key, name, strlen(name)) & (t->names - 1));
}

static size_t
uuid_slot(const struct unit_table *t, const struct vm_uuid *uuid)
{
	return (size_t)(siphash24(t->key, uuid->bytes, sizeof(uuid->bytes)) & ((1u << UUID_BITS) - 1));
}

enum err
unit_table_init(struct unit_table *t, struct errmsg *m)
{
	memset(t, 0, sizeof(*t));
	t->names = NAMES_LEAST;
	t->by_name = calloc(t->names, sizeof(struct unit *));
	t->by_uuid = calloc((size_t)1 << UUID_BITS, sizeof(struct unit *));
	if (t->by_name == NULL || t->by_uuid == NULL) {
		unit_table_clear(t);
		return err_set(m, ERR_NOMEM, "table of units: %s", err_str(ERR_NOMEM));
	}
	if (getrandom(t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key)) {
		unit_table_clear(t);
		return err_sys(m, "getrandom");
	}
	return ERR_OK;
}

void
unit_table_clear(struct unit_table *t)
{
	for (uint32_t i = 0; i < t->next; i++)
		if (t->by_number[i] != NULL)
			unit_free(t, t->by_number[i]);
	free(t->by_number);
	free(t->by_name);
	free(t->by_uuid);
	memset(t, 0, sizeof(*t));
}

static enum err
grow(struct unit_table *t, struct errmsg *m)
{
	uint32_t room = t->room == 0 ? 64 : t->room * 2;
	struct unit **grown;

	if (t->next >= LIMIT_UNIT_NUMBERS)
		return err_set(m, ERR_LIMIT, "%u units came and went since jitsud started, more than it can number: restart it (VMs go on)",
		    LIMIT_UNIT_NUMBERS);
	if (t->next < t->room)
		return ERR_OK;
	grown = reallocarray(t->by_number, room, sizeof(*grown));
	if (grown == NULL)
		return err_set(m, ERR_NOMEM, "table of units: %s", err_str(ERR_NOMEM));
	t->by_number = grown;
	t->room = room;
	return ERR_OK;
}

static void
name_enter(struct unit_table *t, struct unit *u)
{
	size_t s = name_slot(t, u->name);

	u->next_name = t->by_name[s];
	t->by_name[s] = u;
}

/* Without memory for it chains become longer. */
static void
grow_names(struct unit_table *t)
{
	struct unit **old = t->by_name, **grown = calloc(t->names * 2, sizeof(*grown));
	size_t n = t->names;

	if (grown == NULL)
		return;
	t->by_name = grown;
	t->names = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (struct unit *u = old[i], *next; u != NULL; u = next) {
			next = u->next_name;
			name_enter(t, u);
		}
	}
	free(old);
}

struct unit *
unit_new(struct unit_table *t, const struct unit_conf *conf, struct errmsg *m)
{
	struct unit *u;

	if (grow(t, m) != ERR_OK)
		return NULL;
	u = calloc(1, sizeof(*u));
	if (u == NULL) {
		(void)err_set(m, ERR_NOMEM, "unit %s: %s", conf->name, err_str(ERR_NOMEM));
		return NULL;
	}
	unit_conf_set(u, conf);
	u->number = t->next;
	t->by_number[t->next++] = u;
	if (t->count >= t->names)
		grow_names(t);
	name_enter(t, u);
	t->count++;
	return u;
}

static void
run_free(struct unit_run *r)
{
	if (r == NULL)
		return;
	if (r->timer != NULL)
		event_free(r->timer);
	free(r->timer_arg);
	if (r->check != NULL)
		event_free(r->check);
	free(r->check_arg);
	free(r->error);
	free(r->console);
	free(r->probe);
	free(r);
}

void
unit_leave(struct unit_table *t, struct unit *u)
{
	size_t size = strlen(u->name) + 1;
	struct unit_left *l;

	if (u->leaving)
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a table with units has its buckets */
	for (struct unit **p = &t->by_name[name_slot(t, u->name)]; *p != NULL; p = &(*p)->next_name) {
		if (*p == u) {
			*p = u->next_name;
			break;
		}
	}
	l = calloc(1, sizeof(*l) + size);
	if (l == NULL)
		fatal("unit: %s", err_str(ERR_NOMEM));
	memcpy(l->name, u->name, size);
	memcpy(l->mac, u->conf->mac, sizeof(l->mac));
	l->naddrs = u->conf->naddrs;
	for (unsigned i = 0; i < l->naddrs; i++)
		l->addrs[i] = u->conf->addrs[i];
	l->unit = u;
	LIST_INSERT_HEAD(&t->left, l, next);
	u->left = l;
	u->name = l->name;
	u->leaving = true;
	u->conf = NULL;
	t->count--;
}

void
unit_gone(struct unit_table *t, struct unit *u)
{
	LIST_REMOVE(u->left, next);
	LIST_INSERT_HEAD(&t->gone, u->left, next);
}

void
unit_conf_set(struct unit *u, const struct unit_conf *conf)
{
	u->conf = conf;
	u->name = conf->name;
	u->save_failed = false;
}

void
unit_free(struct unit_table *t, struct unit *u)
{
	unit_leave(t, u);
	unit_uuid_set(t, u, NULL);
	t->by_number[u->number] = NULL;
	run_free(u->run);
	LIST_REMOVE(u->left, next);
	free(u->left);
	free(u);
}

struct unit *
unit_by_number(const struct unit_table *t, uint32_t number)
{
	return number < t->next ? t->by_number[number] : NULL;
}

struct unit *
unit_by_name(const struct unit_table *t, const char *name)
{
	struct unit *u = t->by_name[name_slot(t, name)];

	while (u != NULL && strcmp(u->name, name) != 0)
		u = u->next_name;
	return u;
}

static bool
is_after(const struct unit_conf *uc, const struct unit_left *l)
{
	if (memcmp(uc->mac, l->mac, sizeof(l->mac)) == 0 || strcmp(uc->name, l->name) == 0)
		return true;
	for (unsigned i = 0; i < uc->naddrs; i++)
		for (unsigned k = 0; k < l->naddrs; k++)
			if (addr_cmp(&uc->addrs[i], &l->addrs[k]) == 0)
				return true;
	return false;
}

const struct unit *
unit_before(const struct unit_table *t, const struct unit *u)
{
	const struct unit_left *l;

	LIST_FOREACH(l, &t->left, next)
		if (u->conf != NULL && is_after(u->conf, l))
			return l->unit;
	return NULL;
}

struct unit *
unit_vm_next(const struct unit_table *t, const struct unit *u)
{
	size_t slot = u != NULL ? uuid_slot(t, &u->run->uuid) + 1 : 0;

	if (u != NULL && u->next_uuid != NULL)
		return u->next_uuid;
	for (; slot < (size_t)1 << UUID_BITS; slot++)
		if (t->by_uuid[slot] != NULL)
			return t->by_uuid[slot];
	return NULL;
}

struct unit *
unit_by_uuid(const struct unit_table *t, const struct vm_uuid *uuid)
{
	struct unit *u = t->by_uuid[uuid_slot(t, uuid)];

	while (u != NULL && memcmp(&u->run->uuid, uuid, sizeof(*uuid)) != 0)
		u = u->next_uuid;
	return u;
}

struct unit_run *
unit_run(struct unit *u)
{
	if (u->run == NULL) {
		u->run = calloc(1, sizeof(*u->run));
		if (u->run == NULL)
			fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
		SLIST_INIT(&u->run->waiters);
	}
	return u->run;
}

void
unit_links_reset(struct unit *u)
{
	memset(u->run->links, 0, sizeof(u->run->links));
	u->run->lost_ns = 0;
	u->run->link_changed = u->run->no_network = false;
}

void
unit_uuid_set(struct unit_table *t, struct unit *u, const struct vm_uuid *uuid)
{
	struct unit_run *r = uuid != NULL ? unit_run(u) : u->run;
	size_t s;

	if (r != NULL && r->has_vm) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a table with units has its buckets */
		for (struct unit **p = &t->by_uuid[uuid_slot(t, &r->uuid)]; *p != NULL; p = &(*p)->next_uuid) {
			if (*p == u) {
				*p = u->next_uuid;
				break;
			}
		}
		r->has_vm = false;
	}
	if (uuid == NULL)
		return;
	r->uuid = *uuid;
	r->has_vm = true;
	unit_links_reset(u);
	s = uuid_slot(t, uuid);
	u->next_uuid = t->by_uuid[s];
	t->by_uuid[s] = u;
}

static void
replace_text(char **where, const char *text)
{
	free(*where);
	*where = text != NULL ? strdup(text) : NULL;
}

void
unit_error_set(struct unit *u, const char *text)
{
	if (text != NULL || u->run != NULL)
		replace_text(&unit_run(u)->error, text);
	if (u->run != NULL)
		u->run->error_new = text != NULL;
}

void
unit_console_set(struct unit *u, const char *bytes, size_t len)
{
	if (bytes == NULL && u->run == NULL)
		return;
	free(unit_run(u)->console);
	u->run->console = bytes != NULL ? utf8_from_bytes(bytes, len) : NULL;
	u->run->console_new = bytes != NULL;
}

void
unit_boot_begin(struct unit *u)
{
	struct unit_run *r = unit_run(u);

	r->error_new = r->console_new = r->failing = false;
	r->tried = (struct unit_tried){ .sent_ns = 0 };
}

void
unit_boot_works(struct unit *u)
{
	unit_error_set(u, NULL);
	unit_console_set(u, NULL, 0);
	if (u->run == NULL)
		return;
	u->run->failing = false;
	u->run->failed = (struct unit_trace){ .query_ns = 0 };
}
