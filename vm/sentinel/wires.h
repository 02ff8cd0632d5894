/*
 * wires: the descriptors by which packets for sleeping units come and go: the ports' taps and the
 * links of VMs that begin to run.  What frames mean is park.c's.
 */
#ifndef VM_SENTINEL_WIRES_H
#define VM_SENTINEL_WIRES_H

#include <event2/event.h>

#include "base/err.h"
#include "vm/sentinel/park.h"

struct wires;

/* `after` is called when frames were read: park_next_ns may have changed.  NULL: out of memory. */
struct wires *wires_new(struct event_base *base, void (*after)(void *arg), void *arg);
void wires_free(struct wires *w);                               /* NULL is allowed */
/* Frames are for this set, which outlives the wires; to be called first. */
void wires_park(struct wires *w, struct park_set *park);

/* The tap of a network's port, in place of the last one; takes fd over; -1 = none. */
enum err wires_port_set(struct wires *w, uint32_t network, int fd, struct errmsg *m);
/* A unit's link, in place of the last one; takes fd over. */
enum err wires_link_set(struct wires *w, uint32_t unit, int fd, struct errmsg *m);
void wires_link_close(struct wires *w, uint32_t unit);
/* Reads what has come by the port. */
void wires_port_read(struct wires *w, uint32_t network);

/* As in struct park_ops; what cannot be sent is lost, as on any wire. */
void wires_port_send(struct wires *w, uint32_t network, const uint8_t *frame, size_t len);
void wires_link_send(struct wires *w, uint32_t unit, const uint8_t *frame, size_t len);

#endif
