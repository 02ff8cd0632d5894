/* daemonize: goes into the background, and lets the one who started us wait until we serve. */
#ifndef SRC_PROCESS_DAEMONIZE_H
#define SRC_PROCESS_DAEMONIZE_H

/*
 * Forks; the parent stays until daemonize_ready or the end of the child, and exits with 0 or 1.
 * Returns in the child, in a session of its own, its standard input from /dev/null.  Errors go to
 * the old stderr until daemonize_ready.
 */
void daemonize_start(void);
void daemonize_ready(void);   /* harmless in the foreground */

#endif
