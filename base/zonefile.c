/* zonefile: opens the files of a zone. */
#include "base/zonefile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define WALK_DIR (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FD_PATH 32
#define WHY_TEXT 300               /* a path that is longer is cut */
#define OUTSIDE "lies outside the zone file's directory"

/* Where a path has led so far. */
struct walk {
	int dir;                   /* -1: nowhere yet */
	int file;                  /* what is no directory, at the path's end; -1 before */
	struct writers writers;
	bool open_to_all;          /* any user may come here */
	bool beneath;              /* it must not leave where it began */
	unsigned depth;            /* below that */
	unsigned links;
	char rest[PATH_MAX];       /* to go; walk_name takes from it */
	/* why writer i is among them; "": was before the walk */
	char why[LIMIT_WRITERS + 1][WHY_TEXT];
};

/* NULL: out of memory, as `m` says. */
static struct walk *
walk_new(struct errmsg *m)
{
	struct walk *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		(void)err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
		return NULL;
	}
	k->dir = k->file = -1;
	k->open_to_all = true;
	return k;
}

static void
walk_free(struct walk *k)
{
	if (k == NULL)
		return;
	if (k->dir >= 0)
		close(k->dir);
	if (k->file >= 0)
		close(k->file);
	free(k);
}

static void
fd_path(int fd, char path[FD_PATH])
{
	(void)snprintf(path, FD_PATH, "/proc/self/fd/%d", fd);   /* fits */
}

/* Adds who may write fd's file.  Without the mode's group bit, an ACL lets nobody write. */
static void
add_who_may_write(struct writers *w, int fd, const struct stat *st)
{
	struct acl acl = { .group = 0 };

	if ((st->st_mode & S_IWGRP) != 0)
		acl_get(&acl, fd, st);
	writers_add(w, st, &acl);
}

/* The path of what fd is open on, for messages. */
static void
real_path(int fd, char *text, size_t size)
{
	char path[FD_PATH];
	ssize_t n;

	fd_path(fd, path);
	n = readlink(path, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
}

/* Refuses, since writer i may not `verb` what fd is open on. */
static enum err
deny(const struct walk *k, int i, const char *verb, int fd, struct errmsg *m)
{
	char who[WRITERS_TEXT], path[WHY_TEXT];

	writers_text(&k->writers, i, who);
	real_path(fd, path, sizeof(path));
	return err_set(m, ERR_PERM,
	    "is not opened, as %s %s and so can choose what is read here, but may not %s %s; "
	    "change owner, group or mode of one of them",
	    who, k->why[i][0] != '\0' ? k->why[i] : "may write a file of this zone", verb, path);
}

/* May the writers use what fd is open on? */
static enum err
check_use(const struct walk *k, int fd, const struct stat *st, enum acl_may use, struct errmsg *m)
{
	struct acl acl;
	int i;

	if (k->writers.n == 0 && !k->writers.anybody)
		return ERR_OK;
	acl_get(&acl, fd, st);
	i = writers_first_denied(&k->writers, st, &acl, use);
	if (i < 0)
		return ERR_OK;
	return deny(k, i, use == ACL_MAY_READ ? "read" : "search", fd, m);
}

/* Notes why those that the walk knows more than `before` are there. */
static void
note_why(struct walk *k, const struct writers *before, const char *phrase, const char *name)
{
	char dir[WHY_TEXT], text[WHY_TEXT];

	if (before->n == k->writers.n && before->anybody == k->writers.anybody)
		return;
	real_path(k->dir, dir, sizeof(dir));
	(void)snprintf(text, sizeof(text), "%s %.120s%s%.120s", phrase, dir,
	    name[0] != '\0' ? "/" : "", name);   /* cut where too long */
	for (unsigned i = before->n; i < k->writers.n; i++)
		memcpy(k->why[i], text, sizeof(text));
	if (k->writers.anybody && !before->anybody)
		memcpy(k->why[WRITERS_ANYBODY], text, sizeof(text));
}

/* Can nobody link what he may not write?  What cannot be told counts as no. */
static bool
links_protected(void)
{
	int fd = open("/proc/sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC);
	char c = '0';

	if (fd < 0)
		return false;
	(void)!read(fd, &c, 1);   /* then c says no */
	close(fd);
	return c == '1';
}

/*
 * Adds who may have put `entry` into the walk's directory.  Where the sticky bit is, each user's
 * entries are his own: others could only have linked them there, which directories cannot be, and
 * files that are protected and have no second link are not.
 */
static void
add_writers(struct walk *k, const struct stat *dir, const struct stat *entry)
{
	const struct writers before = k->writers;

	if ((dir->st_mode & S_ISVTX) != 0 &&
	    (S_ISDIR(entry->st_mode) || (entry->st_nlink == 1 && links_protected()))) {
		writers_add_owner(&k->writers, dir);
		if (!S_ISLNK(entry->st_mode))
			writers_add_owner(&k->writers, entry);
	} else {
		add_who_may_write(&k->writers, k->dir, dir);
	}
	note_why(k, &before, "may write", "");
}

/* Puts what a link says before the rest of the path. */
static enum err
follow_link(struct walk *k, int link, struct errmsg *m)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text));
	size_t rest = strlen(k->rest);

	if (n < 0)
		return err_sys(m, "cannot be opened");
	errno = ++k->links > LIMIT_PATH_LINKS ? ELOOP : ENAMETOOLONG;
	if (k->links > LIMIT_PATH_LINKS || (size_t)n + rest + 1 >= sizeof(k->rest))
		return err_sys(m, "cannot be opened");
	memmove(k->rest + n + 1, k->rest, rest + 1);
	memcpy(k->rest, text, (size_t)n);
	k->rest[n] = rest > 0 ? '/' : '\0';
	return ERR_OK;
}

static void
step_into(struct walk *k, int dir)
{
	if (k->dir >= 0)
		close(k->dir);
	k->dir = dir;
}

/*
 * The link leads to what its text does not name (/proc/PID/fd, /proc/PID/root): the kernel knows.
 * Its mode does not tell who may follow it, such as into another root.
 */
static enum err
follow_magic(struct walk *k, int link, const char *name, struct errmsg *m)
{
	struct stat st;
	int fd;

	if (k->beneath)
		return err_set(m, ERR_PERM, OUTSIDE);
	if (k->writers.n > 0 || k->writers.anybody)
		return deny(k, k->writers.n > 0 ? 0 : WRITERS_ANYBODY, "follow", link, m);
	fd = openat(k->dir, name, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)err_sys(m, "cannot be opened");
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	if (S_ISDIR(st.st_mode))
		step_into(k, fd);
	else
		k->file = fd;
	return ERR_OK;
}

/* A name that is none of a directory: a link, or the end of the path. */
static enum err
walk_other(struct walk *k, const char *name, const struct stat *dir, struct errmsg *m)
{
	int fd = openat(k->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	enum err e = ERR_OK;
	struct writers before;
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		e = err_sys(m, "cannot be opened");
		goto out;
	}
	add_writers(k, dir, &st);
	if (!S_ISLNK(st.st_mode)) {
		k->file = fd;
		fd = -1;
		goto out;
	}
	before = k->writers;
	writers_add_owner(&k->writers, &st);
	note_why(k, &before, "made the link", name);
	if (fstatfs(fd, &fs) != 0) {
		e = err_sys(m, "cannot be opened");
		goto out;
	}
	e = fs.f_type == PROC_SUPER_MAGIC ? follow_magic(k, fd, name, m) : follow_link(k, fd, m);
out:
	if (fd >= 0)
		close(fd);
	return e;
}

static enum err
walk_name(struct walk *k, const char *name, struct errmsg *m)
{
	bool up = strcmp(name, "..") == 0;
	struct stat st, entry;
	enum err e;
	int fd;

	if (fstat(k->dir, &st) != 0)
		return err_sys(m, "cannot be opened");
	if ((e = check_use(k, k->dir, &st, ACL_MAY_SEARCH, m)) != ERR_OK)
		return e;
	if ((st.st_mode & S_IXGRP) == 0 || (st.st_mode & S_IXOTH) == 0)
		k->open_to_all = false;
	if (up && k->beneath && k->depth == 0)
		return err_set(m, ERR_PERM, OUTSIDE);
	fd = openat(k->dir, name, WALK_DIR);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return walk_other(k, name, &st, m);
	if (fd < 0 || fstat(fd, &entry) != 0) {
		e = err_sys(m, "cannot be opened");
		if (fd >= 0)
			close(fd);
		return e;
	}
	if (up) {
		k->depth -= k->depth > 0;
	} else {
		add_writers(k, &st, &entry);
		k->depth++;
	}
	step_into(k, fd);
	return ERR_OK;
}

/* Takes the next name off the rest of the path; "" at its end. */
static const char *
next_name(struct walk *k, char name[NAME_MAX + 2])
{
	size_t skip = strspn(k->rest, "/"), n = strcspn(k->rest + skip, "/");
	size_t taken = n < NAME_MAX + 1 ? n : NAME_MAX + 1;   /* too long for any directory */

	memcpy(name, k->rest + skip, taken);
	name[taken] = '\0';
	memmove(k->rest, k->rest + skip + n, strlen(k->rest + skip + n) + 1);
	return name;
}

/* Goes on along `path`, from the process's own directory where the walk is nowhere yet. */
static enum err
walk(struct walk *k, const char *path, struct errmsg *m)
{
	char name[NAME_MAX + 2];
	enum err e = ERR_OK;

	errno = strlen(path) == 0 ? ENOENT : ENAMETOOLONG;
	if (strlen(path) == 0 || strlen(path) >= sizeof(k->rest))
		return err_sys(m, "cannot be opened");
	memcpy(k->rest, path, strlen(path) + 1);
	if (k->dir < 0)
		k->dir = open(".", WALK_DIR);
	while (e == ERR_OK && k->rest[0] != '\0') {
		if (k->file >= 0) {
			errno = ENOTDIR;
			return err_sys(m, "cannot be opened");
		}
		if (k->rest[0] == '/' && k->beneath)
			return err_set(m, ERR_PERM, OUTSIDE);
		if (k->rest[0] == '/')
			step_into(k, open("/", WALK_DIR));
		if (k->dir < 0)
			return err_sys(m, "cannot be opened");
		/* Names up to the next link, which may begin at the root again. */
		for (unsigned links = k->links; e == ERR_OK && k->links == links && k->file < 0;) {
			if (next_name(k, name)[0] == '\0')
				break;
			if (strcmp(name, ".") != 0)
				e = walk_name(k, name, m);
		}
	}
	return e;
}

/* What a walk came to, judged and opened. */
static enum err
open_end(struct walk *k, struct zonefile *f, struct writers *w, struct errmsg *m)
{
	char path[FD_PATH];
	struct stat st;
	enum err e;

	if (k->file < 0)
		return err_set(m, ERR_PARSE, "is not a regular file");
	if (fstat(k->file, &st) != 0)
		return err_sys(m, "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return err_set(m, ERR_PARSE, "is not a regular file");
	if ((e = check_use(k, k->file, &st, ACL_MAY_READ, m)) != ERR_OK)
		return e;
	fd_path(k->file, path);
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0 && errno == ENOENT)   /* the file is there, we hold it */
		return err_set(m, ERR_IO,
		    "cannot be opened: /proc must be mounted (mount -t proc proc /proc)");
	if (f->fd < 0)
		return err_sys(m, "cannot be opened");
	f->shown = geteuid() != 0 ||
	    (k->open_to_all && (st.st_mode & S_IRGRP) != 0 && (st.st_mode & S_IROTH) != 0);
	writers_merge(w, &k->writers);
	add_who_may_write(w, k->file, &st);
	return ERR_OK;
}

enum err
zonefile_open(struct zonefile *f, const char *path, struct writers *w, struct errmsg *m)
{
	struct walk *k = walk_new(m);
	enum err e = k == NULL ? ERR_NOMEM : walk(k, path, m);

	*f = (struct zonefile){ .fd = -1 };
	if (e == ERR_OK)
		e = open_end(k, f, w, m);
	walk_free(k);
	return e;
}

enum err
zonefile_open_include(struct zonefile *f, const char *zone_file, const char *path,
    struct writers *w, char **full, struct errmsg *m)
{
	char *copy = strdup(zone_file), *base;
	struct walk *k = walk_new(m);
	const char *rel = path;
	enum err e = ERR_NOMEM;
	size_t len;

	*f = (struct zonefile){ .fd = -1 };
	*full = NULL;
	if (copy == NULL || k == NULL) {
		(void)err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
		goto out;
	}
	base = dirname(copy);
	len = strlen(base);
	if (strncmp(path, base, len) == 0 && path[len] == '/')
		rel = path + len + 1;
	if ((e = walk(k, base, m)) == ERR_OK && k->file >= 0)
		e = err_set(m, ERR_IO, "the zone file's directory cannot be opened");
	if (e == ERR_OK) {
		writers_merge(&k->writers, w);
		k->beneath = true;
		k->depth = 0;
		e = walk(k, rel, m);
	}
	if (e == ERR_OK)
		e = open_end(k, f, w, m);
	if (e == ERR_OK && asprintf(full, "%s/%s", base, rel) < 0)
		*full = NULL;   /* asprintf leaves it undefined */
out:
	walk_free(k);
	free(copy);
	return e;
}

int
zonefile_open_dir(const char *path, struct errmsg *m)
{
	struct walk *k = walk_new(m);
	struct stat st;
	int fd = -1;
	enum err e = k == NULL ? ERR_NOMEM : walk(k, path, m);

	if (e == ERR_OK && k->file >= 0) {
		errno = ENOTDIR;
		e = err_sys(m, "cannot be opened");
	}
	if (e == ERR_OK && fstat(k->dir, &st) == 0 &&
	    check_use(k, k->dir, &st, ACL_MAY_READ, m) == ERR_OK) {
		fd = openat(k->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			(void)err_sys(m, "cannot be opened");
	}
	walk_free(k);
	return fd;
}
