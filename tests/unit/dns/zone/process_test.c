/*
 * process_test: the child for one load, over a real channel: confined, with includes through its
 * parent.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/chan.h"
#include "base/memfd.h"
#include "tests/unit/dns/zone_fixture.h"

#define HEAD "$TTL 60\n@ SOA ns h 7 2 3 4 30\n@ NS ns\nns A 10.0.0.1\n"

struct child {
	pid_t pid;
	int fd;
};

static void
child_start(struct child *c)
{
	struct errmsg m;
	int fds[2];

	assert_int_equal(chan_pair(fds, &m), ERR_OK);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		close(fds[0]);
		_exit(zones_main(fds[1]));
	}
	close(fds[1]);
	c->fd = fds[0];
}

static void
child_send(const struct child *c, const struct msg *msg, const int *fds, unsigned nfds)
{
	struct errmsg m;

	assert_int_equal(chan_send_blocking(c->fd, msg, fds, nfds, &m), ERR_OK);
}

/* The next message but MSG_COMPILING; returns its descriptor, one at most, or -1. */
static int
child_expect_any(const struct child *c, struct msg *msg)
{
	int fds[LIMIT_MSG_FDS];
	struct errmsg m;
	unsigned n;

	do
		assert_int_equal(chan_recv_blocking(c->fd, msg, fds, &n, &m), ERR_OK);
	while (msg->type == MSG_COMPILING);
	assert_true(n <= 1);
	return n == 1 ? fds[0] : -1;
}

/* The next message, which must be of this type; without `fd` it brings no descriptor. */
static void
child_expect(const struct child *c, uint16_t type, struct msg *msg, int *fd)
{
	int got = child_expect_any(c, msg);

	assert_int_equal(msg->type, type);
	if (fd != NULL)
		*fd = got;
	else
		assert_int_equal(got, -1);
}

static int
text_fd(const char *text)
{
	struct errmsg m;
	int fd = -1;

	assert_int_equal(memfd_create_open("zone", &fd, &m), ERR_OK);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
child_zone(const struct child *c, uint32_t index, const char *origin, const char *text,
    const char *units)
{
	struct msg msg = { .type = MSG_ZONE };
	int fds[2] = { text_fd(text), units != NULL ? text_fd(units) : -1 };

	msg.zone.index = index;
	snprintf(msg.zone.origin, sizeof(msg.zone.origin), "%s", origin);
	snprintf(msg.zone.path, sizeof(msg.zone.path), "%s.zone", origin);
	child_send(c, &msg, fds, units != NULL ? 2 : 1);
	close(fds[0]);
	if (units != NULL)
		close(fds[1]);
}

static char empty_root[] = "/tmp/jitsu-root-XXXXXX";

/* With privileges to lose, the child loses them. */
static void
child_run(const struct child *c)
{
	struct msg msg = { .type = MSG_HELLO };

	msg.hello.role = ROLE_ZONES;
	if (geteuid() == 0) {
		msg.hello.uid = msg.hello.gid = 65534;
		snprintf(msg.hello.empty_root, sizeof(msg.hello.empty_root), "%s", empty_root);
	}
	child_send(c, &msg, NULL, 0);
	msg = (struct msg){ .type = MSG_RUN };
	child_send(c, &msg, NULL, 0);
	child_expect(c, MSG_RUNNING, &msg, NULL);
}

static void
child_end(struct child *c, int status)
{
	int got;

	close(c->fd);
	assert_int_equal(waitpid(c->pid, &got, 0), c->pid);
	assert_true(WIFEXITED(got));
	assert_int_equal(WEXITSTATUS(got), status);
}

static void
compiles(void **state)
{
	struct msg msg = { .type = MSG_COMPILE };
	struct dns_zone_info info;
	struct dns_zimage *zimage;
	struct dns_unit u;
	struct child c;
	struct errmsg m;
	int fd;

	(void)state;
	child_start(&c);
	child_run(&c);
	child_zone(&c, 5, "one.test", HEAD "www A 10.0.0.2\n_jitsu.www TXT image=x\n", NULL);
	child_zone(&c, 6, "bad.test", "www A 10.0.0.2\nwww A nonsense\n", NULL);
	child_zone(&c, 7, "two.test", HEAD "www A 10.0.0.2\n", "_jitsu.www TXT image=y\n");
	child_send(&c, &msg, NULL, 0);
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_int_equal(msg.finding.index, 6);
	assert_int_equal(msg.finding.line, 2);
	assert_string_equal(msg.finding.file, "bad.test.zone");
	assert_non_null(strstr(msg.finding.text, "`www A nonsense'"));
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_non_null(strstr(msg.finding.text, "no SOA"));
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_non_null(strstr(msg.finding.text, "no NS"));
	child_expect(&c, MSG_COMPILED, &msg, &fd);
	assert_int_equal(msg.compiled.loaded, 2);
	assert_int_equal(msg.compiled.failed, 1);
	child_end(&c, 0);
	assert_int_equal(dns_zimage_open(fd, &zimage, &m), ERR_OK);
	close(fd);
	assert_int_equal(dns_zimage_zones(zimage), 2);
	assert_int_equal(dns_zimage_zone(zimage, 0, &info, &m), ERR_OK);
	assert_int_equal(info.index, 5);
	assert_int_equal(dns_zimage_zone(zimage, 1, &info, &m), ERR_OK);
	assert_int_equal(info.index, 7);
	assert_string_equal(info.origin, "two.test");
	assert_int_equal(dns_zimage_unit(zimage, 1, 0, &u, &m), ERR_OK);
	assert_string_equal(u.file, "two.test.zone (units)");
	dns_zimage_close(zimage);
}

/*
 * Zones that were named early, an include that is granted and one that is not, another zone named
 * in between.
 */
static void
asks_for_includes(void **state)
{
	struct msg msg;
	struct child c;
	int part = text_fd("a A 10.0.0.9\n"), fd;

	(void)state;
	child_start(&c);
	child_zone(&c, 1, "inc.test", HEAD "$INCLUDE part sub\n", NULL);
	child_run(&c);
	child_expect(&c, MSG_WANT_INCLUDE, &msg, NULL);
	assert_int_equal(msg.include.index, 1);
	assert_string_equal(msg.include.path, "part");
	child_zone(&c, 2, "no.test", HEAD "$INCLUDE secret\n", NULL);
	msg = (struct msg){ .type = MSG_INCLUDE };
	msg.include.index = 1;
	child_send(&c, &msg, &part, 1);
	close(part);
	child_expect(&c, MSG_WANT_INCLUDE, &msg, NULL);
	assert_int_equal(msg.include.index, 2);
	msg.type = MSG_INCLUDE;
	snprintf(msg.include.path, sizeof(msg.include.path), "not yours");
	child_send(&c, &msg, NULL, 0);
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_int_equal(msg.finding.line, 5);
	assert_string_equal(msg.finding.text, "$INCLUDE secret: not yours");
	msg = (struct msg){ .type = MSG_COMPILE };
	child_send(&c, &msg, NULL, 0);
	child_expect(&c, MSG_COMPILED, &msg, &fd);
	assert_int_equal(msg.compiled.loaded, 1);
	close(fd);
	child_end(&c, 0);
}

/*
 * Types whose fields are the most adventurous: none may ask for a file or anything else that the
 * filter kills for.
 */
static void
every_type(void **state)
{
	static const char types[] = HEAD
	    "t LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m\nt APL 1:192.168.32.0/21 "
	    "!2:fd00::/64\n"
	    "t CERT PGP 1 RSASHA1 AAAA\nt IPSECKEY 10 1 2 192.0.2.38 "
	    "AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==\n"
	    "t NAPTR 100 50 \"s\" \"z3950+I2L+I2C\" \"\" _z3950._tcp\nt CAA 0 issue \"ca.test\"\nt "
	    "TLSA 3 1 1 00\nt SSHFP 1 3 00\n"
	    "t URI 10 1 \"ftp://x/\"\nt EUI48 00-00-5e-00-53-2a\nt HINFO cpu os\nt RP a b\nt AFSDB "
	    "1 a\nt X25 311061700956\n"
	    "t SRV 0 5 5060 a\nt DNSKEY 256 3 8 AAAA\nt HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1\nt "
	    "DS 1 8 3 00\nt TXT \"\\255\\000x\"\n"
	    "t RRSIG A RSASHA256 2 60 20300101000000 1577836800 1 @ AAAA\nt NSEC @ A RRSIG "
	    "TYPE1234\nt NSAP 0x47\n"
	    "t HIP 2 200100107B1A74DF365639CC39F1D578 "
	    "AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkU\n"
	    "t OPENPGPKEY AAAA\nt SMIMEA 3 1 1 00\nt CSYNC 1 3 A\nt ZONEMD 1 1 240 "
	    "001122334455667788990011\nt DHCID AAAA\nt WKS 10.0.0.1 tcp smtp\nt KX 1 a\n"
	    "t TYPE11 10.0.0.1 tcp smtp\nt WKS \\# 6 0a0000010600\n";
	struct msg msg = { .type = MSG_COMPILE };
	struct child c;

	(void)state;
	child_start(&c);
	child_run(&c);
	child_zone(&c, 1, "types.test", types, NULL);
	child_send(&c, &msg, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {   /* as a name, and as a number */
		child_expect(&c, MSG_FINDING, &msg, NULL);
		assert_non_null(strstr(msg.finding.text, "data of type WKS is read only as"));
	}
	child_expect(&c, MSG_COMPILED, &msg, NULL);
	child_end(&c, 0);
}

/* None loads: no zimage.  And a flood of findings is cut, but counted. */
static void
all_fail(void **state)
{
	struct msg msg;
	struct child c;
	char text[8192];
	size_t n = 0;
	int fd;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "www A nonsense%u\n", i);
	child_start(&c);
	child_run(&c);
	child_zone(&c, 1, "bad.test", text, NULL);
	for (unsigned i = 0; i < 20; i++)
		child_expect(&c, MSG_FINDING, &msg, NULL);
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_string_equal(msg.finding.text, "and 82 more");
	msg = (struct msg){ .type = MSG_COMPILE };
	child_send(&c, &msg, NULL, 0);
	child_expect(&c, MSG_COMPILED, &msg, &fd);
	assert_int_equal(fd, -1);
	assert_int_equal(msg.compiled.failed, 1);
	child_end(&c, 0);
}

/* The parent goes away, or talks nonsense. */
static void
parent_gone(void **state)
{
	struct msg msg = { .type = MSG_PROBE };
	struct child c;

	(void)state;
	child_start(&c);
	child_run(&c);
	child_end(&c, 1);
	child_start(&c);
	child_send(&c, &msg, NULL, 0);
	child_end(&c, 1);
	child_start(&c);
	msg.type = MSG_RUN;   /* before MSG_HELLO */
	child_send(&c, &msg, NULL, 0);
	child_end(&c, 1);
}

/* Sorting many names asks libc for memory, and libc asks the kernel how much there is. */
static void
signed_zone(void **state)
{
	static char text[64 * 1024];
	struct msg msg = { .type = MSG_COMPILE };
	size_t at = (size_t)snprintf(text, sizeof(text), "%s@ NSEC n000 SOA NS NSEC\n", HEAD);
	struct child c;
	int fd;

	(void)state;
	for (int i = 0; i < 500; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "n%03d A 10.0.0.2\nn%03d NSEC n%03d A NSEC\n", i, i, i + 1);
	assert_true(at < sizeof(text));
	child_start(&c);
	child_run(&c);
	child_zone(&c, 1, "one.test", text, NULL);
	child_send(&c, &msg, NULL, 0);
	do {
		fd = child_expect_any(&c, &msg);
	} while (msg.type == MSG_FINDING);   /* signatures are missing */
	assert_int_equal(msg.type, MSG_COMPILED);
	assert_true(fd >= 0);
	close(fd);
	child_end(&c, 0);
}

/*
 * A zone that needs too much is refused by its name, and the next one is compiled; the warden hears
 * which one is next.
 */
static void
limited(void **state)
{
	struct msg msg = { .type = MSG_ZONE_LIMITS }, compile = { .type = MSG_COMPILE };
	size_t size = 2 << 20, n;
	char *text = malloc(size);
	int fds[LIMIT_MSG_FDS], fd;
	struct errmsg m;
	struct child c;
	unsigned nfds;

	(void)state;
	n = (size_t)snprintf(text, size, HEAD);
	for (unsigned i = 0; n + 40 < size; i++)
		n += (size_t)snprintf(
		    text + n, size - n, "h%u A 10.%u.%u.%u\n", i, i >> 16, i >> 8 & 255, i & 255);
	child_start(&c);
	msg.zone_limits.memory_bytes = 4 << 20;
	child_send(&c, &msg, NULL, 0);
	child_run(&c);
	child_zone(&c, 4, "large.test", text, NULL);
	free(text);
	assert_int_equal(chan_recv_blocking(c.fd, &msg, fds, &nfds, &m), ERR_OK);
	assert_int_equal(msg.type, MSG_COMPILING);
	assert_int_equal(msg.compiling.index, 4);
	child_expect(&c, MSG_FINDING, &msg, NULL);
	assert_int_equal(msg.finding.index, 4);
	assert_non_null(strstr(msg.finding.text,
	    "zone large.test needs more memory than a zone may have, 4M (zone-memory"));
	child_zone(&c, 5, "small.test", HEAD, NULL);
	assert_int_equal(chan_recv_blocking(c.fd, &msg, fds, &nfds, &m), ERR_OK);
	assert_int_equal(msg.compiling.index, 5);
	child_send(&c, &compile, NULL, 0);
	child_expect(&c, MSG_COMPILED, &msg, &fd);
	assert_int_equal(msg.compiled.loaded, 1);
	assert_int_equal(msg.compiled.failed, 1);
	close(fd);
	child_end(&c, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiles),
		cmocka_unit_test(asks_for_includes),
		cmocka_unit_test(all_fail),
		cmocka_unit_test(parent_gone),
		cmocka_unit_test(every_type),
		cmocka_unit_test(signed_zone),
		cmocka_unit_test(limited),
	};
	int failed;

	alarm(60);   /* a channel that hangs is a failure */
	if (mkdtemp(empty_root) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(empty_root);
	return failed;
}
