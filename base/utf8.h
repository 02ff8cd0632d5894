/* utf8: bytes that anybody wrote, such as a guest's console, as text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/*
 * The bytes as UTF-8 text without NUL: what is valid stays as it is, control characters too; every
 * other byte is written as \ooo, octal.  malloc'd; NULL when out of memory.
 */
char *utf8_from_bytes(const char *bytes, size_t len);

#endif
