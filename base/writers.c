/* writers: by owners, modes, and whether there are ACLs. */
#include "base/writers.h"

#include <stdio.h>
#include <unistd.h>

static bool
is_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static void
add(struct writers *w, bool is_group, uint32_t id)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->at[i].is_group == is_group && w->at[i].id == id)
			return;
	if (w->n < LIMIT_WRITERS)
		w->at[w->n++] = (struct writer){ .is_group = is_group, .id = id };
	else
		w->anybody = true;
}

void
writers_add_owner(struct writers *w, const struct stat *st)
{
	if (!is_trusted(st->st_uid))
		add(w, false, st->st_uid);
}

void
writers_add(struct writers *w, const struct stat *st, bool has_acl)
{
	bool by_group = (st->st_mode & S_IWGRP) != 0;

	if ((st->st_mode & S_IWOTH) != 0 || (by_group && has_acl))
		w->anybody = true;
	if (by_group && !has_acl && st->st_gid != st->st_uid)
		add(w, true, st->st_gid);
	else
		writers_add_owner(w, st);
}

void
writers_merge(struct writers *w, const struct writers *from)
{
	w->anybody |= from->anybody;
	for (unsigned i = 0; i < from->n; i++)
		add(w, from->at[i].is_group, from->at[i].id);
}

int
writers_first_denied(
    const struct writers *w, const struct stat *st, bool has_acl, enum writers_use use)
{
	mode_t others = (mode_t)use, group = others << 3;

	/* Without the group's bit, its members may less than others. */
	if ((st->st_mode & others) != 0 && (st->st_mode & group) != 0)
		return -1;
	for (unsigned i = 0; i < w->n; i++) {
		const struct writer *x = &w->at[i];

		if (!x->is_group && x->id == st->st_uid)
			continue;
		if (!x->is_group || x->id != st->st_gid || (st->st_mode & group) == 0 || has_acl)
			return (int)i;
	}
	return w->anybody ? WRITERS_ANYBODY : -1;
}

void
writers_text(const struct writers *w, int i, char text[WRITERS_TEXT])
{
	if (i == WRITERS_ANYBODY)
		(void)snprintf(text, WRITERS_TEXT, "everybody");
	else
		(void)snprintf(text, WRITERS_TEXT, "%s %u", w->at[i].is_group ? "group" : "user",
		    w->at[i].id);
}
