# hello.bash: the hello image in a QEMU of its own, without jitsud: network namespace, bridge, tap,
# and their removal.
#
# setup_hello makes $NS and $DIR; start_hello boots the image and returns at its first echo reply;
# teardown_hello ends what was started.  Nothing outside $NS and $DIR is touched, so copies of a
# test can run side by side.  JITSU_ACCEL and JITSU_SLOW are as in jitsu.bash.

BUILD=${JITSU_BUILD:-$BATS_TEST_DIRNAME/../../build}
SLOW=${JITSU_SLOW:-1}
# shellcheck source=tests/system/lib/wait.bash
. "${BASH_SOURCE[0]%/*}/wait.bash"
HELLO4=10.77.0.10
HELLO6=fd77::a:1
HELLO_MAC=52:54:00:12:34:56

in_ns() { nsenter --net="/run/netns/$NS" "$@"; }

setup_hello() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces and taps"
	[ -e /dev/net/tun ] || skip "no /dev/net/tun"
	[ -e "$BUILD/hello.elf" ] || skip "no $BUILD/hello.elf"
	NS=hello-$$-$BATS_TEST_NUMBER
	DIR=$(mktemp -d /tmp/hello-test.XXXXXX)
	HELLO=
	ip netns add "$NS"
	ip -n "$NS" link set lo up
	ip -n "$NS" link add br0 address 02:00:00:00:77:01 type bridge
	ip -n "$NS" addr add 10.77.0.1/24 dev br0
	ip -n "$NS" addr add fd77::1/64 dev br0 nodad
	ip -n "$NS" link set br0 up
	ip -n "$NS" tuntap add t0 mode tap
	ip -n "$NS" link set t0 master br0 up
}

# run_hello [CMDLINE]: QEMU in the background; $ACCEL (options), $MEMORY and $UART change it. Its
# pid is in $HELLO.
run_hello() {
	local machine=microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=off,x-option-roms=off \
	    addresses="ip=$HELLO4/24 gw=10.77.0.1 ip=$HELLO6/64 gw=fd77::1" uart=()
	[ -n "${ACCEL:-}" ] || case ${JITSU_ACCEL:-tcg} in
	kvm) local ACCEL="-accel kvm -cpu host" ;;
	*) local ACCEL="-accel tcg" ;;
	esac
	[ "${UART:-on}" = off ] ||
	    uart=(-chardev "file,id=con,path=$DIR/console" -device isa-serial,chardev=con)
	# shellcheck disable=SC2086 # $ACCEL is several words
	(exec nsenter --net="/run/netns/$NS" qemu-system-x86_64 -M $machine $ACCEL \
		-nodefaults -no-user-config -display none \
		-no-reboot -m "${MEMORY:-16}" -smp 1 -bios qboot.rom -kernel "$BUILD/hello.elf" \
		-append "name=www.example.test $addresses ${1:-}" \
		-netdev tap,id=n0,ifname=t0,script=no,downscript=no \
		    -device "virtio-net-device,netdev=n0,mac=$HELLO_MAC" \
		-global virtio-mmio.force-legacy=off "${uart[@]}" >>"$DIR/qemu" 2>&1 3>&- 4>&-) &
	HELLO=$!
}

answers_ping() {
	kill -0 "$HELLO" 2>/dev/null || { cat "$DIR/qemu"; return 1; }
	in_ns ping -c 1 -W 1 -q "${1:-$HELLO4}" >/dev/null
}
start_hello() {
	run_hello "${1:-}"
	wait_for 30 answers_ping
}
page() { in_ns curl -sS --max-time "${2:-30}" -g "http://${1:-$HELLO4}/"; }
is_gone() { ! kill -0 "$HELLO" 2>/dev/null; }
console_says() { grep -q -- "$1" "$DIR/console"; }

stop_hello() {
	[ -n "$HELLO" ] || return 0
	kill -9 "$HELLO" 2>/dev/null || true
	wait "$HELLO" 2>/dev/null || true
	HELLO=
}

teardown_hello() {
	[ -n "${DIR:-}" ] || return 0
	stop_hello
	if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then
		cat "$DIR/qemu" "$DIR/console" 2>/dev/null || true
	fi
	ip netns del "$NS" 2>/dev/null || true
	rm -rf "$DIR"
}
