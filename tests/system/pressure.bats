#!/usr/bin/env bats
# pressure: VMs that nobody uses give way to wakes that wait for a place, and sleep deeper in time.

load lib/jitsu
load lib/shared
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

awake() { jitsu wake "$1.example.test"; }
went() { grep -q "$1.example.test: $2" "$DIR/log"; }

@test "the frozen unit that was used least lately is saved for a wake that waits for a VM" {
	CONF_TOP='limits { vms = 2 }' CONF_MORE="$(hello_image ice "" 'sleep = freeze')" write_conf
	write_zone 'a A 10.77.0.21' '_jitsu.a TXT "image=ice"' 'b A 10.77.0.22' \
	    '_jitsu.b TXT "image=ice"' 'c A 10.77.0.23' '_jitsu.c TXT "image=ice"'
	start_jitsud
	for unit in b a; do
		awake $unit
		jitsu sleep $unit.example.test
		is_state $unit.example.test frozen
	done
	[ "$(ask +short c.example.test A)" = 10.77.0.23 ]
	is_state b.example.test saved
	is_state a.example.test frozen
	went b "frozen -> saved (gives way to others)"
	# All go on: what was saved is restored, for which another gives way.
	[ "$(ask +short b.example.test A)" = 10.77.0.22 ]
	is_state a.example.test saved
	in_ns curl -sS --max-time 30 http://10.77.0.22/ | grep -q b.example.test
}

@test "memory: as many give way as a wake needs; who was used or never sleeps does not" {
	CONF_TOP='limits { memory = 64M }' CONF_MORE="$(
	    hello_image small "" 'min-up = 0s'; hello_image never "" 'idle = 0s min-up = 0s'
	    hello_image big "" 'memory = 32M' | sed '0,/memory = "16M"/{/memory = "16M"/d}')" \
	    write_conf
	write_zone 'a A 10.77.0.21' '_jitsu.a TXT "image=small"' 'b A 10.77.0.22' \
	    '_jitsu.b TXT "image=small"' 'n A 10.77.0.23' '_jitsu.n TXT "image=never"' \
	    'big A 10.77.0.24' '_jitsu.big TXT "image=big" "hold=30s"' \
	    'u A 10.77.0.25' '_jitsu.u TXT "image=small"'
	start_jitsud
	for unit in a b n u; do awake $unit; done
	# Payload of this unit passes all the time.
	exec_ns ping -q -i 0.5 10.77.0.25 >/dev/null 2>&1 3>&- 4>&- &
	CLIENTS+=($!)
	[ "$(ask +short +time=60 big.example.test A)" = 10.77.0.24 ]
	is_state a.example.test dormant
	is_state b.example.test dormant
	is_state n.example.test awake
	is_state u.example.test awake
	went a "awake -> stopping (gives way to others)"
}

@test "who has a connection open does not give way, however silent that is" {
	CONF_TOP='limits { vms = 2 }' HELLO_CONF='min-up = 0s' write_conf
	write_zone 'a A 10.77.0.21' '_jitsu.a TXT "image=hello"' 'b A 10.77.0.22' \
	    '_jitsu.b TXT "image=hello" "keep-open=yes"' \
	    'c A 10.77.0.23' '_jitsu.c TXT "image=hello" "hold=30s"' \
	    'd A 10.77.0.24' '_jitsu.d TXT "image=hello" "hold=30s"'
	start_jitsud
	for unit in b a; do awake $unit; done
	exec_ns python3 -c 'if True:
		import socket, time
		s = [socket.create_connection(("10.77.0.%d" % i, 80)) for i in (22, 21)]
		print("open", flush=True)
		time.sleep(5)
		s.pop().close()
		time.sleep(600)' >"$DIR/client" 2>&1 3>&- 4>&- &
	CLIENTS+=($!)
	wait_for 30 grep -q open "$DIR/client"
	# The other's is closed; b was used before that.
	[ "$(ask +short +time=60 c.example.test A)" = 10.77.0.23 ]
	is_state a.example.test dormant
	is_state b.example.test awake
	[ "$(ask +short +time=60 d.example.test A)" = 10.77.0.24 ]
	is_state c.example.test dormant
	is_state b.example.test awake
}

@test "freeze-for with freeze-then = save, then save-for: a unit sleeps deeper in time" {
	CONF_MORE="$(hello_image ice "" 'sleep = freeze freeze-for = 1s freeze-then = save
	    save-for = 2s')" write_conf
	write_zone 'a A 10.77.0.21' '_jitsu.a TXT "image=ice"'
	start_jitsud
	awake a
	jitsu sleep a.example.test
	wait_for 30 is_state a.example.test saved
	[ "$(qemu_count)" -eq 0 ]
	wait_for 30 is_state a.example.test dormant
	went a "frozen -> saved (asleep for long)"
	[ -z "$(find "$DIR/state/saved" -type f)" ]
}
