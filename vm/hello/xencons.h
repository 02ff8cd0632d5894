/* xencons.h: the sending half of Xen's console page (xen/include/public/io/console.h) */
#ifndef HELLO_XENCONS_H
#define HELLO_XENCONS_H

#include <stddef.h>

#include "vm/hello/xen_abi.h"

/* Writes as many of the bytes as there is room for; returns how many. Input is thrown away. */
size_t xencons_write(struct xencons_page *page, const char *bytes, size_t n);

#endif
