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

@test "a unit that needs another one to be started boots beside it, and sleeps before it" {
	CONF_MORE="$(hello_image db 'delay=8000' 'boot-timeout = 2m
	idle = 2s
	unused-after = 0s
	min-up = 0s'
	hello_image app "" 'idle = 2s
	unused-after = 0s
	min-up = 0s
	after = "started"')" write_conf
	write_zone 'db A 10.77.0.31' '_jitsu.db TXT "image=db"' 'app A 10.77.0.32' \
	    '_jitsu.app TXT "image=app" "needs=db"' 'top A 10.77.0.33' \
	    '_jitsu.top TXT "image=app" "needs=app:ready"'
	start_jitsud
	jitsu wake top.example.test
	is_state db.example.test booting
	jitsu show app.example.test | grep -q "^needs *db.example.test (after started; is booting)"
	[ "$(jitsu --json show top.example.test | jq -r '.needs[0].after')" = ready ]
	jitsu events app.example.test |
	    grep -q "waits for db.example.test to be started, which it needs"
	wait_for 60 is_state db.example.test dormant
	[ "$(order awake)" = "app.example.test top.example.test db.example.test " ]
	[ "$(order dormant)" = "top.example.test app.example.test db.example.test " ]
	[ "$(jitsu --json status | jq .counters.failures)" -eq 0 ]
}

@test "a unit whose needed one cannot be started says so; one that fails later fails alone" {
	cp "$DIR/hello.elf" "$DIR/db.elf"
	CONF_MORE="$(KERNEL=db.elf hello_image db "delay=600000" 'boot-timeout = 3s
	backoff-min = 1h
	backoff-max = 1h'; hello_image app "")" write_conf
	write_zone 'db A 10.77.0.31' '_jitsu.db TXT "image=db"' 'app A 10.77.0.32' \
	    '_jitsu.app TXT "image=app" "needs=db:started"'
	start_jitsud
	jitsu wake app.example.test
	wait_for 30 is_state db.example.test failed
	is_state app.example.test awake
	jitsu sleep app.example.test
	rm "$DIR/db.elf"
	run jitsu wake app.example.test
	[ "$status" -eq 1 ]
	why="app.example.test: db.example.test, which this unit needs to be started: "
	[[ "$output" == *"$why"*"db.elf does not exist"* ]]
}

@test "the example of a web server, an application and a database" {
	local unit
	cp "$BATS_TEST_DIRNAME"/../../config/examples/shop/* "$DIR/"
	for unit in web app db; do cp "$DIR/hello.elf" "$DIR/$unit.elf"; done
	in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	answers() { ask +time=2 +short ns.shop.test A 2>/dev/null | grep -q '^10.77.0.1$'; }
	serves() { answers; }
	start_jitsud
	[ "$(ask +short www.shop.test A)" = 10.77.0.10 ]
	wait_for 60 is_state www.shop.test awake
	in_ns curl -s http://10.77.0.10/ | grep -q www.shop.test
	[ "$(order awake | cut -d' ' -f1)" = db.shop.test ]
	is_state app.shop.test awake || is_state app.shop.test booting
	jitsu events www.shop.test | grep -q "waits for app.shop.test to be started"
	jitsu events app.shop.test | grep -q "waits for db.shop.test to be ready"
	jitsu show www.shop.test | grep -q "^needs *app.shop.test (after started; is "
	[ "$(jitsu --json status | jq .counters.failures)" -eq 0 ]
}

# bats test_tags=kvm
@test "a unit boots when what it needs is ready, with a hold and a slot of its own" {
	CONF_MORE="limits { queue-timeout = 1s }
	$(hello_image db "delay=$((2000 + 2000 * SLOW))" 'boot-timeout = 2m'
	hello_image app "")" write_conf
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
	jitsu events app.example.test |
	    grep -q "waits for db.example.test to be ready, which it needs"
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
	    "db.example.test, which this unit needs to be ready: "*"db.elf does not exist"* ]]
	why="app.example.test, which this unit needs to be ready: "
	why+="db.example.test, which this unit needs to be ready: "
	[[ "$(error_of top)" == "$why"*"db.elf does not exist"* ]]
	jitsu show app.example.test | grep -q "db.example.test, which this unit needs"
	jitsu events app.example.test |
	    grep -q "db.example.test, which this unit needs to be ready: .*db.elf does not exist"
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
	    "db.example.test, which this unit needs to be ready: "*"db.elf does not exist"* ]]
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
	[[ "$(error_of app)" == \
	    "db.example.test, which this unit needs to be ready: it was sent to sleep" ]]
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
