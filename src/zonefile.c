/* zonefile: opens the files of a zone. */
#include "src/zonefile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
open_regular(int dirfd, const char *path, uint64_t resolve, struct errmsg *m)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = resolve };
	struct stat st;
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd < 0 && errno == EXDEV)
		(void)err_set(m, ERR_PERM, "lies outside the zone file's directory");
	else if (fd < 0)
		(void)err_sys(m, "cannot be opened");
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)err_set(m, ERR_PARSE, "is not a regular file");
		close(fd);
		return -1;
	}
	return fd;
}

int
zonefile_open(const char *path, struct errmsg *m)
{
	return open_regular(AT_FDCWD, path, 0, m);
}

int
zonefile_open_include(const char *zone_file, const char *path, char **full, struct errmsg *m)
{
	char *copy = strdup(zone_file), *base;
	const char *rel = path;
	int dir = -1, fd = -1;
	size_t len;

	*full = NULL;
	if (copy == NULL) {
		(void)err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
		return -1;
	}
	base = dirname(copy);
	len = strlen(base);
	if (strncmp(path, base, len) == 0 && path[len] == '/')
		rel = path + len + 1;
	dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		(void)err_set(m, ERR_IO, "the zone file's directory cannot be opened");
		goto out;
	}
	fd = open_regular(dir, rel, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, m);
	if (fd >= 0 && asprintf(full, "%s/%s", base, rel) < 0)
		*full = NULL;   /* asprintf leaves it undefined */
	close(dir);
out:
	free(copy);
	return fd;
}
