/*
 * zcache: zimages of large zones on disk.
 *
 * Nothing is synced: after a crash an entry may be torn, which its checksums show; then the zone is
 * compiled as if there were none.
 */
#include "src/load/zcache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/memfd.h"
#include "base/siphash.h"
#include "base/zonefile.h"
#include "dns/dns.h"

#define MAGIC 0x6863697573746967ull
#define VERSION 2              /* of the format, and of what the compiler makes of a zone file */
#define PAGE 4096u
/* Read or written at once: fits into the cache of a CPU, and a cancel is noticed. */
#define CHUNK (256u * 1024)
#define SUFFIX_NEW ".new"

struct head {
	uint64_t magic;
	uint32_t version;
	uint32_t len;              /* with the texts */
	uint64_t program[3];       /* size and time of the program that compiled it */
	uint64_t zimage_size, zimage_sum;
	uint32_t ninputs, pad;
	uint64_t sum;              /* of head and texts, this as 0 */
};

/* Stands before the path of each file in the texts. */
struct input_mark {
	uint64_t size, digest;
};

static bool
cancelled(const struct zcache *c)
{
	return c->cancel != NULL && atomic_load_explicit(c->cancel, memory_order_relaxed);
}

static size_t
zimage_at(size_t head_len)
{
	return (head_len + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void
zcache_name(const struct zcache *c, const char *origin, char name[ZCACHE_NAME])
{
	uint8_t key[16];

	memcpy(key, c->key, sizeof(key));
	key[0] ^= 1;
	(void)snprintf(name, ZCACHE_NAME, "%016llx%016llx",
	    (unsigned long long)siphash24(c->key, origin, strlen(origin)),
	    (unsigned long long)siphash24(key, origin, strlen(origin)));   /* fits */
}

/* ---- digests ---- */

/*
 * Of a zimage, against damage.  Four lanes take 0.35 s for a gigabyte, one takes 0.47 s and
 * siphash24 0.75 s, on the CPU that reads it at the start.
 */
struct sum {
	uint64_t h[4];
	uint64_t size;
};

/* A part: all but the last are multiples of 32 bytes, and the last of 8, as every zimage is. */
static void
sum_add(struct sum *s, const uint8_t *p, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		unsigned lane = (unsigned)(i / 8 % 4);
		unsigned __int128 m;
		uint64_t w;

		memcpy(&w, p + i, 8);
		m = (unsigned __int128)(s->h[lane] ^ w ^ 0x9e3779b97f4a7c15ull) *
		    0xe7037ed1a0b428dbull;
		s->h[lane] = ((uint64_t)m ^ (uint64_t)(m >> 64)) + s->size + i;
	}
	s->size += size;
}

static uint64_t
sum_end(const struct sum *s)
{
	return s->h[0] ^ s->h[1] * 3 ^ s->h[2] * 5 ^ s->h[3] * 7 ^ s->size;
}

static uint64_t
zimage_sum(const uint8_t *p, size_t size)
{
	struct sum s = { { 1, 2, 3, 4 }, 0 };

	sum_add(&s, p, size);
	return sum_end(&s);
}

static ssize_t
read_chunk(int fd, uint8_t *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static enum err
write_all(const struct zcache *c, int fd, const uint8_t *p, size_t size, off_t at, struct errmsg *m)
{
	while (size > 0) {
		ssize_t n = cancelled(c) ? 0 : pwrite(fd, p, size < CHUNK ? size : CHUNK, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(m, "cannot be written");
		if (n == 0)
			return ERR_STATE;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return ERR_OK;
}

/* A file's size and digest, chunk by chunk, each with the digest of those before it. */
static enum err
digest_file(const struct zcache *c, int fd, struct input_mark *mark, struct errmsg *m)
{
	uint8_t *buf = mem_zero(1, sizeof(uint64_t) + CHUNK);
	enum err e = ERR_OK;
	ssize_t n;

	*mark = (struct input_mark){ .size = 0 };
	do {
		n = cancelled(c) ? 0 : read_chunk(fd, buf + sizeof(uint64_t), CHUNK);
		if (n < 0) {
			e = err_sys(m, "cannot be read");
			break;
		}
		memcpy(buf, &mark->digest, sizeof(mark->digest));
		mark->digest = siphash24(c->key, buf, sizeof(uint64_t) + (size_t)n);
		mark->size += (uint64_t)n;
	} while (n == CHUNK);
	if (e == ERR_OK && cancelled(c))
		e = ERR_STATE;
	free(buf);
	return e;
}

/* ---- heads ---- */

/* A program that was built again may compile otherwise. */
static enum err
program_get(uint64_t program[3], struct errmsg *m)
{
	struct stat st;

	if (stat("/proc/self/exe", &st) != 0)
		return err_sys(m, "/proc/self/exe");
	program[0] = (uint64_t)st.st_size;
	program[1] = (uint64_t)st.st_mtim.tv_sec;
	program[2] = (uint64_t)st.st_mtim.tv_nsec;
	return ERR_OK;
}

/* Reads a file of the zone, notes it in `in`, and puts it into the texts. */
static enum err
put_input(const struct zcache *c, const struct zcache_zone *z, const char *path,
    struct writers *w, FILE *f, struct inputs *in, struct errmsg *m)
{
	bool own = strcmp(path, z->file) == 0 || (z->units != NULL && strcmp(path, z->units) == 0);
	struct input_mark mark;
	char *full = NULL;
	struct zonefile open;
	enum err e = own ? zonefile_open(&open, path, w, m)
	                 : zonefile_open_include(&open, z->file, path, w, &full, m);

	free(full);
	if (e != ERR_OK)
		return ERR_STATE;
	e = inputs_add(in, path, open.fd);
	if (e == ERR_OK)
		e = digest_file(c, open.fd, &mark, m);
	close(open.fd);
	if (e != ERR_OK)
		return e;
	(void)fwrite(&mark, sizeof(mark), 1, f);             /* fclose tells */
	(void)fwrite(path, strlen(path) + 1, 1, f);
	return ERR_OK;
}

/* The sum of a head, which is put into it. */
static uint64_t
head_sum(const struct zcache *c, char *head, size_t len)
{
	char *at = head + offsetof(struct head, sum);
	uint64_t sum;

	memset(at, 0, sizeof(sum));
	sum = siphash24(c->key, head, len);
	memcpy(at, &sum, sizeof(sum));
	return sum;
}

/* The head for a zone's files as they are now: *head is the caller's; `in` notes the files. */
static enum err
head_make(const struct zcache *c, const struct zcache_zone *z, const char *const *paths, unsigned n,
    uint64_t zimage_size, uint64_t sum, char **head, size_t *len, struct inputs *in,
    struct errmsg *m)
{
	struct head h = { .magic = MAGIC, .version = VERSION, .zimage_size = zimage_size,
		.zimage_sum = sum, .ninputs = n };
	const char *units = z->units != NULL ? z->units : "";
	struct writers w = { .n = 0 };
	enum err e = program_get(h.program, m);
	FILE *f;

	*head = NULL;
	if (e != ERR_OK)
		return e;
	f = mem_must(open_memstream(head, len));
	(void)fwrite(&h, sizeof(h), 1, f);                   /* fclose tells */
	(void)fwrite(z->origin, strlen(z->origin) + 1, 1, f);
	(void)fwrite(z->file, strlen(z->file) + 1, 1, f);
	(void)fwrite(units, strlen(units) + 1, 1, f);
	for (unsigned i = 0; i < n && e == ERR_OK; i++)
		e = put_input(c, z, paths[i], &w, f, in, m);
	if (fclose(f) != 0)
		fatal("%s", err_str(ERR_NOMEM));
	if (e != ERR_OK) {
		free(*head);
		*head = NULL;
		return e;
	}
	h.len = (uint32_t)*len;
	memcpy(*head, &h, sizeof(h));
	(void)head_sum(c, *head, *len);
	return ERR_OK;
}

/* The next text of a head; NULL where it has no end. */
static const char *
next_text(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, 0, (size_t)(end - text));

	if (nul == NULL)
		return NULL;
	*at = nul + 1;
	return text;
}

/* The paths of a stored head's inputs; *paths is the caller's, what it points at the head's. */
static enum err
head_paths(const char *head, size_t len, const char ***paths, unsigned *n, struct errmsg *m)
{
	const char *at = head + sizeof(struct head), *end = head + len;
	struct head h;
	enum err e = ERR_OK;

	memcpy(&h, head, sizeof(h));
	*n = h.ninputs;
	if (h.ninputs > LIMIT_INCLUDES + 2)
		return err_set(m, ERR_PARSE, "names %u files", h.ninputs);
	*paths = mem_zero(h.ninputs + 1, sizeof(**paths));
	for (unsigned i = 0; i < 3 && e == ERR_OK; i++)
		if (next_text(&at, end) == NULL)
			e = ERR_PARSE;
	for (unsigned i = 0; i < h.ninputs && e == ERR_OK; i++) {
		bool room = (size_t)(end - at) > sizeof(struct input_mark);

		at += room ? sizeof(struct input_mark) : 0;
		if (!room || ((*paths)[i] = next_text(&at, end)) == NULL)
			e = ERR_PARSE;
	}
	return e == ERR_OK ? ERR_OK : err_set(m, e, "is cut");
}

/* ---- finding ---- */

static int
open_dir(const struct zcache *c, struct errmsg *m)
{
	int dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0) {
		(void)err_sys(m, "%s: cannot be opened", c->dir);
		return -1;
	}
	if (fstat(dir, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		(void)err_set(m, ERR_PERM,
		    "%s: must belong to the user that runs jitsud and be writable by nobody else",
		    c->dir);
		close(dir);
		return -1;
	}
	return dir;
}

static enum err
open_entry(const struct zcache *c, const char *name, int *fd, uint64_t *size, struct errmsg *m)
{
	int dir;
	struct stat st;
	enum err e = ERR_OK;

	if (access(c->dir, F_OK) != 0 && errno == ENOENT)
		return ERR_MISSING;
	dir = open_dir(c, m);
	if (dir < 0)
		return ERR_PERM;
	*fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		e = errno == ENOENT ? ERR_MISSING : err_sys(m, "cannot be opened");
	else if (fstat(*fd, &st) != 0)
		e = err_sys(m, "fstat");
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 ||
	    st.st_nlink != 1)
		e = err_set(m, ERR_PERM,
		    "is not a file that only the user that runs jitsud may read and write");
	else
		*size = (uint64_t)st.st_size;
	close(dir);
	return e;
}

static enum err
read_head(
    const struct zcache *c, int fd, uint64_t size, char **head, struct head *h, struct errmsg *m)
{
	if (pread(fd, h, sizeof(*h), 0) != (ssize_t)sizeof(*h) || h->magic != MAGIC)
		return err_set(m, ERR_PARSE, "is not a compiled zone");
	if (h->version != VERSION)
		return ERR_STATE;
	if (h->len < sizeof(*h) || h->len > LIMIT_CACHE_HEAD || h->zimage_size > size ||
	    zimage_at(h->len) + h->zimage_size != size)
		return err_set(m, ERR_PARSE, "is cut");
	*head = mem_zero(1, h->len);
	if (pread(fd, *head, h->len, 0) != (ssize_t)h->len)
		return err_sys(m, "cannot be read");
	memcpy(h, *head, sizeof(*h));
	if (head_sum(c, *head, h->len) != h->sum)
		return err_set(m, ERR_PARSE, "is damaged in its head");
	return ERR_OK;
}

/* Copies the zimage into a sealed memory file, which no later change of the entry reaches. */
static enum err
copy_zimage(const struct zcache *c, int from, const struct head *h, int *fd, struct errmsg *m)
{
	uint8_t *buf = mem_zero(1, CHUNK);
	struct sum sum = { { 1, 2, 3, 4 }, 0 };
	uint64_t left = h->zimage_size;
	enum err e = memfd_create_open("jitsu-zones", fd, m);

	if (e == ERR_OK && lseek(from, (off_t)zimage_at(h->len), SEEK_SET) < 0)
		e = err_sys(m, "cannot be read");
	while (e == ERR_OK && left > 0) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = cancelled(c) ? 0 : read_chunk(from, buf, want);

		if (n < 0)
			e = err_sys(m, "cannot be read");
		else if ((size_t)n < want)
			e = cancelled(c) ? ERR_STATE : err_set(m, ERR_PARSE, "is cut");
		else
			e = write_all(c, *fd, buf, want, (off_t)(h->zimage_size - left), m);
		if (e == ERR_OK) {
			sum_add(&sum, buf, want);
			left -= want;
		}
	}
	free(buf);
	if (e == ERR_OK && sum_end(&sum) != h->zimage_sum)
		e = err_set(m, ERR_PARSE, "is damaged");
	return e == ERR_OK ? memfd_seal_all(*fd, m) : e;
}

/* The full check, and that it is the zone that was asked for. */
static enum err
view_zimage(const struct zcache_zone *z, int fd, struct dns_zimage **view, struct errmsg *m)
{
	struct dns_zone_info info;
	enum err e = dns_zimage_open(fd, view, m);

	if (e != ERR_OK)
		return e;
	if (dns_zimage_zones(*view) != 1)
		return err_set(m, ERR_PARSE, "holds %u zones", dns_zimage_zones(*view));
	if ((e = dns_zimage_zone(*view, 0, &info, m)) == ERR_OK &&
	    strcmp(info.origin, z->origin) != 0)
		e = err_set(m, ERR_PARSE, "holds another zone");
	return e;
}

enum err
zcache_find(const struct zcache *c, const struct zcache_zone *z, int *fd, struct dns_zimage **view,
    struct inputs *in, struct errmsg *m)
{
	char name[ZCACHE_NAME], *head = NULL, *now = NULL;
	const char **paths = NULL;
	struct inputs noted = { .rows = NULL };
	unsigned npaths = 0;
	struct head h;
	uint64_t size = 0;
	size_t len = 0;
	int file = -1;
	enum err e;

	*fd = -1;
	*view = NULL;
	zcache_name(c, z->origin, name);
	if ((e = open_entry(c, name, &file, &size, m)) != ERR_OK ||
	    (e = read_head(c, file, size, &head, &h, m)) != ERR_OK ||
	    (e = head_paths(head, h.len, &paths, &npaths, m)) != ERR_OK)
		goto out;
	e = head_make(c, z, paths, npaths, h.zimage_size, h.zimage_sum, &now, &len, &noted, m);
	if (e == ERR_OK && (len != h.len || memcmp(now, head, len) != 0))
		e = ERR_STATE;
	if (e == ERR_OK && (e = copy_zimage(c, file, &h, fd, m)) == ERR_OK)
		e = view_zimage(z, *fd, view, m);
	if (e == ERR_OK)
		inputs_move(in, &noted);
out:
	if (e != ERR_OK) {
		dns_zimage_close(*view);
		*view = NULL;
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	if (file >= 0)
		close(file);
	inputs_clear(&noted);
	free(paths);
	free(head);
	free(now);
	return e;
}

/* ---- keeping ---- */

/* Under another name first: nobody finds half an entry. */
static enum err
write_entry(const struct zcache *c, const char *name, const char *head, size_t len, const void *map,
    size_t size, struct errmsg *m)
{
	char name_new[ZCACHE_NAME + sizeof(SUFFIX_NEW)];
	int dir, fd;
	enum err e;

	if (mkdir(c->dir, 0700) != 0 && errno != EEXIST)
		return err_sys(m, "%s: cannot be made", c->dir);
	dir = open_dir(c, m);
	if (dir < 0)
		return ERR_PERM;
	(void)snprintf(name_new, sizeof(name_new), "%s" SUFFIX_NEW, name);   /* fits */
	(void)unlinkat(dir, name_new, 0);   /* left by a crash, if any; the open tells */
	fd = openat(dir, name_new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		e = err_sys(m, "%s/%s: cannot be made", c->dir, name_new);
		close(dir);
		return e;
	}
	e = write_all(c, fd, (const void *)head, len, 0, m);
	if (e == ERR_OK)
		e = write_all(c, fd, map, size, (off_t)zimage_at(len), m);
	/* Some file systems tell of a full disk only now. */
	if (close(fd) != 0 && e == ERR_OK)
		e = err_sys(m, "cannot be written");
	if (e == ERR_OK && renameat(dir, name_new, dir, name) != 0)
		e = err_sys(m, "%s/%s: cannot be renamed", c->dir, name_new);
	if (e != ERR_OK)
		(void)unlinkat(dir, name_new, 0);   /* at worst the next load removes it */
	close(dir);
	return e;
}

enum err
zcache_keep(const struct zcache *c, const struct zcache_zone *z, const struct inputs *in, int fd,
    uint64_t *size, struct errmsg *m)
{
	const char **paths = mem_zero(in->n + 1, sizeof(*paths));
	struct inputs now = { .rows = NULL };
	char name[ZCACHE_NAME], *head = NULL;
	const void *map = NULL;
	size_t len = 0, map_size = 0;
	enum err e;

	*size = 0;
	for (unsigned i = 0; i < in->n; i++)
		paths[i] = in->rows[i].path;
	/* What is read now was compiled only if nothing was written until the end of reading. */
	e = inputs_same(in) ? memfd_map_sealed(fd, &map, &map_size, m) : ERR_STATE;
	if (e == ERR_OK)
		e = head_make(
		    c, z, paths, in->n, map_size, zimage_sum(map, map_size), &head, &len, &now, m);
	if (e == ERR_OK && len > LIMIT_CACHE_HEAD)
		e = err_set(m, ERR_LIMIT, "includes too many files");
	if (e == ERR_OK && !inputs_same(in))
		e = ERR_STATE;
	if (e == ERR_OK) {
		zcache_name(c, z->origin, name);
		e = write_entry(c, name, head, len, map, map_size, m);
	}
	if (e == ERR_OK)
		*size = zimage_at(len) + map_size;
	if (map != NULL)
		(void)munmap((void *)(uintptr_t)map, map_size);   /* cannot fail for one of ours */
	inputs_clear(&now);
	free(head);
	free(paths);
	return e;
}

static bool
is_named(const char (*names)[ZCACHE_NAME], unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void
zcache_evict(const struct zcache *c, const char (*names)[ZCACHE_NAME], unsigned n, uint64_t *size)
{
	struct errmsg ignored;   /* no directory: nothing to remove */
	int dir = open_dir(c, &ignored);
	struct dirent *entry;
	DIR *d;

	*size = 0;
	if (dir < 0)
		return;
	d = mem_must(fdopendir(dir));
	while ((entry = readdir(d)) != NULL) {
		struct stat st;

		if (entry->d_name[0] != '.' && !is_named(names, n, entry->d_name))
			/* a directory that somebody made stays */
			(void)unlinkat(dir, entry->d_name, 0);
		else if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			*size += (uint64_t)st.st_size;
	}
	closedir(d);
}
