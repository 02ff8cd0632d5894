/* notify: tells the service manager how we are (sd_notify(3)); without $NOTIFY_SOCKET nothing. */
#ifndef SRC_PROCESS_NOTIFY_H
#define SRC_PROCESS_NOTIFY_H

/* A datagram of `KEY=value` lines ("READY=1").  Failures are ignored: nobody could act on them. */
void notify_send(const char *state);
/* The last line of a process that crashed, for `systemctl status`; async-signal-safe. */
void notify_crash(const char *line);
/* "RELOADING=1" with the monotonic time that systemd asks for. */
void notify_reloading(void);

#endif
