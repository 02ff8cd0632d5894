/*
 * zone_fixture: a zone from text, compiled and bound, and answers from it as text, read back by
 * ldns.
 */
#ifndef TESTS_ZONE_FIXTURE_H
#define TESTS_ZONE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ldns/dname.h>
#include <ldns/packet.h>
#include <ldns/rr.h>
#include <ldns/wire2host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/dns.h"
#include "dns/zimage/rdata.h"
#include "tests/unit/base/files.h"

/* ldns/host2str.h brings OpenSSL's names with it, which collide with ours. */
extern char *ldns_rr2str(const ldns_rr *rr);

struct fixture {
	char dir[64];
	struct dns_zimage *maps[4];
	struct msg_binding rows[4];
	unsigned n;
	uint32_t numbers[16];
	struct dns_zoneset *set;
};

static inline void
fixture_write(const char *dir, const char *name, const char *text, char path[128])
{
	snprintf(path, 128, "%s/%s", dir, name);
	file_put(path, text);
}

static inline void
fixture_dir(char dir[64])
{
	snprintf(dir, 64, "/tmp/jitsu-zone-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

/*
 * Compiles zone text; -1 when it fails.  The findings, one per line and without the directory, are
 * in `found`, with `warnings` those, too.
 */
static inline int
fixture_check(const char *origin, const char *text, const char *units, bool warnings, char *found,
    size_t size)
{
	char dir[64], path[128], upath[128], line[1400];
	struct report r;
	int fd = -1;

	fixture_dir(dir);
	fixture_write(dir, "zone", text, path);
	if (units != NULL)
		fixture_write(dir, "units", units, upath);
	report_init(&r);
	r.wants_zone_warnings = warnings;
	(void)dns_compile_file(origin, path, units != NULL ? upath : NULL, &fd, &r);
	found[0] = '\0';
	for (size_t i = 0, used = 0; i < r.nlines && used < size; i++) {
		report_format(&r, i, line, sizeof(line));
		used += (size_t)snprintf(found + used, size - used, "%s\n",
		    strncmp(line, dir, strlen(dir)) == 0 ? line + strlen(dir) + 1 : line);
	}
	assert_int_equal(fd < 0, r.nerrors > 0);
	report_clear(&r);
	unlink(path);
	if (units != NULL)
		unlink(upath);
	rmdir(dir);
	return fd;
}

static inline int
fixture_compile(const char *origin, const char *text, const char *units, char *found, size_t size)
{
	return fixture_check(origin, text, units, false, found, size);
}

/* Binds one more zone; its units get the numbers 100, 101, ... */
static inline void
fixture_add(struct fixture *f, const char *origin, const char *text)
{
	char found[4096];
	int fd = fixture_compile(origin, text, NULL, found, sizeof(found));
	struct dns_zone_info info;
	struct dns_zimage *zimage;
	struct errmsg m;

	if (fd < 0)
		fail_msg("%s: %s", origin, found);
	assert_int_equal(dns_zimage_open(fd, &zimage, &m), ERR_OK);
	assert_int_equal(dns_zimage_zone(zimage, 0, &info, &m), ERR_OK);
	dns_zimage_close(zimage);
	assert_int_equal(dns_zimage_open(fd, &f->maps[f->n], &m), ERR_OK);
	close(fd);
	f->rows[f->n] = (struct msg_binding){ .zimage = f->n, .nunits = info.units };
	f->n++;
	dns_zoneset_free(f->set);
	for (uint32_t i = 0; i < 16; i++)
		f->numbers[i] = 100 + i;
	assert_int_equal(dns_zoneset_new(f->maps, f->n, f->rows, f->n, f->numbers, 16, &f->set, &m),
	    ERR_OK);
}

static inline void
fixture_clear(struct fixture *f)
{
	dns_zoneset_free(f->set);
	for (unsigned i = 0; i < f->n; i++)
		dns_zimage_close(f->maps[i]);
	memset(f, 0, sizeof(*f));
}

static inline size_t
fixture_query(uint8_t *wire, const char *name, uint16_t type)
{
	ldns_rdf *n = ldns_dname_new_frm_str(name);
	size_t len;

	assert_non_null(n);
	memset(wire, 0, 12);
	wire[0] = 0x12;
	wire[1] = 0x34;
	wire[2] = 1;
	wire[5] = 1;
	len = 12 + ldns_rdf_size(n);
	memcpy(wire + 12, ldns_rdf_data(n), ldns_rdf_size(n));
	ldns_rdf_deep_free(n);
	dns_put16(wire + len, type);
	dns_put16(wire + len + 2, 1);
	return len + 4;
}

static inline size_t
fixture_put_section(char *text, size_t used, size_t size, const char *label,
    const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *rr = ldns_rr2str(ldns_rr_list_rr(list, i));

		for (char *p = rr; *p != '\0'; p++)
			if (*p == '\t')
				*p = ' ';
		used += (size_t)snprintf(text + used, size - used, "%s %s", label, rr);
		free(rr);
	}
	return used;
}

/* A reply as text: "NOERROR aa tc\n", then "an RR\n", "ns RR\n", "ar RR\n" as they come. */
static inline void
fixture_text(const uint8_t *wire, size_t len, char *text, size_t size)
{
	static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
		"NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH" };
	ldns_pkt *p = NULL;
	size_t used;

	assert_int_equal(ldns_wire2pkt(&p, wire, len), LDNS_STATUS_OK);
	assert_true(ldns_pkt_get_rcode(p) < sizeof(rcodes) / sizeof(rcodes[0]));
	used = (size_t)snprintf(text, size, "%s%s%s\n", rcodes[ldns_pkt_get_rcode(p)],
	    ldns_pkt_aa(p) ? " aa" : "", ldns_pkt_tc(p) ? " tc" : "");
	used = fixture_put_section(text, used, size, "an", ldns_pkt_answer(p));
	used = fixture_put_section(text, used, size, "ns", ldns_pkt_authority(p));
	(void)fixture_put_section(text, used, size, "ar", ldns_pkt_additional(p));
	ldns_pkt_free(p);
}

/* Builds the answer to a parsed query and compares; returns the unit. */
static inline uint32_t
fixture_answer(struct fixture *f, bool tcp, const struct dns_query *q, const char *nsid,
    const char *expected)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	const struct dns_reply_conf conf = { .udp_payload = 1232, .nsid = nsid };
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	char text[65536];
	uint32_t unit = dns_answer_build(f->set, q, tcp, &conf, &r);

	fixture_text(buf, r.len, text, sizeof(text));
	if (expected != NULL)
		assert_string_equal(text, expected);
	return unit;
}

/* Asks over UDP (or TCP), perhaps with DO, and compares; returns the unit. */
static inline uint32_t
fixture_ask_with(struct fixture *f, bool tcp, bool dnssec_ok, const char *name, uint16_t type,
    const char *expected)
{
	uint8_t wire[300];
	struct dns_query q;
	uint16_t rcode;
	size_t len = fixture_query(wire, name, type);

	assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
	q.edns.dnssec_ok = dnssec_ok;
	return fixture_answer(f, tcp, &q, NULL, expected);
}

static inline uint32_t
fixture_ask(struct fixture *f, bool tcp, const char *name, uint16_t type, const char *expected)
{
	return fixture_ask_with(f, tcp, false, name, type, expected);
}

#endif
