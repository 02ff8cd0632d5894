/* fuzz_zone: a master file's bytes through the compiler; an image that comes out must pass the check. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"
#include "dns/zcompile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
no_include(void *arg, const char *path, struct errmsg *why)
{
	(void)arg;
	(void)err_set(why, ERR_PERM, "%s: not here", path);
	return -1;
}

static int
text_fd(const uint8_t *data, size_t size)
{
	int fd = memfd_create("zone", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* The first byte says whether the rest is a units file as well. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zcompile c = { .origin = "z", .path = "zone", .units_path = "units", .fd = -1, .units_fd = -1, .include = no_include };
	struct zout o;
	struct report r;
	struct errmsg m;
	const void *map;
	size_t len;
	int image = -1;

	if (size < 1 || zout_open(&o, &m) != ERR_OK)
		return 0;
	c.fd = text_fd(data + 1, size - 1);
	if ((data[0] & 1) != 0)
		c.units_fd = text_fd(data + 1, size - 1);
	report_init(&r);
	r.wants_zone_warnings = true;
	if (zcompile_zone(&c, &o, &r) == ERR_OK) {
		if (r.nerrors > 0 || zout_finish(&o, &image, &m) != ERR_OK || memfd_map_sealed(image, &map, &len, &m) != ERR_OK ||
		    zimage_check(map, len, &m) != ERR_OK)
			abort();
		(void)munmap((void *)(uintptr_t)map, len);   /* cannot fail for a mapping of ours */
		close(image);
	} else if (r.nerrors == 0 || o.nzones != 0) {
		abort();
	}
	report_clear(&r);
	zout_close(&o);
	close(c.fd);
	if (c.units_fd >= 0)
		close(c.units_fd);
	return 0;
}
