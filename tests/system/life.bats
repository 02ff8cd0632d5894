#!/usr/bin/env bats
# life: the main job and the life of a unit, with a real QEMU.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

page() { in_ns curl -s -S --max-time 30 "http://${1:-10.77.0.10}/"; }
# For how many seconds the guest has been up, by its own clock.
booted() { page | sed -n 's/.*Booted \([0-9]*\).*/\1/p'; }

# bats test_tags=kvm,quick
@test "dig wakes the unit, and curl works at its first connection" {
	start_jitsud
	is_state www.example.test dormant
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	run page
	[[ "$output" == *www.example.test* ]]
	is_state www.example.test awake
	[ "$(qemu_count)" -eq 1 ]
}

@test "only A and AAAA questions that end at the owner wake it; others are answered at once" {
	start_jitsud
	for q in "www.example.test TXT" "www.example.test MX" "www.example.test ANY" \
	    "plain.example.test A" "nothing.example.test A" \
	    "example.test SOA" "_jitsu.www.example.test TXT"; do
		ask $q >/dev/null
	done
	run ask www.example.test AAAA
	[[ "$output" == *"status: NOERROR"* ]]
	[[ "$output" == *" aa "* ]]
	[[ "$output" == *"ANSWER: 0"* ]]
	is_state www.example.test dormant
	[ "$(qemu_count)" -eq 0 ]
	run ask _jitsu.www.example.test TXT
	[[ "$output" == *NXDOMAIN* ]]
}

@test "a CNAME and an alias wake what they stand for" {
	start_jitsud
	run ask +short alias.example.test A
	[[ "$output" == *10.77.0.10* ]]
	is_state www.example.test awake
	jitsu sleep www.example.test
	is_state www.example.test dormant
	run ask +short blog.example.test A
	[ "$output" = 10.77.0.10 ]
	is_state www.example.test awake
	[ "$(qemu_count)" -eq 1 ]
}

@test "200 queries at once: one boot, 200 answers" {
	start_jitsud
	for i in $(seq 200); do echo "www.example.test A"; done >"$DIR/q"
	run in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=15 +short -f "$DIR/q"
	jitsu sleep www.example.test
	pids=()
	for i in $(seq 20); do
		in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=15 +short www.example.test A \
		    >"$DIR/a.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat "$DIR"/a.* | grep -c '^10.77.0.10$')" -eq 20 ]
	[ "$(jitsu --json list | jq -r '.[] | select(.name == "www.example.test") | .boots')" \
	    -eq 2 ]
}

@test "20 sleeping names at once: 20 boots, all answered" {
	write_zone "$(more_units 20)"
	start_jitsud
	pids=()
	for i in $(seq 20); do
		ask +short "u$i.example.test" A >"$DIR/a.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat "$DIR"/a.* | grep -c '^10.77.0.')" -eq 20 ]
	all_awake() {
		[ "$(jitsu --json list | jq '[.[] | select(.state == "awake")] | length')" -eq 20 ]
	}
	wait_for 30 all_awake
	[ "$(qemu_count)" -eq 20 ]
}

@test "warm names are answered while others boot" {
	write_zone "$(more_units 10)"
	start_jitsud
	for i in $(seq 10); do ask +short "u$i.example.test" A >/dev/null & done
	run ask +short plain.example.test A
	[ "$output" = 192.0.2.7 ]
	# shellcheck disable=SC2046 # one word per process
	wait $(jobs -p | grep -v "^$JITSUD$")
}

@test "an unused unit goes to sleep; payload without queries keeps it awake" {
	WWW_KEYS='"idle=5s" "min-up=0s"' write_zone
	start_jitsud
	ask +short www.example.test A
	local end=$((SECONDS + 8))
	while [ $SECONDS -lt $end ]; do
		page >/dev/null
		sleep 0.2
	done
	is_state www.example.test awake
	wait_for 30 is_state www.example.test dormant
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(taps)" ]
}

@test "min-up keeps it, unused-after ends what nobody contacted" {
	WWW_KEYS='"idle=1m" "unused-after=1s" "min-up=3s"' write_zone
	start_jitsud
	ask +short www.example.test A
	wait_for 30 is_state www.example.test dormant
	# As the daemon saw it.
	jitsu --json events www.example.test |
	    jq -e \
	    '[.[] | select(.kind == "awake" or .kind == "dormant") | .time] | .[-1] - .[-2] >= 2.9'
}

# bats test_tags=kvm
@test "sleep=freeze: a frozen VM keeps its process and wakes without a boot" {
	WWW_KEYS='"sleep=freeze" "idle=1s" "min-up=0s"' write_zone
	start_jitsud
	ask +short www.example.test A
	wait_for 30 is_state www.example.test frozen
	[ "$(qemu_count)" -eq 1 ]
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	page | grep -q www.example.test
	[ "$(jitsu --json list | jq -r '.[0].boots')" -eq 1 ]
}

# bats test_tags=kvm
@test "a VM that dies is noticed, logged with its console, counted, and boots again" {
	HELLO_ARGS='crash=1500' write_conf
	start_jitsud
	ask +short www.example.test A
	wait_for 30 is_state www.example.test dormant
	[ "$(qemu_count)" -eq 0 ]
	[ "$(jitsu --json show www.example.test | jq .crashes)" -eq 1 ]
	jitsu --json show www.example.test | jq -r .console | grep -qi crash
	grep -q "ended by itself" "$DIR/log"
	HELLO_ARGS='' write_conf
	jitsu reload
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	kill -9 "$(qemus)"
	wait_for 30 is_state www.example.test dormant
	[ "$(jitsu --json show www.example.test | jq .crashes)" -eq 2 ]
}

@test "a port that opens after hold: the address goes out, the boot goes on" {
	HELLO_ARGS='delay=6000' write_conf
	WWW_KEYS='"hold=300ms"' write_zone
	start_jitsud
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	is_state www.example.test booting
	wait_for 30 is_state www.example.test awake
	page | grep -q www
}

# bats test_tags=kvm
@test "wake and sleep by an operator; units that need others" {
	write_zone 'db A 10.77.0.11' '_jitsu.db TXT "image=hello"' 'app A 10.77.0.12' \
	    '_jitsu.app TXT "image=hello" "needs=db"'
	start_jitsud
	run jitsu wake app.example.test
	[ "$status" -eq 0 ]
	is_state app.example.test awake
	is_state db.example.test awake
	run jitsu sleep app.example.test
	[ "$status" -eq 0 ]
	is_state app.example.test dormant
	run jitsu wake no.example.test
	[ "$status" -eq 1 ]
}

@test "sleep=save writes the VM's state to a file; wakes go on from it, with another jitsud too" {
	HELLO_CONF='sleep = "save"' write_conf
	WWW_KEYS='"min-up=0s"' write_zone
	start_jitsud
	jitsu wake www.example.test
	sleep 2
	[ "$(booted)" -ge 2 ]
	jitsu sleep www.example.test
	is_state www.example.test saved
	[ "$(qemu_count)" -eq 0 ]
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	[ "$(booted)" -ge 2 ]
	jitsu sleep www.example.test
	stop_jitsud KILL
	start_jitsud
	is_state www.example.test saved
	jitsu wake www.example.test
	[ "$(booted)" -ge 2 ]
	[ "$(find "$DIR/state/saved" -type f | wc -l)" -eq 0 ]
	# A state that is not whole: a cold boot, and the log says why.
	jitsu sleep www.example.test
	truncate -s 1000 "$DIR"/state/saved/*.state
	local begin=$SECONDS
	jitsu wake www.example.test
	# Its clock began anew, and not before that.
	booted=$(booted)
	[ "$booted" -le $((SECONDS - begin)) ]
	grep -q 'www.example.test: its saved state is of no use, and it boots anew: ' "$DIR/log"
}

@test "a saved unit whose restore cannot be tried fails, says so, and goes on from it later" {
	HELLO_CONF='sleep = "save" backoff-min = "200ms"' write_conf
	WWW_KEYS='"min-up=0s"' write_zone
	start_jitsud
	jitsu wake www.example.test
	sleep 2
	jitsu sleep www.example.test
	mv "$DIR/hello.elf" "$DIR/elsewhere.elf"
	ask www.example.test A >"$DIR/answer"
	grep -q 'SERVFAIL' "$DIR/answer"
	grep -q 'EDE' "$DIR/answer"
	jitsu show www.example.test >"$DIR/shown"
	grep -q 'it stays saved: .*hello.elf' "$DIR/shown" || { cat "$DIR/shown"; false; }
	wait_for 30 is_state www.example.test saved
	[ "$(find "$DIR/state/saved" -name '*.state' | wc -l)" -eq 1 ]
	# The next jitsud knows it, too.
	jitsu wake www.example.test || true
	stop_jitsud KILL
	start_jitsud
	mv "$DIR/elsewhere.elf" "$DIR/hello.elf"
	jitsu wake www.example.test
	[ "$(booted)" -ge 2 ]
	[ "$(find "$DIR/state/saved" -type f | wc -l)" -eq 0 ]
	run jitsu show www.example.test
	[[ $output != *"it stays saved"* ]]
}
