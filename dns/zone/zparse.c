/* zparse: master files into records. */
#include "dns/zone/zparse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "dns/zimage/rdata.h"
#include "dns/zone/zrdata.h"

#define DEFAULT_TTL 3600        /* for a zone without $TTL, as other servers have it */
#define TTL_MAX 0x7fffffffu     /* RFC 2181 section 8 */
#define TYPE_CAA 257
#define QUOTE_MAX 120           /* of an offending record in a finding */
#define NOT_SHOWN \
	"the text is not shown, as not everybody may read the file and no line before it was right"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct name {
	uint8_t wire[DNS_WIRE_NAME];
	size_t len;
};

struct zparse {
	struct report *report;
	struct name origin;        /* of the zone */
	char entry[LIMIT_RECORD_TEXT];
	uint8_t rdata[ZRDATA_MAX];
	struct arena files;        /* names that were parsed, for findings */
	unsigned nfiles;
	const struct zparse_ops *ops;
	bool spent;                /* the budget, and that was said */
};

/* Where in which file, and what holds there. */
struct scope {
	struct zparse *p;
	const char *file;
	unsigned line;
	unsigned depth;            /* of $INCLUDE */
	struct name origin;        /* in the case that it was written in */
	struct name origin_low;
	struct name last;          /* the last owner, lower case; the origin at first */
	uint32_t ttl;
	size_t nerrors;
	bool shown;                /* its text is no secret, or it is a zone: an entry was right */
};

/*
 * A finding.  With text of the file in it, there is `plain`, which has none: a file that was made a
 * zone by mistake or by a link, such as a key, does not begin with an entry that is right.
 */
static void __attribute__((format(printf, 3, 4)))
found(struct scope *s, const char *plain, const char *fmt, ...)
{
	va_list ap;

	s->nerrors++;
	if (plain != NULL && !s->shown) {
		(void)report_add(s->p->report, s->file, s->line, "%s; " NOT_SHOWN, plain);
		return;
	}
	va_start(ap, fmt);
	(void)report_vadd(s->p->report, s->file, s->line, fmt, ap);   /* always ERR_PARSE */
	va_end(ap);
}

struct zparse *
zparse_new(const char *origin, struct report *r, uint8_t wire[DNS_WIRE_NAME], size_t *len,
    struct errmsg *m)
{
	struct zparse *p = mem_zero(1, sizeof(*p));
	char why[200];

	p->report = r;
	p->origin.len = zfield_parse_name(origin, strlen(origin), (const uint8_t *)"", 1,
	    p->origin.wire, why, sizeof(why));
	if (p->origin.len == 0) {
		(void)err_set(m, ERR_PARSE, "%s", why);
		zparse_free(p);
		return NULL;
	}
	*len = p->origin.len;
	dns_name_lower(wire, p->origin.wire, *len);
	return p;
}

void
zparse_free(struct zparse *p)
{
	arena_clear(&p->files);
	free(p);
}

/* A copy of a file's name that lives as long as the parser. */
static const char *
keep_file(struct zparse *p, const char *file)
{
	p->nfiles++;
	return arena_strdup(&p->files, file);
}

/* ---- tokens ---- */

static bool
is_class(const char *t)
{
	return ztoken_is(t, "IN") || ztoken_is(t, "CH") || ztoken_is(t, "HS") ||
	    ztoken_is(t, "CS") || (strncasecmp(t, "CLASS", 5) == 0 && isdigit((unsigned char)t[5]));
}

static void
set_origin(struct scope *s, const struct name *origin)
{
	s->origin = *origin;
	s->origin_low.len = origin->len;
	dns_name_lower(s->origin_low.wire, origin->wire, origin->len);
}

/* The name t[0..len), relative to this origin; false after a finding, with `plain` as there. */
static bool
parse_name(struct scope *s, const char *t, size_t len, const struct name *origin,
    const char *plain, struct name *name)
{
	char why[200];

	name->len = zfield_parse_name(t, len, origin->wire, origin->len, name->wire, why,
	    sizeof(why));
	if (name->len == 0)
		found(s, plain, "%s", why);
	return name->len > 0;
}

/* ---- directives ---- */

static void
directive_origin(struct scope *s, char *argv[2])
{
	struct name name;

	if (parse_name(s, argv[0], strlen(argv[0]), &s->origin, NULL, &name))
		set_origin(s, &name);
}

static void
directive_ttl(struct scope *s, char *argv[2])
{
	if (!ztoken_ttl(argv[0], strlen(argv[0]), TTL_MAX, &s->ttl))
		found(s, NULL, "$TTL `%s': expected seconds, or numbers with s, m, h, d or w, up "
		    "to %u seconds in all", argv[0], TTL_MAX);
}

/* Takes quotes off, in place. */
static void
unquote(char *t)
{
	size_t n = strlen(t);

	if (n >= 2 && t[0] == '"' && t[n - 1] == '"') {
		memmove(t, t + 1, n - 2);
		t[n - 2] = '\0';
	}
}

static enum err parse_scope(struct scope *s, int fd);

/* The included file has its own origin and last owner; $TTL goes on into it and stays. */
static void
directive_include(struct scope *s, char *argv[2])
{
	struct scope inner = { .p = s->p, .depth = s->depth + 1, .ttl = s->ttl };
	struct name origin = s->origin;
	struct errmsg why = { "" };
	int fd;

	unquote(argv[0]);
	if (inner.depth > LIMIT_INCLUDE_DEPTH || s->p->nfiles > LIMIT_INCLUDES) {
		found(s, NULL, "$INCLUDE %s: more than %d files deep, or more than %d files in "
		    "all; does it include itself?", argv[0], LIMIT_INCLUDE_DEPTH, LIMIT_INCLUDES);
		return;
	}
	if (argv[1] != NULL &&
	    !parse_name(s, argv[1], strlen(argv[1]), &s->origin, NULL, &origin))
		return;
	set_origin(&inner, &origin);
	inner.last = inner.origin_low;
	inner.file = keep_file(s->p, argv[0]);
	fd = s->p->ops->include(s->p->ops->include_arg, argv[0], &inner.shown, &why);
	if (fd < 0) {
		found(s, NULL, "$INCLUDE %s: %s", argv[0], why.text);
		return;
	}
	if (parse_scope(&inner, fd) != ERR_OK)
		s->nerrors++;
	close(fd);
}

static const struct directive {
	const char *name;
	unsigned least, most;
	void (*run)(struct scope *, char *argv[2]);
	const char *usage;
} directives[] = {
	{ "$ORIGIN", 1, 1, directive_origin, "$ORIGIN NAME" },
	{ "$TTL", 1, 1, directive_ttl, "$TTL TIME" },
	{ "$INCLUDE", 1, 2, directive_include, "$INCLUDE FILE [ORIGIN]" },
};

static void
parse_directive(struct scope *s, char *entry)
{
	char *argv[2] = { NULL, NULL };
	const struct directive *d = NULL;
	unsigned argc = 0;

	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (ztoken_is(entry, directives[i].name))
			d = &directives[i];
	if (d == NULL) {
		found(s, "unknown directive; known are $ORIGIN, $TTL and $INCLUDE",
		    "unknown directive `%.*s'; known are $ORIGIN, $TTL and $INCLUDE",
		    (int)ztoken_len(entry), entry);
		return;
	}
	for (char *t = ztoken_next(entry), *after; *t != '\0' && argc <= d->most; t = after) {
		size_t n = ztoken_len(t);

		after = ztoken_next(t);
		t[n] = '\0';
		if (argc < d->most)
			argv[argc] = t;
		argc = n < LIMIT_NAME_TEXT ? argc + 1 : d->most + 1;
	}
	s->shown = true;   /* nothing but a master file has this word here */
	if (argc < d->least || argc > d->most)
		found(s, NULL, "usage: %s", d->usage);
	else
		d->run(s, argv);
}

/* ---- records ---- */

/* Most records of large zones; false: somebody has to look at it more closely. */
static bool
parse_quickly(struct scope *s, const char *entry)
{
	struct zparse_rr out = { .file = s->file, .line = s->line, .ttl = s->ttl };
	uint8_t rdata[16];

	if (!zquick_read(entry, s->origin_low.wire, s->origin_low.len, &out, rdata))
		return false;
	memcpy(s->last.wire, out.owner, out.owner_len);
	s->last.len = out.owner_len;
	s->shown = true;
	s->p->ops->record(s->p->ops->record_arg, &out);
	return true;
}

/* The owner at the beginning of an entry, which becomes the last one; false after a finding. */
static bool
parse_owner(struct scope *s, const char *entry)
{
	struct name name;

	if (*entry == ' ')
		return true;
	if (!parse_name(s, entry, ztoken_len(entry), &s->origin_low,
	    "the entry does not begin with a domain name", &name))
		return false;
	dns_name_lower(s->last.wire, name.wire, name.len);
	s->last.len = name.len;
	return true;
}

/* TTL and class, in any order or not there; *t is then the type.  False after a finding. */
static bool
parse_ttl_class(struct scope *s, char **t, uint32_t *ttl, const char *entry)
{
	bool has_ttl = false, has_class = false;

	for (;; *t = ztoken_next(*t)) {
		if (!has_ttl && isdigit((unsigned char)**t)) {
			has_ttl = true;
			if (ztoken_ttl(*t, ztoken_len(*t), TTL_MAX, ttl))
				continue;
			found(s, "an owner and something that is not a TTL", "`%.*s' is not a TTL: "
			    "expected seconds, or numbers with s, m, h, d or w, up to %u seconds "
			    "in all", ztoken_shown(ztoken_len(*t)), *t, TTL_MAX);
			return false;
		}
		if (has_class || !is_class(*t))
			return true;
		has_class = true;
		if (ztoken_is(*t, "IN") || ztoken_is(*t, "CLASS1"))
			continue;
		found(s, "only class IN is served", "only class IN is served: `%.*s'",
		    QUOTE_MAX, entry);
		return false;
	}
}

/* What the types need that people write by hand. */
static const struct {
	uint16_t type;
	const char *needs;
} hints[] = {
	{ DNS_T_A, "A needs an IPv4 address, such as 192.0.2.1" },
	{ DNS_T_AAAA, "AAAA needs an IPv6 address, such as 2001:db8::1" },
	{ TYPE_CAA, "CAA needs flags, a tag and a value, such as 0 issue \"ca.example.net\"" },
	{ DNS_T_CNAME, "CNAME needs one name" },
	{ DNS_T_DNAME, "DNAME needs one name" },
	{ DNS_T_HTTPS, "HTTPS needs a priority, a name and parameters, such as 1 . alpn=h2" },
	{ DNS_T_MX, "MX needs a preference and a name, such as 10 mail" },
	{ DNS_T_NS, "NS needs one name" },
	{ DNS_T_PTR, "PTR needs one name" },
	{ DNS_T_SOA, "SOA needs two names and five numbers: primary, mailbox, serial, refresh, "
	    "retry, expire, negative TTL" },
	{ DNS_T_SRV, "SRV needs three numbers and a name: priority, weight, port, target" },
	{ DNS_T_SVCB, "SVCB needs a priority, a name and parameters, such as 1 . alpn=h2" },
	{ DNS_T_TXT, "TXT needs texts of at most 255 characters each, with blanks in quotes" },
};

/* Data that its type does not have. */
static void
found_data(struct scope *s, uint16_t type, const char *why, const char *entry)
{
	const char *needs = NULL;
	char name[ZTYPE_TEXT], other[200];

	(void)snprintf(other, sizeof(other),   /* fits */
	    "this is no data of type %s; any data can be written as \\# LENGTH HEX",
	    ztype_text(type, name));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].type == type)
			needs = hints[i].needs;
	if (needs == NULL)
		needs = other;
	found(s, needs, "%s: `%.*s'; %s", why, QUOTE_MAX, entry, needs);
}

static void
parse_record(struct scope *s, char *entry)
{
	struct zparse_rr out = { .file = s->file, .line = s->line, .ttl = s->ttl };
	char *t = *entry == ' ' ? entry + 1 : ztoken_next(entry), why[200];

	if (!parse_owner(s, entry) || !parse_ttl_class(s, &t, &out.ttl, entry))
		return;
	if (*t == '\0') {
		found(s, "a type and its data are missing",
		    "a type and its data are missing: `%.*s'", QUOTE_MAX, entry);
		return;
	}
	if (!ztype_number(t, ztoken_len(t), &out.type)) {
		found(s, "there is no such record type",
		    "there is no record type \"%.*s\": `%.*s'; any type can be written as "
		    "TYPE65280 \\# LENGTH HEX",
		    ztoken_shown(ztoken_len(t)), t, QUOTE_MAX, entry);
		return;
	}
	if (!zrdata_read(out.type, ztoken_next(t), s->origin.wire, s->origin.len, s->p->rdata,
	        &out.rdlen, why, sizeof(why))) {
		found_data(s, out.type, why, entry);
		return;
	}
	memcpy(out.owner, s->last.wire, s->last.len);
	out.owner_len = s->last.len;
	out.rdata = s->p->rdata;
	s->shown = true;
	s->p->ops->record(s->p->ops->record_arg, &out);
}

/* Is the budget spent?  That is said once, where it happened. */
static bool
is_spent(struct scope *s)
{
	const struct zbudget *b = s->p->ops->budget;
	struct errmsg m;

	if (b->spent == ZBUDGET_LEFT)
		return false;
	s->nerrors++;
	if (!s->p->spent) {
		s->p->spent = true;
		(void)zbudget_err(b, &m);
		found(s, NULL, "%s", m.text);
	}
	return true;
}

static enum err
parse_scope(struct scope *s, int fd)
{
	struct zreader *r = mem_zero(1, sizeof(*r));
	bool first = true;
	const char *why;
	enum zread got;
	size_t len;

	r->fd = fd;
	r->budget = s->p->ops->budget;
	r->line = 1;
	for (;;) {
		got = zread_next(r, s->p->entry, LIMIT_RECORD_TEXT, &len, &s->line, &why);
		if (got == ZREAD_END || is_spent(s))
			break;
		if (first && strncmp(s->p->entry, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
			found(s, NULL, "the file begins with a byte order mark, which is not part "
			    "of a master file; save it as UTF-8 without one");
		else if (got == ZREAD_BAD)
			found(s, why, "%s: `%.*s'", why, QUOTE_MAX, s->p->entry);
		else if (s->p->entry[0] == '$')
			parse_directive(s, s->p->entry);
		else if (!parse_quickly(s, s->p->entry))
			parse_record(s, s->p->entry);
		first = false;
	}
	(void)is_spent(s);
	free(r);
	return s->nerrors > 0 ? ERR_PARSE : ERR_OK;
}

enum err
zparse_file(struct zparse *p, int fd, const char *file, bool shown, const struct zparse_ops *ops)
{
	struct scope s = { .p = p, .file = keep_file(p, file), .ttl = DEFAULT_TTL, .shown = shown };

	p->ops = ops;
	set_origin(&s, &p->origin);
	s.last = s.origin_low;
	return parse_scope(&s, fd);
}
