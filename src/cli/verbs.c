/* verbs: the subcommands of `jitsu`. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "src/cli/cli.h"
#include "src/cli/table.h"
#include "src/control/control.h"

#define LOCAL { 0, false }
/* Answered from memory: a daemon that takes longer hangs. */
#define READS { 30, false }
/* A boot, a stop or a reload takes as long as is configured, which is not known here. */
#define CHANGES { 60, true }

/* The values are words, numbers and checked names: what cannot be set lacks memory. */
static void
request_set(json_t *req, const char *key, json_t *value)
{
	if (json_object_set_new(req, key, value) != 0)
		(void)mem_must(NULL);
}

json_t *
cli_request(const struct cli *cli)
{
	char name[LIMIT_NAME_TEXT];
	struct errmsg m;
	json_t *req = mem_must(json_object());

	if (cli->arg == NULL)
		return req;
	if (control_name_normalize(cli->arg, name, &m) != ERR_OK) {
		cli_note("%s", m.text);
		json_decref(req);
		return NULL;
	}
	request_set(req, "name", json_string(name));
	return req;
}

int
cli_other_version(const struct cli *cli)
{
	return cli_fail("%s: the answer to %s is not understood; use the jitsu that came with that "
	    "jitsud (this one is " JITSU_VERSION ")", cli->socket, cli->verb->name);
}

/* The answer; until it comes, how it goes is said. */
static json_t *
wait_answer(struct cli_client *client)
{
	bool is_event = true;
	json_t *data = NULL;

	while (is_event) {
		const char *unit, *text;

		json_decref(data);
		data = cli_client_next(client, &is_event);
		if (data == NULL)
			return NULL;
		unit = json_string_value(json_object_get(data, "unit"));
		text = json_string_value(json_object_get(data, "text"));
		if (is_event && unit != NULL && text != NULL)
			cli_note("%s %s", unit, text);
	}
	return data;
}

/* A question, an answer, and the verb's printer.  Takes over the request; NULL: that was said. */
static int
run_request(const struct cli *cli, json_t *request)
{
	struct cli_client *client = NULL;
	json_t *data = NULL;
	int status = CLI_FAILED;

	if (request == NULL)
		return CLI_FAILED;
	client = cli_client_ask(cli, request);
	if (client == NULL || (data = wait_answer(client)) == NULL)
		goto out;
	if (cli->json)
		cli_json(data, false);
	else if (!cli->verb->print(stdout, data)) {
		status = cli_other_version(cli);
		goto out;
	}
	/* Not all that was asked for: zones that keep their old contents, refused units. */
	status = json_integer_value(json_object_get(data, "refused")) > 0 ||
	    json_integer_value(json_object_get(data, "units_refused")) > 0 ? CLI_FAILED : CLI_OK;
out:
	json_decref(data);
	cli_client_free(client);
	return status;
}

static int
run_plain(const struct cli *cli)
{
	return run_request(cli, cli_request(cli));
}

static int
run_wake(const struct cli *cli)
{
	json_t *request = cli_request(cli);

	if (request != NULL)
		request_set(request, "progress", json_true());
	return run_request(cli, request);
}

int
cli_reload(const struct cli *cli)
{
	return run_request(cli, json_pack("{s:b}", "force", (int)cli->force));
}

/* Zones whose units are not what their files say. */
static int
zones_warn(const struct cli *cli)
{
	struct cli ask = *cli;
	json_t *data;
	const json_t *zone;
	size_t i;

	ask.verb = cli_verb_find("status");
	data = cli_client_once(&ask, json_pack("{s:b}", "bad_zones", 1));
	json_array_foreach(json_object_get(data, "zones"), i, zone) {
		const char *name = json_string_value(json_object_get(zone, "name"));
		const char *state = json_string_value(json_object_get(zone, "state"));
		const char *error = json_string_value(json_object_get(zone, "error"));

		/* a warning: what was asked for was printed */
		if (name != NULL && state != NULL && strcmp(state, "ok") != 0)
			cli_note("zone %s %s: %s", name,
			    strcmp(state, "old") == 0 ? "is served with its old contents" :
			    "is not served", error != NULL ? error : "it could not be loaded");
	}
	json_decref(data);
	return data != NULL ? CLI_OK : CLI_FAILED;
}

static int
run_list(const struct cli *cli)
{
	int status = run_plain(cli);

	return status != CLI_OK || cli->json ? status : zones_warn(cli);
}

/* Prints what comes until the daemon closes; only the first answer when nothing is followed. */
static int
events_loop(const struct cli *cli, struct cli_client *client, struct cli_table *table)
{
	json_t *data;
	bool ok = true;

	do {
		data = cli_client_next(client, NULL);
		if (data == NULL)
			return CLI_FAILED;
		if (!cli->json)
			ok = cli_events_print(table, stdout, data);
		else if (!cli->follow)
			cli_json(data, false);
		else if (json_is_array(data)) {
			const json_t *ev;
			size_t i;

			json_array_foreach(data, i, ev)
				cli_json(ev, true);
		} else
			cli_json(data, true);
		json_decref(data);
		if (!ok)
			return cli_other_version(cli);
		if (cli_flush() != CLI_OK)
			return CLI_FAILED;
	} while (cli->follow);
	return CLI_OK;
}

static int
run_events(const struct cli *cli)
{
	json_t *request = cli_request(cli);
	struct cli_client *client;
	struct cli_table *table;
	int status;

	if (request == NULL)
		return CLI_FAILED;
	if (cli->follow)
		request_set(request, "follow", json_true());
	if (cli->count > 0)
		request_set(request, "limit", json_integer(cli->count));
	client = cli_client_ask(cli, request);
	if (client == NULL)
		return CLI_FAILED;
	table = cli_events_new();
	status = events_loop(cli, client, table);
	cli_client_free(client);
	cli_table_free(table);
	return status;
}

const struct cli_verb cli_verbs[] = {
	{ "list", "", "", 0, 0, READS, run_list, cli_print_list,
	    "all units: state, image, addresses, boots, idle time",
	    "One line per unit.  SLEEPS IN is the time until it goes to sleep if nobody uses it.\n"
	    "Zones that are not served as their files say are named on standard error." },
	{ "show", "NAME", "", 1, 1, READS, run_plain, cli_print_show,
	    "everything about one unit, with its last error and console lines",
	    "NAME is the unit's owner name, or that of an alias." },
	{ "why", "NAME", "", 1, 1, READS, run_plain, cli_print_why,
	    "what keeps a unit up or woke it, when it sleeps, or what it waits for",
	    "A sentence, and a line for each reason: AGO is when that was, LEFT how long it still\n"
	    "holds." },
	{ "wake", "NAME", "", 1, 1, CHANGES, run_wake, cli_print_wake,
	    "start a unit, and return when it is ready",
	    "Says on standard error what it waits for, if it has to wait before it boots.\n"
	    "Fails with the reason when the boot fails or a limit forbids it.  For root and the "
	    "admins of jitsu.conf." },
	{ "sleep", "NAME", "", 1, 1, CHANGES, run_plain, cli_print_wake,
	    "put a unit to sleep now, used or not",
	    "Returns when its VM has gone or is frozen.  For root and the admins of jitsu.conf." },
	{ "events", "[-f] [-n COUNT] [NAME]", "fn:", 0, 1, READS, run_events, NULL,
	    "what happened, with the time of each step of a wake",
	    "  -f        go on with new events as they happen\n"
	    "  -n COUNT  the last COUNT events (100)\n"
	    "SPAWN, ALIVE, READY and ANSWER are the times between the steps of a wake: from the "
	    "query to the start of the VM's\n"
	    "process, its first frame, its readiness, and the answer." },
	{ "console", "NAME", "", 1, 1, READS, run_plain, cli_print_console,
	    "what the unit's VM wrote to its console lately",
	    "Control characters are shown as \\ooo.  For root and the admins of jitsu.conf." },
	{ "aside", "", "", 0, 0, READS, run_plain, cli_print_aside,
	    "VMs without a unit, kept until that can be known",
	    "Their zone is not served, or the state database does not know them.  When a reload\n"
	    "serves the zone again, the unit goes on with its VM; a VM whose unit is not in the\n"
	    "zone any more is destroyed." },
	{ "destroy", "NAME", "", 1, 1, CHANGES, run_plain, cli_print_destroy,
	    "destroy a VM that is kept aside",
	    "NAME is the name or the UUID that `jitsu aside` shows.\n"
	    "For root and the admins of jitsu.conf." },
	{ "held", "", "", 0, 0, READS, run_plain, cli_print_held,
	    "addresses that are held, and the units that must wait for them",
	    "An address that was handed out under a name stays in caches: for `address-hold` it\n"
	    "is refused to other units." },
	{ "release", "ADDRESS", "", 1, 1, READS, run_plain, cli_print_release,
	    "give a held address free for whoever claims it",
	    "For root and the admins of jitsu.conf." },
	{ "status", "", "", 0, 0, READS, run_plain, cli_print_status,
	    "the daemon: zones, processes, counters, limits",
	    "A zone with an error is served with its old contents, or not at all when it has "
	    "none." },
	{ "dump", "ZONE", "", 1, 1, READS, cli_dump, NULL,
	    "what is served of a zone, as a master file",
	    "Every name in full, the SOA first.  Mappings are not served and not printed." },
	{ "reload", "[--force]", "", 0, 0, CHANGES, cli_reload, cli_print_reload,
	    "read the configuration and the zones again, as SIGHUP does",
	    "  --force  also a configuration that drops all zones or most, or seems to be cut "
	    "short\n"
	    "A wrong configuration changes nothing; a wrong zone keeps its old contents, the "
	    "others are loaded.  Exit 1 in both cases.\n"
	    "For root and the admins of jitsu.conf." },
	{ "check", "[-z ORIGIN] FILE", "z:", 1, 1, LOCAL, cli_check, NULL,
	    "check a configuration and all its zones, without a daemon",
	    "  -z ORIGIN  FILE is not a configuration but the zone ORIGIN\n"
	    "Prints every error with its file and line, and warns of what can be served but will "
	    "disappoint." },
	{ "help", "[VERB]", "", 0, 1, LOCAL, cli_help, NULL, "more about one of these",
	    "Without VERB: all verbs, a line each." },
	{ NULL, NULL, NULL, 0, 0, LOCAL, NULL, NULL, NULL, NULL },
};
