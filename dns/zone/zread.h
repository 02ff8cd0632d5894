/*
 * zread: a master file's entries, one at a time (RFC 1035 section 5.1).
 *
 * Comments are gone, parentheses are joined, white space outside of strings is one blank, and a
 * blank in front stands for "the previous owner".  Quotes and backslashes stay as they are.
 */
#ifndef DNS_ZONE_ZREAD_H
#define DNS_ZONE_ZREAD_H

#include <stdbool.h>
#include <stddef.h>

struct zbudget;

struct zreader {
	int fd;                /* not owned */
	bool eof;
	struct zbudget *budget;    /* counts what is read, and ends the file when it is spent */
	unsigned line;         /* of the next byte */
	size_t pos, end;
	char buf[32768];
};

enum zread {
	ZREAD_ENTRY,
	ZREAD_END,
	ZREAD_BAD              /* `why` says what; reading goes on behind it */
};

void zread_init(struct zreader *r, int fd, struct zbudget *budget);

/*
 * The next entry, terminated, into entry[cap]; *line is where it begins, or where a quote or
 * parenthesis without end was opened.
 */
enum zread zread_next(struct zreader *r, char *entry, size_t cap, size_t *len, unsigned *line,
    const char **why);

#endif
