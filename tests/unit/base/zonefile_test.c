/* zonefile_test: nobody has a file read that he may not read himself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/zonefile.h"
#include "tests/unit/base/fds.h"

#define BOB 4001
#define EVE 4002
#define TEAM 4100              /* a group */

#define ROOT_ONLY()                                                                \
	do {                                                                       \
		(void)state;                                                       \
		if (geteuid() != 0) {                                              \
			print_message("skipped: changes owners, which needs root\n"); \
			skip();                                                    \
		}                                                                  \
	} while (0)

static char top[64];

static const char *
at(const char *name)
{
	static char paths[4][200];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

static void
give(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	assert_int_equal(lchown(at(name), uid, gid), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void
make_dir(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	assert_int_equal(mkdir(at(name), 0700), 0);
	give(name, uid, gid, mode);
}

static void
make_file(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	close(fd);
	give(name, uid, gid, mode);
}

static void
make_link(const char *name, const char *target, uid_t uid)
{
	assert_int_equal(symlink(target, at(name)), 0);
	assert_int_equal(lchown(at(name), uid, uid), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/jitsu-zonefile-XXXXXX");
	if (mkdtemp(top) == NULL || chmod(top, 0755) != 0)
		return -1;
	if (geteuid() != 0)
		return 0;
	make_file("key", 0, 0, 0600);
	make_file("public", 0, 0, 0644);
	make_file("team-key", 0, TEAM, 0640);
	make_dir("closed", 0, 0, 0700);
	make_file("closed/public", 0, 0, 0644);
	return 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

/* The zone file is opened, and may be quoted or not. */
static void
opens(const char *name, bool shown)
{
	struct writers w = { .n = 0 };
	struct errmsg m = { "" };
	struct zonefile f;

	if (zonefile_open(&f, at(name), &w, &m) != ERR_OK)
		fail_msg("%s: %s", name, m.text);
	close(f.fd);
	if (f.shown != shown)
		fail_msg("%s: %s", name, f.shown ? "shown" : "not shown");
}

static void
refused(const char *name, const char *expected)
{
	struct writers w = { .n = 0 };
	struct errmsg m = { "" };
	struct zonefile f;

	if (zonefile_open(&f, at(name), &w, &m) == ERR_OK)
		fail_msg("%s was opened", name);
	assert_int_equal(f.fd, -1);
	if (strstr(m.text, expected) == NULL)
		fail_msg("%s: expected `%s': %s", name, expected, m.text);
}

/* Who may read everything has what he likes read, but only what all may read is quoted. */
static void
directory_of_root(void **state)
{
	ROOT_ONLY();
	make_dir("zones", 0, 0, 0755);
	make_file("zones/own", 0, 0, 0600);
	make_file("zones/open", 0, 0, 0644);
	make_file("zones/of-bob", BOB, BOB, 0600);
	make_link("zones/link", "../key", 0);
	make_link("zones/link-open", at("public"), 0);
	make_link("zones/link-closed", "../closed/public", 0);
	assert_int_equal(link(at("key"), at("zones/hard")), 0);
	opens("zones/own", false);
	opens("zones/open", true);
	opens("zones/of-bob", false);
	opens("zones/link", false);
	opens("zones/link-open", true);
	opens("zones/link-closed", false);
	opens("zones/hard", false);
	give("zones", 0, 0, 0700);
	opens("zones/open", false);
	give("zones", 0, 0, 0775);   /* group 0 is root's own */
	opens("zones/own", false);
	/* of who made a link there once, root is not the master */
	make_link("zones/link-old", "../key", BOB);
	refused("zones/link-old", "user 4001 made the link");
	refused("zones/link-old",
	    "zones/link-old and so can choose what is read here, but may not read");
	make_link("zones/link-old-open", "../public", BOB);
	opens("zones/link-old-open", true);
}

static void
directory_of_a_user(void **state)
{
	ROOT_ONLY();
	make_dir("zones", BOB, BOB, 0755);
	make_file("zones/own", BOB, BOB, 0600);
	make_file("zones/of-root", 0, 0, 0600);
	make_file("zones/of-root-open", 0, 0, 0644);
	make_file("zones/of-root-odd", 0, 0, 0604);
	make_file("zones/of-eve", EVE, BOB, 0640);
	make_link("zones/link", "../key", BOB);
	make_link("zones/link-of-root", "../key", 0);
	make_link("zones/link-own", "own", BOB);
	make_link("zones/link-open", "../public", BOB);
	make_link("zones/link-closed", "../closed/public", BOB);
	make_link("zones/link-closed-none", "../closed/none", BOB);
	make_link("zones/link-dir", "..", BOB);
	make_link("zones/link-proc", "/proc/1/root/etc/passwd", BOB);
	make_link("zones/link-fd", "/proc/self/fd/0", BOB);
	opens("zones/own", false);
	opens("zones/of-root-open", true);
	opens("zones/link-own", false);
	opens("zones/link-open", true);
	opens("zones/link-dir/public", true);
	refused("zones/of-root", "user 4001 may write ");
	refused("zones/of-root", "/zones/of-root; change owner, group or mode");
	refused("zones/of-root-odd", "may not read");
	refused("zones/of-eve", "may not read");
	refused("zones/link", "may not read");
	refused("zones/link-of-root", "may not read");
	refused("zones/link-dir/key", "may not read");
	refused("zones/link-proc", "may not follow /proc/1/root;");
	refused("zones/link-fd", "may not follow /proc/self");
	/* what is in a directory that he may not search is not told, either */
	refused("zones/link-closed", "may not search");
	refused("zones/link-closed-none", "may not search");
	/* a hard link, also when the name that was linked is gone */
	assert_int_equal(link(at("key"), at("zones/hard")), 0);
	refused("zones/hard", "may not read");
	assert_int_equal(unlink(at("key")), 0);
	refused("zones/hard", "may not read");
	/* his own group may write there, too: nobody else is in it */
	give("zones", BOB, BOB, 0775);
	opens("zones/own", false);
	/* a directory above counts as much */
	make_dir("zones/sub", 0, 0, 0755);
	make_file("zones/sub/of-root", 0, 0, 0600);
	refused("zones/sub/of-root", "user 4001 may write");
	refused("zones/sub/../of-root", "user 4001 may write");
	give("zones", 0, 0, 0755);
	opens("zones/sub/of-root", false);
}

static void
directories_of_many(void **state)
{
	ROOT_ONLY();
	make_dir("zones", 0, TEAM, 02775);
	make_file("zones/team", BOB, TEAM, 0640);
	make_file("zones/team-of-root", 0, TEAM, 0640);
	make_file("zones/own", BOB, TEAM, 0600);
	make_file("zones/of-root", 0, 0, 0640);
	make_file("zones/open", 0, 0, 0644);
	make_link("zones/link", "../key", BOB);
	make_link("zones/link-team", "../team-key", BOB);
	opens("zones/team", false);
	opens("zones/team-of-root", false);
	opens("zones/open", true);
	refused("zones/link-team", "user 4001 made the link");
	refused("zones/own", "group 4100 may write");
	refused("zones/of-root", "group 4100 may write");
	refused("zones/link", "group 4100 may write");
	/* an owner is a member of the group that he lets write */
	give("zones", BOB, TEAM, 02775);
	opens("zones/team-of-root", false);
	refused("zones/of-root", "may not read");
	give("zones", BOB, TEAM, 02755);
	refused("zones/team-of-root", "user 4001 may write");
	/* everybody */
	give("zones", 0, 0, 0777);
	opens("zones/open", true);
	refused("zones/team", "everybody may write");
	refused("zones/of-root", "everybody may write");
	refused("zones/own", "everybody may write");
	/* with the sticky bit, each file is its owner's, unless another may have linked it there */
	give("zones", 0, 0, 01777);
	opens("zones/of-root", false);
	opens("zones/own", false);
	refused("zones/link", "made the link");
	assert_int_equal(link(at("key"), at("zones/hard")), 0);
	refused("zones/hard", "everybody may write");
	give("zones", 0, 0, 0755);
}

/*
 * The mode's group bits become a mask: EVE may do `eve`, the group `group`, and no others anything.
 */
static bool
give_acl(const char *name, uint16_t group, uint16_t eve)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[5];
	} acl = { 2, { { 1, 7, (uint32_t)-1 }, { 2, eve, EVE }, { 4, group, (uint32_t)-1 },
	                 { 16, group | eve, (uint32_t)-1 }, { 32, 0, (uint32_t)-1 } } };

	return setxattr(at(name), "system.posix_acl_access", &acl, sizeof(acl), 0) == 0;
}

static void
access_lists(void **state)
{
	ROOT_ONLY();
	make_dir("zones", 0, TEAM, 0750);
	make_file("zones/of-root", 0, TEAM, 0640);
	make_file("zones/of-eve", EVE, EVE, 0600);
	make_file("zones/open", 0, 0, 0644);
	if (!give_acl("zones", 5, 7))
		skip();   /* a file system without */
	/* who may write by it counts, and nobody else */
	opens("zones/of-eve", false);
	opens("zones/open", false);
	refused("zones/of-root", "user 4002 may write");
	assert_true(give_acl("zones/of-root", 0, 4));
	opens("zones/of-root", false);
	assert_true(give_acl("zones/of-root", 4, 0));
	refused("zones/of-root", "user 4002 may write");
	/* all others may read it, but not she */
	assert_true(give_acl("zones/open", 4, 0));
	assert_int_equal(chmod(at("zones/open"), 0644), 0);
	refused("zones/open", "user 4002 may write");
	assert_true(give_acl("zones", 5, 5));
	opens("zones/of-root", false);
	/* of a group its own entry counts, not the mask; users with an entry may be in it */
	assert_true(give_acl("team-key", 0, 4));
	make_dir("teams", 0, TEAM, 0775);
	make_link("teams/link", "../team-key", 0);
	refused("teams/link", "group 4100 may write");
	assert_true(give_acl("team-key", 4, 4));
	opens("teams/link", false);
	assert_true(give_acl("team-key", 4, 0));
	refused("teams/link", "group 4100 may write");
}

/* Of a user that the user database knows, it says the groups. */
static void
members(void **state)
{
	const struct passwd *pw;

	ROOT_ONLY();
	setpwent();
	do
		pw = getpwent();
	while (pw != NULL && (pw->pw_uid == 0 || pw->pw_gid == 0 || pw->pw_gid == pw->pw_uid));
	endpwent();
	if (pw == NULL)
		skip();
	make_dir("zones", 0, pw->pw_gid, 02770);
	make_file("zones/of-root", 0, pw->pw_gid, 0640);
	make_link("zones/link", "of-root", pw->pw_uid);
	opens("zones/link", false);
	give("zones", 0, TEAM, 02770);
	refused("zones/link", "may not search");
	give("zones", pw->pw_uid, 0, 0755);
	opens("zones/of-root", false);
	give("zones/of-root", 0, TEAM, 0640);
	refused("zones/of-root", "may not read");
	give("zones/of-root", 0, pw->pw_gid, 0604);
	refused("zones/of-root", "may not read");
}

/* What `body` returns in a process of its own. */
static int
in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define NOT_ALLOWED 2   /* this machine does not let the test do that */

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static int
read_as_root_of_a_namespace(void)
{
	struct writers w = { .n = 0 };
	struct errmsg m = { "" };
	struct zonefile f;

	if (setgid(BOB) != 0 || setuid(BOB) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
		return 1;
	if (unshare(CLONE_NEWUSER) != 0 || !write_text("/proc/self/uid_map", "0 4001 1"))
		return NOT_ALLOWED;
	return zonefile_open(&f, at("zones/own"), &w, &m) == ERR_OK ? 0 : 3;
}

/* Root there is a user here, and the owner of the root directory has no number there. */
static void
user_namespace(void **state)
{
	int got;

	ROOT_ONLY();
	make_dir("zones", BOB, BOB, 0700);
	make_file("zones/own", BOB, BOB, 0600);
	got = in_child(read_as_root_of_a_namespace);
	if (got == NOT_ALLOWED)
		skip();
	assert_int_equal(got, 0);
}

static enum err
include(struct writers *w, const char *path, struct errmsg *m)
{
	char zone[200], *full;
	struct zonefile f;
	enum err e;

	snprintf(zone, sizeof(zone), "%s", at("zones/zone"));
	e = zonefile_open_include(&f, zone, path, w, &full, m);
	assert_int_equal(e != ERR_OK, f.fd < 0);
	assert_int_equal(e != ERR_OK, full == NULL);
	if (f.fd >= 0)
		close(f.fd);
	free(full);
	return e;
}

static void
expect_include(struct writers *w, const char *path, const char *expected)
{
	struct errmsg m = { "" };
	enum err e = include(w, path, &m);

	if (expected == NULL ? e != ERR_OK : e == ERR_OK || strstr(m.text, expected) == NULL)
		fail_msg("%s: expected `%s': %s", path, expected != NULL ? expected : "", m.text);
}

static void
open_zone(struct writers *w)
{
	struct errmsg m;
	struct zonefile f;

	*w = (struct writers){ .n = 0 };
	assert_int_equal(zonefile_open(&f, at("zones/zone"), w, &m), ERR_OK);
	close(f.fd);
}

/* Who may write a file of a zone chooses what it includes. */
static void
includes(void **state)
{
	struct errmsg there = { "" }, none = { "" };
	struct writers w;

	ROOT_ONLY();
	make_dir("zones", 0, 0, 0755);
	make_dir("zones/sub", 0, 0, 0755);
	make_dir("zones/private", 0, 0, 0700);
	make_file("zones/zone", 0, 0, 0644);
	make_file("zones/secret", 0, 0, 0600);
	make_file("zones/common", 0, 0, 0644);
	make_file("zones/private/there", 0, 0, 0644);
	make_file("zones/sub/of-bob", BOB, BOB, 0644);
	make_link("zones/sub/up", "../common", 0);
	make_link("zones/out", "../key", 0);
	make_link("zones/absolute", at("zones/common"), 0);
	make_link("zones/proc", "/proc/self/root/etc/passwd", 0);
	open_zone(&w);
	expect_include(&w, "secret", NULL);
	expect_include(&w, "private/there", NULL);
	expect_include(&w, "private/none", "No such file");
	expect_include(&w, "sub/up", NULL);
	expect_include(&w, "sub/../common", NULL);
	expect_include(&w, at("zones/common"), NULL);
	expect_include(&w, "../key", "outside the zone file's directory");
	expect_include(&w, "sub/../../key", "outside the zone file's directory");
	expect_include(&w, at("key"), "outside the zone file's directory");
	expect_include(&w, "out", "outside the zone file's directory");
	expect_include(&w, "absolute", "outside the zone file's directory");
	expect_include(&w, "proc", "outside the zone file's directory");
	expect_include(&w, "sub", "not a regular file");
	/* from here on, another has a say */
	expect_include(&w, "sub/of-bob", NULL);
	expect_include(&w, "sub/of-bob", NULL);
	expect_include(&w, "common", NULL);
	expect_include(&w, "secret", "user 4001 may write a file of this zone");
	assert_int_equal(include(&w, "private/there", &there), ERR_PERM);
	assert_int_equal(include(&w, "private/none", &none), ERR_PERM);
	assert_string_equal(there.text, none.text);
	/* the zone's own file */
	give("zones/zone", BOB, BOB, 0644);
	open_zone(&w);
	expect_include(&w, "secret", "user 4001 may write a file of this zone");
	expect_include(&w, "common", NULL);
	give("zones/zone", 0, TEAM, 0664);
	open_zone(&w);
	expect_include(&w, "secret", "group 4100 may write a file of this zone");
	give("zones/zone", 0, 0, 0666);
	open_zone(&w);
	expect_include(&w, "secret", "everybody may write a file of this zone");
	expect_include(&w, "common", NULL);
}

/* Neither blocks nor touches what is no regular file. */
static void
kinds(void **state)
{
	char path[64], longer[300];
	struct writers w = { .n = 0 };
	struct zonefile f;
	struct errmsg m;
	unsigned fds = fds_open();
	int fd;

	(void)state;
	assert_int_equal(mkfifo(at("fifo"), 0644), 0);
	if (geteuid() == 0)
		assert_int_equal(mknod(at("tty"), S_IFCHR | 0666, makedev(5, 0)), 0);
	assert_int_equal(symlink("circle", at("circle")), 0);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	fd = open(at("file"), O_RDWR | O_CREAT, 0644);
	assert_true(fd >= 0);
	refused("fifo", "is not a regular file");
	if (geteuid() == 0)
		refused("tty", "is not a regular file");
	refused(".", "is not a regular file");
	refused("", "is not a regular file");
	refused("none", "cannot be opened: No such file or directory");
	refused("none/none", "cannot be opened: No such file or directory");
	refused("dangling", "cannot be opened: No such file or directory");
	refused("circle", "cannot be opened: Too many levels of symbolic links");
	refused("file/", "cannot be opened: Not a directory");
	refused("file/none", "cannot be opened: Not a directory");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(zonefile_open(&f, longer, &w, &m), ERR_IO);
	assert_non_null(strstr(m.text, "File name too long"));
	assert_int_equal(zonefile_open(&f, "", &w, &m), ERR_IO);
	opens("file", true);
	opens(".//./file", true);
	/* a link whose text is not where it leads */
	assert_int_equal(unlink(at("file")), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(zonefile_open(&f, path, &w, &m), ERR_OK);
	close(f.fd);
	close(fd);
	assert_int_equal(fds_open(), fds);
}

static void
directories(void **state)
{
	struct errmsg m = { "" };
	int fd;

	ROOT_ONLY();
	make_dir("zones", BOB, BOB, 0700);
	make_dir("open", BOB, BOB, 0755);
	make_link("open/link", "../closed", BOB);
	make_link("open/link-open", "..", BOB);
	fd = zonefile_open_dir(at("zones"), &m);
	assert_true(fd >= 0);
	close(fd);
	fd = zonefile_open_dir(at("open/link-open"), &m);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(zonefile_open_dir(at("open/link"), &m), -1);
	assert_non_null(strstr(m.text, "user 4001 may write"));
	assert_int_equal(zonefile_open_dir(at("key"), &m), -1);
	assert_non_null(strstr(m.text, "Not a directory"));
	assert_int_equal(zonefile_open_dir(at("none"), &m), -1);
	assert_non_null(strstr(m.text, "No such file"));
}

static int
read_as_a_user(void)
{
	struct writers w = { .n = 0 };
	struct zonefile own, key;
	struct errmsg m = { "" };

	if (setgid(BOB) != 0 || setuid(BOB) != 0 ||
	    zonefile_open(&own, at("zones/own"), &w, &m) != ERR_OK || !own.shown)
		return 1;
	return zonefile_open(&key, at("zones/link"), &w, &m) == ERR_PERM &&
	    strstr(m.text, "Permission denied") != NULL ? 0 : 2;
}

/* A user's own check reads what he may read and shows it to him. */
static void
as_a_user(void **state)
{
	ROOT_ONLY();
	make_dir("zones", BOB, TEAM, 0700);
	make_file("zones/own", BOB, BOB, 0600);
	make_link("zones/link", "../key", BOB);
	assert_int_equal(in_child(read_as_a_user), 0);
}

static int
read_without_proc(void)
{
	struct writers w = { .n = 0 };
	struct errmsg m = { "" };
	struct zonefile f;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(at("closed"), "/proc", NULL, MS_BIND, NULL) != 0)
		return NOT_ALLOWED;
	return zonefile_open(&f, at("public"), &w, &m) == ERR_IO &&
	    strstr(m.text, "/proc must be mounted") != NULL ? 0 : 1;
}

/* The file is there, and what is missing is said. */
static void
without_proc(void **state)
{
	int got;

	ROOT_ONLY();
	got = in_child(read_without_proc);
	if (got == NOT_ALLOWED)
		skip();
	assert_int_equal(got, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(directory_of_root, setup, teardown),
		cmocka_unit_test_setup_teardown(directory_of_a_user, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_of_many, setup, teardown),
		cmocka_unit_test_setup_teardown(access_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(members, setup, teardown),
		cmocka_unit_test_setup_teardown(user_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(includes, setup, teardown),
		cmocka_unit_test_setup_teardown(kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(directories, setup, teardown),
		cmocka_unit_test_setup_teardown(as_a_user, setup, teardown),
		cmocka_unit_test_setup_teardown(without_proc, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
