#!/usr/bin/env bats
# packets: what comes for a unit that is not awake wakes it and is kept; nobody misses a sleeper.

load lib/jitsu
load lib/client

setup() { setup_jitsu; }
teardown() {
	teardown_clients
	teardown_jitsu
}

U=www.example.test

field() { jitsu --json list | jq -r --arg u "${2:-$U}" ".[] | select(.name == \$u) | .$1"; }
slept() { [ "$(field state "$@")" = dormant ]; }
to_sleep() {
	jitsu sleep "${1:-$U}"
	wait_for 30 is_state "${1:-$U}" "${2:-dormant}"
}
# entry [UNIT [BRIDGE]]: the port that its MAC is behind.
entry() {
	local mac
	mac=$(jitsu --json show "${1:-$U}" | jq -r .mac)
	bridge -n "$NS" fdb show br "${2:-jitsu0}" |
	    awk -v m="$mac" '$1 == m && /static/ { print $3 }'
}
# Ports of ours begin with jtp, taps of VMs with jt and their UUID.
is_parked() { [[ "$(entry "$@")" == jtp* ]]; }
is_at_its_tap() { [[ "$(entry "$@")" == jt[0-9a-f]* ]]; }
# Its address is answered for.
is_claimed() {
	with_client near arping -q -f -c 1 -w 1 -I eth0 "${1:-10.77.0.10}" >/dev/null
}
sentinel() { pgrep -P "$JITSUD" -f '^jitsud: sentinel'; }
# MACs whose refusals are dropped.
waking() {
	in_ns nft -j list ruleset |
	    jq -c '[.nftables[].set | select(.name == "waking") | .elem // [] | .[]]'
}
is_guarded() { [ "$(waking)" != '[]' ]; }
# Nothing of ours is in its path any more: no socket at its tap, no rule.
is_settled() {
	! in_ns ss -0 -a -n -p | grep -q 'jt[0-9a-f]*\.0' && ! is_guarded
}

# refused HOST ADDRESS PORT: at once, by a RST.
refused() {
	run with_client "$1" timeout 5 bash -c "</dev/tcp/$2/$3"
	[[ "$output" == *"Connection refused"* ]]
}

# RSTs for SYNs.
refusals() { watched "$1" 'tcp[tcpflags] == tcp-rst|tcp-ack and tcp[4:4] == 0' | wc -l; }

start_with() {
	make_near
	start_jitsud
	wait_for 30 is_claimed
}

@test "a cached address, IPv4: one SYN, answered; no packet socket, entry or rule stays" {
	write_conf
	start_with
	is_parked
	watch near
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	[ "$(syns near)" -eq 1 ]
	[ "$(refusals near)" -eq 0 ]
	is_state $U awake
	is_at_its_tap
	wait_for 30 is_settled
	jitsu events >"$DIR/events"
	grep -q "booting .*packet from 10.77.0.99 to tcp:80" "$DIR/events"
	jitsu show $U | grep -q 'woken by *packet from 10.77.0.99 to tcp:80'
	grep -q "$U: dormant -> booting (packet from 10.77.0.99 to tcp:80)" "$DIR/log"
	to_sleep
	is_parked
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	[ "$(field boots)" -eq 2 ]
}

@test "IPv6, from the host itself, and from behind a router" {
	CONF_MORE=$(hello_image both "ip={address6}/{prefixlen6} gw={gateway6}") write_conf
	write_zone 'both A 10.77.0.20' 'both AAAA fd77::a:20' '_jitsu.both TXT "image=both"'
	make_far
	start_with
	watch near
	[[ "$(page_of near '[fd77::a:20]')" == *"Hello from both."* ]]
	[ "$(watched near 'ip6 and tcp and ip6[53] & 0x12 == 0x02' | wc -l)" -eq 1 ]
	to_sleep both.example.test
	[[ "$(page_of host 10.77.0.20)" == *"Hello from both."* ]]
	to_sleep both.example.test
	[[ "$(page_of host '[fd77::a:20]')" == *"Hello from both."* ]]
	to_sleep both.example.test
	[[ "$(page_of far 10.77.0.20)" == *"Hello from both."* ]]
	to_sleep both.example.test
	[[ "$(page_of far '[fd77::a:20]')" == *"Hello from both."* ]]
	[ "$(field boots both.example.test)" -eq 5 ]
}

@test "a ping and a datagram wake, too; the ping is answered" {
	write_conf
	start_with
	with_client near ping -c 1 -W $((20 * SLOW)) 10.77.0.10 >"$DIR/ping"
	grep -q '1 received' "$DIR/ping"
	wait_for 30 is_state $U awake
	to_sleep
	with_client near bash -c 'echo hello >/dev/udp/10.77.0.10/53'
	wait_for 30 is_state $U awake
	jitsu events | grep -q 'packet from 10.77.0.99 to udp:53'
}

@test "wake-on: another port is refused at once, and what else comes wakes nothing" {
	HELLO_CONF='wake-on = { "tcp:80" }' write_conf
	start_with
	refused near 10.77.0.10 81
	run with_client near ping -c 1 -W 1 10.77.0.10
	[ "$status" -ne 0 ]
	with_client near bash -c 'echo hello >/dev/udp/10.77.0.10/53'
	slept
	[ "$(field boots)" -eq 0 ]
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "monitors wake nothing by packets: they are refused, or accepted and closed" {
	HELLO_CONF='passive-from = { "10.77.0.99/32" }' write_conf
	write_zone 'open A 10.77.0.20' '_jitsu.open TXT "image=hello" "passive-port=accept"'
	start_with
	refused near 10.77.0.10 80
	# An empty reply: accepted, and closed.
	run with_client near curl -sS --max-time 5 http://10.77.0.20/
	[ "$status" -eq 52 ] || [ "$status" -eq 56 ]
	run with_client near ping -c 1 -W 1 10.77.0.10
	[ "$status" -ne 0 ]
	slept
	slept open.example.test
	# Others do.
	[[ "$(page_of host 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "a monitor's packets keep nothing awake, others' do" {
	HELLO_CONF='passive-from = { "10.77.0.99/32" } idle = 3s min-up = 0s unused-after = 0s' \
	    write_conf
	start_with
	[ "$(ask +short $U A)" = 10.77.0.10 ]
	checked() { page_of near 10.77.0.10 >/dev/null 2>&1; is_state $U dormant; }
	wait_for 30 checked
	[ "$(field boots)" -eq 1 ]
	[ "$(ask +short $U A)" = 10.77.0.10 ]
	# The counters learn of a reload as well.
	write_conf
	sed -i 's/hold = 10s/& idle = 3s min-up = 0s unused-after = 0s/' "$DIR/jitsu.conf"
	jitsu reload
	local end=$((SECONDS + 6))
	while [ $SECONDS -lt $end ]; do
		page_of near 10.77.0.10 >/dev/null
		sleep 0.2
	done
	is_state $U awake
	[ "$(field boots)" -eq 2 ]
}

@test "frozen and saved units wake by packets, too" {
	write_zone 'cold A 10.77.0.20' '_jitsu.cold TXT "image=hello" "sleep=freeze"' \
	    'file A 10.77.0.21' '_jitsu.file TXT "image=hello" "sleep=save"'
	start_with
	[[ "$(page_of near 10.77.0.20)" == *"Hello from cold."* ]]
	[[ "$(page_of near 10.77.0.21)" == *"Hello from file."* ]]
	to_sleep cold.example.test frozen
	to_sleep file.example.test saved
	is_parked cold.example.test
	is_parked file.example.test
	watch near
	[[ "$(page_of near 10.77.0.20)" == *"Hello from cold."* ]]
	[[ "$(page_of near 10.77.0.21)" == *"Hello from file."* ]]
	[ "$(syns near)" -eq 2 ]
	[ "$(field boots cold.example.test)" -eq 1 ]
	is_at_its_tap cold.example.test
	is_at_its_tap file.example.test
	# What a guest that was frozen has no service for, it refuses at once.
	to_sleep cold.example.test frozen
	refused near 10.77.0.20 81
	to_sleep file.example.test saved
	refused near 10.77.0.21 81
	[ "$(field boots file.example.test)" -eq 3 ]
	wait_for 30 is_settled
}

@test "a port that opens long after its network refuses nobody" {
	HELLO_ARGS="delay=300" HELLO_CONF='ready = "arp"' write_conf
	sed -i '/ready = "tcp:80"/d' "$DIR/jitsu.conf"
	start_with
	watch near
	for _ in 1 2 3 4 5; do
		[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
		to_sleep
	done
	[ "$(syns near)" -eq 5 ]
	[ "$(field boots)" -eq 5 ]
	page_of near 10.77.0.10 >"$DIR/page" 3>&- &
	wait_for 30 is_guarded
	wait $!
	wait_for 30 is_settled
	[ "$(refusals near)" -eq 0 ]
}

@test "a connection that its VM has taken along is reset at once, and made anew" {
	write_conf
	start_with
	cat >"$DIR/keep.py" <<-'EOF2'
	import socket, subprocess, sys, time
	s = socket.create_connection(("10.77.0.10", 80), 30)
	subprocess.run(sys.argv[1:] + ["wake", "www.example.test"], check=True)
	subprocess.run(sys.argv[1:] + ["sleep", "www.example.test"], check=True)
	begin = time.monotonic()
	try:
	    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	    s.recv(100)
	    print("no reset")
	except ConnectionResetError:
	    print("reset" if time.monotonic() - begin < 1 else "late")
	EOF2
	[ "$(with_client near python3 "$DIR/keep.py" \
	    "$BUILD/jitsu" -s "$DIR/run/control" | tail -1)" = reset ]
	slept
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "a guest that is asked to shut down has its network until its VM is gone" {
	# q35 has a power button, and this guest, which never runs (-S), does not look at it.
	HELLO_CONF='machine = "q35" args = { "-S" } stop = "shutdown" stop-timeout = 5s' write_conf
	sed -i 's/ready = "tcp:80"/ready = "delay:1"/' "$DIR/jitsu.conf"
	start_with
	jitsu wake $U
	answers() { jitsu console $U >"$DIR/console" 2>&1; }
	wait_for 30 answers   # before that it would be destroyed
	wait_for 30 is_settled
	is_at_its_tap
	jitsu sleep $U >"$DIR/sleep" 2>&1 3>&- &
	wait_for 30 is_state $U stopping
	wait_for 10 is_guarded
	is_at_its_tap
	is_state $U stopping
	wait_for 30 slept
	wait_for 10 is_parked
	wait_for 10 is_settled
}

@test "a sentinel that ends while packets are held costs a retransmission" {
	HELLO_ARGS="delay=1500" write_conf
	start_with
	page_of near 10.77.0.10 >"$DIR/page" 2>&1 3>&- &
	CLIENT=$!
	wait_for 30 is_state $U booting
	kill -9 "$(sentinel)"
	wait "$CLIENT"
	grep -q "Hello from $U" "$DIR/page"
	[ "$(field boots)" -eq 1 ]
	to_sleep
	wait_for 30 is_claimed
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "a sentinel that is replaced has all addresses again at once" {
	write_zone "$(more_units 50)"
	start_with
	is_claimed 10.77.0.69
	# What comes meanwhile is not lost: one request, one reply.
	kill -9 "$(sentinel)"
	is_claimed 10.77.0.69
	is_claimed 10.77.0.20
	[[ "$(page_of near 10.77.0.50)" == *"Hello from u31."* ]]
}

@test "an address that another host has is marked, and not fought over" {
	make_client other 10.77.0.10/24
	make_near
	start_jitsud
	conflicts() { [ "$(field conflict)" != null ]; }
	no_conflict() { [ "$(field conflict)" = null ]; }
	wait_for 30 conflicts
	mac=$(ip -n "$NS-other" -j link show eth0 | jq -r '.[0].address')
	[ "$(field conflict)" = "$mac has 10.77.0.10, too" ]
	jitsu list | grep -q "$U *dormant (conflict)"
	jitsu show $U | grep -q "conflict *$mac has 10.77.0.10, too"
	jitsu events | grep -q "conflict .*$mac has 10.77.0.10, too"
	# Only the other one answers.
	with_client near arping -c 3 -w 5 -I eth0 10.77.0.10 >"$DIR/arping"
	grep "reply from" "$DIR/arping" >"$DIR/replies"
	[ "$(grep -cvi "$mac" "$DIR/replies")" -eq 0 ]
	ip -n "$NS-other" addr del 10.77.0.10/24 dev eth0
	jitsu why $U | grep -q "packets do not wake it: $mac has 10.77.0.10, too"
	wait_for 60 no_conflict
	jitsu events | grep -q "conflict .*nobody else has 10.77.0.10 any more"
	# One that ends while no sentinel looks: the next one does.
	ip -n "$NS-other" addr add 10.77.0.10/24 dev eth0
	with_client other arping -U -c 1 -I eth0 10.77.0.10
	wait_for 30 conflicts
	pid=$(sentinel)
	kill -STOP "$pid"
	ip -n "$NS-other" addr del 10.77.0.10/24 dev eth0
	kill -9 "$pid"
	wait_for 30 no_conflict
	wait_for 30 is_claimed
	with_client near ip neigh flush dev eth0
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "a daemon that is killed while a packet's boot is under way" {
	HELLO_ARGS="delay=2000" write_conf
	start_with
	page_of near 10.77.0.10 >"$DIR/page" 2>&1 3>&- &
	CLIENT=$!
	wait_for 30 is_state $U booting
	stop_jitsud KILL
	start_jitsud
	wait "$CLIENT"
	grep -q "Hello from $U" "$DIR/page"
	wait_for 30 is_state $U awake
	is_at_its_tap
}

@test "a reload removes, renames and changes units that sleep" {
	write_zone 'gone A 10.77.0.20' '_jitsu.gone TXT "image=hello"' \
	    'old A 10.77.0.21' '_jitsu.old TXT "image=hello" "mac=02:00:00:00:00:21"' \
	    'less A 10.77.0.22' '_jitsu.less TXT "image=hello"'
	start_with
	is_claimed 10.77.0.20
	SERIAL=2 write_zone 'new A 10.77.0.21' \
	    '_jitsu.new TXT "image=hello" "mac=02:00:00:00:00:21"' \
	    'less A 10.77.0.22' '_jitsu.less TXT "image=hello" "wake-on=udp:53"'
	gone=$(jitsu --json show gone.example.test | jq -r .mac)
	jitsu reload
	not_claimed() { ! is_claimed 10.77.0.20; }
	wait_for 30 not_claimed
	no_entry() { ! bridge -n "$NS" fdb show br jitsu0 | grep -q "$gone"; }
	wait_for 30 no_entry
	[[ "$(page_of near 10.77.0.21)" == *"Hello from new."* ]]
	refused near 10.77.0.22 80
	slept less.example.test
}

@test "a MAC that another port has for a moment is parked when it is free" {
	write_zone 'one A 10.77.0.21' '_jitsu.one TXT "image=hello" "mac=02:00:00:00:00:21"'
	make_near
	bridge -n "$NS" fdb add 02:00:00:00:00:21 dev vnear master static
	start_jitsud
	wait_for 30 grep -q "one.example.test: packets do not wake it" "$DIR/log"
	[ "$(entry one.example.test)" = vnear ]
	bridge -n "$NS" fdb del 02:00:00:00:00:21 dev vnear master
	wait_for 30 is_parked one.example.test
	[[ "$(page_of near 10.77.0.21)" == *"Hello from one."* ]]
}

@test "packets = no: nothing is answered for, and there is no port" {
	write_conf
	sed -i 's/bridge = "jitsu0"/& packets = no/' "$DIR/jitsu.conf"
	make_near
	start_jitsud
	run is_claimed
	[ "$status" -ne 0 ]
	no_port() { ! ip -n "$NS" link | grep -q jtp; }
	no_port
	[ "$(ask +short $U A)" = 10.77.0.10 ]
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	# A reload changes that, and back.
	sed -i 's/ packets = no//' "$DIR/jitsu.conf"
	jitsu reload
	to_sleep
	wait_for 30 is_claimed
	sed -i 's/bridge = "jitsu0"/& packets = no/' "$DIR/jitsu.conf"
	jitsu reload
	wait_for 30 no_port
}

@test "networks that change places, and one that goes: ports stay where they are of use" {
	local lan2='network "apart" { bridge = "jitsu1" subnets = { "10.78.0.0/24" }
		units = { "10.78.0.20-10.78.0.30" } }'
	ip -n "$NS" link add jitsu1 type bridge
	ip -n "$NS" link set jitsu1 up
	CONF_MORE="$lan2 image \"apart\" { kernel = \"hello.elf\" memory = \"16M\"
		network = \"apart\" ready = \"delay:1\" accel = \"$ACCEL\" }" write_conf
	write_zone 'apart A 10.78.0.20' '_jitsu.apart TXT "image=apart"'
	start_with
	ports_on() { ip -n "$NS" -o link show master "$1" | grep -c jtp; }
	[ "$(ports_on jitsu1)" -eq 1 ]
	port=$(entry apart.example.test jitsu1)
	[[ "$port" == jtp* ]]
	# The first becomes the second.
	CONF_TOP="$lan2" CONF_MORE="image \"apart\" { kernel = \"hello.elf\" memory = \"16M\"
		network = \"apart\" ready = \"delay:1\" accel = \"$ACCEL\" }" write_conf
	jitsu reload
	[ "$(ports_on jitsu0)" -eq 1 ]
	[ "$(entry apart.example.test jitsu1)" = "$port" ]
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	to_sleep
	# It is the only one.
	write_conf
	write_zone
	jitsu reload
	no_port() { [ "$(ports_on jitsu1)" -eq 0 ]; }
	wait_for 30 no_port
	is_claimed
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "a port that is deleted, and a bridge that is made anew" {
	write_conf
	start_with
	ip -n "$NS" link del "$(entry)"
	wait_for 30 is_claimed
	is_parked
	ip -n "$NS" link del jitsu0
	ip -n "$NS" link add jitsu0 address 02:00:00:00:77:01 type bridge
	ip -n "$NS" addr add 10.77.0.1/24 dev jitsu0
	ip -n "$NS" link set jitsu0 up
	ip -n "$NS" link set vnear master jitsu0
	wait_for 30 is_claimed
	wait_for 30 is_parked
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
}

@test "packets wake no more units in a minute than queries by UDP may" {
	CONF_TOP='limits { udp-wakes-per-minute = 1 }' write_conf
	write_zone 'two A 10.77.0.20' '_jitsu.two TXT "image=hello"'
	start_with
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	refused near 10.77.0.20 80
	slept two.example.test
	jitsu show two.example.test | grep -q 'packets wake too often'
	[ "$(ask +short +tcp two.example.test A)" = 10.77.0.20 ]
}

@test "a wake that may not be, and one that fails: refused at once" {
	CONF_TOP='limits { vms = 1 queue = 0 }' CONF_MORE=$(KERNEL=none.elf hello_image bad "" \
	    'backoff-min = 5m') write_conf
	write_zone 'two A 10.77.0.20' '_jitsu.two TXT "image=hello"' \
	    'bad A 10.77.0.21' '_jitsu.bad TXT "image=bad"'
	start_with
	refused near 10.77.0.21 80
	is_state bad.example.test failed
	refused near 10.77.0.21 80
	[[ "$(page_of near 10.77.0.10)" == *"Hello from $U"* ]]
	refused near 10.77.0.20 80
	slept two.example.test
}
