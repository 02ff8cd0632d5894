/* siphash: SipHash-2-4 (Aumasson, Bernstein 2012): who has not the key cannot aim at a value. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash24(const uint8_t key[16], const void *data, size_t len);

#endif
