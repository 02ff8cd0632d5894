/*
 * limits: every fixed bound of the project, each with its reason.  What an operator may change is
 * an option instead.  Bounds that depend on each other are asserted where they stand.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* ---- processes, messages, log ---- */

/* Findings kept of one load; a person reads the first screens, not the ten thousandth line. */
#define LIMIT_REPORT_LINES 200
/* Warnings among them; the rest is for errors. */
#define LIMIT_REPORT_WARNINGS 100
_Static_assert(LIMIT_REPORT_WARNINGS < LIMIT_REPORT_LINES, "errors find room behind warnings");

/* Unit numbers are never reused while a process lives; the boards are sparse: no bound is dear. */
#define LIMIT_UNIT_NUMBERS (1u << 20)

/* Descriptors in one channel message; the kernel's SCM_MAX_FD is 253. */
#define LIMIT_MSG_FDS 64
/* Messages queued on a channel; a reader beyond that counts as hung and is replaced. */
#define LIMIT_CHAN_QUEUE 4096

/* A crash: the program and its libraries (forty with Xen's), and frames that tell who called. */
#define LIMIT_CRASH_MODULES 96
#define LIMIT_CRASH_FRAMES 40
/* A line of a crash, which a message of the channel and a datagram to syslog hold. */
#define LIMIT_CRASH_LINE 480

/* A line of the log with its process and level; longer ones are cut. */
#define LIMIT_LOG_LINE 2048
/* Lines that wait for the reader of stderr or /dev/log: all of a bad minute. */
#define LIMIT_LOG_QUEUE_BYTES (256 * 1024)
/* How long the end of a process waits for that reader. */
#define LIMIT_LOG_EXIT_MS 1000

/* Lines that a confined process may log per minute: a captured one must not fill the disk. */
#define LIMIT_CHILD_LOG_LINES 120
/* Starts of one that never ran: what ends one mostly ends each; one may have been killed. */
#define LIMIT_CHILD_FIRST_STARTS 3
/* Ends per minute that are logged, with stderr: the first say why, the others how often. */
#define LIMIT_CHILD_ENDS 5
/* A line of its stderr, before the line is escaped. */
#define LIMIT_CHILD_LINE 400
/* Lines of its stderr that are logged at its end: the longest reports of libc and sanitizers. */
#define LIMIT_CHILD_OUTPUT_LINES 100
/* stderr of a VM's or confined process, kept for the message when that process fails. */
#define LIMIT_OUTPUT 16384

/* Descriptors that the daemon gives itself: fs.nr_open by default. */
#define LIMIT_DESCRIPTORS (1024 * 1024)
/* Fewer do not do for a spawn, which parks some from 256 on, beside zones and workers. */
#define LIMIT_DESCRIPTORS_LEAST 1024
/* Descriptors below it are for libraries that wait with select(2), which does no more. */
#define LIMIT_SELECT_FDS 1024
/* Processes of one user: threads of the DNS process, and of QEMUs. */
#define LIMIT_PROCESSES_LEAST 4096
/* The main thread's stack, as usual: its frames hold names and paths. */
#define LIMIT_STACK (8 * 1024 * 1024)
/* Four times what libnftables and the widest of our frames were seen to take. */
#define LIMIT_STACK_LEAST (512 * 1024)

/* Lines and events of one kind: nobody fills the disk or pushes out all other events. */
#define LIMIT_FLOOD_WINDOW_MS 60000
/* Of one unit, which boots at most half as often where nobody changed wakes-per-minute. */
#define LIMIT_FLOOD_UNIT 60
/* Of all units where the cause costs nothing; wakes that passed the limits are told of in full. */
#define LIMIT_FLOOD_KIND 600
/* Kinds, of which there are some forty, and units of which something was said in a window. */
#define LIMIT_FLOOD_KINDS 64
#define LIMIT_FLOOD_COUNTS 8192
/* "expired" events: a boot is slow, which a captured DNS process may say for nothing. */
#define LIMIT_EXPIRED_EVENTS 60

/* ---- configuration, names, addresses ---- */

/* The configuration file: ten thousand zone sections take 1 MB. */
#define LIMIT_CONFIG_BYTES (16 * 1024 * 1024)
/* A reload that leaves less than half of so many zones is asked about: fewer go by hand. */
#define LIMIT_LOSS_ZONES 4
/* A file that changed shortly before it was read may change in the same tick of its clock. */
#define LIMIT_INPUT_RACY_MS 2000
/* Two ticks of the kernel's slowest clock. */
#define LIMIT_INPUT_TICKS_MS 40

/* The path of a UNIX socket (sun_path), without its NUL. */
#define LIMIT_SOCKET_PATH 107
/* `run-dir`. */
#define LIMIT_RUN_DIR 59
_Static_assert(LIMIT_RUN_DIR + 4 + 36 + 1 + 7 <= LIMIT_SOCKET_PATH,
    "a VM's socket, with a name of 7, lies in run-dir/vm/UUID/");
/* A domain name in text, every octet escaped as \DDD: 4 * 255 and the end. */
#define LIMIT_NAME_TEXT 1024
/* Users that `admins` lists. */
#define LIMIT_ADMINS 64

/* Networks; each has one packet socket in the sentinel. */
#define LIMIT_NETWORKS 64
/* Subnets, gateways or unit ranges of one network. */
#define LIMIT_NETWORK_RANGES 32
/* Addresses of one unit; of each family one is usual. */
#define LIMIT_UNIT_ADDRS 8
/* How deep `needs` may go: each level adds a boot to the first answer. */
#define LIMIT_NEEDS_DEPTH 16
/* Entries of `wake-on` and of `passive-from` of one unit; both fit one message. */
#define LIMIT_WAKE_ON 16
#define LIMIT_PASSIVE 16
/* Different lists of the latter that one jitsud may have had; each takes 600 bytes. */
#define LIMIT_PASSIVE_LISTS 4096
/* Windows of `schedule` of one unit; after how long a wake that was refused then is tried again. */
#define LIMIT_SCHEDULE 16
#define LIMIT_SCHEDULE_RETRY_S 60
/* The longest `idle`: 30 days.  Packets are remembered for longer (vm/net/activity_table.c). */
#define LIMIT_IDLE_S (30 * 24 * 3600)

/* NICs and disks of one image: what virtio-mmio on microvm offers with room for a console. */
#define LIMIT_NICS 8
#define LIMIT_DISKS 8
/* Extra arguments of one image. */
#define LIMIT_ARGS 64
/* A kernel command line: x86 Linux reads 2,048 bytes. */
#define LIMIT_CMDLINE 2048

/* ---- the DNS process ---- */

/* Listening addresses; each costs one UDP and one TCP socket per worker. */
#define LIMIT_LISTEN 64
/* Workers; one per core is the most that helps. */
#define LIMIT_WORKERS 64
/* Of each socket: 60 ms of a busy server over UDP, and connections not yet accepted. */
#define LIMIT_LISTEN_UDP_BYTES (4 << 20)
#define LIMIT_LISTEN_BACKLOG 256
/* How long sockets of a server that ends are waited for at the start, and how often. */
#define LIMIT_LISTEN_START_S 3
#define LIMIT_LISTEN_RETRY_MS 20
/* How long the end of a load waits until the DNS process serves it, which takes milliseconds. */
#define LIMIT_SERVED_S 5

/* A query that can be held: the longest name, EDNS with cookie and padding; a longer one cannot. */
#define LIMIT_HELD_QUERY 1232
/* Wakes that one worker asks for in a window: a flood of sleeping names fills no channel. */
#define LIMIT_WAKES_WINDOW 256
#define LIMIT_WAKES_WINDOW_MS 100
_Static_assert(LIMIT_WAKES_WINDOW <= LIMIT_CHAN_QUEUE / 2, "wakes leave room in a channel");

/* Datagrams per recvmmsg; more gains nothing measurable. */
#define LIMIT_UDP_BATCH 64
/* A UDP query; real ones stay below 512 bytes. */
#define LIMIT_UDP_QUERY 2048
_Static_assert(LIMIT_HELD_QUERY <= LIMIT_UDP_QUERY, "what can be held can be read");
/* `udp-payload`: from what RFC 6891 has to what an operator may want on a private network. */
#define LIMIT_UDP_PAYLOAD_MIN 512
#define LIMIT_UDP_PAYLOAD_MAX 4096

/* Ranges of PROXY protocol's senders: a pair of load balancers in each of some networks. */
#define LIMIT_PROXIES 12
/* A PROXY header behind its fixed part: addresses, and room for what load balancers add. */
#define LIMIT_PROXY_BODY 1024

/* Queries of one TCP connection that may wait for units; then we stop reading from it. */
#define LIMIT_TCP_HELD 128
/* Bytes read from a TCP connection at once, and after which replies to one are sent. */
#define LIMIT_TCP_CHUNK 16384
/* Unsent replies of one TCP connection, for clients that do not read. */
#define LIMIT_TCP_UNSENT (128 * 1024)
_Static_assert(LIMIT_TCP_UNSENT >= 65535 + 2 + LIMIT_TCP_CHUNK, "one message and a chunk");
/* Kernel buffers of one TCP connection, doubled there: left alone they grow to megabytes. */
#define LIMIT_TCP_RCVBUF (64 * 1024)
#define LIMIT_TCP_SNDBUF (128 * 1024)
/* Time before accept is tried again when descriptors or memory have run out. */
#define LIMIT_ACCEPT_PAUSE_MS 100

/* CNAME and DNAME steps in one answer; resolvers give up earlier. */
#define LIMIT_CNAME_STEPS 16

/* ---- zones ---- */

/* $INCLUDE within $INCLUDE; deeper is a file that includes itself. */
#define LIMIT_INCLUDE_DEPTH 8
/* Files that a zone's file, or its units', may include; a child that asks for more is killed. */
#define LIMIT_INCLUDES 4096
/* Symbolic links on the way to a file of a zone: the kernel's own bound, where a circle ends. */
#define LIMIT_PATH_LINKS 40
/* Users and groups that may write what leads to one zone's files; more count as everybody. */
#define LIMIT_WRITERS 16
/* Users and groups that the ACL of one of these files names; of more, the rest is not known. */
#define LIMIT_ACL 32

/* A record in text, parentheses joined: the longest RDATA as hex digits, spaced, and its owner. */
#define LIMIT_RECORD_TEXT (4 * 65536)
/* An RRset with its signatures: fits a TCP message beside the longest question and all of EDNS. */
#define LIMIT_RRSET_WIRE 65000
/* RRsets of one name: they are searched one after the other. */
#define LIMIT_NODE_RRSETS 256

/* Zones that processes may not survive in one load: each time the others are compiled anew. */
#define LIMIT_ZONES_LOST 32
/* Zones processes that end before they come to a zone: a load must come to an end. */
#define LIMIT_ZONES_STARTS 3
/*
 * What a zone may take beyond zone-time before its process is given up, twice: the process looks
 * at the clock while it reads alone, and its word may lie unread while the warden is busy.
 */
#define LIMIT_ZONE_GRACE_S 2

/* A zone file from which on the compiled zone is kept: compiling takes longer than a process. */
#define LIMIT_CACHED_ZONE (1024 * 1024)
/* Zones that are kept: each has a process of its own when it changes, and a descriptor. */
#define LIMIT_CACHED_ZONES 256
/* All that is kept, on disk. */
#define LIMIT_CACHED_BYTES (16ull << 30)
/* What an entry on disk says of a zone's files: LIMIT_INCLUDES paths of the usual length. */
#define LIMIT_CACHE_HEAD (1024 * 1024)

/* ---- VMs ---- */

/* Threads that stop VMs, and as many that save, made when needed: some 15 ms; the disk's work. */
#define LIMIT_VM_THREADS 8
/*
 * Threads that freeze, thaw and look after VMs, made when needed: so many hypervisors may stop to
 * answer at the same moment before another VM waits.  Those that hang have LIMIT_VM_THREADS.
 */
#define LIMIT_VM_QUICK_THREADS 128

/* Threads that close packet sockets and taps: the kernel waits some 12 ms for each. */
#define LIMIT_VM_CLOSE_THREADS 4

/* Console text kept for `jitsu show` and the log after a VM died. */
#define LIMIT_CONSOLE_TAIL 4096
/* The ring inside QEMU; a power of two, as -chardev ringbuf asks. */
#define LIMIT_CONSOLE_RING 65536
_Static_assert((LIMIT_CONSOLE_RING & (LIMIT_CONSOLE_RING - 1)) == 0, "a power of two");
_Static_assert(LIMIT_CONSOLE_TAIL <= LIMIT_CONSOLE_RING, "the tail is in the ring");
/* One QMP message; the longest replies we ask for are the console's. */
#define LIMIT_QMP_LINE (4 * LIMIT_CONSOLE_RING)
/* QMP events of one VM within so many seconds; QEMU sends a handful, and throttles the rest. */
#define LIMIT_QMP_EVENTS 1000
#define LIMIT_QMP_EVENTS_S 10ull

/* Frames held for one unit: a browser opens six connections, and some come at once. */
#define LIMIT_HELD_FRAMES 32
/* Their bytes, and those of all units: 100,000 SYNs; then the oldest go. */
#define LIMIT_HELD_UNIT_BYTES (64 * 1024)
#define LIMIT_HELD_BYTES (16 * 1024 * 1024)
/* Wakes for packets that the sentinel asks for in a window, as the workers of the DNS process. */
#define LIMIT_KNOCKS_WINDOW 256
#define LIMIT_KNOCKS_WINDOW_MS 100
_Static_assert(LIMIT_KNOCKS_WINDOW <= LIMIT_CHAN_QUEUE / 2, "knocks leave room in a channel");
/* RSTs for sleeping units per second: a flood is not answered with a flood. */
#define LIMIT_PARK_REFUSALS 1000

/* Files that a disk lies on, one on top of the other; more is a chain that nobody looks after. */
#define LIMIT_BACKING_CHAIN 16
/* A command line in /proc: QEMU's, with LIMIT_ARGS and LIMIT_CMDLINE in it. */
#define LIMIT_PROC_CMDLINE 65536
/* A XenStore key below a domain's path; XenStore's own bound for a relative path is 2,048 bytes. */
#define LIMIT_XENSTORE_KEY 256

/*
 * Deadlines that lie within each other, in seconds: who waits is more patient than what is waited
 * for, or what ends well but late is thrown away.  The life cycle's count from when a driver thread
 * begins.
 */
#define LIMIT_QMP_S 2              /* a QEMU that takes longer for a simple command hangs */
#define LIMIT_QMP_FIRST_S 10       /* the first word of one just started, among many */
#define LIMIT_QMP_LAST_S 2         /* the console, before its end: one that hangs is to go soon */
#define LIMIT_VM_SAVE_S 60         /* QEMU writes a state: gigabytes, to a slow disk */
#define LIMIT_VM_RESTORE_S 60      /* ... and reads it */
#define LIMIT_VM_END_S 10          /* from SIGKILL to the end of the process */
#define LIMIT_VM_GROUP_S 15        /* and from there until its cgroups are free; load 20: > 1 s */
#define LIMIT_XEN_SUSPEND_S 15     /* a guest suspends itself */
#define LIMIT_XEN_SAVE_S 50        /* ... and its state is written */
#define LIMIT_XEN_ABORT_S 3        /* libxl gives a suspend up */
#define LIMIT_XEN_DYING_S 5        /* a dying domain gives its memory back; gigabytes: a second */
#define LIMIT_KVM_PROOF_S 10       /* KVM is tried; nested, on a busy machine: seconds */

/* Processes that are started ahead of their use. */
#define LIMIT_AHEAD_QUIET_MS 200   /* none is while a VM starts, nor so long afterwards */
#define LIMIT_AHEAD_PAUSE_S 300    /* the longest between tries */
#define LIMIT_AHEAD 1000
#define LIMIT_AHEAD_SETTLE_MS 500  /* units fall asleep and wake: then it is looked who waits */
#define LIMIT_AHEAD_YIELD_S 60     /* this host's memory was short: none for so long */
#define LIMIT_HANG_S 30            /* a hypervisor owes an answer (limits: hang-timeout) */
#define LIMIT_OP_S 30              /* life cycle: a freeze, thaw, stop, reading of counters */
#define LIMIT_STATE_OP_S 150       /* life cycle: a save or a restore */

_Static_assert(LIMIT_HANG_S > LIMIT_QMP_FIRST_S, "a QEMU that is slow does not hang");
_Static_assert(LIMIT_VM_RESTORE_S >= LIMIT_VM_SAVE_S, "what could be saved can be restored");
_Static_assert(LIMIT_XEN_SAVE_S >= LIMIT_XEN_SUSPEND_S, "a suspend is a part of a save");
/* A freeze or a thaw is one command, a stop reads the console first. */
_Static_assert(LIMIT_OP_S > LIMIT_QMP_FIRST_S + LIMIT_VM_END_S, "QEMU: freeze, thaw");
_Static_assert(LIMIT_OP_S > LIMIT_QMP_LAST_S + LIMIT_VM_END_S + LIMIT_VM_GROUP_S, "QEMU: stop");
_Static_assert(LIMIT_OP_S > 2 * LIMIT_XEN_DYING_S, "Xen: stop");
/* Four commands before the state and two to undo it, or the end of the process. */
_Static_assert(LIMIT_STATE_OP_S > LIMIT_QMP_FIRST_S + 6 * LIMIT_QMP_S + LIMIT_VM_SAVE_S +
    LIMIT_VM_END_S + LIMIT_VM_GROUP_S, "QEMU: save");
/* The proof of KVM and its end, the state, a last command, the end of what did not arrive. */
_Static_assert(LIMIT_STATE_OP_S > 2 * LIMIT_KVM_PROOF_S + LIMIT_VM_RESTORE_S + LIMIT_QMP_FIRST_S +
    LIMIT_VM_END_S + LIMIT_VM_GROUP_S, "QEMU: restore");
_Static_assert(LIMIT_STATE_OP_S > LIMIT_XEN_SAVE_S + LIMIT_XEN_ABORT_S + LIMIT_XEN_DYING_S,
    "Xen: save");
/* At the end, when adoption is not done: VMs are destroyed, not asked. */
#define LIMIT_END_S (2 * LIMIT_OP_S)

/* Until what happened to interfaces is looked at: a VM's end comes before that of its taps. */
#define LIMIT_LINKS_SETTLE_MS 200
/* A VM that cannot be reached sleeps after so long: a bridge is made anew within a few seconds. */
#define LIMIT_LINKS_LOST_S 10
_Static_assert(LIMIT_LINKS_LOST_S * 1000 > 10 * LIMIT_LINKS_SETTLE_MS, "a return is seen");

/* ---- the warden ---- */

/* A VM that was awake for so long makes former failures forgotten. */
#define LIMIT_STEADY_MS 60000
/* Used within so long, an awake VM does not give way to others. */
#define LIMIT_GIVES_WAY_MS 10000
/* Frames that wait in a bridge's port for the sentinel. */
#define LIMIT_PORT_QUEUE 10000
/* Units that one turn of the loop tells the sentinel of, after a reload: some milliseconds. */
#define LIMIT_PARK_SLICE 500
/* ... and that a new sentinel is told of before it reads frames. */
#define LIMIT_PARK_FIRST 1500
_Static_assert(2 * LIMIT_PARK_FIRST <= LIMIT_CHAN_QUEUE * 3 / 4, "they leave room in a channel");
_Static_assert(LIMIT_PARK_SLICE <= LIMIT_PARK_FIRST, "and so do slices");
/* After so long it is looked once more whether somebody else has the MAC of a unit. */
#define LIMIT_PARK_AGAIN_MS 3000
/* Units without a VM that one turn of the loop forgets after a reload: some milliseconds. */
#define LIMIT_GONE_SLICE 500
/* Why something is set aside: a zone's error, which is a line of a report, and its zone's name. */
#define LIMIT_ASIDE_WHY 2048
/* A cleaner of the run directory has its time to end; what cannot be made is tried again. */
#define LIMIT_RUNDIR_SETTLE_MS 200
#define LIMIT_RUNDIR_AGAIN_MS 10000

/* Events given in one reply; a person reads the last ones, a program what it has not seen. */
#define LIMIT_EVENTS_READ 10000
/* Touched rows and events kept while the disk is full, some 2 MB; then the oldest go. */
#define LIMIT_STORE_PENDING 10000
/* An event's or error's text in the store. */
#define LIMIT_STORE_TEXT 1024

/* Clients of the control socket; a person and some monitoring. */
#define LIMIT_CONTROL_CLIENTS 64
/* Places that root and admins find free whatever readers do, and root whatever admins do. */
#define LIMIT_CONTROL_KEPT_ADMINS 24
#define LIMIT_CONTROL_KEPT_ROOT 8
/* Places of one user: a forgotten `events --follow` shuts nobody else out. */
#define LIMIT_CONTROL_USER 16
_Static_assert(LIMIT_CONTROL_CLIENTS > LIMIT_CONTROL_KEPT_ADMINS + LIMIT_CONTROL_USER,
    "one reader does not take the places of all");
_Static_assert(LIMIT_CONTROL_KEPT_ADMINS > LIMIT_CONTROL_KEPT_ROOT,
    "root finds a place when admins have all of theirs");
/* A request on the control socket; the longest is a name and a verb. */
#define LIMIT_CONTROL_REQUEST 4096
_Static_assert(LIMIT_CONTROL_REQUEST > 2 * LIMIT_NAME_TEXT, "a request holds any name");
/* Unread events queued for one follower; a thousand behind, a reader does not read. */
#define LIMIT_CONTROL_FOLLOW_BYTES (256 * 1024)
/* How often, and how late, who waits for a wake is told why: most waits are shorter. */
#define LIMIT_TELL_MS 500
/* How long `jitsud -n` waits for the daemon's word: it answers from memory. */
#define LIMIT_CHECK_ASK_S 5

#endif
