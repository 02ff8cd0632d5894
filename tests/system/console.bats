#!/usr/bin/env bats
# console: whatever a guest writes can be shown, and writes to no terminal by itself.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

# guest_writes BYTES...: into the ring that is its console, as printf(1) has them, while no jitsud
# is connected.
guest_writes() {
	local qmp
	qmp=$(find "$DIR/run/vm" -name 'qmp*' -type s | head -1)
	{
		echo '{"execute": "qmp_capabilities"}'
		printf '{"execute": "ringbuf-write", "arguments":
		{"device": "con", "format": "base64", "data": "%s"}}\n' \
			"$(printf "$1" | base64 -w 0)"
		sleep 1
	} | socat -t 5 - "UNIX-CONNECT:$qmp" >"$DIR/qmp"
	[ "$(grep -c '"return"' "$DIR/qmp")" -eq 2 ]
}

# shows_all FILE: what the guest wrote is there, readable, and nothing else than text.
shows_all() {
	grep -qF 'first\000\377\300\200\033[2Jlast' "$1"
	grep -q '^ *second line$' "$1"
	! LC_ALL=C grep -q '[^[:print:][:space:]]' "$1"
}

@test "NUL, no UTF-8 and escapes on the console, as show, console and --json have them" {
	start_jitsud
	jitsu wake www.example.test
	stop_jitsud KILL
	guest_writes 'first\000\377\300\200\033[2Jlast\nsecond line\n'
	start_jitsud
	jitsu console www.example.test >"$DIR/out"
	shows_all "$DIR/out"
	jitsu show www.example.test >"$DIR/out"
	shows_all "$DIR/out"
	jitsu --json console www.example.test |
	    jq -e '.text | contains("first\\000\\377\\300\\200\u001b[2Jlast\nsecond line\n")'
	jitsu --json show www.example.test |
	    jq -e '.console | contains("\\000\\377\\300\\200\u001b[2Jlast\nsecond line\n")'
	# Its last lines are kept as they were, by the next jitsud, too.
	kill -KILL "$(qemus)"
	wait_for 30 is_state www.example.test dormant
	for ((i = 0; i < 2; i++)); do
		jitsu console www.example.test >"$DIR/out"
		shows_all "$DIR/out"
		jitsu show www.example.test >"$DIR/out"
		shows_all "$DIR/out"
		jitsu --json show www.example.test |
		    jq -e '.console | contains("\\000\\377\\300\\200\u001b[2Jlast\nsecond line\n")'
		stop_jitsud
		start_jitsud
	done
	grep -qF 'first\000\377\300\200\033[2Jlast' "$DIR/log"
	! LC_ALL=C grep -q '[^[:print:][:space:]]' "$DIR/log"
}
