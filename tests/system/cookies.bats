#!/usr/bin/env bats
# cookies: DNS cookies of a running daemon, how their secrets are kept and rolled, and whom they let
# wake units.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

# The cookie that the server gives to a client that sends `$1` (16 hexadecimal digits, or a whole
# cookie).
cookie_for() { ask +cookie="$1" plain.example.test A | sed -n 's/^; COOKIE: \([0-9a-f]*\).*/\1/p'; }
dns_pid() { jitsu --json status | jq -r '.children[] | select(.name == "dns") | .pid'; }
replaced() { local now; now=$(dns_pid); [ "$now" != null ] && [ "$now" != "$1" ]; }
deferred() { jitsu --json status | jq .counters.deferred; }

@test "a cookie outlives the DNS process, and a reload" {
	start_jitsud
	first=$(cookie_for 0123456789abcdef)
	[ ${#first} -eq 48 ]
	[ "$(cookie_for "$first")" = "$first" ]
	old=$(dns_pid)
	kill -9 "$old"
	wait_for 30 replaced "$old"
	wait_for 30 serves
	[ "$(cookie_for "$first")" = "$first" ]
	jitsu reload
	[ "$(cookie_for "$first")" = "$first" ]
}

@test "secrets in a file: rolled by reloads; a bad file changes nothing" {
	CONF_TOP="cookie-secret-file = \"cookies\"" write_conf
	echo e5e973e5a6b2a43f48e7dc849e37bfcf >"$DIR/cookies"
	chmod 600 "$DIR/cookies"
	start_jitsud
	first=$(cookie_for 0123456789abcdef)
	[ "$(cookie_for "$first")" = "$first" ]
	# a new one in front: the old cookie is replaced
	printf '%s\n' 445536bcd2513298075a5d379663c962 e5e973e5a6b2a43f48e7dc849e37bfcf \
	    >"$DIR/cookies"
	jitsu reload
	second=$(cookie_for "$first")
	[ "$second" != "$first" ]
	[ "$(cookie_for "$second")" = "$second" ]
	echo nonsense >"$DIR/cookies"
	run jitsu reload
	[ "$status" -eq 1 ]
	[[ "$output" == *"cookies:1: this is no secret"* ]]
	[ "$(cookie_for "$second")" = "$second" ]
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cookie-secret-file: $DIR/cookies:1:"* ]]
}

@test "beyond udp-wakes-per-minute, UDP wakes with a cookie alone; TCP wakes as before" {
	CONF_TOP="limits { udp-wakes-per-minute = 1 }" write_conf
	write_zone "$(more_units 4)"
	start_jitsud
	cookie=$(cookie_for 0123456789abcdef)
	[ "$(ask +nocookie +short u1.example.test A)" = 10.77.0.20 ]
	run ask +nocookie +ignore u2.example.test A
	[[ "$output" == *"flags: qr aa tc"* ]]
	[ "$(state_of u2.example.test)" = dormant ]
	[ "$(deferred)" -eq 1 ]
	# what wakes already, or needs no wake, is answered
	[ "$(ask +nocookie +ignore +short u1.example.test A)" = 10.77.0.20 ]
	[ "$(ask +nocookie +ignore +short plain.example.test A)" = 192.0.2.7 ]
	# as resolvers do
	[ "$(ask +nocookie +short u2.example.test A)" = 10.77.0.21 ]
	[ "$(ask +cookie="$cookie" +ignore +short u3.example.test A)" = 10.77.0.22 ]
	[ "$(ask +nocookie +tcp +short u4.example.test A)" = 10.77.0.23 ]
	[ "$(deferred)" -eq 2 ]
}
