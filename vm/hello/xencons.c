/* xencons.c: the sending half of Xen's console page */
#include "vm/hello/xencons.h"

size_t
xencons_write(struct xencons_page *page, const char *bytes, size_t n)
{
	uint32_t at = page->out_prod, used = at - __atomic_load_n(&page->out_cons,
	    __ATOMIC_ACQUIRE);
	size_t room = used <= XENCONS_OUT_BYTES ? XENCONS_OUT_BYTES - used : 0, i;

	__atomic_store_n(&page->in_cons, __atomic_load_n(&page->in_prod, __ATOMIC_ACQUIRE),
	    __ATOMIC_RELEASE);
	for (i = 0; i < n && i < room; i++)
		page->out[at++ % XENCONS_OUT_BYTES] = bytes[i];
	__atomic_store_n(&page->out_prod, at, __ATOMIC_RELEASE);
	return i;
}
