/*
 * table: what `jitsu` prints for people, from the JSON that the daemon answers with (control.h).
 * Pure: JSON in, text to a stream.
 *
 * Columns are as wide as their widest cell; numbers are aligned to the right; `-` stands for
 * nothing.  Everything that came from outside is escaped, so that no guest's console writes to the
 * reader's terminal.
 */
#ifndef SRC_CLI_TABLE_H
#define SRC_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct cli_column {
	const char *title;
	bool right;
};

struct cli_table;

/* `columns` ends with a NULL title and must outlive the table. */
struct cli_table *cli_table_new(const struct cli_column *columns);
void cli_table_free(struct cli_table *t);   /* NULL is allowed */
/* Sets a cell of the row that is being made, escaped and cut; empty or NULL text shows as `-`. */
void cli_table_cell(struct cli_table *t, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void cli_table_row(struct cli_table *t);

/*
 * Prints the rows made since the last call, with the titles before the first ones of all.  Columns
 * keep the width they had, or grow: for rows that come one by one.
 */
void cli_table_print(struct cli_table *t, FILE *f);

#define CLI_TEXT 64

/* "35 ms", "1.2 s", "4m05s", "3h20m", "2d04h"; "-" for a negative number. */
const char *cli_text_ms(double ms, char text[CLI_TEXT]);
/* "16 MiB", "1.5 GiB", "512 B". */
const char *cli_text_bytes(uint64_t bytes, char text[CLI_TEXT]);

/* ---- the answers of verbs ---- */

/* false when `data` is not what this verb answers with: the daemon is another version. */
bool cli_print_list(FILE *f, const json_t *data);
bool cli_print_show(FILE *f, const json_t *data);
bool cli_print_why(FILE *f, const json_t *data);
bool cli_print_aside(FILE *f, const json_t *data);
bool cli_print_destroy(FILE *f, const json_t *data);
bool cli_print_held(FILE *f, const json_t *data);
bool cli_print_release(FILE *f, const json_t *data);
bool cli_print_wake(FILE *f, const json_t *data);
bool cli_print_console(FILE *f, const json_t *data);
bool cli_print_reload(FILE *f, const json_t *data);
bool cli_print_status(FILE *f, const json_t *data);
/* An events table, for cli_events_print. */
struct cli_table *cli_events_new(void);
/* Prints one event (an object) or many (an array). */
bool cli_events_print(struct cli_table *t, FILE *f, const json_t *data);

#endif
