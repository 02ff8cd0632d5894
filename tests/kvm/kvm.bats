#!/usr/bin/env bats
# kvm: what only a machine with a real KVM can show.  Run by scripts/kvm-rig, where KVM not working
# is a failure.
# bats file_tags=kvm

load ../system/lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

shown() { jitsu --json show "$1" | jq -r "$2"; }

# qmp COMMAND: to the only VM, past the daemon, which must have gone: QEMU serves one client.
qmp() {
	mkfifo "$DIR/asked"
	nc.openbsd -U "$(echo "$DIR"/run/vm/*/qmp)" <"$DIR/asked" >"$DIR/answered" 3>&- 4>&- &
	exec 7>"$DIR/asked"
	printf '{"execute":"qmp_capabilities"}\n{"execute":"%s"}\n' "$1" >&7
	# A greeting and two answers.
	all_answered() { [ "$(wc -l <"$DIR/answered")" -ge 3 ]; }
	wait_for 30 all_answered
	exec 7>&-
	kill $! || true     # unless the end of its input was enough
	wait $! || true
	cat "$DIR/answered"
}

@test "accel = auto takes KVM, and the guest runs in it" {
	ACCEL=auto write_conf
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	[ "$(shown www.example.test .accel)" = kvm ]
	in_kvm "$(qemus)"
	in_ns curl -sS --max-time 60 http://10.77.0.10/ | grep -q www.example.test
	run grep "takes tcg" "$DIR/log"
	[ "$status" -eq 1 ]
	stop_jitsud KILL
	qmp query-kvm | tee "$DIR/query" | jq -se 'map(select(.return.enabled)) | length == 1' || {
		cat "$DIR/query"
		false
	}
}

@test "KVM's own count of what the guest did grows with its requests, and not while it idles" {
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	exits() { cat /sys/kernel/debug/kvm/exits; }
	for i in 1 2 3; do in_ns curl -sS --max-time 60 http://10.77.0.10/ >/dev/null; done
	before=$(exits)
	for i in 1 2 3; do in_ns curl -sS --max-time 60 http://10.77.0.10/ >/dev/null; done
	busy=$(($(exits) - before))
	# Timers of the connections may run on for a while.
	idles() {
		before=$(exits)
		sleep 2
		idle=$(($(exits) - before))
		echo "exits: $idle idle, $busy for three pages"
		[ "$idle" -lt "$busy" ]
	}
	[ "$busy" -gt 20 ]
	wait_for 30 idles
}

# alone PROGRAM: a test of the driver without the daemon; here nothing may keep it from running.
alone() {
	cd "$BUILD/.."
	run "$BUILD/tests/unit/vm/$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *"skipped:"* && "$output" != *"no writable cgroup"* ]]
}

@test "the driver alone: start, limits, freeze, save, restore, shutdown, failures, accelerators" {
	alone host/host_test
}

@test "the driver alone: processes that are started ahead" {
	alone qemu/ahead_test
}

@test "the driver alone: adoption of what runs, is frozen, saved, half-made, hung" {
	alone qemu/adopt_test
}
