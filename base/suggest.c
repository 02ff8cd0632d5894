/* suggest: the nearest match by edits (Levenshtein); an equal first label counts as one edit. */
#include "base/suggest.h"

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

/* Three rows of the table: the one being made, the one before it and the one before that. */
unsigned
suggest_edits(const char *a, size_t la, const char *b, size_t lb, unsigned bound)
{
	unsigned rows[3][COMPARED + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *swap;

	if ((la > lb ? la - lb : lb - la) >= bound)
		return bound;
	for (unsigned j = 0; j <= lb; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= la; i++) {
		unsigned smallest = row[0] = (unsigned)i;

		for (size_t j = 1; j <= lb; j++) {
			row[j] = least(last[j] + 1, row[j - 1] + 1,
			    last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
			if (row[j] < smallest)
				smallest = row[j];
		}
		if (smallest > bound)   /* an exchange may still save one */
			return bound;
		swap = before;
		before = last;
		last = row;
		row = swap;
	}
	return last[lb];
}

void
suggest_offer(struct suggest *s, const char *candidate)
{
	size_t lw = strnlen(s->wanted, COMPARED), lc = strnlen(candidate, COMPARED);
	size_t label = strcspn(s->wanted, ".");
	unsigned n = suggest_edits(s->wanted, lw, candidate, lc, s->best);

	if (n > 1 && label > 0 && label < lc && strncmp(s->wanted, candidate, label) == 0 &&
	    candidate[label] == '.')
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
