/* overlay: made under another name and renamed, so that a half-made one is never used. */
#include "vm/proc/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "vm/proc/spawn.h"

#define CREATE_MS 30000

static enum err
run_qemu_img(const struct vm_host_conf *conf, const struct vm_disk *disk, const char *file,
    struct errmsg *m)
{
	char program[PATH_MAX], how[80], said[256];
	const char *const argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-F",
	    disk->format == VM_DISK_QCOW2 ? "qcow2" : "raw",
		"-b", disk->path, file, NULL };
	struct spawn_conf sc;
	struct spawn_end end;
	enum err e;

	spawn_conf_init(&sc);
	e = spawn_find("qemu-img", program, sizeof(program), m);
	if (e == ERR_OK)
		e = output_new(&sc.output_fd, m);
	if (e != ERR_OK)
		return e;
	sc.path = program;
	sc.argv = (char *const *)(uintptr_t)argv;
	sc.uid = conf->vm_uid;
	sc.gid = conf->vm_gid;
	e = spawn_to_end(&sc, CREATE_MS, &end, m);
	if (e == ERR_OK && (!end.known || end.signalled || end.status != 0)) {
		spawn_end_text(&end, how, sizeof(how));
		output_last_line(sc.output_fd, said, sizeof(said));
		e = err_set(m, ERR_IO, "overlay %s: qemu-img %s: %s", disk->overlay, how, said);
	}
	close(sc.output_fd);
	return e;
}

/* The directory of the overlay, which the VMs' user may pass. */
static enum err
make_directory(const char *overlay, struct errmsg *m)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(overlay, '/');

	if (slash == NULL || (size_t)(slash - overlay) >= sizeof(dir))
		return err_set(m, ERR_RANGE, "overlay %s: no usable path", overlay);
	memcpy(dir, overlay, (size_t)(slash - overlay));
	dir[slash - overlay] = '\0';
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return err_sys(m, "directory %s for overlays", dir);
	return ERR_OK;
}

enum err
overlay_ensure(const struct vm_host_conf *conf, const struct vm_disk *disk, struct errmsg *m)
{
	char part[PATH_MAX];
	enum err e = ERR_OK;
	int fd;

	if (access(disk->overlay, F_OK) == 0)
		return overlay_base_check(conf, disk, m);
	if ((size_t)snprintf(part, sizeof(part), "%s.part", disk->overlay) >= sizeof(part))
		return err_set(m, ERR_RANGE, "overlay %s: the path is too long", disk->overlay);
	e = make_directory(disk->overlay, m);
	if (e != ERR_OK)
		return e;
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(m, "overlay %s", part);
	if (conf->vm_uid != 0 && fchown(fd, conf->vm_uid, conf->vm_gid) != 0)
		e = err_sys(m, "overlay %s: chown", part);
	close(fd);
	/* Before, so that what changes meanwhile is noticed later. */
	if (e == ERR_OK)
		e = overlay_base_note(conf, disk, m);
	if (e == ERR_OK)
		e = run_qemu_img(conf, disk, part, m);
	if (e == ERR_OK && rename(part, disk->overlay) != 0)
		e = err_sys(m, "overlay %s", disk->overlay);
	if (e != ERR_OK)
		(void)unlink(part);     /* the first error is the one to tell */
	return e;
}
