/*
 * warden: the door of this room: the privileged process, which has configuration, units, life
 * cycle, store, drivers and control socket, and sees no byte from the network or a guest.
 */
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
