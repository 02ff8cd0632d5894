#!/usr/bin/env bats
# xenvif: the hotplug helper of the Xen driver, in a network namespace and with a XenStore of our
# own; what libxl makes of it is for tests/system-in-dom0.

bats_require_minimum_version 1.5.0
BACKEND=backend/vif/7/0

setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root: a network namespace"
	HELPER=${BUILD:?}/jitsu-xen-vif
	[ -x "$HELPER" ] || skip "a build without Xen"
	DIR=$(mktemp -d)
	mkdir "$DIR/store"
	NS=jitsu-xenvif-$$
	ip netns add "$NS"
	python3 "$BATS_TEST_DIRNAME/lib/xenstore.py" "$DIR/socket" "$DIR/store" 3>&- &
	STORE=$!
	for ((i = 0; i < 1500; i++)); do [ ! -S "$DIR/socket" ] || break; sleep 0.02; done
	in_ns ip link add br0 address 02:00:00:00:77:00 type bridge
	in_ns ip link set br0 up
	in_ns ip tuntap add vif7.0 mode tap
	put bridge br0
}
teardown() {
	[ -z "${STORE:-}" ] || kill "$STORE"
	[ -z "${NS:-}" ] || ip netns del "$NS"
	[ -z "${DIR:-}" ] || rm -rf "$DIR"
}
# A new /sys, which shows the namespace's interfaces.
in_ns() { ip netns exec "$NS" "$@"; }
put() { printf %s "$2" >"$DIR/store/${BACKEND//\//%}%$1"; }
get() { cat "$DIR/store/${BACKEND//\//%}%$1"; }
helper() {
	in_ns env XENSTORED_PATH="$DIR/socket" XENBUS_PATH=$BACKEND vif="${VIF-vif7.0}" \
	    INTERFACE=vif7.0-emu timeout 60 "$HELPER" "$@"
}
mtu() { in_ns cat "/sys/class/net/$1/mtu"; }
is_port() { in_ns test -e "/sys/class/net/$1/brif/$2"; }

@test "online: the interface is up in its bridge, the status says so; offline takes it out" {
	helper online
	is_port br0 vif7.0
	in_ns ip link show vif7.0 | grep -q UP
	[ "$(get hotplug-status)" = connected ]
	helper online
	helper offline
	run ! is_port br0 vif7.0
}

@test "a device model's tap joins too, and says nothing about the vif" {
	in_ns ip tuntap add vif7.0-emu mode tap
	helper add type_if=tap
	is_port br0 vif7.0-emu
	[ ! -e "$DIR/store/backend%vif%7%0%hotplug-status" ]
}

@test "no bridge, another's port, no interface, a name too long: status 1, and libxl reads why" {
	put bridge nosuchbridge
	run helper online
	[ "$status" -eq 1 ]
	[ "$(get hotplug-status)" = error ]
	[[ "$(get hotplug-error)" == *"nosuchbridge: No such device"* ]]
	# Cut off, it would be br0's neighbour.
	in_ns ip link add bridge123456789 type bridge
	put bridge bridge1234567890
	run helper online
	[ "$status" -eq 1 ]
	run ! is_port bridge123456789 vif7.0
	in_ns ip link set vif7.0 master bridge123456789
	put bridge br0
	run helper online
	[ "$status" -eq 1 ]
	[[ "$(get hotplug-error)" == *"br0: Device or resource busy"* ]]
	VIF=vif8.0 run helper online
	[ "$status" -eq 1 ]
	rm "$DIR/store/backend%vif%7%0%bridge"
	run helper online
	[ "$status" -eq 1 ]
	[[ "$(get hotplug-error)" == *"no bridge in XenStore at $BACKEND"* ]]
}

@test "offline succeeds when the interface, the bridge, the key or XenStore is gone" {
	helper offline
	VIF=vif8.0 helper offline
	put bridge nosuchbridge
	helper remove
	rm "$DIR/store/backend%vif%7%0%bridge"
	helper offline
	kill "$STORE"
	STORE=
	rm "$DIR/socket"
	helper offline
}

@test "vifname renames the interface" {
	put vifname www
	helper online
	is_port br0 www
	in_ns ip link show www | grep -q UP
	run ! in_ns ip link show vif7.0
}

@test "a bridge with a large MTU keeps it: the interface takes it on" {
	in_ns ip tuntap add port mode tap
	in_ns ip link set port mtu 9000
	in_ns ip link set port master br0
	[ "$(mtu br0)" = 9000 ]
	helper online
	[ "$(mtu vif7.0)" = 9000 ]
	[ "$(mtu br0)" = 9000 ]
}

@test "wrong use is told" {
	run helper
	[ "$status" -eq 2 ]
	run helper sideways
	[ "$status" -eq 2 ]
	run in_ns env -u vif "$HELPER" online
	[ "$status" -eq 1 ]
	[[ $output == *"XENBUS_PATH and vif must be set"* ]]
}
