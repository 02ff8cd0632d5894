/*
 * zparse: master files (RFC 1035 section 5) into records; the directives are $ORIGIN, $TTL and
 * $INCLUDE, with their scopes.
 *
 * Findings go to a struct report with file and line, and parsing goes on behind them.
 */
#ifndef DNS_ZONE_ZPARSE_H
#define DNS_ZONE_ZPARSE_H

#include <stdint.h>

#include "base/err.h"
#include "dns/zimage/name.h"
#include "dns/zone/zbudget.h"

struct zparse_rr {
	uint8_t owner[DNS_WIRE_NAME];      /* lower case */
	size_t owner_len;
	uint16_t type;
	uint32_t ttl;
	const uint8_t *rdata;              /* checked; names uncompressed, in the file's case */
	size_t rdlen;
	const char *file;                  /* lives as long as the struct zparse */
	unsigned line;
};

struct zparse_ops {
	void (*record)(void *arg, const struct zparse_rr *rr);
	void *record_arg;
	/*
	 * Opens a file for $INCLUDE; the path is as written.  The descriptor becomes the parser's,
	 * *shown (false before) as for zparse_file.  -1 with the reason in `why`.
	 */
	int (*include)(void *arg, const char *path, bool *shown, struct errmsg *why);
	void *include_arg;
	struct zbudget *budget;    /* when it is spent, parsing ends with one finding */
};

struct zparse;

/* `origin` is text, absolute or not; `wire` gets it in lower case.  NULL: no name, `m` says. */
struct zparse *zparse_new(const char *origin, struct report *r, uint8_t wire[DNS_WIRE_NAME],
    size_t *len, struct errmsg *m);
void zparse_free(struct zparse *p);

/*
 * Parses one file from its current position; fd stays the caller's.  Findings quote its text where
 * that is no secret (shown), else behind its first record or directive.  ERR_PARSE when something
 * was found in it.
 */
enum err zparse_file(struct zparse *p, int fd, const char *file, bool shown,
    const struct zparse_ops *ops);

/*
 * zread.c: a master file's entries, one at a time (RFC 1035 section 5.1).  Comments are gone,
 * parentheses are joined, white space outside of strings is one blank, and a blank in front stands
 * for "the previous owner".  Quotes and backslashes stay as they are.
 */
struct zreader {
	int fd;                /* not owned */
	bool eof;
	struct zbudget *budget;    /* counts what is read, and ends the file when it is spent */
	unsigned line;         /* of the next byte; 1 at first, all that follows 0 */
	size_t pos, end;
	char buf[32768];
};

enum zread { ZREAD_ENTRY, ZREAD_END, ZREAD_BAD };

/*
 * The next entry, terminated, into entry[cap]; *line is where it begins, or where a quote or
 * parenthesis without end was opened.  ZREAD_BAD: `why` says what; reading goes on behind it.
 */
enum zread zread_next(struct zreader *r, char *entry, size_t cap, size_t *len, unsigned *line,
    const char **why);

/*
 * zquick.c: reads `OWNER [TTL] [IN] A|AAAA ADDRESS`, as zread_next gives it, into *rr, whose TTL is
 * that of records without.  OWNER is letters, digits, `-` and `_`, and relative names stand below
 * origin[0..origin_len), which is lower case; TTL is seconds.  False for everything else, right or
 * wrong: that is for the general parser.
 */
bool zquick_read(const char *entry, const uint8_t *origin, size_t origin_len, struct zparse_rr *rr,
    uint8_t rdata[16]);

#endif
