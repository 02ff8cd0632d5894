/* secret: the host's secret in the state directory, made once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/mapping.h"

#define NAME "secret"
#define NAME_NEW "secret.new"

/* Written whole under another name first: a crash leaves no half a secret. */
static enum err
make(int dir, const char *state_dir, struct mapping_secret *secret, struct errmsg *m)
{
	int fd = openat(dir, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e = ERR_OK;

	if (fd == -1)
		return err_sys(m, "%s/" NAME_NEW ": cannot be made", state_dir);
	if (getrandom(secret->key, sizeof(secret->key), 0) != (ssize_t)sizeof(secret->key))
		e = err_sys(m, "getrandom");
	else if (write(fd, secret->key, sizeof(secret->key)) != (ssize_t)sizeof(secret->key) || fsync(fd) == -1)
		e = err_sys(m, "%s/" NAME_NEW ": cannot be written", state_dir);
	/* link fails where another process was first; its secret counts. */
	else if (linkat(dir, NAME_NEW, dir, NAME, 0) == -1 && errno != EEXIST)
		e = err_sys(m, "%s/" NAME ": cannot be made", state_dir);
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
		return errno == ENOENT ? ERR_MISSING : err_sys(m, "%s/" NAME ": cannot be read", state_dir);
	if (fstat(fd, &st) == -1)
		e = err_sys(m, "%s/" NAME, state_dir);
	else if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(secret->key) || (st.st_mode & 077) != 0)
		e = err_set(m, ERR_PARSE, "%s/" NAME ": must be a file of %zu bytes that only its owner may read; remove it to get a new one, which "
		    "changes the MAC addresses", state_dir, sizeof(secret->key));
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
		e = make(dir, state_dir, secret, m);
		if (e == ERR_OK)
			e = read_secret(dir, state_dir, secret, m);
	}
	close(dir);
	return e;
}
