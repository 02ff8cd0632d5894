/* talk: what clients of the hello image's TCP say and expect, for the tests of it. */
#ifndef TESTS_UNIT_VM_HELLO_TALK_H
#define TESTS_UNIT_VM_HELLO_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vm/hello/rig.h"

#define GET       "GET / HTTP/1.1\r\nHost: www\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.0\r\n\r\n"
#define PORT      40000
#define ISN       1000u
#define WINDOW    64240

/* What was heard last. */
extern char page[8192];

/* A connection of the usual kind to a guest that has just booted. */
struct rig_segment open_usual(bool v6);
/* Sends part of the text as one segment at its place, without moving the connection on. */
void say_part(const struct rig_segment *c, const char *text, size_t from, size_t to);
/* The client's FIN, at the end of what it said. */
void say_fin(struct rig_segment *c);
/* The page comes whole, and with `fin` the server's FIN. */
void expect_page(struct rig_segment *c, bool fin);
/* An acknowledgement of all that was said, and nothing else. */
void expect_ack(const struct rig_segment *c);
struct rig_segment expect_reset(void);

#endif
