/*
 * wires: the descriptors by which frames come and go: the bridges' packet sockets, the ports' taps,
 * and the links of VMs that begin to run.  What frames mean is probe.c's and park.h's.
 *
 * A function that is given a descriptor takes it over, and leaves -1.  Networks are below
 * LIMIT_NETWORKS.  What cannot be sent is lost, as on any wire.
 */
#ifndef VM_SENTINEL_WIRES_H
#define VM_SENTINEL_WIRES_H

#include <event2/event.h>

#include "base/err.h"
#include "vm/sentinel/park.h"
#include "vm/sentinel/probe.h"

struct wires;

#define WIRES_MARK 8

/* `after` is called when frames were read: something may be due. */
struct wires *wires_new(struct event_base *base, void (*after)(void *arg), void *arg);
void wires_free(struct wires *w);                               /* NULL is allowed */
/* Whose the frames are; they outlive the wires.  To be called first; `mark`: nobody can guess. */
void wires_sets(struct wires *w, struct probe_set *probes, struct park_set *parked,
    const uint8_t mark[WIRES_MARK]);

/* In place of the network's last one, of the unit's last one; -1 = none. */
enum err wires_bridge_set(struct wires *w, uint32_t network, int *fd, struct errmsg *m);
enum err wires_port_set(struct wires *w, uint32_t network, int *fd, struct errmsg *m);
enum err wires_link_set(struct wires *w, uint32_t unit, int *fd, struct errmsg *m);
void wires_link_close(struct wires *w, uint32_t unit);
/* Whether the network's bridge is listened to; at first it is when a probe wants its frames. */
void wires_bridge_listen(struct wires *w, uint32_t network, bool listen);

void wires_bridge_send(struct wires *w, uint32_t network, const uint8_t *frame, size_t len);
/* A frame without the header that a tap has in front; one with it. */
void wires_port_send(struct wires *w, uint32_t network, const uint8_t *frame, size_t len);
void wires_link_send(struct wires *w, uint32_t unit, const uint8_t *frame, size_t len);

/* Read what has come by the port, by the link. */
void wires_port_read(struct wires *w, uint32_t network);
void wires_link_read(struct wires *w, uint32_t unit);

#endif
