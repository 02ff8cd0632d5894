/*
 * abi_test: the hello image's own account of Xen's interface against Xen's headers, as far
 * as it does not depend on the size of a long
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#ifdef JITSU_XEN
/* Names that both have. */
#define xen_hvm_param our_xen_hvm_param
#define netif_tx_request our_netif_tx_request
#define netif_tx_response our_netif_tx_response
#define netif_rx_request our_netif_rx_request
#define netif_rx_response our_netif_rx_response
#define xenbus_state our_xenbus_state
#define xen_add_to_physmap our_xen_add_to_physmap
#include "vm/hello/xen_abi.h"
#undef xen_hvm_param
#undef netif_tx_request
#undef netif_tx_response
#undef netif_rx_request
#undef netif_rx_response
#undef xenbus_state
#undef xen_add_to_physmap

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define SAME(ours, theirs) { #theirs, (uint64_t)(ours), (uint64_t)(theirs) }

static const struct {
	const char *name;
	uint64_t ours, theirs;
} same[] = {
	SAME(XEN_MEMORY_OP, __HYPERVISOR_memory_op),
	SAME(XEN_VCPU_OP, __HYPERVISOR_vcpu_op),
	SAME(XEN_HVM_OP, __HYPERVISOR_hvm_op),
	SAME(XEN_DOMID_SELF, DOMID_SELF),
	SAME(XEN_ADD_TO_PHYSMAP, XENMEM_add_to_physmap),
	SAME(XEN_MAP_GRANT_TABLE, XENMAPSPACE_grant_table),
	SAME(XEN_SHUTDOWN_OP, SCHEDOP_shutdown),
	SAME(XEN_SHUTDOWN_CRASH, SHUTDOWN_crash),
	SAME(XEN_SHUTDOWN_SUSPEND, SHUTDOWN_suspend),
	SAME(XEN_SET_SINGLESHOT_TIMER, VCPUOP_set_singleshot_timer),
	SAME(XEN_STOP_SINGLESHOT_TIMER, VCPUOP_stop_singleshot_timer),
	SAME(XEN_BIND_VIRQ, EVTCHNOP_bind_virq),
	SAME(XEN_EVENT_SEND, EVTCHNOP_send),
	SAME(XEN_ALLOC_UNBOUND, EVTCHNOP_alloc_unbound),
	SAME(XEN_PARAM_STORE_FRAME, HVM_PARAM_STORE_PFN),
	SAME(XEN_PARAM_STORE_PORT, HVM_PARAM_STORE_EVTCHN),
	SAME(XEN_PARAM_CONSOLE_FRAME, HVM_PARAM_CONSOLE_PFN),
	SAME(XEN_PARAM_CONSOLE_PORT, HVM_PARAM_CONSOLE_EVTCHN),
	SAME(XEN_GRANT_ACCESS, GTF_permit_access),
	SAME(XEN_GRANT_READONLY, GTF_readonly),
	SAME(XEN_GRANT_RESERVED, GNTTAB_NR_RESERVED_ENTRIES),
	SAME(sizeof(struct xen_time_info), sizeof(struct vcpu_time_info)),
	SAME(offsetof(struct xen_time_info, tsc_shift), offsetof(struct vcpu_time_info, tsc_shift)),
	SAME(offsetof(struct xenstore_page, rsp_prod), offsetof(struct xenstore_domain_interface,
	    rsp_prod)),
	SAME(offsetof(struct xencons_page, out_prod), offsetof(struct xencons_interface, out_prod)),
	SAME(XENSTORE_READ, XS_READ),
	SAME(XENSTORE_WATCH, XS_WATCH),
	SAME(XENSTORE_WRITE, XS_WRITE),
	SAME(XENSTORE_EVENT, XS_WATCH_EVENT),
	SAME(XENSTORE_ERROR, XS_ERROR),
	SAME(XENBUS_CONNECTED, XenbusStateConnected),
	SAME(XENBUS_CLOSING, XenbusStateClosing),
	SAME(XENBUS_CLOSED, XenbusStateClosed),
	SAME(offsetof(struct netif_rx_page, slots), offsetof(struct netif_rx_sring, ring)),
	SAME(offsetof(struct netif_tx_page, at.rsp_event), offsetof(struct netif_tx_sring,
	    rsp_event)),
	SAME(sizeof(((struct netif_tx_page *)0)->slots[0]), sizeof(union netif_tx_sring_entry)),
	SAME(sizeof(((struct netif_rx_page *)0)->slots[0]), sizeof(union netif_rx_sring_entry)),
	SAME(offsetof(struct our_netif_rx_response, status), offsetof(netif_rx_response_t, status)),
	SAME(NETIF_RX_BLANK_CHECKSUM, NETRXF_csum_blank),
	SAME(NETIF_RX_MORE, NETRXF_more_data),
	SAME(NETIF_RX_EXTRA, NETRXF_extra_info),
};

static void
test_interface(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (same[i].ours != same[i].theirs)
			fail_msg("%s: %llu, in Xen %llu", same[i].name,
			    (unsigned long long)same[i].ours, (unsigned long long)same[i].theirs);
}
#else
static void
test_interface(void **state)
{
	(void)state;
	skip(); /* no headers of Xen here */
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_interface) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
