/* args_test: the exact command lines, since guests and saved states depend on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vm/qemu/args.h"

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

static struct vm_spec
base_spec(void)
{
	struct vm_spec s = { .unit = "www.example.test", .driver = "qemu", .kernel =
	    "/k/hello,1.elf", .memory_bytes = 16 << 20, .vcpus = 1,
		.cmdline = "name=www,x ip=10.0.0.2/24" };

	assert_true(vm_uuid_parse("01234567-89ab-4def-8123-456789abcdef", &s.uuid));
	return s;
}

static void
assert_args(const struct qemu_run *run, const char *const *want)
{
	struct qemu_args args;
	struct errmsg m;
	size_t i;

	if (qemu_args_build(run, &args, &m) != ERR_OK)
		fail_msg("%s", m.text);
	for (i = 0; want[i] != NULL; i++) {
		if (i >= args.n)
			fail_msg("missing: %s", want[i]);
		assert_string_equal(args.argv[i], want[i]);
	}
	assert_int_equal(args.n, i);
	assert_null(args.argv[args.n]);
	qemu_args_clear(&args);
	assert_null(args.argv);
}

static void
test_microvm(void **state)
{
	static const char *const want[] = { "/usr/bin/qemu", "-name", "guest=www.example.test",
	    "-uuid", "01234567-89ab-4def-8123-456789abcdef",
		"-machine",
		"microvm,acpi=off,pit=off,pic=off,rtc=off,x-option-roms=off,isa-serial=off",
		"-bios", "qboot.rom",
		"-global", "virtio-mmio.force-legacy=off", "-accel", "tcg,tb-size=64",
		"-nodefaults", "-no-user-config", "-display", "none",
		"-sandbox", SANDBOX, "-no-reboot", "-action",
		"reboot=shutdown,shutdown=pause,panic=pause", "-m", "16M", "-smp", "1",
		"-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon",
		"chardev=qmp,mode=control",
		"-chardev", "ringbuf,id=con,size=65536", "-device", "isa-serial,chardev=con",
		"-kernel", "/k/hello,1.elf", "-append", "name=www,x ip=10.0.0.2/24",
		"-netdev", "tap,id=n0,fd=4", "-device",
		    "virtio-net-device,netdev=n0,mac=02:00:00:00:00:0a,bus=virtio-mmio-bus.1",
		    NULL };
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "/usr/bin/qemu", .qmp_fd = 3, .tap_fd = 4,
	    .incoming_fd = -1, .kernel_fd = -1, .initrd_fd = -1 };

	(void)state;
	s.nnics = 1;
	memcpy(s.nics[0].mac, "\2\0\0\0\0\x0a", 6);
	assert_args(&run, want);
}

static void
test_q35(void **state)
{
	static const char *const want[] = { "q", "-name", "guest=a,,b", "-uuid",
	    "01234567-89ab-4def-8123-456789abcdef",
		"-machine", "q35,vmport=off,usb=off", "-accel", "kvm", "-cpu", "host",
		"-nodefaults", "-no-user-config", "-display", "none",
		"-sandbox", SANDBOX, "-no-reboot", "-action",
		"reboot=shutdown,shutdown=pause,panic=pause", "-m", "2048M", "-smp", "4",
		"-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon",
		"chardev=qmp,mode=control",
		"-chardev", "ringbuf,id=con,size=65536", "-device", "isa-serial,chardev=con",
		"-kernel", "/k/bz,Image", "-initrd", "/k/init,,rd", "-append", "console=ttyS0",
		"-incoming", "fd:6",
		"-netdev", "tap,id=n0,fd=4", "-device",
		"virtio-net-pci,netdev=n0,mac=02:00:00:00:00:0a,romfile=",
		"-netdev", "tap,id=n1,fd=5", "-device",
		"virtio-net-pci,netdev=n1,mac=02:00:00:00:00:0b,romfile=",
		"-drive", "if=none,id=d0,file=/d/a,,b.raw,format=raw,readonly=on", "-device",
		"virtio-blk-pci,drive=d0",
		"-drive", "if=none,id=d1,file=/d/c.qcow2,format=qcow2,readonly=off", "-device",
		"virtio-blk-pci,drive=d1",
		"-drive", "if=none,id=d2,file=/o/x,,y,format=qcow2,readonly=off", "-device",
		"virtio-blk-pci,drive=d2",
		"-cpu", "max,-x", "--weird,arg", NULL };
	const char *extra[] = { "-cpu", "max,-x", "--weird,arg" };
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .cpu = "host", .kvm = true, .acpi = true,
	    .qmp_fd = 3, .tap_fd = 4, .incoming_fd = 6,
		.kernel_fd = -1, .initrd_fd = -1 };

	(void)state;
	s.unit = "a,b";
	s.kernel = "/k/bz,Image";
	s.initrd = "/k/init,rd";
	s.cmdline = "console=ttyS0";
	s.machine = VM_MACHINE_Q35;
	s.memory_bytes = 2048ull << 20;
	s.vcpus = 4;
	s.nnics = 2;
	memcpy(s.nics[0].mac, "\2\0\0\0\0\x0a", 6);
	memcpy(s.nics[1].mac, "\2\0\0\0\0\x0b", 6);
	s.ndisks = 3;
	s.disks[0] = (struct vm_disk){ .path = "/d/a,b.raw", .readonly = true };
	s.disks[1] = (struct vm_disk){ .path = "/d/c.qcow2", .format = VM_DISK_QCOW2 };
	s.disks[2] = (struct vm_disk){ .path = "/d/base", .readonly = true, .overlay = "/o/x,y" };
	s.args = extra;
	s.nargs = 3;
	assert_args(&run, want);
}

static void
test_most(void **state)
{
	const char *extra[LIMIT_ARGS];
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .acpi = true, .qmp_fd = 3, .tap_fd = 4,
	    .incoming_fd = -1, .kernel_fd = -1, .initrd_fd = -1 };
	struct qemu_args args;
	struct errmsg m;
	bool acpi = false, first = false, last = false;

	(void)state;
	s.nnics = LIMIT_NICS;
	s.ndisks = LIMIT_DISKS;
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		s.disks[i].path = "/d";
	for (unsigned i = 0; i < LIMIT_ARGS; i++)
		extra[i] = "-x";
	s.args = extra;
	s.nargs = LIMIT_ARGS;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	for (size_t i = 0; i < args.n; i++) {
		acpi = acpi || strstr(args.argv[i], "microvm,acpi=on,pit=on,pic=on,rtc=on") != NULL;
		/* With ACPI the slots are taken from the end. */
		first = first || strstr(args.argv[i], "virtio-net-device,netdev=n0,mac=") != NULL;
		first = first && (strstr(args.argv[i], "netdev=n0,mac=") == NULL ||
		    strstr(args.argv[i], ",bus=virtio-mmio-bus.19") != NULL);
		last = last ||
		    strcmp(args.argv[i], "virtio-blk-device,drive=d7,bus=virtio-mmio-bus.1") == 0;
		/* Those of the serial port, the clock and the power button. */
		assert_null(strstr(args.argv[i], ",bus=virtio-mmio-bus.4"));
		assert_null(strstr(args.argv[i], ",bus=virtio-mmio-bus.8"));
		assert_null(strstr(args.argv[i], ",bus=virtio-mmio-bus.9"));
	}
	assert_true(acpi && first && last);
	qemu_args_clear(&args);
	run.acpi = false;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	last = false;
	for (size_t i = 0; i < args.n; i++)
		last = last ||
		    strcmp(args.argv[i], "virtio-blk-device,drive=d7,bus=virtio-mmio-bus.16") == 0;
	assert_true(last);
	qemu_args_clear(&args);
}

static void
test_refused(void **state)
{
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .incoming_fd = -1, .kernel_fd = -1,
	    .initrd_fd = -1 };
	struct qemu_args args;
	struct errmsg m;

	(void)state;
#define REFUSED(change, code, words) \
	do { \
		s = base_spec(); \
		change; \
		assert_int_equal(qemu_args_build(&run, &args, &m), code); \
		assert_non_null(strstr(m.text, words)); \
	} while (0)
	REFUSED(s.memory_bytes = 0, ERR_RANGE, "memory");
	REFUSED(s.memory_bytes = (1 << 20) + 1, ERR_RANGE, "memory");
	REFUSED(s.vcpus = 0, ERR_RANGE, "vcpus");
	REFUSED(s.vcpus = 256, ERR_RANGE, "vcpus");
	REFUSED(s.kernel = NULL, ERR_RANGE, "microvm needs a kernel");
	REFUSED((s.kernel = NULL, s.machine = VM_MACHINE_Q35), ERR_RANGE, "boot from");
	REFUSED((s.kernel = NULL, s.machine = VM_MACHINE_Q35, s.ndisks = 1, s.disks[0].path = "/d",
	    s.initrd = "/i"), ERR_RANGE, "initrd");
	REFUSED(s.nnics = LIMIT_NICS + 1, ERR_LIMIT, "NICs");
	REFUSED(s.nargs = LIMIT_ARGS + 1, ERR_LIMIT, "arguments");
}

static void
test_shape(void **state)
{
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .qmp_fd = 3, .tap_fd = 4,
	    .incoming_fd = -1, .kernel_fd = -1, .initrd_fd = -1 };
	struct qemu_args args;
	struct errmsg m;
	char *a, *b;

	(void)state;
	s.nnics = 1;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	a = qemu_args_shape(&args);
	qemu_args_clear(&args);
	/* Other numbers, another UUID: the same shape. */
	run.qmp_fd = 9;
	run.tap_fd = 10;
	run.incoming_fd = 11;
	vm_uuid_make(&s.uuid);
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	b = qemu_args_shape(&args);
	qemu_args_clear(&args);
	assert_string_equal(a, b);
	free(b);
	/* So is one that was told how fast the clock runs. */
	run.tsc_khz = 2596120;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	b = qemu_args_shape(&args);
	for (size_t i = 0; i + 1 < args.n; i++)
		if (strcmp(args.argv[i], "-append") == 0)
			assert_string_equal(args.argv[i + 1],
			    "name=www,x ip=10.0.0.2/24 tsc_early_khz=2596120");
	qemu_args_clear(&args);
	assert_string_equal(a, b);
	free(b);
	s.memory_bytes *= 2;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	b = qemu_args_shape(&args);
	qemu_args_clear(&args);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
}

/* A process that is told later does what the arguments say. */
static void
test_config(void **state)
{
	static const char want[] = "[name]\n  guest = \"a,b\"\n"
	    "[machine]\n  type = \"microvm\"\n  acpi = \"off\"\n  pit = \"off\"\n"
	    "  pic = \"off\"\n  rtc = \"off\"\n  x-option-roms = \"off\"\n"
	    "  isa-serial = \"off\"\n[machine]\n  firmware = \"qboot.rom\"\n"
	    "[global]\n  driver = \"virtio-mmio\"\n  property = \"force-legacy\"\n"
	    "  value = \"off\"\n[accel]\n  accel = \"tcg\"\n  tb-size = \"64\"\n"
	    "[memory]\n  size = \"16M\"\n[smp-opts]\n  cpus = \"1\"\n"
	    "[machine]\n  kernel = \"/k/hello,1.elf\"\n"
	    "[machine]\n  append = \"name=www,x ip=10.0.0.2/24\"\n"
	    "[netdev \"n0\"]\n  type = \"tap\"\n  fd = \"4\"\n"
	    "[device]\n  driver = \"virtio-net-device\"\n  netdev = \"n0\"\n"
	    "  mac = \"00:00:00:00:00:00\"\n  bus = \"virtio-mmio-bus.1\"\n"
	    "[drive \"d0\"]\n  if = \"none\"\n  file = \"/d/a,b\"\n  format = \"raw\"\n"
	    "  readonly = \"off\"\n[device]\n  driver = \"virtio-blk-device\"\n"
	    "  drive = \"d0\"\n  bus = \"virtio-mmio-bus.2\"\n";
	struct vm_spec s = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .qmp_fd = 3, .tap_fd = 4,
	    .incoming_fd = -1, .kernel_fd = -1, .initrd_fd = -1 };
	const char *bad[] = { "a \"quoted\" word", "two\nlines", "" };
	const char *extra[] = { "-snapshot" };
	char most[1000], *text;
	struct qemu_args args;
	struct errmsg m;

	(void)state;
	s.unit = "a,b";
	s.nnics = s.ndisks = 1;
	s.disks[0].path = "/d/a,b";
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	text = qemu_args_config(&args);
	assert_string_equal(text, want);
	free(text);
	qemu_args_clear(&args);
	memset(most, 'x', sizeof(most) - 1);
	most[sizeof(most) - 1] = '\0';
	bad[2] = most;
	for (unsigned i = 0; i < 3; i++) {
		s.cmdline = bad[i];
		assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
		assert_null(qemu_args_config(&args));
		qemu_args_clear(&args);
	}
	s.cmdline = "";
	s.args = extra;
	s.nargs = 1;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	assert_null(qemu_args_config(&args));
	qemu_args_clear(&args);
}

/* What waits for a state has no unit's names; what waits for its configuration has nothing. */
static void
test_waits(void **state)
{
	struct vm_spec s = base_spec(), other = base_spec();
	struct qemu_run run = { .spec = &s, .qemu = "q", .wait = QEMU_WAIT_STATE, .qmp_fd = 3,
	    .tap_fd = 4, .incoming_fd = -1, .kernel_fd = -1, .initrd_fd = -1, .config_fd = 12 };
	struct qemu_args args;
	char *shape, *shapes[2];
	struct errmsg m;

	(void)state;
	s.nnics = other.nnics = 1;
	other.nics[0].mac[5] = 7;
	other.unit = "other";
	other.cmdline = "other";
	other.kernel = "/other";
	for (unsigned i = 0; i < 2; i++) {
		run.spec = i == 0 ? &s : &other;
		assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
		shapes[i] = qemu_args_shape(&args);
		qemu_args_clear(&args);
	}
	assert_string_equal(shapes[0], shapes[1]);
	free(shapes[1]);
	other.machine = VM_MACHINE_Q35;     /* its kernel comes with a ROM */
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	shape = qemu_args_shape(&args);
	assert_non_null(strstr(shape, "/other\n"));
	assert_null(strstr(shape, "-append"));
	free(shape);
	qemu_args_clear(&args);
	run.wait = QEMU_WAIT_CONFIG;
	assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
	shape = qemu_args_shape(&args);
	assert_non_null(strstr(shape, "-readconfig\n/proc/self/fd/12\n"));
	assert_null(strstr(shape, "other"));
	assert_null(strstr(shape, "q35"));
	free(shape);
	qemu_args_clear(&args);
	free(shapes[0]);
	/* A guest that has not begun is the same as one that has. */
	run.spec = &s;
	for (unsigned i = 0; i < 2; i++) {
		run.wait = i == 0 ? QEMU_WAIT_CONT : QEMU_WAIT_NOT;
		assert_int_equal(qemu_args_build(&run, &args, &m), ERR_OK);
		shapes[i] = qemu_args_shape(&args);
		qemu_args_clear(&args);
	}
	assert_string_equal(shapes[0], shapes[1]);
	free(shapes[0]);
	free(shapes[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_microvm),
	    cmocka_unit_test(test_q35), cmocka_unit_test(test_most),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_shape),
		cmocka_unit_test(test_config), cmocka_unit_test(test_waits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
