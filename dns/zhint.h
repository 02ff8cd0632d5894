/* zhint: what the data of a record type looks like in a master file, for findings. */
#ifndef DNS_ZHINT_H
#define DNS_ZHINT_H

#include <stddef.h>

/*
 * A phrase for the mnemonic `type` of `len` characters, such as "A needs an IPv4 address, such as 192.0.2.1", or that there is no such type.
 */
void zhint(const char *type, size_t len, char *buf, size_t size);

#endif
