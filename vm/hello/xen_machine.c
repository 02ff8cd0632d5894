/*
 * xen_machine.c: a PVH domain on Xen as a machine, with what its toolstack may ask of it
 *
 * A resume is a second start in the same memory: Xen has made a new domain, and only what stands in
 * our own pages is left of the old one.
 */
#include "vm/hello/cpu.h"
#include "vm/hello/xen.h"

#define NS_PER_MS 1000000u
#define NS_PER_US 1000
#define CONTROL   "control/shutdown"

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
timer_set(uint32_t ms)
{
	xen_timer_set(ms ? xen_time_ns() + (uint64_t)ms * NS_PER_MS : 0);
}

/* A hypercall. */
static uint32_t
jitter(void)
{
	return xen_param(XEN_PARAM_STORE_PORT);
}

/* ---- start */

static void
print(const char *bytes, size_t n)
{
	if (!console)
		return;
	(void)xen_page_print(console, bytes, n); /* what does not fit is lost: nobody reads */
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

/* The page that the toolstack shares with us; NULL without one. */
static void *
page_of(enum xen_param frame)
{
	return (void *)(uintptr_t)(xen_param(frame) * XEN_PAGE_BYTES);
}

static void
start(void)
{
	static const struct xenstore_port port = { store_notify, store_wait };

	xen_start();
	zero_ns = xen_time_ns();
	console = page_of(XEN_PARAM_CONSOLE_FRAME);
	console_port = xen_param(XEN_PARAM_CONSOLE_PORT);
	xs = (struct xenstore){ .port = &port, .page = page_of(XEN_PARAM_STORE_FRAME) };
	xs_port = xen_param(XEN_PARAM_STORE_PORT);
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
	start();
	before_us = us;
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
	/* Again after each answer: the wait for it took the notice of what came behind it. */
	for (xenstore_poll(&xs); xs.fired && !xs.broken; xenstore_poll(&xs)) {
		uint32_t fired = xs.fired;

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
	cpu_sleep();
	(void)attend();
}

static void
die(void)
{
	(void)xen_shutdown(XEN_SHUTDOWN_CRASH);
}

const struct machine machine_xen = {
	.card = &xen_net_card, .start = start, .card_start = card_start, .jitter = jitter,
	.clock_us = clock_us, .timer_set = timer_set, .attend = attend, .print = print,
	.idle = idle, .die = die,
};
