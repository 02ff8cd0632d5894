/*
 * wake_check: does the hypervisor of an awake unit live?
 *
 * Nobody polls.  For a while after a look the board says BOARD_NOW, then BOARD_CHECK, and the next
 * query comes here; where packets alone keep a unit awake, its idle deadline does.  A hypervisor
 * that hangs is ended by the host (vm_check), which is told as the end of the VM.
 */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include "base/mem.h"
#include "src/warden/timer.h"

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	struct wake_op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	(void)fd;
	(void)what;
	if (u == NULL || u->run == NULL || life_state(&u->life) != LIFE_AWAKE)
		return;
	u->run->check_due = true;
	wake_board(op->w, u);
}

static bool
can_check(const struct warden *w, const struct unit *u)
{
	unsigned caps = 0;

	return u->conf != NULL && w->gen->conf->limits.hang_timeout_ms != 0 &&
	    vm_driver_caps(w->vms, u->conf->image->driver_name, &caps, NULL) == ERR_OK &&
	    (caps & VM_CAN_CHECK) != 0;
}

void
wake_check_begin(struct warden *w, struct unit *u)
{
	struct unit_run *r = unit_run(u);

	r->check_due = false;
	if (!can_check(w, u))
		return;
	if (r->check == NULL) {
		r->check_arg = wake_op_new(w, u, 0, LIFE_EV_TIMER);
		r->check = mem_must(evtimer_new(w->base, on_due, r->check_arg));
	}
	timer_arm(r->check, w->gen->conf->limits.hang_timeout_ms);
}

void
wake_check_end(struct unit *u)
{
	if (u->run == NULL)
		return;
	u->run->check_due = false;
	if (u->run->check != NULL)
		(void)event_del(u->run->check);   /* fails only for what was never added */
}

void
wake_check(struct warden *w, struct unit *u)
{
	if (!unit_has_vm(u) || !can_check(w, u))
		return;
	wake_check_begin(w, u);
	wake_board(w, u);
	vm_check(w->vms, &u->run->uuid);
}
