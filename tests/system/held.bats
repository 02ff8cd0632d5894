#!/usr/bin/env bats
# held: addresses that were handed out under one name, and another that claims them.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

checked() { in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf" 2>&1; }
# servfail NAME: the answer, with its extended error.
servfail() { ask "$1" A | grep -q 'status: SERVFAIL' && ask "$1" A | grep -q 'EDE: 14'; }

@test "a renamed unit keeps its address; what was never asked for, and aliases, may change theirs" {
	write_zone "$(more_units 4)"
	start_jitsud
	ask +short u1.example.test A
	# u1 is renamed, u2 and u3 change places, www becomes an alias of blog, which was one of
	# www.
	ask +short www.example.test A
	sed -i 's/^u1 /first /; s/_jitsu.u1/_jitsu.first/
	    s/^u2 A .*/u2 A 10.77.0.22/; s/^u3 A .*/u3 A 10.77.0.21/
	    s/^_jitsu.www.*/_jitsu.www TXT "unit=blog"/
	    s/^_jitsu.blog.*/_jitsu.blog TXT "image=hello"/' "$DIR/example.zone"
	checked
	jitsu reload
	[ "$(ask +short first.example.test A)" = 10.77.0.20 ]
	[ "$(ask +short u2.example.test A)" = 10.77.0.22 ]
	[ "$(ask +short u3.example.test A)" = 10.77.0.21 ]
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	in_ns curl -s -m 15 http://10.77.0.10/ | grep -q blog.example.test
	[ "$(jitsu --json held | jq length)" -eq 0 ]
	# A rename while nobody looked.
	stop_jitsud TERM
	sed -i 's/^first /again /; s/_jitsu.first/_jitsu.again/' "$DIR/example.zone"
	checked
	start_jitsud
	[ "$(ask +short again.example.test A)" = 10.77.0.20 ]
}

@test "an address that was handed out is refused to one unit alone, until it is released" {
	write_zone "$(more_units 3)"
	start_jitsud
	ask +short u1.example.test A
	ask +short u2.example.test A
	# Two that were asked for change places; something else changes, too.
	sed -i 's/^u1 A .*/u1 A 10.77.0.21/; s/^u2 A .*/u2 A 10.77.0.20/; s/192.0.2.7/192.0.2.8/' \
	    "$DIR/example.zone"
	run checked
	[ "$status" -eq 1 ]
	was="u1.example.test: address 10.77.0.21 was that of u2.example.test"
	[[ "$output" == *"example.zone:"*"$was"*'`jitsu release 10.77.0.21`'* ]]
	[[ "$output" == *"u2.example.test: address 10.77.0.20 was that of u1.example.test"* ]]
	run jitsu check "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *'`jitsu release 10.77.0.20`'* ]]
	run jitsu reload
	[ "$status" -eq 1 ]
	[[ "$output" == *'`jitsu release 10.77.0.20`'* ]]
	refused_both
	# The same after a restart, and the check says it while no jitsud runs.
	stop_jitsud TERM
	run checked
	[ "$status" -eq 1 ]
	[[ "$output" == *'`jitsu release 10.77.0.21`'* ]]
	start_jitsud
	refused_both
	run jitsu release 10.77.0.22
	[ "$status" -eq 1 ]
	run jitsu release fd77::a:9
	[[ "$output" == *'address fd77::a:9 is not held'* ]]
	run jitsu release 10.77.0.22
	[[ "$output" == *'is in use by u3.example.test'* ]]
	run jitsu release nonsense
	[[ "$output" == *'is no address'* ]]
	jitsu release 10.77.0.20 | grep -q 'u2.example.test has it now'
	[ "$(ask +short u2.example.test A)" = 10.77.0.20 ]
	servfail u1.example.test
	jitsu release 10.77.0.21
	[ "$(ask +short u1.example.test A)" = 10.77.0.21 ]
	[ "$(jitsu --json status | jq .refused_units)" -eq 0 ]
	checked
	jitsu reload
}
refused_both() {
	[ "$(ask +short plain.example.test A)" = 192.0.2.8 ]
	[ "$(ask +short u3.example.test A)" = 10.77.0.22 ]
	servfail u1.example.test
	servfail u2.example.test
	run jitsu wake u1.example.test
	[[ "$output" == *'`jitsu release 10.77.0.21`'* ]]
	jitsu show u2.example.test | grep -q 'jitsu release 10.77.0.20'
	[ "$(jitsu --json status | jq -c '[.refused_units, .zones_old, .zones_failed]')" = \
	    '[2,0,0]' ]
	jitsu held | grep -q '^10.77.0.20 *u1.example.test .* u2.example.test$'
}

@test "a hold ends by itself, and a wrong clock does not make it last for years" {
	CONF_TOP='address-hold = 20s' write_conf
	write_zone "$(more_units 2)"
	start_jitsud
	ask +short u1.example.test A
	sed -i '/u1/d' "$DIR/example.zone"
	jitsu reload
	stop_jitsud TERM
	# Its clock was years ahead.
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("UPDATE address SET removed_at = removed_at + 300000000 "
                  "WHERE removed_at != 0").rowcount == 1
db.commit()' "$DIR/state/jitsu.db"
	echo 'other A 10.77.0.20
_jitsu.other TXT "image=hello"' >>"$DIR/example.zone"
	start_jitsud
	servfail other.example.test
	[ "$(jitsu --json held | jq '.[0].until' | head -1)" -lt $(($(date +%s) + 60)) ]
	woken() { [ "$(ask +short other.example.test A)" = 10.77.0.20 ]; }
	wait_for 60 woken
	[ "$(jitsu --json held | jq length)" -eq 0 ]
	[ "$(jitsu --json status | jq .refused_units)" -eq 0 ]
}
