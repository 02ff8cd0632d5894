/* inbox: the two children that serve, and what they send: inbox.c and inbox_sentinel.c. */
#ifndef SRC_WARDEN_INBOX_H
#define SRC_WARDEN_INBOX_H

#include "src/warden/state.h"

/* Makes w->dns and w->sentinel, which child_start starts. */
void inbox_dns_init(struct warden *w);
void inbox_sentinel_init(struct warden *w);

#endif
