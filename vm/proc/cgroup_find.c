/* cgroup_find: reads /proc/self/cgroup and /proc/self/mountinfo (proc_pid_mountinfo(5)). */
#include "vm/proc/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define USUAL_PLACE "/sys/fs/cgroup"

/* One line of mountinfo. */
struct mount {
	unsigned major, minor;
	char *root;                /* the part of the hierarchy that is mounted */
	char *at;
	char *type, *options;      /* of the file system */
};

bool
cgroup_has_word(const char *list, const char *word, const char *separators)
{
	size_t len = strlen(word);

	for (const char *p = list; *p != '\0'; p += strspn(p, separators)) {
		size_t n = strcspn(p, separators);

		if (n == len && strncmp(p, word, len) == 0)
			return true;
		p += n;
	}
	return false;
}

/* Our path in the hierarchy, from lines "4:memory:/path"; "" for its root. */
static bool
own_path(const char *self, const char *controller, char *path, size_t size)
{
	char line[PATH_MAX];
	bool found = false;
	FILE *f = fopen(self, "re");

	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		char *names = strchr(line, ':'), *where;

		if (names == NULL || (where = strchr(names + 1, ':')) == NULL)
			continue;
		*where++ = '\0';
		names++;
		where[strcspn(where, "\n")] = '\0';
		if (controller[0] == '\0' ? names[0] == '\0' : cgroup_has_word(names, controller,
		    ","))
			found = (size_t)snprintf(path, size, "%s", strcmp(where, "/") == 0 ?
			    "" : where) < size;
	}
	fclose(f);
	return found;
}

/* Spaces and backslashes stand as \040 and \134 in paths. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool
mount_parse(char *line, struct mount *m)
{
	enum { DEVICE = 2, ROOT = 3, AT = 4, LEAST = 6 };
	char *fields[LEAST], *word, *save = NULL, *behind = strstr(line, " - ");
	unsigned n = 0;

	if (behind == NULL)
		return false;
	*behind = '\0';
	for (word = strtok_r(line, " ", &save); word != NULL && n < LEAST;
	    word = strtok_r(NULL, " ", &save))
		fields[n++] = word;
	if (n < LEAST || sscanf(fields[DEVICE], "%u:%u", &m->major, &m->minor) != 2)
		return false;
	m->root = fields[ROOT];
	m->at = fields[AT];
	m->type = strtok_r(behind + 3, " ", &save);
	word = strtok_r(NULL, " ", &save);   /* the source, which may be any word */
	m->options = strtok_r(NULL, " \n", &save);
	if (m->type == NULL || word == NULL || m->options == NULL)
		return false;
	unescape(m->root);
	unescape(m->at);
	return true;
}

static bool
is_hierarchy(const struct mount *m, const char *controller)
{
	if (controller[0] == '\0')
		return strcmp(m->type, "cgroup2") == 0;
	return strcmp(m->type, "cgroup") == 0 && cgroup_has_word(m->options, controller, ",");
}

static bool
is_reached(const struct mount *m)
{
	struct stat st;

	return stat(m->at, &st) == 0 && S_ISDIR(st.st_mode) && major(st.st_dev) == m->major &&
	    minor(st.st_dev) == m->minor;
}

/* Our path below what is mounted, or NULL when that is another part of the hierarchy. */
static const char *
path_below(const char *path, const char *root)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	return strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0') ? path + n : NULL;
}

static bool
is_usual(const char *at)
{
	size_t n = strlen(USUAL_PLACE);

	return strncmp(at, USUAL_PLACE, n) == 0 && (at[n] == '/' || at[n] == '\0');
}

/* Writes where our group is by this mount.  False: it is not there, or the path is too long. */
static bool
group_dir(const struct mount *m, const char *path, char *dir, size_t size, bool *ours)
{
	const char *below = path_below(path, m->root);
	struct stat st;

	*ours = below != NULL && (size_t)snprintf(dir, size, "%s%s", m->at, below) < size &&
	    stat(dir, &st) == 0;
	/* In a container the path may be the host's, of which only the end is mounted. */
	return *ours || (size_t)snprintf(dir, size, "%s", m->at) < size;
}

bool
cgroup_find(const char *self, const char *mounts, const char *controller, char *dir, size_t size)
{
	char path[PATH_MAX / 2], found[PATH_MAX], *line = NULL;
	size_t cap = 0, best_len = 0;
	int best = -1;
	FILE *f;

	if (!own_path(self, controller, path, sizeof(path)) || (f = fopen(mounts, "re")) == NULL)
		return false;
	while (getline(&line, &cap, f) > 0) {
		struct mount m;
		bool ours;
		int rank;

		if (!mount_parse(line, &m) || !is_hierarchy(&m, controller) || !is_reached(&m) ||
		    !group_dir(&m, path, found, sizeof(found), &ours))
			continue;
		rank = 2 * ours + is_usual(m.at);
		if (rank < best || (rank == best && strlen(m.at) >= best_len) ||
		    strlen(found) >= size)
			continue;
		best = rank;
		best_len = strlen(m.at);
		memcpy(dir, found, strlen(found) + 1);
	}
	free(line);
	fclose(f);
	return best >= 0;
}
