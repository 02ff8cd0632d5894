#!/usr/bin/env bats
# fresh: jitsud works whatever its caller had ignored, blocked, closed, opened and limited, and
# hands none of it on.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

child_pid() { jitsu --json status | jq -r ".children[] | select(.name == \"$1\") | .pid"; }
replaced() {
	[ -n "$(child_pid "$1")" ] && [ "$(child_pid "$1")" != "$2" ] &&
	    [ "$(child_pid "$1")" != null ]
}

# start_hostile PYTHON: jitsud is executed by a process that did so before.
start_hostile() {
	cat >"$DIR/hostile" <<-EOF
	import os, resource, signal, sys
	$1
	os.execv(sys.argv[1], sys.argv[1:])
	EOF
	(exec nsenter --net="/run/netns/$NS" python3 "$DIR/hostile" \
	    "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for "${START_SECONDS:-30}" serves || { tail -20 "$DIR/log"; return 1; }
}

whole_life() {
	local old qemu before after
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	qemu=$(qemus)
	# A child that dies is replaced, and nothing spins.
	old=$(child_pid dns)
	kill -KILL "$old"
	wait_for 30 replaced dns "$old"
	before=$(awk '{print $14 + $15}' "/proc/$JITSUD/stat")
	sleep 1
	after=$(awk '{print $14 + $15}' "/proc/$JITSUD/stat")
	[ $((after - before)) -lt 50 ]
	SERIAL=7 write_zone
	kill -HUP "$JITSUD"
	reloaded() { [[ "$(ask +short +time=2 example.test SOA)" == *' 7 '* ]]; }
	wait_for 30 reloaded
	jitsu sleep www.example.test
	wait_for 30 is_state www.example.test dormant
	[ ! -e "/proc/$qemu" ] || ! grep -q qemu "/proc/$qemu/comm"
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
}

ends() {
	local pid=$JITSUD
	kill -TERM "$pid"
	wait "$pid"
	JITSUD=
}

@test "signals ignored and blocked, timers that run, a hostile umask, a directory that is gone" {
	mkdir "$DIR/gone"
	start_hostile "
signal.setitimer(signal.ITIMER_REAL, 2)
signal.setitimer(signal.ITIMER_PROF, 0.5)
os.umask(0o777)
os.chdir('$DIR/gone'); os.rmdir('$DIR/gone')
for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
	[ "$(stat -c %a "$DIR/run")" = 755 ]
	[ "$(stat -c %a "$DIR/run/control")" -ge 600 ]
	[ "$(readlink "/proc/$JITSUD/cwd")" = / ]
	whole_life
	# The processes that jitsud starts ignore and block no signal either.
	for pid in $(child_pid dns) $(child_pid sentinel) $(qemus); do
		# QEMU blocks some itself.
		grep -q qemu "/proc/$pid/comm" ||
		    [ "$(awk '/^SigBlk:/ {print $2}' "/proc/$pid/status")" = 0000000000000000 ]
		# PIPE; 32 and 33 are libc's.
		(( (0x$(awk '/^SigIgn:/ {print $2}' "/proc/$pid/status") & ~0x180001000) == 0 ))
		[ "$(awk '/^Umask:/ {print $2}' "/proc/$pid/status")" = 0022 ]
	done
	ends
}

@test "small resource limits are raised, an inherited OOM score and real-time policy are not kept" {
	start_hostile "
for limit, n in (('FSIZE', 4096), ('NOFILE', 64), ('DATA', 32 << 20), ('CPU', 3),
                 ('AS', 256 << 20), ('SIGPENDING', 0), ('NPROC', 1)):
    number = getattr(resource, 'RLIMIT_' + limit)
    resource.setrlimit(number, (n, resource.getrlimit(number)[1]))
open('/proc/self/oom_score_adj', 'w').write('900')
try: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
except OSError: pass"
	[ "$(awk '/^Max open files/ {print $4}' "/proc/$JITSUD/limits")" -ge 1024 ]
	[ "$(awk '/^Max file size/ {print $4}' "/proc/$JITSUD/limits")" = unlimited ]
	[ "$(awk '/^Max address space/ {print $4}' "/proc/$JITSUD/limits")" = unlimited ]
	[ "$(cat "/proc/$JITSUD/oom_score_adj")" -le 0 ]
	whole_life
	[[ "$(chrt -p "$(qemus)")" == *SCHED_OTHER* ]]
	[ "$(awk '/^Max cpu time/ {print $4}' "/proc/$(qemus)/limits")" = unlimited ]
	ends
	! grep -q 'cannot be raised' "$DIR/log"
}

@test "what the caller had open and in its environment reaches nobody" {
	local pid
	start_hostile "
for i in range(300):
    os.set_inheritable(os.open('$DIR/example.zone', os.O_RDONLY), True)
os.environ.update(LD_PRELOAD='/nonexistent.so', TZ='Pacific/Kiritimati', LC_ALL='tr_TR.UTF-8',
                  MALLOC_PERTURB_='165', SECRET='xyzzy', IFS=' ')"
	whole_life
	for pid in "$JITSUD" $(child_pid dns) $(child_pid sentinel) $(qemus); do
		! ls -l "/proc/$pid/fd" | grep -q example.zone || false
		[ "$pid" = "$JITSUD" ] || ! grep -q xyzzy "/proc/$pid/environ"
	done
	for pid in $(child_pid dns) $(child_pid sentinel); do
		! ls -l "/proc/$pid/fd" | grep -E "$DIR/log|/dev/(tty|pts)|/tmp/" || false
		# Ctrl-C at a terminal is for the warden alone.
		[ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
	done
	ends
}

@test "descriptors 0 to 2 closed: nothing of ours takes their place" {
	local pid i
	start_hostile "os.close(0); os.close(1); os.close(2)"
	for i in 0 1 2; do [ "$(readlink "/proc/$JITSUD/fd/$i")" = /dev/null ]; done
	whole_life
	ends
	# In the background, too.
	in_ns "$BUILD/jitsud" -c "$DIR/jitsu.conf" 0<&- 1>&- 2>&- 3>&- 4>&-
	JITSUD=$(pgrep -f "^$BUILD/jitsud -c $DIR/jitsu.conf")
	for i in 0 1 2; do [ "$(readlink "/proc/$JITSUD/fd/$i")" = /dev/null ]; done
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	# A check with nowhere to say what is wrong has its exit status; one whose result cannot be
	# printed failed.
	in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf" 0<&- >/dev/null 2>&-
	run in_ns bash -c '"$@" 0<&- 1>&- 2>&-' - "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	pid=$JITSUD JITSUD=
	kill "$pid"
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for 30 gone
}

@test "limits that cannot be raised are said" {
	start_hostile "
resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
import ctypes
libc = ctypes.CDLL(None)
libc.prctl(24, 24, 0, 0, 0)      # CAP_SYS_RESOURCE leaves the bounding set"
	grep -q 'resource limit NOFILE (descriptors) is 600 and cannot be raised' "$DIR/log"
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
}
