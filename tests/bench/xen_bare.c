/*
 * xen_bare: how long a Xen domain takes without jitsud, to the guest's first SYN-ACK on port 80.
 *
 *   xen_bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS lib pv|pvh KERNEL RAMDISK|- MEMORY_MIB
 *       CMDLINE SCRIPT
 *   xen_bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS command COMMAND...
 *
 * lib: from libxl_domain_create_new, with a context that was there before and SCRIPT for the NIC,
 * through unpause; the domain is destroyed afterwards.  command: from posix_spawn of a command that
 * makes the domain, which is left to the caller.  Prints microseconds.  A SYN leaves every
 * millisecond, from the unpause on, or from the command's end on; before that every 20 ms, which
 * costs what is measured less.
 */
#include <err.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBXL_API_VERSION 0x041300
#include <libxl.h>
#include <libxl_uuid.h>
#include <netinet/ether.h>
#include <xentoollog.h>

#include "tests/bench/knock.h"

#define KB_PER_MIB 1024u
#define RARELY_NS (20 * NS_PER_MS)

/* argv of `lib`, after the word. */
enum { A_TYPE, A_KERNEL, A_RAMDISK, A_MEMORY, A_CMDLINE, A_SCRIPT, A_COUNT };

struct command {
	pid_t pid;
	int ended;
};

static void
config_fill(libxl_domain_config *dc, const char *bridge, const char *mac, char **a)
{
	libxl_domain_build_info *b = &dc->b_info;
	const struct ether_addr *to = ether_aton(mac);
	libxl_device_nic *nic;

	libxl_domain_config_init(dc);
	dc->c_info.type = strcmp(a[A_TYPE], "pv") == 0 ?
	    LIBXL_DOMAIN_TYPE_PV : LIBXL_DOMAIN_TYPE_PVH;
	dc->c_info.name = strdup("bare");
	libxl_uuid_generate(&dc->c_info.uuid);
	libxl_domain_build_info_init_type(b, dc->c_info.type);
	b->max_memkb = b->target_memkb = strtoull(a[A_MEMORY], NULL, 10) * KB_PER_MIB;
	b->max_vcpus = 1;
	b->kernel = strdup(a[A_KERNEL]);
	if (strcmp(a[A_RAMDISK], "-") != 0)
		b->ramdisk = strdup(a[A_RAMDISK]);
	b->cmdline = strdup(a[A_CMDLINE]);
	nic = dc->nics = calloc(1, sizeof(*nic));
	if (nic == NULL || to == NULL)
		errx(1, "%s is no MAC", mac);
	dc->num_nics = 1;
	libxl_device_nic_init(nic);
	memcpy(nic->mac, to, sizeof(nic->mac));
	nic->bridge = strdup(bridge);
	nic->script = strdup(a[A_SCRIPT]);
	nic->nictype = LIBXL_NIC_TYPE_VIF;
}

static int64_t
lib(const char *bridge, const char *mac, char **a)
{
	xentoollog_logger *log =
	    (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	libxl_ctx *ctx = NULL;
	libxl_domain_config dc;
	uint32_t domid = (uint32_t)INVALID_DOMID;
	int64_t start, took;
	bool came;

	if (log == NULL || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, log) != 0)
		errx(1, "libxl does not start");
	config_fill(&dc, bridge, mac, a);
	start = now_ns();
	if (libxl_domain_create_new(ctx, &dc, &domid, NULL, NULL) != 0)
		errx(1, "the domain cannot be made");
	if (libxl_domain_unpause(ctx, domid, NULL) != 0)
		errx(1, "the domain cannot be unpaused");
	came = knock(now_ns(), NS_PER_MS, NULL, NULL);
	took = now_ns() - start;
	if (libxl_domain_destroy(ctx, domid, NULL) != 0)
		warnx("domain %u stays", domid);
	libxl_domain_config_dispose(&dc);
	libxl_ctx_free(ctx);
	xtl_logger_destroy(log);
	if (!came)
		errx(1, "no SYN-ACK within %d s", KNOCK_GIVE_UP_S);
	return took;
}

static int64_t
while_it_runs(void *arg)
{
	struct command *c = arg;
	int status;

	if (!c->ended && waitpid(c->pid, &status, WNOHANG) == c->pid) {
		c->ended = 1;
		if (status != 0)
			errx(1, "the command failed (status %d)", status);
	}
	return c->ended ? NS_PER_MS : RARELY_NS;
}

static int64_t
command(char **argv)
{
	extern char **environ;
	struct command c = { 0 };
	int64_t start = now_ns(), took;
	int error = posix_spawnp(&c.pid, argv[0], NULL, NULL, argv, environ);

	if (error != 0)
		errx(1, "%s: %s", argv[0], strerror(error));
	if (!knock(start, RARELY_NS, while_it_runs, &c))
		errx(1, "no SYN-ACK within %d s", KNOCK_GIVE_UP_S);
	took = now_ns() - start;
	if (!c.ended && waitpid(c.pid, NULL, 0) != c.pid)
		err(1, "waitpid");
	return took;
}

int
main(int argc, char **argv)
{
	int64_t took;

	if (argc > 6 && strcmp(argv[5], "command") == 0) {
		knock_init(argv[1], argv[2], argv[3], argv[4]);
		took = command(argv + 6);
	} else if (argc == 6 + A_COUNT && strcmp(argv[5], "lib") == 0) {
		knock_init(argv[1], argv[2], argv[3], argv[4]);
		took = lib(argv[1], argv[2], argv + 6);
	} else {
		errx(2, "usage: xen_bare BRIDGE MAC ADDRESS SOURCE lib TYPE KERNEL RAMDISK|- "
		    "MEMORY_MIB CMDLINE SCRIPT | command COMMAND...");
	}
	printf("%.1f\n", (double)took / 1000);
	return 0;
}
