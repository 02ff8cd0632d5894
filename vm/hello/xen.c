/* xen.c: hypercalls, event channels, grants and the domain's own end, for a PVH guest on Xen */
#include "vm/hello/xen.h"

#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"
#include "vm/hello/mem.h"

#define CPUID_FEATURES    1
#define CPUID_HYPERVISOR  (1u << 31) /* of ECX */
#define HYPERCALL_BYTES   32

/* Xen writes the first, and puts its own pages in place of the others. */
static uint8_t hypercall_page[XEN_PAGE_BYTES] XEN_PAGE;
static union {
	struct xen_shared_info info;
	uint8_t page[XEN_PAGE_BYTES];
} shared XEN_PAGE;
static struct xen_grant_entry grants[XEN_GRANT_ENTRIES] XEN_PAGE;
static uint32_t hypercall_msr;

static int32_t
hypercall(enum xen_hypercall number, uint32_t a, uint32_t b, uint32_t c)
{
	int32_t result;

	__asm__ volatile("call *%%eax"
			 : "=a"(result), "+b"(a), "+c"(b), "+d"(c)
			 : "0"(hypercall_page + HYPERCALL_BYTES * number)
			 : "memory", "cc");
	return result;
}

static uint32_t
address(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* ---- start */

bool
xen_detect(void)
{
	static const uint32_t first[] = { XEN_CPUID_FIRST, XEN_CPUID_VIRIDIAN };
	struct cpu_id id = cpu_id(CPUID_FEATURES);

	if (!(id.ecx & CPUID_HYPERVISOR))
		return false;
	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		id = cpu_id(first[i]);
		if (id.ebx == XEN_SIGNATURE_EBX && id.ecx == XEN_SIGNATURE_ECX &&
		    id.edx == XEN_SIGNATURE_EDX) {
			hypercall_msr = cpu_id(first[i] + 2).ebx;
			return true;
		}
	}
	return false;
}

static bool
map(uint32_t space, const void *page)
{
	struct xen_add_to_physmap map = { XEN_DOMID_SELF, 0, space, 0,
	    address(page) / XEN_PAGE_BYTES };

	return hypercall(XEN_MEMORY_OP, XEN_ADD_TO_PHYSMAP, address(&map), 0) == 0;
}

void
xen_start(void)
{
	struct xen_bind_virq bind = { XEN_VIRQ_TIMER, 0, 0 };
	struct xen_hvm_param callback = { .domid = XEN_DOMID_SELF, .index = XEN_PARAM_CALLBACK,
	    .value = XEN_CALLBACK_VECTOR | IRQ_VECTOR_EVENT };

	cpu_write_msr(hypercall_msr, address(hypercall_page));
	/* The parameter also tells Xen that the shared page is laid out for 32 bits. */
	if (hypercall(XEN_HVM_OP, XEN_HVM_SET_PARAM, address(&callback), 0) != 0 ||
	    !map(XEN_MAP_SHARED_INFO, &shared) || !map(XEN_MAP_GRANT_TABLE, grants))
		(void)xen_shutdown(XEN_SHUTDOWN_CRASH);
	memset(shared.info.mask, 0, sizeof(shared.info.mask));
	if (hypercall(XEN_EVENT_CHANNEL_OP, XEN_BIND_VIRQ, address(&bind), 0) != 0)
		(void)xen_shutdown(XEN_SHUTDOWN_CRASH);
}

uint32_t
xen_param(enum xen_param index)
{
	struct xen_hvm_param get = { .domid = XEN_DOMID_SELF, .index = index };

	return hypercall(XEN_HVM_OP, XEN_HVM_GET_PARAM, address(&get), 0) == 0 ? (uint32_t)get.value
	    : 0;
}

/* ---- events */

uint32_t
xen_event_alloc(uint16_t remote_domid)
{
	struct xen_alloc_unbound alloc = { XEN_DOMID_SELF, remote_domid, 0 };

	return hypercall(XEN_EVENT_CHANNEL_OP, XEN_ALLOC_UNBOUND, address(&alloc), 0) == 0
	    ? alloc.port : 0;
}

void
xen_event_send(uint32_t port)
{
	/* a peer that is gone needs no event */
	(void)hypercall(XEN_EVENT_CHANNEL_OP, XEN_EVENT_SEND, address(&port), 0);
}

void
xen_events_clear(void)
{
	struct xen_vcpu_info *vcpu = &shared.info.vcpu[0];
	uint32_t words;

	if (!__atomic_exchange_n(&vcpu->upcall_pending, 0, __ATOMIC_SEQ_CST))
		return;
	words = __atomic_exchange_n(&vcpu->pending_sel, 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < XEN_WORDS; i++)
		if (words >> i & 1)
			(void)__atomic_exchange_n(&shared.info.pending[i], 0, __ATOMIC_SEQ_CST);
}

/* ---- grants */

void
xen_grant(uint32_t reference, uint16_t domid, const void *page, bool readonly)
{
	struct xen_grant_entry *grant = &grants[reference % XEN_GRANT_ENTRIES];

	grant->domid = domid;
	grant->frame = address(page) / XEN_PAGE_BYTES;
	__atomic_store_n(&grant->flags,
	    (uint16_t)(XEN_GRANT_ACCESS | (readonly ? XEN_GRANT_READONLY : 0)), __ATOMIC_RELEASE);
}

/* ---- time and the end */

uint64_t
xen_time_ns(void)
{
	return xen_page_time_ns(&shared.info.vcpu[0].time, cpu_tsc);
}

void
xen_timer_set(uint64_t at_ns)
{
	struct xen_singleshot_timer timer = { .at_ns = at_ns };

	if (at_ns)
		/* fails for other processors alone */
		(void)hypercall(XEN_VCPU_OP, XEN_SET_SINGLESHOT_TIMER, 0, address(&timer));
	else
		(void)hypercall(XEN_VCPU_OP, XEN_STOP_SINGLESHOT_TIMER, 0, 0);
}

bool
xen_shutdown(enum xen_shutdown_reason reason)
{
	uint32_t arg = reason;
	int32_t result = hypercall(XEN_SCHED_OP, XEN_SHUTDOWN_OP, address(&arg), 0);

	if (reason != XEN_SHUTDOWN_SUSPEND)
		cpu_halt();
	return result != 0;
}
