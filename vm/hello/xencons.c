/* xencons.c: the sending half of Xen's console page */
#include "vm/hello/xen.h"

size_t
xencons_write(struct xencons_page *page, const char *bytes, size_t n)
{
	uint32_t at = page->out_prod, used = at - xen_load(&page->out_cons);
	size_t room = used <= XENCONS_OUT_BYTES ? XENCONS_OUT_BYTES - used : 0, i;

	xen_store(&page->in_cons, xen_load(&page->in_prod));
	for (i = 0; i < n && i < room; i++)
		page->out[at++ % XENCONS_OUT_BYTES] = bytes[i];
	xen_store(&page->out_prod, at);
	return i;
}
