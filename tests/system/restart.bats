#!/usr/bin/env bats
# restart: reload, SIGTERM, SIGKILL and adoption.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

# bats test_tags=kvm
@test "a restart adopts the running VM with its clock" {
	# Longer than the restart takes.
	WWW_KEYS="\"idle=$((15 + SLOW))s\" \"min-up=0s\"" write_zone
	start_jitsud
	ask +short www.example.test A
	pid=$(qemus)
	[ "$(jitsu --json show www.example.test | jq -c '[.pid, .domid]')" = "[$pid,null]" ]
	sleep 2
	stop_jitsud TERM
	[ "$(qemus)" = "$pid" ]
	start_jitsud
	is_state www.example.test awake
	[ "$(qemus)" = "$pid" ]
	idle=$(jitsu --json list | jq '.[] | select(.name == "www.example.test") | .idle_s')
	[ "$idle" -ge 2 ]
	[ "$(jitsu --json show www.example.test | jq .pid)" = "$pid" ]
	jitsu show www.example.test | grep -q "^pid *$pid\$"
	wait_for 60 is_state www.example.test dormant
	[ "$(jitsu --json show www.example.test | jq .pid)" = null ]
	[ "$(qemu_count)" -eq 0 ]
}

# bats test_tags=kvm
@test "SIGKILL at random moments: no VM lost, none twice, none unmanaged" {
	write_zone "$(more_units 4)"
	start_jitsud
	local pids
	for round in $(seq $(((12 + SLOW - 1) / SLOW))); do
		pids=()
		for i in 1 2 3 4; do
			ask +short +time=$SLOW "u$i.example.test" A >/dev/null 2>&1 & pids+=($!)
		done
		sleep "$(printf '0.%03d' $((RANDOM % 100 * SLOW)))"
		stop_jitsud KILL
		wait "${pids[@]}" || true
		start_jitsud
		[ "$(qemu_count)" -le 4 ]
	done
	settled() {
		[ "$(jitsu --json list |
		    jq '[.[] | select(.state == "awake" or .state == "dormant")] | length')" -eq 5 ]
	}
	wait_for 30 settled
	[ "$(jitsu --json list | jq '[.[] | select(.state == "awake")] | length')" \
	    -eq "$(qemu_count)" ]
	for i in 1 2 3 4; do jitsu sleep "u$i.example.test"; done
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(taps)" ]
	[ -z "$(ls "$DIR/run/vm")" ]
}

@test "the sockets of the children that a killed jitsud leaves behind are waited for" {
	(exec nsenter --net="/run/netns/$NS" \
	    socat -u UDP4-RECVFROM:5300,bind=10.77.0.1 - >/dev/null 3>&- 4>&-) &
	local holder=$!
	held() { in_ns ss -Hlun 'sport = 5300' | grep -q .; }
	wait_for 30 held
	(sleep 1; kill "$holder") 3>&- 4>&- &
	start_jitsud
}

@test "VMs of others are never touched" {
	exec_ns qemu-system-x86_64 -M microvm -accel tcg -nodefaults -display none \
	    -uuid 11111111-2222-4333-8444-555555555555 -m 16 \
	    -kernel "$DIR/hello.elf" >/dev/null 2>&1 3>&- 4>&- &
	other=$!
	CLIENTS+=("$other")
	start_jitsud
	ask +short www.example.test A
	stop_jitsud KILL
	start_jitsud
	jitsu sleep www.example.test
	kill -0 "$other"
	kill -9 "$other"
	wait "$other" || true
}

@test "SIGHUP: units come and go, a removed unit is stopped, no query is dropped" {
	start_jitsud
	ask +short www.example.test A
	(for i in $(seq 300); do echo "plain.example.test A"; done) >"$DIR/q"
	in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=15 +short -f "$DIR/q" >"$DIR/answers" &
	asker=$!
	SERIAL=2 write_zone "$(more_units 2)"
	for i in 1 2 3; do
		kill -HUP "$JITSUD"
		sleep 0.2
	done
	wait "$asker"
	[ "$(grep -c '^192.0.2.7$' "$DIR/answers")" -eq 300 ]
	is_state www.example.test awake
	second() { [[ "$(ask +short example.test SOA)" == *' 2 '* ]]; }
	wait_for 30 second
	run ask +short u1.example.test A
	[ "$output" = 10.77.0.20 ]
	[ "$(qemu_count)" -eq 2 ]
	sed -i '/u1/d' "$DIR/example.zone"
	kill -HUP "$JITSUD"
	one_left() { [ "$(qemu_count)" -eq 1 ]; }
	wait_for 30 one_left
	is_state www.example.test awake
}

@test "a bad zone or configuration changes nothing and says where" {
	start_jitsud
	ask +short www.example.test A
	cp "$DIR/example.zone" "$DIR/good"
	echo '_jitsu.plain TXT "image=nosuch"' >>"$DIR/example.zone"
	run jitsu reload
	[ "$status" -eq 1 ]
	[[ "$output" == *example.zone:*nosuch* ]]
	run ask +short plain.example.test A
	[ "$output" = 192.0.2.7 ]
	is_state www.example.test awake
	jitsu status | grep -q nosuch
	cp "$DIR/good" "$DIR/example.zone"
	echo 'nonsense = 1' >>"$DIR/jitsu.conf"
	run jitsu reload
	[ "$status" -eq 1 ]
	[[ "$output" == *jitsu.conf:*nonsense* ]]
	is_state www.example.test awake
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
}

# bats test_tags=kvm
@test "on-exit = stop ends the VMs" {
	CONF_TOP='on-exit = "stop"' write_conf
	start_jitsud
	ask +short www.example.test A
	[ "$(qemu_count)" -eq 1 ]
	stop_jitsud TERM
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(taps)" ]
}

# ended_while SECONDS COMMAND...: a jitsud is started, and told to stop as soon as the command
# succeeds.
ended_while() {
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for "$@"
	stop_jitsud TERM
}
twice_loaded() { [ "$(grep -c 'generation 1:' "$DIR/log")" -eq 2 ]; }

@test "on-exit = stop ends the VMs of the jitsud before, even in the first load or the adoption" {
	CONF_TOP='on-exit = "stop"' write_conf
	write_zone "$(more_units 2)"
	start_jitsud
	ask +short u1.example.test A
	ask +short u2.example.test A
	stop_jitsud KILL
	[ "$(qemu_count)" -eq 2 ]
	# A QEMU that does not answer holds the adoption up.
	kill -STOP "$(qemus | head -1)"
	ended_while 30 twice_loaded
	grep -q '2 VMs of the jitsud before are destroyed' "$DIR/log"
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(ls "$DIR/run/vm")" ]
	start_jitsud
	ask +short u1.example.test A
	stop_jitsud KILL
	[ "$(qemu_count)" -eq 1 ]
	long_zone
	ended_while 30 catch_load
	[ "$(grep -c 'generation 1:' "$DIR/log")" -eq 3 ]
	grep -q '1 VMs of the jitsud before are destroyed' "$DIR/log"
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(ls "$DIR/run/vm")" ]
}

bad_zones() {
	printf '{"v":1,"verb":"status","bad_zones":true}\n' |
	    timeout 5 socat -t 2 - "UNIX-CONNECT:$DIR/run/control" |
	    jq -c '[.data.zones[] | [.name, .state]] | sort'
}

@test "a start in which zones fail is a start, and everything says which do" {
	CONF_MORE='zone "bad.test" { file = "bad.zone" } zone "none.test" { file = "none.zone" }' \
	    write_conf
	echo '@ A nonsense' >"$DIR/bad.zone"
	echo '@ A nonsense' >"$DIR/example.zone"
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True: print(s.recv(4096).decode().replace("\n", " "), flush=True)' "$DIR/notify" \
    >"$DIR/notified" 3>&- 4>&- &
	local listener=$!
	wait_for 30 test -S "$DIR/notify"
	(NOTIFY_SOCKET=$DIR/notify exec nsenter --net="/run/netns/$NS" \
	    "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 grep -q \
	    'READY=1 STATUS=3 zones, 3 of them not served and 0 with old contents, 0 units' \
	    "$DIR/notified"
	[ "$(grep -c 'warden: error: zone .* is not served: ' "$DIR/log")" -eq 3 ]
	[ "$(jitsu --json status | jq -c '[.zones_failed, .zones_old, [.zones[].state]]')" = \
	    '[3,0,["failed","failed","failed"]]' ]
	jitsu status | grep -q '^bad zones *3 NOT SERVED'
	write_zone
	run jitsu reload
	wait_for 30 grep -q \
	    'READY=1 STATUS=3 zones, 2 of them not served and 0 with old contents, 1 units' \
	    "$DIR/notified"
	echo 'x A nonsense' >>"$DIR/example.zone"
	run jitsu reload
	wait_for 30 grep -q \
	    'STATUS=3 zones, 2 of them not served and 1 with old contents, 1 units' "$DIR/notified"
	[ "$(jitsu --json status | jq -r '.zones[] | select(.name == "example.test") | .state')" = \
	    old ]
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	# `list` asks for those that are not ok, and gets no others.
	[ "$(bad_zones)" = '[["bad.test","failed"],["example.test","old"],["none.test","failed"]]' ]
	write_zone
	run jitsu reload
	[ "$(bad_zones)" = '[["bad.test","failed"],["none.test","failed"]]' ]
	jitsu list 2>&1 >/dev/null | grep -c 'is not served: ' | grep -qx 2
	[ "$(jitsu --json status | jq '.zones | length')" -eq 3 ]
	kill "$listener"
}
