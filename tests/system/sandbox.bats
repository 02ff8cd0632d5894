#!/usr/bin/env bats
# sandbox: system calls made from inside the confined processes, as whoever captured one would: it
# is killed, logged and replaced.

load lib/jitsu
load lib/shared

setup() {
	[ -x "$BUILD/tests/system/inject" ] || skip "needs $BUILD/tests/system/inject: make tests"
	[ "$(uname -m)" = x86_64 ] || skip "the injection knows x86-64 alone"
	setup_jitsu
}
teardown() { teardown_jitsu; }

child_pid() { jitsu --json status | jq -r ".children[] | select(.name == \"$1\") | .pid"; }
replaced() {
	local now
	now=$(child_pid "$1")
	[ -n "$now" ] && [ "$now" != "$2" ] && [ "$now" != null ]
}
serving() { [ "$(ask +short +time=2 plain.example.test A)" = 192.0.2.7 ]; }
san() { [[ "$BUILD" == */san ]]; }

confined() { grep -q '^Seccomp:.*2' "/proc/$1/status"; }

# dies NAME CALL [TID]: the process of that name makes the call, is killed for it, logged and
# replaced.
dies() {
	local old
	old=$(child_pid "$1")
	# A process that was just started is not confined yet.
	wait_for 30 confined "${3:-$old}"
	run "$BUILD/tests/system/inject" "${3:-$old}" "$2"
	echo "$1 $2: $output"
	[ "$status" -eq 0 ]
	[[ "$output" == *killed ]]
	wait_for 30 replaced "$1" "$old"
	grep -q "the $1 process (pid $old) ended: killed by its sandbox (SIGSYS)" "$DIR/log"
}

@test "a call that is allowed returns: the injection works" {
	start_jitsud
	for name in dns sentinel; do
		pid=$(child_pid $name)
		run "$BUILD/tests/system/inject" "$pid" getpid
		[ "$status" -eq 3 ]
		[ "$output" = "$pid returned $pid" ]
	done
	wait_for 30 serving
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	[ "$(jitsu --json status | jq '[.children[].restarts] | add')" -eq 0 ]
	# Unconfined, the same call works.
	sleep 30 3>&- 4>&- &
	run "$BUILD/tests/system/inject" $! openat
	kill $!
	[ "$status" -eq 3 ]
}

@test "open, exec, connect in DNS process and sentinel: killed, logged, replaced; VMs go on" {
	start_jitsud
	ask +short www.example.test A
	vm=$(qemus)
	for call in openat execve socket connect; do
		for name in dns sentinel; do
			dies $name $call
		done
		wait_for 30 serving
	done
	[ "$(qemus)" = "$vm" ]
	is_state www.example.test awake
	in_ns curl -s --max-time 30 http://10.77.0.10/ | grep -q www.example.test
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	# DNS process and sentinel are whole: a cold wake needs them.
	jitsu sleep www.example.test
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	is_state www.example.test awake
	[ "$(jitsu --json status | jq -c '[.children[].restarts]')" = "[4,4]" ]
	[ "$(jitsu --json events | jq '[.[] | select(.kind == "restart")] | length')" -eq 8 ]
}

@test "what else an attacker would want: files, sockets, processes, privileges, 32-bit calls" {
	start_jitsud
	n=0
	for call in $("$BUILD/tests/system/inject" list); do
		case $call in
		getpid | openat | execve | socket | connect) continue ;;
		# Sanitizers need some.
		open | clone | prctl) san && continue ;;
		esac
		for name in dns sentinel; do dies $name "$call"; done
		n=$((n + 1))
		# Replacements come ever later; a new daemon begins afresh.
		if [ $((n % 5)) -eq 0 ]; then
			stop_jitsud
			start_jitsud
		fi
	done
	[ $n -ge 10 ]
	wait_for 30 serving
}

@test "the filter holds in the worker threads" {
	start_jitsud
	for call in openat socket; do
		pid=$(child_pid dns)
		# Threads come with the run message.
		threads() { [ "$(ls /proc/$pid/task | wc -l)" -ge 2 ]; }
		wait_for 30 threads
		dies dns $call "$(ls /proc/$pid/task | grep -v "^$pid$" | head -1)"
	done
	wait_for 30 serving
}

@test "a held query's wake survives the death of either process" {
	CONF_MORE='image "slow" {
		kernel = "hello.elf" memory = "16M" network = "lan" ready = "tcp:80" accel = "tcg"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} delay=1500"
	}' write_conf
	write_zone 'slow A 10.77.0.30' '_jitsu.slow TXT "image=slow" "hold=20s"'
	start_jitsud
	ask +tries=15 +time=2 +short slow.example.test A >"$DIR/answer" &
	asker=$!
	wait_for 30 is_state slow.example.test booting
	dies sentinel openat
	dies dns openat
	wait $asker
	# Between lines of dig about its retries.
	grep -qx 10.77.0.30 "$DIR/answer"
	wait_for 30 is_state slow.example.test awake
	[ "$(jitsu --json list | jq '.[] | select(.name == "slow.example.test") | .boots')" -eq 1 ]
	[ "$(qemu_count)" -eq 1 ]
}

@test "the zones process: a load that it does not survive changes nothing, the next one works" {
	start_jitsud
	ask +short www.example.test A
	vm=$(qemus)
	for call in openat execve socket connect; do
		SERIAL=2 write_zone "$(seq 1 800000 | awk '{print "h" $1 " A 192.0.2." $1 % 256}')"
		"$BUILD/tests/system/inject" child "$JITSUD" jitsud-zones $call >"$DIR/injected" &
		injector=$!
		wait_for 30 grep -q waiting "$DIR/injected"
		run jitsu reload
		wait $injector
		grep -q killed "$DIR/injected"
		[ "$status" -eq 1 ]
		ended="the zones process ended before it had compiled the zones"
		[[ "$output" == *"$ended: killed by its sandbox"* ]]
		grep -q "the zones process (pid .*) ended: killed by its sandbox" "$DIR/log"
	done
	wait_for 30 serving
	[[ "$(ask h1.example.test A)" == *NXDOMAIN* ]]
	is_state www.example.test awake
	[ "$(qemus)" = "$vm" ]
	run jitsu reload
	[ "$status" -eq 0 ]
	[ "$(ask +short h1.example.test A)" = 192.0.2.1 ]
	[ "$(qemus)" = "$vm" ]
}
