#!/usr/bin/env bats
# standby: QEMUs that are started ahead of wakes: a unit's own, machines for saved states, and those
# that become any VM.

load lib/jitsu
setup_file() {
	# Once for the file; several copies of the tests wait for each other in it.
	LINUX=$BUILD/tests/images
	LINUX_WHY=$("$BATS_TEST_DIRNAME/../../scripts/linux-guest" "$LINUX" 2>&1) ||
	    LINUX_WHY="no Linux image: ${LINUX_WHY:-linux-guest failed}"
	[ ! -s "$LINUX/vmlinuz" ] || LINUX_WHY=
	export LINUX LINUX_WHY
}
setup() {
	setup_jitsu
	conf
}
# conf: as write_conf; other tests may make memory scarce meanwhile, and then nothing waits.
conf() {
	CONF_TOP="${CONF_TOP:-} limits { memory-pressure = 0% ${LIMITS:-} }" write_conf
}
teardown() { teardown_jitsu; }

in_list() { jitsu --json list | jq -r ".[] | select(.name == \"$1\") | $2"; }
limit() { jitsu --json status | jq -r ".limits.$1.used"; }
is_limit() { [ "$(limit "$1")" = "$2" ]; }
stands_by() { [ "$(in_list "$1" .standby)" = true ]; }
not_by() { [ "$(in_list "$1" .standby)" = false ]; }
serves_page() { in_ns curl -s -m 15 "http://$1/" | grep -q "$2"; }
pid_of() { jitsu --json show "$1" | jq .pid; }
# waiting: pids of QEMUs that wait for their use.
waiting() {
	local d
	for d in "$DIR"/run/vm/*/waits; do
		[ ! -e "$d" ] || cut -d' ' -f1 "${d%waits}pid" 2>/dev/null || true
	done
}
# says PID WORDS: they stand on its command line.
says() { tr '\0' ' ' <"/proc/$1/cmdline" | grep -q -- "$2"; }
# nothing_else N: there are N QEMUs, taps and directories, and no more.
nothing_else() {
	[ "$(qemu_count)" -eq "$1" ] && [ "$(find "$DIR/run/vm" -mindepth 1 -maxdepth 1 |
	    wc -l)" -eq "$1" ]
}

# bats test_tags=kvm
@test "a unit on standby wakes into the VM that waited for it, and stands by again when it sleeps" {
	HELLO_CONF='standby = 1' conf
	write_zone "$(more_units 2)"
	start_jitsud
	# Nobody has used any: the first of the configuration.
	wait_for 30 stands_by www.example.test
	not_by u1.example.test
	[ "$(qemu_count)" -eq 1 ]
	pid=$(waiting)
	jitsu list | grep -q '^www.example.test  *dormant (standby) .*MiB'
	jitsu show www.example.test | grep -q '^state *dormant (standby)$'
	jitsu show www.example.test | grep -q '^memory *16 MiB, takes .*MiB now$'
	jitsu status | grep -q '^standby  *1  *1$'
	# It is on no bridge, and its MAC is not behind it.
	[ -z "$(in_ns ip -o link show master jitsu0 | grep ' jt[0-9a-f]')" ]
	ask +short www.example.test A | grep -qx 10.77.0.10
	[ "$(pid_of www.example.test)" = "$pid" ]
	[ "$(waiting)" = "" ] || [ "$(waiting)" != "$pid" ]
	serves_page 10.77.0.10 www.example.test
	in_list www.example.test .memory_now | grep -qE '^[0-9]{7,}$'
	# Its place is another's while it is awake, and its own when it has gone to sleep.
	wait_for 30 stands_by u1.example.test
	jitsu sleep www.example.test
	wait_for 30 stands_by www.example.test
	wait_for 30 not_by u1.example.test
	wait_for 30 nothing_else 1
	ask +short www.example.test A | grep -qx 10.77.0.10
	serves_page 10.77.0.10 www.example.test
	# Told to end, jitsud leaves VMs, and none that wait.
	stop_jitsud TERM
	[ "$(qemu_count)" -eq 1 ]
	nothing_else 1
}

@test "standby is a key of mappings; a reload ends what is not wanted and makes what is" {
	WWW_KEYS='standby=yes' write_zone "$(more_units 1)"
	start_jitsud
	wait_for 30 stands_by www.example.test
	not_by u1.example.test
	pid=$(waiting)
	# Nothing changed for it: the same process waits on.
	SERIAL=2 WWW_KEYS='standby=yes' write_zone "$(more_units 2)"
	jitsu reload
	sleep 1     # in which nothing may happen
	[ "$(waiting)" = "$pid" ]
	# Less memory: another one.
	SERIAL=3 WWW_KEYS='standby=yes memory=8M' write_zone "$(more_units 2)"
	jitsu reload
	was_replaced() { [ "$(waiting | wc -w)" -eq 1 ] && [ "$(waiting)" != "$pid" ]; }
	wait_for 30 was_replaced
	ask +short www.example.test A | grep -qx 10.77.0.10
	[ "$(jitsu --json show www.example.test | jq .memory)" -eq 8388608 ]
	jitsu sleep www.example.test
	wait_for 30 stands_by www.example.test
	# A kernel that was replaced boots, although the VM that waits has the old one.
	pid=$(waiting)
	cp "$BUILD/hello.elf" "$DIR/new" && mv "$DIR/new" "$DIR/hello.elf"
	ask +short www.example.test A | grep -qx 10.77.0.10
	[ "$(pid_of www.example.test)" != "$pid" ]
	serves_page 10.77.0.10 www.example.test
	run kill -0 "$pid"
	[ "$status" -ne 0 ]
	jitsu sleep www.example.test
	wait_for 30 stands_by www.example.test
	SERIAL=4 write_zone
	jitsu reload
	wait_for 30 nothing_else 0
	not_by www.example.test
}

@test "errors of standby are named with file, line and what is accepted" {
	printf '%s\n' '_jitsu.www TXT "standby=maybe"' >>"$DIR/example.zone"
	HELLO_ARGS='id={uuid}' HELLO_CONF='standby = 1' conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -ne 0 ]
	[[ "$output" == *'jitsu.conf:'*'standby: image "hello" uses {uuid}'* ]]
	HELLO_ARGS='id={uuid}' conf
	WWW_KEYS='standby=yes' write_zone
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[[ "$output" == *'example.zone:'*'standby=yes: image "hello" uses {uuid}'* ]]
	conf
	WWW_KEYS='standby=3' write_zone
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[[ "$output" == *'example.zone:'*'standby:'* ]]
	HELLO_CONF='standby = 1001' conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[[ "$output" == *'jitsu.conf:'*'standby'*1000* ]]
	CONF_TOP='pool = -1' HELLO_CONF='' conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[[ "$output" == *'jitsu.conf:'*'pool'* ]]
}

# bats test_tags=kvm
@test "saved units of one image are restored into machines of the pool" {
	CONF_TOP='pool = 1' HELLO_CONF='sleep = "save"' conf
	write_zone "$(more_units 2)"
	start_jitsud
	for i in 1 2; do
		ask +short "u$i.example.test" A | grep -qx "10.77.0.$((19 + i))"
		jitsu sleep "u$i.example.test"
	done
	for i in 1 2; do
		wait_for 30 is_pool restore
		pid=$(waiting)
		ask +short "u$i.example.test" A | grep -qx "10.77.0.$((19 + i))"
		[ "$(pid_of "u$i.example.test")" = "$pid" ]
		serves_page "10.77.0.$((19 + i))" "u$i.example.test"
		in_ns ip neigh flush dev jitsu0
		in_ns ping -c1 -W5 "10.77.0.$((19 + i))" >/dev/null
		[ "$(in_ns ip -j neigh show "10.77.0.$((19 + i))" | jq -r '.[].lladdr')" = \
		    "$(jitsu --json show "u$i.example.test" | jq -r .mac)" ]
	done
	# What was restored is a VM like any other for the next jitsud.
	pids=$(pid_of u1.example.test)
	stop_jitsud KILL
	start_jitsud
	[ "$(pid_of u1.example.test)" = "$pids" ]
	jitsu sleep u1.example.test
	[ "$(state_of u1.example.test)" = saved ]
	ask +short u1.example.test A | grep -qx 10.77.0.20
	serves_page 10.77.0.20 u1.example.test
	[ "$(grep -c 'could not be used' "$DIR/log")" -eq 0 ]
}
# is_pool WHAT: one process waits, and is ready, for a state or for its configuration.
is_pool() {
	local pid
	pid=$(waiting)
	[[ "$pid" =~ ^[0-9]+$ ]] && is_limit pool 1 || return 1
	case $1 in
	restore) says "$pid" '-incoming defer' ;;
	boot) says "$pid" '-readconfig' ;;
	esac
}

@test "any unit boots from the pool, and is adopted, saved and restored like any other" {
	CONF_TOP='pool = 1' HELLO_CONF='sleep = "save"' conf
	write_zone "$(more_units 2)"
	start_jitsud
	wait_for 30 is_pool boot
	jitsu status | grep -q '^pool  *1  *1$'
	pid=$(waiting)
	ask +short u2.example.test A | grep -qx 10.77.0.21
	[ "$(pid_of u2.example.test)" = "$pid" ]
	serves_page 10.77.0.21 u2.example.test
	wait_for 30 is_pool boot
	stop_jitsud KILL
	start_jitsud
	[ "$(pid_of u2.example.test)" = "$pid" ]
	[ "$(state_of u2.example.test)" = awake ]
	jitsu sleep u2.example.test
	[ "$(state_of u2.example.test)" = saved ]
	ask +short u2.example.test A | grep -qx 10.77.0.21
	serves_page 10.77.0.21 u2.example.test
	[ "$(grep -c 'could not be used' "$DIR/log")" -eq 0 ]
	CONF_TOP='pool = 0' conf
	jitsu reload
	wait_for 30 nothing_else 1
}

@test "jitsud is killed at any moment: what waits is kept or ended, and nothing is left of it" {
	CONF_TOP='pool = 2' HELLO_CONF='standby = 1' conf
	write_zone "$(more_units 3)"
	start_jitsud
	wait_for 30 stands_by www.example.test
	wait_for 30 is_limit pool 2
	pid=$(for p in $(waiting); do if says "$p" ' -S '; then echo "$p"; fi; done)
	stop_jitsud KILL
	start_jitsud
	# The unit's own VM waits on.
	wait_for 30 stands_by www.example.test
	kill -0 "$pid"
	ask +short www.example.test A | grep -qx 10.77.0.10
	[ "$(pid_of www.example.test)" = "$pid" ]
	# While they are made, and while one becomes a VM.
	for i in 1 2 3 4 5 6; do
		ask +short +time=1 "u$((i % 3 + 1)).example.test" A >/dev/null 2>&1 3>&- &
		ask=$!
		sleep "0.0$i"
		stop_jitsud KILL
		start_jitsud
		wait "$ask" || true
	done
	for i in 1 2 3; do
		ask +short "u$i.example.test" A | grep -qx "10.77.0.$((19 + i))"
		serves_page "10.77.0.$((19 + i))" "u$i.example.test"
	done
	CONF_TOP='pool = 0' conf
	jitsu reload
	wait_for 30 nothing_else 4
	for i in 1 2 3; do jitsu sleep "u$i.example.test"; done
	jitsu sleep www.example.test
	wait_for 30 nothing_else 0
	[ -z "$(in_ns ip -o link show type tun | grep ' jt[0-9a-f]')" ]
}

@test "on-exit = stop leaves nothing; one that ends is made again; memory that is wanted is left" {
	CONF_TOP='on-exit = "stop" pool = 1' HELLO_CONF='standby = 1' conf
	start_jitsud
	wait_for 30 stands_by www.example.test
	pid=$(waiting)
	# shellcheck disable=SC2086
	kill -9 $pid
	not_those() { ! stands_by www.example.test || [ "$(waiting)" != "$pid" ]; }
	wait_for 30 not_those
	wait_for 30 stands_by www.example.test
	# As much as limits.memory leaves free.
	CONF_TOP='on-exit = "stop" pool = 1' LIMITS='memory = 17M' \
	    HELLO_CONF='standby = 1' conf
	ask +short www.example.test A | grep -qx 10.77.0.10
	jitsu reload
	wait_for 30 nothing_else 1
	stop_jitsud TERM
	nothing_else 0
}

# linux_image NAME MACHINE LINES
linux_image() {
	cat <<-EOF2
	image "$1" {
		kernel = "vmlinuz"
		initrd = "initrd.gz"
		machine = "$2"
		memory = "128M"
		network = "lan"
		ready = "tcp:80"
		accel = "$ACCEL"
		hold = 30s
		boot-timeout = "90s"
		cmdline = "console=ttyS0 quiet name={name} ip={address}/{prefixlen} gw={gateway}"
		$3
	}
	EOF2
}

@test "Linux boots and goes on from the pool, on either machine, and from standby" {
	[ -z "$LINUX_WHY" ] || skip "$LINUX_WHY"
	cp "$LINUX/vmlinuz" "$LINUX/initrd.gz" "$DIR/"
	CONF_TOP='pool = 1' CONF_MORE="$(linux_image micro microvm 'sleep = "save"')
	    $(linux_image q35 q35 'sleep = "save"') $(linux_image st q35 'standby = 1')" conf
	write_zone 'm A 10.77.0.30' '_jitsu.m TXT "image=micro"' 'q A 10.77.0.31' \
	    '_jitsu.q TXT "image=q35"' 's A 10.77.0.32' '_jitsu.s TXT "image=st"'
	start_jitsud
	wait_for 30 stands_by s.example.test
	for u in m:30 q:31; do
		name=${u%:*}.example.test address=10.77.0.${u#*:}
		wait_for 60 one_says -readconfig
		pids=$(waiting)
		ask +time=60 +short "$name" A | grep -qx "$address"
		[[ " ${pids//$'\n'/ } " == *" $(pid_of "$name") "* ]]
		serves_page "$address" "$name"
		jitsu sleep "$name"
		[ "$(state_of "$name")" = saved ]
		# It was used last, so what waits now is for its state.
		wait_for 30 one_says '-incoming defer'
		pids=$(waiting)
		ask +time=60 +short "$name" A | grep -qx "$address"
		[[ " ${pids//$'\n'/ } " == *" $(pid_of "$name") "* ]]
		serves_page "$address" "$name"
	done
	pids=$(waiting)
	ask +time=60 +short s.example.test A | grep -qx 10.77.0.32
	[[ " ${pids//$'\n'/ } " == *" $(pid_of s.example.test) "* ]]
	serves_page 10.77.0.32 s.example.test
	[ "$(grep -c 'could not be used\|of no use' "$DIR/log")" -eq 0 ]
}
# one_says WORDS: the one of the pool is ready, and has them on its command line.
one_says() {
	local pid
	is_limit pool 1 || return 1
	for pid in $(waiting); do
		! says "$pid" "$1" || return 0
	done
	return 1
}
