/* psi: a trigger, and the epoll that hears it: libevent does not wait for EPOLLPRI. */
#include "src/process/psi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* A multiple of two seconds is what the kernel lets those have who lack CAP_SYS_RESOURCE. */
#define WINDOW_US 2000000u

struct psi {
	int fd, epoll;
	struct event *ev;
	psi_cb cb;
	void *arg;
};

static void
on_trigger(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct psi *p = arg;
	struct epoll_event ev;

	if (epoll_wait((int)fd, &ev, 1, 0) != 1)
		return;
	if ((ev.events & EPOLLERR) != 0) {
		/* The file has gone, as with its cgroup: no event comes any more. */
		log_warn("memory pressure is not told any more");
		(void)event_del(p->ev);
		return;
	}
	p->cb(p->arg);
}

static enum err
trigger_open(struct psi *p, const char *path, unsigned percent, struct errmsg *m)
{
	struct epoll_event ev = { .events = EPOLLPRI };
	char text[64];
	int len = snprintf(text, sizeof(text), "some %u %u", percent * (WINDOW_US / 100),
	    WINDOW_US);

	p->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0 && (errno == ENOENT || errno == EOPNOTSUPP))
		return err_set(m, ERR_UNSUPPORTED, "%s: this kernel tells nothing of memory "
		    "pressure (it needs CONFIG_PSI, and psi=1 where that is off)", path);
	/* The final NUL belongs to what the kernel wants to read. */
	if (p->fd < 0 || write(p->fd, text, (size_t)len + 1) < 0) {
		(void)err_sys(m, "%s: trigger \"%s\"", path, text);
		return ERR_UNSUPPORTED;
	}
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->fd, &ev) != 0)
		return err_sys(m, "%s: epoll", path);
	return ERR_OK;
}

enum err
psi_new(struct event_base *base, const char *path, unsigned percent, psi_cb cb, void *arg,
    struct psi **psi, struct errmsg *m)
{
	struct psi *p = mem_zero(1, sizeof(*p));
	enum err e;

	*p = (struct psi){ .fd = -1, .epoll = -1, .cb = cb, .arg = arg };
	*psi = NULL;
	e = trigger_open(p, path, percent, m);
	if (e != ERR_OK) {
		psi_free(p);
		return e;
	}
	p->ev = mem_must(event_new(base, p->epoll, EV_READ | EV_PERSIST, on_trigger, p));
	if (event_add(p->ev, NULL) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
	*psi = p;
	return ERR_OK;
}

void
psi_free(struct psi *p)
{
	if (p == NULL)
		return;
	if (p->ev != NULL)
		event_free(p->ev);
	if (p->epoll >= 0)
		close(p->epoll);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}
