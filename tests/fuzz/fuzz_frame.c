/*
 * fuzz_frame: hostile frames, alone and against the probes of three units.
 *
 * The machine must not report readiness for a TCP or echo answer whose numbers were not sent; they
 * depend on the whole input here, so that the fuzzer cannot learn them.  What is reported comes in
 * order, and once.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/sentinel/frame.h"
#include "vm/sentinel/probe.h"
#include "vm/vm.h"

#define UNITS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	unsigned alive[UNITS], ready[UNITS], signs[UNITS];
	uint32_t seed;
};

static void
on_send(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	struct frame f;

	(void)arg;
	/* What we build, we can read. */
	if (network != 0 || !frame_parse(frame, len, &f) || f.kind == FRAME_OTHER)
		abort();
}

static void
on_report(void *arg, uint32_t unit, enum msg_type what, uint64_t seen_ns)
{
	struct told *t = arg;

	(void)seen_ns;
	if (unit >= UNITS)
		abort();
	if (what == MSG_ALIVE)
		t->alive[unit]++;
	else
		t->ready[unit]++;
	if (t->alive[unit] != 1 || t->ready[unit] > 1)
		abort();
}

static void
on_sign(void *arg, uint32_t unit, enum msg_sign what, const struct msg_addr *addr,
    const uint8_t *mac, uint64_t seen_ns)
{
	struct told *t = arg;

	(void)seen_ns;
	if (unit >= UNITS || what >= SIGN_COUNT || (t->signs[unit] & 1u << what) != 0 ||
	    t->ready[unit] != 0)
		abort();
	if ((addr != NULL) != (what == SIGN_OTHER_ADDRESS) ||
	    (mac != NULL) != (what == SIGN_OTHER_MAC))
		abort();
	t->signs[unit] |= 1u << what;
}

static uint32_t
on_random(void *arg)
{
	struct told *t = arg;

	t->seed = t->seed * 1664525 + 1013904223;
	return t->seed;
}

static void
probe(struct probe_set *set, uint32_t unit, enum msg_probe_kind kind, uint8_t family)
{
	struct msg m = { .type = MSG_PROBE, .unit = unit };

	m.probe.kind = kind;
	m.probe.port = 80;
	memcpy(m.probe.mac, "\x02\0\0\0\0\xaa", 6);
	m.probe.guest.family = m.probe.source.family = family;
	memcpy(m.probe.guest.bytes, "\x0a\x4d\0\x0a", 4);
	memcpy(m.probe.source.bytes, "\x0a\x4d\0\x01", 4);
	if (family == 6) {
		memcpy(m.probe.guest.bytes, "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a", 16);
		memcpy(m.probe.source.bytes, "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	}
	if (probe_start(set, &m, NS_PER_S, NULL) != ERR_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct probe_ops ops = { .send = on_send, .report = on_report, .sign = on_sign,
	    .random = on_random };
	struct told told = { .seed = 2166136261u };
	struct probe_set *set = probe_set_new(&ops, &told);
	uint64_t now_ns = NS_PER_S;

	for (size_t i = 0; i < size; i++)
		told.seed = (told.seed ^ data[i]) * 16777619u;
	if (set == NULL ||
	    probe_network_set(set, 0, (const uint8_t *)"\x02\0\0\0\0\x11", NULL) != ERR_OK)
		abort();
	probe(set, 0, PROBE_TCP, 4);
	probe(set, 1, PROBE_PING, 6);
	probe(set, 2, PROBE_ARP, 4);
	probe(set, 3, PROBE_ARP, 6);
	/* Two-byte lengths in front of frames. */
	while (size >= 2) {
		size_t len = (size_t)(data[0] << 8 | data[1]);

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		now_ns += NS_PER_MS;
		probe_frame(set, 0, data, len, now_ns);
		probe_tick(set, now_ns);
		data += len;
		size -= len;
	}
	if (told.ready[0] != 0 || told.ready[1] != 0)
		abort();
	probe_set_free(set);
	return 0;
}
