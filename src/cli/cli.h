/*
 * cli: what the files of `jitsu` share.
 *
 * Data goes to standard output, failures to standard error.  Exit status: 0 it worked, 1 it did
 * not, 2 the command line is wrong.
 */
#ifndef SRC_CLI_CLI_H
#define SRC_CLI_CLI_H

#include <stdbool.h>

#include <jansson.h>

#define CLI_OK 0
#define CLI_FAILED 1
#define CLI_USAGE 2

struct cli {
	const char *socket;
	bool json;                 /* --json */
	bool follow;               /* -f */
	bool force;                /* --force */
	int count;                 /* -n; 0 = the daemon's default */
	const char *origin;        /* -z; NULL = none */
	const char *arg;           /* NAME or FILE; NULL = none */
	const struct cli_verb *verb;
};

/* How long the daemon's answer may take. */
struct cli_wait {
	int s;                     /* 0 = as long as it takes */
	/* A daemon that has said nothing for so long is asked whether it lives, and waited for. */
	bool asks;
};

struct cli_verb {
	const char *name;
	const char *args;          /* as usage shows them */
	const char *options;       /* short options of its own, as getopt(3) wants them */
	unsigned least, most;      /* arguments */
	struct cli_wait wait;
	int (*run)(const struct cli *cli);
	bool (*print)(FILE *f, const json_t *data);   /* NULL: `run` prints */
	const char *brief;         /* a line */
	const char *help;          /* the rest, for `jitsu help VERB` */
};

/* Ends with a NULL name. */
extern const struct cli_verb cli_verbs[];

/* Writes "jitsu: ..." to standard error; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Likewise, where nothing is returned. */
#define cli_note(...) ((void)cli_fail(__VA_ARGS__))

/* Prints JSON to standard output, indented, or on one line. */
void cli_json(const json_t *data, bool one_line);
/* The request's arguments; NULL when the name is none, which was said then. */
json_t *cli_request(const struct cli *cli);
/* The answer to the verb is not understood; CLI_FAILED. */
int cli_other_version(const struct cli *cli);
/* Flushes standard output; CLI_FAILED when it could not be written. */
int cli_flush(void);
/* NULL: there is none. */
const struct cli_verb *cli_verb_find(const char *name);
void cli_usage(FILE *f);
/* They say what is wrong with the command line; CLI_USAGE. */
int cli_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_verb_unknown(const char *name);
int cli_help(const struct cli *cli);

struct cli_client;

/* Connects and sends `request`, taken over, for `cli->verb`; NULL: said why. */
struct cli_client *cli_client_ask(const struct cli *cli, json_t *request);
/* The next answer or event (*is_event, or NULL), the caller's.  NULL: none, as was said. */
json_t *cli_client_next(struct cli_client *c, bool *is_event);
/* The first answer, when a descriptor comes beside it: the caller's, -1 when none came. */
json_t *cli_client_next_fd(struct cli_client *c, int *fd);
void cli_client_free(struct cli_client *c);   /* NULL is allowed */
/* Asks on a connection of its own; the answer as of cli_client_next. */
json_t *cli_client_once(const struct cli *cli, json_t *request);
int cli_dump(const struct cli *cli);
int cli_reload(const struct cli *cli);
int cli_check(const struct cli *cli);

#endif
