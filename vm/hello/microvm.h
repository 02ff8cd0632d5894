/* microvm.h: the network card of QEMU's microvm */
#ifndef HELLO_MICROVM_H
#define HELLO_MICROVM_H

#include "vm/hello/machine.h"

/*
 * virtio_net.c: the first card in the virtio-mmio window (virtio 1.1, no offloads), as struct
 * machine wants the card; virtio_net_attend() lets the card interrupt again.
 */
const char *virtio_net_start(uint8_t mac[MAC_BYTES]);
bool virtio_net_attend(void);
extern const struct machine_card virtio_net_card;

#endif
