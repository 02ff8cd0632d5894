#!/usr/bin/env bats
# confine: what the confined processes may not do, and what happens when they try or die.

load lib/jitsu
setup() { setup_jitsu; start_jitsud; }
teardown() { teardown_jitsu; }

child_pid() { jitsu --json status | jq -r ".children[] | select(.name == \"$1\") | .pid"; }

@test "confined processes have no privileges, no root, no capabilities, a filter" {
	for name in dns sentinel; do
		pid=$(child_pid $name)
		[ "$(awk '/^Uid:/ {print $2 $3 $4}' /proc/$pid/status)" = \
		    "$(id -u jitsu)$(id -u jitsu)$(id -u jitsu)" ]
		[ "$(awk '/^Gid:/ {print $2}' /proc/$pid/status)" = "$(id -g jitsu)" ]
		[ -z "$(awk '/^Groups:/ {print $2}' /proc/$pid/status)" ]
		for set in CapInh CapPrm CapEff CapBnd CapAmb; do
			[ "$(awk "/^$set:/ {print \$2}" /proc/$pid/status)" = 0000000000000000 ]
		done
		grep -q '^NoNewPrivs:.*1' /proc/$pid/status
		grep -q '^Seccomp:.*2' /proc/$pid/status
		[ -z "$(ls -A /proc/$pid/root/)" ]
	done
}

@test "a confined process that is killed is logged and replaced; VMs and service go on" {
	ask +short www.example.test A
	qemu=$(qemus)
	for name in dns sentinel; do
		old=$(child_pid $name)
		kill -SYS "$old"
		replaced() {
			[ -n "$(child_pid $name)" ] && [ "$(child_pid $name)" != "$old" ] &&
			    [ "$(child_pid $name)" != null ]
		}
		wait_for 30 replaced
		grep -q "$name process (pid $old) ended: killed by its sandbox" "$DIR/log"
	done
	[ "$(qemus)" = "$qemu" ]
	serving() { [ "$(ask +short +time=2 plain.example.test A)" = 192.0.2.7 ]; }
	wait_for 30 serving
	jitsu sleep www.example.test
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
}

@test "queries that come while the DNS process is replaced are answered" {
	old=$(child_pid dns)
	kill -STOP "$old"
	ask +short +time=30 plain.example.test A >"$DIR/late" &
	asker=$!
	sleep 0.3
	kill -KILL "$old"
	wait "$asker"
	# What the dead process had read is lost with it; what still was in the socket is answered.
	run ask +short +tries=3 plain.example.test A
	[ "$output" = 192.0.2.7 ]
}

@test "the VM runs as its own user" {
	ask +short www.example.test A
	pid=$(qemus)
	[ "$(awk '/^Uid:/ {print $2}' /proc/$pid/status)" = "$(id -u jitsu-vm)" ]
	grep -q '^NoNewPrivs:.*1' /proc/$pid/status
	grep -q '^Seccomp:.*2' /proc/$pid/status
	[ "$(awk '/^CapEff:/ {print $2}' /proc/$pid/status)" = 0000000000000000 ]
}

@test "descriptors run out: the warden lives, and all is well again when there are some" {
	local limit status
	limit=$(prlimit --pid "$JITSUD" --nofile -o SOFT --noheadings)
	prlimit --pid "$JITSUD" --nofile=3:
	status=$(ask www.example.test A)
	[[ "$status" == *SERVFAIL* ]]
	kill -KILL "$(pgrep -P "$JITSUD" -f '^jitsud: dns')" \
	    "$(pgrep -P "$JITSUD" -f '^jitsud: sentinel')"
	kill -HUP "$JITSUD"
	sleep 2
	wait_for 30 grep -q 'Too many open files' "$DIR/log"
	kill -0 "$JITSUD"
	prlimit --pid "$JITSUD" --nofile="$limit:"
	serving() { [ "$(ask +short +time=2 plain.example.test A)" = 192.0.2.7 ]; }
	wait_for 30 serving
	awake() { [ "$(ask +short www.example.test A)" = 10.77.0.10 ]; }
	wait_for 30 awake
	jitsu reload
}

# forge CHILD KIND NUMBER COUNT: the child says so to the warden.
forge() { "$BUILD/tests/system/forge" "$(pgrep -P "$JITSUD" -f "^jitsud: $1" | head -1)" "${@:2}"; }

@test "a captured DNS process cannot fill the events, and lies are its end" {
	ask +short www.example.test A
	forge dns expired 0 3000
	expired() { jitsu --json events | jq '[.[] | select(.kind == "expired")] | length'; }
	as_many() { [ "$(expired)" -ge 60 ]; }
	wait_for 30 as_many
	sleep 1
	[ "$(expired)" -eq 60 ]
	jitsu --json events | jq -e '.[] | select(.kind == "awake")' >/dev/null
	old=$(child_pid dns)
	forge dns nothing 0 1
	replaced() { [ "$(child_pid dns)" != "$old" ] && [ "$(child_pid dns)" != null ]; }
	wait_for 30 replaced
	grep -q "dns process (pid $old) ended: protocol violation: it answered nothing" "$DIR/log"
}

@test "a captured zones process cannot have files opened without end" {
	echo 'x A 192.0.2.1' >"$DIR/forged.zone"
	catch_next
	kill -HUP "$JITSUD"
	caught
	forge zones include 0 20000 >"$DIR/forged"
	grep -q 'it wants more files included than a zone may have' "$DIR/log"
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	SERIAL=7 write_zone
	wait_for 30 jitsu reload
	[[ "$(ask +short example.test SOA)" == *' 7 '* ]]
}
