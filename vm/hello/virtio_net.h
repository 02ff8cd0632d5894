/*
 * virtio_net.h: the first network card in the virtio-mmio window of QEMU's microvm (virtio 1.1, no
 * offloads)
 */
#ifndef HELLO_VIRTIO_NET_H
#define HELLO_VIRTIO_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/addr.h"

/* Finds and starts the card. Returns NULL, or why there is none. */
const char *virtio_net_start(uint8_t mac[MAC_BYTES]);

/* Lets the card interrupt again; to be called before looking for frames. */
void virtio_net_acknowledge(void);

/* The next received frame, or NULL; it is the caller's until virtio_net_release(). */
const uint8_t *virtio_net_receive(size_t *len);
void virtio_net_release(void);
bool virtio_net_has_frame(void);

/* Queues a frame; drops it when the queue is full. */
void virtio_net_send(const uint8_t *frame, size_t len);

/* Tells the card what was queued and released since the last time. */
void virtio_net_flush(void);

#endif
