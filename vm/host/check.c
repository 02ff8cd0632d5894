/* check: what a driver needs of this host and does not find: its program and the firmware. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm/proc/spawn.h"
#include "vm/vm.h"

/* QEMU itself says in which directories it looks for its files, one a line; or it does not tell. */
static enum err
firmware_find(const char *name, struct errmsg *m)
{
	char line[PATH_MAX], path[PATH_MAX + 64], where[1024] = "";
	bool found = false;
	/* NOLINTNEXTLINE(cert-env33-c): nothing in the command is anybody's */
	FILE *f = popen(VM_QEMU_PROGRAM " -L help </dev/null 2>/dev/null", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t used = strlen(where);

		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "%s/%s", line, name);
		found = found || access(path, F_OK) == 0;
		snprintf(where + used, sizeof(where) - used, "%s%.200s", used > 0 ? ", " : "",
		    line);
	}
	if (f != NULL)
		(void)pclose(f);   /* only what was read counts */
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
	return firmware_find(machine == VM_MACHINE_MICROVM ? "qboot.rom" : "bios-256k.bin", m);
}
