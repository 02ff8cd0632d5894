/* output: a program's stderr, a memory file that takes LIMIT_OUTPUT bytes and refuses the rest. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/err.h"

/* *fd is the caller's. */
enum err output_new(int *fd, struct errmsg *m);
/* What has been written so far, terminated; returns its length.  fd may be -1: empty. */
size_t output_read(int fd, char *text, size_t size);
/* The last line that is not empty, printable. */
void output_last_line(int fd, char *text, size_t size);

#endif
