/*
 * err: one error enum for the whole project, and messages made where the facts are.
 *
 * Every fallible function returns an `enum err`; 0 is success.  What a person needs in order to
 * mend it (file, line, object, the offending text, what would be right) is written once, by the
 * function that knows it, into the caller's `struct errmsg`, and passed up unchanged.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A parameter that the type of a callback has, and this function has no use for. */
#define UNUSED __attribute__((unused))

enum err {
	ERR_OK = 0,
	ERR_NOMEM,       /* an allocation failed */
	ERR_IO,          /* a system call failed; the message has strerror(3) */
	ERR_PARSE,       /* malformed input; the message has file, line and text */
	ERR_RANGE,       /* well-formed, but out of the accepted bounds */
	ERR_LIMIT,       /* a bound of limits.h or of the configuration is reached */
	ERR_EXISTS,      /* it is there already */
	ERR_MISSING,     /* it is not there */
	ERR_PERM,        /* not allowed */
	ERR_STATE,       /* not possible in this state */
	ERR_PROTO,       /* the other side of a channel or socket talks nonsense */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_UNSUPPORTED, /* this build, machine or driver cannot do it */
	ERR_COUNT
};

/* A short fixed phrase for a code, without the particulars; never NULL. */
const char *err_str(enum err e);
/* One line for a person: no newline at the end, cut at its size, control characters escaped. */
struct errmsg {
	char text[1024];
};

/* Writes the line and returns `e`: `return err_set(m, ERR_IO, "...")`.  `m` may be NULL. */
enum err err_set(struct errmsg *m, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * As err_set, with ": " and strerror(errno) behind; ERR_NOMEM for ENOMEM, ERR_PERM for EPERM and
 * EACCES, else ERR_IO.
 */
enum err err_sys(struct errmsg *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Many findings of one run (a configuration, a zone): each is one line `file:line: text`.
 * Reporting never fails; beyond LIMIT_REPORT_LINES only the count goes up.  Only errors make what
 * was looked at wrong; warnings do not.
 */
struct report_line {
	char *file;      /* owned; NULL when there is none */
	unsigned line;   /* 0 when there is none */
	char *text;      /* owned */
	bool warning;
};

struct report {
	struct report_line *lines;
	size_t nlines;      /* kept: errors, and warnings among them */
	size_t nerrors;     /* found, kept or not */
	size_t nwarnings;   /* the same */
	bool wants_zone_warnings;   /* set by who checks; a load does not look for them */
	bool wants_host_findings;   /* set by who checks for the host that it is on */
};

void report_init(struct report *r);
void report_clear(struct report *r);   /* frees the lines; it is empty again */
/* Adds an error, escaped as in an errmsg.  Always ERR_PARSE, for `return report_add(...)`. */
enum err report_add(struct report *r, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
enum err report_vadd(struct report *r, const char *file, unsigned line, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
/* Adds a warning, likewise. */
void report_warn(struct report *r, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void report_vwarn(struct report *r, const char *file, unsigned line, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
/* Errors that are not among the lines. */
size_t report_errors_left_out(const struct report *r);
/* Formats line `i` as `file:line: text`; of a warning the text begins with `warning: `. */
void report_format(const struct report *r, size_t i, char *buf, size_t size);
/* Copies `src` into dst[size]; what is not printable ASCII, and `\`, becomes \ooo; terminated. */
void text_escape(char *dst, size_t size, const char *src, size_t len);
/* Likewise, `\` as it is: for what is escaped already, or only shown. */
void text_show(char *dst, size_t size, const char *src, size_t len);
/* Adds an item to the list in dst[size], behind `between` unless it is the first; cut at `size`. */
void text_join(char *dst, size_t size, const char *between, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
