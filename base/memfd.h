/*
 * memfd: anonymous files that processes share, sealed before they are handed over.
 *
 * A received descriptor is believed only after memfd_map_* has checked its seals and size: a
 * process that could still shrink a mapped file could kill its reader with SIGBUS.
 */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include "base/err.h"

/* A new file of `size` zero bytes, writable, sealed against SHRINK and GROW; *fd: the caller's. */
enum err memfd_create_sized(const char *name, size_t size, int *fd, struct errmsg *m);
/* A new empty file that may grow, for writers that do not know the size; then memfd_seal_all. */
enum err memfd_create_open(const char *name, int *fd, struct errmsg *m);
/* Seals against every change.  No writable mapping may exist. */
enum err memfd_seal_all(int fd, struct errmsg *m);
/* Forbids new writable mappings and write(2); mappings that exist keep writing. */
enum err memfd_seal_future_write(int fd, struct errmsg *m);

/*
 * Maps the whole file after checking that it is a memfd sealed against SHRINK and GROW, and for
 * memfd_map_sealed against WRITE too.  The caller unmaps (munmap).  *size is the file's.
 */
enum err memfd_map_sealed(int fd, const void **map, size_t *size, struct errmsg *m);
enum err memfd_map_read(int fd, const void **map, size_t *size, struct errmsg *m);
enum err memfd_map_write(int fd, void **map, size_t *size, struct errmsg *m);

#endif
