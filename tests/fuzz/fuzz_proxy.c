/* fuzz_proxy: PROXY protocol headers; what is accepted holds its own bounds. */
#include <stdlib.h>
#include <string.h>

#include "dns/server/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h, again;
	enum proxy_parsed p = proxy_parse(data, size, &h);

	if (p == PROXY_OK && (h.len < 16 || h.len > size || h.len > 16 + LIMIT_PROXY_BODY))
		abort();
	if (p == PROXY_OK && h.client.family != 0 && h.client.family != 4 && h.client.family != 6)
		abort();
	/* a verdict does not change with what follows, and no beginning of a header is refused */
	for (size_t len = 0; len < size && len < 64; len++) {
		enum proxy_parsed q = proxy_parse(data, len, &again);

		if (q == PROXY_BAD && p != PROXY_BAD)
			abort();
		if (q == PROXY_OK && (p != PROXY_OK || again.len != h.len))
			abort();
	}
	return 0;
}
