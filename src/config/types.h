/*
 * types: a configuration in memory, as the daemon uses it: every default filled in, every path
 * absolute.
 */
#ifndef SRC_CONFIG_TYPES_H
#define SRC_CONFIG_TYPES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/msg.h"
#include "vm/vm.h"

/* A list as written; lines[i] is where items[i] stands. */
struct config_list {
	const char **items;
	unsigned *lines;
	unsigned n;
};

enum config_on_exit { CONFIG_EXIT_LEAVE, CONFIG_EXIT_STOP };

/* The tier that an idle unit sleeps in. */
enum config_sleep { CONFIG_SLEEP_STOP, CONFIG_SLEEP_FREEZE, CONFIG_SLEEP_SAVE };

/* When a query for a unit that is not awake is answered. */
enum config_answer { CONFIG_ANSWER_READY, CONFIG_ANSWER_NOW };

enum config_ready_kind {
	CONFIG_READY_TCP,
	CONFIG_READY_PING,
	CONFIG_READY_ARP,
	CONFIG_READY_DELAY,
	CONFIG_READY_XENSTORE
};

struct config_ready {
	enum config_ready_kind kind;
	uint16_t port;                 /* of CONFIG_READY_TCP */
	uint32_t delay_ms;             /* of CONFIG_READY_DELAY */
	/* of CONFIG_READY_XENSTORE, below the domain's path; else NULL */
	const char *key;
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
	/* asked for by clients that prove no address; 0 = no limit */
	unsigned udp_wakes_per_minute;
	unsigned queue;                /* wakes that wait for a limit */
	uint32_t queue_timeout_ms;     /* ... at most so long; 0 = no limit */
	/* a hypervisor that owes an answer for so long hangs; 0 = never */
	uint32_t hang_timeout_ms;
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
	/* with prefixlen; they do not overlap, here or with another network's */
	struct msg_addr *subnets;
	unsigned nsubnets;
	/* each inside a subnet, prefixlen its subnet's; at most one per subnet */
	struct msg_addr *gateways;
	unsigned ngateways;
	/* each inside one subnet; may be empty: then the network serves `nics` only */
	struct addr_range *units;
	unsigned nunits;
	/* sources of readiness probes, prefixlen the subnet's; none: the bridge's own address */
	struct msg_addr *probes;
	unsigned nprobes;
	/* as written */
	struct config_list subnets_text, gateway_text, units_text, probe_text;
};

struct config_disk {
	const char *path;              /* a template (template.h); absolute */
	enum vm_disk_format format;
	bool readonly;
	unsigned line;
};

/*
 * The part of an image that a mapping may set for its unit.  All times in milliseconds.
 */
struct config_policy {
	/*
	 * no use for so long: sleep; 0 = never.  In an image UINT32_MAX = auto; in a unit resolved
	 */
	uint32_t idle_ms;
	uint32_t hold_ms;              /* a query is held at most so long */
	uint32_t min_up_ms;            /* awake at least so long */
	/*
	 * woken and never contacted since: sleep; 0 = `idle` alone decides.  UINT32_MAX as for idle
	 */
	uint32_t unused_after_ms;
	unsigned sleep;                /* enum config_sleep */
	unsigned answer;               /* enum config_answer */
	uint64_t memory_bytes;
};

struct config_image {
	const char *name;
	unsigned line;
	unsigned index;                /* in config.images */
	/* index into option_drivers[] (options.h); name in driver_name */
	unsigned driver;
	const char *driver_name;
	const char *kernel;            /* absolute or NULL */
	const char *initrd;            /* a template, absolute or NULL */
	const char *cmdline;           /* a template or NULL */
	unsigned vcpus;
	unsigned machine;              /* enum vm_machine */
	unsigned accel;                /* enum vm_accel */
	unsigned type;                 /* enum vm_type; driver xen, as the next two */
	/* absolute or NULL; memory, vcpus and type are its where the section does not say */
	const char *xl;
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
	uint32_t freeze_for_ms;        /* frozen for so long: stop; 0 = stays frozen */
	uint32_t backoff_min_ms, backoff_max_ms;
	unsigned cpu_percent;          /* 0 = no limit; 100 = one core */
	unsigned cpu_weight;
	struct config_policy policy;   /* defaults of its units */
	/* TEMPLATE_* bits that cmdline, initrd, disks and args use */
	unsigned placeholders;
	/* as written */
	const char *network_name, *ready_text;
	struct config_list nics_text, disks_text;
	/* where each option of the section stands, by its row in the section; 0 = default */
	unsigned lines[64];
};

/* A zone section as written. */
struct config_zone_section {
	const char *origin;            /* lower case, no final dot ("." for the root), or "*" */
	unsigned line;
	/* absolute; with origin "*" it holds one `*` in its last component */
	const char *file;
	const char *units;             /* absolute or NULL; `*` as in file */
	struct config_list images_text;
	const struct config_image **images;   /* what its mappings may use; none listed = all */
	unsigned nimages;
};

/* One zone to serve: a section, or one file that a section with origin "*" matched. */
struct config_zone {
	const char *origin;            /* lower case, no final dot; "." for the root */
	unsigned index;                /* in config.zones */
	/* absolute; whether it can be read is the loader's question */
	const char *file;
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
	/* user names; whether they exist is looked up when they are needed */
	struct config_list admins;
	const char *nsid;              /* NULL = none */
	const char *cookie_secret_file;   /* absolute; NULL: random */
	/* a removed unit's address is refused to others for so long */
	uint32_t address_hold_ms;
	unsigned log_level;            /* enum log_level */
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
	/* sections with "*" expanded when the file was loaded; sorted by origin */
	struct config_zone *zones;
	unsigned nzones;
	struct config_stray *strays;
	unsigned nstrays;
	struct config_list listen_text;
	unsigned lines[64];            /* of the top level's options, by row */
	unsigned limits_lines[64];
	void *arena;
	unsigned refs;                 /* holders beside the first; config_free drops one */
};

#endif
