#!/usr/bin/env bats
# why: a boot that fails says why: what was probed, what answered, how far it came, and what the
# guest wrote.

load lib/jitsu
setup() { setup_jitsu; OTHER=$NS-other; }
teardown() {
	ip netns del "$OTHER" 2>/dev/null || true
	teardown_jitsu
}

# image NAME READY CMDLINE [LINES]
image() {
	cat <<-EOF2
	image "$1" {
		kernel = "${KERNEL:-hello.elf}"
		memory = "16M"
		network = "lan"
		ready = "$2"
		accel = "$ACCEL"
		cmdline = "$3"
		boot-timeout = ${TIMEOUT:-4s}
		backoff-min = 1m
		backoff-max = 1m
		${4:-}
	}
	EOF2
}
V4='name={name} ip={address}/{prefixlen} gw={gateway}'
V6='name={name} ip={address6}/{prefixlen6} gw={gateway6}'

unit() {
	printf '%s %s %s\n_jitsu.%s TXT "image=%s"\n' "$1" \
	    "$([[ "$2" == *:* ]] && echo AAAA || echo A)" "$2" "$1" "$1"
}
error_of() { jitsu --json show "$1.example.test" | jq -r .last_error; }
console_of() { jitsu --json show "$1.example.test" | jq -r .console; }

# says UNIT PATTERN: it failed for that reason, of which there is one line in the log, an event, and
# what `jitsu show` says.
says() {
	wait_for 60 is_state "$1.example.test" failed
	error_of "$1" >"$DIR/error"
	grep -Eq -- "^$2\$" "$DIR/error" || { cat "$DIR/error"; return 1; }
	[ "$(grep -c " $1.example.test: .*-> failed (" "$DIR/log")" -eq 1 ]
	grep -E " $1.example.test: .*-> failed \\(" "$DIR/log" | grep -qF -- "$(cat "$DIR/error")"
	[ "$(grep -c " $1.example.test: .*\\(not ready in time\\|ended by itself\\)" "$DIR/log")" \
	    -le 1 ]
	jitsu show "$1.example.test" | grep -qF -- "$(cut -c1-60 "$DIR/error")"
	jitsu --json events "$1.example.test" | jq -r '.[] | select(.kind == "failed") | .text' |
	    grep -qF -- "$(cat "$DIR/error")"
}
wrote() { console_of "$1" | grep -q "$2"; }

TIMED='not ready in time \(4 s\): '

# A host of that network, without a VM.
make_other() {
	ip netns add "$OTHER"
	ip -n "$NS" link add v1 type veth peer name v0 netns "$OTHER"
	ip -n "$NS" link set v1 master jitsu0 up
	ip -n "$OTHER" link set v0 address 02:00:00:00:00:99 up
	ip -n "$OTHER" addr add 10.77.0.17/24 dev v0
}

@test "a boot that fails says what was probed, what answered, and what the guest wrote" {
	local pid unit
	cp "$BUILD/mute.elf" "$DIR/"
	make_other
	CONF_MORE="limits { boots = 20 }
	$(image closed tcp:81 "$V4")
	$(image slow tcp:80 "$V4 delay=600000")
	$(image six tcp:81 "$V6")
	$(image strange tcp:80 "name={name} ip=10.77.0.99/24 gw={gateway}")
	$(KERNEL=mute.elf image mute tcp:80 "")
	$(KERNEL=mute.elf image noping ping "")
	$(KERNEL=mute.elf image noarp arp "")
	$(KERNEL=mute.elf image taken tcp:80 "")
	$(image late delay:60000 "$V4")
	$(image dies tcp:80 "$V4 delay=600000 crash=300")
	$(image refuses tcp:80 "$V4" 'args = { "-no-such-option" }')
	$(TIMEOUT=1s image hangs tcp:81 "$V4")" write_conf
	write_zone "$(unit closed 10.77.0.30)" "$(unit slow 10.77.0.31)" "$(unit six fd77::a:6)" \
		"$(unit strange 10.77.0.32)" "$(unit mute 10.77.0.33)" \
		"$(unit noping 10.77.0.34)" "$(unit noarp 10.77.0.35)" \
		"$(unit taken 10.77.0.17)" "$(unit late 10.77.0.36)" \
		"$(unit dies 10.77.0.37)" "$(unit refuses 10.77.0.38)" "$(unit hangs 10.77.0.39)"
	start_jitsud
	for unit in closed slow six strange mute noping noarp taken late dies refuses; do
		jitsu wake $unit.example.test >/dev/null 2>&1 3>&- 4>&- &
	done
	refused='refused \(RST\)'
	probed="was probed for [0-9.]+ s from 10.77.0.1"
	says closed "${TIMED}tcp:81 of 10.77.0.30 $probed: it answered ARP, and $refused"
	wrote closed 'closed.example.test is up at 10.77.0.30'
	says slow "${TIMED}tcp:80 of 10.77.0.31 .*: it answered ARP, and $refused"
	found="it answered neighbour discovery"
	says six "${TIMED}tcp:81 of fd77::a:6 .* from fd77::1: $found, and $refused"
	says strange "${TIMED}tcp:80 of 10.77.0.32 .*: it has the address 10.77.0.99"
	wrote strange 'is up at 10.77.0.99'
	says mute "${TIMED}tcp:80 of 10.77.0.33 .*: nothing answered"
	says noping "${TIMED}ping of 10.77.0.34 .*: nothing answered"
	says noarp "${TIMED}arp of 10.77.0.35 .*: nothing answered"
	other="the MAC 02:00:00:00:00:99 has that address"
	says taken "${TIMED}tcp:80 of 10.77.0.17 .*: nothing answered; $other"
	says late "${TIMED}delay:60000 was not over"
	wrote late 'late.example.test is up'
	says dies 'the guest reset itself .*; tcp:80 of 10.77.0.37 was probed for .*'
	wrote dies 'dying, as crash= asked'
	grep 'dies.example.test: .*-> failed' "$DIR/log" | grep -q 'console: .*dying'
	says refuses 'QEMU exited with status 1: .*no-such-option.*'
	# The legs.
	jitsu --json show closed.example.test |
	    jq -e '.durations_us | .spawn > 0 and .alive > 0 and (has("ready") | not)' >/dev/null
	jitsu show closed.example.test | grep -q '^durations *spawn .*, alive '
	jitsu --json show mute.example.test |
	    jq -e '.durations_us | .spawn > 0 and (has("alive") | not)' >/dev/null
	jitsu --json events closed.example.test |
	    jq -e '[.[] | select(.kind == "failed")][0].durations_us.alive > 0' >/dev/null
	# A QEMU that hangs cannot be asked for the console, and is ended all the same.
	jitsu wake hangs.example.test >/dev/null 2>&1 3>&- 4>&- &
	started() { [ -n "$(qemus)" ]; }
	wait_for 30 started
	pid=$(qemus)
	kill -STOP "$pid"
	says hangs 'not ready in time \(1 s\): tcp:81 of 10.77.0.39 was probed .*'
	[ "$(qemu_count)" -eq 0 ]
	# Who asks in the back-off, and the next jitsud, know it as well.
	error_of closed >"$DIR/before"
	ask closed.example.test A | grep -q SERVFAIL
	jitsu --json show closed.example.test | jq -e '.durations_us.alive > 0' >/dev/null
	stop_jitsud
	start_jitsud
	error_of closed | diff - "$DIR/before"
	wrote closed 'closed.example.test is up at 10.77.0.30'
}

@test "what is known of a failed boot stays until the next boot works" {
	CONF_MORE=$(TIMEOUT=2s KERNEL=changed.elf image changed tcp:80 "$V4 delay=600000") \
	    write_conf
	cp "$DIR/hello.elf" "$DIR/changed.elf"
	write_zone "$(unit changed 10.77.0.30)"
	start_jitsud
	run jitsu wake changed.example.test
	[ "$status" -ne 0 ]
	[[ "$output" == *"not ready in time"*"tcp:80"* ]]
	wait_for 30 is_state changed.example.test failed
	wrote changed 'is up'
	# During the next one, whose guest says nothing yet.
	cp "$BUILD/mute.elf" "$DIR/changed.elf"
	CONF_MORE=$(TIMEOUT=10m KERNEL=changed.elf image changed tcp:80 "") write_conf
	jitsu reload
	jitsu wake changed.example.test >/dev/null 2>&1 3>&- 4>&- &
	started() {
		jitsu --json show changed.example.test |
		    jq -e '.state == "booting" and .boots == 2' >/dev/null
	}
	wait_for 30 started
	[[ "$(error_of changed)" == *"not ready in time"*"tcp:80"* ]]
	wrote changed 'is up'
	jitsu console changed.example.test | grep -q 'is up'
	jitsu sleep changed.example.test
	[[ "$(error_of changed)" == *"not ready in time"* ]]
	cp "$DIR/hello.elf" "$DIR/changed.elf"
	CONF_MORE=$(KERNEL=changed.elf image changed tcp:80 "$V4") write_conf
	jitsu reload
	jitsu wake changed.example.test
	[ "$(error_of changed)" = null ]
	jitsu --json show changed.example.test | jq -e '.durations_us.ready > 0' >/dev/null
	jitsu sleep changed.example.test
	[ "$(error_of changed)" = null ]
	# What it wrote until then is kept after any stop.
	wrote changed 'is up'
}

@test "a boot that is given up before its VM starts says so, and what becomes of the start" {
	local unit
	mkdir "$DIR/bin"
	cat >"$DIR/bin/qemu-img" <<-EOF2
	#!/bin/sh
	until [ -e "$DIR/go" ]; do sleep 0.1; done
	case "\$*" in
	*breaks*) echo "no room today" >&2; exit 1 ;;
	esac
	exec $(command -v qemu-img) "\$@"
	EOF2
	chmod 755 "$DIR/bin/qemu-img"
	truncate -s 1M "$DIR/disk"
	CONF_MORE="limits { boots = 4 }
	$(TIMEOUT=1s image starts tcp:81 "$V4" 'disks = { "disk,format=raw" }
	overlay = yes')
	$(TIMEOUT=1s image breaks tcp:81 "$V4" 'disks = { "disk,format=raw" }
	overlay = yes')" write_conf
	write_zone "$(unit starts 10.77.0.30)" "$(unit breaks 10.77.0.31)"
	JITSUD_WRAP="env PATH=$DIR/bin:$PATH" start_jitsud
	for unit in starts breaks; do
		run jitsu wake $unit.example.test
		[ "$status" -ne 0 ]
		[[ "$output" == \
		    *"not ready in time (1 s): the hypervisor had not started it yet;"* ]]
		is_state $unit.example.test stopping
	done
	touch "$DIR/go"
	early='not ready in time \(1 s\): the hypervisor had not started it yet'
	says starts "$early; .*"
	says breaks "$early; .*; then: overlay .*: no room today"
	[ "$(qemu_count)" -eq 0 ]
}
