/*
 * xen_machine.c: a PVH domain on Xen as a machine, with what its toolstack may ask of it
 *
 * A resume is a second start in the same memory: Xen has made a new domain, and only what stands in
 * our own pages is left of the old one.
 */
#include "vm/hello/console.h"
#include "vm/hello/cpu.h"
#include "vm/hello/machine.h"
#include "vm/hello/mem.h"
#include "vm/hello/text.h"
#include "vm/hello/xen.h"
#include "vm/hello/xen_net.h"
#include "vm/hello/xencons.h"
#include "vm/hello/xenstore.h"

#define NS_PER_MS   1000000u
#define NS_PER_US   1000
#define SEED_ROUNDS 16
#define CONTROL     "control/shutdown"

enum token { TOKEN_CONTROL, TOKEN_BACKEND };

static struct xenstore xs;
static uint32_t xs_port, console_port;
static struct xencons_page *console; /* NULL without one */
static uint64_t zero_ns, before_us;  /* the clock: system time since zero_ns, and before_us */

/* ---- time */

static uint64_t
clock_us(void)
{
	uint16_t rest;

	return before_us + text_divide(xen_time_ns() - zero_ns, NS_PER_US, &rest);
}

static void
clock_begin(uint64_t us)
{
	zero_ns = xen_time_ns();
	before_us = us;
}

static void
clock_calibrate(void)
{
}

static void
timer_set(uint32_t ms)
{
	xen_timer_set(ms ? xen_time_ns() + (uint64_t)ms * NS_PER_MS : 0);
}

/* How long hypercalls take, to the tick, and when. */
static void
seed(uint8_t out[8])
{
	uint32_t words[2] = { 0, 0 };

	for (int i = 0; i < SEED_ROUNDS; i++) {
		words[i & 1] = (words[i & 1] ^ (uint32_t)cpu_tsc()) * 2654435761u;
		words[i & 1] ^= xen_param(XEN_PARAM_STORE_PORT) + (uint32_t)cpu_tsc() +
		    (words[i & 1] >> 15);
	}
	memcpy(out, words, sizeof(words));
}

/* ---- start */

static void
print(const char *bytes, size_t n)
{
	if (!console)
		return;
	(void)xencons_write(console, bytes, n); /* what does not fit is lost: nobody reads */
	xen_event_send(console_port);
}

static void
store_notify(void)
{
	xen_event_send(xs_port);
}

static void
store_wait(void)
{
	cpu_sleep();
	xen_events_clear();
}

static void
begin(uint64_t us)
{
	static const struct xenstore_port port = { store_notify, store_wait };
	uint32_t console_frame;

	xen_start();
	clock_begin(us);
	console_frame = xen_param(XEN_PARAM_CONSOLE_FRAME);
	console_port = xen_param(XEN_PARAM_CONSOLE_PORT);
	console = console_frame ? (struct xencons_page *)(uintptr_t)(console_frame * XEN_PAGE_BYTES)
	    : NULL;
	xs_port = xen_param(XEN_PARAM_STORE_PORT);
	xs = (struct xenstore){ .port = &port };
	xs.page =
	    (struct xenstore_page *)(uintptr_t)(xen_param(XEN_PARAM_STORE_FRAME) * XEN_PAGE_BYTES);
}

static void
start(void)
{
	begin(0);
}

/* Says what may be asked of us. */
static void
control_start(void)
{
	struct xenstore_op ops[] = {
		{ .type = XENSTORE_WRITE, .path = "control/feature-poweroff", .value = "1" },
		{ .type = XENSTORE_WRITE, .path = "control/feature-reboot", .value = "1" },
		{ .type = XENSTORE_WRITE, .path = "control/feature-suspend", .value = "1" },
		{ .type = XENSTORE_WATCH, .path = CONTROL, .token = TOKEN_CONTROL },
	};

	/* a toolstack without these keys asks for nothing */
	(void)xenstore_run(&xs, ops, sizeof(ops) / sizeof(ops[0]));
}

static const char *
card_start(uint8_t mac[MAC_BYTES])
{
	const char *trouble = xen_net_start(&xs, TOKEN_BACKEND, mac);

	control_start();
	return trouble;
}

/* ---- what the toolstack asks for */

static bool
suspend(void)
{
	uint64_t us = clock_us();
	uint8_t mac[MAC_BYTES];
	const char *trouble;

	console_line("suspending, as Xen asked");
	if (xen_shutdown(XEN_SHUTDOWN_SUSPEND)) {
		console_line("the suspend was called off");
		return false;
	}
	begin(us);
	trouble = card_start(mac); /* the same as before: it belongs to the unit */
	console_line(trouble ? trouble : "resumed");
	return true;
}

/* True after a resume. */
static bool
control_changed(void)
{
	static const struct {
		const char *word, *line;
		enum xen_shutdown_reason reason;
	} requests[] = {
		{ "poweroff", "shutting down, as Xen asked", XEN_SHUTDOWN_POWEROFF },
		{ "halt", "shutting down, as Xen asked", XEN_SHUTDOWN_POWEROFF },
		{ "reboot", "rebooting, as Xen asked", XEN_SHUTDOWN_REBOOT },
		{ "suspend", NULL, XEN_SHUTDOWN_SUSPEND },
	};
	char word[16];
	struct xenstore_op read = { .type = XENSTORE_READ, .path = CONTROL, .out = word,
	    .cap = sizeof(word) };
	struct xenstore_op acknowledge = { .type = XENSTORE_WRITE, .path = CONTROL, .value = "" };

	if (!xenstore_run(&xs, &read, 1) || !read.ok)
		return false;
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!text_is_nocase(word, text_length(word), requests[i].word))
			continue;
		if (!xenstore_run(&xs, &acknowledge, 1))
			return false;
		if (requests[i].reason == XEN_SHUTDOWN_SUSPEND)
			return suspend();
		console_line(requests[i].line);
		(void)xen_shutdown(requests[i].reason);
	}
	return false;
}

static bool
attend(void)
{
	bool is_new = false;

	xen_events_clear();
	for (;;) {
		uint32_t fired;

		/*
		 * Again after each answer that was waited for: the wait has taken the notice of
		 * what came behind it.
		 */
		xenstore_poll(&xs);
		fired = xs.fired;
		if (!fired || xs.broken)
			break;
		xs.fired = 0;
		if (fired & 1u << TOKEN_CONTROL)
			is_new |= control_changed();
		if (fired & 1u << TOKEN_BACKEND)
			is_new |= xen_net_changed(&xs);
	}
	return is_new;
}

static void
idle(void)
{
	for (;;) {
		cpu_sleep();
		(void)attend();
	}
}

static void
die(void)
{
	(void)xen_shutdown(XEN_SHUTDOWN_CRASH);
}

const struct machine machine_xen = {
	.card = &xen_net_card,
	.start = start,
	.card_start = card_start,
	.seed = seed,
	.clock_calibrate = clock_calibrate,
	.clock_us = clock_us,
	.timer_set = timer_set,
	.attend = attend,
	.print = print,
	.idle = idle,
	.die = die,
};
