/* ztoken: the words of an entry of a master file. */
#include "dns/zone/zfield.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 60

size_t
ztoken_len(const char *t)
{
	bool quoted = false;
	size_t n = 0;

	for (; t[n] != '\0' && (quoted || t[n] != ' '); n++) {
		if (t[n] == '"')
			quoted = !quoted;
		else if (t[n] == '\\' && t[n + 1] != '\0')
			n++;
	}
	return n;
}

int
ztoken_shown(size_t len)
{
	return (int)(len < SHOWN_MAX ? len : SHOWN_MAX);
}

char *
ztoken_next(char *t)
{
	t += ztoken_len(t);
	return *t == ' ' ? t + 1 : t;
}

bool
ztoken_is(const char *t, const char *word)
{
	size_t n = strlen(word);

	return ztoken_len(t) == n && strncasecmp(t, word, n) == 0;
}

bool
ztoken_number(const char *t, size_t len, uint64_t most, uint64_t *n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len && isdigit((unsigned char)t[i]) && sum <= most; i++)
		sum = sum * 10 + (uint64_t)(t[i] - '0');
	*n = sum;
	return len > 0 && i == len && sum <= most;
}

bool
ztoken_ttl(const char *t, size_t len, uint32_t most, uint32_t *ttl)
{
	static const char units[] = "smhdw";
	static const uint32_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	const char *end = t + len, *unit = NULL;
	uint64_t sum = 0;

	if (len == 0)
		return false;
	while (t < end) {
		uint64_t n = 0;

		if (!isdigit((unsigned char)*t))
			return false;
		for (; t < end && isdigit((unsigned char)*t) && n <= most; t++)
			n = n * 10 + (uint64_t)(*t - '0');
		if (t == end && unit != NULL)
			return false;   /* 1h30: minutes or seconds? */
		if (t < end) {
			unit = memchr(units, tolower((unsigned char)*t++), sizeof(units) - 1);
			if (unit == NULL)
				return false;
			n *= seconds[unit - units];
		}
		sum += n;
		if (sum > most)
			return false;
	}
	*ttl = (uint32_t)sum;
	return true;
}
