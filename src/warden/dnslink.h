/* dnslink: what the warden sends to the DNS process; inbox.c has what comes back. */
#ifndef SRC_WARDEN_DNSLINK_H
#define SRC_WARDEN_DNSLINK_H

#include "src/warden/state.h"

/* Everything that a DNS process which has just been started must know. */
void dnslink_setup(struct warden *w);
/* Sends the generation to the DNS process; one that does not run gets it when it starts. */
void dnslink_commit(struct warden *w);
/* The same for what a reload may change besides zones. */
void dnslink_tune(struct warden *w);
void dnslink_woken(struct warden *w, uint32_t unit, enum msg_wake_result result, unsigned ede);

#endif
