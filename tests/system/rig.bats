#!/usr/bin/env bats
# rig: what scripts/rig.sh does with a machine that stands still.  A QEMU whose CPU was never
# started is such a machine.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	rig_name=rig-test rig_dir=$DIR/rig tmp=$DIR/run tries=0
	RIG_STALL=3 RIG_RUN=
	mkdir "$tmp"
	. scripts/rig.sh
}
teardown() {
	[ ! -s "$DIR/run/pid" ] || kill -KILL "$(cat "$DIR/run/pid")" 2>/dev/null || true
	[ "${BATS_TEST_COMPLETED:-}" = 1 ] || { cat "$DIR/result"; ls -R "$rig_dir"; }
	rm -rf "$DIR"
}

prepare() { files=("$@"); tries=$((tries + 1)); : >"$tmp/out.img"; }
# boot COMMANDLINE ARGUMENT...: stands still at a file that $stands has for this try.
boot() {
	local file
	# As QEMU does, it has the pipe open until it ends.
	for file in "${files[@]}"; do
		printf '# file %s\nok 1 of %s\n' "$file" "$file"
		[[ " $stands " != *" $tries:$file "* ]] || { stand_still "${@:2}"; return; }
		printf 'ok 2 of %s\n' "$file"
	done >"$tmp/said"
	brings_back 0
}
brings_back() {
	mkdir -p "$tmp/o" && echo "$1" >"$tmp/o/status" && tar -cf "$tmp/out.img" -C "$tmp/o" .
}
stand_still() {
	timeout 60 qemu-system-x86_64 -S -M q35 -accel tcg -nodefaults -no-user-config \
	    -display none "$@" \
	    3>&- 4>&-
}
results() { rig_whole "$DIR/result" | grep '^\(not \)\?ok'; }

@test "a machine that stands still is noticed, its state kept, its file run again, and it is said" {
	stands="1:b.bats"
	rig_tests prepare rig_run a.bats b.bats c.bats >"$DIR/result"
	[ "$tries" -eq 2 ]
	grep -q \
	    '^# stood still: b.bats: no output and no CPU time for 3 s; .*/stalled-1; once more' \
	    "$DIR/result"
	[ "$(results)" = \
	    "$(printf 'ok %s\n' {1,2}' of a.bats' {1,2}' of b.bats' {1,2}' of c.bats')" ]
	grep -q 'EIP=' "$rig_dir/stalled-1/monitor"
	grep -q 'VM status: paused' "$rig_dir/stalled-1/monitor"
	grep -q 'CPU' "$rig_dir/stalled-1/threads"
	grep -q 'interrupts through its console' "$rig_dir/stalled-1/why"
	[ -e "$rig_dir/stalled-1/console.log" ]
}

@test "the same file twice is a failure, and the files after it run" {
	local status=0
	stands="1:b.bats 2:b.bats"
	rig_tests prepare rig_run a.bats b.bats c.bats >"$DIR/result" || status=$?
	[ "$status" -eq 1 ]
	[ "$tries" -eq 3 ]
	results | grep -q '^not ok 1 b.bats: the machine stood still twice'
	results | grep -q '^ok 2 of c.bats'
}

@test "a machine that works without a word is left alone, until no line has come for too long" {
	local status=0
	# Its QEMU is this shell, which takes CPU time for thrice as long as one may stand.
	boot() {
		bash -c 'end=$((SECONDS + 10)); while [ $SECONDS -lt $end ]; do :; done' 3>&- 4>&- &
		echo $! >"$tmp/pid"
		wait $! || return
		brings_back 0
	}
	rig_run
	RIG_SILENCE=3
	rig_run || status=$?
	[ "$status" -eq "$rig_again" ]
	grep -q '^no output for 3 s' "$tmp/stalled"
}
