/* accel: the proof of KVM is QEMU running a few bytes of guest code with it. */
#include "vm/qemu/accel.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/output.h"
#include "base/thread.h"
#include "vm/qemu/qmp.h"
#include "vm/proc/spawn.h"

#define KVM_DEVICE "/dev/kvm"
#define PROOF_MS (LIMIT_KVM_PROOF_S * 1000)
#define AGAIN_NS (60 * NS_PER_S)
#define EXIT_VALUE 0x10
#define EXIT_STATUS (EXIT_VALUE << 1 | 1)

#define LOAD_AT 0x100000
#define CODE_PLAIN 16         /* where the code begins that only exits */

/*
 * The guest of the trial: a PVH kernel of 24 bytes of code that uses what the CPU offers and a
 * hypervisor may fail at, and writes EXIT_VALUE to the debug-exit port.
 *
 * /dev/kvm proves nothing: paravirtual KVM (PVM) starts every guest and stops it at the first
 * RDRAND.  A trial takes 130 to 1,400 ms, most of it QEMU's own start.  The kernel stands here so
 * that no file may be missing; QEMU wants the ELF and the note to enter it in 32-bit mode.
 */
struct proof_elf {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[2];
	Elf32_Nhdr nh;
	char owner[4];
	uint32_t entry;
	uint8_t code[24];
};

#define NOTE_AT offsetof(struct proof_elf, nh)
#define NOTE_BYTES (sizeof(Elf32_Nhdr) + 8)
_Static_assert(offsetof(struct proof_elf, code) == NOTE_AT + NOTE_BYTES, "no padding");

static const struct proof_elf proof = {
	.eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
		    EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = LOAD_AT + offsetof(struct proof_elf, code),
		.e_phoff = offsetof(struct proof_elf, ph),
		.e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2,
	},
	.ph = {
		{ .p_type = PT_LOAD, .p_vaddr = LOAD_AT, .p_paddr = LOAD_AT,
		    .p_filesz = sizeof(struct proof_elf), .p_memsz = sizeof(struct proof_elf),
		    .p_flags = PF_R | PF_X, .p_align = 4 },
		{ .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_vaddr = LOAD_AT + NOTE_AT,
		    .p_paddr = LOAD_AT + NOTE_AT, .p_filesz = NOTE_BYTES, .p_memsz = NOTE_BYTES,
		    .p_flags = PF_R, .p_align = 4 },
	},
	.nh = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 /* XEN_ELFNOTE_PHYS32_ENTRY */ },
	.owner = "Xen",
	.entry = LOAD_AT + offsetof(struct proof_elf, code),
	.code = {
		0xb8, 1, 0, 0, 0, 0x0f, 0xa2,     /* mov $1,%eax; cpuid */
		0x0f, 0xba, 0xe1, 30, 0x73, 3,    /* bt $30,%ecx; jnc +3 */
		0x0f, 0xc7, 0xf0,                 /* rdrand %eax */
		0xb0, EXIT_VALUE, 0xe6, 0xf4,     /* mov $EXIT_VALUE,%al; out %al,$0xf4 */
		0xf4, 0xeb, 0xfd,                 /* hlt; jmp to the hlt */
	},
};

/* In the order of trying: paravirtual KVM (PVM) refuses a part of the host CPU that it offers. */
static const char *const cpus[] = { "host", "host,-arch-capabilities" };

/* A trial that goes on; what it reads of `a` stays as it is until then. */
struct trial {
	struct accel *a;
	struct accel_finding f;
};

void
accel_init(struct accel *a)
{
	memset(a, 0, sizeof(*a));
	a->device = KVM_DEVICE;
	a->trial_fd = -1;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->ended, NULL);
}

void
accel_clear(struct accel *a)
{
	pthread_mutex_lock(&a->lock);
	a->ending = true;
	if (a->trial_fd >= 0)
		(void)spawn_kill(a->trial_fd, NULL);   /* its thread waits for it */
	pthread_mutex_unlock(&a->lock);
	if (a->has_thread)
		(void)pthread_join(a->thread, NULL);   /* it is ours and joinable */
	pthread_cond_destroy(&a->ended);
	pthread_mutex_destroy(&a->lock);
}

/* Whether the VMs' user may open it, and whether that takes its group. */
static enum err
permitted(const char *device, const struct vm_host_conf *conf, bool *has_group, gid_t *group,
    struct errmsg *m)
{
	struct stat st;

	*has_group = false;
	*group = 0;
	if (stat(device, &st) != 0)
		return err_set(m, ERR_UNSUPPORTED, "there is no %s: load kvm_intel or kvm_amd, and "
		    "allow virtualisation in the firmware or the outer hypervisor", device);
	if (conf->vm_uid == 0 || (st.st_mode & 0006) == 0006 ||
	    (st.st_uid == conf->vm_uid && (st.st_mode & 0600) == 0600))
		return ERR_OK;
	if ((st.st_mode & 0060) == 0060) {
		*has_group = true;
		*group = st.st_gid;
		return ERR_OK;
	}
	return err_set(m, ERR_UNSUPPORTED, "%s is not for the VMs' user (uid %u): its mode is "
	    "%04o; chgrp kvm %s && chmod 0660 %s",
	    device, (unsigned)conf->vm_uid, (unsigned)(st.st_mode & 07777), device, device);
}

static enum err
proof_file(bool thorough, int *fd, struct errmsg *m)
{
	struct proof_elf elf = proof;
	enum err e = memfd_create_open("kvm-proof", fd, m);

	if (e != ERR_OK)
		return e;
	if (!thorough)
		elf.entry += CODE_PLAIN;
	if (write(*fd, &elf, sizeof(elf)) != (ssize_t)sizeof(elf)) {
		e = err_sys(m, "kvm proof");
		close(*fd);
		*fd = -1;
	}
	return e;
}

/* The guest's end ends the connection; an error in KVM leaves QEMU paused, and is an event. */
static bool
saw_trouble(const struct qmp *q)
{
	return q->saw_stop || q->saw_shutdown || q->saw_panic;
}

static enum err
wait_for_end(int pidfd, int qmp_fd, struct spawn_end *end, struct errmsg *m)
{
	struct qmp q;
	enum err e;

	qmp_init(&q);
	q.fd = qmp_fd;
	q.state = QMP_GREETING;
	e = qmp_wait(&q, saw_trouble, clock_now_ns() + PROOF_MS * NS_PER_MS, m);
	if (e == ERR_OK)
		e = err_set(m, ERR_UNSUPPORTED,
		    "the trial VM stopped: KVM cannot run what this CPU offers");
	else if (e == ERR_MISSING)
		e = spawn_wait(pidfd, PROOF_MS, end, m);
	q.fd = -1;     /* the caller's */
	qmp_clear(&q);
	if (e != ERR_OK) {
		(void)spawn_kill(pidfd, NULL);     /* it is waited for next */
		(void)spawn_wait(pidfd, PROOF_MS, end, NULL);
	}
	return e;
}

/* So that accel_clear can end it; false: it has been called. */
static bool
trial_note(struct accel *a, int pidfd)
{
	bool goes_on;

	pthread_mutex_lock(&a->lock);
	goes_on = !a->ending;
	a->trial_fd = pidfd;
	pthread_mutex_unlock(&a->lock);
	return goes_on;
}

/* The end of a VM that was spawned; as prove(). */
static enum err
prove_end(struct trial *t, const char *cpu, int pidfd, int qmp_fd, int output_fd)
{
	struct spawn_end end = { .known = false };
	struct errmsg m = { "" };
	char how[80], said[256];
	enum err e;

	if (!trial_note(t->a, pidfd))
		(void)spawn_kill(pidfd, NULL);     /* it is waited for next */
	e = wait_for_end(pidfd, qmp_fd, &end, &m);
	(void)trial_note(t->a, -1);                /* prove() asks */
	if (e == ERR_OK && end.known && !end.signalled && end.status == EXIT_STATUS)
		return ERR_OK;
	if (e == ERR_OK) {
		spawn_end_text(&end, how, sizeof(how));
		output_last_line(output_fd, said, sizeof(said));
		snprintf(t->f.why, sizeof(t->f.why), "-cpu %s: the trial VM %s%s%s", cpu, how,
		    said[0] != '\0' ? ": " : "", said);
	} else {
		snprintf(t->f.why, sizeof(t->f.why), "-cpu %s: %.300s", cpu, m.text);
	}
	return e == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNSUPPORTED;
}

/* Runs the guest.  ERR_UNSUPPORTED, ERR_TIMEOUT: why[] has the reason; else QEMU did not start. */
static enum err
prove(struct trial *t, const char *cpu, int kernel_fd, struct errmsg *m)
{
	const char *const argv[] = { t->a->qemu, "-machine",
	    "microvm,acpi=off,pit=off,pic=off,rtc=off,x-option-roms=off,isa-serial=off",
	    "-accel", "kvm", "-cpu", cpu, "-bios", "qboot.rom", "-kernel", "/proc/self/fd/3",
	    "-m", "16", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
	    "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-chardev", "socket,id=qmp,fd=4",
	    "-mon", "chardev=qmp,mode=control", "-sandbox",
	    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", NULL };
	struct spawn_conf sc;
	struct spawned s = { .pidfd = -1 };
	int pair[2] = { -1, -1 };
	enum err e;

	if (!trial_note(t->a, -1))
		return err_set(m, ERR_STATE, "the trial of KVM was given up");
	spawn_conf_init(&sc);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(m, "socketpair");
	sc.path = t->a->qemu;
	sc.argv = (char *const *)(uintptr_t)argv;
	sc.fds[sc.nfds++] = kernel_fd;
	sc.fds[sc.nfds++] = pair[1];
	sc.uid = t->a->conf->vm_uid;
	sc.gid = t->a->conf->vm_gid;
	if (t->a->has_group)
		sc.groups[sc.ngroups++] = t->a->group;
	e = output_new(&sc.output_fd, m);
	if (e == ERR_OK)
		e = spawn_run(&sc, &s, m);
	close(pair[1]);
	if (s.pidfd >= 0) {
		e = prove_end(t, cpu, s.pidfd, pair[0], sc.output_fd);
		close(s.pidfd);
	}
	close(pair[0]);
	if (sc.output_fd >= 0)
		close(sc.output_fd);
	return e;
}

/* As prove(). */
static enum err
prove_some_cpu(struct trial *t, bool thorough, struct errmsg *m)
{
	int fd = -1;
	enum err e = proof_file(thorough, &fd, m);

	if (e != ERR_OK)
		return e;
	e = ERR_UNSUPPORTED;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]) && e == ERR_UNSUPPORTED; i++) {
		e = prove(t, cpus[i], fd, m);
		t->f.cpu = cpus[i];
	}
	close(fd);
	return e;
}

/* An error when nothing was found out. */
static enum err
try_kvm(struct trial *t, struct errmsg *m)
{
	struct accel_finding *f = &t->f;
	enum err e = prove_some_cpu(t, true, m);

	f->whole = e == ERR_OK;
	/* One that came too late says nothing about what the CPU offers. */
	if (e == ERR_UNSUPPORTED)
		e = prove_some_cpu(t, false, m);
	f->known = f->usable = e == ERR_OK;
	if (f->usable && !f->whole)
		snprintf(f->why, sizeof(f->why), "it starts, but does not run all that its CPU "
		    "offers (RDRAND stops the guest), as paravirtual KVM (PVM) does; "
		    "accel = \"kvm\" uses it all the same");
	return e == ERR_UNSUPPORTED || e == ERR_TIMEOUT ? ERR_OK : e;
}

static void *
run_trial(void *arg)
{
	struct accel *a = arg;
	struct trial t = { .a = a };
	struct errmsg m = { "" };
	enum err e = try_kvm(&t, &m);

	pthread_mutex_lock(&a->lock);
	a->err = e;
	a->msg = m;
	if (e == ERR_OK) {
		a->found = true;
		a->finding = t.f;
		a->again_ns = clock_now_ns() + AGAIN_NS;
	}
	a->trying = false;
	pthread_cond_broadcast(&a->ended);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Called with the lock held, and what permitted() said. */
static void
begin(struct accel *a, const struct vm_host_conf *conf, const char *qemu, bool has_group,
    gid_t group)
{
	int error;

	if (a->has_thread)
		(void)pthread_join(a->thread, NULL);   /* it let go of the lock, and ends */
	a->conf = conf;
	a->qemu = qemu;
	a->has_group = has_group;
	a->group = group;
	error = thread_start(&a->thread, run_trial, a);
	a->has_thread = a->trying = error == 0;
	if (error != 0)
		a->err = err_set(&a->msg, ERR_NOMEM, "trial of KVM: no thread: %s",
		    strerror(error));
}

void
accel_prepare(struct accel *a, const struct vm_host_conf *conf, const char *qemu)
{
	bool has_group;
	gid_t group;

	pthread_mutex_lock(&a->lock);
	if (!a->trying && !a->finding.known && permitted(a->device, conf, &has_group, &group,
	    NULL) == ERR_OK)
		begin(a, conf, qemu, has_group, group);
	pthread_mutex_unlock(&a->lock);
}

/* Called with the lock held: what there is to go by.  An error when nothing was found out. */
static enum err
look(struct accel *a, const struct vm_host_conf *conf, const char *qemu,
    struct accel_choice *choice, struct accel_finding *f, struct errmsg *m)
{
	if (permitted(a->device, conf, &choice->has_group, &choice->group, m) != ERR_OK) {
		snprintf(f->why, sizeof(f->why), "%.390s", m->text);
		return ERR_OK;
	}
	if (!a->trying && !a->finding.known && (!a->found || clock_now_ns() >= a->again_ns))
		begin(a, conf, qemu, choice->has_group, choice->group);
	while (a->trying && !a->found)
		pthread_cond_wait(&a->ended, &a->lock);
	if (!a->found) {
		*m = a->msg;
		return a->err;
	}
	*f = a->finding;
	return ERR_OK;
}

enum err
accel_choose(struct accel *a, const struct vm_host_conf *conf, const char *qemu, enum vm_accel want,
    struct accel_choice *choice, struct errmsg *m)
{
	struct accel_finding f = { .known = false };
	enum err e;

	memset(choice, 0, sizeof(*choice));
	if (want == VM_ACCEL_TCG)
		return ERR_OK;
	pthread_mutex_lock(&a->lock);
	e = look(a, conf, qemu, choice, &f, m);
	if (e == ERR_OK && (want == VM_ACCEL_KVM ? f.usable : f.whole)) {
		choice->kvm = true;
		choice->cpu = f.cpu;
	} else if (e == ERR_OK && want == VM_ACCEL_KVM) {
		e = err_set(m, ERR_UNSUPPORTED, "accel = kvm, but KVM does not work here: %s",
		    f.why);
	} else if (e == ERR_OK && !a->told) {
		snprintf(choice->note, sizeof(choice->note),
		    "accel = auto takes tcg (emulation), because KVM does not work here: %s",
		    f.why);
		a->told = true;
	}
	if (!choice->kvm)
		choice->has_group = false;
	pthread_mutex_unlock(&a->lock);
	return e;
}
