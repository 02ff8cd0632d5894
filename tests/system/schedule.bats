#!/usr/bin/env bats
# schedule: units are awake in their hours, by this host's clock, and only then without use.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

# local_time HH:MM:SS: jitsud runs in a time zone where that is the time now.
local_time() {
	local now want off sign=-
	now=$(date -u +%s)
	want=$(date -u -d "1970-01-01 $1" +%s)
	off=$(((want - now % 86400 + 86400 + 43200) % 86400 - 43200))
	[ "$off" -ge 0 ] || { sign=; off=$((-off)); }
	JITSUD_WRAP="env TZ=XXX$sign$((off / 3600)):$((off / 60 % 60)):$((off % 60))"
}
boots() { jitsu --json show www.example.test | jq .boots; }
has_booted() { [ "$(boots)" -eq "$1" ]; }
short() {
	HELLO_CONF='idle = 1s
	unused-after = 0s
	min-up = 0s' CONF_TOP="$1" write_conf
}

@test "a unit is woken when its hours begin, stays awake, and is woken again when it ends" {
	short 'log-level = "debug"'
	WWW_KEYS='"schedule=08:00-09:00,mon-fri 20:00-21:00"' write_zone 'idle A 10.77.0.20' \
	    '_jitsu.idle TXT "image=hello"'
	# jitsud must serve before that.
	local_time "$(date -u -d "@$((8 * 3600 - 8 * SLOW))" +%T)"
	start_jitsud
	is_state www.example.test dormant
	jitsu why www.example.test | grep -q "is dormant, and its schedule wakes it in [0-9.]* s;"
	wait_for 60 is_state www.example.test awake
	jitsu events www.example.test | grep -q "booting .*schedule"
	jitsu wake idle.example.test
	wait_for 30 is_state idle.example.test dormant
	is_state www.example.test awake
	jitsu why www.example.test >"$DIR/why"
	grep -q "woken by its schedule .*; it sleeps in 5[0-9]m.*: its schedule keeps it" "$DIR/why"
	grep -q "^schedule .* 08:00-09:00, mon-fri 20:00-21:00$" "$DIR/why"
	[ "$(jitsu --json show www.example.test | jq -r '.policy.schedule[1]')" = \
	    "mon-fri 20:00-21:00" ]
	# It ends by itself.
	kill -9 "$(qemus)"
	wait_for 60 has_booted 2
	wait_for 60 is_state www.example.test awake
	# The clock is set, to what it says, where that is allowed.
	if python3 -c 'if True:
		import time
		time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns())'; then
		wait_for 30 grep -q "the clock was set" "$DIR/log"
	fi
	is_state www.example.test awake
	# The next jitsud goes on with it.
	stop_jitsud
	start_jitsud
	is_state www.example.test awake
	# An operator may put it to sleep, until its hours begin again, or somebody asks.
	jitsu sleep www.example.test
	jitsu reload
	wait_for 30 is_state www.example.test dormant
	[ "$(qemu_count)" -eq 0 ]
	ask +short www.example.test A
	is_state www.example.test awake
	# Without hours it is idle.
	write_zone
	jitsu reload
	wait_for 30 is_state www.example.test dormant
}

@test "when its hours end a unit that is idle sleeps, and gives its slot to the next" {
	short 'limits { vms = 1 }'
	WWW_KEYS='"schedule=08:00-08:01"' write_zone 'next A 10.77.0.20' \
	    '_jitsu.next TXT "image=hello" "schedule=08:00-09:00"'
	local_time 08:00:40
	start_jitsud
	two() { [ "$(jitsu list | grep -c "$1")" -eq "$2" ]; }
	wait_for 30 two " awake " 1
	wait_for 30 two "waits for vms" 1
	if is_state www.example.test awake; then
		wait_for 90 is_state www.example.test dormant
		wait_for 30 is_state next.example.test awake
	fi
	[ "$(jitsu --json status | jq .counters.failures)" -eq 0 ]
}

@test "who fails within its hours is woken again, unless an operator has it sleep" {
	CONF_MORE=$(KERNEL=other.elf hello_image bad "" 'backoff-min = "2s"') short
	write_zone 'bad A 10.77.0.20' '_jitsu.bad TXT "image=bad" "schedule=00:00-24:00"'
	start_jitsud
	tries() { [ "$(jitsu events bad.example.test | grep -c "booting.*schedule")" -ge "$1" ]; }
	wait_for 30 tries 2
	wait_for 30 is_state bad.example.test failed
	jitsu sleep bad.example.test
	wait_for 60 is_state bad.example.test dormant
	jitsu wake www.example.test
	is_state bad.example.test dormant
}

@test "what are no hours is refused with file, line and text" {
	HELLO_CONF='schedule = { "mon-fri 08:00-18:00", "fry 08:00-18:00" }' write_conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"jitsu.conf:"[0-9]*": schedule: \"fry 08:00-18:00\" is not accepted: "* ]]
	[[ "$output" == *"it must be hours, on certain days of the week or on all, such as "* ]]
	write_conf
	WWW_KEYS='"schedule=08:00-18:00,8-18"' write_zone
	run in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"example.zone:"[0-9]*": www.example.test: schedule: \"8-18\" is not "* ]]
}
