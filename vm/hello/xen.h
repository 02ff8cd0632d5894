/* xen.h: what a PVH domain on Xen has: hypercalls, events, grants, a clock, a console, a vif */
#ifndef HELLO_XEN_H
#define HELLO_XEN_H

#include "vm/hello/machine.h"
#include "vm/hello/xen_abi.h"
#include "vm/hello/xenstore.h"

/* Memory that is shared by the page. */
#define XEN_PAGE __attribute__((aligned(XEN_PAGE_BYTES), section(".bss.noinit")))

/* True when Xen is underneath. */
bool xen_detect(void);
/*
 * Maps the shared pages and has events delivered; once more after a resume, when event channels and
 * grants are gone.  Ends the domain as crashed when Xen refuses.
 */
void xen_start(void);
/* A number from the toolstack: the frame or the event channel of the store or the console. */
uint32_t xen_param(enum xen_param index);
/*
 * Event channels; 0 when there is none to be had. Each event ends cpu_sleep(); which it was nobody
 * needs to know. xen_events_clear() forgets the events so far, and comes before looking for work.
 */
uint32_t xen_event_alloc(uint16_t remote_domid);
void xen_event_send(uint32_t port);
void xen_events_clear(void);
/* Lets the domain map or copy the page; the reference stays valid until the next xen_start(). */
void xen_grant(uint32_t reference, uint16_t domid, const void *page, bool readonly);
/* System time in nanoseconds, of no particular origin; it jumps when the domain is resumed. */
uint64_t xen_time_ns(void);
/* One event at that system time; 0 for none. */
void xen_timer_set(uint64_t at_ns);
/* Returns only from a suspend: false in a restored domain, true when it was called off. */
bool xen_shutdown(enum xen_shutdown_reason reason);

/* xen_page.c: system time at the present, which tsc() reads (vcpu_time_info of Xen's xen.h). */
uint64_t xen_page_time_ns(const struct xen_time_info *info, uint64_t (*tsc)(void));
/* Writes what the console has room for (io/console.h); returns how much. Input is thrown away. */
size_t xen_page_print(struct xencons_page *page, const char *bytes, size_t n);

/*
 * xen_net.c: the front half of the domain's first vif. Connects, also anew after a resume; `token`
 * is for the watch on the backend. Returns NULL, or why there is no network.
 */
const char *xen_net_start(struct xenstore *xs, unsigned token, uint8_t mac[MAC_BYTES]);
/* The backend's watch has fired. True when frames go through from now on. */
bool xen_net_changed(struct xenstore *xs);

extern const struct machine_card xen_net_card;

#endif
