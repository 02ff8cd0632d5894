/*
 * zdigest: digests in RDATA, whose length their type fixes: one that was cut when it was pasted is
 * believed by nobody, or matches nothing.
 */
#ifndef DNS_ZONE_ZDIGEST_H
#define DNS_ZONE_ZDIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * False: `why` says what the digest in this record should be.  Types of record and of digest that
 * are not known here are as they are.
 */
bool zdigest_check(uint16_t type, const uint8_t *rdata, size_t len, char *why, size_t size);

#endif
