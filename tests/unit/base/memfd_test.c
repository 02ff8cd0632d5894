/* memfd_test: seals, and maps that are refused without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memfd.h"
#include "tests/unit/base/fds.h"

#define SIZE 10000

static void
test_sized(void **state)
{
	struct errmsg m;
	void *map;
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(memfd_create_sized("test", SIZE, &fd, &m), ERR_OK);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(ftruncate(fd, SIZE - 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, SIZE + 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(memfd_map_write(fd, &map, &size, &m), ERR_OK);
	assert_int_equal(size, SIZE);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(((unsigned char *)map)[i], 0);
	memset(map, 7, SIZE);
	munmap(map, size);
	close(fd);
}

static void
test_seal_all(void **state)
{
	const void *ro;
	void *rw;
	struct errmsg m;
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(memfd_create_open("test", &fd, &m), ERR_OK);
	assert_int_equal(write(fd, "hello", 5), 5);
	/* Not sealed: the writer could still cut it. */
	assert_int_equal(memfd_map_sealed(fd, &ro, &size, &m), ERR_PROTO);
	assert_null(ro);
	assert_int_equal(memfd_map_read(fd, &ro, &size, &m), ERR_PROTO);
	assert_int_equal(memfd_map_write(fd, &rw, &size, &m), ERR_PROTO);
	assert_int_equal(memfd_seal_all(fd, &m), ERR_OK);
	assert_int_equal(memfd_map_sealed(fd, &ro, &size, &m), ERR_OK);
	assert_int_equal(size, 5);
	assert_memory_equal(ro, "hello", 5);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(mprotect((void *)(uintptr_t)ro, size, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(memfd_map_write(fd, &rw, &size, &m), ERR_PERM);
	assert_null(rw);
	assert_int_not_equal(memfd_seal_all(fd, &m), ERR_OK);
	munmap((void *)(uintptr_t)ro, 5);
	close(fd);
}

static void
test_seal_all_refused_while_writable(void **state)
{
	struct errmsg m;
	size_t size;
	void *rw;
	int fd;

	(void)state;
	assert_int_equal(memfd_create_sized("test", SIZE, &fd, &m), ERR_OK);
	assert_int_equal(memfd_map_write(fd, &rw, &size, &m), ERR_OK);
	assert_int_not_equal(memfd_seal_all(fd, &m), ERR_OK);
	munmap(rw, size);
	assert_int_equal(memfd_seal_all(fd, &m), ERR_OK);
	close(fd);
}

static void
test_future_write(void **state)
{
	const unsigned char *ro;
	unsigned char *rw;
	void *other;
	struct errmsg m;
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(memfd_create_sized("test", SIZE, &fd, &m), ERR_OK);
	assert_int_equal(memfd_map_write(fd, (void **)&rw, &size, &m), ERR_OK);
	assert_int_equal(memfd_seal_future_write(fd, &m), ERR_OK);
	assert_int_equal(memfd_map_write(fd, &other, &size, &m), ERR_PERM);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(memfd_map_read(fd, (const void **)&ro, &size, &m), ERR_OK);
	rw[SIZE - 1] = 42;
	assert_int_equal(ro[SIZE - 1], 42);
	/* It may still change, so it is not what memfd_map_sealed promises. */
	assert_int_equal(memfd_map_sealed(fd, (const void **)&other, &size, &m), ERR_PROTO);
	munmap((void *)(uintptr_t)ro, SIZE);
	munmap(rw, SIZE);
	close(fd);
}

static void
test_foreign_descriptors(void **state)
{
	char path[] = "/tmp/memfd_test.XXXXXX";
	const void *ro;
	struct errmsg m;
	size_t size;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(memfd_map_read(fds[0], &ro, &size, &m), ERR_PROTO);
	close(fds[0]);
	close(fds[1]);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(memfd_map_read(fd, &ro, &size, &m), ERR_PROTO);
	close(fd);
	unlink(path);
	assert_int_equal(memfd_map_read(-1, &ro, &size, &m), ERR_PROTO);
	assert_int_equal(memfd_create_open("test", &fd, &m), ERR_OK);
	assert_int_equal(memfd_seal_all(fd, &m), ERR_OK);
	assert_int_equal(memfd_map_sealed(fd, &ro, &size, &m), ERR_PROTO);   /* empty */
	close(fd);
}

static void
test_too_large(void **state)
{
	unsigned before = fds_open();
	struct errmsg m;
	int fd = 5;

	(void)state;
	assert_int_not_equal(memfd_create_sized("test", SIZE_MAX, &fd, &m), ERR_OK);
	assert_int_equal(fd, -1);
	assert_int_equal(fds_open(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sized),
		cmocka_unit_test(test_seal_all),
		cmocka_unit_test(test_seal_all_refused_while_writable),
		cmocka_unit_test(test_future_write),
		cmocka_unit_test(test_foreign_descriptors),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
