#!/usr/bin/env bats
# network: the host's network is not what it was: counters, bridges, taps and addresses that others change.

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
