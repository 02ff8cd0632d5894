/* unit: the table of managed services. */
#include "src/warden/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void
unit_table_clear(struct unit_table *t)
{
	for (uint32_t i = 0; i < t->next; i++)
		if (t->by_number[i] != NULL)
			unit_free(t, t->by_number[i]);
	free(t->by_number);
	table_clear(&t->by_name);
	table_clear(&t->by_uuid);
	memset(t, 0, sizeof(*t));
}

static enum err
grow(struct unit_table *t, struct errmsg *m)
{
	uint32_t room = t->room == 0 ? 64 : t->room * 2;

	if (t->next >= LIMIT_UNIT_NUMBERS)
		return err_set(m, ERR_LIMIT,
		    "%u units came and went since jitsud started, more than it can number: restart "
		    "it (VMs go on)", LIMIT_UNIT_NUMBERS);
	if (t->next < t->room)
		return ERR_OK;
	t->by_number = mem_resize(t->by_number, room, sizeof(*t->by_number));
	t->room = room;
	return ERR_OK;
}

struct unit *
unit_new(struct unit_table *t, const struct unit_conf *conf, struct errmsg *m)
{
	struct unit *u;

	if (grow(t, m) != ERR_OK)
		return NULL;
	u = mem_zero(1, sizeof(*u));
	unit_conf_set(t, u, conf);
	u->number = t->next;
	t->by_number[t->next++] = u;
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
	(void)table_remove(&t->by_name, u->name, size - 1);   /* the unit itself */
	l = mem_zero(1, sizeof(*l) + size);
	*l = (struct unit_left){ .naddrs = u->conf->naddrs, .unit = u };
	memcpy(l->name, u->name, size);
	memcpy(l->mac, u->conf->mac, sizeof(l->mac));
	memcpy(l->addrs, u->conf->addrs, l->naddrs * sizeof(*l->addrs));
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
unit_conf_set(struct unit_table *t, struct unit *u, const struct unit_conf *conf)
{
	table_set(&t->by_name, conf->name, strlen(conf->name), u);
	u->conf = conf;
	u->name = conf->name;
	u->save_failed = u->unparkable = u->unparked_once = false;
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
unit_next(const struct unit_table *t, uint32_t *at)
{
	while (*at < t->next)
		if (t->by_number[(*at)++] != NULL)
			return t->by_number[*at - 1];
	return NULL;
}

struct unit *
unit_by_name(const struct unit_table *t, const char *name)
{
	return table_find(&t->by_name, name, strlen(name));
}

static bool
is_after(const struct unit_conf *uc, const struct unit_left *l)
{
	if (memcmp(uc->mac, l->mac, sizeof(l->mac)) == 0 || strcmp(uc->name, l->name) == 0)
		return true;
	for (unsigned i = 0; i < l->naddrs; i++)
		if (mapping_unit_has_addr(uc, &l->addrs[i]))
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
unit_vm_next(const struct unit_table *t, size_t *at)
{
	return table_next(&t->by_uuid, at);
}

struct unit *
unit_by_uuid(const struct unit_table *t, const struct vm_uuid *uuid)
{
	return table_find(&t->by_uuid, uuid->bytes, sizeof(uuid->bytes));
}

struct unit_run *
unit_run(struct unit *u)
{
	if (u->run == NULL)
		u->run = mem_zero(1, sizeof(*u->run));   /* an empty list of waiters, too */
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

	if (r != NULL && r->has_vm) {
		(void)table_remove(&t->by_uuid, r->uuid.bytes, sizeof(r->uuid.bytes));   /* is u */
		r->has_vm = false;
	}
	if (uuid == NULL)
		return;
	r->uuid = *uuid;
	r->has_vm = true;
	unit_links_reset(u);
	table_set(&t->by_uuid, r->uuid.bytes, sizeof(r->uuid.bytes), u);
}

void
unit_error_set(struct unit *u, const char *text)
{
	char *copy = text != NULL ? mem_text(text) : NULL;   /* it may be the one that is freed */

	if (text == NULL && u->run == NULL)
		return;
	free(unit_run(u)->error);
	u->run->error = copy;
	u->run->error_new = text != NULL;
}

const char *
unit_error(const struct unit *u, const char *none)
{
	return u->run != NULL && u->run->error != NULL ? u->run->error : none;
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
