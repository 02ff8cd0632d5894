/* thread: see thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/crash.h"

struct start {
	void *(*run)(void *arg);
	void *arg;
};

static void *
run_thread(void *arg)
{
	struct start s = *(struct start *)arg;
	char crash_stack[CRASH_STACK_BYTES];

	free(arg);
	crash_thread(crash_stack);
	return s.run(s.arg);
}

int
thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	struct start *s = malloc(sizeof(*s));
	int error = s == NULL ? ENOMEM : pthread_attr_init(&attr);

	if (error != 0) {
		free(s);
		return error;
	}
	*s = (struct start){ .run = run, .arg = arg };
	(void)sigfillset(&all);   /* cannot fail with a valid pointer */
	error = pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	if (error == 0)
		error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (error == 0) {
		error = pthread_create(thread, &attr, run_thread, s);
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);   /* worked just now */
	}
	if (error != 0)
		free(s);   /* else the thread does */
	(void)pthread_attr_destroy(&attr);   /* always 0 */
	return error;
}
