/*
 * qmp: a client of QEMU's machine protocol, for a QEMU that its guest may have taken over.
 *
 * Lines are bounded, events are counted, every wait has a deadline.  Nonsense ends the connection
 * (ERR_PROTO) and the message says what it was; the caller ends that VM.  One thread at a time.
 * Not included outside vm/.
 */
#ifndef VM_QEMU_QMP_H
#define VM_QEMU_QMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/err.h"

enum qmp_state { QMP_CLOSED, QMP_GREETING, QMP_CAPS, QMP_READY };

struct qmp {
	int fd;                    /* -1 = not connected; non-blocking */
	enum qmp_state state;
	char *buf;                 /* an unfinished line */
	size_t len, size;
	bool heard;                /* it has sent something; the owner clears it */
	uint64_t id;               /* of the last command */
	json_t *reply;             /* to it, once it came: the whole object */
	uint64_t window_ns;        /* events are counted per window */
	unsigned events;
	/* What QEMU reported since the flags were last cleared. */
	bool saw_shutdown, saw_panic, saw_stop, saw_resume;
	bool saw_migrated, saw_migration_failed;
	char reason[48];           /* of the shutdown, letters and '-' only */
};

void qmp_init(struct qmp *q);
void qmp_clear(struct qmp *q);

/* Connects to dir_fd/name, without waiting.  ERR_LIMIT: too many wait for an answer already. */
enum err qmp_connect(struct qmp *q, int dir_fd, const char *name, struct errmsg *m);

/* A listening socket `name` in that directory, for QEMU.  *fd is the caller's. */
enum err qmp_listen(int dir_fd, const char *name, int *fd, struct errmsg *m);

/* Reads what is there, without waiting, and answers a greeting.  ERR_MISSING: QEMU hung up. */
enum err qmp_pump(struct qmp *q, struct errmsg *m);

/*
 * One command, after the greeting, all by deadline_ns (clock.h).  `args` is taken over, may be
 * NULL.  pass_fd travels along (-1 = none).  *ret, the value of "return", is the caller's; `ret`
 * may be NULL.  QEMU's refusal is ERR_STATE with its own words.
 */
enum err qmp_command(struct qmp *q, const char *name, json_t *args, int pass_fd,
    uint64_t deadline_ns, json_t **ret, struct errmsg *m);

/* Sends a command whose reply is nobody's, without waiting.  ERR_STATE: no greeting yet. */
enum err qmp_ask(struct qmp *q, const char *name, struct errmsg *m);

/*
 * Is another program connected to the QEMU of this process, which talks to one client at a time?
 * Any socket of its that has a live end which is not q->fd counts.
 */
enum qmp_taken { QMP_FREE, QMP_TAKEN, QMP_UNKNOWN /* this kernel does not tell */ };
enum qmp_taken qmp_taken(const struct qmp *q, pid_t pid);

/* Pumps until `seen` says so.  ERR_TIMEOUT at the deadline. */
enum err qmp_wait(struct qmp *q, bool (*seen)(const struct qmp *q), uint64_t deadline_ns,
    struct errmsg *m);

/* Keeps of `said` (or NULL) what QEMU's own words are made of, a to z and '-': it gets logged. */
void qmp_word(char *word, size_t size, const char *said);

/* For tests and fuzzing: bytes as if they had been read. */
enum err qmp_feed(struct qmp *q, const char *data, size_t len, struct errmsg *m);

#endif
