#!/usr/bin/env bats
# Many wakes and stops on a real Xen, side by side, one after the other, and under SIGKILL: run by
# scripts/xen-rig, in a dom0 that is thrown away.

load dom0

images() { image hello "ready = \"tcp:80\" $HELLO"; }
setup_file() { LOG_LEVEL=debug setup_dom0 warm=hello q1=hello q2=hello q3=hello q4=hello; }
teardown_file() { teardown_dom0 many; }
teardown() { explain; }

ms() { echo "${EPOCHREALTIME/./}" | sed 's/...$//'; }
descriptors() { find "/proc/$(cat "$DIR/pid")/fd" -mindepth 1 | wc -l; }
log_since() { tail -n "+$((LOG_LINES + 1))" "$DIR/log"; }
ended() { log_since | grep -q 'create ends'; }

@test "four wakes at once: all creates begin before the first ends, warm queries are answered" {
	local n pids="" start together warm=0
	jitsu wake warm.example.test
	LOG_LINES=$(wc -l <"$DIR/log")
	start=$(ms)
	for n in q1 q2 q3 q4; do
		ask +short $n.example.test >"/tmp/answer.$n" &
		pids="$pids $!"
	done
	until ended; do
		ask +short +time=20 warm.example.test | grep -q 10.77.0.10
		warm=$((warm + 1))
	done
	# shellcheck disable=SC2086
	wait $pids
	together=$(($(ms) - start))
	log_since | grep -o 'q[1-4].example.test: create [a-z]*' >/tmp/trace
	sed 's/^/# /' /tmp/trace
	[ "$(head -4 /tmp/trace | grep -c begins)" -eq 4 ]
	[ "$(head -4 /tmp/trace | sort -u | wc -l)" -eq 4 ]
	[ $warm -ge 1 ]
	[ "$(sort /tmp/answer.q? | tr '\n' ' ')" = "10.77.0.11 10.77.0.12 10.77.0.13 10.77.0.14 " ]
	for n in q1 q2 q3 q4; do jitsu sleep $n.example.test; done
	echo "# four at once $together ms;" \
	    "$warm warm queries answered before the first create ended" >&3
	jitsu sleep warm.example.test
	wait_for 60 nothing_left
}

@test "20 wakes by dig, with curl at once, and 20 stops leave nothing in Xen, XenStore and files" {
	local i before
	before=$(descriptors)
	for ((i = 0; i < 20; i++)); do
		[ "$(ask +short q1.example.test)" = 10.77.0.11 ]
		page 10.77.0.11 | grep -q 'Hello from q1.example.test'
		jitsu sleep q1.example.test >/dev/null
	done
	jitsu --json list | jq -e '.[] | select(.name == "q1.example.test") | .boots >= 20'
	nothing_left
	echo "# descriptors: $before before, $(descriptors) after"
	[ "$(descriptors)" -le "$before" ]
}

# Every domain of ours belongs to a unit that is awake, and each such unit has one.
all_managed() {
	local all name
	local -A of=()
	wait_for 30 settled
	mapfile -t all < <(domains)
	for name in "${all[@]}"; do
		[ -z "${of[${name%%-*}]:-}" ] || return 1
		of[${name%%-*}]=$name
	done
	[ ${#all[@]} -eq $AWAKE ]
}
# AWAKE is how many are, when none is on the way to another state.
settled() {
	local name state rest units=0
	AWAKE=0
	while read -r name state rest; do
		[[ $name != *.example.test ]] || units=$((units + 1))
		case $state in
		booting | stopping) return 1 ;;
		awake) AWAKE=$((AWAKE + 1)) ;;
		esac
	done < <(jitsu list)
	[ $units -eq 5 ]
}

@test "SIGKILL at 20 moments of wakes and stops: none lost, none twice, none unmanaged" {
	local i pid verb
	for ((i = 0; i < 20; i++)); do
		verb=wake
		! is_state q2 awake || verb='sleep'
		jitsu $verb q2.example.test >/dev/null 2>&1 &
		pid=$!
		sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
		end_jitsud KILL
		wait $pid || true
		start_jitsud
		all_managed || { echo "moment $i"; return 1; }
	done
	jitsu sleep q2.example.test
	wait_for 60 nothing_left
}
