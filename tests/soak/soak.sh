#!/bin/bash
# soak: everything at once against one jitsud: reloads with changing units, zones and networks,
# queries, operators that leave, and SIGKILL of every process that it consists of, the warden
# included.  Then it must be as if nothing had happened: every unit boots and sleeps, no process,
# tap or descriptor is left over, and every query was answered.
#
# SOAK_SECONDS (120) is how long; SOAK_SEED repeats a run; SOAK_KILL_WARDEN=0 spares the warden.
# shellcheck disable=SC2016  # $ORIGIN and $TTL are the zone file's
set -u
here=$(cd "$(dirname "$0")" && pwd)
BATS_TEST_DIRNAME=$here BATS_TEST_NUMBER=soak
# shellcheck source=tests/system/lib/jitsu.bash
. "$here/../system/lib/jitsu.bash"
SECONDS_TO_RUN=${SOAK_SECONDS:-120}
SEED=${SOAK_SEED:-$$}
UNITS=12
workers=()

skip() { echo "skipped: $*"; exit 0; }
fail() {
	echo "FAIL: $*"
	echo "--- log"
	tail -"${SOAK_LOG_LINES:-60}" "$DIR/log"
	exit 1
}

cleanup() {
	local pid
	[ ${#workers[@]} -eq 0 ] || kill "${workers[@]}" 2>/dev/null
	BATS_TEST_COMPLETED=1
	if [ -n "${SOAK_KEEP:-}" ]; then cp "$DIR/log" "$SOAK_KEEP"; fi
	teardown_jitsu
}

# A worker that is ended may leave children that go on writing: each has files of its own until they
# are whole.
conf() {
	local nets=$1 me=$BASHPID
	cat >"$DIR/jitsu.conf.new.$me" <<-EOT
	listen = { "10.77.0.1", "127.0.0.1" }
	port = 5300
	workers = 2
	control = "$DIR/run/control"
	state = "$DIR/state"
	run-dir = "$DIR/run"
	address-hold = 0s
	limits {
		boots = $((RANDOM % 3 + 1))
		vms = $((RANDOM % 6 + 3))
		wakes-per-minute = 0
		wakes-per-minute-total = 0
	}
	$nets
	zone "example.test" { file = "example.zone" }
	$([ $((RANDOM % 3)) -eq 0 ] || echo 'zone "other.test" { file = "other.zone" }')
	$(image hello lan 16M)
	$(image fresh lan 20M)
	$(image away dmz 16M)
	EOT
	mv "$DIR/jitsu.conf.new.$me" "$DIR/jitsu.conf"
}

image() {
	cat <<-EOT
	image "$1" {
		driver = "qemu"
		kernel = "hello.elf"
		memory = "$3"
		network = "$2"
		ready = "$([ $((RANDOM % 6)) -eq 0 ] && echo delay:300 || echo tcp:80)"
		accel = "tcg"
		backoff-min = 1s
		backoff-max = 2s
		boot-timeout = 20s
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}"
	}
	EOT
}

networks() {
	local lan dmz
	lan='network "lan" { bridge = "jitsu0" subnets = { "10.77.0.0/24" }
		gateway = { "10.77.0.254" } units = { "10.77.0.10-10.77.0.250" } }'
	dmz='network "dmz" { bridge = "jitsu1" subnets = { "10.78.0.0/24" }
		gateway = { "10.78.0.254" } units = { "10.78.0.10-10.78.0.250" } }'
	if [ $((RANDOM % 2)) -eq 0 ]; then
		printf '%s\n%s\n' "$lan" "$dmz"
	else
		printf '%s\n%s\n' "$dmz" "$lan"
	fi
}

# head_of ZONE: the records of its apex.
head_of() {
	printf '$ORIGIN %s.\n$TTL 60\n@ SOA ns h %s 1h 15m 1w 30\n@ NS ns\nns A 10.77.0.1\n' \
	    "$1" "$SERIAL"
}

# zones [all]: units come, go, move, change their image and network, and become aliases; u1 and u2
# always stay.
zones() {
	local i image net last keys me=$BASHPID
	{
		head_of example.test
		for ((i = 1; i <= UNITS; i++)); do
			[ "${1:-}" = all ] || [ $i -le 2 ] || [ $((RANDOM % 8)) -gt 0 ] || continue
			image=hello net=77 last=$((19 + i))
			if [ $i -gt 2 ] && [ "${1:-}" != all ]; then
				case $((RANDOM % 8)) in
				0) image=fresh ;;
				1) image=away net=78 ;;
				2) last=$((119 + i)) ;;
				3)
					printf 'u%s A 10.77.0.20\n_jitsu.u%s TXT "unit=u1"\n' $i $i
					continue
					;;
				esac
			fi
			keys="\"image=$image\" \"idle=$((RANDOM % 4 + 1))s\""
			keys+=' "min-up=0s" "unused-after=0s"'
			[ "${1:-}" = all ] || [ $((RANDOM % 3)) -ne 0 ] || keys+=' "sleep=freeze"'
			[ $((i % 5)) -ne 0 ] || keys+=' "needs=u1,u2"'
			printf 'u%s A 10.%s.0.%s\n_jitsu.u%s TXT %s\n' $i $net $last $i "$keys"
		done
	} >"$DIR/example.zone.new.$me"
	mv "$DIR/example.zone.new.$me" "$DIR/example.zone"
	{
		head_of other.test
		printf '%s\n' 'x A 10.77.0.200' '_jitsu.x TXT "image=hello" "idle=2s"'
	} >"$DIR/other.zone.new.$me"
	mv "$DIR/other.zone.new.$me" "$DIR/other.zone"
	SERIAL=$((SERIAL + 1))
}

warden() { cat "$DIR/warden.pid"; }
nap() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; }
a_name() {
	if [ $((RANDOM % 12)) -eq 0 ]; then
		echo x.other.test
	else
		echo "u$((RANDOM % UNITS + 1)).example.test"
	fi
}

# Held queries of a DNS process that is killed go with it: whoever asks asks again, as resolvers do.
work_ask() {
	local name out i
	while :; do
		name=$(a_name)
		# Refused connections: there is no warden just now.
		for ((i = 0; i < 60; i++)); do
			out=$(in_ns dig @10.77.0.1 -p 5300 +tries=8 +time=2 "$name" A 2>&1)
			case $out in *'connection refused'*) sleep 0.5 ;; *) break ;; esac
		done
		case $out in
		*'status: NOERROR'* | *'status: NXDOMAIN'* | *'status: SERVFAIL'* | \
		    *'status: REFUSED'*)
			echo "$name" >>"$DIR/answered"
			;;
		*) echo "$(date +%T) $name: $out" >>"$DIR/silent" ;;
		esac
		nap 300
	done
}
work_reload() {
	while :; do
		nap 999
		[ $((RANDOM % 4)) -ne 0 ] || conf "$(networks)"
		zones
		if [ $((RANDOM % 3)) -eq 0 ]; then
			timeout 0.$((RANDOM % 9 + 1)) "$BUILD/jitsu" -s "$DIR/run/control" reload \
			    >/dev/null 2>&1
		else
			kill -HUP "$(warden)" 2>/dev/null
		fi
	done
}
work_operate() {
	local verbs=(wake sleep show list status events wake sleep console)
	while :; do
		timeout 0.$((RANDOM % 9 + 1)) "$BUILD/jitsu" -s "$DIR/run/control" \
		    "${verbs[RANDOM % 9]}" "$(a_name)" >/dev/null 2>&1
		timeout 0.$((RANDOM % 9 + 1)) "$BUILD/jitsu" -s "$DIR/run/control" \
		    --json list >/dev/null 2>&1
		nap 200
	done
}
work_kill() {
	local pids
	while :; do
		nap 999
		nap 999
		if [ $((RANDOM % 3)) -eq 0 ]; then
			mapfile -t pids < <(qemus)
		else
			mapfile -t pids < <(pgrep -P "$(warden)" -f '^jitsud:')
		fi
		[ ${#pids[@]} -eq 0 ] || kill -9 "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
	done
}

descriptors() {
	find "/proc/$JITSUD/fd" -mindepth 1 -printf '%l\n' 2>/dev/null | sed 's/:\[[0-9]*\]$//' |
	    sort
}
# A child that was killed is back: each child has a pidfd and a channel.
whole() { jitsu --json status | jq -e '[.children[].pid] | all(. != null)' >/dev/null; }
few_descriptors() { [ "$(descriptors | wc -l)" -le $(($(wc -l <"$DIR/descriptors") + 2)) ]; }
settled() {
	! jitsu --json list | jq -e '.[] | select(.state != "dormant" and .state != "failed")' \
	    >/dev/null
}
sleep_all() {
	local name
	for name in $(jitsu --json list | jq -r '.[].name'); do
		timeout 40 "$BUILD/jitsu" -s "$DIR/run/control" sleep "$name" >/dev/null 2>&1
	done
	settled
}
no_vms() { [ "$(qemu_count)" -eq 0 ] && ! ip -n "$NS" -o link show | grep -q 'tun\|tap\| jt'; }
up() { jitsu wake "$1" >"$DIR/wake" 2>&1; }
sound() {
	local bad='AddressSanitizer\|runtime error:\|LeakSanitizer'
	! grep -q "$bad\|is not possible while\|could not be stopped" "$DIR/log"
}

start() {
	start_jitsud || fail "jitsud does not start"
	echo "$JITSUD" >"$DIR/warden.pid"
}

[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces and taps"
RANDOM=$SEED SERIAL=1
echo "seed $SEED, $SECONDS_TO_RUN s"
NS=jitsu-$$-soak
DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
chmod 755 "$DIR"
JITSUD=
trap cleanup EXIT
cp "$BUILD/hello.elf" "$DIR/"
make_netns
ip -n "$NS" link add jitsu1 address 02:00:00:00:78:01 type bridge
ip -n "$NS" addr add 10.78.0.1/24 dev jitsu1
ip -n "$NS" link set jitsu1 up
touch "$DIR/answered" "$DIR/silent"
conf "$(networks)"
zones all
START_SECONDS=60
start

for work in ask ask ask reload operate operate kill; do
	RANDOM=$((SEED + ${#workers[@]}))
	"work_$work" &
	workers+=($!)
done
end=$((SECONDS + SECONDS_TO_RUN))
while [ $SECONDS -lt $end ]; do
	sleep 5
	kill -0 "$JITSUD" 2>/dev/null || fail "jitsud ended by itself"
	sound || fail "see the log"
	if [ "${SOAK_KILL_WARDEN:-1}" = 1 ] && [ $((RANDOM % 4)) -eq 0 ]; then
		stop_jitsud KILL
		start
	fi
done
kill "${workers[@]}"
wait "${workers[@]}" 2>/dev/null
workers=()

# The churn is over: a last configuration with every unit.
conf "$(networks)"
zones all
wait_for 30 jitsu reload >"$DIR/reload" 2>&1 || fail "the last reload: $(cat "$DIR/reload")"
wait_for 60 sleep_all || fail "units do not sleep: $(jitsu list)"
wait_for 30 no_vms || fail "VMs or taps are left: $(qemus; ip -n "$NS" -o link show)"
wait_for 30 whole || fail "a process is not replaced"
descriptors >"$DIR/descriptors"
for name in $(jitsu --json list | jq -r '.[].name'); do
	wait_for 40 up "$name" || fail "$name does not boot: $(cat "$DIR/wake"; jitsu show "$name")"
	timeout 40 "$BUILD/jitsu" -s "$DIR/run/control" sleep "$name" >/dev/null ||
	    fail "$name does not sleep"
done
for ((i = 0; i < 50; i++)); do
	zones all
	jitsu reload >/dev/null || fail "reload $i"
done
wait_for 60 sleep_all || fail "units do not sleep: $(jitsu list)"
wait_for 30 no_vms || fail "VMs or taps are left"
# Clients that have just left, and the like, take a moment.
wait_for 10 few_descriptors || fail \
    "more descriptors than before: $(descriptors | diff "$DIR/descriptors" -)"
[ ! -s "$DIR/silent" ] || fail "queries without an answer: $(cat "$DIR/silent")"
kill -TERM "$JITSUD"
wait "$JITSUD" || fail "jitsud ended with status $?"
JITSUD=
sound || fail "see the log"
echo "$(wc -l <"$DIR/answered") queries, $(grep -c 'generation ' "$DIR/log") reloads," \
    "$(grep -c -- '-> awake' "$DIR/log") wakes: all is well"
