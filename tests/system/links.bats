#!/usr/bin/env bats
# links: bridges and taps that change under VMs that run.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

U=www.example.test

# Back-offs are long: what is mended is tried at once.
world() {
	HELLO_CONF="backoff-min = 5m ${HELLO_CONF:-}" write_conf
	write_zone "$@"
	start_jitsud
}
awake() {
	world
	[ "$(ask +short $U A)" = 10.77.0.10 ]
	page
}
# Slow boots, begun by an operator; what became of it is in $DIR/wake.
booting() {
	HELLO_ARGS=delay=${1:-2500} world
	jitsu wake $U >"$DIR/wake" 2>&1 3>&- 4>&- &
	WAKE=$!
	wait_for 30 answers
}
answers() { in_ns ping -c1 -W1 "${1:-10.77.0.10}" >/dev/null; }
page() { in_ns curl -sS --max-time 20 http://10.77.0.10/ | grep -q $U; }
reached() { in_ns curl -sS --max-time 2 http://10.77.0.10/ 2>/dev/null | grep -q $U; }
port() { ip -n "$NS" -o link show | grep -o "jt[0-9a-f]*\.${1:-0}" | head -1; }
boots() { jitsu --json list | jq -r --arg u $U '.[] | select(.name == $u) | .boots'; }
bridge_up() { ip -n "$NS" link set "${1:-jitsu0}" up; }
new_bridge() {
	ip -n "$NS" link add jitsu0 address 02:00:00:00:77:01 type bridge
	ip -n "$NS" addr add 10.77.0.1/24 dev jitsu0
	bridge_up
}
on_bridge() { ip -n "$NS" -o link show "$(port)" | grep -q "master ${1:-jitsu0}"; }
# The bridge may have gone with its address.
ask_lo() { in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=$((15 * SLOW)) "$@"; }
servfail() {
	ask_lo $U A >"$DIR/answer"
	grep -q 'status: SERVFAIL' "$DIR/answer" && grep -q 'EDE: 0 (Other)' "$DIR/answer"
}
noerror() { [ "$(ask_lo +short $U A)" = 10.77.0.10 ]; }
shown() { jitsu show $U | grep -q "$1"; }
not_shown() { jitsu show $U >"$DIR/show" && ! grep -q "$1" "$DIR/show"; }
said() { grep -c "$U: $1" "$DIR/log"; }

@test "a bridge that is made again gets its VMs back; meanwhile that is said, and SERVFAIL" {
	awake
	ip -n "$NS" link del jitsu0
	wait_for 30 grep -q "$U: its VM cannot be reached: .*jitsu0.* does not exist" "$DIR/log"
	shown 'cannot be reached'
	servfail
	run jitsu wake $U
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot be reached"*jitsu0* ]]
	new_bridge
	wait_for 30 grep -q "$U: jt.* is on bridge jitsu0 again" "$DIR/log"
	wait_for 30 reached
	noerror
	jitsu wake $U
	[ "$(boots)" -eq 1 ]
	[ "$(said '.*cannot be reached')" -eq 1 ]
	not_shown 'cannot be reached'
}

# image NAME KEYS [CMDLINE]
image() {
	printf \
	    'image "%s" {\n driver = "qemu" kernel = "hello.elf" memory = "16M" network = "lan"\n' \
	    "$1"
	printf ' ready = "tcp:80" accel = "%s" hold = 10s backoff-min = 5m %s\n' "$ACCEL" "$2"
	printf ' cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} %s"\n}\n' "${3:-}"
}
# unit NAME HOST: of the image by that name.
unit() { printf '%s A 10.77.0.%s\n_jitsu.%s TXT "image=%s"\n' "$1" "$2" "$1" "$1"; }

@test "a bridge that stays away: after 10 s VMs sleep; when it is back no back-off counts" {
	local CONF_MORE
	CONF_MORE="$(image freeze 'sleep = freeze' && image save 'sleep = save' &&
		image slow 'boot-timeout = 2m' delay=100000)"
	world "$(unit freeze 20)" "$(unit save 21)" "$(unit slow 22)"
	noerror
	jitsu wake freeze.example.test
	jitsu wake save.example.test
	jitsu wake slow.example.test >"$DIR/wake" 2>&1 3>&- 4>&- &
	WAKE=$!
	wait_for 30 is_state slow.example.test booting
	wait_for 30 answers 10.77.0.22
	ip -n "$NS" link del jitsu0
	wait_for 30 grep -q "$U: its VM cannot be reached" "$DIR/log"
	# Whoever asks for it meanwhile.
	gone() { servfail; [ "$(qemu_count)" -eq 1 ]; }
	wait_for 60 gone
	wait_for 30 is_state freeze.example.test frozen
	wait_for 30 is_state save.example.test saved
	wait_for 30 is_state slow.example.test dormant
	if wait "$WAKE"; then return 1; fi
	grep -q 'cannot be reached' "$DIR/wake"
	wait_for 30 grep -q "$U.*its network is gone" "$DIR/log"
	[ "$(said 'its VM cannot be reached')" -eq 1 ]
	is_failed() { servfail; is_state $U failed; }
	wait_for 30 is_failed
	shown 'jitsu0.* does not exist'
	run jitsu wake freeze.example.test
	[ "$status" -eq 1 ]
	run jitsu wake save.example.test
	[ "$status" -eq 1 ]
	new_bridge
	wait_for 30 noerror
	wait_for 30 reached
	[ "$(boots)" -eq 2 ]
	jitsu wake freeze.example.test
	jitsu wake save.example.test
	answers 10.77.0.20
	answers 10.77.0.21
}

@test "a bridge that is down, and a tap that was set down" {
	local n
	awake
	ip -n "$NS" link set "$(port)" down
	wait_for 30 grep -q "$U: jt.* is on bridge jitsu0 again" "$DIR/log"
	wait_for 30 reached
	ip -n "$NS" link set jitsu0 down
	wait_for 30 grep -q "$U: its VM cannot be reached: .*jitsu0.* is down" "$DIR/log"
	servfail
	bridge_up
	wait_for 30 noerror
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
	[ "$(said '.*cannot be reached')" -eq 1 ]
	jitsu sleep $U
	ip -n "$NS" link set jitsu0 down
	wait_for 30 servfail
	shown 'jitsu0.* is down (ip link set jitsu0 up)'
	run jitsud_check
	[[ "$output" == *"jitsu0\" is down"* ]]
	bridge_up
	wait_for 30 noerror
	wait_for 30 reached
}
jitsud_check() { in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"; }

@test "a port that was taken from its bridge, and a bridge by another name" {
	awake
	ip -n "$NS" link set "$(port)" nomaster
	wait_for 30 on_bridge
	wait_for 30 reached
	ip -n "$NS" link set jitsu0 name other0
	wait_for 30 grep -q "$U: the bridge of jt.* does not exist, and it is on .other0" "$DIR/log"
	shown 'does not exist, and it is on .other0'
	reached
	noerror
	ip -n "$NS" link set other0 name jitsu0
	wait_for 30 not_shown 'does not exist'
	# Another takes its place, with its address.
	ip -n "$NS" link set jitsu0 name other0
	ip -n "$NS" addr flush dev other0
	new_bridge
	wait_for 30 on_bridge
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
}

@test "a bridge that lacks its address, and has it again: no back-off counts" {
	world
	ip -n "$NS" addr flush dev jitsu0
	wait_for 30 servfail
	shown 'jitsu0 has no address in the subnet of'
	ip -n "$NS" addr add 10.77.0.1/24 dev jitsu0
	wait_for 30 noerror
	wait_for 30 reached
}

@test "a boot gets its port back, and its probes follow the bridge's MAC and address" {
	booting
	ip -n "$NS" link set "$(port)" nomaster
	wait_for 30 on_bridge
	ip -n "$NS" link set jitsu0 address 02:00:00:00:77:02
	ip -n "$NS" addr del 10.77.0.1/24 dev jitsu0
	ip -n "$NS" addr add 10.77.0.2/24 dev jitsu0
	wait "$WAKE" || { cat "$DIR/wake"; return 1; }
	reached
	jitsu sleep $U
	ip -n "$NS" link set jitsu0 address 02:00:00:00:77:03
	jitsu wake $U
	reached
}

@test "a boot whose bridge is made anew goes on" {
	booting
	ip -n "$NS" link del jitsu0
	wait_for 30 servfail
	new_bridge
	wait "$WAKE" || { cat "$DIR/wake"; return 1; }
	reached
	[ "$(boots)" -eq 1 ]
}

@test "a boot whose tap was deleted fails with that" {
	booting 25000
	ip -n "$NS" link del "$(port)"
	if wait "$WAKE"; then return 1; fi
	grep -q 'its network interface jt.* was deleted' "$DIR/wake"
}

@test "of two NICs the first that is back does not hide the other; without the second all goes on" {
	local CONF_MORE='network "back" { bridge = "jitsu1" subnets = { "10.78.0.0/24" } }'
	ip -n "$NS" link add jitsu1 type bridge
	bridge_up jitsu1
	HELLO_CONF='nics = { "back" }' awake
	ip -n "$NS" link del jitsu1
	wait_for 30 grep -q "$U: its VM has lost a network: jt.*jitsu1" "$DIR/log"
	noerror
	reached
	ip -n "$NS" link del jitsu0
	wait_for 30 grep -q "$U: its VM cannot be reached: jt.*jitsu0" "$DIR/log"
	ip -n "$NS" link add jitsu1 type bridge
	bridge_up jitsu1
	wait_for 30 grep -q "$U: jt.* is on bridge jitsu1 again" "$DIR/log"
	servfail
	shown 'cannot be reached'
	new_bridge
	wait_for 30 reached
	noerror
	[ "$(boots)" -eq 1 ]
	not_shown 'cannot be reached\|lost a network'
}

# The kernel's own count of what it could not tell the daemon.
drops() { in_ns awk 'NR > 1 && $2 == 0 { n += $9 } END { print n + 0 }' /proc/net/netlink; }

@test "events that were lost cost nothing but a look at everything" {
	local before i
	awake
	before=$(drops)
	ip -n "$NS" link add noise0 type bridge
	kill -STOP "$JITSUD"
	for ((i = 0; i < 600; i++)); do echo "link set noise0 mtu $((1000 + i))"; done >"$DIR/noise"
	ip -n "$NS" -batch "$DIR/noise" || true
	ip -n "$NS" link del jitsu0
	new_bridge
	kill -CONT "$JITSUD"
	[ "$(drops)" -gt "$before" ]
	wait_for 30 on_bridge
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
}

@test "a tap that was deleted ends its VM with that reason, and the next query boots it" {
	awake
	ip -n "$NS" link del "$(port)"
	wait_for 30 grep -q "$U.*its network interface jt.* was deleted" "$DIR/log"
	booted() { [ "$(ask +short $U A)" = 10.77.0.10 ] && reached && [ "$(boots)" -eq 2 ]; }
	wait_for 60 booted
	wait_for 30 one_qemu
}
one_qemu() { [ "$(qemu_count)" -eq 1 ]; }

@test "what happened while no jitsud ran: put back, or ended with the reason" {
	awake
	stop_jitsud KILL
	ip -n "$NS" link set "$(port)" nomaster
	start_jitsud
	wait_for 30 on_bridge
	wait_for 30 reached
	[ "$(boots)" -eq 1 ]
	stop_jitsud KILL
	ip -n "$NS" link del "$(port)"
	start_jitsud
	wait_for 30 grep -q "$U.*its network interface jt.* was deleted" "$DIR/log"
	booted() { [ "$(ask +short $U A)" = 10.77.0.10 ] && reached && [ "$(boots)" -eq 2 ]; }
	wait_for 60 booted
}
