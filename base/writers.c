/* writers: by owners, modes, and whether there are ACLs. */
#include "base/writers.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUPS 64                  /* of a user, at first */
#define PASSWD_TEXT 4096

/*
 * Whoever has the root directory decides on all that this process sees; in a user namespace, where
 * root of the host has no number, that is how he is known.
 */
static bool
is_trusted(uid_t uid)
{
	struct stat root;

	return uid == 0 || uid == geteuid() || (stat("/", &root) == 0 && root.st_uid == uid);
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
writers_add(struct writers *w, const struct stat *st, const struct acl *acl)
{
	bool by_group = (acl->group & ACL_MAY_WRITE) != 0;

	if ((st->st_mode & S_IWOTH) != 0 || (acl->unknown && (st->st_mode & S_IWGRP) != 0))
		w->anybody = true;
	if (by_group && st->st_gid != st->st_uid)
		add(w, true, st->st_gid);
	else
		writers_add_owner(w, st);
	for (unsigned i = 0; i < acl->n; i++)
		if ((acl->at[i].may & ACL_MAY_WRITE) != 0 &&
		    (acl->at[i].is_group || !is_trusted(acl->at[i].id)))
			add(w, acl->at[i].is_group, acl->at[i].id);
}

void
writers_merge(struct writers *w, const struct writers *from)
{
	w->anybody |= from->anybody;
	for (unsigned i = 0; i < from->n; i++)
		add(w, from->at[i].is_group, from->at[i].id);
}

/* The groups of a user, to be freed; NULL: he is not known. */
static gid_t *
groups_get(uid_t uid, int *n)
{
	struct passwd pw, *found = NULL;
	char text[PASSWD_TEXT];
	gid_t *groups = NULL, *grown;

	if (getpwuid_r(uid, &pw, text, sizeof(text), &found) != 0 || found == NULL)
		return NULL;
	*n = GROUPS;
	for (int tries = 0; tries < 2; tries++) {
		grown = reallocarray(groups, (size_t)*n, sizeof(*grown));
		if (grown == NULL)
			break;
		groups = grown;
		if (getgrouplist(pw.pw_name, pw.pw_gid, groups, n) >= 0)
			return groups;
	}
	free(groups);
	return NULL;
}

/* Do all users, or the group and all groups, that the ACL names have this right? */
static bool
all_may(const struct acl *acl, bool is_group, unsigned use)
{
	for (unsigned i = 0; i < acl->n; i++)
		if (acl->at[i].is_group == is_group && (acl->at[i].may & use) == 0)
			return false;
	return !is_group || (acl->group & use) != 0;
}

/* Has a group this right, by the mode or by an entry of the ACL? */
static bool
group_may(const struct stat *st, const struct acl *acl, uint32_t id, unsigned use)
{
	if (id == st->st_gid && (acl->group & use) != 0)
		return true;
	for (unsigned i = 0; i < acl->n; i++)
		if (acl->at[i].is_group && acl->at[i].id == id && (acl->at[i].may & use) != 0)
			return true;
	return false;
}

/* By a group that the user database says he is in? */
static bool
member_may(const struct stat *st, const struct acl *acl, uid_t uid, unsigned use)
{
	bool may = (acl->group & use) != 0, found = false;
	gid_t *groups;
	int n = 0;

	for (unsigned i = 0; i < acl->n; i++)
		may = may || (acl->at[i].is_group && (acl->at[i].may & use) != 0);
	if (!may)
		return false;   /* without a look into the database */
	groups = groups_get(uid, &n);
	for (int i = 0; groups != NULL && i < n; i++)
		found = found || group_may(st, acl, groups[i], use);
	free(groups);
	return found;
}

static bool
writer_may(const struct writer *x, const struct stat *st, const struct acl *acl, unsigned use)
{
	bool open = (st->st_mode & use) != 0 && all_may(acl, true, use);

	if (!x->is_group && x->id == st->st_uid)
		return true;
	if (acl->unknown)
		return false;
	/* An entry for a user counts before his groups; a group may have such users. */
	if (x->is_group)
		return all_may(acl, false, use) && (open || group_may(st, acl, x->id, use));
	for (unsigned i = 0; i < acl->n; i++)
		if (!acl->at[i].is_group && acl->at[i].id == x->id)
			return (acl->at[i].may & use) != 0;
	return open || member_may(st, acl, x->id, use);
}

int
writers_first_denied(const struct writers *w, const struct stat *st, const struct acl *acl,
    enum acl_may use)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!writer_may(&w->at[i], st, acl, use))
			return (int)i;
	/* Where a group has no right, its members may less than all others. */
	if (w->anybody && ((st->st_mode & use) == 0 || acl->unknown || !all_may(acl, true, use) ||
	    !all_may(acl, false, use)))
		return WRITERS_ANYBODY;
	return -1;
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
