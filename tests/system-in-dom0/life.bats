#!/usr/bin/env bats
# The life of a unit on a real Xen: run by scripts/xen-rig, in a dom0 that is thrown away.

load dom0

images() {
	image hello "ready = \"tcp:80\" $HELLO"
	image asked "ready = \"tcp:80\" stop = \"shutdown\" stop-timeout = \"30s\" $HELLO"
	image frozen "ready = \"tcp:80\" sleep = \"freeze\" $HELLO"
	image crash "ready = \"arp\" ${HELLO/name=/crash=3000 name=}"
	image idle "ready = \"tcp:80\" idle = \"2s\" unused-after = \"0s\" ${HELLO}"
	image saved "ready = \"tcp:80\" sleep = \"save\" $HELLO"
	local mute="kernel = \"$BUILD/mute.elf\" memory = \"16M\""
	image mute "ready = \"xenstore:name\" sleep = \"save\" $mute"
	image full \
	    "ready = \"tcp:80\" sleep = \"save\" stop = \"shutdown\" stop-timeout = \"30s\" $HELLO"
	image deaf "ready = \"xenstore:name\" stop = \"shutdown\" stop-timeout = \"8s\" $mute"
	image keyed "ready = \"xenstore:data/ready\" $mute"
	image falls "ready = \"tcp:80\" $mute cmdline = \"x\""
	image fallsready "ready = \"xenstore:name\" $mute cmdline = \"x\""
}
setup_file() {
	setup_dom0 hello asked frozen crash idle saved mute full deaf falls fallsready keyed
}
teardown_file() { teardown_dom0 life; }
teardown() { explain; }

@test "dig wakes a PVH guest, it answers when it can, curl works at once; sleep leaves nothing" {
	[ "$(ask +short hello.example.test)" = 10.77.0.10 ]
	page 10.77.0.10 | grep -q 'Hello from hello.example.test'
	is_state hello awake
	jitsu sleep hello.example.test
	is_state hello dormant
	nothing_left
}

@test "the console reaches jitsu console, also the last words of a domain that is gone" {
	jitsu wake hello.example.test
	wait_for 60 console_says
	[ "$(store hello jitsu/instance)" = "$DIR/run" ]
	jitsu show hello.example.test | grep -q 'image .*xen'
	jitsu sleep hello.example.test
}
console_says() { jitsu console hello.example.test | grep -q 'hello.example.test is up'; }

@test "a unit that nobody uses goes to sleep, and its domain is destroyed" {
	[ "$(ask +short idle.example.test)" = 10.77.0.14 ]
	[ -n "$(domid_of idle)" ]
	wait_for 60 is_state idle dormant
	nothing_left
}

@test "shutdown by asking the guest" {
	jitsu wake asked.example.test
	jitsu sleep asked.example.test
	is_state asked dormant
	run grep -c 'asked.example.test.*destroyed instead' "$DIR/log"
	[ "$output" = 0 ]
	nothing_left
}

@test "a guest that shuts down by itself is noticed and cleaned up" {
	jitsu wake hello.example.test
	xl shutdown "$(domid_of hello)"
	wait_for 30 is_state hello dormant
	jitsu show hello.example.test | grep -q 'the guest shut down'
	wait_for 60 nothing_left
}

@test "a guest that crashes is noticed and cleaned up" {
	ask +short crash.example.test
	wait_for 30 crashed
	wait_for 60 nothing_left
}
crashed() { jitsu show crash.example.test | grep -q 'the guest crashed'; }

@test "a guest that ends with its first instruction is noticed, whatever its readiness is" {
	local start n unit
	for n in 1 2 3; do
		for unit in falls fallsready; do
			start=$SECONDS
			jitsu wake $unit.example.test || true
			wait_for 60 gone_down $unit
			[ $((SECONDS - start)) -lt 60 ]   # half of what a boot may take
			# This is what Xen makes of a triple fault.
			jitsu show $unit.example.test | grep -q 'the guest wants to reboot'
			wait_for 60 nothing_left
		done
	done
	[ "$(ask falls.example.test | grep -c SERVFAIL)" -eq 1 ]
	wait_for 60 nothing_left
}
gone_down() { [[ $(state_of "$1") =~ ^(failed|dormant)$ ]]; }

@test "a guest that writes its readiness key without end is heard once" {
	local wake id n
	jitsu wake keyed.example.test >/dev/null 2>&1 3>&- 4>&- &
	wake=$!
	wait_for 30 exists_keyed
	id=$(domid_of keyed)
	is_state keyed booting
	xenstore-write "/local/domain/$id/data/ready" 1
	wait $wake
	is_state keyed awake
	strace -f -qq -s 400 -e trace=write,writev,sendto,sendmsg \
	    -o /tmp/trace -p "$(cat "$DIR/pid")" >/dev/null 2>&1 3>&- 4>&- &
	echo $! >/tmp/strace.pid
	wait_for 10 test -e /tmp/trace
	sleep 1
	for n in 1 2 3 4 5; do xenstore-write "/local/domain/$id/data/ready" $n; done
	jitsu show keyed.example.test >/dev/null
	sleep 1
	kill "$(cat /tmp/strace.pid)"
	wait "$(cat /tmp/strace.pid)" || true
	grep -q keyed.example.test /tmp/trace
	[ "$(grep -c data/ready /tmp/trace)" -eq 0 ] || { grep data/ready /tmp/trace; return 1; }
	jitsu sleep keyed.example.test
	nothing_left
}
exists_keyed() { [ -n "$(domid_of keyed)" ]; }

@test "sleep=freeze pauses the domain, a wake unpauses it" {
	local id
	jitsu wake frozen.example.test
	id=$(domid_of frozen)
	jitsu sleep frozen.example.test
	is_state frozen frozen
	xl list "$id" | tail -1 | grep -q ' [-r][-b]p---'
	[ "$(ask +short frozen.example.test)" = 10.77.0.12 ]
	[ "$(domid_of frozen)" = "$id" ]
	page 10.77.0.12 | grep -q frozen
}

@test "adoption: after SIGKILL the next jitsud goes on with the same domain, frozen or awake" {
	local id before
	jitsu wake hello.example.test
	id=$(domid_of hello)
	before=$(domid_of frozen)
	jitsu sleep frozen.example.test
	end_jitsud KILL
	start_jitsud
	is_state hello awake
	is_state frozen frozen
	[ "$(domid_of hello)" = "$id" ]
	[ "$(domid_of frozen)" = "$before" ]
	[ "$(domain_count)" -eq 2 ]
	[ "$(ask +short frozen.example.test)" = 10.77.0.12 ]
	page 10.77.0.12 | grep -q frozen
	jitsu console hello.example.test
}

@test "a domain that somebody else destroys is noticed, awake or frozen, and boots again" {
	xl destroy "$(domid_of hello)"
	wait_for 30 is_state hello dormant
	jitsu show hello.example.test | grep -q 'destroyed by somebody else'
	jitsu sleep frozen.example.test
	xl destroy "$(domid_of frozen)"
	wait_for 30 is_state frozen dormant
	wait_for 60 nothing_left
	[ "$(ask +short frozen.example.test)" = 10.77.0.12 ]
	jitsu sleep frozen.example.test
	xl destroy "$(domid_of frozen)"
	wait_for 30 is_state frozen dormant
}

# How many seconds the guest says that it is up.
up_for() { page 10.77.0.15 | sed -n 's/.*Booted \([0-9]*\).*/\1/p'; }

@test "sleep=save writes the guest's state to a file, a wake goes on, with another jitsud too" {
	jitsu wake saved.example.test
	sleep 3
	[ "$(up_for)" -ge 3 ]
	jitsu sleep saved.example.test
	is_state saved saved
	[ "$(domain_count)" -eq 0 ]
	[ "$(find "$DIR/state/saved" -name '*.xen' -size +1 | wc -l)" -eq 1 ]
	[ "$(ask +short saved.example.test)" = 10.77.0.15 ]
	[ "$(up_for)" -ge 3 ]
	[ "$(find "$DIR/state/saved" -type f | wc -l)" -eq 0 ]
	jitsu sleep saved.example.test
	end_jitsud KILL
	echo unfinished >"$DIR/state/saved/$(cat /proc/sys/kernel/random/uuid).xen.part"
	start_jitsud
	is_state saved saved
	[ "$(find "$DIR/state/saved" -name '*.part' | wc -l)" -eq 0 ]
	jitsu wake saved.example.test
	[ "$(up_for)" -ge 3 ]
	[ "$(domain_count)" -eq 1 ]
	jitsu show saved.example.test | grep -q 'sleep save'
	xl destroy "$(domid_of saved)"
	wait_for 30 is_state saved dormant
	wait_for 60 nothing_left
}

@test "a saved state that is not whole: a cold boot, the reason is said, and nothing is left" {
	jitsu wake saved.example.test
	sleep 2
	jitsu sleep saved.example.test
	truncate -s 300K "$DIR"/state/saved/*.xen
	[ "$(ask +short saved.example.test)" = 10.77.0.15 ]
	page 10.77.0.15 | grep -q 'Hello from saved.example.test'
	[ "$(domain_count)" -eq 1 ]
	[ -z "$(find "$DIR/state/saved" -type f)" ]
	why='its saved state is of no use, and it boots anew: the domain cannot be restored'
	grep -q "saved.example.test: $why" "$DIR/log"
	xl destroy "$(domid_of saved)"
	wait_for 30 is_state saved dormant
	wait_for 60 nothing_left
}

free_mib() { xl info free_memory; }
# hog NAME MIB: a domain that only takes memory.
hog() {
	printf 'name = "%s"\ntype = "pvh"\nkernel = "%s"\nmemory = %d\nshadow_memory = 4\n' "$1" \
	    "$BUILD/mute.elf" "$2" >/tmp/hog.xl
	xl create -q -e -p /tmp/hog.xl
}
take_memory() {
	local n=0
	hog hog "$(($(free_mib) - 48))"
	while [ "$(free_mib)" -ge 12 ] && hog hog$n 4; do n=$((n + 1)); done
	echo "# $(free_mib) MiB are free with $n domains of 4 MiB" >&3
}
give_memory() { for n in $(domains | grep '^hog'); do xl destroy "$n"; done; }
no_memory_for_saved() {
	ask saved.example.test >/tmp/answer
	grep -q SERVFAIL /tmp/answer
	grep -q EDE /tmp/answer
	jitsu show saved.example.test >/tmp/shown
	grep -q 'it stays saved: not enough memory' /tmp/shown || { cat /tmp/shown; return 1; }
	wait_for 60 is_state saved saved
	[ "$(find "$DIR/state/saved" -name '*.xen' | wc -l)" -eq 1 ]
}

@test "no memory for a restore: SERVFAIL with EDE, the state stays, and is used later" {
	jitsu wake saved.example.test
	sleep 3
	jitsu sleep saved.example.test
	take_memory
	no_memory_for_saved
	end_jitsud KILL
	start_jitsud
	is_state saved saved
	no_memory_for_saved
	run jitsu wake saved.example.test
	[ "$status" -eq 1 ]
	[[ $output == *"it stays saved: not enough memory"* ]]
	give_memory
	wait_for 60 is_state saved saved   # a query does not end a back-off
	[ "$(ask +short saved.example.test)" = 10.77.0.15 ]
	[ "$(up_for)" -ge 3 ]
	[ "$(jitsu show saved.example.test | grep -c 'it stays saved')" -eq 0 ]
	xl destroy "$(domid_of saved)"
	wait_for 30 is_state saved dormant
	wait_for 60 nothing_left
}

@test "a guest that answers no suspend request is destroyed by the deadline, said once, marked" {
	local start
	jitsu wake mute.example.test
	jitsu sleep mute.example.test
	is_state mute dormant
	nothing_left
	jitsu show mute.example.test | grep -q 'it cannot be saved: stop'
	jitsu wake mute.example.test
	start=$SECONDS
	jitsu sleep mute.example.test
	[ $((SECONDS - start)) -lt 14 ]   # less than a suspend may take
	is_state mute dormant
	[ "$(grep -c 'mute.example.test: it cannot be saved' "$DIR/log")" -eq 1 ]
	nothing_left
}

@test "a frozen unit whose image says save by now can be saved" {
	jitsu wake frozen.example.test
	jitsu sleep frozen.example.test
	is_state frozen frozen
	cp "$DIR/jitsu.conf" "$DIR/jitsu.conf.before"
	sed -i 's/sleep = "freeze"/sleep = "save"/' "$DIR/jitsu.conf"
	jitsu reload
	jitsu sleep frozen.example.test
	mv "$DIR/jitsu.conf.before" "$DIR/jitsu.conf"
	is_state frozen saved
	[ "$(ask +short frozen.example.test)" = 10.77.0.12 ]
	page 10.77.0.12 | grep -q frozen
	xl destroy "$(domid_of frozen)"
	wait_for 30 is_state frozen dormant
	jitsu reload
	wait_for 60 nothing_left
}

@test "a state that its disk has no room for: the reason is said, the guest goes on, and may end" {
	local start
	end_jitsud TERM
	mount -t tmpfs -o size=1m,mode=0700 none "$DIR/state/saved"
	start_jitsud
	jitsu wake full.example.test
	start=$SECONDS
	jitsu sleep full.example.test
	[ $((SECONDS - start)) -lt 25 ]
	is_state full dormant
	grep 'full.example.test: it cannot be saved' "$DIR/log" | grep -q 'No space left on device'
	nothing_left
	end_jitsud TERM
	umount "$DIR/state/saved"
	start_jitsud
}

@test "jitsud ends in order while a guest has not acknowledged its shutdown; the next one ends it" {
	local asleep status=0
	end_jitsud TERM
	start_jitsud
	jitsu wake deaf.example.test
	jitsu sleep deaf.example.test >/dev/null 2>&1 3>&- 4>&- &
	asleep=$!
	wait_for 60 is_state deaf stopping
	sleep 1
	kill "$(cat "$DIR/pid")"
	wait "$(cat "$DIR/pid")" || status=$?
	wait $asleep || true
	[ "$status" -eq 0 ]
	[ "$(domain_count)" -eq 1 ]
	start_jitsud
	wait_for 60 is_state deaf dormant
	wait_for 60 nothing_left
}
