/* owner: one small file for each VM: the unit's name, its identity and its driver, a line each. */
#include "vm/host/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vm/proc/dir.h"

#define OWNER_TEXT (LIMIT_NAME_TEXT + VM_IDENTITY + OWNER_DRIVER + 3)

void
owner_dirs_close(struct owner_dirs *d)
{
	if (d->state_fd >= 0)
		close(d->state_fd);
	if (d->run_fd >= 0)
		close(d->run_fd);
	d->state_fd = d->run_fd = -1;
}

/* False: with errno. */
static bool
file_write(int dir, const char *name, const char *text, size_t len)
{
	int fd = dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, 0600), saved;
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (fd < 0)
		return false;
	saved = errno;
	close(fd);
	if (!ok)
		(void)unlinkat(dir, name, 0);     /* half a file may be in the way */
	errno = saved;
	return ok;
}

enum err
owner_write(const struct owner_dirs *d, const struct vm_spec *spec, struct errmsg *m)
{
	char text[OWNER_TEXT];
	const char *name = VM_UUID_STR(&spec->uuid);
	const char *identity = spec->identity != NULL ? spec->identity : "";
	int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", spec->unit, identity, spec->driver);
	bool run;

	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(m, ERR_RANGE, "unit %s: its name or its addresses are too long",
		    spec->unit);
	run = file_write(d->run_fd, name, text, (size_t)n);
	if (file_write(d->state_fd, name, text, (size_t)n) || run)
		return ERR_OK;
	return err_sys(m, "file owners/%s", name);
}

void
owner_remove(const struct owner_dirs *d, const struct vm_uuid *uuid)
{
	const char *name = VM_UUID_STR(uuid);

	(void)unlinkat(d->state_fd, name, 0);     /* at worst adoption removes them */
	(void)unlinkat(d->run_fd, name, 0);
}

/* Takes the next line of *at; false when it has no end or does not fit. */
static bool
line_take(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, "\n");

	if ((*at)[len] == '\0' || len >= size)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len + 1;
	return true;
}

/* The length of a file's text, which is terminated; 0 when there is none. */
static size_t
file_read(int dir, const char *name, char text[OWNER_TEXT])
{
	int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, OWNER_TEXT - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

bool
owner_read(const struct owner_dirs *d, const struct vm_uuid *uuid, struct owner *o)
{
	const int dirs[] = { d->state_fd, d->run_fd };
	char text[OWNER_TEXT];

	for (size_t i = 0; i < 2; i++) {
		const char *at = text;

		memset(o, 0, sizeof(*o));
		(void)file_read(dirs[i], VM_UUID_STR(uuid), text);
		if (line_take(&at, o->unit, sizeof(o->unit)) &&
		    line_take(&at, o->identity, sizeof(o->identity)) &&
		    line_take(&at, o->driver, sizeof(o->driver)) && o->unit[0] != '\0')
			return true;
	}
	memset(o, 0, sizeof(*o));
	return false;
}

struct uuids {
	struct vm_uuid *list;
	size_t n, room;
};

static void
uuid_add(const struct vm_uuid *uuid, const char *rest, void *arg)
{
	struct uuids *u = arg;

	if (rest[0] != '\0')
		return;
	u->list = mem_room(u->list, u->n, &u->room, sizeof(*u->list));
	u->list[u->n++] = *uuid;
}

enum err
owner_list(const struct owner_dirs *d, struct vm_uuid **list, size_t *n)
{
	struct uuids u = { NULL, 0, 0 };
	enum err e = ERR_OK;

	if (d->state_fd >= 0)
		e = dir_each(d->state_fd, uuid_add, &u, NULL);
	if (e == ERR_OK && d->run_fd >= 0)
		e = dir_each(d->run_fd, uuid_add, &u, NULL);
	*list = u.list;
	*n = u.n;
	return e;
}

/* Copies what only one of the two has; where that fails, each has what it had. */
static void
dirs_settle(const struct owner_dirs *d)
{
	struct vm_uuid *list = NULL;
	size_t n = 0;

	if (d->state_fd < 0 || d->run_fd < 0)
		return;
	(void)owner_list(d, &list, &n);
	for (size_t i = 0; i < n; i++) {
		const char *name = VM_UUID_STR(&list[i]);
		char state[OWNER_TEXT], run[OWNER_TEXT];
		size_t in_state = file_read(d->state_fd, name, state);
		size_t in_run = file_read(d->run_fd, name, run);

		if (in_state == 0 && in_run > 0)
			(void)file_write(d->state_fd, name, run, in_run);
		else if (in_run == 0 && in_state > 0)
			(void)file_write(d->run_fd, name, state, in_state);
	}
	free(list);
}

enum err
owner_dirs_open(const char *state_dir, const char *run_dir, struct owner_dirs *d, struct errmsg *m)
{
	enum err e = dir_open_in(state_dir, "owners", &d->state_fd, m);
	enum err run = dir_open_in(run_dir, "owners", &d->run_fd, e == ERR_OK ? m : NULL);

	dirs_settle(d);
	return e != ERR_OK ? e : run;
}

void
owner_dirs_keep(const struct owner_dirs *d, const char *run_dir)
{
	struct stat st;
	int fd;

	if (d->run_fd < 0 || (fstat(d->run_fd, &st) == 0 && st.st_nlink > 0) ||
	    dir_open_in(run_dir, "owners", &fd, NULL) != ERR_OK)
		return;
	(void)dir_replace(d->run_fd, fd, NULL);
	dirs_settle(d);
}
