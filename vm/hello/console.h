/* console.h: lines on the first serial port, if there is one */
#ifndef HELLO_CONSOLE_H
#define HELLO_CONSOLE_H

void console_init(void);

/* Prints "hello: ", the line and a line end; gives up on a port that does not take them. */
void console_line(const char *line);

#endif
