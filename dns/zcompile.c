/* zcompile: one zone from open files into an image, and dns_compile_file, which opens them. */
#include "dns/zcompile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dns/dns.h"
#include "dns/ztree.h"

/* What the tree left of the budget is for the image. */
static enum err
write_within(struct ztree *t, struct zout *o, const struct zcompile *c, struct errmsg *m)
{
	enum err e;

	o->budget = c->budget;
	if (c->budget != NULL && c->budget->most_bytes != 0)
		o->most = c->budget->most_bytes - c->budget->memory;
	e = ztree_write(t, o, c->index, m);
	o->budget = NULL;
	o->most = SIZE_MAX;
	return e;
}

enum err
zcompile_zone(struct zcompile *c, struct zout *o, struct report *r)
{
	struct ztree t;
	const struct zparse_ops zone_ops = { ztree_add_record, &t, c->include, c->arg, c->budget };
	const struct zparse_ops units_ops = { ztree_add_mapping, &t, c->include, c->arg,
		c->budget };
	uint8_t origin[DNS_WIRE_NAME];
	struct errmsg m = { "" };
	struct zparse *p;
	enum err e, found = ERR_OK;
	size_t len;

	p = zparse_new(c->origin, r, origin, &len, &m);
	if (p == NULL)
		return report_add(r, c->path, 0, "%s", m.text);
	e = ztree_init(&t, origin, len, c->path, c->units_fd >= 0, r, &m);
	if (e != ERR_OK)
		goto out;
	t.budget = c->budget;
	found = zparse_file(p, c->fd, c->path, &zone_ops);
	if (c->units_fd >= 0 && zparse_file(p, c->units_fd, c->units_path, &units_ops) != ERR_OK)
		found = ERR_PARSE;
	e = ztree_check(&t);
	c->lone_sigs = t.lone_sigs;
	if (e == ERR_OK && found == ERR_OK && r->wants_zone_warnings)
		ztree_lint(&t);
	if (e == ERR_OK && found == ERR_OK)
		e = write_within(&t, o, c, &m);
	ztree_clear(&t);
out:
	zparse_free(p);
	if (m.text[0] != '\0')
		(void)report_add(r, c->path, 0, "%s", m.text);   /* always ERR_PARSE */
	return found != ERR_OK ? found : e;
}

/* ---- in this process ---- */

/*
 * Opens `path` below the directory `arg`, relative to it or with it in front, as the daemon does; never a device or a pipe, which could hang us, and
 * nothing outside of it.
 */
static int
include_beneath(void *arg, const char *path, struct errmsg *why)
{
	const char *dir = arg, *rel = path;
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (dirfd < 0) {
		(void)err_sys(why, "%s", dir);
		return -1;
	}
	if (strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/')
		rel = path + strlen(dir) + 1;
	fd = (int)syscall(SYS_openat2, dirfd, rel, &how, sizeof(how));
	if (fd < 0 && errno == EXDEV)
		(void)err_set(why, ERR_PERM, "it lies outside of the zone file's directory, %s", dir);
	else if (fd < 0)
		(void)err_sys(why, "in %s", dir);
	else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)err_set(why, ERR_PERM, "it is not a regular file");
		close(fd);
		fd = -1;
	}
	close(dirfd);
	return fd;
}

static int
open_file(const char *path, struct report *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct errmsg m = { "" };
	struct stat st;

	if (fd < 0)
		(void)err_sys(&m, "cannot be opened");
	else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)err_set(&m, ERR_PERM, "not a regular file");
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		(void)report_add(r, path, 0, "%s", m.text);   /* always ERR_PARSE */
	return fd;
}

enum err
dns_compile_file(const char *origin, const char *path, const char *units_path, int *image_fd, struct report *r)
{
	return dns_compile_within(origin, path, units_path, NULL, image_fd, r);
}

enum err
dns_compile_within(const char *origin, const char *path, const char *units_path,
    const struct dns_zone_limits *limits, int *image_fd, struct report *r)
{
	struct zbudget budget;
	struct zcompile c = { .origin = origin, .path = path, .units_path = units_path, .fd = -1, .units_fd = -1 };
	struct zout o = { .fd = -1 };
	struct errmsg m = { "" };
	enum err e = ERR_IO;
	char *slash, *dir = strdup(path);

	*image_fd = -1;
	zbudget_init(&budget, origin, limits != NULL ? limits->memory_bytes : 0,
	    limits != NULL ? limits->time_ms : 0);
	c.budget = &budget;
	if (dir == NULL)
		return report_add(r, path, 0, "%s", err_str(ERR_NOMEM));
	slash = strrchr(dir, '/');
	if (slash != NULL)
		slash[slash == dir] = '\0';
	c.include = include_beneath;
	c.arg = slash != NULL ? dir : (void *)(uintptr_t)".";
	if ((c.fd = open_file(path, r)) < 0 || (units_path != NULL && (c.units_fd = open_file(units_path, r)) < 0))
		goto out;
	if ((e = zout_open(&o, &m)) == ERR_OK && (e = zcompile_zone(&c, &o, r)) == ERR_OK)
		e = zout_finish(&o, image_fd, &m);
	if (m.text[0] != '\0')
		(void)report_add(r, path, 0, "%s", m.text);   /* always ERR_PARSE */
out:
	zout_close(&o);
	if (c.fd >= 0)
		close(c.fd);
	if (c.units_fd >= 0)
		close(c.units_fd);
	free(dir);
	return e;
}
