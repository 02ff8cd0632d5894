/* scan: the text of jitsu.conf, before libconfuse sees it. */
#include <string.h>

#include "src/config/impl.h"

enum scan_state {
	SCAN_PLAIN, SCAN_WORD, SCAN_LINE_COMMENT, SCAN_COMMENT, SCAN_DOUBLE, SCAN_SINGLE
};

static enum scan_state
scan_plain(const char *p, enum scan_state now)
{
	switch (*p) {
	case '"':
		return SCAN_DOUBLE;
	case '\'':
		return SCAN_SINGLE;
	case '#':
		return SCAN_LINE_COMMENT;
	case '/':
		if (now == SCAN_PLAIN && (p[1] == '/' || p[1] == '*'))
			return p[1] == '/' ? SCAN_LINE_COMMENT : SCAN_COMMENT;
		return SCAN_WORD;
	default:
		return strchr(" \t\r\n={}(),+", *p) != NULL ? SCAN_PLAIN : SCAN_WORD;
	}
}

/* The state after the character at *p; moves *p over what belongs to it. */
static enum scan_state
scan_next(const char **p, enum scan_state now)
{
	const char *s = *p;

	switch (now) {
	case SCAN_LINE_COMMENT:
		return *s == '\n' ? SCAN_PLAIN : now;
	case SCAN_COMMENT:
		if (s[0] != '*' || s[1] != '/')
			return now;
		(*p)++;
		return SCAN_PLAIN;
	case SCAN_DOUBLE:
	case SCAN_SINGLE:
		if (s[0] == '\\' && s[1] != '\0' && s[1] != '\n')
			(*p)++;
		return *s == (now == SCAN_DOUBLE ? '"' : '\'') ? SCAN_PLAIN : now;
	default:
		now = scan_plain(s, now);
		if (now == SCAN_COMMENT)
			(*p)++;
		return now;
	}
}

/* Braces outside quotes and comments; libconfuse would not miss a closing one at the end. */
struct scan_braces {
	unsigned depth;
	unsigned lines[8];   /* where the outermost were opened; deeper ones are errors anyway */
};

static void
scan_brace(struct scan_braces *b, char c, unsigned line)
{
	if (c == '{') {
		if (b->depth < sizeof(b->lines) / sizeof(b->lines[0]))
			b->lines[b->depth] = line;
		b->depth++;
	} else if (c == '}' && b->depth > 0) {
		b->depth--;
	}
}

/*
 * libconfuse replaces ${x} from the environment, in double quotes too; what a daemon does must not
 * depend on who started it.  An end of file inside a string would confuse its lexer for the next
 * load, and it stops reading at a NUL.  So all that is refused here.
 */
void
config_scan(struct config_loader *l, const char *text, size_t len)
{
	enum scan_state state = SCAN_PLAIN;
	struct scan_braces braces = { 0 };
	unsigned line = 1, opened = 0;

	for (const char *p = text; p < text + len; p++) {
		enum scan_state before = state;

		if ((unsigned char)*p < 0x20 && strchr("\t\r\n", *p) == NULL) {
			config_found(l, line, "control character \\%03o; only text is accepted",
			    (unsigned char)*p);
			return;
		}
		if (*p == '\0') {
			config_found(l, line, "a NUL byte; only text is accepted");
			return;
		}
		if (p[0] == '$' && p[1] == '{' && state != SCAN_LINE_COMMENT &&
		    state != SCAN_COMMENT && state != SCAN_SINGLE)
			config_found(l, line,
			    "\"%.*s\": ${...} is not accepted, since it would be replaced from the "
			    "environment; where the text is wanted, write it in single quotes",
			    (int)strcspn(p, "\n}") + (p[strcspn(p, "\n}")] == '}'), p);
		if (state <= SCAN_WORD)
			scan_brace(&braces, *p, line);
		state = scan_next(&p, state);
		if (state != before && state >= SCAN_COMMENT)
			opened = line;
		line += *p == '\n';
	}
	if (state >= SCAN_COMMENT)
		config_found(l, opened, "a %s begins here and has no end",
		    state == SCAN_COMMENT ? "comment" : "string in quotes");
	else if (braces.depth > 0)
		config_found(
		    l, braces.lines[0], "the { that is opened here is not closed; a } is missing");
}
