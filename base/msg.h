/*
 * msg: what the warden and its children say to each other, over one SOCK_SEQPACKET pair per child.
 *
 * Every message has one fixed size and begins with a version; descriptors travel beside it
 * (SCM_RIGHTS).  The warden believes nothing: a message of another size, version or type, an
 * unknown unit or an impossible value means that the child is broken or captured, and it is killed
 * and replaced.  Children believe the warden.
 *
 * Units are named by number; a number is never reused while the warden lives.  Bulk data travels in
 * sealed memory files (memfd.h), not in messages.
 */
#ifndef BASE_MSG_H
#define BASE_MSG_H

#include <stdint.h>

#include "base/limits.h"

#define MSG_VERSION 4
#define MSG_ZONE_UNITS " (units)"   /* behind the path of a zone: its units file */
#define MSG_TEXT 480

enum msg_type {
	/* warden → any child; the first message.  Then setup messages, then MSG_RUN. */
	MSG_HELLO = 1,   /* .hello */
	MSG_RUN,         /* setup is complete: confine yourself, then serve */
	/* any child → warden */
	MSG_RUNNING,     /* confined and serving */

	/* warden → dns: setup */
	MSG_DNS_CONF,    /* .dns_conf */
	MSG_SOCKETS,     /* .sockets; n descriptors */
	MSG_BOARD,       /* .board; descriptors: state (to read), use and counters (to write) */
	MSG_DNS_TUNE,    /* .dns_tune: what a reload may change; also later */
	MSG_PASSIVE,     /* .passive: a list that units' rows of the board name; also later */
	/* warden → dns: the zimages of one generation, then the commit that swaps them in */
	MSG_ZIMAGE,      /* .zimage; 1 descriptor: a sealed zimage */
	MSG_COMMIT,      /* .commit; 1 descriptor: sealed bindings, unit numbers, absent zones */
	/* dns → warden */
	MSG_COMMITTED,   /* .commit: the generation is served; older zimages are unmapped */
	MSG_WAKE,        /* .wake: somebody asked for a unit that is not awake */
	MSG_ANSWERED,    /* .answered: the held queries of a wake were answered */
	/* warden → dns */
	MSG_WOKEN,       /* .woken: how a wake ended */

	/* warden → sentinel: setup */
	/*
	 * .network; descriptors: a packet socket bound to its bridge; its port's tap, if any.
	 * None: there is no such network any more, or not its bridge.
	 */
	MSG_NETWORK,
	/* warden → sentinel */
	MSG_PROBE,       /* .probe: tell when this address answers */
	MSG_UNPROBE,     /* .unit only: forget it */
	/* warden → sentinel: packets for a unit that is not awake, see .park */
	MSG_PARK,        /* .park: it sleeps; its addresses are to be answered for */
	MSG_UNPARK,      /* .unit only: forget it, and what is held; its link is closed */
	MSG_LINK,        /* .unit; 1 descriptor (vm_link_socket): its NIC is there, it will run */
	MSG_AWAKE,       /* .unit only: it is ready, and speaks for itself; give it what is held */
	MSG_DROP,        /* .unit only: its wake failed or was refused; refuse what is held */
	/* sentinel → warden */
	MSG_ALIVE,       /* .probed: the first frame of the guest was seen */
	MSG_READY,       /* .probed: the readiness test succeeded */
	MSG_SIGN,        /* .sign: what else is seen of the guest, once each, before MSG_READY */
	MSG_KNOCK,       /* .knock: a packet wants the unit; once until MSG_PARK or MSG_DROP */
	/* .unit only, after MSG_AWAKE: it has, or refuses, all that was held; the link is closed */
	MSG_SETTLED,
	MSG_CONFLICT,    /* .conflict: another host has its address, or no longer has */

	/* warden → zones */
	MSG_ZONE,        /* .zone: load it; descriptors: its master file, its units file if any */
	MSG_INCLUDE,     /* .include; 1 descriptor; none: it may not be opened, text says why */
	MSG_COMPILE,     /* all zones were named: compile */
	MSG_ZONE_LIMITS, /* .zone_limits, before MSG_RUN: what one zone may take */
	/* zones → warden */
	MSG_WANT_INCLUDE,/* .include: open this file for me */
	MSG_COMPILING,   /* .compiling: this zone is next, whatever becomes of it */
	MSG_FINDING,     /* .finding: an error in a zone */
	MSG_COMPILED,    /* .compiled; 1 descriptor: the zimage of what loaded; none: nothing */

	/* any child → warden: shown to an operator, escaped and cut; never parsed */
	MSG_LOG,         /* .log */
	MSG_TYPE_COUNT
};

enum msg_role { ROLE_WARDEN, ROLE_DNS, ROLE_SENTINEL, ROLE_ZONES, ROLE_COUNT };

struct msg_addr {
	uint8_t family;      /* 4 or 6; 0 when absent */
	uint8_t prefixlen;
	uint8_t bytes[16];   /* network order; IPv4 in the first four */
};

/* Cookie secrets: the current, and while they are rolled its neighbour (RFC 9018 section 5). */
#define MSG_COOKIE_SECRETS 2
#define MSG_COOKIE_SECRET 16
struct msg_cookies {
	uint32_t n;          /* 0: cookies are not answered */
	/* the first makes cookies, all are accepted */
	uint8_t secret[MSG_COOKIE_SECRETS][MSG_COOKIE_SECRET];
};

/* All addresses from `first` to `last`, both included; one family. */
struct addr_range {
	struct msg_addr first, last;
};

/* Who speaks PROXY protocol to us. */
struct msg_proxies {
	uint32_t n;
	struct addr_range range[LIMIT_PROXIES];
};

enum msg_socket { MSG_SOCKET_UDP = 1, MSG_SOCKET_TCP };

/* How a wake ended, and what an answer may say of it. */
enum msg_wake_result {
	WAKE_READY = 1,      /* answer with the address */
	WAKE_FAILED,         /* the boot failed: SERVFAIL, EDE "the service failed to start" */
	WAKE_REFUSED,        /* by a limit, or in back-off: SERVFAIL with EDE */
	WAKE_GONE            /* no unit any more: answer from the zone as it is now */
};

/* RFC 8914 INFO-CODEs that say why there is no address. */
#define MSG_EDE_OTHER 0        /* the service failed to start */
#define MSG_EDE_NOT_READY 14   /* a limit is reached: ask again later */
/* Above MSG_EDE_CODE: the code in the lower bits, with words of its own. */
#define MSG_EDE_CODE 0xff
#define MSG_EDE_NEEDS 0x100    /* code 0: a service that it needs failed to start */

/* Which probe makes a unit ready. */
enum msg_probe_kind { PROBE_TCP = 1, PROBE_PING, PROBE_ARP };

/* What a guest that is not ready does; shown to who wants to know why it is not. */
enum msg_sign {
	SIGN_NEIGHBOUR,      /* it has its address: ARP, neighbour discovery */
	SIGN_REFUSED,        /* its port is closed: a RST */
	SIGN_UNREACHABLE,    /* ICMP, destination unreachable, for our SYN */
	SIGN_DHCP,           /* it asks for an address */
	SIGN_OTHER_ADDRESS,  /* .addr: it has that one */
	SIGN_OTHER_MAC,      /* .mac: that one has the address */
	SIGN_COUNT
};

/* What wakes a unit: with none of these, any TCP SYN, UDP datagram and echo request. */
struct msg_wake_on {
	uint8_t proto;       /* IPPROTO_TCP, _UDP; IPPROTO_ICMP: echo requests of both families */
	uint8_t zero;
	uint16_t port;       /* host order; 0: any */
};

/* No probe for a conflict: the unit was awake until now, or a former sentinel had its addresses. */
#define MSG_PARK_OWNED 0x1u
/* Its flows live in its memory or its state: segments in the middle of one wake it; else: a RST. */
#define MSG_PARK_MEMORY 0x2u
/* Its wake is under way, or may begin at any moment: packets are held, and nobody is told. */
#define MSG_PARK_BUSY 0x4u

/*
 * A unit that is not awake.  Told again, this counts instead of what was told before; what is held
 * stays held, and its link is closed unless it is busy.  `mac` is its first NIC's, for which the
 * bridge has a static forwarding entry towards our port: made after MSG_PARK, and moved away after
 * MSG_LINK, so that no packet is missed.  After MSG_SETTLED the sentinel knows the unit no more.
 *
 * A sentinel that follows another is told before MSG_RUN: then no packet that waited in the port's
 * queue is looked at without knowing whose it is.
 */
struct msg_park {
	uint32_t network;
	uint32_t flags;                  /* MSG_PARK_* */
	uint8_t mac[6];
	uint8_t passive_accepts;         /* TCP from `passive`: 1 accepted and closed; 0 refused */
	uint8_t non, npassive;
	struct msg_addr addr[2];         /* family 0: none */
	struct msg_wake_on on[LIMIT_WAKE_ON];
	struct msg_addr passive[LIMIT_PASSIVE];   /* prefixes whose packets do not wake */
};

/* A row of a commit: this zone is served; its unit i has the number at first_unit + i. */
struct msg_binding {
	uint32_t zimage;     /* id given by MSG_ZIMAGE */
	uint32_t zone;       /* index within the zimage */
	uint32_t nunits;     /* length of the zone's unit table, for the check */
	uint32_t first_unit; /* index into the unit numbers behind the bindings */
};

/* Among the unit numbers: the mapping was refused, its name is served as plain data. */
#define MSG_UNIT_NONE UINT32_MAX

struct msg {
	uint16_t version;
	uint16_t type;
	uint32_t unit;           /* the unit it is about; 0 where none is */
	uint64_t time_ns;        /* when the sender saw it happen (clock.h) */
	union {
		struct {
			uint32_t role;
			uint32_t uid, gid;       /* to become; 0 = stay: an unprivileged tester */
			uint32_t log_level;
			char empty_root[256];    /* to chroot into */
		} hello;
		struct msg_dns_conf {
			uint32_t workers;
			uint32_t held_per_unit;  /* held queries; then the oldest is answered */
			uint32_t held_total;
			uint32_t tcp_clients;    /* connections in all */
			uint32_t tcp_idle_ms;
			uint32_t udp_payload;    /* EDNS buffer size announced and obeyed */
			char nsid[64];           /* empty = none */
		} dns_conf;
		struct msg_dns_tune {
			uint32_t udp_wakes;      /* per minute, of unproven addresses; 0: any */
			struct msg_cookies cookies;
			struct msg_proxies proxies;
		} dns_tune;
		struct {
			uint32_t list;           /* 1..LIMIT_PASSIVE_LISTS; never another one's */
			uint32_t n;
			struct msg_addr from[LIMIT_PASSIVE];   /* prefixes */
		} passive;
		struct {
			uint32_t count;
			uint32_t worker;         /* each has its own set (SO_REUSEPORT) */
			uint8_t kind[LIMIT_MSG_FDS];       /* enum msg_socket, per descriptor */
			uint8_t wildcard[LIMIT_MSG_FDS];   /* 1: of the unspecified address */
		} sockets;
		struct {
			uint32_t capacity;       /* units that fit */
		} board;
		struct {
			uint32_t id;
			uint32_t zones;
		} zimage;
		struct {
			uint64_t generation;
			uint32_t bindings;       /* struct msg_binding at offset 0 of the file */
			uint32_t units;          /* uint32_t unit numbers behind them */
			uint32_t absent;         /* bytes of names (NUL) of zones not loaded */
		} commit;
		struct {
			uint32_t worker;
			uint16_t qtype;
			struct msg_addr client;
		} wake;
		struct {
			uint32_t result;         /* enum msg_wake_result */
			uint32_t ede;            /* MSG_EDE_*, for the two failures */
		} woken;
		struct {
			uint32_t answers;        /* how many held queries were answered */
			uint64_t first_query_ns; /* when the first of them came in */
			uint8_t expired;         /* 1: `hold` ran out before the unit was ready */
		} answered;
		struct {
			uint32_t index;          /* of the network; MSG_PROBE refers to it */
			uint32_t ifindex;
			uint8_t mac[6];          /* the bridge's */
		} network;
		struct {
			uint32_t network;
			uint32_t kind;           /* enum msg_probe_kind */
			uint16_t port;           /* of PROBE_TCP */
			uint8_t mac[6];          /* the guest's */
			struct msg_addr guest;
			struct msg_addr source;  /* the bridge's there; family 0: PROBE_ARP */
		} probe;
		struct {
			uint64_t seen_ns;        /* when the deciding frame was read */
		} probed;
		struct {
			uint64_t seen_ns;        /* as in .probed */
			uint32_t what;           /* enum msg_sign */
			uint8_t mac[6];
			struct msg_addr addr;
		} sign;
		struct msg_park park;
		struct {
			struct msg_addr peer;    /* as the packet says */
			uint8_t proto;           /* IPPROTO_TCP, _UDP, _ICMP, _ICMPV6 */
			uint8_t middle;          /* 1: a segment in the middle of a flow */
			uint16_t port;           /* the unit's; 0: an echo request */
		} knock;
		struct {
			struct msg_addr addr;    /* the unit's */
			uint8_t mac[6];          /* the other host's */
			uint8_t over;            /* 1: it is gone */
		} conflict;
		struct {
			uint32_t index;          /* the loader's own numbering */
			uint8_t shown, units_shown; /* 1: the text of the file is no secret */
			char origin[256];        /* text, absolute, or relative to the root */
			char path[224];          /* for messages; units file: MSG_ZONE_UNITS */
		} zone;
		struct {
			uint32_t index;          /* of the zone that includes it */
			uint8_t shown;           /* MSG_INCLUDE: as in .zone */
			char path[MSG_TEXT];     /* as written: from the zone file's directory */
		} include;
		struct {
			uint32_t index;
			uint32_t line;
			char file[128];
			char text[344];
		} finding;
		struct {
			uint64_t memory_bytes;   /* 0: any */
			uint32_t time_ms;
		} zone_limits;
		struct {
			uint32_t index;
		} compiling;
		struct {
			uint32_t loaded;
			uint32_t failed;
		} compiled;
		struct {
			uint32_t level;          /* enum log_level */
			char text[MSG_TEXT];
		} log;
	};
};

_Static_assert(LIMIT_CRASH_LINE <= MSG_TEXT, "the warden hears of a crash");
_Static_assert(sizeof(struct msg) <= 512, "a message stays well below the socket buffer");
_Static_assert(sizeof(struct msg_binding) == 16, "an array of bindings has no padding");

#endif
