#!/usr/bin/env bats
# hold: queries that wait for their unit, what they get when the boot fails or a limit forbids it,
# and which ones wait at all.

load lib/jitsu
load lib/shared
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

boots_of() { jitsu --json list | jq -r ".[] | select(.name == \"$1\") | .boots"; }
error_of() { jitsu --json show "$1" | jq -r .last_error; }

# ms COMMAND...: runs it with its output in $output, and sets $took.
ms() {
	local begin=${EPOCHREALTIME/./}
	run "$@"
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

@test "every retransmission, with a new id and port, is answered exactly once" {
	CONF_MORE=$(hello_image slow "delay=700") write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=10s"'
	start_jitsud
	raw <<-'EOF2'
	from dnsraw import *
	servers = ["10.77.0.1", "fd77::1", "127.0.0.1"]
	socks = [udp(servers[i % 3]) for i in range(30)]
	begin = now()
	for i, s in enumerate(socks):
	    s.send(query("slow.example.test", qid=1000 + i))
	socks[0].send(query("slow.example.test", qid=2000))     # one port, two ids
	socks[1].send(query("slow.example.test", qid=1001))     # the same query once more
	first, got = None, {}
	# All, and then none for a while.
	while now() - begin < 30:
	    ready = select.select(socks, [], [], 0.3)[0]
	    if not ready and sum(map(len, got.values())) >= 32:
	        break
	    for s in ready:
	        first = first or now()
	        m = s.recv(4096)
	        expect("rcode", rcode(m), NOERROR)
	        expect("address", m[-11 - 4:-11], bytes([10, 77, 0, 30]))
	        got.setdefault(s, []).append(qid(m))
	expect("none before it is ready", first - begin > 0.5, True)
	expect("two on the first", sorted(got[socks[0]]), [1000, 2000])
	expect("two on the second", got[socks[1]], [1001, 1001])
	for i, s in enumerate(socks[2:], 2):
	    expect("socket %d" % i, got.get(s), [1000 + i])
	EOF2
	[ "$(boots_of slow.example.test)" -eq 1 ]
}

# bats test_tags=kvm
@test "a failed boot: SERVFAIL, in back-off at once; an operator's wake does not wait for it" {
	cp "$DIR/hello.elf" "$DIR/other.elf"
	CONF_MORE=$(KERNEL=other.elf hello_image bad "" 'backoff-min = "1m"') write_conf
	write_zone 'bad 17 A 10.77.0.30' '_jitsu.bad TXT "image=bad" "hold=10s"'
	start_jitsud
	rm "$DIR/other.elf"
	run ask bad.example.test A
	[[ "$output" == *"status: SERVFAIL"* &&
	    "$output" == *"EDE: 0 (Other): (the service failed to start)"* ]]
	# What the reason is stays inside.
	[[ "$output" != *other.elf* ]]
	is_state bad.example.test failed
	[[ "$(error_of bad.example.test)" == *"$DIR/other.elf does not exist"* ]]
	[ "$(jitsu --json show bad.example.test | jq .backoff_s)" -gt 30 ]
	ms ask bad.example.test A
	[[ "$output" == *"status: SERVFAIL"* &&
	    "$output" == *"EDE: "*"(the service failed to start"* ]]
	[ "$took" -lt $((9000 * SLOW)) ]   # far less than its hold
	# Other types and names wake nothing, and are answered at once.
	run ask bad.example.test AAAA
	[[ "$output" == *"status: NOERROR"* ]]
	run jitsu wake bad.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"other.elf does not exist"* ]]
	is_state bad.example.test failed
	# Whoever reloads wants to see whether the next boot works.
	jitsu reload
	is_state bad.example.test dormant
	run ask bad.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]
	cp "$DIR/hello.elf" "$DIR/other.elf"
	run jitsu wake bad.example.test
	[ "$status" -eq 0 ]
	is_state bad.example.test awake
	[ "$(jitsu --json show bad.example.test | jq .failures)" -eq 0 ]
	run ask bad.example.test A
	[[ "$output" =~ \
	    bad.example.test.[[:space:]]+17[[:space:]]+IN[[:space:]]+A[[:space:]]+10.77.0.30 ]]
	[[ "$output" != *EDE* ]]
}

# bats test_tags=kvm
@test "a back-off outlives a crash of jitsud, not a restart" {
	cp "$DIR/hello.elf" "$DIR/other.elf"
	CONF_MORE=$(KERNEL=other.elf hello_image bad "" 'backoff-min = "1h"
	backoff-max = "1h"') write_conf
	write_zone 'bad A 10.77.0.30' '_jitsu.bad TXT "image=bad" "hold=30s"'
	start_jitsud
	rm "$DIR/other.elf"
	run ask bad.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]
	is_state bad.example.test failed
	cp "$DIR/hello.elf" "$DIR/other.elf"
	# A boot that ends jitsud is not to be begun anew by each start.
	stop_jitsud KILL
	start_jitsud
	is_state bad.example.test failed
	[ "$(jitsu --json show bad.example.test | jq .backoff_s)" -gt 1800 ]
	run ask bad.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]
	stop_jitsud
	start_jitsud
	is_state bad.example.test dormant
	# What happened is known all the same.
	[[ "$(error_of bad.example.test)" == *"other.elf does not exist"* ]]
	[ "$(ask +short bad.example.test A)" = 10.77.0.30 ]
	is_state bad.example.test awake
	[ "$(jitsu --json show bad.example.test | jq .failures)" -eq 0 ]
}

# bats test_tags=kvm
@test "back-off doubles, and its end lets a query boot again" {
	CONF_MORE=$(hello_image bad "" 'backoff-min = "200ms"
	backoff-max = "400ms"
	args = { "-no-such-option" }') write_conf
	write_zone 'bad A 10.77.0.30' '_jitsu.bad TXT "image=bad" "hold=10s"'
	start_jitsud
	for round in 1 2 3; do
		run ask bad.example.test A
		[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 0 "* ]]
		[[ "$(error_of bad.example.test)" == *no-such-option* ]]
		[ "$(jitsu --json show bad.example.test | jq .failures)" -eq $round ]
		wait_for 30 is_state bad.example.test dormant
	done
	[ "$(qemu_count)" -eq 0 ]
}

@test "a port that never opens: the address at hold, then failed" {
	CONF_MORE=$(hello_image never "delay=600000" 'boot-timeout = "5s"
	backoff-min = "1m"') write_conf
	write_zone 'never A 10.77.0.30' '_jitsu.never TXT "image=never" "hold=400ms"' \
	    'patient A 10.77.0.31' \
	    '_jitsu.patient TXT "image=never" "hold=20s"'
	start_jitsud
	ask patient.example.test A >"$DIR/patient" &
	patient=$!
	ms ask +short never.example.test A
	[ "$output" = 10.77.0.30 ]
	[ "$took" -ge 400 ]
	[ "$took" -lt 4500 ]
	wait $patient
	grep -q "EDE: 0 (Other): (the service failed to start)" "$DIR/patient"
	wait_for 30 is_state never.example.test failed
	[[ "$(error_of never.example.test)" == *"not ready in time"* ]]
	[ "$(qemu_count)" -eq 0 ]
}

# How many queries were held since the start.
held() { jitsu --json status | jq .counters.held; }
dns_process() { pgrep -P "$JITSUD" -f '^jitsud: dns'; }

# Whether a query was held is counted, so that no time needs to be measured.
@test "hold counts from the first query of a wake, for all workers and for a new process" {
	local old
	WORKERS=3 CONF_MORE=$(hello_image slow "delay=600000" 'boot-timeout = "10m"') write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=1s"' 'to CNAME slow' \
	    'slow HTTPS 1 . alpn=h2'
	start_jitsud
	ms ask +short slow.example.test A
	[ "$output" = 10.77.0.30 ]
	[ "$took" -ge 1000 ]
	[ "$(held)" -eq 1 ]
	raw <<-'EOF2'
	from dnsraw import *
	socks = [udp(("10.77.0.1", "fd77::1", "127.0.0.1")[i % 3]) for i in range(30)]
	for i, s in enumerate(socks):
	    s.send(query(("slow", "to")[i % 2] + ".example.test", (A, HTTPS)[i // 2 % 2], qid=i))
	for i, s in enumerate(socks):
	    s.settimeout(30)
	    m = s.recv(4096)
	    expect("at once", (qid(m), rcode(m), counts(m)[1]), (i, NOERROR, 1 + i % 2))
	with tcp() as s:
	    s.sendall(b"".join(framed(query("slow.example.test", qid=i)) for i in range(20)))
	    for i in range(20):
	        m = tcp_recv(s)
	        expect("in order", (qid(m), rcode(m), counts(m)[1]), (i, NOERROR, 1))
	EOF2
	[ "$(held)" -eq 1 ]
	old=$(dns_process)
	kill -KILL "$old"
	replaced() { [ -n "$(dns_process)" ] && [ "$(dns_process)" != "$old" ]; }
	wait_for 30 replaced
	wait_for 30 serves
	[ "$(ask +short slow.example.test A)" = 10.77.0.30 ]
	[ "$(held)" -eq 1 ]
	is_state slow.example.test booting
	# The next wake waits anew, whatever ended this one.
	jitsu sleep slow.example.test
	ms ask +short slow.example.test A
	[ "$took" -ge 1000 ]
	[ "$(held)" -eq 2 ]
}

@test "a wake that fails after its deadline: SERVFAIL from then on, and the next one waits anew" {
	CONF_MORE=$(hello_image never "delay=600000" 'boot-timeout = "2s"
	backoff-min = "1s"
	backoff-max = "1s"') write_conf
	write_zone 'never A 10.77.0.30' '_jitsu.never TXT "image=never" "hold=500ms"'
	start_jitsud
	for round in 1 2; do
		[ "$(ask +short never.example.test A)" = 10.77.0.30 ]
		[ "$(held)" -eq $round ]
		wait_for 30 has_failed $round
		wait_for 30 is_state never.example.test dormant
	done
}
# has_failed TIMES: from the log, since the state is another a second later.
has_failed() { [ "$(grep -c 'never.example.test: .* -> failed' "$DIR/log")" -eq "$1" ]; }

@test "held-per-unit: beyond the bound the oldest gets the address" {
	WORKERS=1 CONF_TOP='limits { held-per-unit = 5 }' \
	    CONF_MORE=$(hello_image slow "delay=5000") write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=30s"'
	start_jitsud
	raw <<-'EOF2'
	from dnsraw import *
	socks = [udp() for _ in range(8)]
	begin = now()
	for i, s in enumerate(socks):
	    s.send(query("slow.example.test", qid=i))
	early, late = [], []
	while len(early) + len(late) < 8 and now() - begin < 30:
	    for s in select.select(socks, [], [], 0.1)[0]:
	        m = s.recv(4096)
	        expect("an address", (rcode(m), counts(m)[1]), (NOERROR, 1))
	        (early if now() - begin < 4.5 else late).append(qid(m))
	expect("the oldest at once", sorted(early), [0, 1, 2])
	expect("the others when it is ready", sorted(late), [3, 4, 5, 6, 7])
	EOF2
}

@test "limits: vms and queue; a full queue is an answer" {
	CONF_TOP='limits { vms = 1 queue = 0 }' write_conf
	write_zone "$(more_units 2)"
	start_jitsud
	[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
	ms ask u2.example.test A
	over="the service is over its limits, try again later"
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 14 (Not Ready): ($over)"* ]]
	[ "$took" -lt 9000 ]   # far less than its hold
	[[ "$(error_of u2.example.test)" == *"limits: queue"* ]]
	is_state u2.example.test dormant
	run jitsu wake u2.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *limit* ]]
	jitsu sleep u1.example.test
	[ "$(ask +short u2.example.test A)" = 10.77.0.21 ]
}

@test "limits: boots; who waits in the queue is answered, who finds it full is refused" {
	CONF_TOP='limits { boots = 1 queue = 1 }' CONF_MORE=$(hello_image slow "delay=5000") \
	    write_conf
	write_zone 's1 A 10.77.0.31' '_jitsu.s1 TXT "image=slow" "hold=25s"' 's2 A 10.77.0.32' \
	    '_jitsu.s2 TXT "image=slow" "hold=25s"' \
	    's3 A 10.77.0.33' '_jitsu.s3 TXT "image=slow" "hold=25s"'
	start_jitsud
	ask +short +time=30 s1.example.test A >"$DIR/s1" &
	one=$!
	wait_for 30 is_state s1.example.test booting
	ask +short +time=30 s2.example.test A >"$DIR/s2" &
	two=$!
	wait_for 30 is_state s2.example.test booting
	run ask s3.example.test A
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 14 "* ]]
	wait $one $two
	[ "$(cat "$DIR/s1" "$DIR/s2")" = "$(printf '10.77.0.31\n10.77.0.32')" ]
}

@test "limits: wakes per minute of a unit and of all" {
	CONF_TOP='limits { wakes-per-minute = 2 wakes-per-minute-total = 3 }' write_conf
	write_zone "$(more_units 3)"
	start_jitsud
	for round in 1 2; do
		[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
		jitsu sleep u1.example.test
	done
	run ask u1.example.test A
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 14 "* ]]
	[[ "$(error_of u1.example.test)" == *wakes-per-minute* ]]
	[ "$(ask +short u2.example.test A)" = 10.77.0.21 ]
	run ask u3.example.test A
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 14 "* ]]
	# The operator is not counted.
	run jitsu wake u3.example.test
	[ "$status" -eq 0 ]
}

@test "limits: memory" {
	CONF_TOP='limits { memory = "40M" queue = 0 }' write_conf
	write_zone "$(more_units 3)"
	start_jitsud
	[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
	[ "$(ask +short u2.example.test A)" = 10.77.0.21 ]
	run ask u3.example.test A
	[[ "$output" == *"EDE: 14 "* ]]
	# A unit that is smaller fits.
	sed -i '/_jitsu.u3/s/$/ "memory=4M"/' "$DIR/example.zone"
	jitsu reload >/dev/null
	[ "$(ask +short u3.example.test A)" = 10.77.0.22 ]
}

@test "a CNAME of another zone wakes, and the answer is whole" {
	CONF_MORE='zone "other.test" { file = "other.zone" }' write_conf
	write_zone 'www2 CNAME alias'
	printf '%s\n' '$TTL 60' '@ SOA ns h 1 1h 15m 1w 30' '@ NS ns' 'ns A 192.0.2.1' \
	    'x CNAME www2.example.test.' >"$DIR/other.zone"
	start_jitsud
	run ask +short x.other.test A
	[ "$output" = \
	    "$(printf 'www2.example.test.\nalias.example.test.\nwww.example.test.\n10.77.0.10')" ]
	is_state www.example.test awake
	jitsu sleep www.example.test
	# Asked for the alias itself, or for what the unit lacks, nothing wakes.
	ask x.other.test CNAME >/dev/null
	ask x.other.test AAAA >/dev/null
	is_state www.example.test dormant
}

@test "units with IPv6 alone and with both; HTTPS and SVCB wake; TTLs are the zone's" {
	CONF_MORE="$(hello_image six "" |
	    sed 's/cmdline.*/cmdline = "name={name} ip={address6}\/{prefixlen6} gw={gateway6}"/')
	$(hello_image both "ip={address6}/{prefixlen6} gw={gateway6}")" write_conf
	write_zone 'six 5 AAAA fd77::a:5' '_jitsu.six TXT "image=six" "hold=10s"' \
	    'both 6 A 10.77.0.40' 'both 7 AAAA fd77::a:6' \
	    'both 8 HTTPS 1 . alpn=h2' '_jitsu.both TXT "image=both" "hold=10s"' \
	    'www SVCB 1 ns port=80'
	start_jitsud
	ms ask six.example.test A
	[[ "$output" == *"status: NOERROR"* && "$output" == *"ANSWER: 0, AUTHORITY: 1"* &&
	    "$output" == *" aa "* ]]
	is_state six.example.test dormant
	run ask six.example.test AAAA
	[[ "$output" =~ \
	    six.example.test.[[:space:]]+5[[:space:]]+IN[[:space:]]+AAAA[[:space:]]+fd77::a:5 ]]
	is_state six.example.test awake
	in_ns curl -s -g --max-time 30 'http://[fd77::a:5]/' | grep -q six.example.test
	# HTTPS and SVCB without a record of theirs: nothing to wait for.
	ask six.example.test HTTPS >/dev/null
	ask www.example.test HTTPS >/dev/null
	is_state www.example.test dormant
	run ask both.example.test TYPE65
	[[ "$output" =~ both.example.test.[[:space:]]+8[[:space:]]+IN[[:space:]]+(HTTPS|TYPE65) ]]
	is_state both.example.test awake
	jitsu sleep both.example.test
	run ask both.example.test AAAA
	[[ "$output" =~ both.example.test.[[:space:]]+7[[:space:]] ]]
	in_ns curl -s --max-time 30 http://10.77.0.40/ | grep -q both.example.test
	in_ns curl -s -g --max-time 30 'http://[fd77::a:6]/' | grep -q both.example.test
	run ask www.example.test TYPE64
	[[ "$output" == *"ANSWER: 1"* ]]
	is_state www.example.test awake
}

@test "answer=now and hold=0s: the address at once, and the boot goes on" {
	write_zone 'now A 10.77.0.30' '_jitsu.now TXT "image=hello" "answer=now"' \
	    'zero A 10.77.0.31' '_jitsu.zero TXT "image=hello" "hold=0s"'
	start_jitsud
	[ "$(ask +short now.example.test A)" = 10.77.0.30 ]
	[ "$(ask +short zero.example.test A)" = 10.77.0.31 ]
	wait_for 30 is_state now.example.test awake
	wait_for 30 is_state zero.example.test awake
}

@test "a unit leaves the configuration while its query waits: the answer is of the zone as it is" {
	CONF_MORE=$(hello_image slow "delay=20000") write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=30s"' \
	    'gone A 10.77.0.31' '_jitsu.gone TXT "image=slow" "hold=30s"'
	start_jitsud
	ask +time=60 +short slow.example.test A >"$DIR/slow" &
	one=$!
	ask +time=60 gone.example.test A >"$DIR/gone" &
	two=$!
	wait_for 30 is_state slow.example.test booting
	wait_for 30 is_state gone.example.test booting
	SERIAL=2 write_zone 'slow A 192.0.2.99'
	ms jitsu reload
	[ "$status" -eq 0 ]
	wait $one $two
	[ "$(cat "$DIR/slow")" = 192.0.2.99 ]
	grep -q "status: NXDOMAIN" "$DIR/gone"
	none() { [ "$(qemu_count)" -eq 0 ]; }
	wait_for 30 none
}

@test "clients that leave while they wait do no harm" {
	CONF_MORE=$(hello_image slow "delay=800") write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=10s"'
	start_jitsud
	raw <<-'EOF2'
	from dnsraw import *
	for i in range(20):
	    with tcp() as s:
	        s.sendall(framed(query("slow.example.test", qid=i)))
	    with udp() as s:
	        s.send(query("slow.example.test", qid=i))
	s = tcp()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	s.sendall(framed(query("slow.example.test")))
	s.close()
	m = ask(query("slow.example.test", qid=77))
	expect("the one that stays", (qid(m), rcode(m), counts(m)[1]), (77, NOERROR, 1))
	EOF2
	[ "$(jitsu --json status | jq '[.children[].restarts] | add')" -eq 0 ]
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
}

@test "a wake that waits for a slot is told its place, or refused when no limit lets it boot" {
	CONF_MORE=$'limits { vms = 1\n queue-timeout = 6s }' write_conf
	write_zone 'two A 10.77.0.30' '_jitsu.two TXT "image=hello"' 'three A 10.77.0.31' \
	    '_jitsu.three TXT "image=hello"'
	start_jitsud
	jitsu wake www.example.test
	ask two.example.test A >"$DIR/two" 3>&- 4>&- &
	placed() {
		jitsu --json list |
		    jq -e ".[] | select(.name == \"$1\") | .queue_position == $2" >/dev/null
	}
	wait_for 30 placed two.example.test 1
	jitsu list | grep -q 'two.example.test .*booting (waits for vms, number 1)'
	jitsu --json show two.example.test |
	    jq -e '.state == "booting" and .waits_for == "vms"' >/dev/null
	wait $!
	grep -q 'status: SERVFAIL' "$DIR/two"
	wait_for 30 is_state two.example.test dormant
	[[ "$(error_of two.example.test)" == *"queue-timeout"* ]]
	jitsu events two.example.test | grep -q 'queued .*waits for a slot, number 1 (vms)'
	jitsu --json status | jq -e '.counters | .queued == 1 and .refused == 1' >/dev/null
	# A unit that gets its slot in time boots.
	jitsu wake three.example.test >"$DIR/three" 2>&1 3>&- 4>&- &
	wait_for 30 placed three.example.test 1
	wait_for 30 grep -q 'jitsu: three.example.test waits for a slot, number 1 (vms)' \
	    "$DIR/three"
	jitsu sleep www.example.test
	wait $!
	grep -q 'three.example.test is awake' "$DIR/three"
	is_state three.example.test awake
}

@test "a query that is asked for again as its wake is refused begins no second wake" {
	local i zone=() asks=()
	# As often as a held query is asked for again.
	CONF_MORE=$'limits { vms = 1\n queue-timeout = 1s }' write_conf
	for i in $(seq 30 49); do
		zone+=("n$i A 10.77.0.$i" "_jitsu.n$i TXT \"image=hello\"")
	done
	write_zone "${zone[@]}"
	start_jitsud
	jitsu wake www.example.test
	for i in $(seq 30 49); do
		ask "n$i.example.test" A >"$DIR/n$i" 3>&- 4>&- &
		asks+=($!)
	done
	wait "${asks[@]}"
	[ "$(cat "$DIR"/n[34]? | grep -c 'status: SERVFAIL')" -eq 20 ]
	jitsu --json status | jq -e '.counters | .queued == 20 and .refused == 20' >/dev/null
}

@test "a VM that may never boot has no address when hold runs out, one whose turn is to come has" {
	local i zone=() asks=()
	CONF_MORE=$'limits { boots = 1\n vms = 2\n queue-timeout = 5m }\n'$(
	    hello_image slow "delay=3000") write_conf
	for i in 30 31 32 33 34 35; do
		zone+=("n$i A 10.77.0.$i" "_jitsu.n$i TXT \"image=slow\" \"hold=1s\"")
	done
	zone+=('now A 10.77.0.36' '_jitsu.now TXT "image=slow" "answer=now"')
	write_zone "${zone[@]}"
	start_jitsud
	for i in 30 31 32 33 34 35; do
		ask "n$i.example.test" A >"$DIR/n$i" 3>&- 4>&- &
		asks+=($!)
		wait_for 30 is_state "n$i.example.test" booting
	done
	waits() {
		[ "$(jitsu --json list |
		    jq -r '[.[] | select(.waits_for != null) | .waits_for] | join(" ")')" = "$1" ]
	}
	# The first boots, the second has its VM for sure; for the others there is none.
	waits "boots vms vms vms vms" || wait_for 30 waits "vms vms vms vms"
	wait "${asks[@]}"
	for i in 30 31; do grep -q 'status: NOERROR' "$DIR/n$i"; done
	for i in 32 33 34 35; do
		grep -q 'status: SERVFAIL' "$DIR/n$i"
		grep -q 'EDE: 14 (Not Ready)' "$DIR/n$i"
	done
	jitsu events n32.example.test |
	    grep '1 held query answered with SERVFAIL, since the unit waits for a slot,' |
	    grep -q 'number [12] (vms)'
	# Who asks later has no address either, nor where `answer` says at once.
	ask n35.example.test A | grep -q 'EDE: 14 (Not Ready)'
	ask now.example.test A >/dev/null
	wait_for 30 is_state now.example.test booting
	ask now.example.test A | grep -q 'EDE: 14 (Not Ready)'
	jitsu --json status | jq -e \
	    '.counters | .not_ready == 6 and .queued >= 4 and .refused == 0' >/dev/null
	for i in 30 31; do wait_for 30 is_state "n$i.example.test" awake; done
	# A slot that comes free makes the next one sure of its boot.
	jitsu sleep n30.example.test
	[ "$(ask +short n32.example.test A)" = 10.77.0.32 ]
	wait_for 30 is_state n32.example.test awake
}

@test "a reload that makes a waiting unit smaller, or the limits larger, lets it boot" {
	sized() { # BIG, ALL
		CONF_MORE="limits { memory = $2 }"$'\n'$(hello_image big "" "hold = 30s" |
		    sed "s/memory = .*/memory = $1/") write_conf
	}
	waits() { jitsu --json show "$1" | jq -e '.waits_for == "memory"' >/dev/null; }
	sized 32M 40M
	write_zone 'one A 10.77.0.30' '_jitsu.one TXT "image=big"' 'two A 10.77.0.31' \
	    '_jitsu.two TXT "image=big"'
	start_jitsud
	jitsu wake www.example.test
	ask one.example.test A >"$DIR/one" 3>&- 4>&- &
	one=$!
	wait_for 30 waits one.example.test
	sized 16M 40M
	jitsu reload
	wait $one
	grep -q 'status: NOERROR' "$DIR/one"
	ask two.example.test A >"$DIR/two" 3>&- 4>&- &
	two=$!
	wait_for 30 waits two.example.test
	sized 16M 48M
	jitsu reload
	wait $two
	grep -q 'status: NOERROR' "$DIR/two"
	for i in www one two; do is_state "$i.example.test" awake; done
}

@test "whose needed unit has the last slot gets no address before there is one for itself" {
	CONF_MORE=$'limits { vms = 2 }' write_conf
	write_zone 'db A 10.77.0.30' '_jitsu.db TXT "image=hello"' 'app A 10.77.0.31' \
	    '_jitsu.app TXT "image=hello" "needs=db" "hold=1s"'
	start_jitsud
	jitsu wake www.example.test
	ask app.example.test A | grep -q 'EDE: 14 (Not Ready)'
	wait_for 30 is_state db.example.test awake
	is_state app.example.test booting
	jitsu sleep www.example.test
	wait_for 30 is_state app.example.test awake
	[ "$(ask +short app.example.test A)" = 10.77.0.31 ]
}
