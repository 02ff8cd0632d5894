/*
 * prepare: what a VM is started with where there is no jitsud: a tap, a socket for QMP, a user.
 * What fails ends the program with a message.
 */
#ifndef BENCH_PREPARE_H
#define BENCH_PREPARE_H

#include <sys/types.h>

/* Where the command finds them, as jitsud passes them to QEMU. */
#define FD_QMP 3
#define FD_TAP 4

/* Both return a descriptor of 100 or more.  A tap `name` that is an up port of `bridge`. */
int prepare_tap(const char *bridge, const char *name);
/* A listening socket with an address of the kernel's choice (unix(7), autobind). */
int prepare_listener(void);
/* Becomes that user, for good. */
void prepare_user(uid_t uid, gid_t gid);

#endif
