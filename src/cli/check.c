/* check: `jitsu check`: a configuration, or one zone, looked at in this process. */
#include <stdio.h>
#include <unistd.h>

#include "src/load/load.h"
#include "src/cli/cli.h"

static json_t *
findings_json(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < r->nlines; i++) {
		const struct report_line *l = &r->lines[i];
		json_t *row = json_pack("{ss?sIsssb}", "file", l->file, "line", (json_int_t)l->line,
		    "text", l->text != NULL ? l->text : "", "warning", l->warning);

		if (json_array_append_new(list, row) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int
print_json(const struct report *r, const struct check_counts *n)
{
	/* NULL among the values gives NULL. */
	json_t *data = json_pack("{sbsIsIso s{sisisisi}}", "ok", r->nerrors == 0, "errors",
	    (json_int_t)r->nerrors, "warnings", (json_int_t)r->nwarnings, "findings",
	    findings_json(r), "counts", "networks", (int)n->networks, "images", (int)n->images,
	    "zones", (int)n->zones, "units", (int)n->units);

	if (data == NULL)
		return cli_fail("the findings cannot be shown as JSON: out of memory, or a file "
		    "name is no UTF-8");
	cli_json(data, false);
	json_decref(data);
	return r->nerrors == 0 ? CLI_OK : CLI_FAILED;
}

/* "1 zone", "2 zones". */
static const char *
count(char text[32], unsigned n, const char *noun)
{
	snprintf(text, 32, "%u %s%s", n, noun, n == 1 ? "" : "s");
	return text;
}

static int
print_text(const struct cli *cli, const struct report *r, const struct check_counts *n)
{
	char line[2048], a[32], b[32], c[32], d[32], warned[48] = "";
	size_t left_out = report_errors_left_out(r);

	for (size_t i = 0; i < r->nlines; i++) {
		report_format(r, i, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	if (r->nwarnings > 0)
		snprintf(
		    warned, sizeof(warned), ", %s", count(a, (unsigned)r->nwarnings, "warning"));
	if (r->nerrors == 0) {
		if (cli->origin != NULL)
			printf("%s: zone %s is well, %s%s\n", cli->arg, cli->origin,
			    count(a, n->units, "mapping"), warned);
		else
			printf("%s is well: %s, %s, %s, %s%s\n", cli->arg,
			    count(a, n->zones, "zone"), count(b, n->units, "unit"),
			    count(c, n->images, "image"), count(d, n->networks, "network"), warned);
		return CLI_OK;
	}
	if (left_out > 0)
		return cli_fail("%s: %zu errors, of which the first %zu are shown", cli->arg,
		    r->nerrors, r->nerrors - left_out);
	return cli_fail("%s: %zu error%s", cli->arg, r->nerrors, r->nerrors == 1 ? "" : "s");
}

/* One zone by itself: what DNS asks of it; mappings cannot be judged without a configuration. */
static void
check_zone(const struct cli *cli, struct report *r, struct check_counts *n)
{
	struct dns_zimage *img = NULL;
	struct dns_zone_info info;
	struct errmsg m = { .text = "" };
	int fd = -1;
	enum err e = dns_compile_file(cli->origin, cli->arg, NULL, &fd, r);

	if (e == ERR_OK)
		e = dns_zimage_open(fd, &img, &m);
	if (e == ERR_OK)
		e = dns_zimage_zone(img, 0, &info, &m);
	if (e == ERR_OK) {
		n->zones = 1;
		n->units = info.units;
	} else if (r->nerrors == 0) {
		/* always ERR_PARSE */
		(void)report_add(r, cli->arg, 0, "%s", m.text[0] != '\0' ? m.text : err_str(e));
	}
	dns_zimage_close(img);
	if (fd >= 0)
		close(fd);
}

int
cli_check(const struct cli *cli)
{
	struct check_counts n = { 0, 0, 0, 0 };
	struct report r;
	enum err e = ERR_OK;
	int status;

	report_init(&r);
	r.wants_zone_warnings = true;
	if (cli->origin != NULL)
		check_zone(cli, &r, &n);
	else
		e = check_run(cli->arg, &r, &n);
	if (e != ERR_OK && r.nerrors == 0)
		(void)report_add(&r, cli->arg, 0, "%s", err_str(e));   /* always ERR_PARSE */
	status = cli->json ? print_json(&r, &n) : print_text(cli, &r, &n);
	report_clear(&r);
	return status;
}
