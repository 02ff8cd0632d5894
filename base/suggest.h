/*
 * suggest: the nearest match for a word that was not found: "no unit ww.example.test; did you mean
 * www.example.test?"
 *
 *     struct suggest s;
 *     suggest_init(&s, wanted);
 *     for (each candidate)
 *             suggest_offer(&s, candidate);
 *     control_fail(req, "no unit %s%s", wanted, suggest_text(&s));
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

#include "base/limits.h"

struct suggest {
	const char *wanted;        /* must outlive the search */
	unsigned best;             /* edits to the best candidate so far */
	char candidate[LIMIT_NAME_TEXT];
	char text[LIMIT_NAME_TEXT + 32];
};

/*
 * Edits from a to b (a letter more, less, another, or two exchanged), or any number >= bound as
 * soon as it is clear that there are as many.  Texts of at most 255 octets.
 */
unsigned suggest_edits(const char *a, size_t la, const char *b, size_t lb, unsigned bound);
void suggest_init(struct suggest *s, const char *wanted);
void suggest_offer(struct suggest *s, const char *candidate);
/* "; did you mean CANDIDATE?"; "": none is near (a third of the letters, or the first label). */
const char *suggest_text(struct suggest *s);

#endif
