/* thread: worker threads beside an event loop. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/*
 * Enough for libxl, which has buffers on its stack, and for jansson, which recurses up to 2,048
 * levels deep in what a QEMU sends (300 KiB). Small stacks lie close together and need few page
 * tables, each of which fork(2) copies.
 */
#define THREAD_STACK_BYTES (1024u * 1024)

/* As pthread_create(3), with that stack, and no signals but those of a crash.  0, or an errno. */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
