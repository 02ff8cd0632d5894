/*
 * template: texts of an image that are filled in per unit: `{name}`, `{address}`, ...; `{{` is a
 * literal brace.
 *
 * Values are data: they contain nothing that could end an argument, a path component's quoting or a
 * word of a command line (checked where they come from: owner names are letters, digits, `-`, `_`
 * and dots, the rest is made by us).
 */
#ifndef SRC_CONFIG_TEMPLATE_H
#define SRC_CONFIG_TEMPLATE_H

#include "base/err.h"

enum template_slot {
	TEMPLATE_NAME, TEMPLATE_ADDRESS, TEMPLATE_ADDRESS6, TEMPLATE_PREFIXLEN, TEMPLATE_PREFIXLEN6,
	TEMPLATE_GATEWAY, TEMPLATE_GATEWAY6, TEMPLATE_MAC, TEMPLATE_UUID, TEMPLATE_SLOTS
};

/* `values[slot]` is NULL when the unit has none. */
struct template_values {
	const char *values[TEMPLATE_SLOTS];
};

/*
 * Which slots a text uses: bits 1 << slot are added to *used.  ERR_PARSE: an unknown placeholder or
 * a brace without its other one; the message says which.
 */
enum err template_scan(const char *text, unsigned *used, struct errmsg *m);

/*
 * Fills a text in; *len is its length without the final NUL.  ERR_MISSING: a value is missing, the
 * message names the placeholder; ERR_LIMIT: more than `size` bytes with the NUL; ERR_PARSE.
 */
enum err template_fill(const char *text, const struct template_values *v, char *buf, size_t size,
    size_t *len, struct errmsg *m);

#endif
