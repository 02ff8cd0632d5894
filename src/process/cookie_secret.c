/* cookie_secret: the secrets of DNS cookies. */
#include "src/process/cookie_secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"

#define FILE_MOST 4096

static enum err
parse(const char *path, const char *text, size_t len, struct msg_cookies *s, struct errmsg *m)
{
	unsigned line = 0;

	s->n = 0;
	for (size_t at = 0, next; at < len; at = next) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - text) - at : len - at;

		next = at + n + 1;
		line++;
		while (n > 0 && (text[at + n - 1] == ' ' || text[at + n - 1] == '\t' ||
		    text[at + n - 1] == '\r'))
			n--;
		if (n == 0 || text[at] == '#')
			continue;
		/* What stands there is secret: it is not quoted. */
		if (s->n == MSG_COOKIE_SECRETS)
			return err_set(m, ERR_PARSE,
			    "%s:%u: one more secret; at most %d are accepted", path, line,
			    MSG_COOKIE_SECRETS);
		if (n != 2 * MSG_COOKIE_SECRET ||
		    !hex_read(text + at, s->secret[s->n], MSG_COOKIE_SECRET))
			return err_set(m, ERR_PARSE,
			    "%s:%u: this is no secret: %d hexadecimal digits are accepted", path,
			    line, 2 * MSG_COOKIE_SECRET);
		s->n++;
	}
	return s->n > 0 ? ERR_OK : err_set(m, ERR_PARSE, "%s: there is no secret in it", path);
}

enum err
cookie_secrets_read(const char *path, struct msg_cookies *s, struct errmsg *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[FILE_MOST];
	struct stat st;
	ssize_t n;
	enum err e;

	memset(s, 0, sizeof(*s));
	if (fd < 0)
		return err_sys(m, "%s", path);
	if (fstat(fd, &st) != 0)
		e = err_sys(m, "%s", path);
	else if (!S_ISREG(st.st_mode))
		e = err_set(m, ERR_PARSE, "%s: is not a regular file", path);
	else if ((st.st_mode & 07) != 0)
		e = err_set(m, ERR_PARSE,
		    "%s: others than its owner and group have access to it: chmod o= %s", path,
		    path);
	else if ((n = read(fd, text, sizeof(text))) < 0)
		e = err_sys(m, "%s", path);
	else if (n == (ssize_t)sizeof(text))
		e = err_set(m, ERR_PARSE, "%s: is longer than %d bytes", path, FILE_MOST - 1);
	else
		e = parse(path, text, (size_t)n, s, m);
	explicit_bzero(text, sizeof(text));
	close(fd);
	return e;
}

enum err
cookie_secrets_make(struct msg_cookies *s, struct errmsg *m)
{
	*s = (struct msg_cookies){ .n = 1 };
	if (getrandom(s->secret[0], sizeof(s->secret[0]), 0) != (ssize_t)sizeof(s->secret[0]))
		return err_sys(m, "getrandom");
	return ERR_OK;
}
