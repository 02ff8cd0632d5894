/* value: what one option's text means, and what would have been accepted. */
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "src/config/options.h"
#include "src/config/types.h"

struct suffix {
	const char *text;
	uint64_t factor;
};

static const struct suffix durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 }
};
static const struct suffix sizes[] = { { "K", 1ull << 10 }, { "M", 1ull << 20 },
	{ "G", 1ull << 30 }, { "T", 1ull << 40 }, { NULL, 0 } };
static const struct suffix percents[] = { { "%", 1 }, { NULL, 0 } };
static const struct suffix plain[] = { { "", 1 }, { NULL, 0 } };

static const struct suffix *const suffixes[OPTION_TYPES] = {
	[OPTION_INT] = plain,
	[OPTION_DURATION] = durations,
	[OPTION_SIZE] = sizes,
	[OPTION_PERCENT] = percents,
};

/* Digits and one of the suffixes, no spaces, signs or fractions. */
static bool
parse_quantity(const char *text, const struct suffix *s, uint64_t *n)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return false;
	while (s->text != NULL && strcmp(p, s->text) != 0)
		s++;
	if (s->text == NULL || value > (UINT64_MAX - 1) / s->factor)
		return false;
	*n = value * s->factor;
	return true;
}

static const struct suffix windows[] = { { "/s", 1 }, { "/m", 60 }, { "/h", 3600 }, { NULL, 0 } };
static const struct suffix rate_sizes[] = { { "", 1 }, { "K", 1ull << 10 }, { "M", 1ull << 20 },
	{ NULL, 0 } };

/* Bytes in a window: 512/s, 1K/m, 1M/h. */
static bool
parse_rate(const char *text, uint64_t *n)
{
	size_t len = strcspn(text, "/");
	char size[24];
	uint64_t bytes;

	if (len >= sizeof(size))
		return false;
	memcpy(size, text, len);
	size[len] = '\0';
	if (!parse_quantity(size, rate_sizes, &bytes) || bytes > UINT32_MAX)
		return false;
	for (const struct suffix *s = windows; s->text != NULL; s++)
		if (strcmp(text + len, s->text) == 0) {
			*n = CONFIG_RATE(bytes, s->factor);
			return true;
		}
	return false;
}

static bool
is_word(const char *text, const char *const *words, uint64_t *n)
{
	for (*n = 0; words[*n] != NULL; (*n)++)
		if (strcmp(text, words[*n]) == 0)
			return true;
	return false;
}

static bool
is_bool(const char *text, uint64_t *n)
{
	/* The ones that say no have even numbers. */
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", NULL };
	bool found = is_word(text, words, n);

	*n %= 2;
	return found;
}

static bool
is_name(const char *text)
{
	if (text[0] == '\0' || text[0] == '-' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
			return false;
	return true;
}

/* Labels of letters, digits, `-` and `_`, 1 to 63 long, joined by dots; a final dot may follow. */
static bool
is_owner(const char *text, size_t len)
{
	size_t label = 0;

	if (len == 0 || len > 254)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_') ||
		    ++label > 63) {
			return false;
		}
	}
	return true;
}

size_t
option_parse_need(const char *text, size_t *name_len, unsigned *after)
{
	static const char *const words[] = { [CONFIG_AFTER_READY] = ":ready",
		[CONFIG_AFTER_STARTED] = ":started" };
	size_t len = strcspn(text, ",");
	unsigned i = 0;

	*name_len = strcspn(text, ",:");
	if (!is_owner(text, *name_len))
		return 0;
	if (*name_len == len)
		return len;
	while (i < 2 && (strlen(words[i]) != len - *name_len ||
	    memcmp(words[i], text + *name_len, len - *name_len) != 0))
		i++;
	if (i == 2)
		return 0;
	*after = i;
	return len;
}

static bool
are_needs(const char *text)
{
	for (;;) {
		unsigned after;
		size_t name_len, len = option_parse_need(text, &name_len, &after);

		if (len == 0)
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* A relative path: what XenStore accepts in a path, no empty component. */
static bool
is_xenstore_key(const char *key)
{
	size_t len = strlen(key);

	return len > 0 && len < LIMIT_XENSTORE_KEY && key[0] != '/' && key[len - 1] != '/' &&
	    strstr(key, "//") == NULL &&
	    strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@") ==
	    len;
}

bool
option_parse_ready(const char *text, unsigned *word, uint32_t *n)
{
	static const char *const forms[] = { "tcp:", "ping", "arp", "delay:", "xenstore:" };
	uint64_t value = 0;
	size_t len = 0;
	bool ok;

	for (*word = 0; *word < 5; (*word)++) {
		len = strlen(forms[*word]);
		if (strncmp(text, forms[*word], len) == 0)
			break;
	}
	switch (*word) {
	case 0:
		ok = parse_quantity(text + len, plain, &value) && value > 0 && value <= 65535;
		break;
	case 3:
		ok = parse_quantity(text + len, plain, &value) && value <= 3600000;
		break;
	case 4:
		ok = is_xenstore_key(text + len);
		value = len;
		break;
	default:
		ok = *word < 5 && text[len] == '\0';
	}
	*n = (uint32_t)value;
	return ok;
}

bool
option_parse_wake(const char *text, uint8_t *proto, uint16_t *port)
{
	bool tcp = strncmp(text, "tcp:", 4) == 0;
	uint64_t n = 0;

	*proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	*port = 0;
	if (strcmp(text, "icmp") == 0) {
		*proto = IPPROTO_ICMP;
		return true;
	}
	if ((!tcp && strncmp(text, "udp:", 4) != 0) || !parse_quantity(text + 4, plain, &n) ||
	    n < 1 || n > 65535)
		return false;
	*port = (uint16_t)n;
	return true;
}

bool
option_parse_disk(const char *text, size_t *path_len, bool *qcow2, bool *readonly)
{
	size_t at = strcspn(text, ",");

	*path_len = at;
	*qcow2 = *readonly = false;
	if (at == 0)
		return false;
	while (text[at] == ',') {
		const char *word = text + at + 1;
		size_t len = strcspn(word, ",");

		if (len == 10 && memcmp(word, "format=raw", 10) == 0)
			*qcow2 = false;
		else if (len == 12 && memcmp(word, "format=qcow2", 12) == 0)
			*qcow2 = true;
		else if (len == 8 && memcmp(word, "readonly", 8) == 0)
			*readonly = true;
		else
			return false;
		at += 1 + len;
	}
	return true;
}

static bool
parse_text(const struct config_option *o, const char *text)
{
	struct msg_addr a;
	struct addr_range r;
	uint16_t port;
	uint8_t mac[6], proto;
	size_t len;
	unsigned word, hours[4];
	uint32_t n;
	bool qcow2, readonly;

	switch (o->type) {
	case OPTION_NAME:
		return is_name(text);
	case OPTION_ADDRESS:
		return addr_parse(text, &a);
	case OPTION_PREFIX:
		return addr_parse_prefix(text, &a);
	case OPTION_RANGE:
		return addr_parse_range(text, &r);
	case OPTION_LISTEN:
		return addr_parse_listen(text, &a, &port);
	case OPTION_READY:
		return option_parse_ready(text, &word, &n);
	case OPTION_WAKE:
		return option_parse_wake(text, &proto, &port);
	case OPTION_DISK:
		return option_parse_disk(text, &len, &qcow2, &readonly);
	case OPTION_MAC:
		return addr_parse_mac(text, mac) && (mac[0] & 1) == 0 &&
		    (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
	case OPTION_OWNER:
		return is_owner(text, strlen(text));
	case OPTION_HOURS:
		return option_parse_hours(text, &hours[0], &hours[1], &hours[2], &hours[3]);
	case OPTION_NEEDS:
		return are_needs(text);
	default:
		return true;
	}
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

static const char *const text_accepts[OPTION_TYPES] = {
	[OPTION_STRING] = "text without control characters",
	[OPTION_PATH] = "a path; a relative one starts at the directory of the file it stands in",
	[OPTION_NAME] = "a name of letters, digits, \".\", \"_\" and \"-\"",
	[OPTION_ADDRESS] = "an IPv4 or IPv6 address",
	[OPTION_PREFIX] = "a prefix without host bits, such as \"10.77.0.0/24\"",
	[OPTION_RANGE] = "a range \"FIRST-LAST\", a prefix without host bits, or an address",
	[OPTION_LISTEN] = "ADDRESS, ADDRESS@PORT or [ADDRESS]:PORT",
	[OPTION_READY] =
	    "tcp:PORT, ping, arp, delay:MILLISECONDS (at most an hour) or xenstore:KEY",
	[OPTION_WAKE] = "tcp:PORT, udp:PORT or icmp",
	[OPTION_DISK] = "PATH[,format=raw|qcow2][,readonly]",
	[OPTION_MAC] = "a unicast MAC address such as \"02:00:00:aa:bb:cc\"",
	[OPTION_OWNER] = ("a name relative to the zone, or absolute with a final dot, of letters, "
	    "digits, \"-\", \"_\" and dots"),
	[OPTION_HOURS] = ("hours, on certain days of the week or on all, such as \"mon-fri "
	    "08:00-18:00\" or \"22:00-06:00\" (all day is 00:00-24:00)"),
	[OPTION_NEEDS] = ("names separated by commas, each relative to the zone or absolute with "
	    "a final dot, and perhaps with :ready or :started behind it"),
};

static void
format_rate(uint64_t rate, char *buf, size_t size)
{
	uint32_t bytes = CONFIG_RATE_BYTES(rate), s = CONFIG_RATE_S(rate);
	unsigned unit = bytes == 0 || bytes % 1024 != 0 ? 0 : bytes % (1 << 20) != 0 ? 1 : 2;

	snprintf(buf, size, "%" PRIu64 "%s%s", bytes / rate_sizes[unit].factor,
	    rate_sizes[unit].text, windows[s == 1 ? 0 : s == 3600 ? 2 : 1].text);
}

void
option_format(const struct config_option *o, uint64_t number, char *buf, size_t size)
{
	const struct suffix *s = suffixes[o->type], *best = s;

	if ((o->flags & OPTION_AUTO) != 0 && number == OPTION_AUTO_64) {
		snprintf(buf, size, "auto");
	} else if (o->type == OPTION_BOOL) {
		snprintf(buf, size, "%s", number != 0 ? "yes" : "no");
	} else if (o->type == OPTION_WORD) {
		snprintf(buf, size, "%s", o->words[number]);
	} else if (o->type == OPTION_RATE) {
		format_rate(number, buf, size);
	} else {
		for (; s->text != NULL; s++)
			if (number % s->factor == 0 && (number != 0 || strcmp(s->text, "s") == 0))
				best = s;
		snprintf(buf, size, "%" PRIu64 "%s", number / best->factor, best->text);
	}
}

/* What the row accepts, for messages: `a duration ..., from 1s to 30d`. */
static void
accepts(const struct config_option *o, char *buf, size_t size)
{
	static const char *const what[] = {
		[OPTION_INT] = "a number",
		[OPTION_DURATION] = "a duration with its unit (ms, s, m, h or d)",
		[OPTION_SIZE] = "a size with its unit (K, M, G or T)",
		[OPTION_RATE] = "bytes in a second, minute or hour, such as 1K/m,",
		[OPTION_PERCENT] = "a percentage",
	};
	char least[32], most[32];

	buf[0] = '\0';
	if (o->type == OPTION_BOOL) {
		snprintf(buf, size, "yes or no");
	} else if (o->type == OPTION_WORD) {
		for (unsigned i = 0; o->words[i] != NULL; i++)
			text_join(buf, size, o->words[i + 1] == NULL ? " or " : ", ", "%s",
			    o->words[i]);
	} else if (o->type <= OPTION_PERCENT) {
		option_format(o, o->least, least, sizeof(least));
		option_format(o, o->most, most, sizeof(most));
		snprintf(buf, size, "%s%s from %s to %s",
		    (o->flags & OPTION_AUTO) != 0 ? "auto, or " : "", what[o->type], least, most);
	} else if ((o->flags & OPTION_LIST) != 0 || o->least == o->most) {
		snprintf(buf, size, "%s", text_accepts[o->type]);
	} else {
		snprintf(buf, size, "%s; at most %" PRIu64 " characters", text_accepts[o->type],
		    o->most);
	}
}

static enum err
refuse(const struct config_option *o, const char *text, enum err e, struct errmsg *m)
{
	char wanted[256];

	accepts(o, wanted, sizeof(wanted));
	return err_set(m, e, "\"%.200s\" is not accepted: it must be %s", text, wanted);
}

static enum err
parse_number(const struct config_option *o, const char *text, uint64_t *number, struct errmsg *m)
{
	bool quantity = o->type != OPTION_WORD && o->type != OPTION_BOOL, ok;
	uint64_t n = OPTION_AUTO_64, bounded;

	if ((o->flags & OPTION_AUTO) != 0 && strcmp(text, "auto") == 0) {
		*number = n;
		return ERR_OK;
	}
	if (o->type == OPTION_RATE)
		ok = parse_rate(text, &n);
	else if (quantity)
		ok = parse_quantity(text, suffixes[o->type], &n);
	else
		ok = o->type == OPTION_BOOL ? is_bool(text, &n) : is_word(text, o->words, &n);
	if (!ok)
		return refuse(o, text, ERR_PARSE, m);
	bounded = o->type == OPTION_RATE ? CONFIG_RATE_BYTES(n) : n;
	if (quantity && (bounded < o->least || bounded > o->most))
		return refuse(o, text, ERR_RANGE, m);
	*number = n;
	return ERR_OK;
}

enum err
option_parse(const struct config_option *o, const char *text, uint64_t *number, struct errmsg *m)
{
	bool list = (o->flags & OPTION_LIST) != 0;
	size_t least = list ? 1 : o->least, most = list ? 1023 : o->most;

	if (o->type <= OPTION_PERCENT)
		return parse_number(o, text, number, m);
	if (has_control(text) || strlen(text) < least)
		return refuse(o, text, ERR_PARSE, m);
	if (strlen(text) > most)
		return refuse(o, text, ERR_RANGE, m);
	return parse_text(o, text) ? ERR_OK : refuse(o, text, ERR_PARSE, m);
}
