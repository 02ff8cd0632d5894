#!/usr/bin/env bats
# passive: clients that neither wake a unit nor keep it awake (passive-from).

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

boots_of() { jitsu --json list | jq -r ".[] | select(.name == \"$1\") | .boots"; }
monitor() { in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=$((15 * SLOW)) "$@"; }
# Asks as a monitor does, and says whether the unit sleeps.
sleeps_watched() {
	[ "$(monitor +short "$1" A)" = "$2" ] && is_state "$1" dormant
}

@test "a monitor's queries are answered, wake nothing and keep nothing awake" {
	HELLO_CONF='passive-from = { "127.0.0.1/32" }' write_conf
	WWW_KEYS='"idle=2s" "min-up=0s"' write_zone 'mine A 10.77.0.11' \
	    '_jitsu.mine TXT "image=hello" "passive-from=192.0.2.0/24,fd00::/8"'
	start_jitsud
	[ "$(monitor +short www.example.test A)" = 10.77.0.10 ]
	[ "$(monitor +tcp +short blog.example.test A)" = 10.77.0.10 ]
	is_state www.example.test dormant
	# The unit's own list takes the image's place.
	[ "$(monitor +short mine.example.test A)" = 10.77.0.11 ]
	is_state mine.example.test awake
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	is_state www.example.test awake
	wait_for 30 sleeps_watched www.example.test 10.77.0.10
	[ "$(boots_of www.example.test)" -eq 1 ]
	# It holds in a DNS process that is replaced.
	kill -9 "$(pgrep -P "$JITSUD" -f '^jitsud: dns')"
	wait_for 30 serves
	[ "$(monitor +short www.example.test A)" = 10.77.0.10 ]
	is_state www.example.test dormant
	# And no more after a reload without it.
	write_conf
	jitsu reload
	[ "$(monitor +short www.example.test A)" = 10.77.0.10 ]
	wait_for 30 is_state www.example.test awake
}

@test "what is no prefix is refused with file, line and text" {
	HELLO_CONF='passive-from = { "10.1.2.3/8" }' write_conf
	run in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"jitsu.conf:"*": passive-from: \"10.1.2.3/8\" is not accepted: it must be \
a prefix without host bits"* ]]
}
