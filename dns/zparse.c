/* zparse: master files into records, with ldns. */
#include "dns/zparse.h"

#include <ctype.h>
#include <ldns/dname.h>
#include <ldns/error.h>
#include <ldns/rdata.h>
#include <ldns/rr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "dns/rdata.h"
#include "dns/svcb.h"
#include "dns/zdigest.h"
#include "dns/zfield.h"
#include "dns/zhint.h"
#include "dns/zquick.h"
#include "dns/zread.h"
#include "dns/ztoken.h"

#define DEFAULT_TTL 3600        /* for a zone without $TTL, as other servers have it */
#define TTL_MAX 0x7fffffffu     /* RFC 2181 section 8 */
#define TYPE_WKS 11
#define QUOTE_MAX 120           /* of an offending record in a finding */
#define RDATA_MAX 65535
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct zparse {
	struct report *report;
	ldns_rdf *origin;          /* of the zone */
	char *entry;               /* LIMIT_RECORD_TEXT */
	uint8_t *rdata;            /* RDATA_MAX */
	char **files;              /* names that were parsed, for findings */
	unsigned nfiles;
	const struct zparse_ops *ops;
};

/* Where in which file, and what holds there. */
struct scope {
	struct zparse *p;
	const char *file;
	unsigned line;
	unsigned depth;            /* of $INCLUDE */
	ldns_rdf *origin;          /* owned */
	ldns_rdf *prev;            /* the last owner, owned; NULL at first */
	uint8_t last[DNS_WIRE_NAME];   /* the last owner, when `prev` is an older one */
	size_t last_len;               /* 0: it is not */
	uint32_t ttl;
	size_t nerrors;
};

static void __attribute__((format(printf, 2, 3)))
found(struct scope *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)report_vadd(s->p->report, s->file, s->line, fmt, ap);   /* always ERR_PARSE */
	va_end(ap);
	s->nerrors++;
}

struct zparse *
zparse_new(const char *origin, struct report *r, uint8_t wire[DNS_WIRE_NAME], size_t *len, struct errmsg *m)
{
	struct zparse *p = calloc(1, sizeof(*p));

	if (p == NULL)
		goto nomem;
	p->report = r;
	p->entry = malloc(LIMIT_RECORD_TEXT);
	p->rdata = malloc(RDATA_MAX);
	if (p->entry == NULL || p->rdata == NULL)
		goto nomem;
	p->origin = ldns_dname_new_frm_str(origin);
	if (p->origin == NULL || ldns_rdf_size(p->origin) > DNS_WIRE_NAME) {
		(void)err_set(m, ERR_PARSE, "`%s' is not a domain name", origin);
		zparse_free(p);
		return NULL;
	}
	*len = ldns_rdf_size(p->origin);
	dns_name_lower(wire, ldns_rdf_data(p->origin), *len);
	return p;
nomem:
	(void)err_set(m, ERR_NOMEM, "parsing %s", origin);
	zparse_free(p);
	return NULL;
}

void
zparse_free(struct zparse *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < p->nfiles; i++)
		free(p->files[i]);
	free(p->files);
	ldns_rdf_deep_free(p->origin);
	free(p->rdata);
	free(p->entry);
	free(p);
}

/* A copy of a file's name that lives as long as the parser; NULL without memory. */
static const char *
keep_file(struct zparse *p, const char *file)
{
	char **grown = realloc(p->files, (p->nfiles + 1) * sizeof(*grown));

	if (grown == NULL)
		return NULL;
	p->files = grown;
	p->files[p->nfiles] = strdup(file);
	return p->files[p->nfiles] != NULL ? p->files[p->nfiles++] : NULL;
}

/* ---- tokens ---- */

static bool
is_class(const char *t)
{
	return ztoken_is(t, "IN") || ztoken_is(t, "CH") || ztoken_is(t, "HS") || ztoken_is(t, "CS") ||
	    (strncasecmp(t, "CLASS", 5) == 0 && isdigit((unsigned char)t[5]));
}

/* A name in a directive, relative to the origin that holds; NULL after a finding. */
static ldns_rdf *
directive_name(struct scope *s, const char *text)
{
	ldns_rdf *name, *whole;

	if (strcmp(text, "@") == 0)
		return ldns_rdf_clone(s->origin);
	name = ldns_dname_new_frm_str(text);
	if (name != NULL && !ldns_dname_str_absolute(text)) {
		whole = ldns_dname_cat_clone(name, s->origin);
		ldns_rdf_deep_free(name);
		name = whole;
	}
	if (name == NULL || ldns_rdf_size(name) > DNS_WIRE_NAME) {
		found(s, "`%s' is not a domain name", text);
		ldns_rdf_deep_free(name);
		return NULL;
	}
	return name;
}

/* ---- directives ---- */

static void
directive_origin(struct scope *s, char *argv[2])
{
	ldns_rdf *name = directive_name(s, argv[0]);

	if (name == NULL)
		return;
	ldns_rdf_deep_free(s->origin);
	s->origin = name;
}

static void
directive_ttl(struct scope *s, char *argv[2])
{
	if (!ztoken_ttl(argv[0], strlen(argv[0]), TTL_MAX, &s->ttl))
		found(s, "$TTL `%s': expected seconds, or numbers with s, m, h, d or w, up to %u seconds in all", argv[0], TTL_MAX);
}

static enum err parse_scope(struct scope *s, int fd);

/* The included file has its own origin and last owner; $TTL goes on, as a file's text put in its place would have it. */
static void
directive_include(struct scope *s, char *argv[2])
{
	struct scope inner = { .p = s->p, .depth = s->depth + 1, .ttl = s->ttl };
	struct errmsg why = { "" };
	int fd = -1;

	if (inner.depth > LIMIT_INCLUDE_DEPTH || s->p->nfiles > LIMIT_INCLUDES) {
		found(s, "$INCLUDE %s: more than %d files deep, or more than %d files in all; does it include itself?", argv[0],
		    LIMIT_INCLUDE_DEPTH, LIMIT_INCLUDES);
		return;
	}
	inner.origin = argv[1] != NULL ? directive_name(s, argv[1]) : ldns_rdf_clone(s->origin);
	if (inner.origin == NULL)
		goto out;
	if (s->p->ops->include == NULL || (inner.file = keep_file(s->p, argv[0])) == NULL)
		(void)err_set(&why, ERR_UNSUPPORTED, "not possible here");
	else
		fd = s->p->ops->include(s->p->ops->include_arg, argv[0], &why);
	if (fd < 0) {
		found(s, "$INCLUDE %s: %s", argv[0], why.text);
		goto out;
	}
	if (parse_scope(&inner, fd) != ERR_OK)
		s->nerrors++;
out:
	if (fd >= 0)
		close(fd);
	ldns_rdf_deep_free(inner.origin);
	ldns_rdf_deep_free(inner.prev);
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

static void
parse_directive(struct scope *s, char *entry)
{
	char words[2][LIMIT_NAME_TEXT], *argv[2] = { NULL, NULL };
	const struct directive *d = NULL;
	unsigned argc = 0;

	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (ztoken_is(entry, directives[i].name))
			d = &directives[i];
	if (d == NULL) {
		found(s, "unknown directive `%.*s'; known are $ORIGIN, $TTL and $INCLUDE", (int)ztoken_len(entry), entry);
		return;
	}
	for (char *t = ztoken_next(entry); *t != '\0' && argc <= d->most; t = ztoken_next(t), argc++) {
		size_t n = ztoken_len(t);

		if (argc == d->most || n >= sizeof(words[0])) {
			argc = d->most + 1;
			break;
		}
		memcpy(words[argc], t, n);
		words[argc][n] = '\0';
		unquote(words[argc]);
		argv[argc] = words[argc];
	}
	if (argc < d->least || argc > d->most)
		found(s, "usage: %s", d->usage);
	else
		d->run(s, argv);
}

/* ---- records ---- */

/* ldns wants the value of CAA in quotes, which RFC 8659 section 4.1.1 leaves to the writer. */
static void
quote_value(const char *entry, char *type)
{
	char *value = ztoken_next(ztoken_next(ztoken_next(type)));
	size_t len = strlen(value);

	if (len == 0 || value[0] == '"' || ztoken_len(value) != len || ztoken_is(ztoken_next(type), "\\#") ||
	    (size_t)(value - entry) + len + sizeof("\"\"") > LIMIT_RECORD_TEXT)
		return;
	memmove(value + 1, value, len);
	value[0] = '"';
	memcpy(value + 1 + len, "\"", sizeof("\""));
}

/*
 * What ldns leaves to us: class before TTL (it wants them the other way round), TTLs that do not fit, owners that begin with "@", all of which
 * it takes for the origin, and WKS, for which it would open files, and that is death in a confined process.  False after a finding.
 */
static bool
prepare_record(struct scope *s, char *entry)
{
	char *a = ztoken_next(entry), *b, keep[16];
	size_t na, nb;
	uint32_t ttl;

	if (*entry == ' ')
		a = entry + 1;
	if (entry[0] == '@' && ztoken_len(entry) > 1) {
		found(s, "`%.*s': an owner name that begins with @ is written with a backslash before it", (int)ztoken_len(entry), entry);
		return false;
	}
	b = ztoken_next(a);
	if (is_class(a) && isdigit((unsigned char)*b) && (na = ztoken_len(a)) < sizeof(keep)) {
		nb = ztoken_len(b);
		memcpy(keep, a, na);
		memmove(a, b, nb);
		a[nb] = ' ';
		memcpy(a + nb + 1, keep, na);
		b = a + nb + 1;
	}
	if (isdigit((unsigned char)*a)) {
		if (!ztoken_ttl(a, ztoken_len(a), TTL_MAX, &ttl)) {
			found(s, "`%.*s' is not a TTL: expected seconds, or numbers with s, m, h, d or w, up to %u seconds in all",
			    (int)ztoken_len(a), a, TTL_MAX);
			return false;
		}
		a = b;
	}
	if (is_class(a))
		a = ztoken_next(a);
	if ((ztoken_is(a, "WKS") || ztoken_is(a, "TYPE11")) && !ztoken_is(ztoken_next(a), "\\#")) {
		found(s, "WKS is obsolete and read only as TYPE%d \\# (RFC 3597)", TYPE_WKS);
		return false;
	}
	if (ztoken_is(a, "CAA"))
		quote_value(entry, a);
	return true;
}

static void
emit(struct scope *s, const ldns_rr *rr, const char *entry)
{
	struct zparse_rr out = { .file = s->file, .line = s->line };
	const ldns_rdf *owner = ldns_rr_owner(rr);
	uint8_t *rdata = s->p->rdata;
	const char *fault;
	char why[200];

	out.owner_len = ldns_rdf_size(owner);
	if (out.owner_len > DNS_WIRE_NAME || dns_name_len(ldns_rdf_data(owner), out.owner_len) != out.owner_len) {
		found(s, "the owner's name is longer than %d bytes", DNS_WIRE_NAME);
		return;
	}
	dns_name_lower(out.owner, ldns_rdf_data(owner), out.owner_len);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *f = ldns_rr_rdf(rr, i);
		size_t n = ldns_rdf_size(f);

		if (n > RDATA_MAX - out.rdlen || (ldns_rdf_get_type(f) == LDNS_RDF_TYPE_DNAME && n > DNS_WIRE_NAME)) {
			found(s, "a field of the record is too long");
			return;
		}
		memcpy(rdata + out.rdlen, ldns_rdf_data(f), n);
		out.rdlen += n;
	}
	out.rdata = rdata;
	out.type = (uint16_t)ldns_rr_get_type(rr);
	if ((out.type == DNS_T_SVCB || out.type == DNS_T_HTTPS) && (fault = svcb_fault(rdata, out.rdlen)) != NULL) {
		found(s, "%s: `%.*s'", fault, QUOTE_MAX, entry);
		return;
	}
	if (!zdigest_check(out.type, rdata, out.rdlen, why, sizeof(why))) {
		found(s, "%s: `%.*s'", why, QUOTE_MAX, entry);
		return;
	}
	out.ttl = ldns_rr_ttl(rr);
	s->p->ops->record(s->p->ops->record_arg, &out);
}

/* The type of a record that prepare_record has put in order: owner, TTL, class, type. */
static char *
type_token(char *entry)
{
	char *a = *entry == ' ' ? entry + 1 : ztoken_next(entry);

	if (isdigit((unsigned char)*a))
		a = ztoken_next(a);
	return is_class(a) ? ztoken_next(a) : a;
}

/* Most records of large zones; false: ldns has to look at it. */
static bool
parse_quickly(struct scope *s, const char *entry)
{
	size_t origin_len = ldns_rdf_size(s->origin);
	uint8_t origin[DNS_WIRE_NAME];
	struct zparse_rr out = { .file = s->file, .line = s->line };
	struct zquick q;

	if (origin_len > sizeof(origin))
		return false;
	dns_name_lower(origin, ldns_rdf_data(s->origin), origin_len);
	if (!zquick_read(entry, origin, origin_len, s->ttl, &q))
		return false;
	memcpy(s->last, q.owner, q.owner_len);
	s->last_len = q.owner_len;
	memcpy(out.owner, q.owner, q.owner_len);
	out.owner_len = q.owner_len;
	out.type = q.type;
	out.ttl = q.ttl;
	out.rdata = q.rdata;
	out.rdlen = q.rdlen;
	s->p->ops->record(s->p->ops->record_arg, &out);
	return true;
}

/* The last owner, for a line that begins with a blank. */
static bool
prev_renew(struct scope *s)
{
	ldns_rdf *name;

	if (s->last_len == 0)
		return true;
	name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, s->last_len, s->last);
	if (name == NULL) {
		found(s, "%s", err_str(ERR_NOMEM));
		return false;
	}
	ldns_rdf_deep_free(s->prev);
	s->prev = name;
	s->last_len = 0;
	return true;
}

static void
parse_record(struct scope *s, char *entry)
{
	char *type, hint[160];
	ldns_rr *rr = NULL;
	ldns_status status;

	if (parse_quickly(s, entry) || !prev_renew(s) || !prepare_record(s, entry))
		return;
	status = ldns_rr_new_frm_str(&rr, entry, s->ttl, s->origin, &s->prev);
	type = type_token(entry);
	if (status != LDNS_STATUS_OK) {
		zhint(type, ztoken_len(type), hint, sizeof(hint));
		found(s, "%s: `%.*s'; %s", ldns_get_errorstr_by_id(status), QUOTE_MAX, entry, hint);
	} else if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
		found(s, "only class IN is served: `%.*s'", QUOTE_MAX, entry);
	else if (!zfield_check(type, rr, hint, sizeof(hint)))
		found(s, "%s: `%.*s'", hint, QUOTE_MAX, entry);
	else
		emit(s, rr, entry);
	if (status == LDNS_STATUS_OK)
		ldns_rr_free(rr);
}

static enum err
parse_scope(struct scope *s, int fd)
{
	struct zreader *r = malloc(sizeof(*r));
	bool first = true;
	const char *why;
	enum zread got;
	size_t len;

	if (r == NULL) {
		found(s, "%s", err_str(ERR_NOMEM));
		return ERR_NOMEM;
	}
	zreader_init(r, fd);
	while ((got = zreader_next(r, s->p->entry, LIMIT_RECORD_TEXT, &len, &s->line, &why)) != ZREAD_END) {
		if (first && strncmp(s->p->entry, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
			found(s, "the file begins with a byte order mark, which is not part of a master file; save it as UTF-8 without one");
		else if (got == ZREAD_BAD)
			found(s, "%s: `%.*s'", why, QUOTE_MAX, s->p->entry);
		else if (s->p->entry[0] == '$')
			parse_directive(s, s->p->entry);
		else
			parse_record(s, s->p->entry);
		first = false;
	}
	free(r);
	return s->nerrors > 0 ? ERR_PARSE : ERR_OK;
}

enum err
zparse_file(struct zparse *p, int fd, const char *file, const struct zparse_ops *ops)
{
	struct scope s = { .p = p, .ttl = DEFAULT_TTL };
	enum err e = ERR_NOMEM;

	p->ops = ops;
	s.origin = ldns_rdf_clone(p->origin);
	s.file = keep_file(p, file);
	if (s.origin != NULL && s.file != NULL)
		e = parse_scope(&s, fd);
	else
		(void)report_add(p->report, file, 0, "%s", err_str(ERR_NOMEM));   /* always ERR_PARSE */
	ldns_rdf_deep_free(s.origin);
	ldns_rdf_deep_free(s.prev);
	return e;
}
