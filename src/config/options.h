/*
 * options: the one table of everything that jitsu.conf and mappings may say.
 *
 * A row is an option's name, type, bounds, default, help and where its value is stored.  The parser
 * of jitsu.conf (read.c), the checks of mappings (mapping_unit.c) and the tests of the man pages
 * all read this table, so that none can disagree.
 */
#ifndef SRC_CONFIG_OPTIONS_H
#define SRC_CONFIG_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/suggest.h"

enum option_section {
	OPTION_TOP,                    /* stored in struct config */
	OPTION_LIMITS,                 /* struct config_limits */
	OPTION_NETWORK,                /* struct config_network */
	OPTION_ZONE,                   /* struct config_zone_section */
	OPTION_IMAGE,                  /* struct config_image */
	OPTION_MAPPING,                /* keys of mappings only; not stored by the table */
	OPTION_SECTIONS
};

/* In brackets: how the value is stored. */
enum option_type {
	/* numbers; least and most bound the value */
	OPTION_INT,                    /* [unsigned] */
	OPTION_BOOL,                   /* [bool] */
	OPTION_WORD,                   /* [unsigned] one of `words`, by position */
	OPTION_DURATION,               /* [uint32_t] milliseconds */
	OPTION_SIZE,                   /* [uint64_t] bytes */
	OPTION_RATE,                   /* [uint64_t] CONFIG_RATE; least and most bound the bytes */
	OPTION_PERCENT,                /* [unsigned] */
	/* texts [const char *]; least and most bound the length */
	OPTION_STRING,
	OPTION_PATH,                   /* made absolute */
	OPTION_NAME,                   /* of a section, user, interface: letters, digits, . _ - */
	OPTION_ADDRESS,
	OPTION_PREFIX,
	OPTION_RANGE,
	OPTION_LISTEN,
	OPTION_READY,
	OPTION_WAKE,                   /* packets that wake: tcp:PORT, udp:PORT, icmp */
	OPTION_DISK,
	OPTION_MAC,
	OPTION_OWNER,                  /* an owner name, relative to the zone or with a final dot */
	OPTION_HOURS,                  /* option_parse_hours */
	OPTION_NEEDS,                  /* several with commas between; option_parse_need */
	OPTION_TYPES
};

#define OPTION_LIST     0x01u          /* [struct config_list]; least and most bound its length */
#define OPTION_REQUIRED 0x02u
#define OPTION_AUTO     0x04u          /* `auto` is accepted and stored as all ones */
#define OPTION_UNIT     0x08u          /* a mapping may set it for its unit */
#define OPTION_DOWN     0x10u          /* ... to no more than the image has */
#define OPTION_RESTART  0x20u          /* a running daemon keeps its old value */
#define OPTION_TEMPLATE 0x40u          /* placeholders are filled in per unit */

/* What OPTION_AUTO stores in a uint32_t. */
#define OPTION_AUTO_32 UINT32_MAX
#define OPTION_AUTO_64 UINT64_MAX

struct config_option {
	enum option_section section;
	const char *name;
	enum option_type type;
	unsigned flags;
	uint64_t least, most;
	const char *def;               /* as written, a list with spaces between; NULL = none */
	const char *const *words;      /* of OPTION_WORD; ends with NULL */
	size_t offset;
	const char *help;              /* one phrase */
};

extern const struct config_option options[];
extern const unsigned options_count;

/* Drivers of this build, ends with NULL. */
extern const char *const option_drivers[];

/* `limits`, `network`, ...; "" for the top level, "mapping" for OPTION_MAPPING. */
const char *option_section_name(enum option_section s);
/* NULL when there is none. */
const struct config_option *option_find(enum option_section s, const char *name, size_t len);
/* A key of a mapping: OPTION_MAPPING rows and those of images with OPTION_UNIT. */
const struct config_option *option_find_key(const char *name, size_t len);
/* Number of the row within its section, and of the row that has this name. */
unsigned option_row(const struct config_option *o);
unsigned option_row_named(enum option_section s, const char *name);
/* Offers the options of a section (of a mapping its keys); at the top level the sections, too. */
void option_offer(enum option_section s, struct suggest *to);
/* The keys that a mapping may set, as a sentence part: `image, unit, idle, ...`. */
void option_keys(char *buf, size_t size);

/*
 * Checks `text`, of a list one item, against the row; sets *number where the type is a number.  The
 * message says what is wrong and what is accepted, without the option's name.
 */
enum err option_parse(
    const struct config_option *o, const char *text, uint64_t *number, struct errmsg *m);
/* Number to text such that option_parse gives it back. */
void option_format(const struct config_option *o, uint64_t number, char *buf, size_t size);
/* tcp:PORT, ping, arp, delay:MS, xenstore:KEY are *word 0..4; *n: port, MS, or the key's place. */
bool option_parse_ready(const char *text, unsigned *word, uint32_t *n);
/*
 * One of `OWNER[:ready|:started]`, which begins at `text` and ends at a comma or the text's end.
 * Returns its length, 0: it is none.  *name_len: of OWNER; *after: enum config_after, or as it was.
 */
size_t option_parse_need(const char *text, size_t *name_len, unsigned *after);
/* tcp:PORT, udp:PORT and icmp (port 0): *proto is IPPROTO_TCP, _UDP, _ICMP. */
bool option_parse_wake(const char *text, uint8_t *proto, uint16_t *port);
/* `[DAY[-DAY] ]HH:MM-HH:MM`, as struct config_hours. */
bool option_parse_hours(const char *text, unsigned *first, unsigned *last, unsigned *begin_min,
    unsigned *end_min);
/* `PATH[,format=raw|qcow2][,readonly]`.  *path_len: where the path ends in text. */
bool option_parse_disk(const char *text, size_t *path_len, bool *qcow2, bool *readonly);

#endif
