/* suggest: the nearest match by edits (Levenshtein), with a kind eye on names whose first label is right. */
#include "src/suggest.h"

#include <stdio.h>
#include <string.h>

#define COMPARED 255   /* octets of a name that are looked at */

void
suggest_init(struct suggest *s, const char *wanted)
{
	s->wanted = wanted;
	s->best = (unsigned)strnlen(wanted, COMPARED) / 3 + 1;   /* to be beaten */
	s->candidate[0] = '\0';
	s->text[0] = '\0';
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits from a to b, or any number >= bound as soon as it is clear that there are as many. */
static unsigned
edits(const char *a, size_t la, const char *b, size_t lb, unsigned bound)
{
	unsigned row[COMPARED + 1];

	if ((la > lb ? la - lb : lb - la) >= bound)
		return bound;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0], smallest;

		row[0] = smallest = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
			if (row[j] < smallest)
				smallest = row[j];
		}
		if (smallest >= bound)
			return bound;
	}
	return row[lb];
}

void
suggest_offer(struct suggest *s, const char *candidate)
{
	size_t lw = strnlen(s->wanted, COMPARED), lc = strnlen(candidate, COMPARED);
	size_t label = strcspn(s->wanted, ".");
	unsigned n = edits(s->wanted, lw, candidate, lc, s->best);

	if (n > 1 && label > 0 && label < lc && strncmp(s->wanted, candidate, label) == 0 && candidate[label] == '.')
		n = 1;
	if (n >= s->best)
		return;
	s->best = n;
	snprintf(s->candidate, sizeof(s->candidate), "%s", candidate);
}

const char *
suggest_text(struct suggest *s)
{
	if (s->candidate[0] == '\0')
		return "";
	snprintf(s->text, sizeof(s->text), "; did you mean %s?", s->candidate);
	return s->text;
}
