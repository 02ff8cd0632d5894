/*
 * fuzz_zimage: damaged zimages: what zimage_check accepts must be safe to answer from.
 *
 * The input is a list of edits of a good zimage, four bytes each: where (two bytes), how, and a
 * value; so that seeds do not age with the format.
 */
#include <sys/mman.h>

#include "base/memfd.h"
#include "dns/answer/lookup.h"
#include "fuzz_zone.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *zimage;
	size_t size;
} good[2];   /* with NSEC and with NSEC3 */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const void *map;
	struct errmsg m;

	(void)argc;
	(void)argv;
	for (int i = 0; i < 2; i++) {
		int fd = fuzz_zone_compile(i == 1);

		if (memfd_map_sealed(fd, &map, &good[i].size, &m) != ERR_OK)
			abort();
		good[i].zimage = map;
		close(fd);
	}
	return 0;
}

static void
edit(uint8_t *zimage, size_t good_size, const uint8_t *data, size_t size)
{
	for (; size >= 4; size -= 4, data += 4) {
		uint8_t *at = zimage + (data[0] << 8 | data[1]) % good_size;

		switch (data[2] % 4) {
		case 0:
			*at = data[3];
			break;
		case 1:
			*at ^= data[3];
			break;
		case 2:
			*at = (uint8_t)(*at + data[3]);
			break;
		default:
			memmove(at, zimage + data[3],
			    (size_t)(zimage + good_size - at) < 4 ? 1 : 4);
		}
	}
}

/* A set of the first zone alone, in this memory, so that a sanitizer sees its ends. */
static void
ask_all(const uint8_t *zimage)
{
	static const char *const labels[] = { "", "\1w", "\2ns", "\1a", "\1l", "\1q\1c", "\1q\1t",
	    "\1n\1t", "\1q\1d", "\1q\4self", "\1q\1g", "\1q\1s", "\2ns\1s", "\1q\2ns\1x", "\1x",
	    "\1q\1q" };
	static const uint16_t types[] = { 1, 2, 5, 6, 15, 28, 43, 46, 65, 255 };
	const struct dns_reply_conf conf = { .udp_payload = 512 };
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct dns_zone zone = { .head = zimage_zone(zimage, 0) };
	uint32_t slots[2] = { 1, 0 };
	uint32_t *numbers = calloc((size_t)zone.head->nunits + 1, sizeof(*numbers));
	struct dns_zoneset set = { .zones = &zone, .nzones = 1, .slots = slots, .nslots = 2,
	    .max_labels = 127, .numbers = numbers,
		.nnumbers = zone.head->nunits };
	struct dns_labels l;
	uint64_t h = 0;

	dns_name_labels(zone_origin(zone.head), &l);
	for (unsigned k = l.n; k-- > 0;)
		h = zhash_label(h, zone_origin(zone.head) + l.off[k]);
	slots[0] = 0;
	slots[zhash_slot(h, 2)] = 1;
	for (size_t i = 0; numbers != NULL &&
	    i < sizeof(labels) / sizeof(labels[0]) * sizeof(types) / sizeof(types[0]); i++) {
		const char *label = labels[i / (sizeof(types) / sizeof(types[0]))];
		uint8_t wire[300] = { 0, 0, 0, 0, 0, 1 };
		size_t at = 12 + strlen(label), len = at + zone.head->origin_len + 4;
		struct dns_reply r = { .buf = buf, .cap = sizeof(buf) };
		struct dns_probe probe;
		struct dns_query q;
		uint16_t rcode;

		memcpy(wire + 12, label, strlen(label));
		memcpy(wire + at, zone_origin(zone.head), zone.head->origin_len);
		wire[len - 3] = (uint8_t)types[i % (sizeof(types) / sizeof(types[0]))];
		wire[len - 1] = 1;
		dns_probe_slot(&set, wire, len, &probe);
		dns_probe_node(&probe);
		if (dns_query_parse(wire, len, &q, &rcode) != DNS_PARSED_OK)
			continue;
		for (int how = 0; how < 4; how++) {
			q.edns.present = q.edns.dnssec_ok = how % 2;
			/* only its safety is of interest */
			(void)dns_answer_build(&set, &q, how / 2, &conf, &r);
		}
	}
	free(numbers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int which = size % 4 == 1;
	size_t good_size = good[which].size;
	uint8_t *zimage = malloc(good_size);
	struct errmsg m;

	if (zimage == NULL)
		return 0;
	memcpy(zimage, good[which].zimage, good_size);
	edit(zimage, good_size, data, size);
	if (zimage_check(zimage, good_size, &m) == ERR_OK && zimage_zones(zimage) > 0)
		ask_all(zimage);
	free(zimage);
	return 0;
}
