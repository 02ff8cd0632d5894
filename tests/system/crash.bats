#!/usr/bin/env bats
# crash: a process that breaks off names the place, in the log and to systemd, and nothing else is
# lost.

load lib/jitsu

setup() {
	[[ "$BUILD" != */san ]] || skip "a sanitizer says it in its own words"
	setup_jitsu
}
teardown() { teardown_jitsu; }

ended() { ! kill -0 "$1" 2>/dev/null; }
child_pid() { jitsu --json status | jq -r ".children[] | select(.name == \"$1\") | .pid"; }
replaced() {
	local now
	now=$(child_pid "$1")
	[ -n "$now" ] && [ "$now" != "$2" ] && [ "$now" != null ]
}
confined() { grep -q '^Seccomp:.*2' "/proc/$1/status"; }
build_id() { readelf -n "$BUILD/jitsud" | sed -n 's/.*Build ID: //p'; }
# names PROCESS SIGNAL: the log has the line of the crash, and where that was in the program.
names() {
	grep -q \
	    "$1: error: crashed: $2 from process [0-9]* in [a-z].*+0x[0-9a-f]*, build $(build_id)" \
	    "$DIR/log" || return 1
	grep -q "$1: error: crashed: called from .*jitsud+0x[0-9a-f]* .*libc" "$DIR/log"
}

@test "the warden crashes: the log and systemd have the place, the VM goes on with the next one" {
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True: print(s.recv(4096).decode().replace("\n", " "), flush=True)' "$DIR/notify" \
    >"$DIR/notified" 3>&- 4>&- &
	local listener=$! vm
	wait_for 30 test -S "$DIR/notify"
	export NOTIFY_SOCKET=$DIR/notify
	start_jitsud
	jitsu wake www.example.test
	vm=$(qemus)
	kill -SEGV "$JITSUD"
	wait "$JITSUD" || status=$?
	[ "$status" -eq $((128 + 11)) ]
	names warden SIGSEGV
	wait_for 30 grep -q 'STATUS=warden: error: crashed: SIGSEGV from process' "$DIR/notified"
	start_jitsud
	[ "$(qemus)" = "$vm" ]
	is_state www.example.test awake
	kill "$listener"
}

@test "a confined process crashes: the log has the place, it ends and is replaced" {
	local pid name
	start_jitsud
	for name in dns sentinel; do
		pid=$(child_pid $name)
		wait_for 30 confined "$pid"
		kill -SEGV "$pid"
		wait_for 30 replaced $name "$pid"
		names $name SIGSEGV
		wait_for 30 grep -q "the $name process (pid $pid) ended: killed by signal 11" \
		    "$DIR/log"
		pid=$(child_pid $name)
		wait_for 30 confined "$pid"
		kill -ABRT "$pid"
		wait_for 30 replaced $name "$pid"
		names $name SIGABRT
	done
	# The one that compiles, in the middle of it.
	long_zone
	jitsu reload >"$DIR/reload" 2>&1 3>&- &
	wait_for 30 catch_load
	kill -SEGV "$ZONES"
	kill -CONT "$ZONES"
	! wait $! || false
	names zones SIGSEGV
	ask +short plain.example.test A | grep -q 192.0.2.7
	jitsu wake www.example.test
}

# Asks on and on; the time of each answer, in ms.
answered_at() {
	while :; do
		! ask +time=1 +short plain.example.test A | grep -q '^192' || date +%s%3N
	done >"$DIR/answers"
}
answered_more() { [ "$(wc -l <"$DIR/answers")" -gt $(($1 + 3)) ]; }
# kill_in_a_row NAME: ten times, each time as soon as it was replaced.
kill_in_a_row() {
	local pid i
	for ((i = 0; i < 10; i++)); do
		pid=$(child_pid "$1")
		kill -KILL "$pid"
		wait_for 30 replaced "$1" "$pid"
	done
}

@test "confined processes killed ten times in a row: no long silence, the last ends are counted" {
	local asker name begin=$SECONDS said left
	start_jitsud
	answered_at 3>&- 4>&- &
	asker=$!
	kill_in_a_row dns
	wait_for 30 answered_more "$(wc -l <"$DIR/answers")"
	kill "$asker"
	[ "$(awk 'NR > 1 && $1 - last > most { most = $1 - last }
	    { last = $1 } END { print most }' "$DIR/answers")" -lt $((5000 * SLOW)) ]
	kill_in_a_row sentinel
	jitsu wake www.example.test
	stop_jitsud
	for name in dns sentinel; do
		said=$(grep -c "the $name process (pid [0-9]*) ended" "$DIR/log")
		[ "$said" -le $((5 * (2 + (SECONDS - begin) / 60))) ]
		left=$(awk -v kind="ends of the $name process" 'index($0, kind) {
			for (i = 1; i < NF; i++) if ($(i + 1) == "more") n += $i
		} END { print n + 0 }' "$DIR/log")
		[ $((said + left)) -eq 10 ]
	done
	[ "$(sqlite3 "$DIR/state/jitsu.db" 'SELECT count(*) FROM events WHERE kind = "restart"')" \
	    -le $((10 * (2 + (SECONDS - begin) / 60))) ]
}
