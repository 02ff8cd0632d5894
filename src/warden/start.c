/*
 * start: start, signals and end of the privileged process.
 *
 *     configuration → users, directories → sockets, store, boards, driver host → first load →
 *     adoption → children, control socket, READY
 *
 * Everything that can fail on an operator's mistake happens before READY and says what to mend.
 */
#include "src/warden/state.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/thread.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "src/warden/ahead.h"
#include "src/warden/aside.h"
#include "src/warden/holds.h"
#include "src/warden/links.h"
#include "src/warden/parklink.h"
#include "src/warden/passive.h"
#include "src/warden/pressure.h"
#include "src/warden/record.h"
#include "src/warden/reload.h"
#include "src/warden/rundir.h"
#include "src/warden/schedule.h"
#include "src/warden/wake.h"
#include "src/warden/warden.h"

/* A query waits when jitsud runs: its nice value is below that of VMs (vm/proc/spawn.c). */
#define WARDEN_NICE (-10)

static void
set_up_directories(struct warden *w, const struct config *conf)
{
	char path[PATH_MAX];

	surroundings_directory("run-dir", conf->run_dir, 0755);
	rundir_lock(w, conf->run_dir);
	surroundings_directory("state", conf->state, 0755);
	snprintf(path, sizeof(path), "%s/empty", conf->run_dir);
	surroundings_directory("run-dir", path, 0755);
	w->empty_root = mem_text(path);
	w->zimages_dir = mem_format("%s/images", conf->state);
}

/* Of later threads, too.  An operator's choice stays; without CAP_SYS_NICE cgroup weights hold. */
static void
raise_priority(void)
{
	if (getpriority(PRIO_PROCESS, 0) == 0)
		(void)setpriority(PRIO_PROCESS, 0, WARDEN_NICE);
}

static void
open_vms(struct warden *w, const struct config *conf)
{
	struct identity vm = surroundings_user("vm-user", conf->vm_user, "jitsu-vm");
	struct vm_host_conf hc = { .run_dir = conf->run_dir, .state_dir = conf->state,
		.vm_uid = vm.uid, .vm_gid = vm.gid, .start_threads = conf->limits.boots,
		.use_cgroups = true };
	struct errmsg m;

	if (vm_host_new(w->base, &hc, wake_vm_event, w, &w->vms, &m) != ERR_OK)
		fatal("%s", m.text);
	if (vm_activity_new(w->vms, w->tag, &w->activity, &m) != ERR_OK) {
		log_warn(
		    "payload packets are not counted, nor connections (keep-open): only queries "
		    "keep a unit awake: %s", m.text);
		w->activity = NULL;
	}
	links_init(w);
	parklink_init(w);
}

static void
open_store(struct warden *w, const struct config *conf)
{
	struct store_conf sc = { .address_hold_s = conf->address_hold_ms / 1000 };
	char path[PATH_MAX];
	struct errmsg m;

	snprintf(path, sizeof(path), "%s/jitsu.db", conf->state);
	if (store_open_anyhow(w->base, path, &sc, &w->store, w->store_note, &m) != ERR_OK ||
	    mapping_secret_keep(conf->state, conf->run_dir, &w->secret, &m) != ERR_OK)
		fatal("%s", m.text);
	if (w->store_note[0] == '\0')
		return;
	log_err("state: %s", w->store_note);
	record_event(w, "", "state", w->store_note);
}

/* The children of a warden that crashed keep their sockets until they see that it has gone. */
static enum err
listen_at_start(struct sockets *s, const struct config *conf, struct errmsg *m)
{
	static const struct timespec pause = { .tv_nsec = LIMIT_LISTEN_RETRY_MS * NS_PER_MS };
	uint64_t until_ns = clock_now_ns() + LIMIT_LISTEN_START_S * NS_PER_S;
	enum err e;

	while ((e = listen_open(s, conf, m)) == ERR_EXISTS && clock_now_ns() < until_ns)
		(void)nanosleep(&pause, NULL);     /* a shorter pause is as good */
	return e;
}

/* What must be there before the first load. */
static void
set_up(struct warden *w, const struct config *conf)
{
	static const uint8_t no_key[16] = { 0 };
	struct identity user = surroundings_user("user", conf->user, "jitsu");
	struct errmsg m;

	set_up_directories(w, conf);
	raise_priority();
	snprintf(w->tag, sizeof(w->tag), "%08x",
	    (unsigned)siphash24(no_key, conf->run_dir, strlen(conf->run_dir)));
	w->flood = flood_new(w->base, LIMIT_FLOOD_WINDOW_MS, record_left_out, w);
	w->child_conf = (struct child_conf){ .uid = user.uid, .gid = user.gid,
		.log_level = (int)conf->log_level, .empty_root = w->empty_root, .flood = w->flood };
	if (cookie_secrets_make(&w->cookies_random, &m) != ERR_OK ||
	    board_create(&w->board, &m) != ERR_OK ||
	    listen_at_start(&w->sockets, conf, &m) != ERR_OK)
		fatal("%s", m.text);
	open_store(w, conf);
	open_vms(w, conf);
	swap_prepare(w, conf);   /* while the zones are loaded */
	inbox_init(w);
}

static struct event *
signal_new(struct warden *w, int sig, event_callback_fn fn)
{
	struct event *ev = mem_must(evsignal_new(w->base, sig, fn, w));

	if (event_add(ev, NULL) != 0)
		fatal("%s", err_str(ERR_NOMEM));
	return ev;
}

/* ---- the first load ---- */

static void
on_hup(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	reload_hup(arg);
}

/* The first generation is loaded and adoption is done: starts the children that serve. */
static void
serve(struct warden *w)
{
	struct errmsg m;

	if (verbs_open(w, &m) != ERR_OK || child_start(&w->sentinel, &m) != ERR_OK ||
	    child_start(&w->dns, &m) != ERR_OK)
		fatal("%s", m.text);
	rundir_watch(w);
	pressure_start(w);
	schedule_start(w);
	ahead_start(w);
	w->ev_hup = signal_new(w, SIGHUP, on_hup);
}

static void
first_load_done(struct warden *w, enum err e, const struct report *r, void *arg)
{
	(void)arg;
	reload_ended(w, NULL, e, r);
	if (e != ERR_OK)
		fatal("nothing to serve: see the lines above (`jitsud -n` checks the "
		    "configuration)");
	adopt_start(w, serve);
}

/* ---- end ---- */

static bool
all_asleep(const struct warden *w)
{
	const struct unit *u;

	if (aside_vms(w) > 0)
		return false;
	UNIT_FOREACH(u, &w->units)
		if (life_has_vm(&u->life))
			return false;
	return true;
}

static void
on_stop_check(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	if (all_asleep(w) || --w->wait_stop == 0)
		event_base_loopbreak(w->base);
}

/* How long the slowest VM may take to stop: what it does now, its image's shutdown, the end. */
static unsigned
stop_patience_s(const struct warden *w)
{
	const struct unit *u;
	unsigned most = 0;

	UNIT_FOREACH(u, &w->units) {
		struct life_policy p;
		unsigned s = 0;

		if (!life_has_vm(&u->life))
			continue;
		wake_policy(w, u, &p);
		if (u->life.phase == LIFE_P_SAVING || u->life.phase == LIFE_P_RESTORING)
			s = p.state_ms / 1000;
		if (p.shutdown && p.can_shutdown)
			s += p.stop_ms / 1000 + 1;
		most = s > most ? s : most;
	}
	return most + 2 * LIMIT_OP_S;
}

/* on-exit = "stop": sends every VM to sleep and runs the loop until all are, or should be. */
static void
stop_all_vms(struct warden *w)
{
	static const struct timeval tick = { 0, 100000 };
	struct event *ev = mem_must(event_new(w->base, -1, EV_PERSIST, on_stop_check, w));
	unsigned patience_s = stop_patience_s(w);
	struct unit *u;
	char text[64];

	/* systemd would end us before: its TimeoutStopSec= knows nothing of our images. */
	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)patience_s * 1000000);
	notify_send(text);
	w->wait_stop = patience_s * 10;
	if (event_add(ev, &tick) != 0)
		fatal("%s", err_str(ERR_NOMEM));
	UNIT_FOREACH(u, &w->units) {
		struct life_event down = { .kind = LIFE_EV_SLEEP, .now_ms = clock_now_ms(),
			.sleep = { LIFE_BY_OPERATOR, LIFE_TIER_DORMANT } };

		if (life_state(&u->life) != LIFE_DORMANT)
			wake_step(w, u, &down);
	}
	aside_stop_all(w);
	if (!all_asleep(w))
		event_base_dispatch(w->base);
	event_free(ev);
}

static void
on_term(evutil_socket_t sig, short what, void *arg)
{
	struct warden *w = arg;

	(void)what;
	if (w->stopping)
		return;
	log_info("signal %d: stopping", (int)sig);
	w->stopping = true;
	notify_send("STOPPING=1");
	event_base_loopbreak(w->base);
}

/*
 * Who stops jitsud may mend what made boots fail.  Back-offs outlast a crash: boots that end jitsud
 * are not to begin anew at each start.
 */
static void
end_backoffs(struct warden *w)
{
	struct unit *u;

	UNIT_FOREACH(u, &w->units)
		if (w->adopted && u->conf != NULL && u->life.phase == LIFE_P_FAILED)
			wake_policy_step(w, u);
}

static void
tear_down(struct warden *w)
{
	static const struct timeval most = { .tv_sec = LIMIT_END_S };
	bool stop = w->stop_vms;

	if (stop && w->adopted) {
		stop_all_vms(w);
	} else if (stop) {
		reload_cancel(w);
		adopt_destroy(w);
		if (event_base_loopexit(w->base, &most) != 0)
			fatal("%s", err_str(ERR_NOMEM));
		event_base_dispatch(w->base);
	}
	reload_cancel(w);
	zjob_free(w->keeping);
	work_free(w->work);
	adopt_free(w);
	pressure_free(w);
	schedule_free(w);
	ahead_free(w);
	aside_clear(w);
	if (w->gen != NULL)
		holds_note_use(w);
	child_clear(&w->dns);
	child_clear(&w->sentinel);
	wake_answer_all(w, "jitsud stops");
	end_backoffs(w);
	flood_free(w->flood);
	w->flood = NULL;
	rundir_clear(w);
	control_free(w->control);
	w->control = NULL;
	links_clear(w);
	parklink_clear(w);
	vm_activity_free(w->activity, stop);
	vm_host_free(w->vms);
	store_close(w->store);
	unit_table_clear(&w->units);
	passive_clear(w);
	generation_free(w->gen);
	config_free(w->started);
	board_clear(&w->board);
	listen_close(&w->sockets);
	free(w->empty_root);
	free(w->zimages_dir);
	free(w->reload.error);
	if (w->ev_hup != NULL)
		event_free(w->ev_hup);
	event_free(w->ev_term);
	event_free(w->ev_int);
	event_base_free(w->base);
}

static struct config *
first_config(const char *path)
{
	struct config *conf = NULL;
	struct report r;
	char line[1200];

	report_init(&r);
	if (config_load(path, &conf, &r) != ERR_OK) {
		for (size_t i = 0; i < r.nlines; i++) {
			report_format(&r, i, line, sizeof(line));
			log_err("%s", line);
		}
		fatal("%s: not a usable configuration", path);
	}
	report_clear(&r);
	return conf;
}

/* Until we serve whoever started us sees the errors; a boot script has nobody who does. */
static unsigned
early_log(const struct warden_options *opt)
{
	return opt->foreground ? LOG_TO_STDERR : LOG_TO_STDERR | LOG_TO_SYSLOG;
}

int
warden_main(const struct warden_options *opt)
{
	struct warden w = { .conf_path = opt->conf_path, .foreground = opt->foreground,
		.started_ns = clock_now_ns(), .next_generation = 1 };
	struct config *conf;

	fresh_start();
	crash_tell(notify_crash);
	log_init("jitsud", early_log(opt), LOG_L_INFO);
	fresh_limits();
	conf = first_config(opt->conf_path);
	surroundings_check();
	/* A daemon must not keep the file system busy on which it was started. */
	if (opt->conf_path[0] == '/' && chdir("/") != 0)
		fatal("/: %s", strerror(errno));
	if (!opt->foreground)
		daemonize_start();
	/* More heaps would each keep what is freed, and libxl's fork(2) copies their tables. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)signal(SIGHUP, SIG_IGN);   /* until there is something to reload */
	if (evthread_use_pthreads() != 0 || (w.base = event_base_new()) == NULL)
		fatal("event loop: %s", err_str(ERR_NOMEM));
	log_init("warden", early_log(opt), conf->log_level);
	STAILQ_INIT(&w.pending);
	LIST_INIT(&w.asides);
	set_up(&w, conf);
	w.work = work_new(w.base, (const unsigned[ZJOB_LANES]){ 1, 1 }, ZJOB_LANES, NULL);
	w.ev_term = signal_new(&w, SIGTERM, on_term);
	w.ev_int = signal_new(&w, SIGINT, on_term);
	w.stop_vms = conf->on_exit == CONFIG_EXIT_STOP;
	w.started = conf;
	(void)reload_start(&w, false, first_load_done, NULL);   /* no other runs */
	event_base_dispatch(w.base);
	tear_down(&w);
	log_info("stopped");
	log_flush();
	return 0;
}
