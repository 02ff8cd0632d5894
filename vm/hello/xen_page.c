/* xen_page.c: what Xen and the console's daemon write into pages of ours: system time, indices */
#include "vm/hello/xen.h"

/* ticks * 2^shift * mul / 2^32 without a product of more than 64 bits */
static uint64_t
scale(uint64_t ticks, int shift, uint32_t mul)
{
	ticks = shift < 0 ? ticks >> (-shift & 63) : ticks << (shift & 63);
	return (ticks >> 32) * mul + ((ticks & UINT32_MAX) * mul >> 32);
}

uint64_t
xen_page_time_ns(const struct xen_time_info *info, uint64_t (*tsc)(void))
{
	const volatile struct xen_time_info *now = info;
	uint64_t ns;
	uint32_t version;

	do {
		uint64_t then, ticks;

		/* an odd one never equals what is read below */
		version = xen_load(&info->version) & ~1u;
		then = now->tsc_timestamp;
		ticks = tsc();
		ticks = ticks > then ? ticks - then : 0;
		ns = now->system_time + scale(ticks, now->tsc_shift, now->tsc_to_system_mul);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version != xen_load(&info->version));
	return ns;
}

size_t
xen_page_print(struct xencons_page *page, const char *bytes, size_t n)
{
	uint32_t at = page->out_prod, used = at - xen_load(&page->out_cons);
	size_t room = used <= XENCONS_OUT_BYTES ? XENCONS_OUT_BYTES - used : 0, i;

	xen_store(&page->in_cons, xen_load(&page->in_prod));
	for (i = 0; i < n && i < room; i++)
		page->out[at++ % XENCONS_OUT_BYTES] = bytes[i];
	xen_store(&page->out_prod, at);
	return i;
}
