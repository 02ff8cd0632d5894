/* check: what a driver needs of this host and does not find: its program and the firmware. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/proc/spawn.h"
#include "vm/vm.h"

/* The directories in which QEMU looks for its files, one a line.  NULL: it does not tell. */
static FILE *
firmware_dirs(const char *qemu, pid_t *pid)
{
	char dirs[] = "-L", help[] = "help";
	char *argv[] = { (char *)(uintptr_t)qemu, dirs, help, NULL };
	posix_spawn_file_actions_t fa;
	int ends[2], rc;
	FILE *f;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return NULL;
	posix_spawn_file_actions_init(&fa);
	rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, ends[1], STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(pid, qemu, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(ends[1]);
	f = rc == 0 ? fdopen(ends[0], "re") : NULL;
	if (f == NULL)
		close(ends[0]);
	return f;
}

static enum err
firmware_find(const char *qemu, const char *name, struct errmsg *m)
{
	char line[PATH_MAX], path[PATH_MAX + 64], where[1024] = "";
	bool found = false;
	pid_t pid = -1;
	FILE *f = firmware_dirs(qemu, &pid);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t used = strlen(where);

		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "%s/%s", line, name);
		found = found || access(path, F_OK) == 0;
		snprintf(where + used, sizeof(where) - used, "%s%.200s", used > 0 ? ", " : "",
		    line);
	}
	if (f != NULL)
		(void)fclose(f);   /* only read from */
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
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
