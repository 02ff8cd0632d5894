/* open_as_vm: files, opened with the rights of the VMs' user. */
#include "vm/proc/open_as_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <unistd.h>

int
open_as_vm(const struct vm_host_conf *conf, const char *path, int flags)
{
	int fd, saved;

	if (conf->vm_uid == 0)
		return open(path, flags | O_CLOEXEC | O_NOCTTY);
	setfsgid(conf->vm_gid);
	setfsuid(conf->vm_uid);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	saved = errno;
	setfsuid(geteuid());
	setfsgid(getegid());
	errno = saved;
	return fd;
}
