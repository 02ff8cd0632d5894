/* options: the table, and looking things up in it. */
#include "src/config/options.h"

#include <string.h>

#include "src/config/types.h"

#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define PATH_MOST 1023
#define NSID_MOST 63
/* `xenstore:` and a key. */
#define READY_MOST (9 + LIMIT_XENSTORE_KEY - 1)

const char *const option_drivers[] = { "qemu", "xen", NULL };

static const char *const words_bool[] = { "no", "yes", NULL };
static const char *const words_on_exit[] = { "leave", "stop", NULL };
static const char *const words_level[] = { "err", "warn", "info", "debug", NULL };
static const char *const words_machine[] = { "microvm", "q35", NULL };
static const char *const words_accel[] = { "auto", "kvm", "tcg", NULL };
static const char *const words_type[] = { "pv", "pvh", "hvm", NULL };
static const char *const words_stop[] = { "destroy", "shutdown", NULL };
static const char *const words_sleep[] = { "stop", "freeze", "save", NULL };
static const char *const words_freeze_then[] = { "stop", "save", NULL };
static const char *const words_passive[] = { "closed", "accept", NULL };
static const char *const words_answer[] = { "ready", "now", NULL };
static const char *const words_after[] = { "ready", "started", NULL };

/* Words stand for enums by position. */
_Static_assert(CONFIG_EXIT_LEAVE == 0 && CONFIG_EXIT_STOP == 1, "words_on_exit");
_Static_assert(
    LOG_L_ERR == 0 && LOG_L_WARN == 1 && LOG_L_INFO == 2 && LOG_L_DEBUG == 3, "words_level");
_Static_assert(VM_MACHINE_MICROVM == 0 && VM_MACHINE_Q35 == 1, "words_machine");
_Static_assert(VM_ACCEL_AUTO == 0 && VM_ACCEL_KVM == 1 && VM_ACCEL_TCG == 2, "words_accel");
_Static_assert(VM_TYPE_PV == 0 && VM_TYPE_PVH == 1 && VM_TYPE_HVM == 2, "words_type");
_Static_assert(VM_STOP_DESTROY == 0 && VM_STOP_SHUTDOWN == 1, "words_stop");
_Static_assert(
    CONFIG_SLEEP_STOP == 0 && CONFIG_SLEEP_FREEZE == 1 && CONFIG_SLEEP_SAVE == 2, "words_sleep");
_Static_assert(
    CONFIG_FREEZE_THEN_STOP == 0 && CONFIG_FREEZE_THEN_SAVE == 1, "words_freeze_then");
_Static_assert(CONFIG_PASSIVE_CLOSED == 0 && CONFIG_PASSIVE_ACCEPT == 1, "words_passive");
_Static_assert(CONFIG_ANSWER_READY == 0 && CONFIG_ANSWER_NOW == 1, "words_answer");
_Static_assert(CONFIG_AFTER_READY == 0 && CONFIG_AFTER_STARTED == 1, "words_after");

#define TOP(name, type, flags, least, most, def, words, field, help) \
	{ OPTION_TOP, name, type, flags, least, most, def, words, \
	    offsetof(struct config, field), help }
#define LIMIT(name, type, flags, least, most, def, field, help) \
	{ OPTION_LIMITS, name, type, flags, least, most, def, NULL, \
	    offsetof(struct config_limits, field), help }
#define NETWORK(name, type, flags, least, most, def, field, help) \
	{ OPTION_NETWORK, name, type, flags, least, most, def, NULL, \
	    offsetof(struct config_network, field), help }
#define ZONE(name, type, flags, least, most, field, help) \
	{ OPTION_ZONE, name, type, flags, least, most, NULL, NULL, \
	    offsetof(struct config_zone_section, field), help }
#define IMAGE(name, type, flags, least, most, def, words, field, help) \
	{ OPTION_IMAGE, name, type, flags, least, most, def, words, \
	    offsetof(struct config_image, field), help }
#define KEY(name, type, least, most, help) \
	{ OPTION_MAPPING, name, type, OPTION_UNIT, least, most, NULL, \
	    (type) == OPTION_BOOL ? words_bool : NULL, 0, help }

_Static_assert(sizeof(((struct msg *)NULL)->dns_conf.nsid) > NSID_MOST, "a message holds it");

/* For lists, least and most bound the number of items. */
const struct config_option options[] = {
	TOP("listen", OPTION_LISTEN, OPTION_LIST | OPTION_RESTART, 1, LIMIT_LISTEN,
	    "0.0.0.0 ::", NULL, listen_text,
	    "addresses to answer on, each with a port of its own where one is written"),
	TOP("port", OPTION_INT, OPTION_RESTART, 1, 65535, "53", NULL, port, "UDP and TCP port"),
	TOP("workers", OPTION_INT, OPTION_AUTO | OPTION_RESTART, 0, LIMIT_WORKERS, "auto", NULL,
	    workers, "threads that answer queries; auto and 0: one per core"),
	TOP("control", OPTION_PATH, OPTION_RESTART, 1, LIMIT_SOCKET_PATH, NULL, NULL, control,
	    "path of the control socket; by default control in run-dir"),
	TOP("state", OPTION_PATH, OPTION_RESTART, 1, PATH_MOST, "/var/lib/jitsu", NULL, state,
	    "directory for what must survive: units' states, saved VMs, overlays, the host secret"),
	TOP("run-dir", OPTION_PATH, OPTION_RESTART, 1, LIMIT_RUN_DIR, "/run/jitsu", NULL, run_dir,
	    "directory for sockets; it also names this instance, whose VMs are known by it"),
	TOP("user", OPTION_NAME, OPTION_RESTART, 1, 31, "jitsu", NULL, user,
	    "whom the confined processes run as"),
	TOP("vm-user", OPTION_NAME, OPTION_RESTART, 1, 31, "jitsu-vm", NULL, vm_user,
	    "whom the VMs run as"),
	TOP("on-exit", OPTION_WORD, 0, 0, 0, "leave", words_on_exit, on_exit,
	    "what becomes of the VMs when the daemon ends"),
	TOP("admins", OPTION_NAME, OPTION_LIST, 0, LIMIT_ADMINS, NULL, NULL, admins,
	    "users besides root who may change things by jitsu(1)"),
	TOP("nsid", OPTION_STRING, OPTION_RESTART, 1, NSID_MOST, NULL, NULL, nsid,
	    "server identifier for who asks for it (RFC 5001)"),
	TOP("cookie-secret-file", OPTION_PATH, 0, 1, PATH_MOST, NULL, NULL, cookie_secret_file,
	    "file with the secrets of DNS cookies, to be shared by servers of one address; by "
	    "default a random one"),
	TOP("proxy-protocol", OPTION_RANGE, OPTION_LIST, 0, LIMIT_PROXIES, NULL, NULL, proxies_text,
	    "load balancers, whose queries begin with a PROXY protocol header, version 2"),
	TOP("address-hold", OPTION_DURATION, OPTION_RESTART, 0, 30 * DAY, "3d", NULL,
	    address_hold_ms,
	    "a removed unit's address is refused to others for so long; 0s: not at all"),
	TOP("pool", OPTION_INT, 0, 0, LIMIT_AHEAD, "0", NULL, pool,
	    "QEMUs that are started ahead, for whichever unit wakes"),
	TOP("log-level", OPTION_WORD, 0, 0, 0, "info", words_level, log_level,
	    "the least important messages to log"),

	LIMIT("boots", OPTION_INT, OPTION_AUTO, 1, 1000, "auto", boots,
	    "VMs that boot at the same time; auto: twice the cores, at least 4"),
	LIMIT("vms", OPTION_INT, 0, 1, 100000, "500", vms, "VMs that run at the same time"),
	LIMIT("memory", OPTION_SIZE, OPTION_AUTO, MIB, 1024 * TIB, "auto", memory_bytes,
	    "memory of all VMs together; auto: three quarters of the machine's"),
	LIMIT("wakes-per-minute", OPTION_INT, 0, 0, 100000, "30", wakes_per_minute,
	    "wakes of one unit; 0: no limit"),
	LIMIT("wakes-per-minute-total", OPTION_INT, 0, 0, 10000000, "3000", wakes_per_minute_total,
	    "wakes of all units; 0: no limit"),
	LIMIT("udp-wakes-per-minute", OPTION_INT, 0, 0, 10000000, "600", udp_wakes_per_minute,
	    "wakes by UDP without a DNS cookie; beyond it such clients are sent to TCP; 0: no "
	    "limit"),
	LIMIT("queue", OPTION_INT, 0, 0, 100000, "1000", queue,
	    "wakes that wait until a limit lets them boot"),
	LIMIT("queue-timeout", OPTION_DURATION, 0, 0, DAY, "5m", queue_timeout_ms,
	    "a wake that no limit lets boot within this is refused; 0s: it waits as long as it "
	    "takes"),
	LIMIT("hang-timeout", OPTION_DURATION, 0, 0, HOUR, "30s", hang_timeout_ms,
	    "a QEMU that does not answer for so long is ended, its VM with it; 0s: never"),
	LIMIT("memory-pressure", OPTION_PERCENT, 0, 0, 100, "10%", memory_pressure,
	    "when some task of this host waits for memory for so much of two seconds, the VM that "
	    "was used least lately gives way; 0%: none does"),
	LIMIT("held-per-unit", OPTION_INT, OPTION_RESTART, 1, 100000, "1000", held_per_unit,
	    "queries held for one unit; beyond it the oldest is answered"),
	LIMIT("held-total", OPTION_INT, OPTION_RESTART, 1, 1000000, "10000", held_total,
	    "queries held in all"),
	LIMIT("tcp-clients", OPTION_INT, OPTION_RESTART, 1, 100000, "500", tcp_clients,
	    "TCP connections at the same time"),
	LIMIT("tcp-idle", OPTION_DURATION, OPTION_RESTART, 100, HOUR, "10s", tcp_idle_ms,
	    "a TCP connection without a query for so long is closed"),
	LIMIT("udp-payload", OPTION_INT, OPTION_RESTART, LIMIT_UDP_PAYLOAD_MIN,
	    LIMIT_UDP_PAYLOAD_MAX, "1232", udp_payload,
	    "bytes of the largest UDP answer and of the EDNS buffer size announced"),
	LIMIT("zone-memory", OPTION_SIZE, 0, 4 * MIB, TIB, "1G", zone_memory_bytes,
	    "memory of one zone while it is compiled, and bytes of its files with what they "
	    "include"),
	LIMIT("zone-time", OPTION_DURATION, 0, 1000, HOUR, "1m", zone_time_ms,
	    "a zone that takes longer to compile is not loaded"),

	NETWORK("bridge", OPTION_NAME, OPTION_REQUIRED, 1, IFNAMSIZ - 1, NULL, bridge,
	    "interface name of the bridge, which exists already"),
	NETWORK("subnets", OPTION_PREFIX, OPTION_LIST, 0, LIMIT_NETWORK_RANGES, NULL,
	    subnets_text, "prefixes that are on the bridge"),
	NETWORK("gateway", OPTION_ADDRESS, OPTION_LIST, 0, LIMIT_NETWORK_RANGES, NULL,
	    gateway_text, "gateways of the units, at most one per subnet"),
	NETWORK("units", OPTION_RANGE, OPTION_LIST, 0, LIMIT_NETWORK_RANGES, NULL,
	    units_text, "addresses that units may have"),
	NETWORK("probe", OPTION_ADDRESS, OPTION_LIST, 0, LIMIT_NETWORK_RANGES, NULL,
	    probe_text, "where readiness probes come from; by default the bridge's own address in "
	    "the unit's subnet"),
	NETWORK("packets", OPTION_BOOL, 0, 0, 1, "yes", packets,
	    "whether packets wake units there, too"),

	ZONE("file", OPTION_PATH, OPTION_REQUIRED, 1, PATH_MOST, file, "master file"),
	ZONE("units", OPTION_PATH, 0, 1, PATH_MOST, units,
	    "master file with the mappings, when they are not in the zone's"),
	ZONE("images", OPTION_NAME, OPTION_LIST, 0, 1000, images_text,
	    "images that the zone's mappings may use; by default all"),

	IMAGE("driver", OPTION_WORD, 0, 0, 0, "qemu", option_drivers, driver, "what runs the VM"),
	IMAGE("kernel", OPTION_PATH, 0, 1, PATH_MOST, NULL, NULL, kernel, "kernel or unikernel"),
	IMAGE("initrd", OPTION_PATH, OPTION_TEMPLATE, 1, PATH_MOST, NULL, NULL, initrd,
	    "initial RAM disk"),
	IMAGE("cmdline", OPTION_STRING, OPTION_TEMPLATE, 0, LIMIT_CMDLINE - 1, NULL, NULL, cmdline,
	    "kernel command line"),
	IMAGE("memory", OPTION_SIZE, OPTION_UNIT | OPTION_DOWN, MIB, TIB, "64M", NULL,
	    policy.memory_bytes, "memory of the VM"),
	IMAGE("vcpus", OPTION_INT, 0, 1, 64, "1", NULL, vcpus, "virtual CPUs"),
	IMAGE("machine", OPTION_WORD, 0, 0, 0, "microvm", words_machine, machine, "machine type"),
	IMAGE("accel", OPTION_WORD, 0, 0, 0, "auto", words_accel, accel,
	    "accelerator; auto: KVM if it works, else TCG"),
	IMAGE("type", OPTION_WORD, 0, 0, 0, "pvh", words_type, type,
	    "driver xen: kind of domain; with xl by default the file's"),
	IMAGE("xl", OPTION_PATH, 0, 1, PATH_MOST, NULL, NULL, xl,
	    "driver xen: an xl.cfg file; what this section says itself overrides it"),
	IMAGE("vif-script", OPTION_PATH, 0, 1, PATH_MOST, NULL, NULL, vif_script,
	    "driver xen: hotplug script of the NICs; by default our own helper"),
	IMAGE("network", OPTION_NAME, OPTION_REQUIRED, 1, 63, NULL, NULL, network_name,
	    "network of the first NIC and of the units' addresses"),
	IMAGE("nics", OPTION_NAME, OPTION_LIST, 0, LIMIT_NICS - 1, NULL, NULL, nics_text,
	    "networks of further NICs"),
	IMAGE("disks", OPTION_DISK, OPTION_LIST | OPTION_TEMPLATE, 0, LIMIT_DISKS, NULL, NULL,
	    disks_text, "disks, in their order"),
	IMAGE("overlay", OPTION_BOOL, 0, 0, 1, "no", words_bool, overlay,
	    "give each unit its own qcow2 on top of every writable disk"),
	IMAGE("args", OPTION_STRING, OPTION_LIST | OPTION_TEMPLATE, 0, LIMIT_ARGS, NULL, NULL, args,
	    "further arguments of the hypervisor"),
	IMAGE("ready", OPTION_READY, 0, 1, READY_MOST, "ping", NULL, ready_text,
	    "how a VM shows that it is ready"),
	IMAGE("boot-timeout", OPTION_DURATION, 0, 100, HOUR, "30s", NULL, boot_timeout_ms,
	    "a boot that takes longer has failed"),
	IMAGE("stop", OPTION_WORD, 0, 0, 0, "destroy", words_stop, stop, "how a VM is stopped"),
	IMAGE("stop-timeout", OPTION_DURATION, 0, 100, HOUR, "10s", NULL, stop_timeout_ms,
	    "with stop = shutdown: destroy it after so long"),
	IMAGE("idle", OPTION_DURATION, OPTION_UNIT | OPTION_AUTO, 0, LIMIT_IDLE_S *SECOND, "auto",
	    NULL, policy.idle_ms,
	    "a unit without use for so long goes to sleep; 0s: never; auto: twice the record's "
	    "TTL, from 60s to 10m"),
	IMAGE("hold", OPTION_DURATION, OPTION_UNIT, 0, 30 * SECOND, "1s", NULL, policy.hold_ms,
	    "queries wait so long for their unit, from a wake's first one on"),
	IMAGE("min-up", OPTION_DURATION, OPTION_UNIT, 0, DAY, "10s", NULL, policy.min_up_ms,
	    "a unit stays awake at least so long"),
	IMAGE("unused-after", OPTION_DURATION, OPTION_UNIT | OPTION_AUTO, 0, LIMIT_IDLE_S *SECOND,
	    "auto", NULL, policy.unused_after_ms,
	    "a unit that was woken and never contacted goes to sleep after so long; 0s: only idle "
	    "counts; auto: the record's TTL, from 30s to 10m"),
	IMAGE("idle-below", OPTION_RATE, OPTION_UNIT, 0, MIB, "0/m", NULL, policy.idle_below,
	    "payload of no more than so many bytes in a second, minute or hour is no use; 0/m: "
	    "any is"),
	IMAGE("keep-open", OPTION_BOOL, OPTION_UNIT, 0, 1, "no", words_bool, policy.keep_open,
	    "whether TCP connections to a unit keep it awake when they are silent, too"),
	IMAGE("schedule", OPTION_HOURS, OPTION_LIST | OPTION_UNIT, 0, LIMIT_SCHEDULE, NULL, NULL,
	    schedule_text, "hours in which a unit is kept awake"),
	IMAGE("sleep", OPTION_WORD, OPTION_UNIT, 0, 0, "stop", words_sleep, policy.sleep,
	    "how a unit sleeps"),
	IMAGE("standby", OPTION_INT, 0, 0, LIMIT_AHEAD, "0", NULL, standby,
	    "so many dormant units, those that were used last, have a VM that only waits to run"),
	IMAGE("freeze-for", OPTION_DURATION, 0, 0, 30 * DAY, "10m", NULL, freeze_for_ms,
	    "a frozen unit is stopped, or saved, after so long; 0s: never"),
	IMAGE("freeze-then", OPTION_WORD, 0, 0, 0, "stop", words_freeze_then, freeze_then,
	    "what becomes of a unit that was frozen for so long"),
	IMAGE("save-for", OPTION_DURATION, 0, 0, 30 * DAY, "0s", NULL, save_for_ms,
	    "a saved state is removed after so long; 0s: never"),
	IMAGE("answer", OPTION_WORD, OPTION_UNIT, 0, 0, "ready", words_answer, policy.answer,
	    "when a query that wakes the unit is answered"),
	IMAGE("after", OPTION_WORD, OPTION_UNIT, 0, 0, "ready", words_after, policy.after,
	    "what the units that it needs must be before it boots"),
	IMAGE("wake-on", OPTION_WAKE, OPTION_LIST | OPTION_UNIT, 0, LIMIT_WAKE_ON, NULL, NULL,
	    wake_on_text, "packets that wake the unit; by default all TCP, UDP and pings"),
	IMAGE("passive-from", OPTION_PREFIX, OPTION_LIST | OPTION_UNIT, 0, LIMIT_PASSIVE, NULL,
	    NULL, passive_text, "monitors, which neither wake the unit nor keep it awake"),
	IMAGE("passive-port", OPTION_WORD, OPTION_UNIT, 0, 0, "closed", words_passive,
	    policy.passive_port, "what a monitor's TCP connection to a sleeping unit gets"),
	IMAGE("backoff-min", OPTION_DURATION, 0, 100, HOUR, "1s", NULL, backoff_min_ms,
	    "pause after a failed boot; doubles with each"),
	IMAGE("backoff-max", OPTION_DURATION, 0, 100, DAY, "5m", NULL, backoff_max_ms,
	    "the longest pause after failed boots"),
	IMAGE("cpu", OPTION_PERCENT, 0, 0, 6400, "0%", NULL, cpu_percent,
	    "most CPU time, 100% is one core; 0%: no limit"),
	IMAGE("cpu-weight", OPTION_INT, 0, 1, 10000, "50", NULL, cpu_weight,
	    "share of CPU time when it is scarce; the daemon has 100"),

	KEY("image", OPTION_NAME, 1, 63, "the image to run"),
	KEY("unit", OPTION_OWNER, 1, 253,
	    "another unit that this name stands for; the only key then"),
	KEY("needs", OPTION_NEEDS, 1, 255, "units that must be ready, or started, first"),
	KEY("mac", OPTION_MAC, 17, 17,
	    "MAC address of the first NIC; by default made from the host secret and the name"),
	KEY("standby", OPTION_BOOL, 0, 1,
	    "while it is dormant, it has a VM that only waits to run; by default the image says"),
};

const unsigned options_count = sizeof(options) / sizeof(options[0]);

static const char *const section_names[OPTION_SECTIONS] = {
	[OPTION_TOP] = "", [OPTION_LIMITS] = "limits", [OPTION_NETWORK] = "network",
	[OPTION_ZONE] = "zone", [OPTION_IMAGE] = "image", [OPTION_MAPPING] = "mapping",
};

const char *
option_section_name(enum option_section s)
{
	return section_names[s];
}

static bool
named(const struct config_option *o, const char *name, size_t len)
{
	return strlen(o->name) == len && memcmp(o->name, name, len) == 0;
}

static bool
is_key(const struct config_option *o)
{
	return o->section == OPTION_MAPPING ||
	    (o->section == OPTION_IMAGE && (o->flags & OPTION_UNIT) != 0);
}

const struct config_option *
option_find(enum option_section s, const char *name, size_t len)
{
	for (unsigned i = 0; i < options_count; i++)
		if (options[i].section == s && named(&options[i], name, len))
			return &options[i];
	return NULL;
}

const struct config_option *
option_find_key(const char *name, size_t len)
{
	for (unsigned i = 0; i < options_count; i++)
		if (is_key(&options[i]) && named(&options[i], name, len))
			return &options[i];
	return NULL;
}

unsigned
option_row(const struct config_option *o)
{
	const struct config_option *first = o;

	while (first > options && first[-1].section == o->section)
		first--;
	return (unsigned)(o - first);
}

unsigned
option_row_named(enum option_section s, const char *name)
{
	return option_row(option_find(s, name, strlen(name)));
}

void
option_offer(enum option_section s, struct suggest *to)
{
	for (unsigned i = 0; i < options_count; i++)
		if (s == OPTION_MAPPING ? is_key(&options[i]) : options[i].section == s)
			suggest_offer(to, options[i].name);
	for (int i = OPTION_LIMITS; s == OPTION_TOP && i < OPTION_MAPPING; i++)
		suggest_offer(to, section_names[i]);
}

void
option_keys(char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < options_count; i++)
			if (is_key(&options[i]) &&
			    (options[i].section == OPTION_MAPPING) == (pass == 0))
				text_join(buf, size, ", ", "%s", options[i].name);
}
