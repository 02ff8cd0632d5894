/* main.c: the order of boot, and the loop that waits for frames and time */
#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"
#include "vm/hello/machine.h"
#include "vm/hello/net.h"
#include "vm/hello/xen.h"

#define SEED_ROUNDS 16

/* What the PVH boot protocol leaves at EBX (xen/include/public/arch-x86/hvm/start_info.h). */
struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, cmdline, rsdp;
};

#define START_INFO_MAGIC 0x336ec578u

void main(const struct start_info *info) __attribute__((noreturn));

const struct machine *machine;

static struct config config;
static struct net net CPU_NOINIT;

void
console_line(const char *line)
{
	char whole[LIMIT_LINE_CHARS];
	struct text t = text_init(whole, sizeof(whole) - 2); /* the line end always fits */

	text_str(&t, "hello: ");
	text_str(&t, line);
	t.cap = sizeof(whole);
	text_str(&t, "\r\n");
	machine->print(whole, t.len);
}

static void
complain(void *arg, const char *line)
{
	(void)arg;
	console_line(line);
}

static void
send(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	machine->card->send(frame, len);
}

static uint64_t
clock_ms(void)
{
	uint16_t rest;

	return text_divide(machine->clock_us(), 1000, &rest);
}

/* Not easily guessed. RDRAND, which is better, stops a guest in KVM's instruction emulator. */
static void
seed_make(uint8_t seed[8])
{
	uint32_t words[2] = { 0, 0 };

	for (int i = 0; i < SEED_ROUNDS; i++) {
		words[i & 1] = (words[i & 1] ^ (uint32_t)cpu_tsc()) * 2654435761u;
		words[i & 1] ^= machine->jitter() + (uint32_t)cpu_tsc() + (words[i & 1] >> 15);
	}
	memcpy(seed, words, sizeof(words));
}

static void
report_boot(void)
{
	char line[512];
	struct text t = text_init(line, sizeof(line));

	text_str(&t, config.name);
	text_str(&t, " is up at");
	for (int i = 0; i < CONFIG_FAMILIES; i++) {
		if (!addr_is_set(&config.address[i]))
			continue;
		text_char(&t, ' ');
		addr_text(&t, &config.address[i]);
		text_char(&t, '/');
		text_dec(&t, config.prefix_len[i], 0, ' ');
		if (addr_is_set(&config.gateway[i])) {
			text_str(&t, " via ");
			addr_text(&t, &config.gateway[i]);
		}
		text_char(&t, ',');
	}
	text_char(&t, ' ');
	addr_text(&t, &net.link_local);
	text_str(&t, "/64 after ");
	text_dec(&t, machine->clock_us(), 0, ' ');
	text_str(&t, " us");
	console_line(line);
}

/* Frames that are there, but not so many that timers would wait long. */
static void
handle_frames(void)
{
	const uint8_t *frame;
	size_t len;

	for (int i = 0; i < LIMIT_POLL_FRAMES && (frame = machine->card->receive(&len)); i++) {
		net_input(&net, frame, len, clock_ms());
		machine->card->release();
	}
}

static uint64_t armed_ms = NET_NEVER;

static void
set_timer(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_ms(), wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 1;

	if (deadline_ms == armed_ms && deadline_ms > now_ms)
		return;
	if (deadline_ms == NET_NEVER)
		wait_ms = 0;
	if (wait_ms > MACHINE_TIMER_MOST_MS) {
		wait_ms = MACHINE_TIMER_MOST_MS;
		deadline_ms = now_ms + wait_ms;
	}
	armed_ms = deadline_ms;
	machine->timer_set((uint32_t)wait_ms);
}

static void
attend(void)
{
	if (!machine->attend())
		return;
	armed_ms = 0; /* the timer is gone */
	net_announce(&net);
	machine->card->flush();
}

__attribute__((noreturn)) static void
loop(void)
{
	unsigned busy = 0;

	for (;;) {
		uint64_t next_ms;

		handle_frames();
		next_ms = net_run_timers(&net, clock_ms());
		if (config.crash && config.crash_ms < next_ms)
			next_ms = config.crash_ms;
		if (config.crash && clock_ms() >= config.crash_ms) {
			console_line("dying, as crash= asked");
			machine->die();
		}
		machine->card->flush();
		if (machine->card->has_frame() && ++busy < LIMIT_BUSY_ROUNDS)
			continue;
		if (busy < LIMIT_BUSY_ROUNDS) {
			set_timer(next_ms);
			cpu_sleep();
		}
		busy = 0;
		attend();
	}
}

void
main(const struct start_info *info)
{
	static const struct net_ops ops = { send, complain };
	uint8_t mac[MAC_BYTES], seed[8];
	const char *trouble;

	machine = xen_detect() ? &machine_xen : &machine_microvm;
	irq_init();
	machine->start();
	config_parse(&config, info->magic == START_INFO_MAGIC && info->cmdline
	    ? (const char *)(uintptr_t)info->cmdline : "", complain, NULL);
	trouble = machine->card_start(mac);
	if (trouble) {
		console_line(trouble);
		for (;;)
			machine->idle();
	}
	seed_make(seed);
	net_init(&net, &config, mac, seed, &ops, NULL);
	net_announce(&net);
	machine->card->flush();
	if (machine->clock_calibrate)
		machine->clock_calibrate();
	handle_frames(); /* whoever waits for us comes before our own words */
	machine->card->flush();
	report_boot();
	attend(); /* what came while the card was started has given its notice already */
	loop();
}
