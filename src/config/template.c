/* template: finding and filling placeholders. */
#include "src/config/template.h"

#include <string.h>

static const char *const names[TEMPLATE_SLOTS] = {
	[TEMPLATE_NAME] = "name", [TEMPLATE_MAC] = "mac", [TEMPLATE_UUID] = "uuid",
	[TEMPLATE_ADDRESS] = "address", [TEMPLATE_ADDRESS6] = "address6",
	[TEMPLATE_PREFIXLEN] = "prefixlen", [TEMPLATE_PREFIXLEN6] = "prefixlen6",
	[TEMPLATE_GATEWAY] = "gateway", [TEMPLATE_GATEWAY6] = "gateway6",
};

#define ACCEPTED                                                                                   \
	"{name}, {address}, {address6}, {prefixlen}, {prefixlen6}, {gateway}, {gateway6}, {mac}, " \
	"{uuid}, and {{ for a brace"

/* A piece of a text: literal bytes, or a placeholder. */
struct piece {
	const char *literal;
	size_t len;
	enum template_slot slot;       /* when literal is NULL */
};

/* Takes the next piece off *text, which is not at its end. */
static enum err
next_piece(const char **text, struct piece *p, struct errmsg *m)
{
	const char *s = *text;
	size_t len = strcspn(s, "{");

	*p = (struct piece){ .literal = s, .len = len, .slot = TEMPLATE_SLOTS };
	if (len == 0 && s[1] == '{') {
		p->len = 1;
		*text = s + 2;
		return ERR_OK;
	}
	if (len > 0) {
		*text = s + len;
		return ERR_OK;
	}
	len = strcspn(s, "}");
	if (s[len] == '\0')
		return err_set(
		    m, ERR_PARSE, "\"%.40s\": the brace is not closed; accepted are " ACCEPTED, s);
	for (unsigned i = 0; i < TEMPLATE_SLOTS; i++)
		if (strlen(names[i]) == len - 1 && memcmp(names[i], s + 1, len - 1) == 0) {
			*p = (struct piece){ .slot = (enum template_slot)i };
			*text = s + len + 1;
			return ERR_OK;
		}
	return err_set(m, ERR_PARSE, "unknown placeholder \"%.*s\"; accepted are " ACCEPTED,
	    len > 40 ? 40 : (int)len + 1, s);
}

enum err
template_scan(const char *text, unsigned *used, struct errmsg *m)
{
	struct piece p;

	while (*text != '\0') {
		enum err e = next_piece(&text, &p, m);

		if (e != ERR_OK)
			return e;
		if (p.literal == NULL)
			*used |= 1u << p.slot;
	}
	return ERR_OK;
}

enum err
template_fill(const char *text, const struct template_values *v, char *buf, size_t size,
    size_t *len, struct errmsg *m)
{
	const char *whole = text;
	size_t used = 0;
	struct piece p;

	while (*text != '\0') {
		enum err e = next_piece(&text, &p, m);

		if (e != ERR_OK)
			return e;
		if (p.literal == NULL) {
			p.literal = v->values[p.slot];
			if (p.literal == NULL)
				return err_set(m, ERR_MISSING,
				    "it has no value for {%s} in \"%.200s\"", names[p.slot], whole);
			p.len = strlen(p.literal);
		}
		if (size == 0 || p.len > size - 1 - used)
			return err_set(m, ERR_LIMIT, "\"%.200s\" becomes longer than %zu bytes",
			    whole, size > 0 ? size - 1 : 0);
		memcpy(buf + used, p.literal, p.len);
		used += p.len;
	}
	if (size == 0)
		return err_set(m, ERR_LIMIT, "no room");
	buf[used] = '\0';
	*len = used;
	return ERR_OK;
}
