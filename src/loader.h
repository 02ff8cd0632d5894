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

	unsigned sent;                 /* zones that were looked at: named to the child, or reused */
	struct loader_zone {
		struct inputs inputs;
		bool unknown;          /* a file could not be noted */
		struct served_zone *reused;   /* of the old generation: its files have not changed */
	} *todo;                       /* parallel to conf->zones */
	unsigned ntodo;
	bool told;                     /* MSG_COMPILE is sent */
	bool over;
	enum err result;
	struct event *ev_over;
	load_done_cb done;
	void *arg;
};

/* A finding that keeps a zone from being taken. */
void loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file, unsigned line, const char *text);

/* What the running generation has for a zone of the configuration, whole or not; NULL when it is new. */
struct served_zone *loader_old_zone(const struct warden *w, const char *origin);

/* Everything is compiled: checks mappings, takes what is whole, and makes it the warden's generation.  On an error nothing has changed. */
enum err loader_swap(struct loader *l);

#endif
