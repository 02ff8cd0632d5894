#!/usr/bin/env bats
# The Xen driver on a real Xen: run by scripts/xen-rig, in a dom0 that is thrown away.

load dom0

setup_file() { setup_dom0; }
teardown_file() { tail -80 "$DIR/log" >/work/out/jitsud.log; }
teardown() {
	[ "${BATS_TEST_COMPLETED:-}" = 1 ] || { xl list; leftovers; tail -12 "$DIR/log"; }
}

@test "dig wakes a PV guest, the answer comes when it answers, curl works at once; sleep leaves nothing" {
	run ask +short linux.example.test
	[ "$output" = 10.77.0.10 ]
	run curl -s -m 3 http://10.77.0.10/
	[ "$output" = "hello from linux.example.test" ]
	is_state linux awake
	jitsu show linux.example.test | grep -q 'image .*xen'
	jitsu console linux.example.test | grep -q 'linux.example.test is up'
	jitsu sleep linux.example.test
	is_state linux dormant
	nothing_left
}

@test "a foreign domain is there from now on" {
	foreign_guest
	foreign_lives
}

@test "readiness by a XenStore key; shutdown by asking the guest" {
	run ask +short key.example.test
	[ "$output" = 10.77.0.11 ]
	[ "$(xenstore-read "/local/domain/$(domid_of key)/data/ready")" = 1 ]
	jitsu sleep key.example.test
	is_state key dormant
	! grep 'key.example.test.*destroyed instead' "$DIR/log"
	nothing_left
}

@test "an xl.cfg file says how, the image's own keys override it" {
	run ask +short file.example.test
	[ "$output" = 10.77.0.14 ]
	run curl -s -m 3 http://10.77.0.14/
	[ "$output" = "hello from file.example.test" ]
	jitsu show file.example.test | grep -q 'memory .*96 MiB'
	jitsu sleep file.example.test
	nothing_left
}

@test "sleep=freeze pauses the domain, a wake unpauses it" {
	local id
	ask +short frozen.example.test
	id=$(domid_of frozen)
	jitsu sleep frozen.example.test
	is_state frozen frozen
	xl list "$id" | tail -1 | grep -q -- '--p---'
	run ask +short frozen.example.test
	[ "$output" = 10.77.0.12 ]
	[ "$(domid_of frozen)" = "$id" ]
	curl -s -m 3 http://10.77.0.12/ | grep -q frozen
}

@test "adoption: after SIGKILL the next jitsud goes on with the same domain, frozen or awake" {
	local id before
	ask +short linux.example.test
	id=$(domid_of linux)
	before=$(domid_of frozen)
	jitsu sleep frozen.example.test
	kill_jitsud
	start_jitsud
	is_state linux awake
	is_state frozen frozen
	[ "$(domid_of linux)" = "$id" ]
	[ "$(domid_of frozen)" = "$before" ]
	[ "$(domain_count)" -eq 2 ]
	ask +short frozen.example.test | grep -q 10.77.0.12
}

@test "a domain that somebody else destroys is noticed, and boots again when it is asked for" {
	xl destroy "$(domid_of linux)"
	wait_for 20 is_state linux dormant
	jitsu show linux.example.test | grep -q 'destroyed by somebody else'
	jitsu sleep frozen.example.test
	xl destroy "$(domid_of frozen)"
	wait_for 10 is_state frozen dormant
	wait_for 10 nothing_left
}

@test "a guest that ends by itself is noticed and cleaned up" {
	ask +short ends.example.test
	wait_for 20 is_state ends dormant
	jitsu show ends.example.test | grep -q 'the guest shut down'
	wait_for 10 nothing_left
}

# refused NAME TEXT: SERVFAIL with an extended error, the reason in show, and nothing left.
refused() {
	ask +ednsopt "$1.example.test" >/tmp/answer 2>&1 || ask "$1.example.test" >/tmp/answer
	grep -q SERVFAIL /tmp/answer
	grep -q 'EDE' /tmp/answer
	jitsu show "$1.example.test" >/tmp/shown
	grep -q -- "$2" /tmp/shown || { cat /tmp/shown; return 1; }
	nothing_left
}

@test "a kernel that is none: SERVFAIL with EDE, libxl's words in show, nothing left" { refused nokernel 'libxl_dom.c'; }
@test "too little memory: SERVFAIL with EDE, the figures in show, nothing left" { refused large 'not enough memory'; }
@test "a hotplug script that fails: SERVFAIL with EDE, its name in show, nothing left" { refused noscript '/bin/false'; }

@test "a bad xl file is refused with its line when the configuration is checked" {
	cp "$DIR/linux.xl" "$DIR/linux.xl.good"
	echo 'memory = many' >>"$DIR/linux.xl"
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	mv "$DIR/linux.xl.good" "$DIR/linux.xl"
	[ "$status" -eq 1 ]
	[[ $output == *"linux.xl:9"* ]]
}

@test "a bridge that is gone: the wake fails and says so, nothing left" {
	ip link set jitsu0 down
	ip link set jitsu0 name elsewhere
	run jitsu wake linux.example.test
	ip link set elsewhere name jitsu0
	ip link set jitsu0 up
	[ "$status" -eq 1 ]
	[[ $output == *jitsu0* ]]
	nothing_left
}

@test "without /dev/xen the driver says so and the daemon serves all the same" {
	sed 's#/tmp/jitsu/run#/tmp/jitsu2/run#; s#/tmp/jitsu/state#/tmp/jitsu2/state#; s/5300/5301/' "$DIR/jitsu.conf" >"$DIR/other.conf"
	mkdir -p /tmp/jitsu2/run /tmp/jitsu2/state
	unshare -m sh -c "mount -t tmpfs none /dev/xen && exec $BUILD/jitsud -f -c $DIR/other.conf" >/tmp/jitsu2/log 2>&1 3>&- &
	wait_for 20 "$BUILD/jitsu" -s /tmp/jitsu2/run/control status
	run "$BUILD/jitsu" -s /tmp/jitsu2/run/control wake linux.example.test
	kill %1 || kill $!
	[ "$status" -eq 1 ]
	[[ $output == *privcmd* ]]
}

awake_now() { jitsu --json list | jq '[.[] | select(.state == "awake")] | length'; }
marks() { find "$DIR/run/xen" -type f | wc -l; }

@test "four wakes at once: all creates begin before the first ends, warm queries are answered meanwhile" {
	local n most=0 i start=$EPOCHREALTIME together
	for n in q1 q2 q3 q4; do ask +short $n.example.test >/dev/null & done
	for ((i = 0; i < 100 && most < 4; i++)); do
		n=$(marks)
		[ "$n" -le $most ] || most=$n
	done
	[ "$(awake_now)" -eq 0 ]
	[ $most -eq 4 ]
	ask +short +time=1 ns.example.test | grep -q 10.77.0.1
	wait $(jobs -p | tail -4)
	together=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
	[ "$(awake_now)" -eq 4 ]
	for n in q1 q2 q3 q4; do jitsu sleep $n.example.test; done
	start=$EPOCHREALTIME
	for n in q1 q2 q3 q4; do ask +short $n.example.test >/dev/null; done
	echo "# four at once $together s, in turn $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }') s" >&3
	for n in q1 q2 q3 q4; do jitsu sleep $n.example.test; done
	nothing_left
}

# What an earlier test that failed has left awake.
all_asleep() {
	local n
	for n in $(jitsu --json list | jq -r '.[] | select(.state == "awake") | .name'); do jitsu sleep "$n"; done
}

@test "20 wakes and stops leave nothing" {
	local i
	all_asleep
	for ((i = 0; i < 20; i++)); do
		jitsu wake q1.example.test >/dev/null
		jitsu sleep q1.example.test >/dev/null
	done
	jitsu --json list | jq -e '.[] | select(.name == "q1.example.test") | .boots >= 20'
	nothing_left
}

# Every domain of ours belongs to a unit that is awake, and each such unit has one.
all_managed() {
	local all
	wait_for 30 settled
	all=$(domains)
	[ "$(echo -n "$all" | grep -c .)" -eq "$(awake_now)" ] && [ -z "$(sed 's/-.*//' <<<"$all" | sort | uniq -d)" ]
}
settled() { [ "$(jitsu --json list | jq '[.[] | select(.state == "booting" or .state == "stopping")] | length')" -eq 0 ]; }

@test "SIGKILL at 20 moments of wakes and stops: none lost, none twice, none unmanaged" {
	local i
	all_asleep
	for ((i = 0; i < 20; i++)); do
		if is_state q2 awake; then jitsu sleep q2.example.test >/dev/null 2>&1 & else jitsu wake q2.example.test >/dev/null 2>&1 & fi
		sleep "$(awk -v i=$i 'BEGIN { print (i * 7 % 20) * 0.08 }')"
		kill_jitsud
		wait %% 2>/dev/null || true
		start_jitsud
		all_managed || { echo "moment $i"; return 1; }
	done
	jitsu sleep q2.example.test || true
	wait_for 20 nothing_left
}

@test "the foreign domain was never touched" {
	foreign_lives
	xl destroy foreign
	wait_for 10 nothing_left
}
