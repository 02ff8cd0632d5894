/*
 * fuzz_zone: a master file's bytes through the compiler; a zimage that comes out must pass the
 * check, and what is printed of it must compile to the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"
#include "dns/dns.h"
#include "dns/zone/zcompile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
no_include(void *arg, const char *path, bool *shown, struct errmsg *why)
{
	(void)arg;
	(void)shown;
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

static char *
printed(int zimage)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct errmsg m;

	if (f == NULL || dns_zimage_print(zimage, 0, f, &m) != ERR_OK || fclose(f) != 0)
		abort();
	return text;
}

/* What is printed of a zimage compiles to the same. */
static void
print_and_compare(int zimage)
{
	char *once = printed(zimage), *twice;
	struct zcompile c = { .origin = "z", .path = "printed", .units_fd = -1,
	    .include = no_include };
	struct report r;
	struct errmsg m;
	struct zout o;
	int again = -1;

	if (zout_open(&o, &m) != ERR_OK)
		abort();
	c.fd = text_fd((const uint8_t *)once, strlen(once));
	report_init(&r);
	if (zcompile_zone(&c, &o, &r) != ERR_OK || zout_finish(&o, &again, &m) != ERR_OK)
		abort();
	twice = printed(again);
	/* Its first line counts signatures that sign nothing, which are not printed. */
	if (strcmp(strchr(once, '\n'), strchr(twice, '\n')) != 0)
		abort();
	report_clear(&r);
	zout_close(&o);
	close(c.fd);
	close(again);
	free(once);
	free(twice);
}

/* The first byte says whether the rest is a units file as well. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zcompile c = { .origin = "z", .path = "zone", .units_path = "units", .fd = -1,
	    .units_fd = -1, .include = no_include };
	struct zout o;
	struct report r;
	struct errmsg m;
	const void *map;
	size_t len;
	int zimage = -1;

	if (size < 1 || zout_open(&o, &m) != ERR_OK)
		return 0;
	c.fd = text_fd(data + 1, size - 1);
	if ((data[0] & 1) != 0)
		c.units_fd = text_fd(data + 1, size - 1);
	report_init(&r);
	r.wants_zone_warnings = true;
	if (zcompile_zone(&c, &o, &r) == ERR_OK) {
		if (r.nerrors > 0 || zout_finish(&o, &zimage, &m) != ERR_OK ||
		    memfd_map_sealed(zimage, &map, &len, &m) != ERR_OK ||
		    zimage_check(map, len, &m) != ERR_OK)
			abort();
		(void)munmap((void *)(uintptr_t)map, len);   /* cannot fail for a mapping of ours */
		print_and_compare(zimage);
		close(zimage);
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
