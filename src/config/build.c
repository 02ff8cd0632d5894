/* build: from raw sections to a configuration: the top level and the limits. */
#include <assert.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "src/config/impl.h"

#define DEFAULT_BOOTS_LEAST 4u

static void
build_listen(struct config_loader *l)
{
	struct config *c = l->conf;

	c->listen = arena_array(&l->arena, c->listen_text.n, sizeof(*c->listen));
	for (unsigned i = 0; i < c->listen_text.n; i++) {
		struct config_listen *listen = &c->listen[c->nlisten];

		listen->port = (uint16_t)c->port;
		if (!addr_parse_listen(c->listen_text.items[i], &listen->addr, &listen->port))
			continue;
		for (unsigned j = 0; j < c->nlisten; j++)
			if (addr_cmp(&listen->addr, &c->listen[j].addr) == 0 &&
			    listen->port == c->listen[j].port)
				config_found(l, c->listen_text.lines[i],
				    "listen: \"%s\" stands there twice", c->listen_text.items[i]);
		c->nlisten++;
	}
}

static void
build_proxies(struct config_loader *l)
{
	struct config *c = l->conf;

	c->proxies = arena_array(&l->arena, c->proxies_text.n, sizeof(*c->proxies));
	for (unsigned i = 0; i < c->proxies_text.n; i++)
		/* A range that is wrong was reported when it was read. */
		if (addr_parse_range(c->proxies_text.items[i], &c->proxies[c->nproxies]))
			c->nproxies++;
}

static unsigned
cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > LIMIT_WORKERS ? LIMIT_WORKERS : (unsigned)n;
}

/* What `auto` means on this machine. */
static void
resolve_auto(struct config *c)
{
	unsigned boots = 2 * cores();
	struct sysinfo si;

	if (c->workers == OPTION_AUTO_32 || c->workers == 0)
		c->workers = cores();
	if (c->limits.boots == OPTION_AUTO_32)
		c->limits.boots = boots > DEFAULT_BOOTS_LEAST ? boots : DEFAULT_BOOTS_LEAST;
	if (c->limits.memory_bytes == OPTION_AUTO_64) {
		c->limits.memory_bytes = 1ull << 30;
		if (sysinfo(&si) == 0)
			c->limits.memory_bytes = (uint64_t)si.totalram * si.mem_unit / 4 * 3;
		/* Whole KiB, so that it can be written down. */
		c->limits.memory_bytes &= ~(uint64_t)1023;
	}
}

static void
check_top(struct config_loader *l, struct config_raw *top)
{
	struct config *c = l->conf;

	if (c->control == NULL) {
		c->control = arena_printf(&l->arena, "%s/control", c->run_dir);
	} else if (strlen(c->control) > LIMIT_SOCKET_PATH) {
		config_found(l, config_line(top, "control"),
		    "control: \"%s\": the address of a UNIX socket has at most %d characters",
		    c->control, LIMIT_SOCKET_PATH);
	}
	if (strlen(c->run_dir) > LIMIT_RUN_DIR)
		config_found(l, config_line(top, "run-dir"),
		    "run-dir: \"%s\" is too long: at most %d characters, since the sockets' paths "
		    "begin with it", c->run_dir, LIMIT_RUN_DIR);
	if (c->limits.held_per_unit > c->limits.held_total)
		config_found(l, c->limits_lines[option_row_named(OPTION_LIMITS, "held-per-unit")],
		    "held-per-unit: %u is more than held-total, which is %u",
		    c->limits.held_per_unit, c->limits.held_total);
}

void
config_build(struct config_loader *l)
{
	struct config *c = l->conf;
	struct config_raw none = { .section = OPTION_LIMITS, .line = 1 };
	struct config_raw *top = l->single[OPTION_TOP], *limits = l->single[OPTION_LIMITS];

	assert(c != NULL && top != NULL);   /* the loader made them */
	config_store(l, top, OPTION_TOP, c, c->lines);
	config_store(l, limits != NULL ? limits : &none, OPTION_LIMITS, &c->limits,
	    c->limits_lines);
	build_listen(l);
	build_proxies(l);
	resolve_auto(c);
	check_top(l, top);
	config_build_networks(l);
	config_build_images(l);
	config_build_zones(l);
}
