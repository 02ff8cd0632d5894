#!/usr/bin/env bats
# images: what an image may have: machines, CPUs, NICs, disks, initrd, arguments, accelerators, ways
# to stop; with hello and with Linux.

load lib/jitsu
load lib/shared

setup_file() {
	# Once for the file; several copies of the tests wait for each other in it.
	LINUX=$BUILD/tests/images
	LINUX_WHY=$("$BATS_TEST_DIRNAME/../../scripts/linux-guest" "$LINUX" 2>&1) ||
	    LINUX_WHY="no Linux image: ${LINUX_WHY:-linux-guest failed}"
	[ ! -s "$LINUX/vmlinuz" ] || LINUX_WHY=
	export LINUX LINUX_WHY
}
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

console() { jitsu console "$1"; }
says() { console "$1" | grep -q -- "$2"; }
cmdline_of() {
	tr '\0' ' ' <"/proc/$(pgrep -f -- "-uuid $(jitsu --json show "$1" | jq -r .uuid)")/cmdline"
}

linux() {
	[ -z "$LINUX_WHY" ] || skip "$LINUX_WHY"
	cp "$LINUX/vmlinuz" "$LINUX/initrd.gz" "$DIR/"
}
# linux_image NAME MACHINE [LINES] [CMDLINE-MORE]
linux_image() {
	local guest="name={name} ip={address}/{prefixlen} gw={gateway}"
	cat <<-EOF2
	image "$1" {
		kernel = "vmlinuz"
		initrd = "initrd.gz"
		machine = "$2"
		memory = "128M"
		network = "lan"
		ready = "tcp:80"
		accel = "$ACCEL"
		boot-timeout = "90s"
		cmdline = "console=ttyS0 quiet $guest ${4:-}"
		${3:-}
	}
	EOF2
}
second_bridge() {
	ip -n "$NS" link add jitsu1 type bridge
	ip -n "$NS" link set jitsu1 up
}

# bats test_tags=kvm
@test "the image \"linux\" of config/jitsu.conf boots, answers, and is shut down" {
	linux
	local sample
	sample=$(sed -n '/^# image "linux" {/,/^# }/s/^# \{0,1\}//p' \
	    "$BATS_TEST_DIRNAME/../../config/jitsu.conf" |
	    sed 's|"/usr/local/share/jitsu/linux/|"|; s/boot-timeout = "60s"/boot-timeout = "120s"/
	        s/stop-timeout = "5s"/stop-timeout = "60s"/')
	[[ "$sample" == *'kernel       = "vmlinuz"'* ]]
	CONF_MORE=${sample/\{/\{ accel = \"$ACCEL\"} write_conf
	write_zone 'lin A 10.77.0.30' '_jitsu.lin TXT "image=linux"'
	start_jitsud
	jitsu wake lin.example.test
	[ "$(ask +short lin.example.test A)" = 10.77.0.30 ]
	in_ns curl -sS --max-time 60 http://10.77.0.30/cgi-bin/index.cgi |
	    grep -q '<h1>lin.example.test</h1>'
	jitsu sleep lin.example.test
	run grep 'lin.example.test.*destroyed instead' "$DIR/log"
	[ "$status" -eq 1 ]
}

# bats test_tags=kvm
@test "vcpus, arguments, a second NIC, the console" {
	second_bridge
	CONF_MORE='network "second" { bridge = "jitsu1" }
	image "rich" {
		kernel = "hello.elf" memory = "32M" network = "lan" ready = "tcp:80"
		accel = "'"$ACCEL"'" vcpus = 2 nics = { "second" }
		args = { "-fw_cfg", "name=opt/jitsu,string={name}" }
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}"
	}' write_conf
	write_zone 'rich A 10.77.0.30' '_jitsu.rich TXT "image=rich"'
	start_jitsud
	[ "$(ask +short rich.example.test A)" = 10.77.0.30 ]
	in_ns curl -s --max-time 30 http://10.77.0.30/ | grep -q rich.example.test
	args=$(cmdline_of rich.example.test)
	[[ "$args" == *" -smp 2 "* && "$args" == *" -m 32M "* &&
	    "$args" == *"-fw_cfg name=opt/jitsu,string=rich.example.test"* ]]
	[[ "$args" == *"-sandbox on"* ]]
	[ "$(taps | grep -c "master jitsu0")" -eq 1 ]
	[ "$(ip -n "$NS" -o link show master jitsu1 | wc -l)" -eq 1 ]
	[ -n "$(console rich.example.test)" ]
	jitsu sleep rich.example.test
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(taps)" ]
}

# bats test_tags=kvm
@test "stop=shutdown: a machine without a power button is destroyed at once, and the log says so" {
	CONF_MORE='image "none" {
		kernel = "hello.elf" memory = "16M" network = "lan" ready = "tcp:80"
		accel = "'"$ACCEL"'" stop = "shutdown" stop-timeout = "50s"
		cmdline = "name={name} ip={address}/{prefixlen}"
	}' write_conf
	write_zone 'none A 10.77.0.31' '_jitsu.none TXT "image=none"'
	start_jitsud
	jitsu wake none.example.test
	run timeout 40 "$BUILD/jitsu" -s "$DIR/run/control" sleep none.example.test
	[ "$status" -eq 0 ]
	grep -q "none.example.test: this machine has no power button" "$DIR/log"
	[ "$(qemu_count)" -eq 0 ]
	[ "$(jitsu --json status | jq .counters.crashes)" -eq 0 ]
}

@test "accel=auto says which it took; accel=kvm without a usable KVM fails with the reason" {
	CONF_MORE="$(printf 'image "auto" {
		kernel = "hello.elf" memory = "16M" network = "lan" ready = "tcp:80"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}" }\n')
	$(printf 'image "kvm" { kernel = "hello.elf" memory = "16M" network = "lan" ready = "tcp:80"
		accel = "kvm" backoff-min = "1m"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}" }\n')" write_conf
	write_zone 'auto A 10.77.0.30' '_jitsu.auto TXT "image=auto" "hold=20s"' \
	    'kvm A 10.77.0.31' '_jitsu.kvm TXT "image=kvm" "hold=10s"'
	# Without a KVM, whatever this machine has.
	(exec unshare -m --propagation private sh -c '
		[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
		exec ip netns exec "$1" "$2" -f -c "$3"' \
		    sh "$NS" "$BUILD/jitsud" "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 serves
	[ "$(ask +short +time=20 auto.example.test A)" = 10.77.0.30 ]
	[ "$(jitsu --json show auto.example.test | jq -r .accel)" = tcg ]
	jitsu show auto.example.test | grep -q tcg
	grep -qi kvm "$DIR/log"
	run ask +time=15 kvm.example.test A
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 0 "* ]]
	[[ "$(jitsu --json show kvm.example.test | jq -r .last_error)" == *[Kk][Vv][Mm]* ]]
	is_state auto.example.test awake
}

@test "KVM, where a VM can be started with it" {
	[ -e /dev/kvm ] || skip "no /dev/kvm"
	CONF_MORE="$(for accel in kvm auto; do
		echo "image \"$accel\" { kernel = \"hello.elf\" memory = \"16M\" network = \"lan\""
		echo "ready = \"tcp:80\" accel = \"$accel\""
		echo 'cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}" }'
	done)" write_conf
	write_zone 'kvm A 10.77.0.30' '_jitsu.kvm TXT "image=kvm" "hold=20s"' 'auto A 10.77.0.31' \
	    '_jitsu.auto TXT "image=auto" "hold=20s"'
	# A node that the VMs' user may use, for this daemon alone.
	(exec unshare -m --propagation private sh -c 'set -e
		mount -t tmpfs -o mode=755,dev none /mnt
		mknod -m 660 /mnt/kvm c 10 232
		chgrp "$4" /mnt/kvm
		mount --bind /mnt/kvm /dev/kvm
		exec ip netns exec "$1" "$2" -f -c "$3"' \
		    sh "$NS" "$BUILD/jitsud" "$DIR/jitsu.conf" "$(id -g jitsu-vm)" \
		    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 serves
	run jitsu wake kvm.example.test
	[ "$status" -eq 0 ] || skip \
	    "KVM starts no VM here: $(jitsu --json show kvm.example.test | jq -r .last_error)"
	[ "$(jitsu --json show kvm.example.test | jq -r .accel)" = kvm ]
	[[ "$(cmdline_of kvm.example.test)" == *"-accel kvm"* ]]
	in_ns curl -s --max-time 30 http://10.77.0.30/ | grep -q kvm.example.test
	jitsu show kvm.example.test | grep -q "(qemu, kvm)"
	run jitsu sleep kvm.example.test
	[ "$status" -eq 0 ]
	# auto takes KVM where it is whole; where it takes emulation it says why.
	[ "$(ask +short +time=20 auto.example.test A)" = 10.77.0.31 ]
	took=$(jitsu --json show auto.example.test | jq -r .accel)
	[ "$took" = kvm ] || grep -q \
	    "accel = auto takes tcg (emulation), because KVM does not work here: " "$DIR/log"
}

# bats test_tags=kvm
@test "Linux on microvm: initrd, CPUs, NICs, disks raw, qcow2 and overlay; the power button" {
	linux
	second_bridge
	# Three disks: a raw one that is read, a qcow2, and a raw one under each unit's overlay.
	printf 'raw-disk' >"$DIR/raw.img"
	truncate -s 1M "$DIR/raw.img"
	printf 'qcow2-disk' >"$DIR/plain.img"
	truncate -s 2M "$DIR/plain.img"
	qemu-img convert -O qcow2 "$DIR/plain.img" "$DIR/q.qcow2"
	chmod 644 "$DIR"/*.img "$DIR/q.qcow2"
	sum=$(cat "$DIR/raw.img" "$DIR/q.qcow2" | sha256sum)
	CONF_MORE="network \"second\" { bridge = \"jitsu1\" }
	$(linux_image linux microvm 'vcpus = 2 nics = { "second" } overlay = yes
		stop = "shutdown" stop-timeout = "30s"
		disks = { "raw.img", "q.qcow2,format=qcow2,readonly" }' \
		'write=from-{name}')" write_conf
	write_zone 'lin A 10.77.0.30' '_jitsu.lin TXT "image=linux" "hold=30s"'
	start_jitsud
	run jitsu wake lin.example.test
	[ "$status" -eq 0 ]
	in_ns curl -s --max-time 30 http://10.77.0.30/ | grep -q lin.example.test
	# The kernel hands it to the port byte by byte, after init has gone on.
	wait_for 30 says lin.example.test "jitsu-linux: up"
	says lin.example.test "lin.example.test: cpus=2"
	mac=$(jitsu --json show lin.example.test | jq -r .mac)
	says lin.example.test "nic eth0 $mac"
	says lin.example.test "nic eth1"
	says lin.example.test "disk vda sectors=2048 ro=0 begins=raw-disk"
	says lin.example.test "disk vdb sectors=4096 ro=1 begins=qcow2-disk"
	says lin.example.test "wrote from-lin"
	run jitsu sleep lin.example.test
	[ "$status" -eq 0 ]
	[ "$(qemu_count)" -eq 0 ]
	# The guest heard the button, and the deadline was not needed.
	jitsu --json console lin.example.test | jq -r .text | grep -q "power button"
	# What the guest wrote is in its overlay, and stays.
	[ "$(cat "$DIR/raw.img" "$DIR/q.qcow2" | sha256sum)" = "$sum" ]
	run jitsu wake lin.example.test
	[ "$status" -eq 0 ]
	says lin.example.test "disk vda sectors=2048 ro=0 begins=from-lin"
}

@test "Linux on q35: a raw disk is written to, it powers off, a guest that does not hear is ended" {
	linux
	printf 'old' >"$DIR/data.img"
	truncate -s 1M "$DIR/data.img"
	chmod 666 "$DIR/data.img"
	CONF_MORE="$(linux_image linux q35 'disks = { "data.img" }
		stop = "shutdown" stop-timeout = "60s"' write=new-text)
	$(linux_image deaf q35 'stop = "shutdown" stop-timeout = "1s"' deaf=1)" write_conf
	write_zone 'lin A 10.77.0.30' '_jitsu.lin TXT "image=linux"' 'deaf A 10.77.0.31' \
	    '_jitsu.deaf TXT "image=deaf"'
	start_jitsud
	jitsu wake deaf.example.test >"$DIR/deaf" &
	deaf=$!
	run jitsu wake lin.example.test
	[ "$status" -eq 0 ]
	in_ns curl -s --max-time 30 http://10.77.0.30/ | grep -q lin.example.test
	[[ "$(cmdline_of lin.example.test)" == *"-machine q35"* ]]
	says lin.example.test "disk vda sectors=2048 ro=0 begins=old"
	begin=$SECONDS
	run jitsu sleep lin.example.test
	[ "$status" -eq 0 ]
	[ $((SECONDS - begin)) -lt 50 ]
	console lin.example.test | grep -q "power button"
	[ "$(head -c 8 "$DIR/data.img")" = new-text ]
	wait $deaf
	begin=${EPOCHREALTIME/./}
	run jitsu sleep deaf.example.test
	[ "$status" -eq 0 ]
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	[ $took -ge 950 ]
	[ $took -lt 30000 ]
	[ "$(jitsu --json status | jq .counters.crashes)" -eq 0 ]
	[ "$(qemu_count)" -eq 0 ]
}
