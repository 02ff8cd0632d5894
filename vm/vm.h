/*
 * vm: everything that knows hypervisors and frames, behind one header.
 *
 * Operations are asynchronous: they may block (libxl for most of a create, the last close of a tap
 * for 15 ms), so driver threads do them, and results come back on the loop given to vm_host_new, as
 * all callbacks.  For one VM operations run one by one, in the order of the calls; those of others
 * side by side.  Starts and stops have threads of their own: no boot that hangs is in a stop's way.
 *
 * A VM is known by the UUID that the warden gave it before it existed (intent first).  Ours are
 * those with our instance's mark (run directory and UUID); no others are touched.
 *
 * Errors: enum err and a message with the hypervisor's own last lines.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <event2/event.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/msg.h"

/* The sentinel's main function, see dns_main (dns/dns.h). */
int sentinel_main(int fd);

struct vm_uuid {
	uint8_t bytes[16];
};

#define VM_UUID_TEXT 37   /* with the final NUL */
#define VM_IDENTITY 17    /* of vm_spec.identity, with the final NUL */
void vm_uuid_make(struct vm_uuid *u);                            /* random, RFC 4122 version 4 */
/* Returns text; VM_UUID_STR: text in memory of the block in which it stands. */
const char *vm_uuid_text(const struct vm_uuid *u, char text[VM_UUID_TEXT]);
#define VM_UUID_STR(u) vm_uuid_text((u), (char[VM_UUID_TEXT]){ "" })
bool vm_uuid_parse(const char *text, struct vm_uuid *u);

enum vm_accel { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG };
enum vm_machine { VM_MACHINE_MICROVM, VM_MACHINE_Q35 };
enum vm_type { VM_TYPE_PV, VM_TYPE_PVH, VM_TYPE_HVM };   /* of a Xen domain */
enum vm_disk_format { VM_DISK_RAW, VM_DISK_QCOW2 };

struct vm_nic {
	char bridge[IFNAMSIZ];
	uint8_t mac[6];
};

struct vm_disk {
	const char *path;
	enum vm_disk_format format;
	bool readonly;
	const char *overlay;       /* this unit's qcow2 on top, made when missing; or NULL */
};

/*
 * What to run, with every placeholder filled in.  vm_start and vm_restore take the strings over,
 * with their memory.  Paths are absolute.  An optional string is NULL when absent.
 */
struct vm_spec {
	struct arena memory;       /* of the strings; empty: they outlive the operation */
	struct vm_uuid uuid;
	const char *unit;          /* owner name, for messages and `-name`; printable */
	const char *identity;      /* comes back in vm_found; shorter than VM_IDENTITY; optional */
	const char *driver;        /* "qemu", ... */
	const char *kernel;        /* optional where disks boot */
	const char *initrd;        /* optional */
	const char *cmdline;       /* optional */
	uint64_t memory_bytes;
	unsigned vcpus;
	enum vm_machine machine;
	enum vm_accel accel;
	struct vm_nic nics[LIMIT_NICS];
	unsigned nnics;
	struct vm_disk disks[LIMIT_DISKS];
	unsigned ndisks;
	const char *const *args;   /* extra arguments for the hypervisor, already split */
	unsigned nargs;
	enum vm_type type;         /* what follows is the xen driver's */
	const char *xl;            /* an xl.cfg file that says what is not said here; optional */
	const char *vif_script;    /* hotplug script of the NICs; NULL = our helper */
	const char *ready_key;     /* key below the domain's path: VM_EVENT_READY; optional */
	/* of any driver: a VM_EVENT_LINK, before the first NIC's MAC is behind that NIC */
	bool link;
	unsigned cpu_percent;      /* CPU limit of its cgroup, 100 = one core; 0 = none */
	unsigned cpu_weight;       /* cgroup v2 weight 1..10000; the daemon has 100 */
};

enum vm_stop_how {
	VM_STOP_DESTROY,           /* at once */
	VM_STOP_SHUTDOWN           /* ask the guest, destroy at the deadline */
};

/* What a driver can do; the life cycle asks before it plans a tier of sleep. */
#define VM_CAN_FREEZE   0x1u
#define VM_CAN_SAVE     0x2u
#define VM_CAN_SHUTDOWN 0x4u
#define VM_CAN_CONSOLE  0x8u
#define VM_CAN_CHECK    0x20u  /* vm_check */
#define VM_CAN_AHEAD    0x40u  /* vm_ahead_want */
/* the guest runs only when the start, most of the wait, is done: nobody answers before */
#define VM_RUNS_LATE    0x10u

struct vm_host_conf {
	const char *run_dir;       /* absolute; VMs live in run_dir/vm/UUID/ */
	const char *state_dir;     /* saved states and overlays */
	uid_t vm_uid;              /* who the VM processes run as; 0 = as we do (tests) */
	gid_t vm_gid;
	unsigned start_threads;    /* how many boots at once; >= 1 */
	unsigned hang_ms;          /* without an answer it hangs (vm_check); 0 = LIMIT_HANG_S */
	const char *qemu;          /* the QEMU binary; NULL = look in PATH */
	bool use_cgroups;          /* false: never; true: where they are writable */
};

enum vm_event_kind {
	VM_EVENT_DIED,             /* without being told: crash, own poweroff, killed */
	VM_EVENT_READY,            /* spec.ready_key is there; once */
	VM_EVENT_LINK,             /* fd: a packet socket at its first NIC (vm_link_socket) */
	VM_EVENT_LOG               /* something an operator should read; text */
};

struct vm_event {
	enum vm_event_kind kind;
	struct vm_uuid uuid;
	uint64_t time_ns;
	int fd;                    /* of VM_EVENT_LINK; the receiver's (vm_link_done) */
	const char *text;          /* why: "guest shut down", "killed by signal 9", ...  */
	const char *console;       /* last lines, not escaped, with NULs; never NULL */
	size_t console_len;
};

struct vm_host;

/* Until the VM is stopped by us; after VM_EVENT_DIED all it left behind has been cleaned up. */
typedef void (*vm_event_cb)(const struct vm_event *ev, void *arg);

enum err vm_host_new(struct event_base *base, const struct vm_host_conf *conf, vm_event_cb on_event,
    void *arg, struct vm_host **host, struct errmsg *m);
/* Waits for running operations; VMs run on, callbacks end.  Not to be called from one. */
void vm_host_free(struct vm_host *host);

/* A driver's VM_CAN_*; ERR_UNSUPPORTED, with the reason: none in this build or on this machine. */
enum err vm_driver_caps(struct vm_host *host, const char *driver, unsigned *caps, struct errmsg *m);

/*
 * Such VMs may be started soon: begins to find out, in the background, what takes long and their
 * starts need (whether KVM works), so that no wake has to.  Cheap when it is known.
 */
void vm_prepare(struct vm_host *host, const char *driver, enum vm_accel accel);

/*
 * Whether this host has what a driver's images need besides their own files: ERR_MISSING names a
 * program, or its firmware.  Executes the program; for `jitsud -n`.
 */
#define VM_QEMU_PROGRAM "qemu-system-x86_64"
enum err vm_host_check(const char *driver, enum vm_machine machine, struct errmsg *m);

/* How an operation ended. */
struct vm_result {
	enum err err;
	const char *text;          /* the message, "" without an error; during the callback */
	uint64_t exec_ns;          /* of a start or restore: exec, or the domain's unpause */
	const char *detail;        /* vm_start: "kvm" or "tcg"; VM_CONSOLE: the text */
	size_t detail_len;
	/* last lines when a start failed or a VM was stopped, as in struct vm_event; never NULL */
	const char *console;
	size_t console_len;
	int64_t usec_cpu;          /* vm_stop: CPU time the VM used, -1 = unknown */
	/* after an error: neither the restore nor a cold boot could be tried; the state stays */
	bool saved;
	bool kept;                 /* after an error of vm_do: untried, the VM is as before */
};
typedef void (*vm_done_cb)(const struct vm_uuid *uuid, const struct vm_result *res, void *arg);

/*
 * The operations.  `done` is called once, on the loop, never from inside the call, also when the
 * call is not possible now (unknown UUID, wrong state).
 *
 * vm_start: done when the process runs (not when the guest is ready).  After an error nothing of
 *     the VM is left.
 * vm_stop: done when the VM and all that it left (tap, directory, cgroup), or its saved state, are
 *     gone.  ERR_MISSING: there is no such VM.  A machine without a power button (microvm without
 *     ACPI) is destroyed at once, and a VM_EVENT_LOG says so; destroying does not wait for a
 *     shutdown that was asked for before.
 * VM_FREEZE, VM_THAW: pause and resume in memory.
 * VM_SAVE: the state goes into a file of the state directory, then the process ends.
 * vm_restore: vm_start from that file, with the same UUID; done when the guest runs again.  The
 *     file is removed when it was used or is useless (damaged, or the image's settings changed:
 *     ERR_STATE), and stays (result: saved) when what a cold boot needs as well was missing.
 * vm_thaw: VM_THAW of a VM whose MAC is parked (vm_park): moves the MAC to its first NIC before the
 *     guest runs, and with `link` makes a VM_EVENT_LINK before that.
 * VM_CONSOLE: what the guest wrote lately, oldest first, at most LIMIT_CONSOLE_RING bytes, which
 *     can be read again.
 *
 * A start, restore or vm_thaw takes the MACs from where they are parked; after an error of one they
 * are to be parked again.  A freeze, save or stop waits until what was parked before is parked, but
 * a guest that is asked to shut down is asked at once.
 */
void vm_start(struct vm_host *host, struct vm_spec *spec, vm_done_cb done, void *arg);
void vm_stop(struct vm_host *host, const struct vm_uuid *uuid, enum vm_stop_how how,
    unsigned deadline_ms, vm_done_cb done, void *arg);
void vm_restore(struct vm_host *host, struct vm_spec *spec, vm_done_cb done, void *arg);
enum vm_op { VM_FREEZE, VM_THAW, VM_SAVE, VM_CONSOLE };
void vm_do(struct vm_host *host, const struct vm_uuid *uuid, enum vm_op op, vm_done_cb done,
    void *arg);
void vm_thaw(struct vm_host *host, const struct vm_uuid *uuid, const uint8_t mac[6], bool link,
    vm_done_cb done, void *arg);

/*
 * Processes that are started ahead: a cache of vm_start and vm_restore, which take what fits and do
 * without otherwise.  Made one by one in the background, never while a VM is being started; made
 * again after use.  What is not wanted any more is ended, and all are when the host is freed.
 *
 *     VM_AHEAD_UNIT     the VM of that specification, before its guest's first instruction
 *     VM_AHEAD_RESTORE  a machine into which the saved state of any VM with such a machine goes
 *     VM_AHEAD_BOOT     a process that becomes any VM with that accelerator
 *
 * Drivers that have no such thing ignore wishes.  The UUID of a wish means nothing, so arguments
 * with a VM's UUID in them never fit.
 */
enum vm_ahead_kind { VM_AHEAD_UNIT, VM_AHEAD_RESTORE, VM_AHEAD_BOOT };
#define VM_AHEAD_KINDS 3
struct vm_wish {
	enum vm_ahead_kind what;
	struct vm_spec spec;
	bool keep;                 /* what is there already: the unit waits for its turn to wake */
};
/*
 * What is wanted from now on, the most wanted first.  A unit's wake takes it off the list, until
 * the next call.  Takes over the malloc'd list and the strings.  To be called, if with nothing,
 * after vm_adopt: then what a former daemon left is ended, unless it is wanted.
 */
void vm_ahead_want(struct vm_host *host, struct vm_wish *list, unsigned n);
struct vm_ahead {
	unsigned n[VM_AHEAD_KINDS];
	uint64_t bytes;            /* of memory that they take now */
};
/* What there is, for that unit (VM_AHEAD_UNIT) or (NULL) in all. */
void vm_ahead_see(struct vm_host *host, const char *unit, struct vm_ahead *see);
/* Bytes of memory that a VM's process has for itself now; 0: not known, or it does not run. */
uint64_t vm_memory_now(struct vm_host *host, const struct vm_uuid *uuid);

/*
 * Asks, without waiting, whether the VM's hypervisor is alive: silence for conf.hang_ms ends the VM
 * (VM_EVENT_DIED).  Harmless for a VM that cannot be asked, or does not run.
 */
void vm_check(struct vm_host *host, const struct vm_uuid *uuid);

/* After a reload: as of vm_host_conf.  There are never less threads than before. */
void vm_host_limits(struct vm_host *host, unsigned start_threads, unsigned hang_ms);

/* Does what was asked of this VM still wait for a driver thread? */
bool vm_op_waits(struct vm_host *host, const struct vm_uuid *uuid);

/* The host's own names of a VM: a process, or a Xen domain; 0 = none. */
struct vm_ids {
	pid_t pid;
	uint32_t domid;
	char nics[LIMIT_NICS][IFNAMSIZ];   /* the host's ends of its NICs; "" = not known */
};
/* Zeros for a VM that does not run. */
struct vm_ids vm_ids_get(struct vm_host *host, const struct vm_uuid *uuid);

/* Makes again what was removed of the run directory, where possible.  Quick; for the loop. */
void vm_run_dir_keep(struct vm_host *host);

/* Ends a VM of no more use: a VM_EVENT_DIED with `why`, unless it ends or is stopped already. */
void vm_end(struct vm_host *host, const struct vm_uuid *uuid, const char *why);

/*
 * What the kernel says of interfaces.  IS: made, or changed in some way; GONE: deleted; LEFT: no
 * port of its bridge any more; ADDR: its IP addresses changed (no name); LOST: some was not heard.
 */
struct vm_link {
	enum { VM_LINK_IS, VM_LINK_GONE, VM_LINK_LEFT, VM_LINK_ADDR, VM_LINK_LOST } kind;
	unsigned ifindex;
	char name[IFNAMSIZ];
	bool up;                   /* IS */
	uint8_t mac[6];            /* IS */
};
struct vm_links;
typedef void (*vm_link_cb)(const struct vm_link *link, void *arg);
/* Calls `cb` on the loop for each.  vm_links_free: NULL is allowed. */
enum err vm_links_new(struct event_base *base, vm_link_cb cb, void *arg, struct vm_links **links,
    struct errmsg *m);
void vm_links_free(struct vm_links *links);

/*
 * The host's end of a VM's NIC is to be an up port of `bridge`, which is up, and its MAC, unless it
 * is parked, behind it.
 *
 * THERE: it was.  BACK: it is now.  ELSEWHERE: no bridge has that name, and the NIC is on another
 * that is up (perhaps the same, renamed).  GONE: the NIC was deleted, for good.  LOST: it cannot be
 * a port.  `m` says why for ELSEWHERE and LOST.
 */
enum vm_port_state { VM_PORT_THERE, VM_PORT_BACK, VM_PORT_ELSEWHERE, VM_PORT_GONE, VM_PORT_LOST };
enum vm_port_state vm_port_keep(struct vm_host *host, const char *name, const char *bridge,
    const uint8_t mac[6], struct errmsg *m);

/*
 * Adoption, once at start, of every VM with our mark: `found` is called on the loop for each, then
 * with NULL.  From then on a found VM is as if it had been started here (events, stop, ...).
 */
enum vm_found_state {
	VM_FOUND_RUNNING, VM_FOUND_FROZEN, VM_FOUND_SAVED,
	/* whole, but without an answer yet: hung (vm_check), or another program talks to it */
	VM_FOUND_SILENT,
	VM_FOUND_BROKEN            /* half-made or ended: stop it */
};
struct vm_found {
	struct vm_uuid uuid;
	enum vm_found_state state;
	const char *driver;
	const char *why;           /* for VM_FOUND_BROKEN and VM_FOUND_SILENT */
	const char *unit;          /* of the specification that it was made from; "" = not known */
	const char *identity;      /* likewise */
	const char *said;          /* the unit's name as the VM says: only to be shown */
};
typedef void (*vm_found_cb)(const struct vm_found *f, void *arg);
void vm_adopt(struct vm_host *host, vm_found_cb found, void *arg);

/* ---- xl.cfg files ---- */

/* What an xl.cfg file says that limits need: memory and virtual CPUs. */
struct vm_xl {
	enum vm_type type;
	uint64_t memory_bytes;     /* 0: it does not say */
	unsigned vcpus;
	bool has_kernel;
	bool boots;                /* it has a kernel or a disk */
};

/* ERR_PARSE with file and text; ERR_UNSUPPORTED: no Xen in this build, or what we do not do. */
enum err vm_xl_read(const char *path, struct vm_xl *xl, struct errmsg *m);
/* Adds a warning for each key of a good file that the driver does nothing about. */
void vm_xl_check(const char *path, struct report *r);

/* ---- payload activity, for idle ---- */

/*
 * Kernel counters (nftables, bridge family) that remember per MAC when a payload packet last
 * passed: unicast, no ARP, neighbour discovery or readiness probe of ours, on the interfaces of a
 * watched VM.  The table, whose name has the instance's `tag`, outlives the daemon for the next.
 */
struct vm_activity;
struct vm_activity_nic {
	char name[IFNAMSIZ];       /* the host's end; "" = unknown: the MAC counts on any */
	uint8_t mac[6];
	/* no more than so many bytes in so many seconds (1, 60 or 3600) are no use; 0: any are */
	uint32_t below_bytes, below_s;
	/* what comes from these prefixes, or goes there, is none; at most LIMIT_PASSIVE */
	const struct msg_addr *passive;
	unsigned npassive;
};
enum err vm_activity_new(struct vm_host *host, const char *tag, struct vm_activity **act,
    struct errmsg *m);
void vm_activity_free(struct vm_activity *act, bool remove_table);
/*
 * Watch: soon the packets of these NICs (at most LIMIT_NICS), and no others of the VM, count, until
 * unwatch.  Settle, once after adoption: what only a former daemon watched counts no more.
 */
void vm_activity_watch(struct vm_activity *act, const struct vm_uuid *uuid,
    const struct vm_activity_nic *nics, unsigned n);
void vm_activity_unwatch(struct vm_activity *act, const struct vm_uuid *uuid);
void vm_activity_settle(struct vm_activity *act);
/*
 * Guard: from soon on, until it is off or the adoption has settled, a guest with that MAC refuses
 * no SYN: its RSTs for them are dropped on its bridge, all others pass.
 */
void vm_activity_guard(struct vm_activity *act, const struct vm_uuid *uuid, const uint8_t mac[6],
    bool on);
/*
 * last_ns: when a payload packet of this VM last passed (clock.h), 0 = never; unknown after an
 * error.  ERR_STATE: it was not watched.  ERR_MISSING: somebody changed the table, which is right
 * again from now on, and VMs that were watched count as used now.
 */
typedef void (*vm_activity_cb)(enum err e, uint64_t last_ns, const char *why, void *arg);
void vm_activity_read(struct vm_activity *act, const struct vm_uuid *uuid, vm_activity_cb cb,
    void *arg);
/*
 * TCP connections that others have opened to a VM since it was watched, from its SYN-ACK and what
 * follows to the first FIN or RST, or a day of silence.  `bytes`: of all packets since it is
 * watched.  There are `n` connections, of which the first VM_FLOWS are told.  Errors as above.
 */
#define VM_FLOWS 16
struct vm_flow {
	struct msg_addr peer;
	uint16_t peer_port, port;  /* the VM's */
	uint64_t bytes;            /* both ways, with IP headers */
	uint64_t last_ns;          /* the peer's last packet (clock.h) */
};
typedef void (*vm_flows_cb)(enum err e, uint64_t bytes, const struct vm_flow *flows, unsigned n,
    const char *why, void *arg);
void vm_activity_flows(struct vm_activity *act, const struct vm_uuid *uuid, vm_flows_cb cb,
    void *arg);

/* ---- networks ---- */

/* Of a bridge.  ERR_MISSING: there is no such interface; ERR_UNSUPPORTED: it is no bridge. */
struct vm_bridge {
	unsigned ifindex;
	uint8_t mac[6];
	bool up;
	/* how long the spanning tree keeps a new port from forwarding; 0 = not at all */
	uint32_t stp_wait_ms;
	/* its own addresses with their prefix lengths */
	struct msg_addr addrs[LIMIT_NETWORK_RANGES];
	unsigned naddrs;
};
enum err vm_bridge_get(const char *name, struct vm_bridge *br, struct errmsg *m);
/* ERR_STATE when it is not up; the message says how it gets so. */
enum err vm_bridge_up(const char *name, const struct vm_bridge *br, struct errmsg *m);
/* Both errors, for who wants no more than them. */
enum err vm_bridge_check(const char *name, struct errmsg *m);
/*
 * Keeps the bridge's MAC: unless somebody set it, it changes when the first port joins, and answers
 * to neighbours and probes go astray.  Needs CAP_NET_ADMIN.
 */
enum err vm_bridge_pin(const char *name, const struct vm_bridge *br, struct errmsg *m);
/*
 * Calls `say` with a sentence about each thing that may keep clients' frames from VMs on the
 * bridge, and from waking them: VLANs, ports that are isolated or locked, rules of the host's own
 * firewall (br_netfilter).  None when there is no such bridge.
 */
typedef void (*vm_say_cb)(const char *sentence, void *arg);
void vm_bridge_says(const char *name, vm_say_cb say, void *arg);
/* MACs that no guest may have: of interfaces, bridges' local entries; *list is the caller's. */
struct vm_host_mac {
	uint8_t mac[6];
	unsigned ifindex;
};
enum err vm_host_macs(struct vm_host_mac **list, unsigned *n, struct errmsg *m);
/* A packet socket bound to the bridge, with the sentinel's filter (MSG_NETWORK).  CAP_NET_RAW. */
enum err vm_packet_socket(const struct vm_bridge *br, int *fd, struct errmsg *m);

/* ---- packets for units that are not awake ---- */

/*
 * The port of a bridge: a tap (vm_port_filter) at which the sentinel gets ARP, neighbour discovery
 * and what is for parked MACs, and nothing else.  It learns no MACs.  Frames stay in it while no
 * sentinel reads; it goes with the last descriptor.
 */
struct vm_park_port {
	int fd;                    /* ours, for MSG_NETWORK; -1: there is none */
	unsigned ifindex;
	char name[IFNAMSIZ];
};
/*
 * Makes sure that it is there, and an up port of `bridge`; first with fd -1, and whenever something
 * happened to either.  Quick; for the loop.  Before that vm_bridge_pin.
 *
 * THERE: it was.  AGAIN: it had left the bridge, or that is another.  MADE: it is new, and so is
 * fd; the former, if there was one, is closed.  After both all MACs are to be parked again.  LOST:
 * it cannot be a port, and is, or not, as it was; `m` says why.
 */
enum vm_park_state { VM_PARK_THERE, VM_PARK_AGAIN, VM_PARK_MADE, VM_PARK_LOST };
enum vm_park_state vm_park_port(struct vm_host *host, const char *bridge,
    struct vm_park_port *port, struct errmsg *m);
/* Closes fd, on a thread, as that takes the kernel 15 ms; what was parked there is no more. */
void vm_park_port_close(struct vm_host *host, struct vm_park_port *port);

/*
 * Park: the bridge sends what is for `mac` to the port, wherever the MAC was learned, or if it is
 * at the first NIC of the VM `uuid` (NULL: of none).  Unpark: it forgets that, unless the MAC is
 * elsewhere by now.  Carried out soon, on a thread, in this order; 10,000 take some 100 ms.
 *
 * `failed` is called on the loop, and only after an error, with the caller's `unit`.  ERR_EXISTS:
 * the MAC is the host's own, or somebody has bound it to another port.  A port that has been
 * deleted or has left its bridge is none: vm_park_port says so.
 *
 * Take: at once the MAC is at the first NIC of the VM `uuid`, as after a vm_thaw, and what was said
 * of it before is void.  For a VM that runs on, since it could not be frozen or saved, or was late.
 */
typedef void (*vm_park_cb)(uint32_t unit, enum err e, const char *why, void *arg);
void vm_park(struct vm_host *host, const struct vm_park_port *port, const uint8_t mac[6],
    const struct vm_uuid *uuid, uint32_t unit, vm_park_cb failed, void *arg);
void vm_unpark(struct vm_host *host, const struct vm_park_port *port, const uint8_t mac[6]);
void vm_park_take(struct vm_host *host, const struct vm_uuid *uuid, const uint8_t mac[6]);

/* vm_link_socket at a VM's first NIC.  ERR_MISSING: no such VM runs, or no name is known. */
enum err vm_link_open(struct vm_host *host, const struct vm_uuid *uuid, const uint8_t mac[6],
    int *fd, struct errmsg *m);
/*
 * Its last link is no longer needed (MSG_SETTLED).  The last close of one takes the kernel 8 to 16
 * ms, in which the sentinel would hear nothing: so each is kept, too, and closed on a thread, after
 * this or when the VM ends or has a newer.  Copies of it are of no use any more.
 */
void vm_link_done(struct vm_host *host, const struct vm_uuid *uuid);

/*
 * A port: the tap by which the sentinel speaks for units of one bridge that are not awake, with a
 * virtio_net_hdr of the default size in front of each frame.  vm_port_filter lets through to `fd`,
 * its descriptor, what the sentinel can use: ARP, neighbour discovery, and unicast that may wake.
 * Solicitations are multicast, and with snooping only a port that counts as a router's
 * (IFLA_BRPORT_MULTICAST_ROUTER 2) hears those of groups that another port has joined.
 */
enum err vm_port_filter(int fd, struct errmsg *m);
/*
 * A link: a packet socket (PACKET_VNET_HDR) bound to the host's end of a VM's first NIC, for
 * MSG_LINK: it gives held frames to the guest, and hears what tells whether it takes them, with the
 * guest's MAC on one side.  Its filter is locked.  ERR_MISSING: no such interface.  CAP_NET_RAW.
 */
enum err vm_link_socket(const char *ifname, const uint8_t mac[6], int *fd, struct errmsg *m);

/*
 * The mark (SO_MARK) of readiness probes, which do not count as payload: their ports and their
 * identifier may be a client's as well.
 */
#define VM_PROBE_MARK 0x6a697473
/* TCP source ports of readiness probes: outside the kernel's default ephemeral range. */
#define VM_PROBE_PORT_FIRST 61000
#define VM_PROBE_PORT_LAST 64999
/* Identifier of their echo requests. */
#define VM_PROBE_ECHO_ID 0x6a74

#endif
