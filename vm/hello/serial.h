/* serial.h: the first serial port, if there is one */
#ifndef HELLO_SERIAL_H
#define HELLO_SERIAL_H

#include <stddef.h>

void serial_init(void);

/* Gives up on a port that does not take the bytes. */
void serial_print(const char *bytes, size_t n);

#endif
