#!/usr/bin/env bats
# reload: what a reload reads: zones whose files changed, with what they include, and no others.

load lib/jitsu

ZONES=500

zone_text() {
	printf '$TTL 60\n@ SOA ns h %s 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n%s\n' "$1" "${2:-}"
}
serial() { in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=10 +short "$1" SOA | cut -d' ' -f3; }
read_anew() { grep -o 'of which [0-9]* were read anew' "$DIR/log" | tail -1 | grep -o '[0-9]*'; }
serves() { [ "$(serial "$1")" = "$2" ]; }
reload() { jitsu reload >"$DIR/reload" 2>&1; }

setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces"
	NS=jitsu-$$-$BATS_TEST_NUMBER
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	chmod 755 "$DIR"
	JITSUD=
	ip netns add "$NS"
	ip -n "$NS" link set lo up
	mkdir "$DIR/zones"
	for ((i = 1; i <= ZONES; i++)); do zone_text 1 >"$DIR/zones/z$i.test.zone"; done
	zone_text 1 '$INCLUDE part' >"$DIR/zones/inc.test.zone"
	echo 'inc A 192.0.2.2' >"$DIR/zones/part"
	cat >"$DIR/jitsu.conf" <<-EOF2
	listen = { "127.0.0.1" }
	port = 5300
	control = "$DIR/run/control"
	state = "$DIR/state"
	run-dir = "$DIR/run"
	zone "*" { file = "zones/*.zone" }
	EOF2
	# Files changed in the last two seconds are read again.
	touch -d '1 minute ago' "$DIR"/zones/*
	sleep 3
	(exec ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >"$DIR/log" 2>&1 3>&-) &
	JITSUD=$!
	wait_for 30 serves z1.test 1
}
teardown() { teardown_jitsu; }

@test "a reload returns when its zones are served" {
	local dns
	dns=$(jitsu --json status | jq '.children[] | select(.name == "dns") | .pid')
	for ((i = 2; i <= 4; i++)); do
		zone_text "$i" >"$DIR/zones/z1.test.zone"
		kill -STOP "$dns"
		jitsu reload >"$DIR/reload" 2>&1 3>&- &
		sleep 0.7
		# The DNS process has not heard of it.
		kill -0 $!
		kill -CONT "$dns"
		wait $!
		[ "$(serial z1.test)" = "$i" ]
	done
	# A DNS process that dies is not waited for.
	zone_text 7 >"$DIR/zones/z1.test.zone"
	kill -STOP "$dns"
	jitsu reload >"$DIR/reload" 2>&1 3>&- &
	sleep 0.7
	kill -KILL "$dns"
	wait $!
	wait_for 30 serves z1.test 7
}

@test "only what changed is read again" {
	[ "$(read_anew)" -eq $((ZONES + 1)) ]
	reload
	[ "$(read_anew)" -eq 0 ]
	[ "$(serial z7.test)" = 1 ]

	zone_text 2 >"$DIR/zones/z7.test.zone"
	reload
	[ "$(read_anew)" -eq 1 ]
	[ "$(serial z7.test)" = 2 ]
	[ "$(serial z8.test)" = 1 ]
	[ "$(serial z$ZONES.test)" = 1 ]

	# an included file; z7 is still too fresh to be believed
	touch -d '1 minute ago' "$DIR/zones/z7.test.zone"
	sleep 3
	reload
	echo 'inc A 192.0.2.3' >"$DIR/zones/part"
	reload
	[ "$(read_anew)" -eq 1 ]
	in_ns dig @127.0.0.1 -p 5300 +short inc.inc.test A | grep -q 192.0.2.3

	# a bad file: the old version is served, and every reload says so until it is mended
	echo 'nonsense here' >>"$DIR/zones/z9.test.zone"
	run reload
	[ "$status" -eq 1 ]
	grep -q 'z9.test.zone:6' "$DIR/reload"
	run reload
	[ "$status" -eq 1 ]
	grep -q 'z9.test.zone:6' "$DIR/reload"
	[ "$(serial z9.test)" = 1 ]
	zone_text 3 >"$DIR/zones/z9.test.zone"
	reload
	[ "$(serial z9.test)" = 3 ]

	# zones come and go
	zone_text 1 >"$DIR/zones/new.test.zone"
	rm "$DIR/zones/z1.test.zone"
	reload
	[ "$(serial new.test)" = 1 ]
	run in_ns dig @127.0.0.1 -p 5300 z1.test SOA
	[[ "$output" == *REFUSED* ]]
	[ "$(serial z2.test)" = 1 ]
	jitsu dump z3.test | grep -q '^z3.test.'

	# the root, whose name is nothing but a dot
	zone_text 5 >"$DIR/root"
	printf 'zone "." { file = "root" }\n' >>"$DIR/jitsu.conf"
	reload
	[ "$(serial .)" = 5 ]
	jitsu dump . | grep -q '^ns.[[:space:]].*192.0.2.1'
}

write_large() {
	{
		zone_text "$1"
		seq -f 'n%.0f A 192.0.2.1' 100000
	} >"$DIR/zones/large.test.zone"
}

@test "the zones process dies, or jitsud is stopped, in a load: what is served stays, it ends" {
	local old=1 load ms
	for ((i = 2; i <= 12; i++)); do
		write_large "$i"
		zone_text "$i" >"$DIR/zones/z1.test.zone"
		catch_next
		jitsu reload >"$DIR/reload" 2>&1 3>&- &
		load=$!
		caught
		# At its start, and after it has worked for a while, or is done.
		ms=$(((i - 2) * 6))
		[ $ms -eq 0 ] || { kill -CONT "$ZONES"; sleep "0.$(printf %03d $ms)"; }
		kill -KILL "$ZONES" 2>/dev/null || true
		if wait "$load"; then
			[ $ms -gt 0 ]
			old=$i
		else
			grep -q 'the zones process ended before it had compiled the zones' \
			    "$DIR/reload"
		fi
		[ "$(serial z1.test)" = "$old" ]
	done
	reload
	[ "$(serial large.test)" = 12 ]
	[ "$(serial z1.test)" = 12 ]

	for delay in 0 0.1 0.2 0.3 0.4 0.5 0.6; do
		write_large 20
		kill -HUP "$JITSUD"
		sleep "$delay"
		kill -TERM "$JITSUD"
		wait "$JITSUD"   # its status is 0
		tail -1 "$DIR/log" | grep -q stopped
		(exec ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
		    >"$DIR/log" 2>&1 3>&-) &
		JITSUD=$!
		wait_for 30 serves large.test 20
	done
}

@test "list says where a zone is wrong: in included files and units files, behind 200 findings" {
	local long
	long=$(printf 'd%.0s' {1..120})
	printf '%s\n' 'zone "long.test" { file = "'"$long"'/long.zone" }' \
	    'zone "u.test" { file = "u.zone" units = "u.units" }' \
		'zone "unknown.test" { file = "u.zone" units = "unknown.units" }' \
		    >>"$DIR/jitsu.conf"
	mkdir "$DIR/$long"
	zone_text 1 >"$DIR/$long/long.zone"
	echo 'nonsense here' >>"$DIR/$long/long.zone"
	zone_text 1 >"$DIR/u.zone"
	printf '\n_jitsu.ns TXT "image"\n' >"$DIR/u.units"
	printf '\n\n_jitsu.ns TXT "image=nosuch"\n' >"$DIR/unknown.units"
	printf '\ninc A 192.0.2\n' >"$DIR/zones/part"
	for ((i = 1; i <= 250; i++)); do echo 'nonsense here' >>"$DIR/zones/z$i.test.zone"; done
	run reload
	[ "$status" -eq 1 ]
	run jitsu list
	[ "$status" -eq 0 ]
	echo "$output" | tail -5
	[[ "$output" == *"zone inc.test is served with its old contents: part:2: "* ]]
	[[ "$output" == *"zone long.test is not served: $DIR/$long/long.zone:6: "* ]]
	[[ "$output" == *"zone u.test is not served: $DIR/u.units:2: "* ]]
	[[ "$output" == *"zone unknown.test is not served: $DIR/unknown.units:3: "*nosuch* ]]
	[[ "$output" == \
	    *"zone z250.test is served with its old contents: $DIR/zones/z250.test.zone:6: "* ]]
}
