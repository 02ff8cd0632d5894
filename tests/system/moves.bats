#!/usr/bin/env bats
# moves: configuration that changes under units that boot, wait, sleep or run while nobody looks.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

silently() { ask +short "$1" A >/dev/null 2>&1 & }
booting() { is_state "$1" booting; }
# The processor time of the warden, in hundredths of a second.
warden_ticks() { awk '{ print $14 + $15 }' "/proc/$JITSUD/stat"; }
logged() { grep -q "$1" "$DIR/log"; }
generations() { grep -c 'generation [0-9]*:' "$DIR/log"; }
at_least() { [ "$(generations)" -ge "$1" ]; }

@test "networks that change places during a boot do not lose its probe" {
	ip -n "$NS" link add jitsu1 type bridge
	ip -n "$NS" addr add 10.78.0.1/24 dev jitsu1
	ip -n "$NS" link set jitsu1 up
	HELLO_ARGS=delay=8000 write_conf
	start_jitsud
	jitsu wake www.example.test >"$DIR/wake" 2>&1 &
	wait_for 30 booting www.example.test
	sed -i '0,/network "lan"/s//network "dmz" { bridge = "jitsu1" \
	    subnets = { "10.78.0.0\/24" } units = { "10.78.0.10-10.78.0.20" } }\n\tnetwork "lan"/' \
	    "$DIR/jitsu.conf"
	jitsu reload
	booting www.example.test
	wait_for 60 is_state www.example.test awake
}

@test "a limit that is raised lets those in at once that wait for it" {
	CONF_TOP='limits { vms = 1 }' write_conf
	write_zone "$(more_units 1)"
	start_jitsud
	ask +short www.example.test A
	is_state www.example.test awake
	jitsu wake u1.example.test >"$DIR/wake" 2>&1 &
	wait_for 30 booting u1.example.test
	CONF_TOP='limits { vms = 5 }' write_conf
	jitsu reload
	wait_for 30 is_state u1.example.test awake
}

@test "a unit that waits for another no longer does when it needs it no more" {
	HELLO_CONF='boot-timeout = 2m' CONF_MORE='image "slow" {
		driver = "qemu" kernel = "hello.elf" memory = "16M" network = "lan"
		ready = "tcp:81" accel = "tcg" boot-timeout = 2m
		cmdline = "name={name} ip={address}/{prefixlen}" }' write_conf
	write_zone "$(more_units 1 slow)" 'a A 10.77.0.60' '_jitsu.a TXT "image=hello" "needs=u1"'
	start_jitsud
	silently a.example.test
	wait_for 30 booting u1.example.test
	waits() {
		[ "$(jitsu --json list |
		    jq -r '.[] | select(.name == "a.example.test") | .waits_for')" = needs ]
	}
	wait_for 30 waits
	is_state a.example.test booting
	write_zone "$(more_units 1 slow)" 'a A 10.77.0.60' '_jitsu.a TXT "image=hello"'
	jitsu reload
	wait_for 30 is_state a.example.test awake
}

@test "needs that meet again and again wake each unit once" {
	local i j k needs more=() width=3
	for ((i = 0; i < 14; i++)); do
		j=$((i + 1))
		for ((k = 0; k < width; k++)); do
			more+=("n$i-$k A 10.77.0.$((30 + i * width + k))")
			needs=
			[ $i -eq 13 ] || needs=" \"needs=n$j-0,n$j-1,n$j-2\""
			more+=("_jitsu.n$i-$k TXT \"image=hello\"$needs")
		done
	done
	CONF_TOP='limits { boots = 1 vms = 1 }' write_conf
	write_zone "${more[@]}"
	start_jitsud
	# 3^13 ways; the warden must not walk them all
	begun() { is_state n0-0.example.test booting || is_state n0-0.example.test awake; }
	ticks=$(warden_ticks)
	silently n0-0.example.test
	wait_for 60 begun
	[ $(($(warden_ticks) - ticks)) -lt 300 ]
	[ "$(jitsu --json list |
	    jq '[.[] | select(.state == "booting" or .state == "awake")] | length')" -le 40 ]
}

@test "SIGHUP during a reload is not lost" {
	start_jitsud
	local before
	before=$(generations)
	kill -HUP "$JITSUD"
	# The reload that runs may or may not see this one.
	SERIAL=2 write_zone
	kill -HUP "$JITSUD"
	second() { [[ "$(ask +short example.test SOA)" == *' 2 '* ]]; }
	wait_for 30 second
	[ "$(generations)" -ge $((before + 1)) ]
}

@test "on-exit = stop is not undone by queries that go on" {
	CONF_TOP='on-exit = "stop"' HELLO_CONF='stop = "shutdown" stop-timeout = 2s' write_conf
	write_zone "$(more_units 3)"
	start_jitsud
	for i in 1 2 3; do ask +short "u$i.example.test" A; done
	[ "$(qemu_count)" -eq 3 ]
	(while :; do
		for i in 1 2 3; do
			in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=1 "u$i.example.test" A
		done
	done) >/dev/null 2>&1 &
	local asker=$! begun=$SECONDS
	kill -TERM "$JITSUD"
	wait "$JITSUD" || true
	kill "$asker"
	wait "$asker" 2>/dev/null || true
	[ $((SECONDS - begun)) -lt 60 ]
	[ "$(qemu_count)" -eq 0 ]
	JITSUD=
}

@test "a unit that moved while jitsud did not run does not go on at its old address" {
	start_jitsud
	ask +short www.example.test A
	[ "$(qemu_count)" -eq 1 ]
	stop_jitsud KILL
	sed -i 's/10\.77\.0\.10$/10.77.0.99/' "$DIR/example.zone"
	start_jitsud
	wait_for 30 logged 'changed while jitsud did not run'
	wait_for 30 is_state www.example.test dormant
	[ "$(ask +short www.example.test A)" = 10.77.0.99 ]
	in_ns curl -s --max-time 30 http://10.77.0.99/ | grep -q www.example.test
	[ "$(qemu_count)" -eq 1 ]
}

@test "a frozen unit whose policy is to stop by now stops when told to sleep" {
	HELLO_CONF='sleep = freeze' write_conf
	start_jitsud
	ask +short www.example.test A
	jitsu sleep www.example.test
	is_state www.example.test frozen
	write_conf
	jitsu reload
	jitsu sleep www.example.test
	is_state www.example.test dormant
	[ "$(qemu_count)" -eq 0 ]
}

# Its QEMU does, on its control socket.
answers() { jitsu console "$1" >/dev/null; }
one_qemu() { [ "$(qemu_count)" -eq 1 ]; }
# As long as the old VM is there, the new one is not: by the name's MAC, and by the address.
never_two() {
	while [ ! -e "$DIR/enough" ]; do [ "$(qemu_count)" -le 1 ] || touch "$DIR/two"; done
}

@test "a unit that was removed and added again waits until its old VM is gone" {
	# q35 has a power button, and this guest, which never runs (-S), does not look at it.
	CONF_TOP='address-hold = 0s' \
	    HELLO_CONF='machine = "q35" args = { "-S" } stop = "shutdown" stop-timeout = 15s' \
	    write_conf
	sed -i 's/ready = "tcp:80"/ready = "delay:1"/' "$DIR/jitsu.conf"
	start_jitsud
	jitsu wake www.example.test
	wait_for 30 one_qemu
	wait_for 30 answers www.example.test   # before that it would be destroyed
	jitsu sleep www.example.test &
	wait_for 30 is_state www.example.test stopping
	cp "$DIR/example.zone" "$DIR/with"
	sed -i 's/www/moved/' "$DIR/example.zone"   # the address goes to another unit
	jitsu reload
	never_two & local watcher=$!
	jitsu wake moved.example.test >"$DIR/wake" 2>&1 &
	former='the VM of the former www.example.test, which has its name, MAC or address,'
	wait_for 30 logged "moved.example.test: waits: $former is not gone yet"
	is_state moved.example.test booting
	jitsu show moved.example.test | grep -q 'is not gone yet'
	# The unit counts as one that waits, and whoever waits for it is told so.
	jitsu list | grep -q 'moved.example.test .*booting (waits for former)'
	jitsu events moved.example.test | grep -q 'queued .*the VM of the former www.example.test'
	jitsu --json status | jq -e '.counters.queued == 1' >/dev/null
	wait_for 30 grep -q \
	    'jitsu: moved.example.test waits: the VM of the former www.example.test' "$DIR/wake"
	wait_for 60 is_state moved.example.test awake
	wait_for 30 one_qemu
	# The VM comes back under the same name.
	wait_for 30 answers moved.example.test
	jitsu sleep moved.example.test &
	wait_for 30 is_state moved.example.test stopping
	mv "$DIR/with" "$DIR/without" && write_zone &&
	    sed -i '/www\|blog\|alias/d' "$DIR/example.zone"
	jitsu reload
	sed -n 's/www/moved/;p' "$DIR/without" >"$DIR/example.zone"
	jitsu reload
	jitsu wake moved.example.test
	is_state moved.example.test awake
	touch "$DIR/enough"
	wait "$watcher"
	[ ! -e "$DIR/two" ]
	# Whoever was leaving already when another reload came is not told again.
	[ "$(grep -c 'is not possible while' "$DIR/log")" -eq 0 ]
}

@test "a configuration that takes long to read stops nothing" {
	start_jitsud
	for i in $(seq 8000); do
		echo "zone \"z$i.test\" { file = \"none\" }"
	done >>"$DIR/jitsu.conf"
	# libconfuse needs a good part of a second for so many; each answer needs the warden.
	timeout 120 python3 - "$DIR/run/control" <<-'EOF2'
	import select, socket, sys
	def request(s, verb):
	    s.sendall(b'{"v":1,"verb":"%s"}\n' % verb)
	reload, other = [socket.socket(socket.AF_UNIX) for _ in range(2)]
	for s in reload, other:
	    s.connect(sys.argv[1])
	lines, answers = other.makefile("rb"), 0
	request(reload, b"reload")
	while True:
	    request(other, b"list")
	    lines.readline()
	    if select.select([reload], [], [], 0)[0]:
	        break
	    answers += 1
	print(answers, "answers during the reload")
	sys.exit(answers < 5)
	EOF2
	ask +short www.example.test A
	is_state www.example.test awake
	[ "$(jitsu --json status | jq .zones_failed)" -eq 8000 ]
}
