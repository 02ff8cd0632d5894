/* hex: bytes as hexadecimal digits, two for each; written small, read small or capital. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a digit; -1 when `c` is none. */
int hex_value(int c);
/* Writes 2 * n digits and a NUL; returns where the NUL stands.  Async-signal-safe. */
char *hex_write(char *text, const uint8_t *bytes, size_t n);
/* Reads 2 * n digits, where a NUL is no digit; false leaves `bytes` half written. */
bool hex_read(const char *text, uint8_t *bytes, size_t n);

#endif
