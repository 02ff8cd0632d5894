/* jitsud: options, and which of the four processes this one is. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/dns.h"
#include "src/load/load.h"
#include "src/process/process.h"
#include "src/warden/warden.h"
#include "vm/vm.h"

#define DEFAULT_CONF "/etc/jitsu/jitsu.conf"

/* A child is this binary with its role's title as argv[0] (children.c). */
static int (*const roles[ROLE_COUNT])(int fd) = {
	[ROLE_DNS] = dns_main,
	[ROLE_SENTINEL] = sentinel_main,
	[ROLE_ZONES] = zones_main,
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void
usage(FILE *f)
{
	fprintf(f, "usage: jitsud [-fhnV] [-c FILE]\n  -c FILE  configuration (default %s)\n"
	    "  -f       stay in the foreground and log to stderr\n"
	    "  -n       check the configuration and every zone, then exit 0 or 1\n"
	    "  -V       print the version\n"
	    "SIGHUP reloads; SIGTERM stops the daemon and leaves its VMs running (on-exit).\n"
	    "See jitsud(8), jitsu.conf(5) and jitsu.zone(5).\n", DEFAULT_CONF);
}

/* What was asked for must have been printed. */
static int
printed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "jitsud: standard output: %s\n", strerror(errno));
	return 1;
}

static int
check_only(const char *path)
{
	struct check_counts n = { 0 };
	struct report r;
	char line[1200];
	enum err e;

	report_init(&r);
	r.wants_zone_warnings = r.wants_host_findings = true;
	e = check_run(path, &r, &n);
	for (size_t i = 0; i < r.nlines; i++) {
		report_format(&r, i, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	if (report_errors_left_out(&r) > 0)
		fprintf(stderr, "and %zu findings more\n", report_errors_left_out(&r));
	report_clear(&r);
	if (e != ERR_OK)
		return 1;
	printf("%s: %u networks, %u images, %u zones, %u units: all is well\n", path, n.networks,
	    n.images, n.zones, n.units);
	return printed(0);
}

/*
 * Links stay: where they lead is looked up at each load.  NULL: it is that already, or cannot be.
 */
static char *
absolute(const char *path)
{
	char *cwd = path[0] != '/' ? getcwd(NULL, 0) : NULL, *all = NULL;

	if (cwd != NULL && asprintf(&all, "%s/%s", cwd, path) < 0)
		all = NULL;   /* asprintf leaves it undefined */
	free(cwd);
	return all;
}

int
main(int argc, char **argv)
{
	struct warden_options opt = { .conf_path = DEFAULT_CONF };
	bool check = false;
	char *path;
	int c, status;

	for (unsigned i = 0; argc == 1 && i < ROLE_COUNT; i++) {
		if (roles[i] != NULL && strcmp(argv[0], child_names[i].title) == 0) {
			(void)prctl(PR_SET_NAME, child_names[i].comm);
			return roles[i](CHILD_CHANNEL_FD);
		}
	}
	fresh_standard_descriptors();
	while ((c = getopt_long(argc, argv, "c:fhnV", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt.conf_path = optarg;
			break;
		case 'f':
			opt.foreground = true;
			break;
		case 'n':
			check = true;
			break;
		case 'h':
			usage(stdout);
			return printed(0);
		case 'V':
			printf("jitsud %s\n", JITSU_VERSION);
			return printed(0);
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "jitsud: unexpected argument '%s'\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	path = absolute(opt.conf_path);   /* the daemon changes its directory */
	if (path != NULL)
		opt.conf_path = path;
	status = check ? check_only(opt.conf_path) : warden_main(&opt);
	free(path);
	return status;
}
