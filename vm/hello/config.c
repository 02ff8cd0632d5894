/* config.c: what the kernel command line tells the image */
#include "vm/hello/config.h"

#include "vm/hello/mem.h"

#define QUOTED_CHARS 64 /* of a bad word in a complaint */

static bool
set_name(struct config *config, struct text_word v)
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
set_ip(struct config *config, struct text_word v)
{
	size_t slash = text_before(v, '/'), used;
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
set_gw(struct config *config, struct text_word v)
{
	struct addr a;

	if (!addr_parse(v.at, v.len, &a) || !addr_is_unicast(&a) ||
	    addr_is_set(&config->gateway[family_of(&a)]))
		return false;
	config->gateway[family_of(&a)] = a;
	return true;
}

static bool
set_delay(struct config *config, struct text_word v)
{
	return text_parse_dec(v.at, v.len, UINT32_MAX, &config->delay_ms) == v.len;
}

static bool
set_crash(struct config *config, struct text_word v)
{
	config->crash = text_parse_dec(v.at, v.len, UINT32_MAX, &config->crash_ms) == v.len;
	return config->crash;
}

static const struct {
	const char *key;
	bool (*set)(struct config *config, struct text_word v);
} keys[] = {
	{ "name", set_name }, { "ip", set_ip }, { "gw", set_gw },
	{ "delay", set_delay }, { "crash", set_crash },
};

/* True unless the word is ours and its value is wrong. */
static bool
take_word(struct config *config, struct text_word word)
{
	size_t equals = text_before(word, '=');
	struct text_word v;

	if (equals + 1 >= word.len)
		return true;
	v = (struct text_word){ word.at + equals + 1, word.len - equals - 1 };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (text_is_nocase(word.at, equals, keys[i].key))
			return keys[i].set(config, v);
	return true;
}

static void
quote(struct text_word word, void (*complain)(void *, const char *), void *arg)
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
		struct text_word word;

		while (*line == ' ' || *line == '\t' || *line == '\n')
			line++;
		if (!*line)
			return;
		word = (struct text_word){ line, 0 };
		while (*line && *line != ' ' && *line != '\t' && *line != '\n') {
			line++;
			word.len++;
		}
		if (!take_word(config, word))
			quote(word, complain, arg);
	}
}
