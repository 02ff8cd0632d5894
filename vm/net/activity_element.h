/* activity_element: elements of the table's sets, as nft(8) lists them. */
#ifndef VM_NET_ACTIVITY_ELEMENT_H
#define VM_NET_ACTIVITY_ELEMENT_H

#include "vm/vm.h"

/* The ms that "... expires 59m59s988ms ..." leaves of most_s at most, or -1. */
int64_t activity_element_expires(const char *text, int64_t most_s);

/* A connection. */
struct activity_flow {
	char key[128];             /* as nft(8) wants it */
	struct vm_flow flow;       /* without last_ns */
	int64_t left_ms;           /* until it expires */
};
/* The next of this MAC's in *text, which moves behind it; false: there are no more. */
bool activity_element_flow(const char **text, const uint8_t mac[6], struct activity_flow *f);

#endif
