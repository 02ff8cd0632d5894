/* owner: one small file for each VM: the unit's name, its identity and its driver, a line each. */
#include "vm/host/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_TEXT (LIMIT_NAME_TEXT + VM_IDENTITY + OWNER_DRIVER + 3)

static enum err
dir_open(const char *above, int *fd, struct errmsg *m)
{
	char path[PATH_MAX];
	struct stat st;

	*fd = -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/owners", above) >= sizeof(path))
		return err_set(m, ERR_RANGE, "directory %s: the path is too long", above);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_sys(m, "directory %s", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(m, "directory %s", path);
	if (fstat(*fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0)
		return ERR_OK;
	close(*fd);
	*fd = -1;
	return err_set(m, ERR_PERM,
	    "directory %s must belong to uid %u and be writable for nobody else", path,
	    (unsigned)geteuid());
}

void
owner_dirs_close(struct owner_dirs *d)
{
	if (d->state_fd >= 0)
		close(d->state_fd);
	if (d->run_fd >= 0)
		close(d->run_fd);
	d->state_fd = d->run_fd = -1;
}

/* With errno. */
static enum err
file_write(int dir, const char *name, const char *text, size_t len)
{
	int fd = dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e = ERR_OK;

	if (fd < 0)
		return ERR_IO;
	if (write(fd, text, len) != (ssize_t)len) {
		int saved = errno;

		e = ERR_IO;
		(void)unlinkat(dir, name, 0);   /* half a file says nothing, and may be in the way */
		errno = saved;
	}
	close(fd);
	return e;
}

enum err
owner_write(const struct owner_dirs *d, const struct vm_spec *spec, struct errmsg *m)
{
	char name[VM_UUID_TEXT], text[OWNER_TEXT];
	const char *identity = spec->identity != NULL ? spec->identity : "";
	int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", spec->unit, identity, spec->driver);
	enum err run;

	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(m, ERR_RANGE, "unit %s: its name or its addresses are too long", spec->unit);
	vm_uuid_text(&spec->uuid, name);
	run = file_write(d->run_fd, name, text, (size_t)n);
	if (file_write(d->state_fd, name, text, (size_t)n) == ERR_OK || run == ERR_OK)
		return ERR_OK;
	return err_sys(m, "file owners/%s", name);
}

void
owner_remove(const struct owner_dirs *d, const struct vm_uuid *uuid)
{
	char name[VM_UUID_TEXT];

	vm_uuid_text(uuid, name);
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
	ssize_t n = 0;

	if (fd >= 0) {
		n = read(fd, text, OWNER_TEXT - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static bool
text_parse(const char *text, struct owner *o)
{
	memset(o, 0, sizeof(*o));
	if (line_take(&text, o->unit, sizeof(o->unit)) &&
	    line_take(&text, o->identity, sizeof(o->identity)) &&
	    line_take(&text, o->driver, sizeof(o->driver)) && o->unit[0] != '\0')
		return true;
	memset(o, 0, sizeof(*o));
	return false;
}

bool
owner_read(const struct owner_dirs *d, const struct vm_uuid *uuid, struct owner *o)
{
	char name[VM_UUID_TEXT], text[OWNER_TEXT];

	vm_uuid_text(uuid, name);
	(void)file_read(d->state_fd, name, text);
	if (text_parse(text, o))
		return true;
	(void)file_read(d->run_fd, name, text);
	return text_parse(text, o);
}

static enum err
dir_list(int dir, struct vm_uuid **list, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e = d != NULL ? ERR_OK : ERR_IO;
	struct dirent *entry;

	if (d == NULL && fd >= 0)
		close(fd);
	while (e == ERR_OK && (entry = readdir(d)) != NULL) {
		struct vm_uuid uuid, *grown;

		if (!vm_uuid_parse(entry->d_name, &uuid))
			continue;
		grown = reallocarray(*list, *n + 1, sizeof(*grown));
		if (grown == NULL) {
			e = ERR_NOMEM;
			continue;
		}
		*list = grown;
		grown[(*n)++] = uuid;
	}
	if (d != NULL)
		closedir(d);
	return e;
}

enum err
owner_list(const struct owner_dirs *d, struct vm_uuid **list, size_t *n)
{
	enum err e = ERR_OK;

	*list = NULL;
	*n = 0;
	if (d->state_fd >= 0)
		e = dir_list(d->state_fd, list, n);
	if (e == ERR_OK && d->run_fd >= 0)
		e = dir_list(d->run_fd, list, n);
	return e;
}

/* Copies what only one of the two has; without memory for it, or room, each has what it had. */
static void
dirs_settle(const struct owner_dirs *d)
{
	struct vm_uuid *list = NULL;
	size_t n = 0;

	if (d->state_fd < 0 || d->run_fd < 0)
		return;
	(void)owner_list(d, &list, &n);
	for (size_t i = 0; i < n; i++) {
		char name[VM_UUID_TEXT], state[OWNER_TEXT], run[OWNER_TEXT];
		size_t in_state, in_run;

		vm_uuid_text(&list[i], name);
		in_state = file_read(d->state_fd, name, state);
		in_run = file_read(d->run_fd, name, run);
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
	enum err e = dir_open(state_dir, &d->state_fd, m);
	enum err run = dir_open(run_dir, &d->run_fd, e == ERR_OK ? m : NULL);

	dirs_settle(d);
	return e != ERR_OK ? e : run;
}

void
owner_dirs_keep(const struct owner_dirs *d, const char *run_dir)
{
	struct stat st;
	int fd;

	if (d->run_fd < 0 || (fstat(d->run_fd, &st) == 0 && st.st_nlink > 0) ||
	    dir_open(run_dir, &fd, NULL) != ERR_OK)
		return;
	(void)dup3(fd, d->run_fd, O_CLOEXEC);   /* the number stays: other threads have it */
	close(fd);
	dirs_settle(d);
}
