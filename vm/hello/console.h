/* console.h: the image's own words, one line each */
#ifndef HELLO_CONSOLE_H
#define HELLO_CONSOLE_H

/* Prints "hello: ", the line and a line end, to wherever the machine has its console. */
void console_line(const char *line);

#endif
