/* ring: the end of a console's text, in one block that is shifted when it is full. */
#include "vm/proc/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
ring_clear(struct ring *r)
{
	free(r->text);
	r->text = NULL;
	r->len = 0;
}

void
ring_keep(struct ring *r, const char *text, size_t n)
{
	if (r->text == NULL)
		r->text = mem_zero(1, LIMIT_CONSOLE_RING);
	if (n > LIMIT_CONSOLE_RING) {
		text += n - LIMIT_CONSOLE_RING;
		n = LIMIT_CONSOLE_RING;
	}
	if (r->len + n > LIMIT_CONSOLE_RING) {
		size_t drop = r->len + n - LIMIT_CONSOLE_RING;

		memmove(r->text, r->text + drop, r->len - drop);
		r->len -= drop;
	}
	memcpy(r->text + r->len, text, n);
	r->len += n;
}

void
ring_tell(const struct ring *r, const char *more, size_t n, struct vm_outcome *out)
{
	free(out->text);
	out->text = mem_zero(1, r->len + n + 1);
	if (r->len > 0)
		memcpy(out->text, r->text, r->len);
	if (n > 0)
		memcpy(out->text + r->len, more, n);
	out->text_len = r->len + n;
}
