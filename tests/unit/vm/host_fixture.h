/*
 * host_fixture: a world for tests that run real VMs: own network namespace with a bridge, own
 * directories, a loop.
 *
 * JITSU_ACCEL=kvm in the environment runs them with KVM instead of TCG; JITSU_SLOW (1) is how many
 * times slower than usual the machine is.
 */
#ifndef TESTS_HOST_FIXTURE_H
#define TESTS_HOST_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/vm.h"

#define VM_USER 65534
#define BRIDGE "jtest0"

/* For what must come, however busy the machine is. */
#define PATIENCE_S 30
#define PATIENCE_MS (PATIENCE_S * 1000)

struct result {
	bool done;
	enum err err;
	char text[1100];
	char detail[70000];
	char console[5000];
	uint64_t exec_ns;
	int64_t usec_cpu;
	bool saved, kept;
};

struct world {
	struct event_base *base;
	struct vm_host *host;
	struct vm_host_conf conf;
	char dir[64], run_dir[80], state_dir[80], kernel[80];
	/* events */
	unsigned died, logs, links;
	int link_fd;               /* of the last VM_EVENT_LINK, or -1 */
	char died_text[1100], died_console[5000], log_text[4096];
};

/*
 * The rest of main: all tests in one world, or a line that says why they are skipped.  `end`, or
 * NULL, is called before the world is removed.
 */
#define world_main(w, tests, end) \
	world_main_tests(w, tests, sizeof(tests) / sizeof((tests)[0]), end)
struct CMUnitTest;
int world_main_tests(struct world *w, const struct CMUnitTest *tests, size_t n, void (*end)(void));

void world_open(struct world *w);      /* vm_host_new */
void world_close(struct world *w);     /* vm_host_free */
void world_spec(const struct world *w, struct vm_spec *spec, unsigned host_number,
    char cmdline[128]);

/* "tcg" or "kvm": what world_spec asks for. */
const char *world_accel(void);
/* As said above; every deadline here is multiplied with it. */
unsigned world_slow(void);

void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Exit status of a command whose output does not matter. */
int sh_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void result_cb(const struct vm_uuid *uuid, const struct vm_result *res, void *arg);
/* Runs the loop until *flag or the deadline; returns *flag. */
bool spin(struct world *w, const bool *flag, unsigned ms);
bool spin_count(struct world *w, const unsigned *count, unsigned least, unsigned ms);
void spin_ms(struct world *w, unsigned ms);   /* so long on every machine */

/* Whether a ping is answered within that time. */
bool guest_pings(unsigned host_number, unsigned seconds);

/* What is left of VMs: directories, taps, cgroups. */
unsigned count_dirs(const struct world *w);
unsigned count_taps(void);
unsigned count_cgroups(void);
pid_t pid_of(const struct world *w, const struct vm_uuid *uuid);

#endif
