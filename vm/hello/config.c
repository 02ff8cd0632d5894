/* config.c: what the kernel command line tells the image */
#include "vm/hello/config.h"

#include "vm/hello/mem.h"

#define QUOTED_CHARS 64 /* of a bad word in a complaint */

struct value {
	const char *at;
	size_t len;
};

/* The characters before the first c; all when there is none. */
static size_t
before(struct value v, char c)
{
	size_t n = 0;

	while (n < v.len && v.at[n] != c)
		n++;
	return n;
}

static bool
set_name(struct config *config, struct value v)
{
	if (v.len > LIMIT_NAME_CHARS)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i], letter = (char)(c | 32);

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_' && c != '.')
			return false;
	}
	memcpy(config->name, v.at, v.len);
	config->name[v.len] = '\0';
	return true;
}

static enum config_family
family_of(const struct addr *a)
{
	return addr_is_v4(a) ? CONFIG_V4 : CONFIG_V6;
}

static bool
set_ip(struct config *config, struct value v)
{
	size_t slash = before(v, '/'), used;
	enum config_family family;
	struct addr a;
	uint32_t prefix_len;

	if (slash == 0 && v.len <= 1)
		return true;
	if (slash == v.len || !addr_parse(v.at, slash, &a) || !addr_is_unicast(&a))
		return false;
	family = family_of(&a);
	used = text_parse_dec(v.at + slash + 1, v.len - slash - 1, family == CONFIG_V4 ? 32 : 128,
	    &prefix_len);
	if (used == 0 || used != v.len - slash - 1 || addr_is_set(&config->address[family]))
		return false;
	config->address[family] = a;
	config->prefix_len[family] = (uint8_t)prefix_len;
	return true;
}

static bool
set_gw(struct config *config, struct value v)
{
	struct addr a;

	if (!addr_parse(v.at, v.len, &a) || !addr_is_unicast(&a) ||
	    addr_is_set(&config->gateway[family_of(&a)]))
		return false;
	config->gateway[family_of(&a)] = a;
	return true;
}

static bool
parse_ms(struct value v, uint32_t *ms)
{
	return text_parse_dec(v.at, v.len, UINT32_MAX, ms) == v.len;
}

static bool
set_delay(struct config *config, struct value v)
{
	return parse_ms(v, &config->delay_ms);
}

static bool
set_crash(struct config *config, struct value v)
{
	return config->crash = parse_ms(v, &config->crash_ms);
}

static const struct {
	const char *key;
	bool (*set)(struct config *config, struct value v);
} keys[] = {
	{ "name", set_name },
	{ "ip", set_ip },
	{ "gw", set_gw },
	{ "delay", set_delay },
	{ "crash", set_crash },
};

/* True unless the word is ours and its value is wrong. */
static bool
take_word(struct config *config, struct value word)
{
	size_t equals = before(word, '=');
	struct value v;

	if (equals + 1 >= word.len)
		return true;
	v = (struct value){ word.at + equals + 1, word.len - equals - 1 };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (text_is_nocase(word.at, equals, keys[i].key))
			return keys[i].set(config, v);
	return true;
}

static void
quote(struct value word, void (*complain)(void *, const char *), void *arg)
{
	char line[QUOTED_CHARS + 32];
	struct text t = text_init(line, sizeof(line));

	text_str(&t, "cannot use '");
	for (size_t i = 0; i < word.len && i < QUOTED_CHARS; i++)
		text_char(&t, word.at[i] > ' ' && word.at[i] < 127 ? word.at[i] : '?');
	text_str(&t, "'");
	complain(arg, line);
}

void
config_parse(struct config *config, const char *line, void (*complain)(void *, const char *),
    void *arg)
{
	*config = (struct config){ .name = "hello" };
	for (;;) {
		struct value word;

		while (*line == ' ' || *line == '\t' || *line == '\n')
			line++;
		if (!*line)
			return;
		word = (struct value){ line, 0 };
		while (*line && *line != ' ' && *line != '\t' && *line != '\n') {
			line++;
			word.len++;
		}
		if (!take_word(config, word))
			quote(word, complain, arg);
	}
}
