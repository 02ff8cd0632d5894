/* read: jitsu.conf through libconfuse, into raw sections. */
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "src/config/impl.h"

/* libconfuse has one global lexer and no argument for callbacks: one load at a time. */
static struct config_loader *loading;
static cfg_t *root;

static enum option_section
section_of(const cfg_t *cfg)
{
	for (int s = OPTION_LIMITS; s < OPTION_MAPPING; s++)
		if (strcmp(cfg->name, option_section_name((enum option_section)s)) == 0)
			return (enum option_section)s;
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
	raw->handle = cfg;
	raw->section = s;
	/* While a section is being read, its parent's line stays where the section begins. */
	raw->line = (unsigned)(cfg == root ? 1 : root->line);
	raw->title = cfg->title == NULL ? NULL : arena_strdup(&l->arena, cfg->title);
	*l->tail = raw;
	l->tail = &raw->next;
	if (s <= OPTION_LIMITS)
		l->single[s] = raw;
	else
		l->last = raw;
	return raw;
}

/* libconfuse read a value, of a list one item.  A wrong value is reported, and reading goes on. */
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
	if (o == NULL)
		return -1;
	row = option_row(o);
	/* The value is counted already: a first one is a second assignment if some are known. */
	if (raw->set[row] && raw->values[row].n > 0 && opt->nvalues == 1) {
		config_found(l, line,
		    "%s: \"%.200s\": it was set already in line %u; one assignment is accepted%s",
		    o->name, value, raw->values[row].lines[0],
		    (o->flags & OPTION_LIST) != 0 ? ", more items are added by +=" : "");
		raw->bad = true;
		return 0;
	}
	if (option_parse(o, value, &number, &m) != ERR_OK) {
		config_found(l, line, "%s: %s", o->name, m.text);
		raw->bad = true;
		return 0;
	}
	raw->set[row] = true;
	config_list_add(&l->arena, &raw->values[row], value, line);
	return 0;
}

static void
unknown_option(struct config_loader *l, cfg_t *cfg, const char *name)
{
	enum option_section s = section_of(cfg);
	struct suggest near;
	const char *guess;
	char all[768] = "";

	suggest_init(&near, name);
	option_offer(s, &near);
	guess = suggest_text(&near);
	for (unsigned i = 0; i < options_count; i++)
		if (options[i].section == s)
			text_join(all, sizeof(all), ", ", "%s", options[i].name);
	for (int i = OPTION_LIMITS; s == OPTION_TOP && i < OPTION_MAPPING; i++)
		text_join(all, sizeof(all), ", ", "%s",
		    option_section_name((enum option_section)i));
	config_found(l, (unsigned)cfg->line, "unknown option \"%s\" %s%s%s%s", name,
	    s == OPTION_TOP ? "at the top level" : "in section ", option_section_name(s),
	    guess[0] != '\0' ? guess : "; accepted are ", guess[0] != '\0' ? "" : all);
}

/* An error of syntax: libconfuse's messages are quoted, but the commonest says too little. */
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
			config_found(l, raw->values[row].lines[0],
			    "%s: it is set here and emptied later; one assignment is accepted",
			    o->name);
		raw->set[row] = true;
	}
}

/* Zones may be thousands: their titles are compared when the zones are sorted. */
static void
check_unique(struct config_loader *l, const struct config_raw *raw)
{
	if (raw->section == OPTION_ZONE)
		return;
	for (const struct config_raw *other = l->raws; other != raw; other = other->next) {
		if (other->section == raw->section && strcmp(other->title, raw->title) == 0) {
			config_found(l, raw->line,
			    "there is a section %s \"%.200s\" already, in line %u; titles must "
			    "differ", option_section_name(raw->section), raw->title, other->line);
			return;
		}
	}
}

/* A titled section has ended: it is kept raw, and libconfuse, which compares titles, forgets it. */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	struct config_loader *l = loading;
	cfg_t *sec = cfg_opt_getnsec(opt, 0);
	struct config_raw *raw = raw_get(l, sec);   /* new here if the section has no value */

	(void)cfg;
	if (raw->title == NULL)
		return -1;
	note_empty_lists(l, raw);
	check_unique(l, raw);
	l->last = NULL;
	return cfg_opt_rmnsec(opt, 0) == CFG_SUCCESS ? 0 : -1;
}

/* The option table as libconfuse wants it; `out` has room for CONFIG_ROWS + OPTION_SECTIONS. */
static unsigned
make_opts(enum option_section s, cfg_opt_t *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < options_count; i++) {
		bool list = (options[i].flags & OPTION_LIST) != 0;

		if (options[i].section == s)
			out[n++] = (cfg_opt_t){ .name = options[i].name, .type = CFGT_STR,
				.flags = CFGF_NODEFAULT | (list ? CFGF_LIST : CFGF_NONE),
				.parsecb = on_value };
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
		bool titled = s != OPTION_LIMITS;

		(void)make_opts((enum option_section)s, opts->of[s]);
		opts->of[OPTION_TOP][n++] = (cfg_opt_t){
			.name = option_section_name((enum option_section)s), .type = CFGT_SEC,
			.flags = titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE,
			.validcb = titled ? on_section : NULL, .subopts = opts->of[s] };
	}
	cfg = mem_must(cfg_init(opts->of[OPTION_TOP], CFGF_NONE));
	(void)cfg_set_error_function(cfg, on_error);   /* returns the one before */
	return cfg;
}

bool
config_read(struct config_loader *l, const char *text)
{
	struct opts *opts = mem_zero(1, sizeof(*opts));
	size_t before = l->report->nerrors;
	bool whole;

	root = make_parser(opts);
	loading = l;
	whole = cfg_parse_buf(root, text) == CFG_SUCCESS;
	if (whole) {
		(void)raw_get(l, root);   /* there is a top level even where nothing is set */
		for (size_t i = 0; i < sizeof(l->single) / sizeof(l->single[0]); i++)
			if (l->single[i] != NULL)
				note_empty_lists(l, l->single[i]);
	} else if (l->report->nerrors == before) {
		config_found(l, (unsigned)root->line, "syntax error");
	}
	cfg_free(root);
	free(opts);
	loading = NULL;
	root = NULL;
	return whole;
}
