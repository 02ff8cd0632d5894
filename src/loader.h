/* loader: a load in progress; shared by loader.c (files, the zones process) and generation.c (mappings, units, the swap). */
#ifndef SRC_LOADER_H
#define SRC_LOADER_H

#include "src/children.h"
#include "src/warden.h"

/* Where the image of a zone comes from. */
enum loader_how {
	LOADER_TOGETHER,               /* a child compiles it with others */
	LOADER_ALONE,                  /* large: a child compiles it and no other, so that no other zone's author has a hand in what is kept */
	LOADER_FROM_DISK,
	LOADER_REUSED                  /* the old generation: its files have not changed */
};

#define LOADER_ALL UINT32_MAX

struct loader {
	struct warden *w;
	struct config *conf;           /* the new one, until the swap takes it */
	struct report report;
	struct child zones;
	struct cookie_secrets cookies;
	struct image *image;           /* of the zones that were compiled together; NULL: none was */
	struct imagejob *finding;      /* images on disk */

	unsigned batch;                /* what the child compiles: one zone, or LOADER_ALL */
	unsigned next;                 /* the zone to look at for the next batch */
	bool together_done;            /* the batch of many was looked at */
	bool batch_done;               /* its image has come; the child ends */
	unsigned sent;                 /* zones that were looked at: named to the child, or not of its batch */
	struct loader_zone {
		struct inputs inputs;
		unsigned includes;     /* files that the child asked for */
		bool unknown;          /* a file could not be noted */
		enum loader_how how;
		struct served_zone *reused;   /* with LOADER_REUSED */
		struct image *image;   /* with LOADER_FROM_DISK and LOADER_ALONE */
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
