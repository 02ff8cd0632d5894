/*
 * zonefile: opens the files of a zone, for whoever reads them.
 *
 * A path is walked step by step, so that nobody has a file read that he may not read himself: who
 * chose what it leads to (writers.h) must be able to search each directory from there on, and to
 * read what is opened.  What is judged is what was opened, not a name that may change meanwhile.
 * An error tells nothing of directories that those who chose may not search.
 */
#ifndef BASE_ZONEFILE_H
#define BASE_ZONEFILE_H

#include "base/err.h"
#include "base/writers.h"

struct zonefile {
	int fd;
	bool shown;   /* any user may read it, or we are not root: its text is no secret */
};

/*
 * Regular files, for reading; anything else could block or change under us, and is not opened.  The
 * descriptor is the caller's.  `w`, of one zone, gets those who had a say in the path and those who
 * may write the file: they choose what it includes.  On an error f->fd is -1, and `m` says why.
 */
enum err zonefile_open(struct zonefile *f, const char *path, struct writers *w, struct errmsg *m);

/*
 * A file that the zone in `zone_file` includes, relative to that file's directory or with its path
 * before it; not below that directory, it is not opened.  `w`: from the zone's files before.  *full
 * (NULL when memory is short) is its whole path, the caller's.
 */
enum err zonefile_open_include(struct zonefile *f, const char *zone_file, const char *path,
    struct writers *w, char **full, struct errmsg *m);
/* A directory of zones, to be listed; the descriptor is the caller's.  -1: `m` says why. */
int zonefile_open_dir(const char *path, struct errmsg *m);

#endif
