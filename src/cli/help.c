/* help: usage, and what each verb does. */
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/control/control.h"
#include "base/suggest.h"

void
cli_usage(FILE *f)
{
	fputs("usage: jitsu [-s SOCKET] [--json] VERB [ARGUMENT]\n\n", f);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		fprintf(f, "  %-8s %-23s %s\n", v->name, v->args, v->brief);
	fputs("\n"
	    "  -s, --socket SOCKET  the daemon's control socket (" CONTROL_PATH ", or "
	    "$JITSU_SOCKET)\n"
	    "      --json           for programs\n"
	    "  -h, --help           this text\n"
	    "  -V, --version        the version\n", f);
}

int
cli_wrong(const char *fmt, ...)
{
	va_list ap;

	fputs("jitsu: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(" (`jitsu --help` shows what there is)\n", stderr);
	return CLI_USAGE;
}

const struct cli_verb *
cli_verb_find(const char *name)
{
	const struct cli_verb *v;

	for (v = cli_verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

int
cli_verb_unknown(const char *name)
{
	struct suggest s;

	suggest_init(&s, name);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		suggest_offer(&s, v->name);
	return cli_wrong("unknown verb \"%.64s\"%s", name, suggest_text(&s));
}

int
cli_help(const struct cli *cli)
{
	const struct cli_verb *v;

	if (cli->arg == NULL) {
		cli_usage(stdout);
		return CLI_OK;
	}
	v = cli_verb_find(cli->arg);
	if (v == NULL)
		return cli_verb_unknown(cli->arg);
	printf("usage: jitsu [-s SOCKET] [--json] %s%s%s\n\n%s.\n%s\n", v->name,
	    v->args[0] != '\0' ? " " : "", v->args, v->brief, v->help);
	return CLI_OK;
}
