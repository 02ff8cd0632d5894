/* memfd: creation, sealing and checked mapping. */
#include "base/memfd.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

enum err
memfd_create_open(const char *name, int *fd, struct errmsg *m)
{
	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return err_sys(m, "memfd_create(%s)", name);
	return ERR_OK;
}

enum err
memfd_create_sized(const char *name, size_t size, int *fd, struct errmsg *m)
{
	enum err e = memfd_create_open(name, fd, m);

	if (e != ERR_OK)
		return e;
	if (ftruncate(*fd, (off_t)size) != 0)
		e = err_sys(m, "%s: size %zu", name, size);
	else if (fcntl(*fd, F_ADD_SEALS, SIZE_SEALS) != 0)
		e = err_sys(m, "%s: seal", name);
	if (e != ERR_OK) {
		close(*fd);
		*fd = -1;
	}
	return e;
}

enum err
memfd_seal_all(int fd, struct errmsg *m)
{
	int seals = SIZE_SEALS | F_SEAL_WRITE | F_SEAL_SEAL;

	return fcntl(fd, F_ADD_SEALS, seals) == 0 ? ERR_OK : err_sys(m, "seal");
}

enum err
memfd_seal_future_write(int fd, struct errmsg *m)
{
	int seals = F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

	return fcntl(fd, F_ADD_SEALS, seals) == 0 ? ERR_OK : err_sys(m, "seal");
}

static enum err
map_checked(int fd, int need, int prot, const void **map, size_t *size, struct errmsg *m)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	*map = NULL;
	if (seals < 0)
		return err_set(m, ERR_PROTO, "descriptor %d is not a sealable memory file", fd);
	if ((seals & need) != need)
		return err_set(m, ERR_PROTO, "memory file has seals 0x%x, needs 0x%x",
		    (unsigned)seals, (unsigned)need);
	if (fstat(fd, &st) != 0)
		return err_sys(m, "fstat");
	if (st.st_size <= 0)
		return err_set(m, ERR_PROTO, "memory file is empty");
	*size = (size_t)st.st_size;
	*map = mmap(NULL, *size, prot, MAP_SHARED, fd, 0);
	if (*map != MAP_FAILED)
		return ERR_OK;
	*map = NULL;
	return err_sys(m, "mmap %zu bytes", *size);
}

enum err
memfd_map_sealed(int fd, const void **map, size_t *size, struct errmsg *m)
{
	return map_checked(fd, SIZE_SEALS | F_SEAL_WRITE, PROT_READ, map, size, m);
}

enum err
memfd_map_read(int fd, const void **map, size_t *size, struct errmsg *m)
{
	return map_checked(fd, SIZE_SEALS, PROT_READ, map, size, m);
}

enum err
memfd_map_write(int fd, void **map, size_t *size, struct errmsg *m)
{
	const void *p;
	enum err e = map_checked(fd, SIZE_SEALS, PROT_READ | PROT_WRITE, &p, size, m);

	*map = (void *)(uintptr_t)p;
	return e;
}
