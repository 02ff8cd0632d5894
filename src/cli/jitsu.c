/* jitsu: the command-line tool: options, and the verb's function. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/control/control.h"
#include "src/process/process.h"

static int __attribute__((format(printf, 2, 3)))
wrong_for(const struct cli_verb *v, const char *fmt, ...)
{
	va_list ap;

	fputs("jitsu: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: jitsu %s%s%s\n", v->name, v->args[0] != '\0' ? " " : "", v->args);
	return CLI_USAGE;
}

static int
help(const char *verb)
{
	int status = cli_help(&(struct cli){ .arg = verb });

	return status == CLI_OK ? cli_flush() : status;
}

enum { OPT_JSON = 256, OPT_FORCE };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "follow", no_argument, NULL, 'f' },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ NULL, 0, NULL, 0 },
};

static bool
count_parse(const char *text, int *count)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 1 || n > LIMIT_EVENTS_READ)
		return false;
	*count = (int)n;
	return true;
}

/* What is wrong with an option before the verb (`v` NULL), or behind it. */
static int
misplaced(const struct cli_verb *v, const char *option, const char *verb)
{
	if (v != NULL)
		return wrong_for(v, "%s belongs to %s", option, verb);
	return cli_wrong("%s belongs behind %s", option, verb);
}

static int
unknown_option(const struct cli_verb *v, const char *option)
{
	if (v != NULL)
		return wrong_for(v, "%.64s: no such option, or its value is missing", option);
	cli_usage(stderr);
	return CLI_USAGE;
}

/* Options before the verb, or those behind cli->verb.  -1: go on; else the exit status. */
static int
scan_options(struct cli *cli, const char *shorts, int argc, char **argv)
{
	const struct cli_verb *v = cli->verb;
	int ch;

	while ((ch = getopt_long(argc, argv, shorts, long_options, NULL)) != -1) {
		switch (ch) {
		case 's':
			cli->socket = optarg;
			break;
		case OPT_JSON:
			cli->json = true;
			break;
		case 'h':
			return help(v != NULL ? v->name : NULL);
		case 'V':
			puts("jitsu " JITSU_VERSION);
			return cli_flush();
		case 'f':
			if (v == NULL || strchr(v->options, 'f') == NULL)
				return misplaced(v, "--follow", "`events`");
			cli->follow = true;
			break;
		case OPT_FORCE:
			if (v == NULL || v->run != cli_reload)
				return misplaced(v, "--force", "`reload`");
			cli->force = true;
			break;
		case 'n':
			if (!count_parse(optarg, &cli->count))
				return wrong_for(
				    v, "-n wants a number from 1 to %d", LIMIT_EVENTS_READ);
			break;
		case 'z':
			cli->origin = optarg;
			break;
		default:
			return unknown_option(v, argv[optind - 1]);
		}
	}
	return -1;
}

/* Options and arguments behind the verb, as scan_options. */
static int
scan_verb(struct cli *cli, int argc, char **argv)
{
	const struct cli_verb *v = cli->verb;
	char shorts[32];
	const char *last;
	int status;

	snprintf(shorts, sizeof(shorts), "s:hV%s", v->options);
	optind = 0;   /* a second scan, GNU's way */
	opterr = 0;   /* getopt would call the verb a program */
	status = scan_options(cli, shorts, argc, argv);
	if (status >= 0)
		return status;
	if (argc - optind < (int)v->least) {
		last = strrchr(v->args, ' ');
		return wrong_for(v, "%s is missing", last != NULL ? last + 1 : v->args);
	}
	if (argc - optind > (int)v->most)
		return wrong_for(v, "too many arguments");
	cli->arg = argc > optind ? argv[optind] : NULL;
	return -1;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .socket = getenv("JITSU_SOCKET") };
	int status;

	fresh_standard_descriptors();
	if (cli.socket == NULL || cli.socket[0] == '\0')
		cli.socket = CONTROL_PATH;
	status = scan_options(&cli, "+s:hV", argc, argv);
	if (status >= 0)
		return status;
	if (optind >= argc) {
		cli_usage(stderr);
		return CLI_USAGE;
	}
	cli.verb = cli_verb_find(argv[optind]);
	if (cli.verb == NULL)
		return cli_verb_unknown(argv[optind]);
	argc -= optind;
	argv += optind;
	status = scan_verb(&cli, argc, argv);
	if (status >= 0)
		return status;
	status = cli.verb->run(&cli);
	if (cli_flush() != CLI_OK)
		return CLI_FAILED;
	return status;
}
