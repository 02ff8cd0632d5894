/* loader: a load in progress; shared by loader.c (files, the zones process) and generation.c (mappings, units, the swap). */
#ifndef SRC_LOADER_H
#define SRC_LOADER_H

#include "src/children.h"
#include "src/warden.h"

struct loader {
	struct warden *w;
	struct config *conf;           /* the new one, until the swap takes it */
	struct report report;
	struct child zones;
	struct cookie_secrets cookies;
	struct image *image;           /* what was compiled; NULL: nothing loaded */

	unsigned sent;                 /* zones */
	bool told;                     /* MSG_COMPILE is sent */
	bool over;
	enum err result;
	struct event *ev_over;
	load_done_cb done;
	void *arg;
};

/* A finding that keeps a zone from being taken. */
void loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file, unsigned line, const char *text);

/* Everything is compiled: checks mappings, takes what is whole, and makes it the warden's generation.  On an error nothing has changed. */
enum err loader_swap(struct loader *l);

#endif
