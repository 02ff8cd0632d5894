# jitsu.bash: a jitsud of one's own for a bats test: network namespace, bridge, directories,
# configuration, and their removal.
#
# setup_jitsu makes $NS, $DIR and a default configuration; start_jitsud starts it; every test file
# ends with teardown_jitsu.  Nothing outside $NS and $DIR is touched, so copies of a test can run
# side by side.
#
# JITSU_ACCEL (tcg) is the accelerator of the default image and of what the tests add; with kvm
# every VM must really run in KVM.  JITSU_SLOW (1) is how many times slower than usual this machine
# is: time-outs grow with it.
#
# A machine may stop any process for a while.  So what must come is waited for, half a minute by
# default, and queries of the default image are held for longer than a boot takes; a test that needs
# a shorter hold says so.

BUILD=${JITSU_BUILD:-$BATS_TEST_DIRNAME/../../build}
ACCEL=${JITSU_ACCEL:-tcg}
SLOW=${JITSU_SLOW:-1}
# shellcheck source=tests/system/lib/wait.bash
. "${BASH_SOURCE[0]%/*}/wait.bash"

# `ip netns exec` would hide the cgroups behind a new /sys.
in_ns() { nsenter --net="/run/netns/$NS" "$@"; }
# In the background its pid is the command's; CLIENTS+=($!) has teardown_jitsu end it.
exec_ns() { exec nsenter --net="/run/netns/$NS" "$@"; }
CLIENTS=()
jitsu() { "$BUILD/jitsu" -s "$DIR/run/control" "$@"; }
ask() { in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=$((15 * SLOW)) "$@"; }
# state_of UNIT: from the table, since tests ask often and jq takes long to start.
state_of() {
	local name state rest
	while read -r name state rest; do
		[ "$name" != "$1" ] || echo "$state"
	done < <(jitsu list)
}

# Without a shell of its own, since tests wait for it.
is_state() {
	local name state rest is=
	while read -r name state rest; do
		[ "$name" != "$1" ] || is=$state
	done < <(jitsu list)
	[ "$is" = "$2" ]
}

# PIDs of the QEMUs of this instance, by the directories that they work in: those that wait for a
# unit have nothing of ours on their command lines.
qemus() {
	local pid
	for pid in $(pgrep -f "^[^ ]*qemu-system-x86_64 " || true); do
		[[ "$(readlink "/proc/$pid/cwd")" != "$DIR"/run/vm/* ]] || echo "$pid"
	done
}
# in_kvm PID: whether that QEMU has a CPU in the kernel's KVM.
in_kvm() { ls -l "/proc/$1/fd" | grep -q 'anon_inode:kvm-vcpu'; }
qemu_count() { qemus | wc -l; }
# Taps of VMs; jitsud's own port, for packets, is none.
taps() { ip -n "$NS" -o link show type tun | grep -v ' jtp' || true; }

write_conf() {
	cat >"$DIR/jitsu.conf" <<-EOF
	listen = { "10.77.0.1", "fd77::1", "127.0.0.1" }
	port = 5300
	workers = ${WORKERS:-2}
	control = "$DIR/run/control"
	state = "$DIR/state"
	run-dir = "$DIR/run"
	${CONF_TOP:-}
	network "lan" {
		bridge = "jitsu0"
		subnets = { "10.77.0.0/24", "fd77::/64" }
		gateway = { "10.77.0.254", "fd77::fe" }
		units = { "10.77.0.10-10.77.0.250", "fd77::a:0/112" }
	}
	zone "example.test" { file = "example.zone" }
	image "hello" {
		driver = "qemu"
		kernel = "hello.elf"
		memory = "16M"
		network = "lan"
		ready = "tcp:80"
		accel = "$ACCEL"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} ${HELLO_ARGS:-}"
		hold = 10s
		${HELLO_CONF:-}
	}
	${CONF_MORE:-}
	EOF
}
# hello_image NAME CMDLINE-MORE [LINES]: an image section for hello, or KERNEL.
hello_image() {
	cat <<-EOF
	image "$1" {
		kernel = "${KERNEL:-hello.elf}"
		memory = "16M"
		network = "lan"
		ready = "tcp:80"
		accel = "$ACCEL"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} $2"
		${3:-}
	}
	EOF
}

write_zone() {
	{
		cat <<-EOF
		\$ORIGIN example.test.
		\$TTL 60
		@ SOA ns hostmaster ${SERIAL:-1} 1h 15m 1w 30
		@ NS ns
		ns A 10.77.0.1
		plain A 192.0.2.7
		plain TXT "no unit"
		www A 10.77.0.10
		_jitsu.www TXT "image=hello" ${WWW_KEYS:-}
		blog A 10.77.0.10
		_jitsu.blog TXT "unit=www"
		alias CNAME www
		EOF
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$DIR/example.zone"
}

# more_units N: u1 .. uN with addresses from 10.77.0.20 on.
more_units() {
	local i
	for ((i = 1; i <= $1; i++)); do
		echo "u$i A 10.77.0.$((19 + i))"
		echo "_jitsu.u$i TXT \"image=${2:-hello}\""
	done
}

make_netns() {
	ip netns add "$NS"
	ip -n "$NS" link set lo up
	ip -n "$NS" link add jitsu0 address 02:00:00:00:77:01 type bridge
	ip -n "$NS" addr add 10.77.0.1/24 dev jitsu0
	ip -n "$NS" addr add fd77::1/64 dev jitsu0 nodad
	ip -n "$NS" link set jitsu0 up
}

setup_jitsu() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces and taps"
	NS=jitsu-$$-$BATS_TEST_NUMBER
	# Not below bats' own directory: the VMs' user must be able to read the kernel.
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	chmod 755 "$DIR"
	JITSUD=
	cp "$BUILD/hello.elf" "$DIR/"
	make_netns
	write_conf
	write_zone
}

start_jitsud() {
	# exec all the way, so that the pid is the daemon's.  JITSUD_WRAP: words of a command before
	# it.
	# shellcheck disable=SC2086
	(exec nsenter --net="/run/netns/$NS" ${JITSUD_WRAP:-} \
	    "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for "${START_SECONDS:-30}" serves_or_ended && serves || {
		tail -20 "$DIR/log"
		return 1
	}
}
serves_or_ended() { ! kill -0 "$JITSUD" 2>/dev/null || serves; }
serves() {
	kill -0 "$JITSUD" 2>/dev/null || { echo "jitsud ended" >&2; return 1; }
	jitsu status >/dev/null 2>&1 &&
	    ask +time=2 +short ns.example.test A 2>/dev/null | grep -q '^[^;]'
}

# catch_load: stops the process that compiles zones as soon as there is one, for a jitsud that has
# only just begun; for wait_for, with a zone that takes long.  Its pid is in $ZONES.
catch_load() { ZONES=$(pgrep -P "$JITSUD" -f '^jitsud: zones') && kill -STOP "$ZONES"; }
long_zone() {
	awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "h%d A 192.0.2.%d\n", i, i % 256 }' \
	    >>"$DIR/example.zone"
}

# catch_next: the process that compiles zones, at the next load, is held still at its start; caught
# waits until that is so, and puts its pid into $ZONES.
catch_next() {
	"$BUILD/tests/system/catch" "$JITSUD" "jitsud: zones" >"$DIR/caught" 2>&1 3>&- 4>&- &
	CATCH=$!
	wait_for 30 grep -q ready "$DIR/caught"
}
caught() {
	wait "$CATCH" || { cat "$DIR/caught"; return 1; }
	ZONES=$(tail -1 "$DIR/caught")
}

# stop_jitsud [SIGNAL]: the VMs go on.
stop_jitsud() {
	[ -n "$JITSUD" ] || return 0
	kill "-${1:-TERM}" "$JITSUD" 2>/dev/null || true
	wait "$JITSUD" 2>/dev/null || true
	JITSUD=
}

no_cgroup() { [ ! -d "$1" ] || rmdir "$1" 2>/dev/null; }

teardown_jitsu() {
	local pid group emulated=
	[ -n "${DIR:-}" ] || return 0
	[ ${#CLIENTS[@]} -eq 0 ] || kill "${CLIENTS[@]}" 2>/dev/null || true
	stop_jitsud
	for pid in $(qemus); do
		[ "$ACCEL" != kvm ] || in_kvm "$pid" || emulated+=" $pid"
		kill -9 "$pid" 2>/dev/null || true
	done
	# What the next daemon would remove.
	for group in $(cat "$DIR"/run/vm/*/cgroup 2>/dev/null); do
		wait_for 3 no_cgroup "$group" || true
	done
	if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then
		echo "--- log"
		tail -60 "$DIR/log" 2>/dev/null || true
	fi
	ip netns del "$NS" 2>/dev/null || true
	rm -rf "$DIR"
	[ -z "$emulated" ] || { echo "not in KVM:$emulated"; return 1; }
}
