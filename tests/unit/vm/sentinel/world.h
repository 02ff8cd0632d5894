/*
 * world: a confined sentinel against a real kernel's network stack.
 *
 * Two network namespaces of our own: the host's with a bridge, the guest's behind a veth.  Needs
 * root; NEED_ROOT skips otherwise.
 */
#ifndef TESTS_UNIT_VM_SENTINEL_WORLD_H
#define TESTS_UNIT_VM_SENTINEL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/chan.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/vm/guest.h"
#include "vm/vm.h"

#define NOBODY 65534
#define UNIT 5
#define NETWORK 2
#define PATIENCE_MS 30000

#ifdef JITSU_SAN
/* The leak checker wants ptrace at exit, which the confined child has not. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static const uint8_t bridge_mac[6] = { 2, 0, 0, 0, 0, 0x11 };
static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 0xaa };

static int ns_host = -1, ns_guest = -1;
static char empty_root[] = "/tmp/sentinel_test.XXXXXX";
static pid_t child;
static int chan_fd = -1;
static int port_fd = -1;   /* the bridge's port, where a test has one */

/* ---- the world ---- */

static inline void __attribute__((format(printf, 1, 2)))
run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("failed: %s", cmd);
}

static inline void
wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);   /* nothing to wait for but the time */
}

/* Runs the command until it succeeds. */
static inline void
run_until(const char *command)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;

	while (system(command) != 0) {
		if (clock_now_ms() >= end)
			fail_msg("never succeeded: %s", command);
		wait_ms(10);
	}
}

static inline void
in_guest(void)
{
	assert_int_equal(setns(ns_guest, CLONE_NEWNET), 0);
}

static inline void
in_host(void)
{
	assert_int_equal(setns(ns_host, CLONE_NEWNET), 0);
}

static inline void
bridge_make(void)
{
	run("ip link add br0 type bridge && ip link set br0 address 02:00:00:00:00:11 &&"
	    " ip addr add 10.77.0.1/24 dev br0 && ip addr add fd77::1/64 dev br0 nodad && ip link "
	    "set br0 up");
}

static inline int
world_setup(void **state)
{
	(void)state;
	log_init("test", 1, LOG_L_WARN);
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	ns_guest = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns_guest < 0 || unshare(CLONE_NEWNET) != 0)
		return -1;
	ns_host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns_host < 0 || mkdtemp(empty_root) == NULL || chmod(empty_root, 0755) != 0)
		return -1;
	return 0;
}

static inline int
world_teardown(void **state)
{
	(void)state;
	if (geteuid() == 0)
		return rmdir(empty_root);
	return 0;
}

/* The guest's link exists but is down, as before its boot. */
static inline void
guest_make(void)
{
	run("ip link add v0 type veth peer name g0 address 02:00:00:00:00:aa && ip link set v0 "
	    "master br0 up &&"
	    " ip link set g0 netns /proc/%d/fd/%d", (int)getpid(), ns_guest);
}

static inline void
guest_boot(void)
{
	in_guest();
	run("ip link set lo up && ip addr add 10.77.0.10/24 dev g0 && ip addr add fd77::a:1/64 dev "
	    "g0 nodad && ip link set g0 up");
	in_host();
}

/* A listening socket in the guest. */
static inline int
guest_listen(int family, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd, rc;

	in_guest();
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	rc = family == AF_INET ? bind(fd, (struct sockaddr *)&a4, sizeof(a4))
	    : bind(fd, (struct sockaddr *)&a6, sizeof(a6));
	assert_int_equal(rc, 0);
	assert_int_equal(listen(fd, 8), 0);
	in_host();
	return fd;
}

/* ---- the sentinel ---- */

static inline void
tell(struct msg *m, int fd)
{
	struct errmsg why;

	if (chan_send_blocking(chan_fd, m, &fd, fd >= 0 ? 1 : 0, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

/* Which signs were told, each as a bit. */
static unsigned signs;

/* The next message but for signs within `ms`, or type 0. */
static inline struct msg
hear(int ms)
{
	struct pollfd p = { .fd = chan_fd, .events = POLLIN };
	int fds[LIMIT_MSG_FDS];
	struct errmsg why;
	struct msg m = { .type = 0 };
	unsigned nfds;

	if (poll(&p, 1, ms) != 1)
		return m;
	if (chan_recv_blocking(chan_fd, &m, fds, &nfds, &why) != ERR_OK)
		fail_msg("%s", why.text);
	chan_close_fds(fds, nfds);
	if (m.type == MSG_SIGN) {
		assert_true(m.sign.what < SIGN_COUNT);
		signs |= 1u << m.sign.what;
		return hear(ms);
	}
	if (m.type == MSG_LOG)
		print_message("sentinel says: %s\n", m.log.text);
	return m;
}

static inline int
packet_socket(void)
{
	struct vm_bridge br = { .ifindex = if_nametoindex("br0"), .mac = { 2, 0, 0, 0, 0, 0x11 } };
	struct errmsg why;
	int fd;

	if (vm_packet_socket(&br, &fd, &why) != ERR_OK)
		fail_msg("%s", why.text);
	return fd;
}

static inline void
tell_network(void)
{
	struct msg m = { .type = MSG_NETWORK };
	int fds[] = { packet_socket(), port_fd };
	struct errmsg why;

	m.network.index = NETWORK;
	m.network.ifindex = if_nametoindex("br0");
	memcpy(m.network.mac, bridge_mac, 6);
	if (chan_send_blocking(chan_fd, &m, fds, port_fd >= 0 ? 2 : 1, &why) != ERR_OK)
		fail_msg("%s", why.text);
	close(fds[0]);
}

/* A sentinel that was told about the bridge and is confined. */
static inline void
sentinel_start(void)
{
	struct msg hello = { .type = MSG_HELLO }, go = { .type = MSG_RUN };
	struct errmsg why;
	int fds[2];

	assert_int_equal(chan_pair(fds, &why), ERR_OK);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(fds[0]);
		_exit(sentinel_main(fds[1]));
	}
	close(fds[1]);
	chan_fd = fds[0];
	hello.hello.role = ROLE_SENTINEL;
	hello.hello.uid = hello.hello.gid = NOBODY;
	hello.hello.log_level = LOG_L_WARN;
	snprintf(hello.hello.empty_root, sizeof(hello.hello.empty_root), "%s", empty_root);
	tell(&hello, -1);
	tell_network();
	tell(&go, -1);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_RUNNING);
}

/* Ends the sentinel by closing its channel and returns how it ended. */
static inline int
sentinel_end(void)
{
	int status = -1;

	if (chan_fd >= 0)
		close(chan_fd);
	chan_fd = -1;
	if (child > 0 && waitpid(child, &status, 0) != child)
		status = -1;
	child = 0;
	return status;
}

/* Of the sentinel's /proc/PID/status. */
static inline long
status_number(const char *key)
{
	char path[64], line[256];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			n = strtol(line + strlen(key), NULL, 10);
	(void)fclose(f);   /* it was only read */
	return n;
}

#define NEED_ROOT()                                                             \
	do {                                                                        \
		if (geteuid() != 0) {                                                   \
			print_message("skipped: network namespaces need root\n");           \
			skip();                                                             \
		}                                                                       \
	} while (0)

#endif
