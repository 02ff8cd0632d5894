/* crash: handlers of the signals that end a process which does something wrong. */
#include "base/crash.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/hex.h"
#include "base/limits.h"

#define BUILD_ID 20   /* SHA-1 */

static const struct {
	int number;
	const char *name;
} signals[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGILL, "SIGILL" }, { SIGFPE, "SIGFPE" },
	{ SIGABRT, "SIGABRT" },
};

/* What is mapped at the start: the handler must not ask the linker, which may be what broke. */
static struct module {
	uintptr_t base, first, end;
	char name[24];
} modules[LIMIT_CRASH_MODULES];
static unsigned nmodules;
static char build_id[2 * BUILD_ID + 1];
static const char *process_name = "jitsud";
static void (*say)(const char *line);
static void (*told)(const char *line);
static unsigned char main_stack[CRASH_STACK_BYTES];

/* ---- at the start ---- */

/* The program's own NT_GNU_BUILD_ID, in hexadecimal. */
static void
read_build_id(const unsigned char *note, size_t len)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *h = (const ElfW(Nhdr) *)(const void *)note;
		size_t name = (h->n_namesz + 3u) & ~3u, desc = (h->n_descsz + 3u) & ~3u;
		const unsigned char *id = note + sizeof(*h) + name;

		if (name + desc + sizeof(*h) > len)
			return;
		if (h->n_type == NT_GNU_BUILD_ID)
			hex_write(build_id, id, h->n_descsz < BUILD_ID ? h->n_descsz : BUILD_ID);
		note += sizeof(*h) + name + desc;
		len -= sizeof(*h) + name + desc;
	}
}

static int
add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *path = nmodules == 0 ? arg : info->dlpi_name, *slash = strrchr(path, '/');
	struct module *m = &modules[nmodules];

	(void)size;
	*m = (struct module){ .base = info->dlpi_addr, .first = UINTPTR_MAX };
	strncpy(m->name, slash != NULL ? slash + 1 : path, sizeof(m->name) - 1);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_NOTE && nmodules == 0)
			read_build_id((const unsigned char *)at, p->p_memsz);
		if (p->p_type != PT_LOAD)
			continue;
		if (at < m->first)
			m->first = at;
		if (at + p->p_memsz > m->end)
			m->end = at + p->p_memsz;
	}
	return ++nmodules == LIMIT_CRASH_MODULES;
}

/* ---- lines, without libc's help ---- */

struct line {
	char text[LIMIT_CRASH_LINE];
	size_t len;
};

static void
put(struct line *l, const char *text)
{
	while (*text != '\0' && l->len < sizeof(l->text) - 1)
		l->text[l->len++] = *text++;
	l->text[l->len] = '\0';
}

/* In base 10 or 16. */
static void
put_number(struct line *l, uintptr_t n, unsigned base)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = "0123456789abcdef"[n % base];
	} while ((n /= base) != 0);
	put(l, base == 16 ? "0x" : "");
	put(l, p);
}

static void
put_address(struct line *l, uintptr_t at)
{
	for (unsigned i = 0; i < nmodules; i++) {
		if (at < modules[i].first || at >= modules[i].end)
			continue;
		put(l, modules[i].name);
		put(l, "+");
		put_number(l, at - modules[i].base, 16);
		return;
	}
	put_number(l, at, 16);
}

static void
begin(struct line *l)
{
	l->len = 0;
	put(l, process_name);
	put(l, ": error: crashed: ");
}

/* ---- in the handler ---- */

struct walk {
	struct line line;
	uintptr_t pc;
	bool seen;                 /* behind the frames of the handler itself */
	bool empty;
	unsigned frames;
};

static void
add_frame(struct walk *w, uintptr_t at)
{
	w->frames++;
	/* An address takes 50 bytes at most. */
	if (w->line.len + 50 > sizeof(w->line.text)) {
		say(w->line.text);
		w->empty = true;
	}
	if (w->empty) {
		begin(&w->line);
		put(&w->line, "called from");
	}
	w->empty = false;
	put(&w->line, " ");
	put_address(&w->line, at);
}

static _Unwind_Reason_Code
on_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	uintptr_t at = _Unwind_GetIP(context);

	if (!w->seen) {
		w->seen = at == w->pc;
		return _URC_NO_REASON;
	}
	if (at == 0 || w->frames == LIMIT_CRASH_FRAMES)
		return _URC_END_OF_STACK;
	add_frame(w, at);
	return _URC_NO_REASON;
}

/* The program counter; *caller: where the return address is, should the counter be no code. */
static uintptr_t
registers(const ucontext_t *uc, uintptr_t *caller)
{
#if defined(__x86_64__)
	uintptr_t sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	*caller = sp;
#elif defined(__aarch64__)
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.pc;

	*caller = (uintptr_t)&uc->uc_mcontext.regs[30];
#else
	uintptr_t pc = 0;

	(void)uc;
	*caller = 0;
#endif
	return pc;
}

static void
on_crash(int number, siginfo_t *si, void *context)
{
	struct walk w = { .empty = true };
	const char *name = "a signal";
	uintptr_t caller;

	w.pc = registers(context, &caller);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (signals[i].number == number)
			name = signals[i].name;
	begin(&w.line);
	put(&w.line, name);
	if (si->si_code > 0) {
		put(&w.line, " at address ");
		put_number(&w.line, (uintptr_t)si->si_addr, 16);
	} else if (si->si_pid != getpid()) {
		put(&w.line, " from process ");
		put_number(&w.line, (uintptr_t)si->si_pid, 10);
	}
	put(&w.line, " in ");
	put_address(&w.line, w.pc);
	put(&w.line, ", build ");
	put(&w.line, build_id[0] != '\0' ? build_id : "unknown");
	say(w.line.text);
	if (told != NULL)
		told(w.line.text);
	/* Should this fail in turn: SA_RESETHAND, and the line above is out. */
	(void)_Unwind_Backtrace(on_frame, &w);
	if (w.frames == 0 && caller != 0)
		add_frame(&w, *(const uintptr_t *)caller);
	if (!w.empty)
		say(w.line.text);
	/* The signal is pending until the handler returns, and then does its default. */
	(void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

/* ---- setting up ---- */

void
crash_thread(void *stack)
{
	stack_t ss = { .ss_sp = stack, .ss_size = CRASH_STACK_BYTES }, old;
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaddset(&set, signals[i].number);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);   /* cannot fail with a valid set */
	/* Without, the handler runs on the thread's own stack.  Sanitizers have one. */
	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
		(void)sigaltstack(&ss, NULL);
}

void
crash_tell(void (*tell)(const char *line))
{
	told = tell;
}

void
crash_init(const char *process, void (*out)(const char *line))
{
	struct sigaction sa = { .sa_sigaction = on_crash,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND };
	struct sigaction old;
	char exe[PATH_MAX] = "";

	process_name = process;
	say = out;
	if (nmodules > 0)
		return;
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) <= 0)
		memcpy(exe, "jitsud", sizeof("jitsud"));
	(void)dl_iterate_phdr(add_module, exe);   /* the program comes first */
	/* The first call loads and binds what the handler will need; no frame is at 1. */
	(void)_Unwind_Backtrace(on_frame, &(struct walk){ .pc = 1 });
	crash_thread(main_stack);
	(void)sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i].number, NULL, &old) == 0 &&
		    (old.sa_flags & SA_SIGINFO) == 0 &&
		    (old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN))
			(void)sigaction(signals[i].number, &sa, NULL);   /* cannot fail for these */
}
