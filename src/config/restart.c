/* restart: what a running daemon cannot change. */
#include <string.h>

#include "src/config/config.h"

static uint64_t
load_number(const struct config_option *o, const void *field)
{
	switch (o->type) {
	case OPTION_BOOL:
		return *(const bool *)field;
	case OPTION_DURATION:
		return *(const uint32_t *)field;
	case OPTION_SIZE:
		return *(const uint64_t *)field;
	default:
		return *(const unsigned *)field;
	}
}

static bool
lists_equal(const struct config_list *a, const struct config_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool
options_equal(const struct config_option *o, const void *a, const void *b)
{
	const char *x, *y;

	if ((o->flags & OPTION_LIST) != 0)
		return lists_equal(a, b);
	if (o->type <= OPTION_PERCENT)
		return load_number(o, a) == load_number(o, b);
	x = *(const char *const *)a;
	y = *(const char *const *)b;
	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

bool
config_needs_restart(const struct config *old, const struct config *fresh, struct report *r)
{
	bool any = false;

	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];
		bool top = o->section == OPTION_TOP;
		size_t at = o->offset + (top ? 0 : offsetof(struct config, limits));

		if ((o->flags & OPTION_RESTART) == 0 ||
		    options_equal(o, (const char *)old + at, (const char *)fresh + at))
			continue;
		any = true;
		(void)report_add(r, fresh->path,
		    (top ? fresh->lines : fresh->limits_lines)[option_row(o)],
		    "%s%s%s: the new value takes effect when jitsud is restarted",
		    option_section_name(o->section), top ? "" : ".",
		    o->name);   /* always ERR_PARSE */
	}
	return any;
}
