/* check: what a driver needs of this host and does not find: its program and the firmware. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/output.h"
#include "vm/proc/spawn.h"
#include "vm/vm.h"

#define TELL_MS 10000

/* What QEMU says of the directories in which it looks for its files, one a line; or "". */
static void
firmware_dirs(const char *qemu, char *text, size_t size)
{
	const char *const argv[] = { qemu, "-L", "help", NULL };
	struct spawn_conf sc;
	struct spawn_end end;

	text[0] = '\0';
	spawn_conf_init(&sc);
	sc.path = qemu;
	sc.argv = (char *const *)(uintptr_t)argv;
	if (output_new(&sc.output_fd, NULL) != ERR_OK)
		return;
	if (spawn_to_end(&sc, TELL_MS, &end, NULL) == ERR_OK && end.known && !end.signalled &&
	    end.status == 0)
		(void)output_read(sc.output_fd, text, size);
	close(sc.output_fd);
}

static enum err
firmware_find(const char *qemu, const char *name, struct errmsg *m)
{
	char text[LIMIT_OUTPUT], path[PATH_MAX + 64], where[1024] = "", *rest = NULL;
	bool found = false;

	firmware_dirs(qemu, text, sizeof(text));
	for (char *dir = strtok_r(text, "\n", &rest); dir != NULL;
	    dir = strtok_r(NULL, "\n", &rest)) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		found = found || access(path, F_OK) == 0;
		text_join(where, sizeof(where), ", ", "%.200s", dir);
	}
	if (found || where[0] == '\0')
		return ERR_OK;
	return err_set(m, ERR_MISSING, "QEMU's firmware %s is not in %s: install seabios and "
	    "qemu-system-data", name, where);
}

enum err
vm_host_check(const char *driver, enum vm_machine machine, struct errmsg *m)
{
	char qemu[PATH_MAX];
	enum err e;

	if (strcmp(driver, "qemu") != 0)
		return ERR_OK;
	e = spawn_find(VM_QEMU_PROGRAM, qemu, sizeof(qemu), m);
	if (e == ERR_MISSING)
		return err_set(m, ERR_MISSING,
		    "there is no program " VM_QEMU_PROGRAM " in PATH: install qemu-system-x86");
	if (e != ERR_OK)
		return e;
	return firmware_find(qemu, machine == VM_MACHINE_MICROVM ? "qboot.rom" : "bios-256k.bin",
	    m);
}
