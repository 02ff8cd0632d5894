/* overlay_base: files of a backing chain, noted and compared. */
#include "vm/proc/overlay.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "vm/proc/open_as_vm.h"

#define NOTE_HEAD "jitsu overlay base 1\n"

/* Some 1 MiB in all, in even distances, with the beginning and the end. */
#define SAMPLES 256
#define SAMPLE_BYTES 4096

struct link {
	char path[PATH_MAX];
	bool file;                 /* a regular one: its times mean something */
	uint64_t size, mtime_ns, ctime_ns, ino;
	uint64_t samples;
	bool sampled;
};

struct chain {
	struct link links[LIMIT_BACKING_CHAIN];
	unsigned n;
};

/* ---- what is there ---- */

/* The parts of a qcow2 header that name other files (QEMU: docs/interop/qcow2.txt). */
#define QCOW2_MAGIC 0x514649fbu          /* "QFI\xfb" */
#define QCOW2_EXT_BACKING_FORMAT 0xe2792acau
#define QCOW2_NAME_MOST 1023
#define QCOW2_V2_HEAD 72
#define QCOW2_HEAD_LENGTH_AT 100         /* from version 3 on */

struct qcow2_head {
	uint32_t magic, version;
	uint64_t backing_at;
	uint32_t backing_len;
} __attribute__((packed));
_Static_assert(sizeof(struct qcow2_head) == 20, "as in the file");

static enum err
sample(int fd, struct link *l, struct errmsg *m)
{
	static const uint8_t key[16] = "overlay's base";
	uint64_t hashes[SAMPLES];
	char block[SAMPLE_BYTES];
	uint64_t last = l->size > SAMPLE_BYTES ? l->size - SAMPLE_BYTES : 0;

	for (uint64_t i = 0; i < SAMPLES; i++) {
		/* By division first: the product of the two may not fit. */
		uint64_t at = last / (SAMPLES - 1) * i + last % (SAMPLES - 1) * i / (SAMPLES - 1);
		ssize_t n = pread(fd, block, sizeof(block), (off_t)at);

		if (n < 0)
			return err_sys(m, "disk %s", l->path);
		hashes[i] = siphash24(key, block, (size_t)n);
	}
	l->samples = siphash24(key, hashes, sizeof(hashes));
	l->sampled = true;
	return ERR_OK;
}

static uint64_t
ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static enum err
look(int fd, struct link *l, struct errmsg *m)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st) != 0)
		return err_sys(m, "disk %s", l->path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(m, ERR_RANGE, "disk %s is neither a file nor a block device",
		    l->path);
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return err_sys(m, "disk %s", l->path);
	l->file = S_ISREG(st.st_mode);
	l->size = (uint64_t)end;
	l->mtime_ns = l->file ? ns_of(&st.st_mtim) : 0;
	l->ctime_ns = l->file ? ns_of(&st.st_ctim) : 0;
	l->ino = l->file ? (uint64_t)st.st_ino : 0;
	return ERR_OK;
}

/* Does the format of the backing file, where one is given, say that it is raw? */
static bool
backing_is_raw(int fd, uint64_t from, uint64_t to)
{
	struct {
		uint32_t type, len;
	} ext;
	char format[8];

	while (from + sizeof(ext) <= to &&
	    pread(fd, &ext, sizeof(ext), (off_t)from) == (ssize_t)sizeof(ext) && ext.type != 0) {
		uint32_t len = be32toh(ext.len);

		if (be32toh(ext.type) == QCOW2_EXT_BACKING_FORMAT)
			return len == 3 && pread(fd, format, 3, (off_t)(from + sizeof(ext))) == 3 &&
			    memcmp(format, "raw", 3) == 0;
		from += sizeof(ext) + ((uint64_t)len + 7) / 8 * 8;
	}
	return false;
}

/* The file that a qcow2 lies on: true, with its path and whether it may be another qcow2. */
static bool
backing_of(int fd, const char *path, char next[PATH_MAX], bool *qcow2)
{
	char name[QCOW2_NAME_MOST + 1];
	const char *slash = strrchr(path, '/');
	struct qcow2_head h;
	uint32_t len, head = QCOW2_V2_HEAD;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || be32toh(h.magic) != QCOW2_MAGIC)
		return false;
	len = be32toh(h.backing_len);
	if (h.backing_at == 0 || len == 0 || len > QCOW2_NAME_MOST ||
	    pread(fd, name, len, (off_t)be64toh(h.backing_at)) != (ssize_t)len)
		return false;
	name[len] = '\0';
	/* Of what is no file (nbd:..., json:...) nothing can be known. */
	if (strncmp(name, "file:", 5) == 0)
		memmove(name, name + 5, len - 5 + 1);
	if (name[0] != '/' && strcspn(name, ":") < strcspn(name, "/"))
		return false;
	if (be32toh(h.version) >= 3) {
		if (pread(fd, &head, sizeof(head), QCOW2_HEAD_LENGTH_AT) != (ssize_t)sizeof(head))
			return false;
		head = be32toh(head);
	}
	*qcow2 = !backing_is_raw(fd, head, be64toh(h.backing_at));
	if (name[0] == '/' || slash == NULL)
		return (size_t)snprintf(next, PATH_MAX, "%s", name) < PATH_MAX;
	return (size_t)snprintf(next, PATH_MAX, "%.*s/%s", (int)(slash - path), path, name) <
	    PATH_MAX;
}

/* Follows the chain; `samples`: with samples of each. */
static enum err
chain_look(const struct vm_host_conf *conf, const struct vm_disk *disk, bool samples,
    struct chain *c, struct errmsg *m)
{
	bool qcow2 = disk->format == VM_DISK_QCOW2, more = true;
	char path[PATH_MAX];
	enum err e = ERR_OK;

	c->n = 0;
	snprintf(path, sizeof(path), "%s", disk->path);
	while (more && e == ERR_OK) {
		struct link *l = &c->links[c->n];
		int fd;

		if (c->n == LIMIT_BACKING_CHAIN)
			return err_set(m, ERR_LIMIT, "disk %s lies on more than %d files",
			    disk->path, LIMIT_BACKING_CHAIN);
		*l = (struct link){ .size = 0 };
		memcpy(l->path, path, sizeof(l->path));
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		/* A file system may trust the VMs' user, and not root. */
		if (fd < 0 && errno == EACCES)
			fd = open_as_vm(conf, path, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			return err_sys(
			    m, c->n == 0 ? "disk %s" : "file %s, which the disk lies on", path);
		e = look(fd, l, m);
		if (e == ERR_OK && (samples || !l->file))
			e = sample(fd, l, m);
		more = e == ERR_OK && qcow2 && backing_of(fd, l->path, path, &qcow2);
		close(fd);
		c->n++;
	}
	return e;
}

/* ---- the note ---- */

static enum err
note_path(const char *overlay, const char *suffix, char path[PATH_MAX], struct errmsg *m)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s.base%s", overlay, suffix) < PATH_MAX)
		return ERR_OK;
	return err_set(m, ERR_RANGE, "overlay %s: the path is too long", overlay);
}

static enum err
note_write(const char *overlay, const struct chain *c, struct errmsg *m)
{
	char path[PATH_MAX], part[PATH_MAX];
	enum err e = note_path(overlay, "", path, m);
	FILE *f;
	int fd;

	if (e == ERR_OK)
		e = note_path(overlay, ".part", part, m);
	if (e != ERR_OK)
		return e;
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL) {
		e = err_sys(m, "overlay's note %s", part);
		if (fd >= 0)
			close(fd);
		return e;
	}
	fputs(NOTE_HEAD, f);
	for (unsigned i = 0; i < c->n; i++) {
		const struct link *l = &c->links[i];

		fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s\n",
		    l->size, l->mtime_ns, l->ctime_ns, l->ino, l->samples, l->path);
	}
	if (fflush(f) != 0 || ferror(f))
		e = err_sys(m, "overlay's note %s", part);
	(void)fclose(f);   /* flushed */
	if (e == ERR_OK && rename(part, path) != 0)
		e = err_sys(m, "overlay's note %s", path);
	if (e != ERR_OK)
		(void)unlink(part);     /* the first error is the one to tell */
	return e;
}

/* ERR_MISSING: there is none. */
static enum err
note_read(const char *overlay, struct chain *c, struct errmsg *m)
{
	char path[PATH_MAX], line[PATH_MAX + 128];
	enum err e = note_path(overlay, "", path, m);
	FILE *f;

	c->n = 0;
	if (e != ERR_OK)
		return e;
	f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? ERR_MISSING : err_sys(m, "overlay's note %s", path);
	if (fgets(line, sizeof(line), f) == NULL || strcmp(line, NOTE_HEAD) != 0)
		e = err_set(m, ERR_PARSE,
		    "overlay's note %s is none of this jitsud's; remove it when the disk is as it "
		    "was",
		    path);
	while (e == ERR_OK && fgets(line, sizeof(line), f) != NULL) {
		struct link *l = &c->links[c->n];
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (c->n == LIMIT_BACKING_CHAIN ||
		    sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx64 " %n",
			&l->size, &l->mtime_ns, &l->ctime_ns, &l->ino, &l->samples, &at) != 5 ||
		    at == 0)
			e = err_set(m, ERR_PARSE,
			    "overlay's note %s is damaged; remove it when the disk is as it was",
			    path);
		else
			snprintf(l->path, sizeof(l->path), "%.*s", PATH_MAX - 1, line + at);
		c->n += e == ERR_OK;
	}
	(void)fclose(f);   /* only read from */
	return e;
}

/* ---- the comparison ---- */

/* True: the same beyond doubt.  False with "" in how: perhaps.  False: how it differs. */
static bool
same(const struct link *was, const struct link *is, char *how, size_t size)
{
	how[0] = '\0';
	if (strcmp(was->path, is->path) != 0)
		snprintf(how, size, "it was made on top of %.400s", was->path);
	else if (was->size != is->size)
		snprintf(how, size, "%.400s had %" PRIu64 " bytes then and has %" PRIu64 " now",
		    is->path, was->size, is->size);
	else if (was->mtime_ns != is->mtime_ns)
		snprintf(how, size, "%.400s was changed since", is->path);
	else if (is->sampled && was->samples != is->samples)
		snprintf(how, size, "the contents of %.400s are others", is->path);
	return how[0] == '\0' &&
	    ((is->file && was->ctime_ns == is->ctime_ns && was->ino == is->ino) || is->sampled);
}

static bool
chain_same(const struct chain *was, const struct chain *is, char *how, size_t size)
{
	bool all = was->n == is->n;

	how[0] = '\0';
	for (unsigned i = 0; i < was->n && i < is->n && how[0] == '\0'; i++)
		all = same(&was->links[i], &is->links[i], how, size) && all;
	if (how[0] == '\0' && was->n != is->n)
		snprintf(how, size, "its disk lay on %u files then and lies on %u now", was->n - 1,
		    is->n - 1);
	return all && how[0] == '\0';
}

enum err
overlay_base_note(const struct vm_host_conf *conf, const struct vm_disk *disk, struct errmsg *m)
{
	struct chain *c = mem_zero(1, sizeof(*c));
	enum err e = chain_look(conf, disk, true, c, m);

	if (e == ERR_OK)
		e = note_write(disk->overlay, c, m);
	free(c);
	return e;
}

static enum err
compare(const struct vm_host_conf *conf, const struct vm_disk *disk, struct chain *was,
    struct chain *is, struct errmsg *m)
{
	char how[1024];
	enum err e = chain_look(conf, disk, false, is, m);

	if (e != ERR_OK || chain_same(was, is, how, sizeof(how)))
		return e;
	if (how[0] == '\0') {
		e = chain_look(conf, disk, true, is, m);
		if (e != ERR_OK)
			return e;
		if (chain_same(was, is, how, sizeof(how)))
			return note_write(disk->overlay, is, m);   /* cheap the next time */
	}
	return err_set(m, ERR_STATE,
	    "overlay %.400s does not fit its disk any more: %s; put that back, or remove the "
	    "overlay (what the "
	    "unit wrote is lost), or, if the contents are the same, remove %.400s.base",
	    disk->overlay, how, disk->overlay);
}

enum err
overlay_base_check(const struct vm_host_conf *conf, const struct vm_disk *disk, struct errmsg *m)
{
	struct chain *was = mem_zero(1, sizeof(*was)), *is = mem_zero(1, sizeof(*is));
	enum err e = note_read(disk->overlay, was, m);

	if (e == ERR_MISSING)
		e = overlay_base_note(conf, disk, m);
	else if (e == ERR_OK)
		e = compare(conf, disk, was, is, m);
	free(was);
	free(is);
	return e;
}
