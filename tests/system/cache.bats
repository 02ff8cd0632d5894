#!/usr/bin/env bats
# cache: compiled images of large zones on disk: the next start finds them; whatever changed or is
# damaged is compiled.

load lib/jitsu

# zone_text SERIAL: above 1 MB, with an include.
zone_text() {
	printf '$TTL 60\n@ SOA ns h %s 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n$INCLUDE part\n' "$1"
	awk 'BEGIN { for (i = 0; i < 40000; i++)
	    printf "name-%d-of-many A 192.0.2.%d\n", i, i % 250 + 1 }'
}
query() { in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=10 +short "$@"; }
serial() { query "$1" SOA | cut -d' ' -f3; }
answers() { [ "$(serial small.test)" = 1 ]; }
field() { jitsu --json status | jq -r ".$1"; }
entries() { find "$DIR/state/images" -type f ! -name '*.new' 2>/dev/null | wc -l; }
has_entries() { [ "$(entries)" -eq "$1" ] && [ -z "$(find "$DIR/state/images" -name '*.new')" ]; }

write_zones_conf() {
	cat >"$DIR/jitsu.conf" <<-EOF2
	listen = { "127.0.0.1" }
	port = 5300
	log-level = "debug"
	control = "$DIR/run/control"
	state = "$DIR/state"
	run-dir = "$DIR/run"
	zone "small.test" { file = "zones/small" }
	$(for zone in "$@"; do echo "zone \"$zone\" { file = \"zones/$zone\" }"; done)
	EOF2
}
# run_jitsud: until it answers; its log is the daemon's own.
run_jitsud() {
	(exec ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >"$DIR/log" 2>&1 3>&-) &
	JITSUD=$!
	wait_for 30 answers
}
restart() { stop_jitsud; run_jitsud; }
# kept ZONE: by a job of this daemon that is newer than the last call to forget.
kept() { sed -n "$((SEEN + 1)),\$p" "$DIR/log" | grep -q "zone $1: its zimage is kept"; }
forget() { SEEN=$(wc -l <"$DIR/log"); }
# came READ FOUND: of the last load.
came() { [ "$(field zones_read)" -eq "$1" ] && [ "$(field zones_from_disk)" -eq "$2" ]; }

setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces"
	NS=jitsu-$$-$BATS_TEST_NUMBER
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	chmod 755 "$DIR"
	JITSUD=
	ip netns add "$NS"
	ip -n "$NS" link set lo up
	mkdir "$DIR/zones"
	printf '$TTL 60\n@ SOA ns h 1 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n' >"$DIR/zones/small"
	echo 'inc A 192.0.2.2' >"$DIR/zones/part"
	sleep 0.3   # what was written this moment is not kept
	zone_text 1 >"$DIR/zones/a.test"
	sleep 0.3   # what was written this moment is not kept
	zone_text 1 >"$DIR/zones/b.test"
	sleep 0.3   # what was written this moment is not kept
	write_zones_conf a.test b.test
}
teardown() {
	teardown_state
	teardown_jitsu
}
teardown_state() { ! mountpoint -q "$DIR/state" || { stop_jitsud; umount "$DIR/state"; }; }

@test "the next start finds large zones compiled, and compiles what changed" {
	run_jitsud
	came 3 0
	wait_for 30 has_entries 2
	[ "$(stat -c %a "$DIR/state/images")" = 700 ]

	restart
	came 1 2
	grep -q 'of which 1 were read anew and 2 were found compiled' "$DIR/log"
	[ "$(query name-39999-of-many.b.test A)" = 192.0.2.250 ]
	[ "$(query inc.a.test A)" = 192.0.2.2 ]

	# written again as it was: the contents count
	zone_text 1 >"$DIR/zones/new"
	sleep 0.3   # what was written this moment is not kept
	mv "$DIR/zones/new" "$DIR/zones/b.test"
	restart
	came 1 2

	# one zone
	zone_text 2 >"$DIR/zones/a.test"
	sleep 0.3   # what was written this moment is not kept
	restart
	came 2 1
	[ "$(serial a.test)" = 2 ]
	[ "$(serial b.test)" = 1 ]
	wait_for 30 grep -q 'zone a.test: its zimage is kept' "$DIR/log"
	restart
	came 1 2
	[ "$(serial a.test)" = 2 ]

	# what both include
	echo 'inc A 192.0.2.3' >"$DIR/zones/part"
	sleep 0.3   # what was written this moment is not kept
	restart
	came 3 0
	[ "$(query inc.a.test A)" = 192.0.2.3 ]

	# a zone that is no longer configured
	write_zones_conf a.test
	jitsu reload
	wait_for 30 has_entries 1
}

@test "a damaged image is compiled again, and says so" {
	local entry
	run_jitsud
	wait_for 30 has_entries 2
	stop_jitsud
	for entry in "$DIR"/state/images/*; do break; done
	# one byte of one address, deep inside
	printf '\xee' | dd of="$entry" bs=1 seek=1000003 conv=notrunc status=none
	run_jitsud
	came 2 1
	grep -q 'its zimage in .* is damaged; it is compiled again' "$DIR/log"
	[ "$(query name-39999-of-many.a.test A)" = 192.0.2.250 ]
	[ "$(query name-39999-of-many.b.test A)" = 192.0.2.250 ]
	wait_for 30 grep -q 'its zimage is kept' "$DIR/log"
	restart
	came 1 2

	# one that anybody could have written
	stop_jitsud
	chmod 666 "$entry"
	run_jitsud
	came 2 1
}

@test "reloads keep what they compile; a broken zone keeps its image" {
	run_jitsud
	wait_for 30 has_entries 2
	forget
	zone_text 3 >"$DIR/zones/a.test"
	sleep 0.3   # what was written this moment is not kept
	jitsu reload
	[ "$(serial a.test)" = 3 ]
	wait_for 30 kept a.test
	echo 'nonsense here' >>"$DIR/zones/b.test"
	sleep 0.3   # what was written this moment is not kept
	run jitsu reload
	[[ "$output" == *b.test:4000* ]]
	[ "$(serial b.test)" = 1 ]
	wait_for 30 has_entries 2
	zone_text 1 >"$DIR/zones/b.test"
	sleep 0.3   # what was written this moment is not kept
	restart
	came 1 2
	[ "$(serial a.test)" = 3 ]
}

@test "a full disk costs the images only" {
	mkdir "$DIR/state"
	mount -t tmpfs -o size=3m,mode=755 tmpfs "$DIR/state"
	run_jitsud
	wait_for 30 grep -q 'its zimage is not kept in .*No space left' "$DIR/log"
	[ "$(grep -c 'is not kept in' "$DIR/log")" -eq 1 ]
	[ "$(serial a.test)" = 1 ]
	[ -z "$(find "$DIR/state/images" -name '*.new')" ]
	zone_text 2 >"$DIR/zones/a.test"
	sleep 0.3   # what was written this moment is not kept
	jitsu reload
	[ "$(serial a.test)" = 2 ]
}
