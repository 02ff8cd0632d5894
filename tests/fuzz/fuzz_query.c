/*
 * fuzz_query: a client's bytes through parser and answers; whatever comes out must be a message
 * that ldns reads.
 */
#include <ldns/packet.h>
#include <ldns/wire2host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/answer/lookup.h"
#include "dns/dns.h"
#include "fuzz_zone.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dns_zoneset *set;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct msg_binding row = { .nunits = FUZZ_UNITS };
	uint32_t numbers[FUZZ_UNITS] = { 7 };
	struct dns_zimage *map;
	struct errmsg m;
	int fd = fuzz_zone_compile(false);

	(void)argc;
	(void)argv;
	if (dns_zimage_open(fd, &map, &m) != ERR_OK ||
	    dns_zoneset_new(&map, 1, &row, 1, numbers, FUZZ_UNITS, &set, &m) != ERR_OK)
		abort();
	dns_zimage_close(map);
	close(fd);
	return 0;
}

/* A reply of the transport's size, the question in it, and nothing that ldns cannot read. */
static void
check_reply(const struct dns_query *q, const struct dns_reply *r, size_t limit)
{
	ldns_pkt *p = NULL;

	if (r->len < 12 || r->len > limit || (r->buf[2] & 0x80) == 0 ||
	    memcmp(r->buf, q->wire, 2) != 0)
		abort();
	if (ldns_wire2pkt(&p, r->buf, r->len) != LDNS_STATUS_OK)
		abort();
	ldns_pkt_free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	const struct dns_reply_conf conf = { .udp_payload = 1232, .nsid = "fuzz" };
	struct dns_probe probe;
	struct dns_query q;
	uint16_t rcode;

	if (size > DNS_MESSAGE_MAX)
		return 0;
	dns_probe_slot(set, data, size, &probe);
	dns_probe_node(&probe);
	for (int tcp = 0; tcp < 2; tcp++) {
		struct dns_reply r = { .buf = buf, .cap = tcp ? sizeof(buf) : conf.udp_payload };

		switch (dns_query_parse(data, size, &q, &rcode)) {
		case DNS_PARSED_OK:
			(void)dns_answer_build(set, &q, tcp, &conf, &r);   /* a unit or none */
			break;
		case DNS_PARSED_ERROR:
			dns_error_build(&q, tcp, rcode, (struct dns_ede){ 0, "fuzz" }, &conf, &r);
			break;
		case DNS_PARSED_DROP:
			continue;
		}
		check_reply(&q, &r, r.cap);
	}
	return 0;
}
