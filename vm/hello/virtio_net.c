/* virtio_net.c: the first network card in microvm's virtio-mmio window (virtio 1.1, no offloads) */
#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"
#include "vm/hello/limits.h"
#include "vm/hello/mem.h"
#include "vm/hello/microvm.h"

#define MMIO_BASE   0xfeb00000u
#define MMIO_STRIDE 512
#define MMIO_SLOTS  24
#define MMIO_MAGIC  0x74726976u

enum mmio_register {
	MMIO_MAGIC_VALUE = 0x00, MMIO_VERSION = 0x04, MMIO_DEVICE_ID = 0x08,
	MMIO_DEVICE_FEATURES = 0x10, MMIO_DEVICE_FEATURES_SEL = 0x14,
	MMIO_DRIVER_FEATURES = 0x20, MMIO_DRIVER_FEATURES_SEL = 0x24,
	MMIO_QUEUE_SEL = 0x30, MMIO_QUEUE_NUM_MAX = 0x34, MMIO_QUEUE_NUM = 0x38,
	MMIO_QUEUE_READY = 0x44, MMIO_QUEUE_NOTIFY = 0x50,
	MMIO_INTERRUPT_ACK = 0x64, MMIO_STATUS = 0x70,
	MMIO_QUEUE_DESC = 0x80, MMIO_QUEUE_AVAIL = 0x90, MMIO_QUEUE_USED = 0xa0,
	MMIO_CONFIG = 0x100
};

#define DEVICE_NET         1
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define FEATURE_MAC        (1u << 5)
#define FEATURE_VERSION_1  (1u << 0) /* of the upper 32 */
#define INTERRUPT_ALL      3

#define DESC_WRITE         2
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1
#define HEADER_BYTES       12 /* all zero without offloads */
#define SLOT_BYTES         1536

_Static_assert(HEADER_BYTES + LIMIT_FRAME_BYTES <= SLOT_BYTES, "a slot takes header and frame");

enum queue_index { QUEUE_RX, QUEUE_TX, QUEUES };

struct desc {
	uint64_t address;
	uint32_t len;
	uint16_t flags, next;
};

/* Ring formats of virtio 1.1 sections 2.6.5 to 2.6.8; `seen` is ours. */
struct queue {
	struct desc desc[LIMIT_QUEUE_SLOTS];
	struct {
		uint16_t flags;
		volatile uint16_t idx;
		uint16_t ring[LIMIT_QUEUE_SLOTS];
	} avail;
	struct {
		volatile uint16_t flags;
		volatile uint16_t idx;
		struct {
			uint32_t id, len;
		} ring[LIMIT_QUEUE_SLOTS];
	} used __attribute__((aligned(4)));
	uint16_t seen; /* of used.idx */
	bool to_notify;
};

static struct queue queues[QUEUES] __attribute__((aligned(16)));
static uint8_t buffers[QUEUES][LIMIT_QUEUE_SLOTS][SLOT_BYTES] CPU_NOINIT;
static uintptr_t device;

static uint32_t
reg_read(enum mmio_register reg)
{
	return cpu_read32(device + reg);
}

static void
reg_write(enum mmio_register reg, uint32_t v)
{
	cpu_write32(device + reg, v);
}

/* The slot of the first card; MMIO_SLOTS without one. */
static unsigned
find_slot(void)
{
	unsigned slot;

	for (slot = 0; slot < MMIO_SLOTS; slot++) {
		device = MMIO_BASE + slot * MMIO_STRIDE;
		if (reg_read(MMIO_MAGIC_VALUE) == MMIO_MAGIC &&
		    reg_read(MMIO_DEVICE_ID) == DEVICE_NET)
			break;
	}
	return slot;
}

static bool
negotiate(void)
{
	bool has_mac;

	reg_write(MMIO_STATUS, 0);
	reg_write(MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	reg_write(MMIO_DEVICE_FEATURES_SEL, 0);
	has_mac = reg_read(MMIO_DEVICE_FEATURES) & FEATURE_MAC;
	reg_write(MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(MMIO_DRIVER_FEATURES, FEATURE_MAC);
	reg_write(MMIO_DRIVER_FEATURES_SEL, 1);
	reg_write(MMIO_DRIVER_FEATURES, FEATURE_VERSION_1);
	reg_write(MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return has_mac && (reg_read(MMIO_STATUS) & STATUS_FEATURES_OK);
}

static void
address_write(enum mmio_register reg, const volatile void *at)
{
	reg_write(reg, (uint32_t)(uintptr_t)at);
	reg_write(reg + 4, 0);
}

static bool
queue_start(enum queue_index index)
{
	struct queue *q = &queues[index];

	for (unsigned i = 0; i < LIMIT_QUEUE_SLOTS; i++) {
		q->desc[i].address = (uintptr_t)buffers[index][i];
		q->desc[i].len = SLOT_BYTES;
		q->desc[i].flags = index == QUEUE_RX ? DESC_WRITE : 0;
		q->avail.ring[i] = (uint16_t)i;
	}
	if (index == QUEUE_RX)
		q->avail.idx = LIMIT_QUEUE_SLOTS;
	else
		q->avail.flags = AVAIL_NO_INTERRUPT;
	reg_write(MMIO_QUEUE_SEL, index);
	if (reg_read(MMIO_QUEUE_NUM_MAX) < LIMIT_QUEUE_SLOTS)
		return false;
	reg_write(MMIO_QUEUE_NUM, LIMIT_QUEUE_SLOTS);
	address_write(MMIO_QUEUE_DESC, q->desc);
	address_write(MMIO_QUEUE_AVAIL, &q->avail);
	address_write(MMIO_QUEUE_USED, &q->used);
	reg_write(MMIO_QUEUE_READY, 1);
	return true;
}

const char *
virtio_net_start(uint8_t mac[MAC_BYTES])
{
	unsigned slot = find_slot();

	if (slot == MMIO_SLOTS)
		return "no network: found no virtio-mmio network card";
	if (reg_read(MMIO_VERSION) != 2)
		return "no network: the card is legacy, QEMU needs -global "
		    "virtio-mmio.force-legacy=off";
	if (!negotiate())
		return "no network: the card does not accept virtio 1 with a MAC";
	if (!queue_start(QUEUE_RX) || !queue_start(QUEUE_TX))
		return "no network: the card's queues are too short";
	irq_route_slot(slot);
	for (unsigned i = 0; i < MAC_BYTES; i++)
		mac[i] = cpu_read8(device + MMIO_CONFIG + i);
	reg_write(MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK |
	    STATUS_DRIVER_OK);
	reg_write(MMIO_QUEUE_NOTIFY, QUEUE_RX);
	return NULL;
}

bool
virtio_net_attend(void)
{
	reg_write(MMIO_INTERRUPT_ACK, INTERRUPT_ALL);
	return false;
}

static bool
has_frame(void)
{
	return queues[QUEUE_RX].seen != queues[QUEUE_RX].used.idx;
}

static const uint8_t *
receive(size_t *len)
{
	struct queue *q = &queues[QUEUE_RX];
	unsigned at = q->seen % LIMIT_QUEUE_SLOTS, id;

	if (!has_frame())
		return NULL;
	cpu_compiler_barrier();
	id = q->used.ring[at].id % LIMIT_QUEUE_SLOTS;
	*len = q->used.ring[at].len;
	*len = *len < SLOT_BYTES ? *len : SLOT_BYTES;
	*len = *len > HEADER_BYTES ? *len - HEADER_BYTES : 0;
	return buffers[QUEUE_RX][id] + HEADER_BYTES;
}

static void
release(void)
{
	struct queue *q = &queues[QUEUE_RX];
	unsigned at = q->seen % LIMIT_QUEUE_SLOTS;

	q->avail.ring[q->avail.idx % LIMIT_QUEUE_SLOTS] = (uint16_t)q->used.ring[at].id;
	cpu_compiler_barrier();
	q->avail.idx++;
	q->seen++;
	q->to_notify = true;
}

/* Slots follow from places in the ring: the card takes frames in order, the next slot is free. */
static void
send(const uint8_t *frame, size_t len)
{
	struct queue *q = &queues[QUEUE_TX];
	unsigned slot = q->avail.idx % LIMIT_QUEUE_SLOTS;

	if (len > LIMIT_FRAME_BYTES || (uint16_t)(q->avail.idx - q->used.idx) == LIMIT_QUEUE_SLOTS)
		return;
	memset(buffers[QUEUE_TX][slot], 0, HEADER_BYTES);
	memcpy(buffers[QUEUE_TX][slot] + HEADER_BYTES, frame, len);
	q->desc[slot].len = (uint32_t)(HEADER_BYTES + len);
	q->avail.ring[slot] = (uint16_t)slot;
	cpu_compiler_barrier();
	q->avail.idx++;
	q->to_notify = true;
}

static void
flush(void)
{
	cpu_full_barrier();
	for (unsigned i = 0; i < QUEUES; i++) {
		if (queues[i].to_notify && !(queues[i].used.flags & USED_NO_NOTIFY))
			reg_write(MMIO_QUEUE_NOTIFY, i);
		queues[i].to_notify = false;
	}
}

const struct machine_card virtio_net_card = {
	.receive = receive, .release = release, .has_frame = has_frame,
	.send = send, .flush = flush,
};
