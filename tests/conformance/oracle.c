/*
 * oracle: answers without a server: compiles the zones of a list into one set, then answers queries
 * from a pipe.
 *
 *     oracle zones.tsv     lines of origin <tab> file
 *
 * Queries and replies are framed as over TCP: two bytes of length, big end first.  A query of no
 * bytes ends it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/zimage/rdata.h"
#include "dns/dns.h"
#include "dns/zone/zcompile.h"

#define UDP_PAYLOAD 1232

static void
load(const char *list, struct zout *o)
{
	FILE *f = fopen(list, "r");
	struct report r;
	char line[4096], text[1400];
	unsigned failed = 0;

	if (f == NULL) {
		perror(list);
		exit(2);
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		struct zcompile c = { .origin = strtok(line, "\t"), .path = strtok(NULL, "\n"),
		    .units_fd = -1, .index = o->nzones };

		report_init(&r);
		c.fd = open(c.path, O_RDONLY | O_CLOEXEC);
		if (c.fd < 0 || zcompile_zone(&c, o, &r) != ERR_OK)
			failed++;
		for (size_t i = 0; i < r.nlines; i++) {
			report_format(&r, i, text, sizeof(text));
			fprintf(stderr, "%s\n", text);
		}
		if (c.fd >= 0)
			close(c.fd);
		report_clear(&r);
	}
	fclose(f);
	fprintf(stderr, "%u zones loaded, %u failed\n", o->nzones, failed);
}

static struct dns_zoneset *
bind_all(struct zout *o)
{
	struct msg_binding *rows = calloc(o->nzones + 1u, sizeof(*rows));
	uint32_t n = o->nzones, numbers[1] = { MSG_UNIT_NONE };
	struct dns_zimage *map = NULL;
	struct dns_zoneset *set = NULL;
	struct errmsg m = { "" };
	int fd = -1;

	for (uint32_t i = 0; rows != NULL && i < n; i++)
		rows[i].zone = i;
	if (rows == NULL || zout_finish(o, &fd, &m) != ERR_OK ||
	    dns_zimage_open(fd, &map, &m) != ERR_OK ||
	    dns_zoneset_new(&map, 1, rows, n, numbers, 0, &set, &m) != ERR_OK) {
		fprintf(stderr, "%s\n", m.text);
		exit(2);
	}
	free(rows);
	close(fd);
	dns_zimage_close(map);
	return set;
}

static void
answer(const struct dns_zoneset *set, const uint8_t *wire, size_t len, uint8_t *buf)
{
	struct dns_reply_conf conf = { .udp_payload = UDP_PAYLOAD };
	struct dns_reply r = { .buf = buf + 2, .cap = DNS_MESSAGE_MAX };
	struct dns_query q;
	uint16_t rcode;

	switch (dns_query_parse(wire, len, &q, &rcode)) {
	case DNS_PARSED_OK:
		(void)dns_answer_build(set, &q, true, &conf, &r);   /* no units here */
		break;
	case DNS_PARSED_ERROR:
		dns_error_build(&q, true, rcode, (struct dns_ede){ .code = -1 }, &conf, &r);
		break;
	case DNS_PARSED_DROP:
		r.len = 0;
	}
	dns_put16(buf, (uint16_t)r.len);
	(void)fwrite(buf, 1, r.len + 2, stdout);   /* a reader that is gone shows in fflush */
}

int
main(int argc, char **argv)
{
	static uint8_t wire[DNS_MESSAGE_MAX], buf[DNS_MESSAGE_MAX + 2];
	struct dns_zoneset *set;
	struct errmsg m;
	struct zout o;
	uint8_t head[2];

	if (argc != 2 || zout_open(&o, &m) != ERR_OK)
		return 2;
	load(argv[1], &o);
	set = bind_all(&o);
	while (fread(head, 1, 2, stdin) == 2 && dns_get16(head) > 0) {
		if (fread(wire, 1, dns_get16(head), stdin) != dns_get16(head))
			break;
		answer(set, wire, dns_get16(head), buf);
	}
	dns_zoneset_free(set);
	return fflush(stdout) != 0;
}
