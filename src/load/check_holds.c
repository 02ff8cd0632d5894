/*
 * check_holds: which claims of addresses would be refused, looked at without the daemon's loop: a
 * daemon that runs tells its table of holds, and the database of one that does not run is read.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "src/control/control.h"
#include "src/load/check_impl.h"
#include "src/load/claims.h"
#include "src/store/store.h"

/* The daemon's answer to `held`; NULL: there is no daemon, or none that says so. */
static json_t *
ask_daemon(const char *path)
{
	static const char question[] = "{\"v\":1,\"verb\":\"held\",\"all\":true}\n";
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = LIMIT_CHECK_ASK_S };
	char *line = NULL, *failure = NULL;
	json_t *data = NULL;
	size_t size = 0;
	bool event;
	FILE *f = NULL;
	ssize_t n;
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path) ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return NULL;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0 &&
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(question) - 1)
		f = fdopen(fd, "r");
	if (f != NULL && (n = getline(&line, &size, f)) > 0 &&
	    control_response_parse(line, (size_t)n, &data, &event, &failure, NULL) != ERR_OK) {
		json_decref(data);
		data = NULL;
	}
	free(line);
	free(failure);
	if (f != NULL)
		(void)fclose(f);   /* only read from */
	else
		close(fd);
	return data;
}

static void
add_rows(struct addresses *t, const json_t *rows)
{
	const json_t *j;
	size_t i;

	json_array_foreach(rows, i, j) {
		const char *text = json_string_value(json_object_get(j, "address"));
		const char *owner = json_string_value(json_object_get(j, "owner"));
		struct store_address_row row = { .owner = owner,
			.used = json_is_true(json_object_get(j, "handed_out")) };

		if (text == NULL || owner == NULL)
			continue;
		row.removed_at = json_integer_value(json_object_get(j, "removed"));
		snprintf(row.text, sizeof(row.text), "%s", text);
		addresses_add(t, &row);
	}
}

static void
judge(struct addresses *t, const struct config *conf, const struct mapping_set *set,
    struct report *r)
{
	struct claims c = { .conf = conf, .set = set, .r = r };
	uint64_t now_s = (uint64_t)time(NULL);

	addresses_sort(t, now_s);
	claims_make(&c);
	addresses_judge(t, c.list, c.n, now_s, &c.names);
	claims_clear(&c);
}

void
check_holds(const struct config *conf, const struct mapping_set *set, struct report *r)
{
	struct addresses *t = addresses_new(conf->address_hold_ms / 1000, NULL, NULL);
	char path[PATH_MAX];
	struct errmsg m;
	json_t *rows;
	enum err e = ERR_OK;

	snprintf(path, sizeof(path), "%s/jitsu.db", conf->state);
	rows = ask_daemon(conf->control);
	if (rows != NULL)
		add_rows(t, rows);
	else if (access(path, F_OK) == 0 || errno != ENOENT)
		e = store_db_addresses_peek(path, t, &m);
	json_decref(rows);
	if (e == ERR_OK)
		judge(t, conf, set, r);
	else
		report_warn(r, conf->path, 0,
		    "addresses that are held for others were not looked at: %s", m.text);
	addresses_free(t);
}
