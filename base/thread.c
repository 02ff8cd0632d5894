/* thread: see thread.h. */
#include "base/thread.h"

#include <signal.h>

int
thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error = pthread_attr_init(&attr);

	if (error != 0)
		return error;
	(void)sigfillset(&all);   /* cannot fail with a valid pointer */
	error = pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	if (error == 0)
		error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (error == 0) {
		error = pthread_create(thread, &attr, run, arg);
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);   /* worked just now */
	}
	(void)pthread_attr_destroy(&attr);   /* always 0 */
	return error;
}
