/* loader: a load in progress; shared by loader.c (files, the zones process) and generation.c (mappings, units, the swap). */
#ifndef SRC_LOAD_LOADER_H
#define SRC_LOAD_LOADER_H

#include <pthread.h>

#include "base/writers.h"
#include "src/process/process.h"
#include "src/warden/warden.h"

/* Where the image of a zone comes from. */
enum loader_how {
	LOADER_TOGETHER,               /* a child compiles it with others */
	LOADER_ALONE,                  /* large: a child compiles it and no other, so that no other zone's author has a hand in what is kept */
	LOADER_FROM_DISK,
	LOADER_REUSED                  /* the old generation: its files have not changed */
};

#define LOADER_ALL UINT32_MAX
#define LOADER_NONE UINT32_MAX

struct loader;

/* prepare.c: what may block, or takes long: a thread beside the loop. */
struct prepare {
	enum err (*work)(struct loader *l);
	pthread_t thread;
	bool running;                  /* until it is joined */
	struct event *ev_done;
	enum err result;
};

struct loader {
	struct warden *w;
	struct generation *gen;        /* (p) the new one, built but not in use; it has conf, too */
	bool force;                    /* also what takes most of the zones away */
	struct prepare prepare;        /* while it runs, what is marked (p) is its thread's */
	struct config *conf;           /* (p) the new one, until the swap takes it */
	struct report report;          /* (p) */
	struct child zones;
	struct cookie_secrets cookies; /* (p) */
	uid_t *admins;                 /* (p) until the swap takes them */
	size_t nadmins;
	struct image *image;           /* of the zones that were compiled together; NULL: none was */
	struct imagejob *job;          /* finds images on disk, or checks the one that a child made */

	unsigned batch;                /* what the child compiles: one zone, or LOADER_ALL */
	unsigned next;                 /* the zone to look at for the next batch */
	bool together_done;            /* the batch of many was looked at */
	bool batch_done;               /* its image has come: it is checked, and the child ends */
	unsigned sent;                 /* zones that were looked at: named to the child, or not of its batch */
	struct loader_zone {
		struct inputs inputs;
		struct writers writers; /* who had a say in what its files are */
		unsigned includes;     /* files that the child asked for */
		bool unknown;          /* a file could not be noted */
		bool refused; /* it is not compiled (again) in this load; `error` says why */
		enum loader_how how;
		struct served_zone *reused;   /* with LOADER_REUSED */
		struct image *image;   /* with LOADER_FROM_DISK and LOADER_ALONE */
		char *error;           /* the first that loader_zone_error was told, as a line; NULL: none, or no memory */
	} *todo;                       /* (p) parallel to conf->zones */
	unsigned ntodo;
	bool told;                     /* MSG_COMPILE is sent */
	unsigned compiling; /* the zone that the child is at; LOADER_NONE before the first */
	unsigned lost;                 /* zones that no child survived */
	unsigned starts;               /* children that ended before they came to a zone */
	bool late;                     /* ev_late came once */
	struct event *ev_late;         /* the child has had its time */
	bool building;                 /* nothing is compiled any more: the generation is made */
	bool over;
	bool waits;                    /* until the new generation is served */
	enum err result;
	struct event *ev_over;
	load_done_cb done;
	void *arg;
};

/* Starts a thread that does `work`; `on_done` is called on the loop.  Without a thread it is done at once. */
void prepare_start(struct loader *l, enum err (*work)(struct loader *l), event_callback_fn on_done);
/* Waits for the thread, and takes its result. */
enum err prepare_end(struct loader *l);

/* Work: reads the configuration and looks at every file that it names. */
enum err prepare_read(struct loader *l);

/* A finding that keeps a zone from being taken: a line of the report; the first one is the zone's `error`. */
void loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file, unsigned line, const char *text);

/* What the running generation has for a zone of the configuration, whole or not; NULL when it is new. */
struct served_zone *loader_old_zone(const struct warden *w, const char *origin);

/* Work, when everything is compiled: checks mappings and takes what is whole, as l->gen.  On an error nothing has changed. */
enum err loader_build(struct loader *l);
/* Makes l->gen the warden's generation. */
void loader_swap(struct loader *l);

#endif
