/*
 * xen_abi.h: what a 32-bit PVH guest and Xen exchange, as far as the image needs it
 *
 * Numbers and layouts are those of Xen's public headers, xen/include/public/, named at each part;
 * layouts that depend on the size of a long are those of 32 bits. The guest is built where no Xen
 * is installed, so they are written down here once more; a test compares them where the headers
 * are.
 */
#ifndef HELLO_XEN_ABI_H
#define HELLO_XEN_ABI_H

#include <stddef.h>
#include <stdint.h>

#define XEN_PAGE_BYTES 4096
#define XEN_DOMID_SELF 0x7ff0

/* arch-x86/cpuid.h: the signature is in the first leaf, the hypercall page's MSR in the third. */
#define XEN_CPUID_FIRST   0x40000000u
#define XEN_CPUID_VIRIDIAN 0x40000100u /* the first leaf where Hyper-V's come before Xen's */
#define XEN_SIGNATURE_EBX 0x566e6558u
#define XEN_SIGNATURE_ECX 0x65584d4du
#define XEN_SIGNATURE_EDX 0x4d4d566eu

/* xen.h */
enum xen_hypercall { XEN_MEMORY_OP = 12, XEN_VCPU_OP = 24, XEN_SCHED_OP = 29,
    XEN_EVENT_CHANNEL_OP = 32, XEN_HVM_OP = 34 };

#define XEN_VIRQ_TIMER 0
#define XEN_VCPUS      32 /* with room in the shared page */
#define XEN_WORDS      32 /* of 32 event channels each */

struct xen_time_info {
	uint32_t version; /* odd while it is being changed */
	uint32_t pad;
	uint64_t tsc_timestamp;
	uint64_t system_time; /* in ns, at that time stamp */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad1[2];
};

struct xen_vcpu_info {
	uint8_t upcall_pending;
	uint8_t pad[3];
	uint32_t pending_sel;
	uint32_t arch[6];
	struct xen_time_info time;
};

struct xen_shared_info {
	struct xen_vcpu_info vcpu[XEN_VCPUS];
	uint32_t pending[XEN_WORDS];
	uint32_t mask[XEN_WORDS];
};

_Static_assert(sizeof(struct xen_time_info) == 32, "xen.h: vcpu_time_info");
_Static_assert(sizeof(struct xen_vcpu_info) == 64 && offsetof(struct xen_vcpu_info, time) == 32,
    "xen.h: vcpu_info");
_Static_assert(offsetof(struct xen_shared_info, pending) == 2048, "xen.h: shared_info");

/* memory.h */
#define XEN_ADD_TO_PHYSMAP  7
#define XEN_MAP_SHARED_INFO 0
#define XEN_MAP_GRANT_TABLE 1

struct xen_add_to_physmap {
	uint16_t domid, size;
	uint32_t space, index, frame;
};

_Static_assert(sizeof(struct xen_add_to_physmap) == 16, "memory.h: xen_add_to_physmap");

/* sched.h */
#define XEN_SHUTDOWN_OP 2
enum xen_shutdown_reason { XEN_SHUTDOWN_POWEROFF, XEN_SHUTDOWN_REBOOT, XEN_SHUTDOWN_SUSPEND,
    XEN_SHUTDOWN_CRASH };

/* vcpu.h */
#define XEN_SET_SINGLESHOT_TIMER  8
#define XEN_STOP_SINGLESHOT_TIMER 9

struct xen_singleshot_timer {
	uint64_t at_ns; /* in system time */
	uint32_t flags;
} __attribute__((packed, aligned(4)));

_Static_assert(sizeof(struct xen_singleshot_timer) == 12, "vcpu.h: vcpu_set_singleshot_timer");

/* event_channel.h */
#define XEN_BIND_VIRQ     1
#define XEN_EVENT_SEND    4
#define XEN_ALLOC_UNBOUND 6

struct xen_bind_virq {
	uint32_t virq, vcpu;
	uint32_t port; /* out */
};

struct xen_alloc_unbound {
	uint16_t domid, remote;
	uint32_t port; /* out */
};

/* hvm/hvm_op.h, hvm/params.h */
#define XEN_HVM_SET_PARAM 0
#define XEN_HVM_GET_PARAM 1

struct xen_hvm_param {
	uint16_t domid, pad;
	uint32_t index;
	uint64_t value;
};

_Static_assert(sizeof(struct xen_hvm_param) == 16, "hvm/hvm_op.h: xen_hvm_param");

enum xen_param { XEN_PARAM_CALLBACK = 0, XEN_PARAM_STORE_FRAME = 1, XEN_PARAM_STORE_PORT = 2,
    XEN_PARAM_CONSOLE_FRAME = 17, XEN_PARAM_CONSOLE_PORT = 18 };

#define XEN_CALLBACK_VECTOR (2ull << 56) /* the low byte is an interrupt vector */

/* grant_table.h, version 1 */
#define XEN_GRANT_ENTRIES  (XEN_PAGE_BYTES / 8)
#define XEN_GRANT_RESERVED 8 /* the first ones are the toolstack's */
#define XEN_GRANT_ACCESS   1
#define XEN_GRANT_READONLY 4

struct xen_grant_entry {
	uint16_t flags;
	uint16_t domid;
	uint32_t frame;
};

_Static_assert(sizeof(struct xen_grant_entry) == 8, "grant_table.h: grant_entry_v1");

/* io/console.h */
#define XENCONS_IN_BYTES  1024
#define XENCONS_OUT_BYTES 2048

struct xencons_page {
	char in[XENCONS_IN_BYTES];
	char out[XENCONS_OUT_BYTES];
	uint32_t in_cons, in_prod, out_cons, out_prod;
};

_Static_assert(offsetof(struct xencons_page, out_prod) == 3084, "io/console.h: xencons_interface");

/* io/xs_wire.h */
#define XENSTORE_RING_BYTES    1024
#define XENSTORE_PAYLOAD_BYTES 4096 /* the most in one message */

struct xenstore_page {
	char req[XENSTORE_RING_BYTES];
	char rsp[XENSTORE_RING_BYTES];
	uint32_t req_cons, req_prod, rsp_cons, rsp_prod;
};

enum xenstore_type { XENSTORE_READ = 2, XENSTORE_WATCH = 4, XENSTORE_WRITE = 11,
    XENSTORE_EVENT = 15, XENSTORE_ERROR = 16 };

struct xenstore_header {
	uint32_t type, request, transaction, len;
};

_Static_assert(offsetof(struct xenstore_page, rsp_prod) == 2060,
    "io/xs_wire.h: xenstore_domain_interface");

/* io/ring.h, io/netif.h */
#define NETIF_RING_SLOTS 256 /* in one page, of either ring */

enum netif_rx_flag { NETIF_RX_BLANK_CHECKSUM = 2, NETIF_RX_MORE = 4, NETIF_RX_EXTRA = 8 };

struct netif_tx_request {
	uint32_t grant;
	uint16_t offset, flags, id, size;
};

struct netif_tx_response {
	uint16_t id;
	int16_t status;
};

struct netif_rx_request {
	uint16_t id, pad;
	uint32_t grant;
};

struct netif_rx_response {
	uint16_t id, offset, flags;
	int16_t status; /* the length, or below 0 */
};

/* Each index counts for ever; the slot is its remainder. */
struct netif_indices {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	uint8_t pad[48];
};

struct netif_tx_page {
	struct netif_indices at;
	union {
		struct netif_tx_request req;
		struct netif_tx_response rsp;
	} slots[NETIF_RING_SLOTS];
};

struct netif_rx_page {
	struct netif_indices at;
	union {
		struct netif_rx_request req;
		struct netif_rx_response rsp;
	} slots[NETIF_RING_SLOTS];
};

_Static_assert(sizeof(struct netif_indices) == 64, "io/ring.h: DEFINE_RING_TYPES");
_Static_assert(sizeof(struct netif_tx_request) == 12 && sizeof(struct netif_rx_request) == 8,
    "io/netif.h: requests");
_Static_assert(sizeof(struct netif_tx_page) <= XEN_PAGE_BYTES &&
    sizeof(struct netif_rx_page) <= XEN_PAGE_BYTES, "a ring is a page");

/* io/xenbus.h */
enum xenbus_state { XENBUS_CONNECTED = 4, XENBUS_CLOSING = 5, XENBUS_CLOSED = 6 };

/* An index of a ring that the other side moves, and ours: what stands before it is seen first. */
static inline uint32_t
xen_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void
xen_store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

#endif
