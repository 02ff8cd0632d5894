/* config: a configuration is loaded, held, and freed. */
#include "src/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "src/config/impl.h"

static void
set_paths(struct config_loader *l, const char *path)
{
	char cwd[PATH_MAX];
	struct config *c = l->conf;
	const char *slash;

	if (path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		cwd[0] = '\0';
	c->path = arena_printf(&l->arena, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path);
	slash = strrchr(c->path, '/');
	c->dir = arena_strndup(
	    &l->arena, c->path, slash == c->path ? 1 : (size_t)(slash - c->path));
}

enum err
config_load_text(const char *path, const char *shown, const char *text, size_t len,
    struct config **conf, struct report *r)
{
	struct config_loader l = { .report = r, .file = shown != NULL ? shown : path };
	size_t before = r->nerrors;
	char *copy;

	l.tail = &l.raws;
	l.conf = arena_alloc(&l.arena, sizeof(*l.conf));
	set_paths(&l, path);
	copy = arena_strndup(&l.scratch, text, len);
	config_scan(&l, copy, len);
	l.conf->text = arena_strndup(&l.arena, text, len);
	l.conf->text_len = len;
	if (r->nerrors == before && config_read(&l, copy))
		config_build(&l);
	arena_clear(&l.scratch);
	if (r->nerrors != before) {
		*conf = NULL;
		arena_clear(&l.arena);
		return ERR_PARSE;
	}
	l.conf->arena = mem_copy(&l.arena, sizeof(l.arena));
	*conf = l.conf;
	return ERR_OK;
}

/* The whole of a regular file, malloc'd. */
static enum err
read_file(const char *path, char **text, size_t *len, struct errmsg *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err e = ERR_OK;
	struct stat st;
	size_t used = 0;
	ssize_t n = 0;

	*text = NULL;
	if (fd == -1 || fstat(fd, &st) == -1) {
		e = err_sys(m, "cannot be read");
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > LIMIT_CONFIG_BYTES) {
		e = err_set(
		    m, ERR_RANGE, "is no regular file of at most %d bytes", LIMIT_CONFIG_BYTES);
		goto out;
	}
	*text = mem_zero((size_t)st.st_size + 1, 1);
	while ((n = TEMP_FAILURE_RETRY(read(fd, *text + used, (size_t)st.st_size - used))) > 0)
		used += (size_t)n;
	if (n == -1)
		e = err_sys(m, "cannot be read");
	*len = used;
out:
	if (fd != -1)
		close(fd);
	return e;
}

/* Follows the links of the path at each load: what is read lies together, what moved is seen. */
enum err
config_load(const char *path, struct config **conf, struct report *r)
{
	char *real = realpath(path, NULL);
	const char *at = real != NULL ? real : path;   /* read_file says what is wrong */
	struct errmsg m;
	char *text;
	size_t len = 0;
	enum err e = read_file(at, &text, &len, &m);

	*conf = NULL;
	if (e != ERR_OK)
		(void)report_add(r, path, 0, "%s", m.text);   /* always ERR_PARSE */
	else
		e = config_load_text(at, path, text, len, conf, r);
	free(text);
	free(real);
	return e;
}

struct config *
config_ref(const struct config *conf)
{
	struct config *c = (struct config *)(uintptr_t)conf;   /* only `refs` changes */

	c->refs++;
	return c;
}

struct dns_zone_limits
config_zone_limits(const struct config *conf)
{
	return (struct dns_zone_limits){ .memory_bytes = conf->limits.zone_memory_bytes,
		.time_ms = conf->limits.zone_time_ms };
}

void
config_free(struct config *conf)
{
	struct arena *arena;

	if (conf == NULL || conf->refs-- > 0)
		return;
	arena = conf->arena;
	arena_clear(arena);
	free(arena);
}
