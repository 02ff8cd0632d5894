#!/usr/bin/env bats
# kvm: what only a machine with a real KVM can show.  Run by scripts/kvm-rig, where KVM not working is a failure.
# bats file_tags=kvm

load ../system/lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

shown() { jitsu --json show "$1" | jq -r "$2"; }

# qmp COMMAND: to the only VM, past the daemon, which must have gone: QEMU serves one client.
qmp() {
	{
		printf '{"execute":"qmp_capabilities"}\n{"execute":"%s"}\n' "$1"
		sleep 2
	} | nc.openbsd -U -w 2 "$(echo "$DIR"/run/vm/*/qmp)"
}

@test "accel = auto takes KVM, and the guest runs in it" {
	ACCEL=auto write_conf
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	[ "$(shown www.example.test .accel)" = kvm ]
	in_kvm "$(qemus)"
	in_ns curl -sS --max-time 20 http://10.77.0.10/ | grep -q www.example.test
	run grep "takes tcg" "$DIR/log"
	[ "$status" -eq 1 ]
	stop_jitsud KILL
	qmp query-kvm | tee "$DIR/query" | jq -se 'map(select(.return.enabled)) | length == 1' || { cat "$DIR/query"; false; }
}

@test "KVM's own count of what the guest did grows with its requests, and not while it idles" {
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	exits() { cat /sys/kernel/debug/kvm/exits; }
	for i in 1 2 3; do in_ns curl -sS --max-time 20 http://10.77.0.10/ >/dev/null; done
	sleep 1
	before=$(exits)
	sleep 2
	idle=$(($(exits) - before))
	before=$(exits)
	for i in 1 2 3; do in_ns curl -sS --max-time 20 http://10.77.0.10/ >/dev/null; done
	busy=$(($(exits) - before))
	echo "exits: $idle idle, $busy for three pages"
	[ "$busy" -gt 20 ]
	[ "$idle" -lt "$busy" ]
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
	alone host_test
}

@test "the driver alone: adoption of what runs, is frozen, saved, half-made, hung" {
	alone adopt_test
}
