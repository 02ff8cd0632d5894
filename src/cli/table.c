/* table: aligned columns, and numbers as people write them. */
#include "src/cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define CELL 1280    /* an escaped error text */
#define COLUMNS 16
#define GAP 2

struct cli_table {
	const struct cli_column *columns;
	unsigned ncolumns;
	size_t width[COLUMNS];
	char *next[COLUMNS];       /* cells of the row that is being made; owned */
	char **cells;              /* rows that wait to be printed, ncolumns each; owned */
	size_t nrows;
	bool titled;
};

struct cli_table *
cli_table_new(const struct cli_column *columns)
{
	struct cli_table *t = mem_zero(1, sizeof(*t));

	t->columns = columns;
	while (t->ncolumns < COLUMNS && columns[t->ncolumns].title != NULL) {
		t->width[t->ncolumns] = strlen(columns[t->ncolumns].title);
		t->ncolumns++;
	}
	return t;
}

static void
rows_clear(struct cli_table *t)
{
	for (size_t i = 0; i < t->nrows * t->ncolumns; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->nrows = 0;
}

void
cli_table_free(struct cli_table *t)
{
	if (t == NULL)
		return;
	rows_clear(t);
	for (unsigned i = 0; i < t->ncolumns; i++)
		free(t->next[i]);
	free(t);
}

void
cli_table_cell(struct cli_table *t, unsigned column, const char *fmt, ...)
{
	char raw[CELL], text[CELL];
	va_list ap;

	if (column >= t->ncolumns)
		return;
	free(t->next[column]);
	t->next[column] = NULL;
	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_show(text, sizeof(text), raw, strlen(raw));
	if (text[0] != '\0')
		t->next[column] = mem_text(text);
}

void
cli_table_row(struct cli_table *t)
{
	t->cells = mem_resize(t->cells, (t->nrows + 1) * t->ncolumns, sizeof(*t->cells));
	for (unsigned i = 0; i < t->ncolumns; i++) {
		size_t len = t->next[i] != NULL ? strlen(t->next[i]) : 1;

		if (len > t->width[i])
			t->width[i] = len;
		t->cells[t->nrows * t->ncolumns + i] = t->next[i];
		t->next[i] = NULL;
	}
	t->nrows++;
}

/* Nothing is padded behind the last cell of a line. */
static void
line_print(const struct cli_table *t, FILE *f, char *const *cells)
{
	for (unsigned i = 0; i < t->ncolumns; i++) {
		const char *text = cells == NULL ? t->columns[i].title : cells[i];
		int width = (int)t->width[i];

		if (text == NULL)
			text = "-";
		if (t->columns[i].right)
			fprintf(f, "%*s", width, text);
		else if (i + 1 < t->ncolumns)
			fprintf(f, "%-*s", width, text);
		else
			fputs(text, f);
		if (i + 1 < t->ncolumns)
			fprintf(f, "%*s", GAP, "");
	}
	fputc('\n', f);
}

void
cli_table_print(struct cli_table *t, FILE *f)
{
	if (!t->titled)
		line_print(t, f, NULL);
	t->titled = true;
	for (size_t i = 0; i < t->nrows; i++)
		line_print(t, f, t->cells + i * t->ncolumns);
	rows_clear(t);
}

const char *
cli_text_ms(double ms, char text[CLI_TEXT])
{
	unsigned long long s = ms > 0 ? (unsigned long long)(ms / 1000) : 0;

	if (ms < 0)
		snprintf(text, CLI_TEXT, "-");
	else if (ms <= 0)
		snprintf(text, CLI_TEXT, "0 s");
	else if (ms < 10)
		snprintf(text, CLI_TEXT, "%.1f ms", ms);
	else if (ms < 1000)
		snprintf(text, CLI_TEXT, "%.0f ms", ms);
	else if (ms < 10000)
		snprintf(text, CLI_TEXT, "%.1f s", ms / 1000);
	else if (s < 60)
		snprintf(text, CLI_TEXT, "%llu s", s);
	else if (s < 3600)
		snprintf(text, CLI_TEXT, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, CLI_TEXT, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(text, CLI_TEXT, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return text;
}

const char *
cli_text_bytes(uint64_t bytes, char text[CLI_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	if (v == (double)(uint64_t)v)
		snprintf(text, CLI_TEXT, "%.0f %s", v, units[u]);
	else
		snprintf(text, CLI_TEXT, "%.1f %s", v, units[u]);
	return text;
}
