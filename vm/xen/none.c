/* none: stands for vm/xen/xl.c in a build without Xen. */
#include "vm/vm.h"

#include <string.h>

enum err
vm_xl_read(const char *path, struct vm_xl *xl, struct errmsg *m)
{
	memset(xl, 0, sizeof(*xl));
	return err_set(m, ERR_UNSUPPORTED, "%s: this build has no Xen driver (make XEN=yes)", path);
}

void
vm_xl_check(const char *path, UNUSED struct report *r)
{
	(void)path;     /* reading it was refused */
}
