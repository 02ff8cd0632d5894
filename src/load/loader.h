/* loader: a load in progress, as loader.c, prepare.c and build.c share it; the door is load.h. */
#ifndef SRC_LOAD_LOADER_H
#define SRC_LOAD_LOADER_H

#include "base/writers.h"
#include "src/load/load.h"

/* Where the zimage of a zone comes from. */
enum loader_how {
	LOADER_TOGETHER,               /* a child compiles the zone with others */
	LOADER_ALONE,                  /* large, and kept: no other zone's author may shape it */
	LOADER_FROM_DISK,
	LOADER_REUSED                  /* the running generation: the files have not changed */
};

#define LOADER_ALL UINT32_MAX
#define LOADER_NONE UINT32_MAX

struct loader {
	struct loader_conf from;
	loader_done_cb done;
	void *arg;
	struct work_job work;          /* while it runs, what is marked (p) is its thread's */
	bool prepared;                 /* (p) prepare_read worked */
	struct config *conf;           /* (p) the new one; then the generation's */
	struct generation *gen;        /* (p) the new one */
	struct report report;          /* (p) */
	struct child zones;
	struct msg_cookies cookies; /* (p) */
	uid_t *admins;                 /* (p) until the generation takes them */
	size_t nadmins;
	struct served_zimage *zimage;  /* of zones that were compiled together; or NULL */
	struct zjob *job;          /* finds zimages on disk, or checks one that a child made */

	unsigned batch;                /* what the child compiles: one zone, or LOADER_ALL */
	unsigned next;                 /* the zone to look at for the next batch */
	bool together_done;            /* the batch of many was looked at */
	bool batch_done;               /* its zimage is being checked, and the child ends */
	unsigned sent;                 /* zones named to the child, or not of its batch */
	struct loader_zone {
		struct inputs inputs;
		struct writers writers; /* who had a say in what its files are */
		unsigned includes;     /* files that the child asked for */
		bool unknown;          /* a file could not be noted */
		bool refused;          /* not compiled (again) in this load; `error` says why */
		enum loader_how how;
		struct served_zone *reused;     /* with LOADER_REUSED */
		struct served_zimage *zimage;   /* with LOADER_FROM_DISK and LOADER_ALONE */
		char *error;           /* the first of loader_zone_error, as a line; or NULL */
	} *todo;                       /* (p) parallel to conf->zones */
	unsigned ntodo;
	bool told;                     /* MSG_COMPILE is sent */
	unsigned compiling;            /* where the child is; LOADER_NONE before the first */
	unsigned lost;                 /* zones that no child survived */
	unsigned starts;               /* children that ended before they came to a zone */
	bool late;                     /* ev_late came once */
	struct event *ev_late;         /* the child has had its time */
	bool building;                 /* nothing is compiled any more: the generation is made */
};

/* Work: reads the configuration and looks at every file that it names. */
void prepare_read(void *loader);
/* A finding that keeps a zone from being taken: a line of the report; the first is `error`. */
void loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file,
    unsigned line, const char *text);
/* Sends the zones process the open files of a zone, or gives the zone an error. */
void files_send(struct loader *l, unsigned zone);
/* Opens a file that a zone includes: below the zone file's directory, or not at all. */
void files_include(struct loader *l, const struct msg *m);
/* Work, when all is compiled: checks mappings, makes l->gen; without l->gen the report says why. */
void build_generation(void *loader);

#endif
