/* secret: the host's secret in the state directory, and its copy in the run directory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "src/units/mapping.h"

#define NAME "secret"
#define NAME_NEW "secret.new"

/* Written whole under another name first: a crash leaves no half a secret. */
static enum err
write_secret(int dir, const char *path, const struct mapping_secret *secret, struct errmsg *m)
{
	int fd = openat(dir, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e = ERR_OK;

	if (fd == -1)
		return err_sys(m, "%s/" NAME_NEW ": cannot be made", path);
	if (write(fd, secret->key, sizeof(secret->key)) != (ssize_t)sizeof(secret->key) ||
	    fsync(fd) == -1)
		e = err_sys(m, "%s/" NAME_NEW ": cannot be written", path);
	/* link fails where another process was first; its secret counts. */
	else if (linkat(dir, NAME_NEW, dir, NAME, 0) == -1 && errno != EEXIST)
		e = err_sys(m, "%s/" NAME ": cannot be made", path);
	close(fd);
	(void)unlinkat(dir, NAME_NEW, 0);   /* at worst the next start overwrites it */
	return e;
}

static enum err
read_secret(int dir, const char *state_dir, struct mapping_secret *secret, struct errmsg *m)
{
	int fd = openat(dir, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	enum err e = ERR_OK;

	if (fd == -1)
		return errno == ENOENT ? ERR_MISSING :
		    err_sys(m, "%s/" NAME ": cannot be read", state_dir);
	if (fstat(fd, &st) == -1)
		e = err_sys(m, "%s/" NAME, state_dir);
	else if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(secret->key) ||
	    (st.st_mode & 077) != 0)
		e = err_set(m, ERR_PARSE,
		    "%s/" NAME ": must be a file of %zu bytes that only its owner may read; remove "
		    "it to get back its copy from the run directory or, where there is "
		    "none, a new one, which changes the MAC addresses",
		    state_dir, sizeof(secret->key));
	else if (read(fd, secret->key, sizeof(secret->key)) != (ssize_t)sizeof(secret->key))
		e = err_sys(m, "%s/" NAME ": cannot be read", state_dir);
	close(fd);
	return e;
}

enum err
mapping_secret_load(const char *state_dir, struct mapping_secret *secret, struct errmsg *m)
{
	int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e;

	if (dir == -1)
		return err_sys(m, "%s: cannot be opened", state_dir);
	e = read_secret(dir, state_dir, secret, m);
	if (e == ERR_MISSING) {
		if (getrandom(secret->key, sizeof(secret->key), 0) != (ssize_t)sizeof(secret->key))
			e = err_sys(m, "getrandom");
		else if ((e = write_secret(dir, state_dir, secret, m)) == ERR_OK)
			e = read_secret(dir, state_dir, secret, m);
	}
	close(dir);
	return e;
}

/* The copy is where the next start looks when the state directory is lost while VMs run. */
static void
copy_keep(int run, const char *run_dir, const struct mapping_secret *secret)
{
	struct mapping_secret copy;
	struct errmsg m;

	if (read_secret(run, run_dir, &copy, NULL) == ERR_OK &&
	    memcmp(&copy, secret, sizeof(copy)) == 0)
		return;
	/* what cannot be removed cannot be written either, which is said */
	(void)unlinkat(run, NAME, 0);
	if (write_secret(run, run_dir, secret, &m) != ERR_OK)
		log_warn("a copy of the host secret is missing: %s", m.text);
}

enum err
mapping_secret_keep(const char *state_dir, const char *run_dir, struct mapping_secret *secret,
    struct errmsg *m)
{
	int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int run = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct errmsg why;
	enum err e;

	e = state != -1 ? read_secret(state, state_dir, secret, m) : ERR_MISSING;
	if (e == ERR_MISSING && run != -1 && read_secret(run, run_dir, secret, NULL) == ERR_OK) {
		log_warn("%s/" NAME " is lost, the copy of this boot is taken: MAC addresses stay "
		    "as they were", state_dir);
		e = state != -1 ? write_secret(state, state_dir, secret, &why) :
		    err_set(&why, ERR_MISSING, "%s: cannot be opened", state_dir);
		if (e != ERR_OK)
			log_warn("it is not stored, and MAC addresses will change with the next "
			    "boot of this host: %s", why.text);
		e = ERR_OK;
	} else if (e == ERR_MISSING) {
		e = mapping_secret_load(state_dir, secret, m);
	}
	if (e == ERR_OK && run != -1)
		copy_keep(run, run_dir, secret);
	if (state != -1)
		close(state);
	if (run != -1)
		close(run);
	return e;
}
