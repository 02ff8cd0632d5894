/* listen: the sockets of the DNS process. */
#ifndef SRC_WARDEN_LISTEN_H
#define SRC_WARDEN_LISTEN_H

#include "src/warden/state.h"

/* Binds every listening address once per worker; they stay bound as long as the warden lives. */
enum err listen_open(struct sockets *s, const struct config *conf, struct errmsg *m);
void listen_close(struct sockets *s);

#endif
