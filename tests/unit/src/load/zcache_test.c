/* zcache_test: compiled images on disk: when an entry holds, and every way in which it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dns/dns.h"
#include "src/load/zcache.h"

#define ZONE "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n$INCLUDE part\n"

/* A directory with a zone, its include, and a cache; everything is made anew for each test. */
struct rig {
	char dir[64], zone[96], part[96], images[96], entry[160];
	struct zcache cache;
	struct zcache_zone z;
};

static void
put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Until a second write would show in a file's times; nothing tells when but the clock. */
static void
let_it_age(void)
{
	const struct timespec ts = { .tv_nsec = 60000000 };

	(void)nanosleep(&ts, NULL);
}

static void
note(struct inputs *in, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(inputs_add(in, path, fd), ERR_OK);
	close(fd);
}

static int
compile(const struct rig *r)
{
	struct report report;
	int fd = -1;

	report_init(&report);
	assert_int_equal(dns_compile_file("cached.test", r->zone, NULL, &fd, &report), ERR_OK);
	report_clear(&report);
	return fd;
}

static enum err
keep(const struct rig *r)
{
	struct inputs in = { .rows = NULL };
	struct errmsg m = { "" };
	uint64_t size = 0;
	enum err e;
	int fd;

	let_it_age();
	note(&in, r->zone);
	note(&in, r->part);
	fd = compile(r);
	e = zcache_keep(&r->cache, &r->z, &in, fd, &size, &m);
	assert_true((e == ERR_OK) == (size > 0));
	close(fd);
	inputs_clear(&in);
	return e;
}

static enum err
find(const struct rig *r, const struct zcache_zone *z)
{
	struct inputs in = { .rows = NULL };
	struct dns_zimage *view = NULL;
	struct dns_zone_info info;
	struct errmsg m = { "" };
	int fd = -1;
	enum err e = zcache_find(&r->cache, z, &fd, &view, &in, &m);

	assert_true((e == ERR_OK) == (fd >= 0 && view != NULL && in.n == 2));
	if (e == ERR_OK) {
		assert_int_equal(dns_zimage_zone(view, 0, &info, &m), ERR_OK);
		assert_string_equal(info.origin, "cached.test");
		assert_int_equal(
		    fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
		    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
		close(fd);
	}
	dns_zimage_close(view);
	inputs_clear(&in);
	return e;
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	char name[ZCACHE_NAME];

	assert_non_null(r);
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/jitsu-zcache-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->zone, sizeof(r->zone), "%s/zone", r->dir);
	(void)snprintf(r->part, sizeof(r->part), "%s/part", r->dir);
	(void)snprintf(r->images, sizeof(r->images), "%s/images", r->dir);
	put_file(r->zone, ZONE);
	put_file(r->part, "inc A 192.0.2.2\n");
	r->cache = (struct zcache){ .dir = r->images, .key = "0123456789abcde" };
	r->z = (struct zcache_zone){ .origin = "cached.test", .file = r->zone };
	zcache_name(&r->cache, "cached.test", name);
	(void)snprintf(r->entry, sizeof(r->entry), "%s/%s", r->images, name);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	uint64_t size;

	zcache_evict(&r->cache, NULL, 0, &size);
	assert_int_equal(size, 0);
	(void)rmdir(r->images);
	(void)unlink(r->part);
	(void)unlink(r->zone);
	assert_int_equal(rmdir(r->dir), 0);
	free(r);
	return 0;
}

static void
found_again(void **state)
{
	const struct rig *r = *state;

	assert_int_equal(find(r, &r->z), ERR_MISSING);
	assert_int_equal(keep(r), ERR_OK);
	assert_int_equal(find(r, &r->z), ERR_OK);
	/* the same contents in a new file are the same zone */
	assert_int_equal(unlink(r->zone), 0);
	put_file(r->zone, ZONE);
	assert_int_equal(find(r, &r->z), ERR_OK);
}

static void
changes_show(void **state)
{
	const struct rig *r = *state;
	struct zcache_zone other = r->z;
	struct zcache key = r->cache;

	assert_int_equal(keep(r), ERR_OK);
	put_file(r->zone, ZONE "x A 192.0.2.3\n");
	assert_int_equal(find(r, &r->z), ERR_STATE);
	put_file(r->zone, ZONE);
	assert_int_equal(find(r, &r->z), ERR_OK);
	/* an include, of the same length */
	put_file(r->part, "inc A 192.0.2.9\n");
	assert_int_equal(find(r, &r->z), ERR_STATE);
	assert_int_equal(unlink(r->part), 0);
	assert_int_equal(find(r, &r->z), ERR_STATE);
	/* now a link to what lies elsewhere */
	assert_int_equal(symlink("/etc/passwd", r->part), 0);
	assert_int_equal(find(r, &r->z), ERR_STATE);
	assert_int_equal(unlink(r->part), 0);
	put_file(r->part, "inc A 192.0.2.2\n");
	assert_int_equal(find(r, &r->z), ERR_OK);
	/* with a units file that it had not */
	other.units = r->part;
	assert_int_equal(find(r, &other), ERR_STATE);
	other = (struct zcache_zone){ .origin = "other.test", .file = r->zone };
	assert_int_equal(find(r, &other), ERR_MISSING);
	key.key[3] ^= 1;
	assert_int_not_equal(find(&(struct rig){ .cache = key }, &r->z), ERR_OK);
}

/* The entry of one zone under the name of another. */
static void
entry_of_another(void **state)
{
	const struct rig *r = *state;
	const struct zcache_zone other = { .origin = "other.test", .file = r->zone };
	char name[ZCACHE_NAME], path[160];

	assert_int_equal(keep(r), ERR_OK);
	zcache_name(&r->cache, "other.test", name);
	(void)snprintf(path, sizeof(path), "%s/%s", r->images, name);
	assert_int_equal(rename(r->entry, path), 0);
	assert_int_equal(find(r, &other), ERR_STATE);
}

static void
changed_while_compiled(void **state)
{
	const struct rig *r = *state;
	struct inputs in = { .rows = NULL };
	struct errmsg m;
	uint64_t size;
	int fd;

	let_it_age();
	note(&in, r->zone);
	fd = compile(r);
	put_file(r->zone, ZONE ";\n");
	assert_int_equal(zcache_keep(&r->cache, &r->z, &in, fd, &size, &m), ERR_STATE);
	close(fd);
	inputs_clear(&in);
	assert_int_equal(find(r, &r->z), ERR_MISSING);
}

/* Every byte counts, wherever it is changed; so does the end. */
static void
damage_shows(void **state)
{
	const struct rig *r = *state;
	struct stat st;
	int fd;

	assert_int_equal(keep(r), ERR_OK);
	assert_int_equal(stat(r->entry, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = open(r->entry, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 0; at < st.st_size; at += at < 300 || at >= 4096 ? 1 : 4096 - at) {
		uint8_t byte, bad;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		bad = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		/* between the head and its page's end nothing is stored */
		if (at < 150 || at >= 4096)
			assert_int_not_equal(find(r, &r->z), ERR_OK);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(find(r, &r->z), ERR_OK);
	for (off_t size = 0; size < st.st_size; size += 97) {
		assert_int_equal(ftruncate(fd, size), 0);
		assert_int_not_equal(find(r, &r->z), ERR_OK);
	}
	close(fd);
	assert_int_equal(keep(r), ERR_OK);
	assert_int_equal(find(r, &r->z), ERR_OK);
}

static void
only_ours(void **state)
{
	const struct rig *r = *state;
	char moved[200];

	assert_int_equal(keep(r), ERR_OK);
	assert_int_equal(chmod(r->entry, 0644), 0);
	assert_int_equal(find(r, &r->z), ERR_PERM);
	assert_int_equal(chmod(r->entry, 0600), 0);
	assert_int_equal(chmod(r->images, 0777), 0);
	assert_int_equal(find(r, &r->z), ERR_PERM);
	assert_int_equal(chmod(r->images, 0700), 0);
	(void)snprintf(moved, sizeof(moved), "%s.x", r->entry);
	assert_int_equal(rename(r->entry, moved), 0);
	assert_int_equal(symlink(moved, r->entry), 0);
	assert_int_not_equal(find(r, &r->z), ERR_OK);
	assert_int_equal(unlink(r->entry), 0);
	assert_int_equal(link(moved, r->entry), 0);
	assert_int_equal(find(r, &r->z), ERR_PERM);
	assert_int_equal(unlink(moved), 0);
	assert_int_equal(find(r, &r->z), ERR_OK);
}

/* A disk that is full half-way: no entry, nothing left over, and the old one stays. */
static void
full_disk(void **state)
{
	const struct rig *r = *state;
	struct rlimit old, small;
	char left[200];

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ .rlim_cur = 4200, .rlim_max = old.rlim_max };
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	for (int round = 0; round < 2; round++) {
		struct inputs in = { .rows = NULL };
		struct errmsg m = { "" };
		uint64_t size = 1;
		int fd;

		let_it_age();
		note(&in, r->zone);
		note(&in, r->part);
		fd = compile(r);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(zcache_keep(&r->cache, &r->z, &in, fd, &size, &m), ERR_IO);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(size, 0);
		assert_non_null(strstr(m.text, "cannot be written"));
		(void)snprintf(left, sizeof(left), "%s.new", r->entry);
		assert_int_not_equal(access(left, F_OK), 0);
		close(fd);
		inputs_clear(&in);
		assert_int_equal(find(r, &r->z), round == 0 ? ERR_MISSING : ERR_OK);
		assert_int_equal(keep(r), ERR_OK);
	}
}

static void
eviction(void **state)
{
	const struct rig *r = *state;
	char names[1][ZCACHE_NAME], stray[200];
	struct stat st;
	uint64_t size;

	assert_int_equal(keep(r), ERR_OK);
	(void)snprintf(stray, sizeof(stray), "%s.new", r->entry);
	put_file(stray, "left by a crash");
	zcache_name(&r->cache, "cached.test", names[0]);
	zcache_evict(&r->cache, (const char (*)[ZCACHE_NAME])names, 1, &size);
	assert_int_not_equal(access(stray, F_OK), 0);
	assert_int_equal(stat(r->entry, &st), 0);
	assert_int_equal(size, st.st_size);
	zcache_name(&r->cache, "other.test", names[0]);
	zcache_evict(&r->cache, (const char (*)[ZCACHE_NAME])names, 1, &size);
	assert_int_equal(size, 0);
	assert_int_equal(find(r, &r->z), ERR_MISSING);
}

static void
cancel(void **state)
{
	struct rig *r = *state;
	const atomic_bool yes = true;

	assert_int_equal(keep(r), ERR_OK);
	r->cache.cancel = &yes;
	assert_int_equal(find(r, &r->z), ERR_STATE);
	assert_int_equal(keep(r), ERR_STATE);
	r->cache.cancel = NULL;
	assert_int_equal(find(r, &r->z), ERR_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(found_again), TEST(changes_show),
		TEST(entry_of_another), TEST(changed_while_compiled), TEST(damage_shows),
		TEST(only_ours), TEST(full_disk), TEST(eviction), TEST(cancel) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
