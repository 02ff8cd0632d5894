/* types: a configuration as the daemon uses it: defaults filled in, paths absolute. */
#ifndef SRC_CONFIG_TYPES_H
#define SRC_CONFIG_TYPES_H

#include <net/if.h>

#include "base/addr.h"
#include "base/log.h"
#include "vm/vm.h"

#define CONFIG_ROWS 64                 /* options of one section */

/* A list as written; lines[i] is where items[i] stands. */
struct config_list {
	const char **items;
	unsigned *lines;
	unsigned n;
};

enum config_on_exit { CONFIG_EXIT_LEAVE, CONFIG_EXIT_STOP };

/* The tier that an idle unit sleeps in. */
enum config_sleep { CONFIG_SLEEP_STOP, CONFIG_SLEEP_FREEZE, CONFIG_SLEEP_SAVE };

/* What becomes of a unit that was frozen for freeze-for. */
enum config_freeze_then { CONFIG_FREEZE_THEN_STOP, CONFIG_FREEZE_THEN_SAVE };

/* What a unit that another one needs must be before that one boots. */
enum config_after { CONFIG_AFTER_READY, CONFIG_AFTER_STARTED };

/* What a TCP connection of passive-from to a sleeping unit gets: a RST, or it is closed at once. */
enum config_passive_port { CONFIG_PASSIVE_CLOSED, CONFIG_PASSIVE_ACCEPT };

/* When a query for a unit that is not awake is answered. */
enum config_answer { CONFIG_ANSWER_READY, CONFIG_ANSWER_NOW };

enum config_ready_kind {
	CONFIG_READY_TCP, CONFIG_READY_PING, CONFIG_READY_ARP, CONFIG_READY_DELAY,
	CONFIG_READY_XENSTORE
};

struct config_ready {
	enum config_ready_kind kind;
	uint16_t port;                 /* of CONFIG_READY_TCP */
	uint32_t delay_ms;             /* of CONFIG_READY_DELAY */
	const char *key;               /* of CONFIG_READY_XENSTORE, below the domain's path */
};

struct config_listen {
	struct msg_addr addr;          /* the unspecified address of its family listens on all */
	uint16_t port;
};

struct config_limits {
	unsigned boots;                /* concurrent boots; resolved, >= 1 */
	unsigned vms;                  /* VMs that run at once */
	uint64_t memory_bytes;         /* of all VMs together; resolved, > 0 */
	unsigned wakes_per_minute;     /* of one unit; 0 = no limit */
	unsigned wakes_per_minute_total; /* 0 = no limit */
	unsigned udp_wakes_per_minute; /* of clients that prove no address; 0 = no limit */
	unsigned queue;                /* wakes that wait for a limit */
	uint32_t queue_timeout_ms;     /* ... at most so long; 0 = no limit */
	uint32_t hang_timeout_ms;      /* owing an answer so long, a hypervisor hangs; 0 = never */
	unsigned memory_pressure;      /* percent of stalls from which VMs give way; 0 = never */
	unsigned held_per_unit;        /* held queries */
	unsigned held_total;
	unsigned tcp_clients;
	uint32_t tcp_idle_ms;
	unsigned udp_payload;          /* bytes */
	uint64_t zone_memory_bytes;    /* of one zone while it is compiled */
	uint32_t zone_time_ms;
};

/* A bridge and what may live on it. */
struct config_network {
	const char *name;
	unsigned line;
	unsigned index;                /* in config.networks */
	const char *bridge;            /* shorter than IFNAMSIZ */
	struct msg_addr *subnets;      /* with prefixlen; no two overlap, of all networks */
	unsigned nsubnets;
	struct msg_addr *gateways;     /* in subnets, with their prefixlen; at most one in each */
	unsigned ngateways;
	struct addr_range *units;      /* each inside a subnet; none: the network serves `nics` */
	unsigned nunits;
	struct msg_addr *probes;       /* sources of probes, as gateways; none: the bridge's own */
	unsigned nprobes;
	bool packets;                  /* they wake units, too */
	struct config_list subnets_text, gateway_text, units_text, probe_text;   /* as written */
};

struct config_disk {
	const char *path;              /* a template (template.h); absolute */
	enum vm_disk_format format;
	bool readonly;
	unsigned line;
};

/* Clients that neither wake a unit nor keep it awake. */
struct config_passive {
	unsigned n;                    /* 1..LIMIT_PASSIVE */
	struct msg_addr from[];        /* prefixes */
};

/* Hours of some days of the week (0 = Monday), by the host's clock; the last day may be before. */
struct config_hours {
	uint8_t first, last;
	uint16_t begin_min, end_min;   /* of the day; the end may be on the next one */
};

/* When a unit is kept awake. */
struct config_schedule {
	unsigned n;                    /* 1..LIMIT_SCHEDULE */
	struct config_hours at[];
};

/* A rate: bytes in a window of seconds. */
#define CONFIG_RATE(bytes, s) ((uint64_t)(s) << 32 | (bytes))
#define CONFIG_RATE_BYTES(rate) ((uint32_t)(rate))
#define CONFIG_RATE_S(rate) ((uint32_t)((rate) >> 32))

/* Packets that wake a unit. */
struct config_wake_on {
	unsigned n;                    /* 1..LIMIT_WAKE_ON */
	struct msg_wake_on on[];
};

/* The part of an image that a mapping may set for its unit; UINT32_MAX: auto, in a unit never. */
struct config_policy {
	uint32_t idle_ms;              /* no use for so long: sleep; 0 = never */
	uint32_t hold_ms;              /* a query is held at most so long */
	uint32_t min_up_ms;            /* awake at least so long */
	uint32_t unused_after_ms;      /* woken, never contacted: sleep; 0 = `idle` decides */
	unsigned sleep;                /* enum config_sleep */
	unsigned answer;               /* enum config_answer */
	unsigned after;                /* enum config_after, of needs that do not say */
	uint64_t memory_bytes;
	uint64_t idle_below;           /* CONFIG_RATE_*; 0 bytes: any payload is use */
	bool keep_open;                /* an open TCP connection is use, silent or not */
	const struct config_wake_on *wake_on;   /* NULL: any */
	const struct config_passive *passive;   /* NULL: nobody */
	unsigned passive_port;         /* enum config_passive_port */
	const struct config_schedule *schedule; /* NULL: no hours */
};

struct config_image {
	const char *name;
	unsigned line;
	unsigned index;                /* in config.images */
	unsigned driver;               /* index into option_drivers[] (options.h) */
	const char *driver_name;
	const char *kernel;            /* absolute or NULL */
	const char *initrd;            /* a template, absolute or NULL */
	const char *cmdline;           /* a template or NULL */
	unsigned vcpus;
	unsigned machine;              /* enum vm_machine */
	unsigned accel;                /* enum vm_accel */
	unsigned type;                 /* enum vm_type; driver xen, as the next two */
	const char *xl;                /* absolute or NULL; says memory, vcpus, type by default */
	const char *vif_script;        /* absolute or NULL */
	const struct config_network *network;
	const struct config_network **nics;   /* further networks, no addresses of ours on them */
	unsigned nnics;
	struct config_disk *disks;
	unsigned ndisks;
	bool overlay;                  /* every writable disk gets a qcow2 per unit on top */
	struct config_list args;       /* templates */
	struct config_ready ready;
	uint32_t boot_timeout_ms;
	unsigned stop;                 /* enum vm_stop_how */
	uint32_t stop_timeout_ms;
	unsigned standby;              /* VMs of so many dormant units wait */
	uint32_t freeze_for_ms;        /* frozen for so long: freeze_then; 0 = stays frozen */
	unsigned freeze_then;          /* enum config_freeze_then */
	uint32_t save_for_ms;          /* saved for so long: the state is removed; 0 = stays */
	uint32_t backoff_min_ms, backoff_max_ms;
	unsigned cpu_percent;          /* 0 = no limit; 100 = one core */
	unsigned cpu_weight;
	struct config_policy policy;   /* defaults of its units */
	unsigned placeholders;         /* TEMPLATE_* bits of cmdline, initrd, disks and args */
	const char *network_name, *ready_text;      /* as written */
	struct config_list nics_text, disks_text, wake_on_text, passive_text, schedule_text;
	unsigned lines[CONFIG_ROWS];            /* of the section's options, by row; 0 = default */
};

/* A zone section as written. */
struct config_zone_section {
	const char *origin;            /* lower case, no final dot ("." for the root), or "*" */
	unsigned line;
	const char *file;              /* absolute; of origin "*" with a `*` in its name */
	const char *units;             /* absolute or NULL; `*` as in file */
	struct config_list images_text;
	const struct config_image **images;   /* what its mappings may use; none listed = all */
	unsigned nimages;
};

/* One zone to serve: a section, or one file that a section with origin "*" matched. */
struct config_zone {
	const char *origin;            /* lower case, no final dot; "." for the root */
	unsigned index;                /* in config.zones */
	const char *file;              /* absolute; may be unreadable */
	const char *units;             /* absolute or NULL: mappings stand in the zone itself */
	const struct config_zone_section *section;
};

/* A file that a section with origin "*" matches and that is no zone: it costs no other. */
struct config_stray {
	struct config_stray *next;
	const char *name;              /* what stands for the star, escaped */
	const char *file;              /* absolute */
	unsigned line;                 /* of the section's `file` */
	const char *why;
};

struct config {
	const char *path;              /* absolute, without symbolic links */
	const char *dir;               /* its directory: relative paths start here */
	const char *text;              /* of the file, without an end that can be relied on */
	size_t text_len;
	struct config_listen *listen;
	unsigned nlisten;
	unsigned port;
	unsigned workers;              /* resolved, 1..LIMIT_WORKERS */
	const char *control;           /* socket path */
	const char *state;             /* directory */
	const char *run_dir;
	const char *user, *vm_user;
	unsigned on_exit;              /* enum config_on_exit */
	struct config_list admins;     /* user names, which may not exist */
	const char *nsid;              /* NULL = none */
	const char *cookie_secret_file;   /* absolute; NULL: random */
	uint32_t address_hold_ms;      /* so long is a removed unit's address refused to others */
	unsigned log_level;            /* enum log_level */
	unsigned pool;                 /* QEMUs that wait for any unit */
	struct addr_range *proxies;    /* who speaks PROXY protocol to us */
	unsigned nproxies;
	struct config_list proxies_text;
	struct config_limits limits;
	struct config_network *networks;
	unsigned nnetworks;
	struct config_image *images;
	unsigned nimages;
	struct config_zone_section *sections;
	unsigned nsections;
	struct config_zone *zones;     /* with what "*" matched at the load; sorted by origin */
	unsigned nzones;
	struct config_stray *strays;
	unsigned nstrays;
	struct config_list listen_text;
	unsigned lines[CONFIG_ROWS];            /* of the top level's options, by row */
	unsigned limits_lines[CONFIG_ROWS];
	void *arena;
	unsigned refs;                 /* holders beside the first; config_free drops one */
};

#endif
