/* format_test: damaged zimages are refused, or at least harmless. */
#include <sys/mman.h>

#include "base/memfd.h"
#include "dns/answer/lookup.h"
#include "dns/dns.h"
#include "tests/unit/dns/zone_fixture.h"

static const char zone_text[] =
    "$TTL 60\n@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.1\nns NSEC www A\nwww A 10.0.0.2\n"
    "www AAAA fd00::2\nwww MX 1 ns\n"
    "alias CNAME www\nold DNAME new\nsub NS ns.sub\nns.sub A 10.0.0.3\n*.w TXT x\n";

static const char *const names[] = {
	"example.test", "ns.example.test", "www.example.test", "alias.example.test",
	"x.old.example.test", "x.sub.example.test",
	"ns.sub.example.test", "a.b.w.example.test", "none.example.test", "example.test",
};

struct zimage {
	uint8_t *bytes;            /* a copy */
	size_t size;
};

static void
zimage_make(struct zimage *zimage)
{
	char found[1024];
	int fd = fixture_compile("example.test", zone_text, "_jitsu.www TXT k=v\n", found,
	    sizeof(found));
	const void *map;
	struct errmsg m;

	assert_true(fd >= 0);
	assert_int_equal(memfd_map_sealed(fd, &map, &zimage->size, &m), ERR_OK);
	close(fd);
	zimage->bytes = malloc(zimage->size);
	memcpy(zimage->bytes, map, zimage->size);
	munmap((void *)(uintptr_t)map, zimage->size);
}

/* Opens a copy of exactly `size` bytes as a sealed file. */
static enum err
open_copy(const uint8_t *bytes, size_t size, struct dns_zimage **map, struct errmsg *m)
{
	enum err e;
	int fd = -1;

	assert_int_equal(memfd_create_open("test", &fd, m), ERR_OK);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(memfd_seal_all(fd, m), ERR_OK);
	e = dns_zimage_open(fd, map, m);
	close(fd);
	return e;
}

static void
ask_all(struct dns_zimage *map)
{
	struct msg_binding row = { 0 };
	struct fixture f = { .n = 0 };
	struct errmsg m;
	static uint8_t buf[DNS_MESSAGE_MAX];
	static const uint16_t types[] = { DNS_T_A, DNS_T_AAAA, DNS_T_MX, DNS_T_SOA, DNS_T_NS,
		DNS_T_ANY, DNS_T_DS, DNS_T_RRSIG };
	struct dns_reply_conf conf = { .udp_payload = 1232 };
	struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
	struct dns_query q;
	uint8_t wire[300];
	uint16_t rcode;

	if (dns_zoneset_new(&map, 1, &row, 1, NULL, 0, &f.set, &m) != ERR_OK)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			size_t len = fixture_query(wire, names[i], types[t]);

			assert_int_equal(dns_query_parse(wire, len, &q, &rcode), DNS_PARSED_OK);
			(void)dns_answer_build(f.set, &q, t % 2 == 0, &conf, &r);
			assert_true(r.len >= 12);
		}
	dns_zoneset_free(f.set);
}

static void
whole(void **state)
{
	struct dns_zimage *map;
	struct zimage zimage;
	struct errmsg m;

	(void)state;
	zimage_make(&zimage);
	assert_int_equal(open_copy(zimage.bytes, zimage.size, &map, &m), ERR_OK);
	ask_all(map);
	dns_zimage_close(map);
	free(zimage.bytes);
}

static void
cut(void **state)
{
	struct dns_zimage *map;
	struct zimage zimage;
	struct errmsg m;

	(void)state;
	zimage_make(&zimage);
	for (size_t size = 1; size < zimage.size; size += 7)
		assert_int_equal(open_copy(zimage.bytes, size, &map, &m), ERR_PROTO);
	zimage.bytes[8]++;
	assert_int_equal(open_copy(zimage.bytes, zimage.size, &map, &m), ERR_PROTO);
	assert_non_null(strstr(m.text, "version 3, this program reads 2"));
	free(zimage.bytes);
}

/* Every byte changed, in three ways: refused, or answers come out of it all the same. */
static void
damaged(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	unsigned refused = 0, accepted = 0;
	struct dns_zimage *map;
	struct zimage zimage;
	struct errmsg m;

	(void)state;
	zimage_make(&zimage);
	for (size_t i = 0; i < zimage.size; i++)
		for (unsigned c = 0; c < 3; c++) {
			zimage.bytes[i] ^= changes[c];
			if (open_copy(zimage.bytes, zimage.size, &map, &m) == ERR_OK) {
				ask_all(map);
				dns_zimage_close(map);
				accepted++;
			} else {
				refused++;
			}
			zimage.bytes[i] ^= changes[c];
		}
	assert_true(refused > 1000 && accepted > 100);
	free(zimage.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whole), cmocka_unit_test(cut),
		cmocka_unit_test(damaged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
