/* overlay_test: an overlay is used on what it was made on, and on nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm/proc/overlay.h"

struct bench {
	char dir[64], base[96], overlay[96];
	struct vm_host_conf conf;
	struct vm_disk disk;
};

static void __attribute__((format(printf, 2, 3)))
sh(const struct bench *b, const char *fmt, ...)
{
	char command[1024] = "";
	size_t used = (size_t)snprintf(command, sizeof(command), "cd %s && ", b->dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command + used, sizeof(command) - used, fmt, ap);
	va_end(ap);
	if (system(command) != 0)   /* NOLINT(cert-env33-c): a test's own words */
		fail_msg("%s", command);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->dir, "/tmp/overlay_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->base, sizeof(b->base), "%s/base", b->dir);
	snprintf(b->overlay, sizeof(b->overlay), "%s/o/unit.0.qcow2", b->dir);
	b->disk = (struct vm_disk){ .path = b->base, .format = VM_DISK_RAW, .overlay = b->overlay };
	sh(b, "head -c 3000000 /dev/urandom >base");
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	sh(b, "rm -rf %s", b->dir);
	free(b);
	return 0;
}

static void
good(struct bench *b)
{
	struct errmsg m = { .text = "" };

	if (overlay_ensure(&b->conf, &b->disk, &m) != ERR_OK)
		fail_msg("%s", m.text);
	assert_int_equal(access(b->overlay, F_OK), 0);
}

static void
bad(struct bench *b, const char *part)
{
	struct errmsg m = { .text = "" };

	assert_int_equal(overlay_ensure(&b->conf, &b->disk, &m), ERR_STATE);
	if (strstr(m.text, part) == NULL || strstr(m.text, b->overlay) == NULL)
		fail_msg("\"%s\" has not \"%s\"", m.text, part);
}

static void
test_same(void **state)
{
	struct bench *b = *state;

	good(b);
	good(b);
	/*
	 * What changes nothing in it: another owner or mode, another name beside it, another place
	 * on disk.
	 */
	sh(b, "chmod 600 base && ln base other");
	good(b);
	sh(b, "cp -p base copy && mv copy base");
	good(b);
	good(b);
}

static void
test_changed(void **state)
{
	struct bench *b = *state;

	good(b);
	sh(b, "cp -p base old && cp -p o/unit.0.qcow2 good");
	/* In place: longer, and as long as before. */
	sh(b, "echo more >>base");
	bad(b, "had 3000000 bytes then and has 3000005 now");
	sh(b, "truncate -s 3000000 base");
	bad(b, "was changed since");
	/* Put back. */
	sh(b, "cp -p old base");
	good(b);
	/* Another in its place, of the same length and age. */
	sh(b, "head -c 3000000 /dev/urandom >new && touch -r base new && mv new base");
	bad(b, "contents of");
	/* In place, with its time put back. */
	sh(b, "cp -p old base");
	good(b);
	sh(b, "printf x | dd of=base bs=1 seek=100 conv=notrunc status=none && touch -r old base");
	bad(b, "contents of");
	/* Its owner knows better, and is believed once. */
	sh(b, "rm o/unit.0.qcow2.base");
	good(b);
	sh(b, "touch -d 2001-01-01 base");
	bad(b, "was changed since");
	/* Begun anew. */
	sh(b, "rm o/unit.0.qcow2");
	good(b);
	/* Gone, or another path. */
	sh(b, "cp -p base else");
	b->disk.path = b->base;
	snprintf(b->base, sizeof(b->base), "%s/else", b->dir);
	bad(b, "it was made on top of");
	sh(b, "echo nonsense >o/unit.0.qcow2.base");
	assert_int_not_equal(overlay_ensure(&b->conf, &b->disk, NULL), ERR_OK);
}

static void
test_chain(void **state)
{
	struct bench *b = *state;
	struct errmsg m;

	sh(b, "mv base bottom && qemu-img create -q -f qcow2 -F raw -b bottom middle && "
	    "qemu-img create -q -f qcow2 -F qcow2 -b %s/middle base", b->dir);
	b->disk.format = VM_DISK_QCOW2;
	good(b);
	good(b);
	sh(b, "touch -d 2001-01-01 bottom");
	bad(b, "bottom was changed since");
	sh(b, "rm o/*");
	good(b);
	sh(b, "qemu-io -f qcow2 -c 'write -q 0 4096' middle");
	bad(b, "middle had ");
	sh(b, "rm o/*");
	good(b);
	sh(b, "mv bottom gone");
	assert_int_not_equal(overlay_ensure(&b->conf, &b->disk, &m), ERR_OK);
	assert_non_null(strstr(m.text, "which the disk lies on"));
	/* A circle ends. */
	sh(b, "mv gone bottom; rm o/*; qemu-img create -q -u -f qcow2 -F qcow2 -b base middle 1M");
	assert_int_equal(overlay_ensure(&b->conf, &b->disk, &m), ERR_LIMIT);
}

/* Of a raw disk the contents are a guest's, whatever they look like. */
static void
test_raw(void **state)
{
	struct bench *b = *state;

	sh(b, "qemu-img create -q -u -f qcow2 -F raw -b /nowhere/else base 1M");
	good(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
