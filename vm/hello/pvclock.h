/*
 * pvclock.h: Xen's system time from the time stamp counter (xen/include/public/xen.h,
 * vcpu_time_info)
 */
#ifndef HELLO_PVCLOCK_H
#define HELLO_PVCLOCK_H

#include <stdint.h>

#include "vm/hello/xen_abi.h"

/* Nanoseconds at the present, which tsc() reads. */
uint64_t pvclock_ns(const struct xen_time_info *info, uint64_t (*tsc)(void));

#endif
