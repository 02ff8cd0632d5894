#!/usr/bin/env bats
# zonelimits: zones that take too much, and zones processes that do not come back: the zone is
# named, and the others load.

load lib/jitsu
setup() {
	setup_jitsu
	printf '$TTL 60\n@ SOA ns h 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n' \
	    >"$DIR/other.zone"
	cp "$DIR/other.zone" "$DIR/large.zone"
	printf 'zone "%s.test" { file = "%s.zone" }\n' other other large large >>"$DIR/jitsu.conf"
}
teardown() { teardown_jitsu; }

# As start_jitsud, but not until it serves.
# spawn_held: a jitsud that is stopped before its first instruction.
spawn_held() {
	# shellcheck disable=SC2016
	(exec sh -c 'kill -STOP $$; exec "$@"' sh nsenter --net="/run/netns/$NS" "$BUILD/jitsud" \
	    -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	is_stopped() { grep -q '^State:.T' "/proc/$JITSUD/status"; }
	wait_for 30 is_stopped
}
make_large() {
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "h%d A 192.0.2.%d\n", i, i % 256 }' \
	    >>"$DIR/large.zone"
}
serial() { ask +short "$1" SOA | awk '{print $3}'; }
set_serial() { sed -i "s/^@ SOA ns h [0-9]*/@ SOA ns h $2/" "$DIR/$1.zone"; }

@test "a small zone with a thousand includes is refused, and named; the others are served" {
	awk 'BEGIN { for (i = 0; i < 20000; i++) printf "h%d A 192.0.2.%d\n", i, i % 256 }' \
	    >"$DIR/part"
	seq -f '$INCLUDE part s%.0f' 1000 >>"$DIR/large.zone"
	printf 'limits { zone-memory = "32M" }\n' >>"$DIR/jitsu.conf"
	start_jitsud
	[ "$(serial other.test)" = 1 ]
	[[ "$(ask large.test SOA)" == *SERVFAIL* ]]
	limit='needs more memory than a zone may have, 32M (zone-memory of section limits)'
	grep -q "part:[0-9]*: zone large.test $limit" "$DIR/log"
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"zone large.test needs more memory than a zone may have"* ]]
	sed -i '/INCLUDE part s[0-9]*[^9]$/d; /INCLUDE part s[0-9][0-9]/d' "$DIR/large.zone"
	jitsu reload
	[ "$(ask +short h1.s9.large.test A)" = 192.0.2.1 ]
}

@test "the zones process is killed at the start: jitsud serves what it has, a reload the rest" {
	make_large
	spawn_held
	catch_next
	kill -CONT "$JITSUD"
	caught
	kill -KILL "$ZONES"
	# The one that was caught may have been at the small zones, which are compiled once more
	# then.
	wait_for 30 serves
	[ "$(serial other.test)" = 1 ] || [ "$(serial large.test)" = 1 ]
	grep -q 'the zones process (pid .*) ended: killed by signal 9' "$DIR/log"
	jitsu reload
	[ "$(serial other.test)" = 1 ]
	[ "$(serial large.test)" = 1 ]
}

@test "the zones process is stopped: it is given up, the zone is named, the others load" {
	printf 'limits { zone-time = "1s" }\n' >>"$DIR/jitsu.conf"
	make_large
	START_SECONDS=60 start_jitsud
	printf 'h A 192.0.2.1\n' >>"$DIR/large.zone"
	set_serial large 2
	jitsu reload >"$DIR/reload" 2>&1 3>&- &
	load=$!
	wait_for 30 catch_load
	set_serial large 3
	status=0
	wait "$load" || status=$?
	[ "$status" -eq 1 ]
	ended='the zones process ended before it had compiled the zones'
	grep -q "large.zone: $ended: it was silent for 1000 ms (zone-time of section limits)" \
	    "$DIR/reload"
	[ "$(serial large.test)" = 1 ]
	[ "$(serial other.test)" = 1 ]
	jitsu reload
	[ "$(serial large.test)" = 3 ]
}
