/* jitsu: the command-line tool: options, help, and the verb's function. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli.h"
#include "src/control.h"
#include "src/suggest.h"

static void
usage(FILE *f)
{
	fputs("usage: jitsu [-s SOCKET] [--json] VERB [ARGUMENT]\n\n", f);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		fprintf(f, "  %-8s %-23s %s\n", v->name, v->args, v->brief);
	fprintf(f, "  %-8s %-23s %s\n", "help", "[VERB]", "more about one of these");
	fputs("\n"
	    "  -s, --socket SOCKET  the daemon's control socket (" CONTROL_PATH ", or $JITSU_SOCKET)\n"
	    "      --json           for programs\n"
	    "  -h, --help           this text\n"
	    "  -V, --version        the version\n", f);
}

static int
wrong(const char *what, const char *text)
{
	fprintf(stderr, "jitsu: %s%s (`jitsu --help` shows what there is)\n", what, text);
	return CLI_USAGE;
}

static int
wrong_for(const struct cli_verb *v, const char *what)
{
	fprintf(stderr, "jitsu: %s\nusage: jitsu %s%s%s\n", what, v->name, v->args[0] != '\0' ? " " : "", v->args);
	return CLI_USAGE;
}

static const struct cli_verb *
verb_find(const char *name)
{
	const struct cli_verb *v;

	for (v = cli_verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static int
unknown_verb(const char *name)
{
	struct suggest s;
	char text[1200];

	suggest_init(&s, name);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		suggest_offer(&s, v->name);
	snprintf(text, sizeof(text), "\"%.64s\"%s", name, suggest_text(&s));
	return wrong("unknown verb ", text);
}

static int
help(const char *name)
{
	const struct cli_verb *v;

	if (name == NULL) {
		usage(stdout);
		return cli_flush();
	}
	v = verb_find(name);
	if (v == NULL)
		return unknown_verb(name);
	printf("usage: jitsu [-s SOCKET] [--json] %s%s%s\n\n%s.\n%s\n", v->name, v->args[0] != '\0' ? " " : "", v->args, v->brief, v->help);
	return cli_flush();
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

/* Options before the verb.  -1: go on; else the exit status. */
static int
options_global(struct cli *cli, int argc, char **argv)
{
	int ch;

	while ((ch = getopt_long(argc, argv, "+s:hV", long_options, NULL)) != -1) {
		switch (ch) {
		case 's':
			cli->socket = optarg;
			break;
		case OPT_JSON:
			cli->json = true;
			break;
		case 'h':
			return help(NULL);
		case 'V':
			puts("jitsu " JITSU_VERSION);
			return cli_flush();
		case 'f':
			return wrong("--follow belongs behind ", "`events`");
		case OPT_FORCE:
			return wrong("--force belongs behind ", "`reload`");
		default:
			usage(stderr);
			return CLI_USAGE;
		}
	}
	return -1;
}

/* Options and arguments behind the verb.  -1: go on; else the exit status. */
static int
options_verb(struct cli *cli, int argc, char **argv)
{
	const struct cli_verb *v = cli->verb;
	char shorts[32], text[128];
	const char *last;
	int ch;

	snprintf(shorts, sizeof(shorts), "s:hV%s", v->options);
	optind = 0;   /* a second scan, GNU's way */
	opterr = 0;   /* it would call the verb a program */
	while ((ch = getopt_long(argc, argv, shorts, long_options, NULL)) != -1) {
		switch (ch) {
		case 's':
			cli->socket = optarg;
			break;
		case OPT_JSON:
			cli->json = true;
			break;
		case 'h':
			return help(v->name);
		case 'f':
			if (strchr(v->options, 'f') == NULL)
				return wrong_for(v, "--follow belongs to `events`");
			cli->follow = true;
			break;
		case OPT_FORCE:
			if (v->run != cli_reload)
				return wrong_for(v, "--force belongs to `reload`");
			cli->force = true;
			break;
		case 'n':
			if (!count_parse(optarg, &cli->count))
				return wrong_for(v, "-n wants a number from 1 to 10000");
			break;
		case 'z':
			cli->origin = optarg;
			break;
		case 'V':
			puts("jitsu " JITSU_VERSION);
			return cli_flush();
		default:
			snprintf(text, sizeof(text), "%.64s: no such option, or its value is missing", argv[optind - 1]);
			return wrong_for(v, text);
		}
	}
	if (argc - optind < (int)v->least) {
		last = strrchr(v->args, ' ');
		snprintf(text, sizeof(text), "%s is missing", last != NULL ? last + 1 : v->args);
		return wrong_for(v, text);
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

	_Static_assert(LIMIT_EVENTS_READ == 10000, "the message about -n says so");
	if (cli.socket == NULL || cli.socket[0] == '\0')
		cli.socket = CONTROL_PATH;
	status = options_global(&cli, argc, argv);
	if (status >= 0)
		return status;
	if (optind >= argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[optind], "help") == 0)
		return help(argv[optind + 1]);
	cli.verb = verb_find(argv[optind]);
	if (cli.verb == NULL)
		return unknown_verb(argv[optind]);
	argc -= optind;
	argv += optind;
	status = options_verb(&cli, argc, argv);
	if (status >= 0)
		return status;
	status = cli.verb->run(&cli);
	if (cli_flush() != CLI_OK)
		return CLI_FAILED;
	return status;
}
