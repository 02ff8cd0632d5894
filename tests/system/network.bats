#!/usr/bin/env bats
# network: the host's network is not what it was: counters, bridges, taps and addresses that others
# change.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

page() { in_ns curl -s -S --max-time 30 "$@" "http://10.77.0.10/"; }
woken() { jitsu wake www.example.test >/dev/null; }

@test "a client whose source port is among those of probes keeps a unit awake" {
	WWW_KEYS='"idle=3s" "min-up=0s"' write_zone
	start_jitsud
	woken
	local end=$((SECONDS + 8))
	while [ $SECONDS -lt $end ]; do
		page --local-port 61000-64999 >/dev/null
		sleep 0.2
	done
	is_state www.example.test awake
	[ "$(jitsu --json list | jq '.[0].boots')" -eq 1 ]
	wait_for 30 is_state www.example.test dormant
}

@test "nft flush table: a busy VM is not stopped, and the rules are there again" {
	WWW_KEYS='"idle=3s" "min-up=0s"' write_zone
	start_jitsud
	woken
	local end=$((SECONDS + 8)) table
	table=$(in_ns nft list tables bridge | sed -n 's/^table bridge //p')
	in_ns nft flush table bridge "$table"
	while [ $SECONDS -lt $end ]; do
		page >/dev/null
		sleep 0.2
	done
	is_state www.example.test awake
	[ "$(jitsu --json list | jq '.[0].boots')" -eq 1 ]
	in_ns nft list table bridge "$table" | grep -q 'update @active'
	grep -q "table $table was changed by somebody" "$DIR/log"
	wait_for 30 is_state www.example.test dormant
}

@test "64 workers on nine addresses" {
	local i listen='"127.0.0.1"'
	for i in 2 3 4 5 6 7 8; do
		ip -n "$NS" addr add 10.77.0.$i/24 dev jitsu0
		listen+=", \"10.77.0.$i\""
	done
	WORKERS=64 write_conf
	sed -i "s/^listen = .*/listen = { \"10.77.0.1\", $listen }/" "$DIR/jitsu.conf"
	start_jitsud
	woken
	[ "$(page | grep -c www.example.test)" -ge 1 ]
	! grep 'are not counted' "$DIR/log"
}

@test "mac= of the bridge, or of another port: refused at load, by jitsud -n and at the wake" {
	ip -n "$NS" link add port0 address 02:00:00:00:77:05 type veth peer name port1
	ip -n "$NS" link set port0 master jitsu0 up
	write_zone 'w2 A 10.77.0.20' '_jitsu.w2 TXT "image=hello" "mac=02:00:00:00:77:01"' \
	    'w3 A 10.77.0.21' '_jitsu.w3 TXT "image=hello" "mac=02:00:00:00:77:05"'
	run in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == \
	    *"example.zone:1"*"02:00:00:00:77:01 of NIC 0 is this host's own (jitsu0)"* ]]
	[[ "$output" == *"02:00:00:00:77:05 of NIC 0 is this host's own (port0)"* ]]
	write_zone
	start_jitsud
	SERIAL=2 write_zone 'w2 A 10.77.0.20' '_jitsu.w2 TXT "image=hello" "mac=02:00:00:00:77:01"'
	run jitsu reload
	[[ "$output" == *"this host's own (jitsu0)"* ]]
	# The host gets the MAC of a unit afterwards.
	SERIAL=3 write_zone 'w2 A 10.77.0.20' '_jitsu.w2 TXT "image=hello" "mac=02:00:00:00:77:09"'
	jitsu reload
	ip -n "$NS" link set jitsu0 address 02:00:00:00:77:09
	run jitsu wake w2.example.test
	[ "$status" -ne 0 ]
	[[ "$output" == *"02:00:00:00:77:09"*"the host's own, on jitsu0"* ]]
	in_ns bridge fdb show br jitsu0 | grep -q "^02:00:00:00:77:09 dev jitsu0.* permanent"
	# Others go on.
	woken
	page >/dev/null
}

@test "frames for a unit that sleeps go to no other guest" {
	write_zone "$(more_units 1)"
	start_jitsud
	jitsu wake u1.example.test >/dev/null
	woken
	local mac other
	mac=$(jitsu --json show u1.example.test | jq -r .mac)
	other=$(jitsu --json show www.example.test | jq -r .mac)
	other=$(in_ns bridge fdb show br jitsu0 |
	    sed -n "s/^$other dev \([^ ]*\) .*/\1/p" | head -1)
	jitsu sleep u1.example.test
	ip -n "$NS" neigh replace 10.77.0.20 lladdr "$mac" dev jitsu0 nud permanent
	in_ns python3 - "$other" >"$DIR/seen" <<-'EOF' &
	import socket, sys
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
	s.bind((sys.argv[1], 0))
	print("on", flush=True)
	while True:
	    b = s.recv(2000)
	    if b"for-u1" in b: print("u1", flush=True)
	    if b"for-www" in b: print("www", flush=True); break
	EOF
	wait_for 30 grep -q on "$DIR/seen"
	in_ns python3 - <<-'EOF'
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	for i in range(20): s.sendto(b"for-u1", ("10.77.0.20", 9))
	for i in range(20): s.sendto(b"for-www", ("10.77.0.10", 9))
	EOF
	wait_for 30 grep -q www "$DIR/seen"
	! grep u1 "$DIR/seen"
}

@test "a bridge with a jumbo uplink keeps its MTU" {
	ip -n "$NS" link add up0 mtu 9000 type veth peer name up1 mtu 9000
	ip -n "$NS" link set up0 master jitsu0 up
	ip -n "$NS" -o link show jitsu0 | grep -q 'mtu 9000'
	start_jitsud
	woken
	page >/dev/null
	ip -n "$NS" -o link show jitsu0 | grep -q 'mtu 9000'
}

@test "a bridge with a spanning tree and a delay: said by jitsud -n and at the start" {
	ip -n "$NS" link set jitsu0 type bridge forward_delay 1500 stp_state 1
	run in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	stp="bridge jitsu0 runs the kernel's spanning tree protocol: a VM's port forwards nothing"
	stp+=" for the first 30 s, so that every boot of image \"hello\" fails"
	[[ "$output" == *"network \"lan\": $stp"* ]]
	start_jitsud
	grep -q "jitsu.conf:.*spanning tree" "$DIR/log"
}

@test "a bridge that filters: said by jitsud -n and at the start" {
	local said
	ip -n "$NS" link add up0 type veth peer name up1
	ip -n "$NS" link set up0 master jitsu0 up
	in_ns bridge link set dev up0 isolated on
	in_ns nft 'add table inet fw
	    add chain inet fw onward { type filter hook forward priority 0; }'
	run in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	said="network \"lan\": bridge jitsu0: isolated ports (up0) reach no other isolated port"
	[[ "$output" == *"$said"* ]]
	if in_ns test -e /proc/sys/net/bridge/bridge-nf-call-iptables; then
		[[ "$output" == *"IPv4 frames pass this host's rules, such as chain onward of"* ]]
	fi
	start_jitsud
	grep -qF "$said" "$DIR/log"
}

@test "an address beyond the host's 256th is the host's too" {
	local i
	for ((i = 0; i < 400; i++)); do
		echo "addr add 10.99.$((i / 200)).$((i % 200 + 1))/32 dev jitsu0"
	done >"$DIR/batch"
	echo "addr add 10.77.0.30/24 dev jitsu0" >>"$DIR/batch"
	ip -n "$NS" -batch "$DIR/batch"
	start_jitsud
	SERIAL=2 write_zone 'w2 A 10.77.0.30' '_jitsu.w2 TXT "image=hello"'
	run jitsu reload
	[[ "$output" == *"10.77.0.30 is the address of this host"* ]]
}
