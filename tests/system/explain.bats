#!/usr/bin/env bats
# explain: `jitsu why` says what keeps a unit up, what woke it, or what it waits for.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

why() { jitsu why "$1.example.test"; }
# says UNIT PATTERN: the sentence; reason UNIT KIND [FILTER]: a row of that kind for which the
# filter of jq is true.
says() {
	why "$1" | head -1 >"$DIR/said"
	grep -Eq -- "^$1.example.test is $2\$" "$DIR/said" || { cat "$DIR/said"; return 1; }
}
reason() {
	jitsu --json why "$1.example.test" >"$DIR/reasons"
	jq -e ".reasons | map(select(.kind == \"$2\" and (${3:-true}))) | length > 0" \
	    "$DIR/reasons" >/dev/null || { cat "$DIR/reasons"; return 1; }
}
T='[0-9.]+( s|m[0-9]+s)'

@test "an awake unit: who woke it, what keeps it up, when it sleeps" {
	HELLO_CONF='idle = 5m
	unused-after = 0s
	min-up = 20m' write_conf
	write_zone 'kept A 10.77.0.20' '_jitsu.kept TXT "image=hello" "idle=0s"' \
	    'brief A 10.77.0.21' \
	    '_jitsu.brief TXT "image=hello" "idle=1h" "min-up=1s" "unused-after=30m"'
	start_jitsud
	says www "dormant; nobody has asked for it since jitsud started"
	ask +short www.example.test A
	says www "awake, woken by a query of 10.77.0.1 $T ago; it sleeps in 19m[0-9]+s unless it \
is used: its min-up is not over"
	reason www query '.age_s < 300 and .left_s > 0'
	reason www min-up '.left_s > 1100 and .left_s <= 1200'
	reason www woken '.what == "by a query of 10.77.0.1"'
	# An alias is that unit.
	jitsu why blog.example.test | grep -q "^www.example.test is awake"
	jitsu --json why www.example.test | jq -e '.sleeps_in_s > 1100' >/dev/null
	jitsu wake kept.example.test
	says kept "awake, woken by an operator $T ago; it does not sleep, since its idle is 0s"
	jitsu --json why kept.example.test | jq -e '.sleeps_in_s == null' >/dev/null
	# Woken but never contacted: sooner; then payload keeps it up.
	jitsu wake brief.example.test
	says brief "awake, woken .*; it sleeps in (29|30)m.* unless it is used: it became ready .*"
	in_ns ping -c 1 -W 10 10.77.0.21
	says brief "awake, .*; it sleeps in (59m|1h).* unless it is used: payload passed $T ago"
	reason brief payload '.age_s < 60 and .left_s > 3000'
	jitsu sleep brief.example.test
	says brief "dormant for $T \(operator\)"
	run jitsu why nobody.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"no unit nobody.example.test"* ]]
}

@test "keepalives keep nobody awake below idle-below; connections do with keep-open" {
	# Pings are not to wake again what has fallen asleep.
	HELLO_CONF="idle = $((3 * SLOW))s
	unused-after = 0s
	wake-on = \"tcp:80\"
	min-up = 0s" write_conf
	write_zone 'quiet A 10.77.0.20' '_jitsu.quiet TXT "image=hello" "idle-below=1M/m"' \
	    'loud A 10.77.0.21' '_jitsu.loud TXT "image=hello" "idle-below=200/m"' \
	    'kept A 10.77.0.22' '_jitsu.kept TXT "image=hello" "keep-open=yes"' \
	    'open A 10.77.0.23' '_jitsu.open TXT "image=hello"'
	start_jitsud
	for unit in quiet loud kept open; do jitsu wake $unit.example.test; done
	exec_ns python3 -c 'if True:
		import socket, sys, time
		s = [socket.create_connection(("10.77.0.%d" % i, 80)) for i in (22, 23)]
		print("open", flush=True)
		time.sleep(600)' >"$DIR/client" 2>&1 3>&- 4>&- &
	local client=$!
	CLIENTS+=("$client")
	exec_ns ping -i 0.5 10.77.0.20 >/dev/null 3>&- 4>&- &
	local ping1=$!
	CLIENTS+=("$ping1")
	exec_ns ping -i 0.5 10.77.0.21 >/dev/null 3>&- 4>&- &
	local ping2=$!
	CLIENTS+=("$ping2")
	wait_for 30 grep -q open "$DIR/client"
	wait_for 30 is_state quiet.example.test dormant
	wait_for 30 is_state open.example.test dormant
	says quiet "dormant for $T \(idle\)"
	reason quiet dormant '.what == "idle"'
	[ "$(jitsu --json show quiet.example.test | jq -c '.policy | [.wake_on, .passive_from,
	    .passive_port, .answer, .after, .freeze_then]')" = \
	    '[["tcp:80"],[],"closed","ready","ready","stop"]' ]
	is_state loud.example.test awake
	says loud "awake, .*; it sleeps in .*: payload passed $T ago"
	reason loud payload '.what == "beyond 200 bytes in a minute" and .bytes > 500'
	# Longer than idle without a packet.
	wait_for 30 reason kept connection ".age_s > $((6 * SLOW))"
	is_state kept.example.test awake
	says kept "awake, woken by an operator $T ago; it does not sleep, since 10.77.0.1 has a \
connection to its port 80 open"
	reason kept connection '.peer == "10.77.0.1" and .port == 80 and .bytes > 100'
	# The next jitsud knows as well; and a reload changes rates.
	stop_jitsud
	start_jitsud
	reason kept connection '.peer == "10.77.0.1"'
	sed -i 's/200.m/1M\/m/' "$DIR/example.zone"
	jitsu reload
	wait_for 30 is_state loud.example.test dormant
	is_state kept.example.test awake
	kill "$client" "$ping1" "$ping2"
	wait_for 30 is_state kept.example.test dormant
}

@test "a unit that others need, and one that waits for others" {
	CONF_MORE="$(hello_image db 'delay=4000' 'boot-timeout = 2m
	idle = 2s
	unused-after = 0s
	min-up = 0s'
	hello_image app "")" write_conf
	write_zone 'db A 10.77.0.31' '_jitsu.db TXT "image=db"' 'app A 10.77.0.32' \
	    '_jitsu.app TXT "image=app" "needs=db" "hold=300ms"'
	start_jitsud
	ask +short app.example.test A
	says app "booting: it waits for db.example.test to be ready, which it needs, woken by a \
query of 10.77.0.1 $T ago"
	reason app needs '.what == "db.example.test (after ready; is booting)"'
	wait_for 30 says db "booting: its VM runs, and is probed \(tcp:80\), woken since .* $T ago"
	wait_for 60 is_state app.example.test awake
	says db "awake, woken since app.example.test needs it $T ago; it does not sleep, since \
app.example.test needs it, and is awake"
	reason db needed '.what == "app.example.test"'
	[ "$(jitsu --json show db.example.test | jq -r .woken_by)" = "needed by app.example.test" ]
	# Its deadline comes, and it is in use.
	wait_for 30 reason db used '.age_s < 30'
}

@test "a unit that waits for a slot has its place; one that failed, its back-off" {
	CONF_MORE="limits { boots = 1 }
	$(hello_image slow 'delay=600000' 'boot-timeout = 10m
	hold = 100ms')
	$(hello_image bad '' 'args = { "-no-such-option" }
	backoff-min = 30m
	backoff-max = 30m')" write_conf
	write_zone 'u1 A 10.77.0.21' '_jitsu.u1 TXT "image=slow"' \
	    'u2 A 10.77.0.22' '_jitsu.u2 TXT "image=slow"' \
	    'u3 A 10.77.0.23' '_jitsu.u3 TXT "image=slow"' \
	    'bad A 10.77.0.24' '_jitsu.bad TXT "image=bad"'
	start_jitsud
	ask bad.example.test A | grep -q SERVFAIL
	wait_for 30 is_state bad.example.test failed
	says bad "failed: .*no-such-option.*; a query may boot it again in (29m|30m).*"
	reason bad failed '.left_s > 1700'
	for unit in u1 u2 u3; do ask +short $unit.example.test A; done
	says u3 "booting: it waits for a slot, number 2 \(boots\), of 2, woken by .* $T ago"
	reason u1 boot '.what == "its VM runs, and is probed"'
	reason u3 boots '.what == "waits for a slot, number 2 (boots)"'
	[ "$(jitsu --json why u2.example.test | jq .queue_position)" -eq 1 ]
	[ "$(jitsu --json why u2.example.test | jq -r .waits_for)" = boots ]
	jitsu sleep u2.example.test
	says u3 "booting: it waits for a slot, number 1 \(boots\), of 1, .*"
}

@test "the queue takes turns between clients, and a full one takes from who has most" {
	local i
	CONF_MORE="limits { boots = 1 queue = 8 }
	$(hello_image slow 'delay=600000' 'boot-timeout = 10m
	hold = 100ms')" write_conf
	write_zone "$(more_units 12 slow)"
	start_jitsud
	for i in 1 2 3 4 5 6 7 8; do ask +short "u$i.example.test" A; done
	says u8 "booting: it waits for a slot, number 7 \(boots\), of 7, .*"
	# Another client, who wants one: one of each is before it, and one boots.
	in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=15 +short u9.example.test A
	says u9 "booting: it waits for a slot, number 2 \(boots\), of 8, .*"
	says u8 "booting: it waits for a slot, number 8 \(boots\), of 8, .*"
	# Full: the first client's next is refused, the other's takes the place of its last.
	ask u10.example.test A | grep -q "status: SERVFAIL"
	in_ns dig @127.0.0.1 -p 5300 +tries=1 +time=15 +short u11.example.test A
	says u11 "booting: it waits for a slot, number 4 \(boots\), of 8, .*"
	says u8 "dormant for $T \(limit reached\)"
	jitsu show u8.example.test | grep -q "too many wakes are waiting (limits: queue)"
	# Who gives up moves the others up.
	for i in 2 3 4 5; do jitsu sleep "u$i.example.test"; done
	says u9 "booting: it waits for a slot, number 1 \(boots\), of 4, .*"
}

@test "forty units asked at once boot in turn, all of them" {
	local i
	CONF_MORE="limits { boots = 2 }" write_conf
	write_zone "$(more_units 40)"
	start_jitsud
	seq 40 | in_ns xargs -P 40 -I{} dig @10.77.0.1 -p 5300 +tries=1 +time=30 +short \
	    u{}.example.test A >"$DIR/answers" || {
		cat "$DIR/answers"
		jitsu --json status | jq .counters
		jitsu list
		false
	}
	for ((i = 1; i <= 40; i++)); do wait_for 120 is_state "u$i.example.test" awake; done
	[ "$(sort -u "$DIR/answers" | wc -l)" -eq 40 ]
	[ "$(jitsu --json status | jq .counters.failures)" -eq 0 ]
}
