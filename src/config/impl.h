/* impl: what the files that make up config share; not included elsewhere. */
#ifndef SRC_CONFIG_IMPL_H
#define SRC_CONFIG_IMPL_H

#include "src/config/options.h"
#include "src/config/types.h"

/* One section as it stands in the file; the top level is one too. */
struct config_raw {
	struct config_raw *next;
	enum option_section section;
	void *handle;                  /* the parser's */
	const char *title;             /* NULL at the top level and for limits */
	unsigned line;
	bool bad;                      /* a value was refused: later checks would repeat that */
	bool set[CONFIG_ROWS];
	struct config_list values[CONFIG_ROWS];
};

struct config_loader {
	struct arena arena;
	struct arena scratch;          /* raw sections: gone when the load ends */
	struct config *conf;           /* in the arena */
	struct report *report;
	const char *file;              /* as given, for messages */
	struct config_raw *raws, **tail;   /* in the order of the file */
	struct config_raw *last;           /* the one being read */
	struct config_raw *single[2];      /* top level and limits */
};

/* Adds a finding about the file being loaded. */
void config_found(struct config_loader *l, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void config_list_add(struct arena *a, struct config_list *list, const char *text, unsigned line);
/* `text` made absolute. */
const char *config_path(struct config_loader *l, const char *text);
/* Titles are quoted in messages and, of networks and images, in zones. */
void config_check_title(struct config_loader *l, const struct config_raw *raw);
/* What libconfuse must not see. */
void config_scan(struct config_loader *l, const char *text, size_t len);
/* From the text to raw sections; false: its syntax is wrong, so that sections are missing. */
bool config_read(struct config_loader *l, const char *text);
/* From raw sections to l->conf: defaults, values, checks.  Findings go to the report. */
void config_build(struct config_loader *l);
void config_build_networks(struct config_loader *l);
void config_build_images(struct config_loader *l);
void config_build_zones(struct config_loader *l);
/* Stores every option of a section into `base`; `lines` may be NULL. */
void config_store(struct config_loader *l, struct config_raw *raw, enum option_section section,
    void *base, unsigned *lines);
/* How many sections of a kind there are. */
unsigned config_count(const struct config_loader *l, enum option_section section);
/* Where an option stands, or its section. */
unsigned config_line(const struct config_raw *raw, const char *name);

#endif
