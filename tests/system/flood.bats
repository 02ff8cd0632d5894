#!/usr/bin/env bats
# flood: what clients, guests and captured processes cause again and again does not fill the log and
# the events.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

forge() { "$BUILD/tests/system/forge" "$(pgrep -P "$JITSUD" -f "^jitsud: $1" | head -1)" "${@:2}"; }
lines() { wc -l <"$DIR/log"; }
events() { jitsu --json events | jq length; }

@test "queries beyond the limits: bounded, counted, and other units' events stay" {
	CONF_MORE=$'limits { wakes-per-minute-total = 1\n udp-wakes-per-minute = 0 }' write_conf
	write_zone "$(more_units 40)"
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	for ((i = 0; i < 2000; i++)); do
		echo "u$((1 + i % 40)).example.test A"
	done >"$DIR/queries"
	ask +noall +comments -f "$DIR/queries" >"$DIR/answers"
	[ "$(grep -c SERVFAIL "$DIR/answers")" -eq 2000 ]
	# Two lines for each that was said.
	[ "$(lines)" -le 1300 ]
	[ "$(events)" -le 1300 ]
	jitsu --json events www.example.test | jq -e '.[] | select(.kind == "awake")' >/dev/null
	[ "$(sqlite3 "$DIR/state/jitsu.db" \
	    'SELECT state FROM unit WHERE owner = "u1.example.test"')" != booting ]
	stop_jitsud
	grep -q '[0-9]* more of this kind within a minute: booting -> dormant (limit reached)' \
	    "$DIR/log"
	[ "$(grep -c 'more of this kind' "$DIR/log")" -le 4 ]
	# What was said and what was left out are all.
	[ "$(awk '/-> dormant \(limit reached/ && !/more of/ {n++}
	    /more of this kind.*limit reached/ {
		for (i = 1; i < NF; i++) if ($(i + 1) == "more") n += $i
	    }
	    END {print n}' "$DIR/log")" -eq 2000 ]
	[ "$(sqlite3 "$DIR/state/jitsu.db" 'SELECT count(*) FROM events WHERE kind = "more"')" \
	    -ge 1 ]
}

@test "a captured DNS process cannot fill log and events with wakes and lines" {
	CONF_MORE='limits { wakes-per-minute = 1 }' write_conf
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	jitsu sleep www.example.test
	wait_for 30 is_state www.example.test dormant
	[ "$(forge dns wake 0 5000)" -eq 5000 ]
	[ "$(forge dns log 0 5000)" -eq 5000 ]
	heard() { grep -q 'dns process: .*forged' "$DIR/log"; }
	wait_for 30 heard
	ask +short plain.example.test A
	jitsu status >/dev/null
	stop_jitsud
	[ "$(lines)" -le 500 ]
	! grep -q '^warden: error: all is lost' "$DIR/log" || false
	grep -q '[0-9]* more of this kind within a minute: lines of the dns process' "$DIR/log"
	grep -q 'www.example.test: [0-9]* more of this kind within a minute: .*limit reached' \
	    "$DIR/log"
	[ "$(sqlite3 "$DIR/state/jitsu.db" 'SELECT count(*) FROM events')" -le 500 ]
}
