#!/usr/bin/env bats
# links: bridges and taps that change under VMs that run.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

world() {
	HELLO_CONF='backoff-min = 1s' write_conf
	write_zone
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	page
}
page() { in_ns curl -sS --max-time 20 http://10.77.0.10/ | grep -q www.example.test; }
reached() { in_ns curl -sS --max-time 2 http://10.77.0.10/ 2>/dev/null | grep -q www.example.test; }
port() { ip -n "$NS" -o link show | grep -o 'jt[0-9a-f]*\.0' | head -1; }
boots() { jitsu --json list | jq -r '.[0].boots'; }
new_bridge() {
	ip -n "$NS" link add jitsu0 address 02:00:00:00:77:01 type bridge
	ip -n "$NS" addr add 10.77.0.1/24 dev jitsu0
	ip -n "$NS" link set jitsu0 up
}
on_bridge() { ip -n "$NS" -o link show "$(port)" | grep -q 'master jitsu0'; }

@test "a bridge that is made again gets the ports of the VMs that run; while it is gone that is said" {
	world
	ip -n "$NS" link del jitsu0
	wait_for 30 grep -q 'www.example.test: its VM cannot be reached: .*jitsu0' "$DIR/log"
	jitsu show www.example.test | grep -q 'cannot be reached'
	new_bridge
	wait_for 30 grep -q 'www.example.test: jt.* is on bridge jitsu0 again' "$DIR/log"
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
	[ "$(grep -c 'cannot be reached' "$DIR/log")" -eq 1 ]
	run bash -c '"$@" | grep "cannot be reached"' - "$BUILD/jitsu" -s "$DIR/run/control" show www.example.test
	[ "$status" -eq 1 ]
}

@test "a port that was taken from its bridge, and a bridge that gets its name back" {
	world
	ip -n "$NS" link set "$(port)" nomaster
	wait_for 30 on_bridge
	wait_for 30 reached
	ip -n "$NS" link set jitsu0 name other0
	wait_for 30 grep -q 'www.example.test: its VM cannot be reached' "$DIR/log"
	ip -n "$NS" link set other0 name jitsu0
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
}

@test "a tap that was deleted ends its VM with that reason, and the next query boots it" {
	world
	ip -n "$NS" link del "$(port)"
	wait_for 30 grep -q 'www.example.test.*its network interface jt.* was deleted' "$DIR/log"
	booted() { [ "$(ask +short www.example.test A)" = 10.77.0.10 ] && reached && [ "$(boots)" -eq 2 ]; }
	wait_for 60 booted
	wait_for 30 one_qemu
}
one_qemu() { [ "$(qemu_count)" -eq 1 ]; }

@test "what happened while no jitsud ran: put back, or ended with the reason" {
	world
	stop_jitsud KILL
	ip -n "$NS" link set "$(port)" nomaster
	start_jitsud
	wait_for 30 on_bridge
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
	stop_jitsud KILL
	ip -n "$NS" link del "$(port)"
	start_jitsud
	wait_for 30 grep -q 'www.example.test.*its network interface jt.* was deleted' "$DIR/log"
	booted() { [ "$(ask +short www.example.test A)" = 10.77.0.10 ] && reached && [ "$(boots)" -eq 2 ]; }
	wait_for 60 booted
}
