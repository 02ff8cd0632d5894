/* surroundings: each thing that must be there, and what to say when it is not. */
#include "src/process/surroundings.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/siphash.h"

/* Where systemd takes the ids of DynamicUser= from. */
#define TRANSIENT_UID_FIRST 61184
#define TRANSIENT_UID_LAST 65519

static const struct {
	unsigned cap;
	const char *name;
} needed_caps[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN (taps, nftables)" },
	{ CAP_NET_RAW, "CAP_NET_RAW (readiness probes)" },
	{ CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE (port 53)" },
	{ CAP_SYS_CHROOT, "CAP_SYS_CHROOT (empty roots)" },
	{ CAP_SETUID, "CAP_SETUID (confined processes)" },
	{ CAP_SETGID, "CAP_SETGID (confined processes)" },
	{ CAP_SETPCAP, "CAP_SETPCAP (confined processes)" },
	{ CAP_KILL, "CAP_KILL (VMs of another user)" },
	{ CAP_CHOWN, "CAP_CHOWN (the control socket's group)" },
};

static void
check_privileges(void)
{
	bool root = geteuid() == 0;

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(needed_caps) / sizeof(needed_caps[0]); i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed_caps[i].cap))
			continue;
		if (root)
			fatal("root has not all privileges here, as in a container: %s is missing",
			    needed_caps[i].name);
		fatal("must be started by root, or with capabilities: %s is missing (`jitsud -n` "
		    "runs as anybody)", needed_caps[i].name);
	}
}

/* Every process of ours is started by /proc/self/exe, and has /dev/null as its input. */
static void
check_files(void)
{
	struct stat st;
	int fd;

	if (access("/proc/self/exe", F_OK) != 0)
		fatal("/proc/self/exe: %s: /proc must be mounted (mount -t proc proc /proc)",
		    strerror(errno));
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fatal("/dev/null: %s: make it with: mknod -m 666 /dev/null c 1 3", strerror(errno));
	if (fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode))
		fatal("/dev/null is no device, but something that was put in its place: "
		    "rm /dev/null && mknod -m 666 /dev/null c 1 3");
	close(fd);
}

void
surroundings_check(void)
{
	check_privileges();
	check_files();
}

/*
 * A default user that nobody made, on a machine where jitsud was just unpacked: an id of its own
 * from the range that systemd keeps for such users, always the same for a name, that no entry of
 * the user database has.
 */
static struct identity
transient_user(const char *key, const char *name)
{
	static const uint8_t hash_key[16] = { 0 };
	uid_t span = TRANSIENT_UID_LAST - TRANSIENT_UID_FIRST + 1;
	uid_t id = TRANSIENT_UID_FIRST + (uid_t)(siphash24(hash_key, name, strlen(name)) % span);

	while (getpwuid(id) != NULL)
		id = id < TRANSIENT_UID_LAST ? id + 1 : TRANSIENT_UID_FIRST;
	log_warn("%s = \"%s\": there is no such user; uid %u is taken instead (useradd --system "
	    "--no-create-home --shell /usr/sbin/nologin %s makes it)",
	    key, name, (unsigned)id, name);
	return (struct identity){ .uid = id, .gid = id };
}

struct identity
surroundings_user(const char *key, const char *name, const char *def)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL && strcmp(name, def) == 0)
		return transient_user(key, name);
	if (pw == NULL)
		fatal("%s = \"%s\": there is no such user; create it with: useradd --system "
		    "--no-create-home --shell /usr/sbin/nologin %s", key, name, name);
	if (pw->pw_uid == 0)
		fatal("%s = \"%s\": must not be root", key, name);
	return (struct identity){ .uid = pw->pw_uid, .gid = pw->pw_gid };
}

void
surroundings_directory(const char *key, const char *path, mode_t mode)
{
	int made = mkdir(path, mode) == 0 ? 0 : errno;
	struct stat st;

	if (made == ENOENT)
		fatal("%s: %s cannot be made: the directory above it is not there", key, path);
	if (stat(path, &st) != 0 && made == EEXIST)
		fatal("%s: %s is a link that leads to nothing: %s", key, path, strerror(errno));
	if (made != 0 && made != EEXIST)
		fatal("%s: %s cannot be made: %s", key, path, strerror(made));
	if (!S_ISDIR(st.st_mode))
		fatal("%s: %s is not a directory", key, path);
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		fatal("%s: directory %s: must belong to the user that runs jitsud and be writable "
		    "by nobody else", key, path);
}
