/* zread: entries of a master file. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dns/zone/zparse.h"

#define END_OF_FILE (-1)

static const char NO_END_QUOTE[] = "quote without its end on the line";

/* An unreadable file ends there; *why then says so. */
static int
fill(struct zreader *r, const char **why)
{
	ssize_t n;

	if (r->eof)
		return END_OF_FILE;
	do
		n = read(r->fd, r->buf, sizeof(r->buf));
	while (n < 0 && errno == EINTR);
	if (!zbudget_read(r->budget, n > 0 ? (uint64_t)n : 0))
		n = 0;
	if (n <= 0) {
		r->eof = true;
		if (n < 0)
			*why = strerror(errno);
		return END_OF_FILE;
	}
	r->pos = 0;
	r->end = (size_t)n;
	return (unsigned char)r->buf[0];
}

static inline int
peek(struct zreader *r, const char **why)
{
	return r->pos < r->end ? (unsigned char)r->buf[r->pos] : fill(r, why);
}

static inline int
next(struct zreader *r, const char **why)
{
	int c = peek(r, why);

	if (c == END_OF_FILE)
		return c;
	r->pos++;
	r->line += c == '\n';
	return c;
}

/* An entry on its way. */
struct entry {
	char *text;
	size_t len, cap;
	unsigned depth;        /* open parentheses */
	bool quoted;
	size_t blank;          /* its length behind the last blank between tokens */
	unsigned paren_line;   /* where the outermost parenthesis was opened */
	unsigned quote_line;   /* where the last quote was opened */
};

static void
add(struct entry *e, int c, const char **why)
{
	if (e->len + 1 < e->cap)
		e->text[e->len++] = (char)c;
	else
		*why = "longer than any record can be";
}

static void
add_blank(struct entry *e, const char **why)
{
	if (e->len > 0 && e->blank == e->len)
		return;
	add(e, ' ', why);
	e->blank = e->len;
}

static void
trim(struct entry *e)
{
	if (e->len > 0 && e->blank == e->len)
		e->len--;
}

static void
skip_comment(struct zreader *r, const char **why)
{
	int c;

	while ((c = peek(r, why)) != END_OF_FILE && c != '\n')
		r->pos++;
}

/* A byte that means something outside quotes. */
static void
add_unquoted(struct zreader *r, struct entry *e, int c, const char **why)
{
	if (c == ';') {
		skip_comment(r, why);
		return;
	}
	if (c == '(' && e->depth == 0)
		e->paren_line = r->line;
	if (c == ')' && e->depth == 0)
		*why = "`)' without `('";
	else if (c == '(' || c == ')')
		e->depth += c == '(' ? 1u : -1u;
	add_blank(e, why);
}

/* One byte into the entry; false when it ended the entry. */
static bool
add_byte(struct zreader *r, struct entry *e, int c, const char **why)
{
	switch (c) {
	case '\n':
		if (e->quoted)
			*why = NO_END_QUOTE;
		if (e->quoted || e->depth == 0)
			return false;
		add_blank(e, why);
		break;
	case '\\':
		add(e, c, why);
		c = peek(r, why);
		if (c == END_OF_FILE || c == '\n')
			*why = "nothing behind the backslash";
		else
			add(e, next(r, why), why);
		break;
	case '"':
		e->quoted = !e->quoted;
		if (e->quoted)
			e->quote_line = r->line;
		add(e, c, why);
		break;
	case '\0':
		*why = "NUL byte; is this a text file?";
		break;
	case ';': case '(': case ')': case ' ': case '\t': case '\r':
		if (!e->quoted) {
			add_unquoted(r, e, c, why);
			break;
		}
		/* fall through */
	default:
		add(e, c, why);
	}
	return true;
}

/* Reads up to the end of an entry or, false, of the file.  After an error *why is set. */
static bool
read_entry(struct zreader *r, struct entry *e, unsigned *line, const char **why)
{
	int c;

	while ((c = next(r, why)) != END_OF_FILE && *why == NULL) {
		if (add_byte(r, e, c, why))
			continue;
		if (*why != NULL)
			return true;
		trim(e);
		if (e->len > 0)
			return true;
		*line = r->line;   /* it was empty, or a comment */
	}
	if (*why != NULL && c != END_OF_FILE && c != '\n')
		skip_comment(r, why);
	return c != END_OF_FILE;
}

enum zread
zread_next(struct zreader *r, char *text, size_t cap, size_t *len, unsigned *line, const char **why)
{
	struct entry e = { .text = text, .cap = cap };

	*why = NULL;
	*line = r->line;
	if (!read_entry(r, &e, line, why) && *why == NULL && e.depth > 0 && !e.quoted) {
		*why = "`(' without `)' up to the end of the file";
		*line = e.paren_line;
	}
	if (e.quoted && *why == NULL)
		*why = NO_END_QUOTE;
	if (*why == NO_END_QUOTE)
		*line = e.quote_line;
	trim(&e);
	e.text[e.len] = '\0';
	*len = e.len;
	if (*why != NULL)
		return ZREAD_BAD;
	return e.len > 0 ? ZREAD_ENTRY : ZREAD_END;
}
