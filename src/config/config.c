/* config: reads jitsu.conf with libconfuse into raw sections; config_build.c makes the configuration of them. */
#include "src/config/config.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/impl.h"

/* libconfuse has no pointer for its callbacks' use, and its lexer is global anyway: one load at a time, on one thread. */
static struct config_loader *loading;
static cfg_t *root;

void
config_found(struct config_loader *l, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)report_vadd(l->report, l->file, line, fmt, ap);   /* always ERR_PARSE */
	va_end(ap);
}

bool
config_list_add(struct arena *a, struct config_list *list, const char *text, unsigned line)
{
	unsigned n = list->n;

	if ((n & (n - 1)) == 0) {
		const char **items = arena_array(a, n == 0 ? 1 : 2 * n, sizeof(*items));
		unsigned *lines = arena_array(a, n == 0 ? 1 : 2 * n, sizeof(*lines));

		if (items == NULL || lines == NULL)
			return false;
		for (unsigned i = 0; i < n; i++) {
			items[i] = list->items[i];
			lines[i] = list->lines[i];
		}
		list->items = items;
		list->lines = lines;
	}
	list->items[n] = arena_strdup(a, text);
	if (list->items[n] == NULL)
		return false;
	list->lines[n] = line;
	list->n++;
	return true;
}

static enum option_section
section_of(const cfg_t *cfg)
{
	for (int s = OPTION_LIMITS; s < OPTION_MAPPING; s++) {
		if (strcmp(cfg->name, option_section_name((enum option_section)s)) == 0)
			return (enum option_section)s;
	}
	return OPTION_TOP;
}

static struct config_raw *
raw_get(struct config_loader *l, cfg_t *cfg)
{
	enum option_section s = section_of(cfg);
	struct config_raw *raw = s <= OPTION_LIMITS ? l->single[s] : l->last;

	if (raw != NULL && raw->handle == cfg)
		return raw;
	raw = arena_alloc(&l->scratch, sizeof(*raw));
	if (raw == NULL) {
		l->nomem = true;
		return NULL;
	}
	raw->handle = cfg;
	raw->section = s;
	/* While a section is being read, its parent's line stays where the section begins. */
	raw->line = (unsigned)(cfg == root ? 1 : root->line);
	raw->title = cfg->title == NULL ? NULL : arena_strdup(&l->arena, cfg->title);
	l->nomem |= cfg->title != NULL && raw->title == NULL;
	*l->tail = raw;
	l->tail = &raw->next;
	if (s <= OPTION_LIMITS)
		l->single[s] = raw;
	else
		l->last = raw;
	return raw;
}

/* libconfuse read one value, of a list one item.  Values that are wrong are reported, and reading goes on. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct config_loader *l = loading;
	struct config_raw *raw = raw_get(l, cfg);
	const struct config_option *o = option_find(section_of(cfg), opt->name, strlen(opt->name));
	unsigned row, line = (unsigned)cfg->line;
	struct errmsg m;
	uint64_t number;

	*(const char **)result = value;
	if (raw == NULL || o == NULL)
		return -1;
	row = option_row(o);
	/* The value is counted already: a first one while we know some means a second assignment. */
	if (raw->set[row] && raw->values[row].n > 0 && opt->nvalues == 1) {
		config_found(l, line, "%s: \"%.200s\": it was set already in line %u; one assignment is accepted%s", o->name, value,
		    raw->values[row].lines[0], (o->flags & OPTION_LIST) != 0 ? ", more items are added by +=" : "");
		raw->bad = true;
		return 0;
	}
	if (option_parse(o, value, &number, &m) != ERR_OK) {
		config_found(l, line, "%s: %s", o->name, m.text);
		raw->bad = true;
		return 0;
	}
	raw->set[row] = true;
	if (!config_list_add(&l->arena, &raw->values[row], value, line)) {
		l->nomem = true;
		return -1;
	}
	return 0;
}

static const char *
section_text(enum option_section s)
{
	static char text[32];

	if (s == OPTION_TOP)
		return "at the top level";
	snprintf(text, sizeof(text), "in section %s", option_section_name(s));
	return text;
}

/* At most `size`; every option and, at the top level, every section that may stand there. */
static void
list_options(enum option_section s, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < options_count && used < size; i++) {
		if (options[i].section == s)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", options[i].name);
	}
	for (int i = OPTION_LIMITS; s == OPTION_TOP && i < OPTION_MAPPING && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, ", %s", option_section_name((enum option_section)i));
}

static void
unknown_option(struct config_loader *l, cfg_t *cfg, const char *name)
{
	enum option_section s = section_of(cfg);
	struct suggest near;
	const char *guess;
	char accepted[768];

	suggest_init(&near, name);
	option_offer(s, &near);
	guess = suggest_text(&near);
	list_options(s, accepted, sizeof(accepted));
	config_found(l, (unsigned)cfg->line, "unknown option \"%s\" %s%s%s", name, section_text(s), guess[0] != '\0' ? guess : "; accepted are ",
	    guess[0] != '\0' ? "" : accepted);
}

/* libconfuse found an error of syntax.  Its messages are quoted, but the commonest says too little. */
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	struct config_loader *l = loading;
	char text[512];
	size_t len;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	if (strncmp(text, unknown, sizeof(unknown) - 1) == 0 && len > sizeof(unknown)) {
		text[len - 1] = '\0';   /* the quote behind the name */
		if (len > sizeof(unknown) + 60)
			text[sizeof(unknown) + 60] = '\0';
		unknown_option(l, cfg, text + sizeof(unknown) - 1);
	} else {
		config_found(l, (unsigned)cfg->line, "syntax: %s", text);
	}
}

/* `key = {}` never came to on_value. */
static void
note_empty_lists(struct config_loader *l, struct config_raw *raw)
{
	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];
		unsigned row = option_row(o);
		const cfg_opt_t *opt;

		if (o->section != raw->section || (o->flags & OPTION_LIST) == 0)
			continue;
		opt = cfg_getopt(raw->handle, o->name);
		if (opt == NULL || opt->nvalues != 0 || (opt->flags & CFGF_MODIFIED) == 0)
			continue;
		if (raw->set[row])
			config_found(l, raw->values[row].lines[0], "%s: it is set here and emptied later; one assignment is accepted", o->name);
		raw->set[row] = true;
	}
}

/* Zones may be thousands: they are compared when they are sorted. */
static void
check_title(struct config_loader *l, const struct config_raw *raw)
{
	if (raw->section == OPTION_ZONE)
		return;
	for (const struct config_raw *other = l->raws; other != raw; other = other->next) {
		if (other->section == raw->section && strcmp(other->title, raw->title) == 0) {
			config_found(l, raw->line, "there is a section %s \"%.200s\" already, in line %u; titles must differ", option_section_name(raw->section),
			    raw->title, other->line);
			return;
		}
	}
}

/*
 * A section with a title was read to its end.  We know all of it, and libconfuse compares each new title with those that it has: it forgets this one.
 */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	struct config_loader *l = loading;
	cfg_t *sec = cfg_opt_getnsec(opt, 0);
	struct config_raw *raw = raw_get(l, sec);     /* without any value it never came to on_value */

	(void)cfg;
	if (raw == NULL || raw->title == NULL)
		return -1;
	note_empty_lists(l, raw);
	check_title(l, raw);
	l->last = NULL;
	return cfg_opt_rmnsec(opt, 0) == CFG_SUCCESS ? 0 : -1;
}

/* The option table as libconfuse wants it; `out` has room for CONFIG_ROWS + OPTION_SECTIONS. */
static unsigned
make_opts(enum option_section s, cfg_opt_t *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < options_count; i++) {
		if (options[i].section != s)
			continue;
		out[n].name = options[i].name;
		out[n].type = CFGT_STR;
		out[n].flags = CFGF_NODEFAULT | ((options[i].flags & OPTION_LIST) != 0 ? CFGF_LIST : CFGF_NONE);
		out[n].parsecb = on_value;
		n++;
	}
	return n;
}

struct opts {
	cfg_opt_t of[OPTION_SECTIONS][CONFIG_ROWS + OPTION_SECTIONS];
};

static cfg_t *
make_parser(struct opts *opts)
{
	unsigned n = make_opts(OPTION_TOP, opts->of[OPTION_TOP]);
	cfg_t *cfg;

	for (int s = OPTION_LIMITS; s < OPTION_MAPPING; s++) {
		cfg_opt_t *o = &opts->of[OPTION_TOP][n++];

		(void)make_opts((enum option_section)s, opts->of[s]);
		o->name = option_section_name((enum option_section)s);
		o->type = CFGT_SEC;
		o->flags = s == OPTION_LIMITS ? CFGF_NONE : CFGF_MULTI | CFGF_TITLE;
		o->validcb = s == OPTION_LIMITS ? NULL : on_section;
		o->subopts = opts->of[s];
	}
	cfg = cfg_init(opts->of[OPTION_TOP], CFGF_NONE);
	if (cfg != NULL)
		(void)cfg_set_error_function(cfg, on_error);   /* returns the one before */
	return cfg;
}

static void
parse(struct config_loader *l, const char *text)
{
	struct opts *opts = calloc(1, sizeof(*opts));
	size_t before = l->report->nerrors;

	root = opts == NULL ? NULL : make_parser(opts);
	if (root == NULL) {
		l->nomem = true;
		free(opts);
		return;
	}
	loading = l;
	if (cfg_parse_buf(root, text) == CFG_SUCCESS) {
		(void)raw_get(l, root);   /* if nothing is set there; l->nomem says whether it worked */
		for (size_t i = 0; i < sizeof(l->single) / sizeof(l->single[0]); i++)
			if (l->single[i] != NULL)
				note_empty_lists(l, l->single[i]);
		if (!l->nomem)
			config_build(l);
	} else if (l->report->nerrors == before) {
		config_found(l, (unsigned)root->line, "syntax error");
	}
	cfg_free(root);
	free(opts);
	loading = NULL;
	root = NULL;
}

/* ---- the raw text, before libconfuse sees it ---- */

enum scan_state { SCAN_PLAIN, SCAN_WORD, SCAN_LINE_COMMENT, SCAN_COMMENT, SCAN_DOUBLE, SCAN_SINGLE };

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

/* Braces outside quotes and comments, of which libconfuse would not miss a closing one at the end of the file. */
struct scan_braces {
	unsigned depth;
	unsigned lines[8];             /* where the outermost ones were opened; deeper ones are errors anyway */
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
 * libconfuse replaces ${x} from the environment, in double quotes too; what a daemon does must not depend on who started it.  An end of file inside
 * a string would confuse its lexer for the next load, and it stops reading at a NUL.  So all that is refused here.
 */
static void
scan(struct config_loader *l, const char *text, size_t len)
{
	enum scan_state state = SCAN_PLAIN;
	struct scan_braces braces = { 0 };
	unsigned line = 1, opened = 0;

	for (const char *p = text; p < text + len; p++) {
		enum scan_state before = state;

		if ((unsigned char)*p < 0x20 && strchr("\t\r\n", *p) == NULL) {
			config_found(l, line, "control character \\%03o; only text is accepted", (unsigned char)*p);
			return;
		}
		if (*p == '\0') {
			config_found(l, line, "a NUL byte; only text is accepted");
			return;
		}
		if (p[0] == '$' && p[1] == '{' && state != SCAN_LINE_COMMENT && state != SCAN_COMMENT && state != SCAN_SINGLE)
			config_found(l, line, "\"%.*s\": ${...} is not accepted, since it would be replaced from the environment; "
			    "where the text is wanted, write it in single quotes", (int)strcspn(p, "\n}") + (p[strcspn(p, "\n}")] == '}'), p);
		if (state <= SCAN_WORD)
			scan_brace(&braces, *p, line);
		state = scan_next(&p, state);
		if (state != before && state >= SCAN_COMMENT)
			opened = line;
		line += *p == '\n';
	}
	if (state >= SCAN_COMMENT)
		config_found(l, opened, "a %s begins here and has no end", state == SCAN_COMMENT ? "comment" : "string in quotes");
	else if (braces.depth > 0)
		config_found(l, braces.lines[0], "the { that is opened here is not closed; a } is missing");
}

/* ---- loading ---- */

static bool
set_paths(struct config_loader *l, const char *path)
{
	char cwd[PATH_MAX];
	struct config *c = l->conf;
	const char *slash;

	if (path[0] == '/')
		c->path = arena_strdup(&l->arena, path);
	else
		c->path = getcwd(cwd, sizeof(cwd)) == NULL ? NULL : arena_printf(&l->arena, "%s/%s", cwd, path);
	if (c->path == NULL)
		return false;
	slash = strrchr(c->path, '/');
	c->dir = arena_strndup(&l->arena, c->path, slash == c->path ? 1 : (size_t)(slash - c->path));
	return c->dir != NULL;
}

/* `shown` is for messages; relative paths start where `path` is. */
static enum err
load_text(const char *shown, const char *path, const char *text, size_t len, struct config **conf, struct report *r)
{
	struct config_loader l = { .report = r, .file = shown };
	size_t before = r->nerrors;
	struct arena *arena = malloc(sizeof(*arena));
	char *copy = malloc(len + 1);
	enum err e = ERR_NOMEM;

	*conf = NULL;
	arena_init(&l.arena);
	arena_init(&l.scratch);
	l.tail = &l.raws;
	l.conf = arena_alloc(&l.arena, sizeof(*l.conf));
	if (arena == NULL || copy == NULL || l.conf == NULL || !set_paths(&l, path)) {
		(void)report_add(r, shown, 0, "%s", err_str(ERR_NOMEM));   /* always ERR_PARSE */
		goto out;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	scan(&l, copy, len);
	l.conf->text = arena_strndup(&l.arena, text, len);
	l.conf->text_len = len;
	l.nomem |= l.conf->text == NULL;
	if (r->nerrors == before && !l.nomem)
		parse(&l, copy);
	if (l.nomem)
		(void)report_add(r, shown, 0, "%s", err_str(ERR_NOMEM));   /* always ERR_PARSE */
	e = l.nomem ? ERR_NOMEM : r->nerrors != before ? ERR_PARSE : ERR_OK;
out:
	if (e == ERR_OK) {
		*arena = l.arena;
		l.conf->arena = arena;
		*conf = l.conf;
	} else {
		arena_clear(&l.arena);
		free(arena);
	}
	arena_clear(&l.scratch);
	free(copy);
	return e;
}

enum err
config_load_text(const char *path, const char *text, size_t len, struct config **conf, struct report *r)
{
	return load_text(path, path, text, len, conf, r);
}

/* The whole of a regular file, malloc'd. */
static enum err
read_file(const char *path, char **text, size_t *len, struct errmsg *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err e = ERR_OK;
	struct stat st;
	size_t used = 0;
	ssize_t n = 1;

	*text = NULL;
	if (fd == -1 || fstat(fd, &st) == -1) {
		e = err_sys(m, "cannot be read");
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > LIMIT_CONFIG_BYTES) {
		e = err_set(m, ERR_RANGE, "is no regular file of at most %d bytes", LIMIT_CONFIG_BYTES);
		goto out;
	}
	*text = malloc((size_t)st.st_size + 1);
	if (*text == NULL) {
		e = err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
		goto out;
	}
	while (n > 0 && used < (size_t)st.st_size) {
		n = read(fd, *text + used, (size_t)st.st_size - used);
		if (n == -1 && errno == EINTR)
			n = 1;
		else if (n > 0)
			used += (size_t)n;
	}
	if (n == -1)
		e = err_sys(m, "cannot be read");
	*len = used;
out:
	if (fd != -1)
		close(fd);
	return e;
}

/* The links of the path are followed at each load, so that what is read lies together, and what moved is seen. */
enum err
config_load(const char *path, struct config **conf, struct report *r)
{
	char *real = realpath(path, NULL);
	const char *at = real != NULL ? real : path;   /* the error comes from opening it */
	struct errmsg m;
	char *text;
	size_t len = 0;
	enum err e = read_file(at, &text, &len, &m);

	*conf = NULL;
	if (e != ERR_OK)
		(void)report_add(r, path, 0, "%s", m.text);   /* always ERR_PARSE */
	else
		e = load_text(path, at, text, len, conf, r);
	free(text);
	free(real);
	return e;
}

struct config *
config_ref(const struct config *conf)
{
	struct config *c = (struct config *)(uintptr_t)conf;   /* what it says stays as it is */

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
