/*
 * accel_test: the trial of KVM runs beside the wakes, once.  A script stands for QEMU: it counts
 * its runs, waits until the gate is open, and ends as the guest of the trial, or QEMU without KVM,
 * would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/base/files.h"
#include "vm/qemu/accel.h"

#define PATIENCE_MS 60000
#define WORKS 33               /* what the guest of the trial says */
#define WORKS_NOT 1

struct bench {
	char dir[64], qemu[96], device[96];
	struct vm_host_conf conf;
	struct accel a;
};

static void
put(const struct bench *b, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	file_put(path, text);
}

static void
drop(const struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	assert_int_equal(unlink(path), 0);
}

/* How often QEMU was run. */
static long
runs(const struct bench *b)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/runs", b->dir);
	return stat(path, &st) == 0 ? (long)st.st_size : 0;
}

static void
until_runs(const struct bench *b, long n)
{
	for (int i = 0; i < PATIENCE_MS && runs(b) < n; i++)
		usleep(1000);
	assert_int_equal(runs(b), n);
}

static bool
is_trying(struct accel *a)
{
	bool trying;

	pthread_mutex_lock(&a->lock);
	trying = a->trying;
	pthread_mutex_unlock(&a->lock);
	return trying;
}

static void
until_done(struct bench *b)
{
	for (int i = 0; i < PATIENCE_MS && is_trying(&b->a); i++)
		usleep(1000);
	assert_false(is_trying(&b->a));
}

static void
ends_with(const struct bench *b, int status)
{
	char text[16];

	snprintf(text, sizeof(text), "%d\n", status);
	put(b, "status", text);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char script[512];

	if (b == NULL)
		return -1;
	*state = b;
	snprintf(b->dir, sizeof(b->dir), "/tmp/accel_test.XXXXXX");
	if (mkdtemp(b->dir) == NULL)
		return -1;
	snprintf(b->qemu, sizeof(b->qemu), "%s/qemu", b->dir);
	snprintf(b->device, sizeof(b->device), "%s/kvm", b->dir);
	snprintf(script, sizeof(script), "#!/bin/sh\nprintf x >>%s/runs\nwhile [ ! -e %s/gate ]; "
	    "do sleep 0.01; done\n"
	    "read -r s <%s/status\nexit \"$s\"\n", b->dir, b->dir, b->dir);
	put(b, "qemu", script);
	put(b, "kvm", "");
	put(b, "gate", "");
	ends_with(b, WORKS);
	if (chmod(b->qemu, 0755) != 0)
		return -1;
	accel_init(&b->a);
	b->a.device = b->device;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	accel_clear(&b->a);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	free(b);
	return system(command);   /* NOLINT(cert-env33-c): a test's own words */
}

static enum err
choose(struct bench *b, enum vm_accel want, struct accel_choice *c)
{
	struct errmsg m = { "" };
	enum err e = accel_choose(&b->a, &b->conf, b->qemu, want, c, &m);

	if (e != ERR_OK)
		snprintf(c->note, sizeof(c->note), "%.400s", m.text);
	return e;
}

struct wake {
	struct bench *b;
	struct accel_choice c;
	enum err e;
};

static void *
wake(void *arg)
{
	struct wake *k = arg;

	k->e = choose(k->b, VM_ACCEL_AUTO, &k->c);
	return NULL;
}

static void
a_wake_waits_for_the_trial_that_the_start_began(void **state)
{
	struct bench *b = *state;
	struct wake k = { .b = b };
	struct accel_choice c;
	pthread_t thread;

	drop(b, "gate");
	accel_prepare(&b->a, &b->conf, b->qemu);   /* returns although the gate is closed */
	until_runs(b, 1);
	accel_prepare(&b->a, &b->conf, b->qemu);
	/* what needs no KVM does not wait */
	assert_int_equal(choose(b, VM_ACCEL_TCG, &c), ERR_OK);
	assert_false(c.kvm);
	assert_int_equal(pthread_create(&thread, NULL, wake, &k), 0);
	put(b, "gate", "");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(k.e, ERR_OK);
	assert_true(k.c.kvm);
	/* What it found holds. */
	accel_prepare(&b->a, &b->conf, b->qemu);
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_OK);
	assert_true(c.kvm);
	assert_string_equal(c.cpu, "host");
	assert_int_equal(runs(b), 1);
}

static void
no_wake_waits_for_a_trial_that_is_repeated(void **state)
{
	struct bench *b = *state;
	struct accel_choice c;

	ends_with(b, WORKS_NOT);
	accel_prepare(&b->a, &b->conf, b->qemu);
	until_runs(b, 4);   /* two CPUs, with all that they offer and without */
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_false(c.kvm);
	assert_non_null(strstr(c.note, "takes tcg"));
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_string_equal(c.note, "");           /* said once */
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_UNSUPPORTED);
	assert_non_null(strstr(c.note, "the trial VM"));
	until_done(b);
	assert_int_equal(runs(b), 4);
	/* A minute later, and with the gate closed: a wake that waited would wait for ever. */
	drop(b, "gate");
	ends_with(b, WORKS);
	b->a.again_ns = 0;
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_false(c.kvm);
	until_runs(b, 5);
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_UNSUPPORTED);
	put(b, "gate", "");
	until_done(b);
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_true(c.kvm);
	assert_int_equal(runs(b), 5);
}

static void
who_reloads_has_it_tried_again(void **state)
{
	struct bench *b = *state;
	struct accel_choice c;

	ends_with(b, WORKS_NOT);
	accel_prepare(&b->a, &b->conf, b->qemu);
	until_done(b);
	ends_with(b, WORKS);
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_UNSUPPORTED);   /* no minute has passed */
	accel_prepare(&b->a, &b->conf, b->qemu);
	until_done(b);
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_OK);
	assert_true(c.kvm);
}

static void
the_device_is_looked_at_each_time(void **state)
{
	struct bench *b = *state;
	struct accel_choice c;

	drop(b, "kvm");
	accel_prepare(&b->a, &b->conf, b->qemu);
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_UNSUPPORTED);
	assert_non_null(strstr(c.note, "there is no "));
	assert_int_equal(runs(b), 0);
	put(b, "kvm", "");
	assert_int_equal(choose(b, VM_ACCEL_KVM, &c), ERR_OK);   /* the first trial is waited for */
	assert_true(c.kvm);
	assert_int_equal(runs(b), 1);
	drop(b, "kvm");
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_false(c.kvm);
}

static void
qemu_that_cannot_be_run_is_no_finding(void **state)
{
	struct bench *b = *state;
	struct accel_choice c;

	assert_int_equal(chmod(b->qemu, 0644), 0);
	assert_int_not_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_int_equal(chmod(b->qemu, 0755), 0);
	assert_int_equal(choose(b, VM_ACCEL_AUTO, &c), ERR_OK);
	assert_true(c.kvm);
}

/* The end waits for no trial: teardown ends this one, whose gate stays closed. */
static void
the_end_ends_a_trial(void **state)
{
	struct bench *b = *state;

	drop(b, "gate");
	accel_prepare(&b->a, &b->conf, b->qemu);
	until_runs(b, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_wake_waits_for_the_trial_that_the_start_began,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(no_wake_waits_for_a_trial_that_is_repeated, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(who_reloads_has_it_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(the_device_is_looked_at_each_time, setup, teardown),
		cmocka_unit_test_setup_teardown(qemu_that_cannot_be_run_is_no_finding, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(the_end_ends_a_trial, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
