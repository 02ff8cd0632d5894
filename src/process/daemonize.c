/* daemonize: a background process whose parent waits for READY. */
#include "src/process/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int ready_fd = -1;

void
daemonize_start(void)
{
	int fds[2], null;
	char byte;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		fatal("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		do {
			n = read(fds[0], &byte, 1);
		} while (n < 0 && errno == EINTR);
		_exit(n == 1 ? 0 : 1);
	}
	close(fds[0]);
	ready_fd = fds[1];
	if (setsid() < 0 || chdir("/") != 0)
		fatal("session: %s", strerror(errno));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		fatal("/dev/null: %s", strerror(errno));
	close(null);
}

void
daemonize_ready(void)
{
	int null;

	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0 || write(ready_fd, "", 1) != 1)
		log_warn("whoever started us could not be told that we serve: %s", strerror(errno));
	close(null);
	close(ready_fd);
	ready_fd = -1;
}
