/* fixture: a control socket with verbs that do what their names say, and clients of it. */
#ifndef TESTS_UNIT_SRC_CONTROL_FIXTURE_H
#define TESTS_UNIT_SRC_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/control/control.h"
#include "src/control/impl.h"

struct bench {
	char dir[64], path[100];
	struct event_base *base;
	struct control *control;
	struct control_request *later[200];   /* handed over, not answered */
	unsigned nlater, calls;
	char name[LIMIT_NAME_TEXT];
};

extern const struct control_verb bench_verbs[];

/* Of each test: a socket in a directory of its own. */
int control_setup(void **state);
int control_teardown(void **state);
/* A connection to the socket. */
int bench_dial(const struct bench *b);
/* Runs the loop for what is there. */
void bench_spin(struct bench *b);
/* Sends a text. */
void bench_tell(int fd, const char *text);
/* The next line, without its end; NULL: closed. */
const char *bench_hear(struct bench *b, int fd);
/* The next line is this one, or has this part. */
void bench_expect(struct bench *b, int fd, const char *want);
void bench_expect_part(struct bench *b, int fd, const char *part);

#endif
