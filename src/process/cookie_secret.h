/* cookie_secret: secrets of DNS cookies, from a file that several servers may share, or random. */
#ifndef SRC_PROCESS_COOKIE_SECRET_H
#define SRC_PROCESS_COOKIE_SECRET_H

#include "base/err.h"
#include "base/msg.h"

/* Reads the file; jitsu.conf(5) says what is in it.  The message begins with path and line. */
enum err cookie_secrets_read(const char *path, struct msg_cookies *s, struct errmsg *m);
/* One random secret. */
enum err cookie_secrets_make(struct msg_cookies *s, struct errmsg *m);

#endif
