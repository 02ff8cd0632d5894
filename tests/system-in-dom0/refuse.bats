#!/usr/bin/env bats
# What cannot be started on a real Xen, and how it is said: run by scripts/xen-rig, in a dom0 that
# is thrown away.

load dom0

images() {
	image hello "ready = \"tcp:80\" $HELLO"
	image nokernel 'type = "pv" ready = "arp" kernel = "/etc/passwd"'
	image large "ready = \"arp\" ${HELLO/16M/1900M}"
	image noscript "ready = \"tcp:80\" vif-script = \"/bin/false\" $HELLO"
	image file "xl = \"hello.xl\" ready = \"arp\""
}
setup_file() { setup_dom0 hello nokernel large noscript file; }
write_conf_files() {
	printf 'type = "pvh"\nkernel = "%s"\nmemory = 16\n' "$BUILD/hello.elf" >"$DIR/hello.xl"
}
teardown_file() { teardown_dom0 refuse; }
teardown() { explain; }

# refused NAME TEXT: SERVFAIL with an extended error, the reason in show, and nothing left.
refused() {
	ask "$1.example.test" >/tmp/answer
	grep -q SERVFAIL /tmp/answer
	grep -q EDE /tmp/answer
	jitsu show "$1.example.test" >/tmp/shown
	grep -q -- "$2" /tmp/shown || { cat /tmp/shown; return 1; }
	wait_for 60 nothing_left
}

@test "a kernel that is none: SERVFAIL with EDE, libxl's words in show, nothing left" {
	refused nokernel 'libxl_dom.c'
}
@test "too little memory: SERVFAIL with EDE, the figures in show, nothing left" {
	refused large 'not enough memory'
}
@test "a hotplug script that fails: SERVFAIL with EDE, its name in show, nothing left" {
	refused noscript '/bin/false'
}

@test "a file system of libxl's that cannot be written: the reason in show; a next wake clears up" {
	mount --bind /var/lib/xen /var/lib/xen
	mount -o remount,bind,ro /var/lib/xen
	ask hello.example.test >/tmp/answer
	jitsu show hello.example.test >/tmp/shown
	xl list
	umount /var/lib/xen
	grep -q SERVFAIL /tmp/answer
	grep -q EDE /tmp/answer
	grep -q 'Read-only file system' /tmp/shown
	jitsu wake hello.example.test
	[ "$(domain_count)" -eq 1 ]
	jitsu sleep hello.example.test
	wait_for 10 nothing_left
}

# How many SYNs have gone through the bridge.
syns() { nft list chain bridge probes out | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

@test "while a domain is made it is not probed: other guests on the bridge would get these frames" {
	local after
	# A port that takes what is for nobody.
	ip link add port0 type veth peer name port1
	ip link set port0 master jitsu0 up
	ip link set port1 up
	nft -f - <<-N
	table bridge probes {
		chain out { type filter hook output priority 0; tcp flags syn counter; }
	}
	N
	jitsu wake noscript.example.test || true
	after=$(syns)
	jitsu wake hello.example.test
	jitsu sleep hello.example.test
	[ "$(syns)" -gt "$after" ]
	nft delete table bridge probes
	ip link del port0
	[ "$after" -eq 0 ]
	wait_for 60 nothing_left
}

@test "a bad xl file is refused with its line, when the configuration is checked and by a wake" {
	cp "$DIR/hello.xl" "$DIR/hello.xl.good"
	echo 'memory = many' >>"$DIR/hello.xl"
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	ask file.example.test >/tmp/answer
	jitsu show file.example.test >/tmp/shown
	mv "$DIR/hello.xl.good" "$DIR/hello.xl"
	[ "$status" -eq 1 ]
	[[ $output == *"hello.xl:4"* ]]
	grep -q SERVFAIL /tmp/answer
	grep -q 'hello.xl:4' /tmp/shown
	nothing_left
}

@test "a bridge that is gone: the wake fails and says so, nothing left" {
	ip link set jitsu0 down
	ip link set jitsu0 name elsewhere
	run jitsu wake hello.example.test
	ip link set elsewhere name jitsu0
	ip link set jitsu0 up
	[ "$status" -eq 1 ]
	[[ $output == *jitsu0* ]]
	nothing_left
}

# second_jitsud: as `sh -c "$1 exec jitsud"` in a mount namespace of its own; `jitsu` and `ask` of
# its own are $second and $second_ask.
second_jitsud() {
	local dir=/tmp/jitsu2
	rm -rf $dir
	mkdir -p $dir/run $dir/state
	sed "s#$DIR/run#$dir/run#; s#$DIR/state#$dir/state#; s/5300/5301/" "$DIR/jitsu.conf" \
	    >"$DIR/other.conf"
	unshare -m sh -c "$1 && exec $BUILD/jitsud -f -c $DIR/other.conf" >$dir/log 2>&1 3>&- 4>&- &
	echo $! >$dir/pid
	wait_for 60 "$BUILD/jitsu" -s $dir/run/control status
}
# no_xen TEXT: a wake says so, a query gets SERVFAIL with EDE, and the daemon serves what is no
# unit.
no_xen() {
	run "$BUILD/jitsu" -s /tmp/jitsu2/run/control wake hello.example.test
	dig @10.77.0.1 -p 5301 +tries=1 +time=20 hello.example.test >/tmp/answer
	dig @10.77.0.1 -p 5301 +tries=1 +time=20 +short ns.example.test >/tmp/served
	kill "$(cat /tmp/jitsu2/pid)"
	wait_for 60 gone "$(cat /tmp/jitsu2/pid)"
	[ "$status" -eq 1 ]
	[[ $output == *"$1"* ]] || { echo "$output"; return 1; }
	grep -q SERVFAIL /tmp/answer
	grep -q EDE /tmp/answer
	[ "$(cat /tmp/served)" = 10.77.0.1 ]
}

vif_on_bridge() { ip -o link show "vif$(domid_of hello).0" | grep -q 'master jitsu0'; }
hello_page() { page 10.77.0.10 | grep -q hello.example.test; }

@test "a bridge made again gets the vifs of domains back; a vif taken away ends its domain" {
	local first
	jitsu wake hello.example.test
	first=$(domid_of hello)
	ip link del jitsu0
	wait_for 60 grep -q 'hello.example.test: its VM cannot be reached: vif.*jitsu0' "$DIR/log"
	ip link add jitsu0 address 02:00:00:00:77:00 type bridge
	ip addr add 10.77.0.1/24 dev jitsu0
	ip link set jitsu0 up
	wait_for 60 vif_on_bridge
	wait_for 60 hello_page
	[ "$(domid_of hello)" = "$first" ]
	xl network-detach "$first" 0
	wait_for 120 grep -q 'hello.example.test.*its network interface vif.* was deleted' \
	    "$DIR/log"
	wait_for 120 nothing_left
	[ "$(ask +short hello.example.test)" = 10.77.0.10 ]
	hello_page
	jitsu sleep hello.example.test
	wait_for 60 nothing_left
}

@test "without /dev/xen the driver says so, and the daemon serves all the same" {
	second_jitsud "mount -t tmpfs none /dev/xen"
	no_xen '/dev/xen/privcmd: No such file or directory (modprobe xen-privcmd)'
}

@test "no permission for the hypervisor: the driver says so, and the daemon serves all the same" {
	second_jitsud "mount --bind /dev/xen /dev/xen && mount -o remount,bind,nodev /dev/xen"
	no_xen 'no permission for the hypervisor: /dev/xen/privcmd: Permission denied'
}

@test "no dom0: the driver says so, and the daemon serves all the same" {
	second_jitsud "mount -t tmpfs none /proc/xen"
	no_xen 'this is not Xen'
}
