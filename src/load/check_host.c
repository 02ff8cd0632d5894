/* check_host: users, addresses, bridges, programs. */
#include "src/load/check_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A start replaces a default user that does not exist by a number (surroundings_user). */
static void
check_user(const struct config *conf, const char *key, const char *name, struct report *r)
{
	const struct config_option *o = option_find(OPTION_TOP, key, strlen(key));
	const struct passwd *pw = getpwnam(name);
	unsigned line = conf->lines[option_row(o)];

	if (pw == NULL && strcmp(name, o->def) == 0)
		report_warn(r, conf->path, line,
		    "%s: there is no user \"%s\" on this host: scripts/users makes it", key, name);
	else if (pw == NULL)
		/* Always ERR_PARSE, as below. */
		(void)report_add(
		    r, conf->path, line, "%s: there is no user \"%s\" on this host", key, name);
	else if (pw->pw_uid == 0)
		(void)report_add(
		    r, conf->path, line, "%s: must not be root, which \"%s\" is", key, name);
}

/* A bind tells what a list of addresses does not: all of 127.0.0.0/8, ip_nonlocal_bind. */
static void
check_listen(const struct config *conf, unsigned i, struct report *r)
{
	const struct config_listen *l = &conf->listen[i];
	unsigned line = i < conf->listen_text.n ? conf->listen_text.lines[i] : 0;
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool is_v4 = l->addr.family == 4;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
	char text[ADDR_TEXT];

	addr_text(&l->addr, text);
	if (fd < 0 && errno == EAFNOSUPPORT)
		report_warn(r, conf->path, line,
		    "listen: %s is left out: this kernel has no %s", text, is_v4 ? "IPv4" : "IPv6");
	if (fd < 0)
		return;
	memcpy(&in.sin_addr, l->addr.bytes, 4);
	memcpy(&in6.sin6_addr, l->addr.bytes, 16);
	rc = is_v4 ? bind(fd, (struct sockaddr *)&in, sizeof(in)) :
	    bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (rc != 0 && errno == EADDRNOTAVAIL)
		report_warn(r, conf->path, line,
		    "listen: %s is not an address of this host; queries are answered once it is",
		    text);
	close(fd);
}

static void
check_bridge(const struct config *conf, const struct config_network *n, struct report *r)
{
	struct errmsg m;

	if (vm_bridge_check(n->bridge, &m) != ERR_OK)
		report_warn(r, conf->path, n->line, "network \"%s\": %s; units on it cannot boot",
		    n->name, m.text);
}

/* Once for all images of a driver and machine. */
static void
check_driver(const struct config *conf, unsigned i, struct report *r)
{
	const struct config_image *im = &conf->images[i];
	struct errmsg m;

	for (unsigned k = 0; k < i; k++)
		if (conf->images[k].driver == im->driver && conf->images[k].machine == im->machine)
			return;
	if (vm_host_check(im->driver_name, (enum vm_machine)im->machine, &m) == ERR_MISSING)
		report_warn(r, conf->path, im->line, "image \"%s\": %s; its units cannot boot",
		    im->name, m.text);
}

void
check_host(const struct config *conf, struct report *r)
{
	check_user(conf, "user", conf->user, r);
	check_user(conf, "vm-user", conf->vm_user, r);
	for (unsigned i = 0; i < conf->nlisten; i++)
		check_listen(conf, i, r);
	for (unsigned i = 0; i < conf->nnetworks; i++)
		check_bridge(conf, &conf->networks[i], r);
	for (unsigned i = 0; i < conf->nimages; i++)
		check_driver(conf, i, r);
}
