/* owner: one small file for each VM: the unit's name, its identity and its driver, a line each. */
#include "vm/owner.h"

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

enum err
owner_dir_open(const char *state_dir, int *fd, struct errmsg *m)
{
	char path[PATH_MAX];
	struct stat st;

	*fd = -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/owners", state_dir) >= sizeof(path))
		return err_set(m, ERR_RANGE, "state directory %s: the path is too long", state_dir);
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

enum err
owner_write(int dir, const struct vm_spec *spec, struct errmsg *m)
{
	char name[VM_UUID_TEXT], text[OWNER_TEXT];
	const char *identity = spec->identity != NULL ? spec->identity : "";
	int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", spec->unit, identity, spec->driver);
	enum err e = ERR_OK;
	int fd;

	vm_uuid_text(&spec->uuid, name);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(m, "file owners/%s", name);
	if (n < 0 || (size_t)n >= sizeof(text) || write(fd, text, (size_t)n) != n)
		e = err_sys(m, "file owners/%s", name);
	close(fd);
	return e;
}

void
owner_remove(int dir, const struct vm_uuid *uuid)
{
	char name[VM_UUID_TEXT];

	vm_uuid_text(uuid, name);
	(void)unlinkat(dir, name, 0);     /* at worst adoption removes it */
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

bool
owner_read(int dir, const struct vm_uuid *uuid, struct owner *o)
{
	char name[VM_UUID_TEXT], text[OWNER_TEXT];
	const char *at = text;
	ssize_t n;
	int fd;

	memset(o, 0, sizeof(*o));
	vm_uuid_text(uuid, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (line_take(&at, o->unit, sizeof(o->unit)) &&
	    line_take(&at, o->identity, sizeof(o->identity)) &&
	    line_take(&at, o->driver, sizeof(o->driver)) && o->unit[0] != '\0')
		return true;
	memset(o, 0, sizeof(*o));
	return false;
}

enum err
owner_list(int dir, struct vm_uuid **list, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e = d != NULL ? ERR_OK : ERR_IO;
	struct dirent *entry;

	*list = NULL;
	*n = 0;
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
