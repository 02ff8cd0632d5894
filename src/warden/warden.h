/* warden: the door of this room: the privileged process, which no byte of a network reaches. */
#ifndef SRC_WARDEN_WARDEN_H
#define SRC_WARDEN_WARDEN_H

#include <stdbool.h>

struct warden_options {
	const char *conf_path;
	bool foreground;
};

/* Runs until SIGTERM or SIGINT; the exit status. */
int warden_main(const struct warden_options *opt);

#endif
