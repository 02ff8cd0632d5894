/*
 * fixture: a DNS process under test, and the test in the warden's place.
 *
 * The process is a fork that runs dns_main with real sockets on loopback; the zone is compiled from
 * text.  Every failure is a cmocka failure.
 */
#ifndef TESTS_SERVER_FIXTURE_H
#define TESTS_SERVER_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/board.h"
#include "base/msg.h"

/*
 * For what must come, however busy the machine is; and a hold that does not run out while a test
 * runs.
 */
#define FIXTURE_PATIENCE_MS 30000
#define FIXTURE_HOLD_MS 60000

struct fixture_conf {
	unsigned workers;
	bool wildcard;             /* 0.0.0.0 and :: instead of 127.0.0.1 and ::1 */
	uint32_t held_per_unit, held_total, tcp_clients, tcp_idle_ms;
	uint32_t udp_wakes;        /* per minute; 0 = no limit */
	bool proxied;              /* loopback clients speak PROXY protocol */
	unsigned nofile;           /* RLIMIT_NOFILE of the process; 0 = as it is */
	uid_t uid;                 /* to become, in an empty root; 0 = stay */
};

struct fixture {
	struct fixture_conf conf;
	pid_t pid;
	int chan;
	struct board board;
	uint16_t port;             /* the same for UDP and TCP, IPv4 and IPv6 */
	uint32_t next_zimage;
	uint64_t generation;
	char root[32];             /* the empty directory when `uid` is set */
	struct fixture_wake {
		uint32_t worker, unit;
		uint64_t arrived_ns;
	} wakes[64];               /* the newest that fixture_expect saw */
	unsigned nwakes;
	bool repeated;             /* fixture_expect does not skip repeated wakes */
};

struct fixture_reply {
	uint8_t wire[65535];
	size_t len;
	uint16_t id, ancount;
	uint8_t rcode;
	bool aa, tc;
	int ede;                   /* -1: none */
};

extern const struct fixture_conf fixture_defaults;

/* Starts the process and waits until it is confined and serves version 1 of the zone. */
void fixture_start(struct fixture *f, const struct fixture_conf *conf);
/* Closes the channel and expects exit 0. */
void fixture_stop(struct fixture *f);

/*
 * Sends the settings that may change: the rate of wakes, and one cookie secret of 16 bytes
 * `secret`.
 */
void fixture_tune(struct fixture *f, uint32_t udp_wakes, uint8_t secret);

/* Sends the list `list` of passive clients: the prefix of an IPv4 address. */
void fixture_passive(struct fixture *f, uint32_t list, const char *address, uint8_t prefixlen);

/* Sends the zone again, with `serial`; *committed messages follow. */
void fixture_commit(struct fixture *f, uint32_t serial);

/*
 * The number of the unit at `owner` in example.test; every unit sleeps at first with hold
 * FIXTURE_HOLD_MS.
 */
uint32_t fixture_unit(const char *owner);
void fixture_board(struct fixture *f, uint32_t unit, uint16_t answer, uint16_t ede,
    uint32_t hold_ms);
void fixture_woken(struct fixture *f, uint32_t unit, uint32_t result, uint32_t ede);

/*
 * The next message of that type within `ms`; others are skipped and counted in *skipped (may be
 * NULL).  False: none came.  A MSG_WAKE that repeats one is skipped, too, unless f->repeated: each
 * second brings one for what is still held.
 */
bool fixture_expect(struct fixture *f, uint16_t type, int ms, struct msg *m, unsigned *skipped);

/* Sockets connected to the process; `host` is a numeric address. */
int fixture_udp(const struct fixture *f, const char *host);
int fixture_tcp(const struct fixture *f, const char *host);

/* Queries with EDNS; `name` is relative to example.test.  Returns the length. */
size_t fixture_query(uint8_t *buf, uint16_t id, const char *name, uint16_t qtype);
void fixture_send(int fd, uint16_t id, const char *name, uint16_t qtype);
/* The same with an EDNS option. */
void fixture_send_option(int fd, uint16_t id, const char *name, uint16_t qtype, uint16_t code,
    const void *data, size_t len);
/* The option of the reply, NULL when there is none; its length in *len. */
const uint8_t *fixture_option(const struct fixture_reply *r, uint16_t code, size_t *len);
/* The same in a TCP frame. */
void fixture_send_tcp(int fd, uint16_t id, const char *name, uint16_t qtype);

/*
 * The sum over the process's threads of the number behind `key` in /proc/PID/task/TID/status, read
 * in `base`; *threads may be NULL.
 */
uint64_t fixture_status(const struct fixture *f, const char *key, int base, unsigned *threads);

/* False: none began within `ms`. */
bool fixture_recv(int fd, int ms, struct fixture_reply *r);
bool fixture_recv_tcp(int fd, int ms, struct fixture_reply *r);

#endif
