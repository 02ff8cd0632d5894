#!/usr/bin/env bats
# needs: units that boot when others are ready, and what becomes of them when those fail.

load lib/jitsu
load lib/shared
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

chain() {
	write_zone 'db A 10.77.0.31' '_jitsu.db TXT "image=db"' 'app A 10.77.0.32' \
	    "_jitsu.app TXT \"image=app\" \"needs=db\" \"hold=${1:-30s}\"" \
	    'top A 10.77.0.33' "_jitsu.top TXT \"image=hello\" \"needs=app\" \"hold=${1:-30s}\""
}
error_of() { jitsu --json show "$1.example.test" | jq -r .last_error; }
waits_of() { jitsu --json list | jq -r ".[] | select(.name == \"$1.example.test\") | .waits_for"; }
has_waits() { [ "$(waits_of "$1")" = "$2" ]; }
# What happened, of one kind, in order.
order() { jitsu --json events | jq -r ".[] | select(.kind == \"$1\") | .unit" | tr '\n' ' '; }

# bats test_tags=kvm
@test "a unit boots when what it needs is ready, with a hold and a slot of its own" {
	CONF_MORE="limits { queue-timeout = 1s }
	$(hello_image db 'delay=4000' 'boot-timeout = 2m'; hello_image app "")" write_conf
	chain 300ms
	start_jitsud
	run ask +short top.example.test A
	[ "$output" = 10.77.0.33 ]
	is_state top.example.test booting
	is_state app.example.test booting
	has_waits top needs
	has_waits app needs
	[ "$(qemu_count)" -eq 1 ]
	jitsu list | grep -q "^app.*waits for needs"
	wait_for 60 is_state top.example.test awake
	[ "$(order awake)" = "db.example.test app.example.test top.example.test " ]
	jitsu events app.example.test | grep -q "waits for db.example.test, which it needs"
	[ "$(waits_of top)" = null ]
	[ "$(jitsu --json status | jq .counters.failures)" -eq 0 ]
}

@test "a unit that needs one that fails fails with its name and error, as long as that one does" {
	cp "$DIR/hello.elf" "$DIR/db.elf"
	CONF_MORE="$(KERNEL=db.elf hello_image db "" 'backoff-min = 1h
	backoff-max = 1h'; hello_image app "")" write_conf
	chain
	start_jitsud
	rm "$DIR/db.elf"
	run ask top.example.test A
	[[ "$output" == *"status: SERVFAIL"* &&
	    "$output" == *"EDE: 0 (Other): (a service that this one needs failed to start)"* ]]
	for unit in db app top; do wait_for 30 is_state $unit.example.test failed; done
	[[ "$(error_of app)" == \
	    "db.example.test, which this unit needs: "*"db.elf does not exist"* ]]
	why="app.example.test, which this unit needs: db.example.test, which this unit needs: "
	[[ "$(error_of top)" == "$why"*"db.elf does not exist"* ]]
	jitsu show app.example.test | grep -q "db.example.test, which this unit needs"
	jitsu events app.example.test |
	    grep -q "db.example.test, which this unit needs: .*db.elf does not exist"
	[ "$(jitsu --json show app.example.test | jq .backoff_s)" -gt 1800 ]
	run jitsu wake top.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"$why"*"db.elf does not exist"* ]]
	[ "$(qemu_count)" -eq 0 ]
	# Mended: queries wait out the back-off, which an operator's wake passes, that of the needed
	# ones too.
	cp "$DIR/hello.elf" "$DIR/db.elf"
	run ask top.example.test A
	[[ "$output" == *"status: SERVFAIL"* &&
	    "$output" == *"(a service that this one needs failed to start)"* ]]
	run jitsu wake app.example.test
	[ "$status" -eq 0 ]
	is_state db.example.test awake
	# The back-off of db was all that top waited for.
	is_state top.example.test dormant
	[ "$(ask +short top.example.test A)" = 10.77.0.33 ]
	is_state top.example.test awake
	[ "$(jitsu --json show top.example.test | jq .failures)" -eq 0 ]
}

@test "a frozen unit is thawed when what it needs is awake, and stays frozen when that fails" {
	cp "$DIR/hello.elf" "$DIR/db.elf"
	CONF_MORE="limits { vms = 2 }
	$(KERNEL=db.elf hello_image db "" 'backoff-min = 1h
	backoff-max = 1h'; hello_image app "" 'sleep = "freeze"')" write_conf
	chain
	start_jitsud
	jitsu wake app.example.test
	jitsu sleep app.example.test
	is_state app.example.test frozen
	jitsu sleep db.example.test
	rm "$DIR/db.elf"
	run ask app.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]
	is_state app.example.test frozen
	[[ "$(error_of app)" == \
	    "db.example.test, which this unit needs: "*"db.elf does not exist"* ]]
	cp "$DIR/hello.elf" "$DIR/db.elf"
	jitsu wake app.example.test
	is_state db.example.test awake
	is_state app.example.test awake
	[ "$(jitsu --json show app.example.test | jq .boots)" -eq 1 ]
	# Nobody uses db itself.
	in_ns ping -c 1 -W 10 10.77.0.32
	# Who is sent to sleep before its thaw begins has lost nothing.
	jitsu sleep app.example.test
	jitsu sleep db.example.test
	jitsu wake www.example.test
	jitsu wake app.example.test 2>"$DIR/wake" &
	local wake=$!
	wait_for 30 has_waits app needs
	jitsu sleep app.example.test
	is_state app.example.test frozen
	run wait "$wake"
	[ "$status" -ne 0 ]
	grep -q "app.example.test: it was sent to sleep" "$DIR/wake"
	jitsu sleep www.example.test
	jitsu wake app.example.test
	[ "$(jitsu --json show app.example.test | jq .boots)" -eq 1 ]
}

@test "a needed unit that is lost while the other boots is woken first, with one slot for boots" {
	CONF_MORE="limits { boots = 1 queue = 0 }
	$(hello_image db ""; hello_image app "delay=6000" 'boot-timeout = 2m')" write_conf
	chain
	start_jitsud
	jitsu wake app.example.test &
	wake=$!
	pid_of() { jitsu --json show "$1.example.test" | jq -e .pid; }
	wait_for 30 pid_of app
	kill -9 "$(pid_of db)"
	wait "$wake"
	is_state db.example.test awake
	is_state app.example.test awake
	[ "$(order awake)" = "db.example.test db.example.test app.example.test " ]
}

@test "a unit waits with what it needs for a slot, and is as sure of it" {
	CONF_MORE="limits { vms = 1 }
	$(hello_image db ""; hello_image app "")" write_conf
	chain 300ms
	start_jitsud
	jitsu wake www.example.test
	run ask app.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]   # no address of a VM that may never boot
	has_waits db vms
	has_waits app needs
	# Who gives up waiting gives up what waits with it; and a removed unit waits for nothing.
	jitsu sleep db.example.test
	wait_for 30 is_state app.example.test dormant
	[[ "$(error_of app)" == "db.example.test, which this unit needs: it was sent to sleep" ]]
	run ask app.example.test A
	has_waits app needs
	write_zone
	jitsu reload
	[ "$(jitsu --json list | jq length)" -eq 1 ]
	is_state www.example.test awake
}

@test "a unit that waits for another is sure of its boot when that begins" {
	CONF_MORE="limits { vms = 2 }
	$(hello_image db "delay=2000"
	hello_image app "delay=20000" 'boot-timeout = 2m')" write_conf
	chain 300ms
	start_jitsud
	jitsu wake www.example.test
	run ask app.example.test A
	[[ "$output" == *"status: SERVFAIL"* ]]   # no room for both
	jitsu sleep www.example.test
	wait_for 30 is_state db.example.test awake
	wait_for 30 has_waits app null
	[ "$(ask +short app.example.test A)" = 10.77.0.32 ]
}
