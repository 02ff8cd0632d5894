/*
 * fuzz_park: hostile frames, messages and time, against units that sleep, wake, and are given what
 * was kept.
 *
 * Whatever comes: a guest is given no frame that did not come for it, byte by byte; what the
 * sentinel says for a unit has its MAC and can be read; the warden hears of a wake once, and of its
 * end once; memory stays within its bounds, and all is given back.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "vm/sentinel/frame.h"
#include "vm/sentinel/park.h"

#define UNITS 4              /* numbers 1 to 3 */
#define FED_MOST 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fed {
	const uint8_t *bytes;      /* behind the header */
	size_t len;
};

struct world {
	struct park_set *set;
	struct fed fed[FED_MOST];
	size_t nfed;
	bool asked[UNITS], linked[UNITS], awake[UNITS];
	uint32_t seed;
};

static void
mac_of(uint8_t mac[6], uint32_t unit)
{
	memcpy(mac, "\x02\0\0\0\0\xa9", 6);
	mac[5] = (uint8_t)(mac[5] + unit);
}

static void
on_port(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	struct frame f;

	(void)arg;
	if (network != 0 || !frame_parse(frame, len, &f) || f.kind == FRAME_OTHER)
		abort();
	if (memcmp(f.src_mac, "\x02\0\0\0\0", 5) != 0 || f.src_mac[5] < 0xaa || f.src_mac[5] > 0xac)
		abort();
	/* Only questions and announcements go to all. */
	if ((f.dst_mac[0] & 1) != 0 && f.kind != FRAME_ARP && f.kind != FRAME_SOLICIT &&
	    f.kind != FRAME_ADVERT)
		abort();
}

static void
on_give(void *arg, uint32_t unit, const uint8_t *frame, size_t len)
{
	const struct world *w = arg;
	struct virtio_net_hdr h;
	uint8_t mac[6];
	struct frame f;

	if (unit == 0 || unit >= UNITS || !w->linked[unit] || len < PARK_HEADER)
		abort();
	memcpy(&h, frame, sizeof(h));
	frame += PARK_HEADER;
	len -= PARK_HEADER;
	mac_of(mac, unit);
	if (!frame_parse(frame, len, &f) || f.kind == FRAME_OTHER || f.kind == FRAME_ARP ||
	    memcmp(f.dst_mac, mac, 6) != 0 || memcmp(f.src_mac, mac, 6) == 0)
		abort();
	if (h.flags > 1 || (h.flags != 0 && h.csum_start != f.upper_at) ||
	    (h.gso_type == 0 && len > 1514))
		abort();
	for (size_t i = 0; i < w->nfed; i++)
		if (w->fed[i].len == len && memcmp(w->fed[i].bytes, frame, len) == 0)
			return;
	abort();
}

static void
on_unlink(void *arg, uint32_t unit)
{
	struct world *w = arg;

	if (unit == 0 || unit >= UNITS || !w->linked[unit])
		abort();
	w->linked[unit] = false;
}

static void
on_tell(void *arg, const struct msg *m)
{
	struct world *w = arg;

	if (m->unit == 0 || m->unit >= UNITS)
		abort();
	switch (m->type) {
	case MSG_KNOCK:
		if (w->asked[m->unit] || w->linked[m->unit])
			abort();
		w->asked[m->unit] = true;
		break;
	case MSG_SETTLED:
		if (!w->awake[m->unit])
			abort();
		w->awake[m->unit] = false;
		break;
	case MSG_CONFLICT:
		if (m->conflict.addr.family == 0)
			abort();
		break;
	default:
		abort();
	}
}

static uint32_t
on_random(void *arg)
{
	struct world *w = arg;

	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed;
}

static void
unit_park(struct world *w, uint32_t unit, uint32_t flags, uint64_t now_ns)
{
	struct msg m = { .type = MSG_PARK, .unit = unit, .park = { .flags = flags } };

	mac_of(m.park.mac, unit);
	m.park.addr[0] = (struct msg_addr){ .family = 4,
	    .bytes = { 10, 77, 0, (uint8_t)(9 + unit) } };
	m.park.addr[1] = (struct msg_addr){ .family = 6,
	    .bytes = { 0xfd, 0x77, [15] = (uint8_t)(9 + unit) } };
	if (unit == 2) {
		m.park.non = 2;
		m.park.on[0] = (struct msg_wake_on){ .proto = 6, .port = 80 };
		m.park.on[1] = (struct msg_wake_on){ .proto = 1 };
		m.park.passive_accepts = 1;
		m.park.npassive = 1;
		m.park.passive[0] = (struct msg_addr){ .family = 4, .prefixlen = 29,
		    .bytes = { 10, 77, 0, 0 } };
	}
	w->asked[unit] = false;
	if (park_put(w->set, &m, now_ns, NULL) != ERR_OK)
		abort();
}

/* A message of the warden: the unit in two bits, what in the others. */
static void
message(struct world *w, uint8_t byte, uint64_t now_ns)
{
	uint32_t unit = byte & 3;

	if (unit == 0)
		return;
	switch (byte >> 2 & 7) {
	case 0:
		/* before: what is given at once goes by it */
		w->linked[unit] = park_network(w->set, unit) != LIMIT_NETWORKS;
		if (park_link(w->set, unit, now_ns) != w->linked[unit])
			abort();
		break;
	case 1:
		w->awake[unit] = true;
		park_awake(w->set, unit, now_ns);
		break;
	case 2:
		w->asked[unit] = false;
		park_drop(w->set, unit, now_ns);
		break;
	case 3:
		park_remove(w->set, unit);
		w->asked[unit] = false;
		break;
	default:
		unit_park(w, unit, byte >> 5, now_ns);
		break;
	}
}

static void
check(const struct world *w)
{
	struct park_figures f = park_figures(w->set);

	if (f.units > UNITS - 1 || f.timed > f.units || f.held > f.units * LIMIT_HELD_FRAMES ||
	    f.held_bytes > f.units * LIMIT_HELD_UNIT_BYTES || (f.held == 0) != (f.held_bytes == 0))
		abort();
}

/*
 * Each is three bytes: what, and of a frame its length with the header, behind which it stands; or
 * the time that passes, and a message.
 */
static void
happens(struct world *w, const uint8_t *data, size_t size)
{
	uint64_t now_ns = 1000 * NS_PER_S;

	while (size >= 3 && w->nfed < FED_MOST) {
		uint8_t what = data[0] & 3, unit = data[0] >> 2 & 3;
		size_t len = (size_t)(data[1] << 8 | data[2]);
		uint8_t *copy;

		data += 3;
		size -= 3;
		if (what == 3) {
			message(w, (uint8_t)len, now_ns);
			now_ns += (uint64_t)(len >> 8) * (len >> 8) * NS_PER_MS;
			park_tick(w->set, now_ns);
			if (park_next_ns(w->set) != 0 && park_next_ns(w->set) <= now_ns)
				abort();
			check(w);
			continue;
		}
		if (len > size)
			len = size;
		copy = malloc(len > 0 ? len : 1);
		if (copy == NULL)
			abort();
		memcpy(copy, data, len);
		if (len > PARK_HEADER)
			w->fed[w->nfed++] = (struct fed){ data + PARK_HEADER, len - PARK_HEADER };
		if (what == 0)
			park_port_frame(w->set, 0, copy, len, now_ns);
		else
			park_link_frame(w->set, unit, what == 1, copy, len, now_ns);
		free(copy);
		check(w);
		data += len;
		size -= len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct park_ops ops = { .port = on_port, .give = on_give,
	    .unlink = on_unlink, .tell = on_tell, .random = on_random };
	static struct world w;
	struct park_figures f;

	memset(&w, 0, sizeof(w));
	w.seed = 2166136261u;
	for (size_t i = 0; i < size; i++)
		w.seed = (w.seed ^ data[i]) * 16777619u;
	w.set = park_set_new(&ops, &w);
	unit_park(&w, 1, MSG_PARK_OWNED, 1000 * NS_PER_S);
	unit_park(&w, 2, MSG_PARK_OWNED, 1000 * NS_PER_S);
	unit_park(&w, 3, MSG_PARK_MEMORY, 1000 * NS_PER_S);
	happens(&w, data, size);
	for (uint32_t unit = 1; unit < UNITS; unit++)
		park_remove(w.set, unit);
	f = park_figures(w.set);
	if (f.units != 0 || f.held != 0 || f.held_bytes != 0 || f.timed != 0)
		abort();
	park_set_free(w.set);
	return 0;
}
