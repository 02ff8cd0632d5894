/* fixture: a DNS process under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dns/server/fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/chan.h"
#include "base/clock.h"
#include "base/memfd.h"
#include "dns/dns.h"

#define UNITS 12
#define FIRST_NUMBER 100
#define OPT_EDE 15

const struct fixture_conf fixture_defaults = {
	.workers = 1, .held_per_unit = 1000, .held_total = 5000, .tcp_clients = 100,
	.tcp_idle_ms = 60000,
};

/* ---- the zone ---- */

static int
zone_compile(uint32_t serial)
{
	char path[] = "/tmp/jitsu-zone-XXXXXX";
	int fd = mkstemp(path), zimage = -1;
	struct report r;
	char line[1100];
	FILE *f;

	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fprintf(f,
	    "$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster %u 1h 15m 1w 30\n NS ns\n"
	    "ns A 10.77.0.1\nplain A 10.77.0.2\n", serial);
	for (unsigned i = 0; i < UNITS; i++)
		fprintf(f, "u%u A 10.77.0.%u\n_jitsu.u%u TXT \"image=hello\"\n", i, 10 + i, i);
	for (unsigned i = 0; i < 20; i++)
		fprintf(f, "big TXT \"%u %0200u\"\n", i, i);
	assert_int_equal(fclose(f), 0);
	report_init(&r);
	if (dns_compile_file("example.test", path, NULL, &zimage, &r) != ERR_OK) {
		report_format(&r, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	report_clear(&r);
	assert_int_equal(unlink(path), 0);
	return zimage;
}

/* u<n> has number FIRST_NUMBER + n, in whatever order the zimage has them. */
static void
zone_numbers(int fd, uint32_t numbers[UNITS])
{
	struct dns_zimage *zimage = NULL;
	struct dns_zone_info info;
	struct errmsg m;

	assert_int_equal(dns_zimage_open(fd, &zimage, &m), ERR_OK);
	assert_int_equal(dns_zimage_zone(zimage, 0, &info, &m), ERR_OK);
	assert_int_equal(info.units, UNITS);
	for (uint32_t i = 0; i < UNITS; i++) {
		struct dns_unit u;

		assert_int_equal(dns_zimage_unit(zimage, 0, i, &u, &m), ERR_OK);
		numbers[i] = fixture_unit(u.owner);
	}
	dns_zimage_close(zimage);
}

uint32_t
fixture_unit(const char *owner)
{
	assert_int_equal(owner[0], 'u');
	return FIRST_NUMBER + (uint32_t)strtoul(owner + 1, NULL, 10);
}

void
fixture_commit(struct fixture *f, uint32_t serial)
{
	struct msg zimage = { .type = MSG_ZIMAGE }, commit = { .type = MSG_COMMIT };
	struct {
		struct msg_binding row;
		uint32_t numbers[UNITS];
	} rows;
	int fd = zone_compile(serial), bindings;
	struct errmsg m;

	zimage.zimage.id = f->next_zimage++;
	zimage.zimage.zones = 1;
	rows.row = (struct msg_binding){ .zimage = zimage.zimage.id, .zone = 0, .nunits = UNITS,
	    .first_unit = 0 };
	zone_numbers(fd, rows.numbers);
	assert_int_equal(memfd_create_open("bindings", &bindings, &m), ERR_OK);
	assert_int_equal(write(bindings, &rows, sizeof(rows)), sizeof(rows));
	assert_int_equal(memfd_seal_all(bindings, &m), ERR_OK);
	commit.commit.generation = ++f->generation;
	commit.commit.bindings = 1;
	commit.commit.units = UNITS;
	assert_int_equal(chan_send_blocking(f->chan, &zimage, &fd, 1, &m), ERR_OK);
	assert_int_equal(chan_send_blocking(f->chan, &commit, &bindings, 1, &m), ERR_OK);
	close(fd);
	close(bindings);
}

/* ---- the process ---- */

/* A socket bound to f->port, or -1. */
static int
bind_one(const struct fixture *f, int family, int type, bool shared)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	assert_true(fd >= 0);
	if (shared)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(f->conf.wildcard ? INADDR_ANY : INADDR_LOOPBACK);
		in->sin_port = htons(f->port);
	} else {
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
		in6->sin6_addr = f->conf.wildcard ? in6addr_any : in6addr_loopback;
		in6->sin6_port = htons(f->port);
	}
	if (bind(fd, (struct sockaddr *)&ss, family == AF_INET ? sizeof(*in) : sizeof(*in6)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * A network of our own, where it is allowed: there nobody takes a port between our choice and our
 * use of it.
 */
static void
own_network(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	static bool done;
	int fd;

	if (done || geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
	done = true;
}

/* A port that nobody has, for either family and protocol. */
static void
choose_port(struct fixture *f)
{
	for (int tries = 0; tries < 100; tries++) {
		struct sockaddr_in in;
		socklen_t len = sizeof(in);
		int fds[4];
		bool ok = true;

		f->port = 0;
		fds[0] = bind_one(f, AF_INET, SOCK_DGRAM, false);
		assert_int_equal(getsockname(fds[0], (struct sockaddr *)&in, &len), 0);
		f->port = ntohs(in.sin_port);
		fds[1] = bind_one(f, AF_INET6, SOCK_DGRAM, false);
		fds[2] = bind_one(f, AF_INET, SOCK_STREAM, false);
		fds[3] = bind_one(f, AF_INET6, SOCK_STREAM, false);
		for (int i = 0; i < 4; i++) {
			ok &= fds[i] >= 0;
			if (fds[i] >= 0)
				close(fds[i]);
		}
		if (ok)
			return;
	}
	fail_msg("no free port");
}

static void
send_sockets(struct fixture *f, uint32_t worker)
{
	struct msg m = { .type = MSG_SOCKETS };
	const int families[] = { AF_INET, AF_INET6 };
	int fds[4];
	struct errmsg why;

	m.sockets.worker = worker;
	m.sockets.count = 4;
	for (unsigned i = 0; i < 4; i++) {
		m.sockets.kind[i] = i < 2 ? MSG_SOCKET_UDP : MSG_SOCKET_TCP;
		m.sockets.wildcard[i] = f->conf.wildcard;
		fds[i] = bind_one(f, families[i % 2], i < 2 ? SOCK_DGRAM : SOCK_STREAM, true);
		assert_true(fds[i] >= 0);
		if (i >= 2)
			assert_int_equal(listen(fds[i], 256), 0);
	}
	assert_int_equal(chan_send_blocking(f->chan, &m, fds, 4, &why), ERR_OK);
	chan_close_fds(fds, 4);
}

static void
child_run(const struct fixture *f, int fd)
{
	if (f->conf.nofile > 0) {
		struct rlimit r = { f->conf.nofile, f->conf.nofile };

		if (setrlimit(RLIMIT_NOFILE, &r) != 0)
			_exit(2);
	}
	_exit(dns_main(fd));
}

void
fixture_tune(struct fixture *f, uint32_t udp_wakes, uint8_t secret)
{
	struct msg m = { .type = MSG_DNS_TUNE };
	struct errmsg why;

	m.dns_tune.udp_wakes = udp_wakes;
	m.dns_tune.cookies.n = 1;
	memset(m.dns_tune.cookies.secret[0], secret, MSG_COOKIE_SECRET);
	if (f->conf.proxied) {
		m.dns_tune.proxies.n = 2;
		m.dns_tune.proxies.range[0].first = (struct msg_addr){ .family = 4,
			.bytes = { 127, 0, 0, 1 } };
		m.dns_tune.proxies.range[0].last = (struct msg_addr){ .family = 4,
			.bytes = { 127, 0, 0, 2 } };
		m.dns_tune.proxies.range[1].first = m.dns_tune.proxies.range[1].last =
			(struct msg_addr){ .family = 6, .bytes = { [15] = 1 } };
	}
	assert_int_equal(chan_send_blocking(f->chan, &m, NULL, 0, &why), ERR_OK);
}

void
fixture_passive(struct fixture *f, uint32_t list, const char *address, uint8_t prefixlen)
{
	struct msg m = { .type = MSG_PASSIVE, .passive = { .list = list, .n = 1 } };
	struct errmsg why;

	assert_true(addr_parse(address, &m.passive.from[0]));
	m.passive.from[0].prefixlen = prefixlen;
	assert_int_equal(chan_send_blocking(f->chan, &m, NULL, 0, &why), ERR_OK);
}

static void
send_setup(struct fixture *f)
{
	struct msg hello = { .type = MSG_HELLO }, conf = { .type = MSG_DNS_CONF },
		board = { .type = MSG_BOARD };
	struct errmsg m;

	hello.hello.role = ROLE_DNS;
	hello.hello.log_level = 1;
	hello.hello.uid = hello.hello.gid = f->conf.uid;
	memcpy(hello.hello.empty_root, f->root, sizeof(f->root));
	conf.dns_conf.workers = f->conf.workers;
	conf.dns_conf.held_per_unit = f->conf.held_per_unit;
	conf.dns_conf.held_total = f->conf.held_total;
	conf.dns_conf.tcp_clients = f->conf.tcp_clients;
	conf.dns_conf.tcp_idle_ms = f->conf.tcp_idle_ms;
	conf.dns_conf.udp_payload = 1232;
	board.board.capacity = f->board.capacity;
	assert_int_equal(chan_send_blocking(f->chan, &hello, NULL, 0, &m), ERR_OK);
	assert_int_equal(chan_send_blocking(f->chan, &conf, NULL, 0, &m), ERR_OK);
	assert_int_equal(
	    chan_send_blocking(f->chan, &board, f->board.fds, BOARD_FILES, &m), ERR_OK);
	fixture_tune(f, f->conf.udp_wakes, 1);
	choose_port(f);
	for (uint32_t i = 0; i < f->conf.workers; i++)
		send_sockets(f, i);
}

void
fixture_start(struct fixture *f, const struct fixture_conf *conf)
{
	struct msg run = { .type = MSG_RUN }, m;
	struct errmsg why;
	int fds[2];

	own_network();
	memset(f, 0, sizeof(*f));
	f->conf = *conf;
	if (conf->uid != 0) {
		memcpy(f->root, "/tmp/jitsu-root-XXXXXX", 23);
		assert_non_null(mkdtemp(f->root));
	}
	assert_int_equal(chan_pair(fds, &why), ERR_OK);
	assert_int_equal(board_create(&f->board, &why), ERR_OK);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		close(fds[0]);
		board_clear(&f->board);
		child_run(f, fds[1]);
	}
	close(fds[1]);
	f->chan = fds[0];
	for (uint32_t i = 0; i < UNITS; i++)
		fixture_board(f, FIRST_NUMBER + i, BOARD_HOLD, 0, FIXTURE_HOLD_MS);
	send_setup(f);
	fixture_commit(f, 1);
	assert_int_equal(chan_send_blocking(f->chan, &run, NULL, 0, &why), ERR_OK);
	assert_true(fixture_expect(f, MSG_RUNNING, FIXTURE_PATIENCE_MS, &m, NULL));
}

void
fixture_stop(struct fixture *f)
{
	int status = 0;

	close(f->chan);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_int_equal(status, 0);
	board_clear(&f->board);
	if (f->conf.uid != 0)
		assert_int_equal(rmdir(f->root), 0);
}

uint64_t
fixture_status(const struct fixture *f, const char *key, int base, unsigned *threads)
{
	char path[300], line[256];
	uint64_t total = 0;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)f->pid);
	dir = opendir(path);
	assert_non_null(dir);
	if (threads != NULL)
		*threads = 0;
	while ((d = readdir(dir)) != NULL) {
		FILE *status;

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)f->pid, d->d_name);
		status = fopen(path, "r");
		assert_non_null(status);
		while (fgets(line, sizeof(line), status) != NULL)
			if (strncmp(line, key, strlen(key)) == 0)
				total += strtoull(line + strlen(key), NULL, base);
		fclose(status);
		if (threads != NULL)
			(*threads)++;
	}
	closedir(dir);
	return total;
}

void
fixture_board(struct fixture *f, uint32_t unit, uint16_t answer, uint16_t ede, uint32_t hold_ms)
{
	f->board.state[unit].hold_ms = (uint16_t)hold_ms;
	f->board.state[unit].ede = ede;
	f->board.state[unit].answer = answer;
}

void
fixture_woken(struct fixture *f, uint32_t unit, uint32_t result, uint32_t ede)
{
	struct msg m = { .type = MSG_WOKEN, .unit = unit };
	struct errmsg why;

	board_wake_end(&f->board, unit, clock_now_ns());
	m.woken.result = result;
	m.woken.ede = ede;
	assert_int_equal(chan_send_blocking(f->chan, &m, NULL, 0, &why), ERR_OK);
}

static bool
wait_readable(int fd, uint64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now_ms = clock_now_ms();

	return poll(&p, 1, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) == 1;
}

/* A wake that was seen before comes again with the same query's time. */
static bool
is_repeated(struct fixture *f, const struct msg *m)
{
	const unsigned most = sizeof(f->wakes) / sizeof(f->wakes[0]);
	struct fixture_wake w = { .worker = m->wake.worker, .unit = m->unit,
		.arrived_ns = m->time_ns };

	for (unsigned i = 0; i < f->nwakes && i < most; i++)
		if (f->wakes[i].worker == w.worker && f->wakes[i].unit == w.unit &&
		    f->wakes[i].arrived_ns == w.arrived_ns)
			return !f->repeated;
	f->wakes[f->nwakes++ % most] = w;
	return false;
}

bool
fixture_expect(struct fixture *f, uint16_t type, int ms, struct msg *m, unsigned *skipped)
{
	uint64_t until_ms = clock_now_ms() + (uint64_t)ms;
	int fds[LIMIT_MSG_FDS];
	unsigned nfds;
	struct errmsg why;

	while (wait_readable(f->chan, until_ms)) {
		if (chan_recv_blocking(f->chan, m, fds, &nfds, &why) != ERR_OK)
			fail_msg("%s", why.text);
		if (m->type == type && (type != MSG_WAKE || !is_repeated(f, m)))
			return true;
		if (skipped != NULL)
			(*skipped)++;
	}
	return false;
}

/* ---- the clients ---- */

static int
connect_to(const struct fixture *f, const char *host, int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(f->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(f->port) };
	bool six = inet_pton(AF_INET, host, &in.sin_addr) != 1;
	int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0), rc;

	assert_true(fd >= 0);
	if (six)
		assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
	rc = six ? connect(fd, (struct sockaddr *)&in6, sizeof(in6))
	    : connect(fd, (struct sockaddr *)&in, sizeof(in));
	assert_int_equal(rc, 0);
	return fd;
}

int
fixture_udp(const struct fixture *f, const char *host)
{
	return connect_to(f, host, SOCK_DGRAM);
}

int
fixture_tcp(const struct fixture *f, const char *host)
{
	return connect_to(f, host, SOCK_STREAM);
}

size_t
fixture_query(uint8_t *buf, uint16_t id, const char *name, uint16_t qtype)
{
	const uint8_t tail[] = { 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 4, 't', 'e', 's', 't', 0,
		(uint8_t)(qtype >> 8), (uint8_t)qtype, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0,
		    0 };
	const uint8_t head[12] = { (uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	size_t len = strlen(name);

	memcpy(buf, head, sizeof(head));
	buf[12] = (uint8_t)len;
	memcpy(buf + 13, name, len);
	memcpy(buf + 13 + len, tail, sizeof(tail));
	return 13 + len + sizeof(tail);
}

void
fixture_send(int fd, uint16_t id, const char *name, uint16_t qtype)
{
	uint8_t buf[512];
	size_t len = fixture_query(buf, id, name, qtype);

	assert_int_equal(send(fd, buf, len, 0), len);
}

void
fixture_send_tcp(int fd, uint16_t id, const char *name, uint16_t qtype)
{
	uint8_t buf[512];
	size_t len = fixture_query(buf + 2, id, name, qtype);

	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	assert_int_equal(send(fd, buf, len + 2, MSG_NOSIGNAL), len + 2);
}

void
fixture_send_option(int fd, uint16_t id, const char *name, uint16_t qtype, uint16_t code,
    const void *data, size_t len)
{
	uint8_t buf[512];
	size_t n = fixture_query(buf, id, name, qtype);
	const uint8_t head[] = { 0, (uint8_t)(len + 4), (uint8_t)(code >> 8), (uint8_t)code, 0,
		(uint8_t)len };

	assert_true(len < 200);
	memcpy(buf + n - 2, head, sizeof(head));
	memcpy(buf + n + 4, data, len);
	assert_int_equal(send(fd, buf, n + 4 + len, 0), n + 4 + len);
}

/* Options of an OPT record that is the last record. */
const uint8_t *
fixture_option(const struct fixture_reply *r, uint16_t code, size_t *len)
{
	const uint8_t fixed[] = { 0, 0, 41 }, *end = r->wire + r->len, *o;

	o = memmem(r->wire + 12, r->len - 12, fixed, sizeof(fixed));
	if (o == NULL)
		return NULL;
	for (o += 11; o + 4 <= end; o += 4 + *len) {
		*len = (size_t)(o[2] << 8 | o[3]);
		assert_true(*len <= (size_t)(end - o - 4));
		if ((o[0] << 8 | o[1]) == code)
			return o + 4;
	}
	return NULL;
}

static int
find_ede(const struct fixture_reply *r)
{
	size_t len;
	const uint8_t *o = fixture_option(r, OPT_EDE, &len);

	return o != NULL && len >= 2 ? o[0] << 8 | o[1] : -1;
}

static void
reply_parse(struct fixture_reply *r)
{
	assert_true(r->len >= 12);
	r->id = (uint16_t)(r->wire[0] << 8 | r->wire[1]);
	r->aa = r->wire[2] & 4;
	r->tc = r->wire[2] & 2;
	r->rcode = r->wire[3] & 15;
	r->ancount = (uint16_t)(r->wire[6] << 8 | r->wire[7]);
	r->ede = find_ede(r);
}

bool
fixture_recv(int fd, int ms, struct fixture_reply *r)
{
	ssize_t n;

	if (!wait_readable(fd, clock_now_ms() + (uint64_t)ms))
		return false;
	n = recv(fd, r->wire, sizeof(r->wire), 0);
	assert_true(n > 0);
	r->len = (size_t)n;
	reply_parse(r);
	return true;
}

static bool
read_all(int fd, uint8_t *buf, size_t len)
{
	uint64_t until_ms = clock_now_ms() + FIXTURE_PATIENCE_MS;

	while (len > 0) {
		ssize_t n;

		if (!wait_readable(fd, until_ms))
			return false;
		n = recv(fd, buf, len, 0);
		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

bool
fixture_recv_tcp(int fd, int ms, struct fixture_reply *r)
{
	uint8_t head[2];

	if (!wait_readable(fd, clock_now_ms() + (uint64_t)ms) || !read_all(fd, head, 2))
		return false;
	r->len = (size_t)(head[0] << 8 | head[1]);
	if (!read_all(fd, r->wire, r->len))
		return false;
	reply_parse(r);
	return true;
}
