/* listen: the sockets of the DNS process, bound by the warden and kept by it. */
#include "src/warden/state.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static socklen_t
fill_sockaddr(const struct config_listen *l, struct sockaddr_storage *ss)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (l->addr.family == 4) {
		*sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(l->port) };
		memcpy(&sin->sin_addr, l->addr.bytes, 4);
		return sizeof(*sin);
	}
	*sin6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	memcpy(&sin6->sin6_addr, l->addr.bytes, 16);
	return sizeof(*sin6);
}

/* Options that a server wants and can live without. */
static void
tune(int fd, int family, int type)
{
	int big = LIMIT_LISTEN_UDP_BYTES, omit = IP_PMTUDISC_OMIT;

	if (type != SOCK_DGRAM)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	/* As NSD: a forged ICMP message must not make us fragment. */
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
}

/* Workers times addresses may be many: the first descriptors are left to who uses select(2). */
static int
out_of_the_way(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LIMIT_SELECT_FDS);

	if (high < 0)
		return fd;   /* this process may not have so many */
	close(fd);
	return high;
}

/*
 * Binds, also to an address that this host does not have yet: one that is still tentative (RFC 4862
 * section 5.4), or that somebody gives it later.  *later: so was it.
 */
static int
bind_early(int fd, const struct sockaddr_storage *ss, socklen_t len, bool *later)
{
	bool is_v6 = ss->ss_family == AF_INET6;
	int on = 1;

	*later = false;
	if (bind(fd, (const struct sockaddr *)ss, len) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -1;
	if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_FREEBIND : IP_FREEBIND,
	    &on, sizeof(on)) != 0)
		return -1;
	*later = true;
	return bind(fd, (const struct sockaddr *)ss, len);
}

static enum err
open_one(const struct config_listen *l, int type, int *out, struct errmsg *m)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_sockaddr(l, &ss);
	char text[ADDR_TEXT];
	int on = 1, fd;
	bool later;
	enum err e = ERR_OK;

	addr_text(&l->addr, text);
	fd = socket(ss.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(m, "socket for %s", text);
	tune(fd, ss.ss_family, type);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
	    (type == SOCK_STREAM &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
	    (ss.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0))
		e = err_sys(m, "socket options for %s", text);
	else if (bind_early(fd, &ss, len, &later) != 0)
		e = err_sys(m, "listen: %s port %u, %s", text, (unsigned)l->port,
		    type == SOCK_DGRAM ? "UDP" : "TCP");
	else if (type == SOCK_STREAM && listen(fd, LIMIT_LISTEN_BACKLOG) != 0)
		e = err_sys(m, "listen: %s port %u", text, (unsigned)l->port);
	if (e != ERR_OK)
		close(fd);
	else
		*out = out_of_the_way(fd);
	return e;
}

/*
 * Another jitsud of the same user could share the port (SO_REUSEPORT) and take half of the queries:
 * a plain bind fails then.  ERR_UNSUPPORTED: this kernel lacks the address's family.
 */
static enum err
refuse_shared(const struct config_listen *l, bool *later, struct errmsg *m)
{
	struct sockaddr_storage ss;
	socklen_t len = fill_sockaddr(l, &ss);
	char text[ADDR_TEXT];
	int on = 1, fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enum err e = ERR_OK;

	addr_text(&l->addr, text);
	if (fd < 0 && errno == EAFNOSUPPORT)
		return err_set(m, ERR_UNSUPPORTED, "listen: %s: this kernel has no %s", text,
		    ss.ss_family == AF_INET6 ? "IPv6" : "IPv4");
	if (fd < 0)
		return err_sys(m, "socket for %s", text);
	if (ss.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind_early(fd, &ss, len, later) != 0) {
		e = err_sys(m, "listen: %s port %u", text, (unsigned)l->port);
		if (errno == EADDRINUSE)
			e = err_set(m, ERR_EXISTS,
			    "listen: %s port %u is in use by another server; stop it, or set "
			    "`listen` or `port` differently", text, (unsigned)l->port);
	}
	close(fd);
	return e;
}

/* The addresses that can be bound: those of a family that the kernel does not have are left out. */
static enum err
choose(const struct config *conf, const struct config_listen **usable, unsigned *n,
    struct errmsg *m)
{
	bool later[LIMIT_LISTEN] = { false };
	struct errmsg left_out = { "" };
	char text[ADDR_TEXT];

	*n = 0;
	for (unsigned i = 0; i < conf->nlisten; i++) {
		enum err e = refuse_shared(&conf->listen[i], &later[*n], m);

		if (e != ERR_OK && e != ERR_UNSUPPORTED)
			return e;
		if (e == ERR_OK)
			usable[(*n)++] = &conf->listen[i];
		else
			left_out = *m;
	}
	if (*n == 0)
		return ERR_UNSUPPORTED;   /* as the last address's message says */
	if (left_out.text[0] != '\0')
		log_warn("%s", left_out.text);
	for (unsigned i = 0; i < *n; i++) {
		addr_text(&usable[i]->addr, text);
		if (later[i])
			log_warn("listen: %s is not an address of this host, or not yet: queries "
			    "are answered once it is", text);
	}
	return ERR_OK;
}

enum err
listen_open(struct sockets *s, const struct config *conf, struct errmsg *m)
{
	const struct config_listen *usable[LIMIT_LISTEN];
	unsigned n = 0, nusable;
	enum err e;

	memset(s, 0, sizeof(*s));
	if ((e = choose(conf, usable, &nusable, m)) != ERR_OK)
		return e;
	s->workers = conf->workers;
	s->per_worker = 2 * nusable;
	s->fds = mem_zero((size_t)s->workers * s->per_worker, sizeof(int));
	s->kinds = mem_zero(s->per_worker, 1);
	s->wildcards = mem_zero(s->per_worker, 1);
	for (unsigned i = 0; i < s->workers * s->per_worker; i++)
		s->fds[i] = -1;
	for (unsigned i = 0; i < nusable; i++) {
		s->kinds[2 * i] = MSG_SOCKET_UDP;
		s->kinds[2 * i + 1] = MSG_SOCKET_TCP;
		s->wildcards[2 * i] = s->wildcards[2 * i + 1] = addr_is_any(&usable[i]->addr);
	}
	for (; n < s->workers * s->per_worker && e == ERR_OK; n++)
		e = open_one(usable[n % s->per_worker / 2], n % 2 == 0 ? SOCK_DGRAM : SOCK_STREAM,
		    &s->fds[n], m);
	if (e != ERR_OK)
		listen_close(s);
	return e;
}

void
listen_close(struct sockets *s)
{
	for (unsigned i = 0; i < s->workers * s->per_worker; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	free(s->fds);
	free(s->kinds);
	free(s->wildcards);
	memset(s, 0, sizeof(*s));
}
