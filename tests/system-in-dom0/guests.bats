#!/usr/bin/env bats
# Kinds of guests and their devices on a real Xen: run by scripts/xen-rig, in a dom0 that is thrown
# away.

load dom0

images() {
	local shutdown='ready = "xenstore:data/ready" stop = "shutdown" stop-timeout = "60s"'
	image linux "$shutdown nics = { \"second\" }
	    disks = { \"$DIR/disk.img\", \"$DIR/fixed.img,readonly\" } $LINUX"
	image kept "ready = \"xenstore:data/ready\" sleep = \"save\" $LINUX"
	image overlaid "$shutdown overlay = yes disks = { \"$DIR/base.qcow2,format=qcow2\" } $LINUX"
	image file 'xl = "hello.xl" ready = "tcp:80"
	    cmdline = "name={name} ip={address}/{prefixlen}"'
	image script "ready = \"tcp:80\" vif-script = \"$DIR/script\" $HELLO"
	image hvm 'type = "hvm" ready = "xenstore:name" memory = "64M"
	    kernel = "/work/guest/vmlinuz" initrd = "/work/guest/initrd.gz"'
}
setup_file() { setup_dom0 linux file script hvm kept overlaid; }
write_conf_files() {
	truncate -s 1M "$DIR/disk.img"
	truncate -s 1M "$DIR/fixed.img"
	printf 'text on the disk\n' | dd of="$DIR/disk.img" conv=notrunc status=none
	qemu-img convert -O qcow2 "$DIR/disk.img" "$DIR/base.qcow2"
	printf '#!/bin/sh\necho "$vif $*" >>%s/script.log\nexec %s "$@"\n' "$DIR" "$HELPER" \
	    >"$DIR/script"
	chmod 755 "$DIR/script"
	cat >"$DIR/hello.xl" <<-C
	name = "whatever"
	type = "pvh"
	kernel = "$BUILD/hello.elf"
	memory = 24
	vcpus = 2
	extra = "name=replaced ip=10.77.0.250/24"
	vif = [ 'mac=00:16:3e:11:22:33,bridge=nosuchbridge,rate=10Mb/s', \
	    'mac=00:16:3e:11:22:34,bridge=jitsu1' ]
	disk = [ '$DIR/fixed.img,raw,xvda,r' ]
	on_crash = "destroy"
	C
}
teardown_file() { teardown_dom0 guests; }
teardown() { explain; }

@test "a PV guest ready by a XenStore key is ready again when restored, though it writes no key" {
	jitsu wake kept.example.test
	[ "$(page 10.77.0.14)" = "hello from kept.example.test" ]
	jitsu sleep kept.example.test
	is_state kept saved
	[ "$(ask +short kept.example.test)" = 10.77.0.14 ]
	[ "$(page 10.77.0.14)" = "hello from kept.example.test" ]
	xl destroy "$(domid_of kept)"
	wait_for 30 is_state kept dormant
	wait_for 60 nothing_left
}

# The guest's kernel hands its lines on after init has gone on.
says() { jitsu console "$1.example.test" | grep -q -- "$2"; }
# ports BRIDGE: those of guests; one is the sentinel's.
ports() {
	bridge_ports=(/sys/class/net/"$1"/brif/*)
	basename -a "${bridge_ports[@]}" | grep -v '^jtp'
}

@test "a PV guest with two NICs and disks: reads, writes, is ready by a XenStore key, shuts down" {
	local id
	jitsu wake linux.example.test
	id=$(domid_of linux)
	[ "$(store linux data/ready)" = 1 ]
	[ "$(page 10.77.0.10)" = "hello from linux.example.test" ]
	wait_for 30 says linux 'linux.example.test is up, 2 NICs, disk: text on the disk'
	[ "$(ports jitsu0)" = "vif$id.0" ]
	[ "$(ports jitsu1)" = "vif$id.1" ]
	[ "$(xenstore-read "/local/domain/$id/device/vif/0/mac")" != \
	    "$(xenstore-read "/local/domain/$id/device/vif/1/mac")" ]
	[ "$(xenstore-read "/local/domain/0/backend/vbd/$id/51728/mode")" = r ]
	jitsu sleep linux.example.test
	is_state linux dormant
	run grep -c 'linux.example.test.*destroyed instead' "$DIR/log"
	[ "$output" = 0 ]
	[ "$(dd if="$DIR/disk.img" bs=512 skip=1 count=1 status=none | head -1)" = \
	    "the guest was here" ]
	wait_for 60 nothing_left
}

@test "an xl.cfg file with disks and NICs in xl's syntax; the image's own keys override it" {
	local id
	[ "$(ask +short file.example.test)" = 10.77.0.11 ]
	page 10.77.0.11 | grep -q 'Hello from file.example.test'
	id=$(domid_of file)
	jitsu show file.example.test | grep -q 'memory .*24 MiB'
	[ "$(ports jitsu0)" = "vif$id.0" ]
	[ "$(ports jitsu1)" = "vif$id.1" ]
	[ "$(xenstore-read "/local/domain/$id/device/vif/1/mac")" = 00:16:3e:11:22:34 ]
	[ "$(xenstore-read "/local/domain/$id/device/vif/0/mac")" != 00:16:3e:11:22:33 ]
	xenstore-read "/local/domain/0/backend/vif/$id/0/rate"
	[ "$(xenstore-read "/local/domain/0/backend/vbd/$id/51712/params")" = "$DIR/fixed.img" ]
	[ "$(xenstore-list "/local/domain/$id/cpu" | wc -l)" -eq 2 ]
	jitsu sleep file.example.test
	wait_for 60 nothing_left
}

@test "vif-script names another script, which sees the domain come and go" {
	jitsu wake script.example.test
	grep -q '^vif.*\.0 online' "$DIR/script.log"
	jitsu sleep script.example.test
	grep -q '^vif.*\.0 offline' "$DIR/script.log"
	nothing_left
}

@test "overlay=yes on a qcow2 disk: what a guest writes is there again; the disk below stays" {
	local sum
	sum=$(sha256sum <"$DIR/base.qcow2")
	jitsu wake overlaid.example.test
	[ "$(page 10.77.0.15)" = "hello from overlaid.example.test" ]
	wait_for 30 says overlaid 'overlaid.example.test is up, 1 NICs, disk: text on the disk' || {
		jitsu console overlaid.example.test
		return 1
	}
	jitsu sleep overlaid.example.test
	qemu-img dd -O raw bs=512 count=2 if="$DIR/state/overlay/overlaid.example.test.0.qcow2" \
	    of=/tmp/sectors
	grep -a -q 'the guest was here' /tmp/sectors
	jitsu wake overlaid.example.test
	jitsu sleep overlaid.example.test
	[ "$(sha256sum <"$DIR/base.qcow2")" = "$sum" ]
	wait_for 60 nothing_left
}

no_model() { [ -z "$(pgrep -f xen-qemu-system)" ]; }

@test "an HVM guest has its device model, and no VNC port; it goes with the domain" {
	jitsu wake hvm.example.test
	[ "$(xenstore-read "/libxl/$(domid_of hvm)/type")" = hvm ]
	[ "$(ps -o ni= -p "$(pgrep -f xen-qemu-system)")" -eq 0 ]
	[ -z "$(ss -Hltn 'sport >= 5900 and sport <= 5999')" ]
	[ "$(ports jitsu0 | wc -l)" -eq 2 ]
	jitsu sleep hvm.example.test
	wait_for 60 no_model
	wait_for 60 nothing_left
}

@test "an HVM guest without a device model on the host: SERVFAIL, and the reason in show" {
	mv /usr/libexec/xen-qemu-system-i386 /usr/libexec/elsewhere
	ask hvm.example.test >/tmp/answer
	mv /usr/libexec/elsewhere /usr/libexec/xen-qemu-system-i386
	grep -q SERVFAIL /tmp/answer
	jitsu show hvm.example.test >/tmp/shown
	grep -q '/usr/libexec/xen-qemu-system-i386' /tmp/shown || { cat /tmp/shown; return 1; }
	wait_for 60 nothing_left
}
