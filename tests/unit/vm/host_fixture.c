/* host_fixture: the world, and what can be seen of it from outside the module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/thread.h>

#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"

int
sh_status(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	status = system(command);
	return status == -1 ? -1 : status >> 8;
}

void
sh(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

const char *
world_accel(void)
{
	const char *want = getenv("JITSU_ACCEL");

	return want != NULL && strcmp(want, "kvm") == 0 ? "kvm" : "tcg";
}

unsigned
world_slow(void)
{
	const char *times = getenv("JITSU_SLOW");
	int n = times != NULL ? atoi(times) : 1;

	return n > 0 ? (unsigned)n : 1;
}

/* NULL, or why the tests cannot run here. */
static const char *
world_make(struct world *w)
{
	static const char *const kernels[] = { "build/hello.elf", "build/san/hello.elf",
	    "build/cov/hello.elf" };
	const char *kernel = NULL;

	memset(w, 0, sizeof(*w));
	if (geteuid() != 0)
		return "it needs root (namespaces, taps, other users)";
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]) && kernel == NULL; i++)
		if (access(kernels[i], R_OK) == 0)
			kernel = kernels[i];
	if (kernel == NULL)
		return "there is no build/hello.elf (make build/hello.elf)";
	if (sh_status("command -v qemu-system-x86_64 >/dev/null") != 0)
		return "there is no qemu-system-x86_64";
	if (access("/dev/net/tun", F_OK) != 0)
		return "there is no /dev/net/tun";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return "namespaces are not allowed here";
	sh("ip link set lo up && ip link add %s address 02:00:00:00:00:01 type bridge && ip addr "
	    "add 10.99.0.1/24 dev %s && ip link set %s up", BRIDGE, BRIDGE, BRIDGE);
	snprintf(w->dir, sizeof(w->dir), "/tmp/host_test.XXXXXX");
	if (mkdtemp(w->dir) == NULL || chmod(w->dir, 0755) != 0)
		return strerror(errno);
	snprintf(w->run_dir, sizeof(w->run_dir), "%s/run", w->dir);
	snprintf(w->state_dir, sizeof(w->state_dir), "%s/state", w->dir);
	snprintf(w->kernel, sizeof(w->kernel), "%s/hello.elf", w->dir);
	sh("mkdir -m 755 %s %s && cp %s %s && chmod 644 %s", w->run_dir, w->state_dir, kernel,
	    w->kernel, w->kernel);
	w->conf = (struct vm_host_conf){ .run_dir = w->run_dir, .state_dir = w->state_dir,
	    .vm_uid = VM_USER, .vm_gid = VM_USER,
		.start_threads = 2, .use_cgroups = true };
	w->base = evthread_use_pthreads() == 0 ? event_base_new() : NULL;
	return w->base != NULL ? NULL : "no event base";
}

static void
world_remove(struct world *w)
{
	if (w->base != NULL)
		event_base_free(w->base);
	if (w->dir[0] != '\0')
		sh("rm -rf %s", w->dir);
}

/* The VMs of this program: cgroups of others, who may run beside us, do not count. */
#define MADE_MOST 512
static struct vm_uuid made[MADE_MOST];
static unsigned nmade;

static void
on_event(const struct vm_event *ev, void *arg)
{
	struct world *w = arg;
	size_t used = strlen(w->log_text);

	if (ev->kind == VM_EVENT_LOG) {
		w->logs++;
		snprintf(w->log_text + used, sizeof(w->log_text) - used, "%s\n", ev->text);
		return;
	}
	if (ev->kind == VM_EVENT_LINK) {
		w->links++;
		if (w->link_fd >= 0)
			close(w->link_fd);
		w->link_fd = ev->fd;
		return;
	}
	w->died++;
	snprintf(w->died_text, sizeof(w->died_text), "%s", ev->text);
	snprintf(w->died_console, sizeof(w->died_console), "%s", ev->console);
}

void
world_open(struct world *w)
{
	struct errmsg m;

	w->died = w->logs = w->links = 0;
	w->link_fd = -1;
	w->died_text[0] = w->died_console[0] = w->log_text[0] = '\0';
	if (vm_host_new(w->base, &w->conf, on_event, w, &w->host, &m) != ERR_OK) {
		fprintf(stderr, "vm_host_new: %s\n", m.text);
		abort();
	}
}

/* Ends what a failed test left running. */
static void
world_kill(const struct world *w)
{
	(void)sh_status("for f in %s/vm/*/pid; do read -r p s <$f && kill -9 $p; done "
	    "2>/dev/null", w->run_dir);
	(void)sh_status("for f in %s/vm/*/cgroup; do xargs rmdir <$f; done 2>/dev/null",
	    w->run_dir);
	(void)sh_status("rm -rf %s/vm/* %s/saved/*", w->run_dir, w->state_dir);
}

void
world_close(struct world *w)
{
	vm_host_free(w->host);
	w->host = NULL;
	if (w->link_fd >= 0)
		close(w->link_fd);
	w->link_fd = -1;
}

int
world_main_tests(struct world *w, const struct CMUnitTest *tests, size_t n, void (*end)(void))
{
	const char *why = world_make(w);
	int failed;

	if (why != NULL) {
		printf("skipped: %s\n", why);
		return 0;
	}
	failed = _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
	if (end != NULL)
		end();
	world_kill(w);
	world_remove(w);
	return failed;
}

void
world_spec(const struct world *w, struct vm_spec *spec, unsigned host_number, char cmdline[128])
{
	memset(spec, 0, sizeof(*spec));
	vm_uuid_make(&spec->uuid);
	if (nmade < MADE_MOST)
		made[nmade++] = spec->uuid;
	snprintf(cmdline, 128, "name=test%u ip=10.99.0.%u/24 gw=10.99.0.1", host_number,
	    host_number);
	spec->unit = "unit.example.test";
	spec->driver = "qemu";
	spec->kernel = w->kernel;
	spec->cmdline = cmdline;
	spec->memory_bytes = 16 << 20;
	spec->vcpus = 1;
	spec->accel = strcmp(world_accel(), "kvm") == 0 ? VM_ACCEL_KVM : VM_ACCEL_TCG;
	spec->nnics = 1;
	snprintf(spec->nics[0].bridge, sizeof(spec->nics[0].bridge), "%s", BRIDGE);
	memcpy(spec->nics[0].mac, (uint8_t[]){ 2, 0, 0, 0, 9, (uint8_t)host_number }, 6);
}

void
result_cb(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct result *r = arg;

	(void)uuid;
	r->done = true;
	r->err = res->err;
	snprintf(r->text, sizeof(r->text), "%s", res->text);
	snprintf(r->detail, sizeof(r->detail), "%.*s", (int)res->detail_len, res->detail);
	snprintf(r->console, sizeof(r->console), "%s", res->console);
	r->exec_ns = res->exec_ns;
	r->usec_cpu = res->usec_cpu;
	r->saved = res->saved;
	r->kept = res->kept;
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* One turn of the loop, at most 20 ms. */
static void
turn(struct world *w)
{
	struct timeval tv = { 0, 20000 };

	event_base_once(w->base, -1, EV_TIMEOUT, tick_cb, w->base, &tv);
	event_base_loop(w->base, EVLOOP_ONCE);
}

bool
spin(struct world *w, const bool *flag, unsigned ms)
{
	uint64_t end = clock_now_ms() + (uint64_t)ms * world_slow();

	while (!*flag && clock_now_ms() < end)
		turn(w);
	return *flag;
}

bool
spin_count(struct world *w, const unsigned *count, unsigned least, unsigned ms)
{
	uint64_t end = clock_now_ms() + (uint64_t)ms * world_slow();

	while (*count < least && clock_now_ms() < end)
		turn(w);
	return *count >= least;
}

void
spin_ms(struct world *w, unsigned ms)
{
	uint64_t end = clock_now_ms() + ms;

	while (clock_now_ms() < end)
		turn(w);
}

bool
guest_pings(unsigned host_number, unsigned seconds)
{
	/* A ping that is told of no route ends early. */
	return sh_status("end=$(($(date +%%s) + %u)); until ping -q -c1 -i0.1 -w%u 10.99.0.%u "
	    ">/dev/null 2>&1; do "
	    "test $(date +%%s) -lt $end || exit 1; done", seconds * world_slow(),
	    seconds * world_slow(), host_number) == 0;
}

static unsigned
count_in(const char *path, const char *prefix)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	unsigned n = 0;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && strncmp(d->d_name, prefix, strlen(prefix)) == 0)
			n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

unsigned
count_dirs(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vm", w->run_dir);
	return count_in(path, "");
}

unsigned
count_taps(void)
{
	return (unsigned)sh_status("exit $(ip -o link show type tun | wc -l)");
}

unsigned
count_cgroups(void)
{
	unsigned n = 0;
	char text[VM_UUID_TEXT];

	for (unsigned i = 0; i < nmade; i++) {
		vm_uuid_text(&made[i], text);
		n += sh_status("find /sys/fs/cgroup -type d -name %s | grep -q .", text) == 0;
	}
	return n;
}

pid_t
pid_of(const struct world *w, const struct vm_uuid *uuid)
{
	char path[200], text[VM_UUID_TEXT];
	int pid = 0;
	FILE *f;

	vm_uuid_text(uuid, text);
	snprintf(path, sizeof(path), "%s/vm/%s/pid", w->run_dir, text);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}
