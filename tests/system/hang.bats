#!/usr/bin/env bats
# hang: hypervisors that do not answer.

load lib/jitsu
setup() { setup_jitsu; AGENT=; }
teardown() { [ -z "$AGENT" ] || kill "$AGENT" 2>/dev/null || true; teardown_jitsu; }

@test "a QEMU that hangs is noticed when somebody asks for its unit, and replaced" {
	CONF_MORE='limits { hang-timeout = 1s }' write_conf
	start_jitsud
	ask +short www.example.test A
	pid=$(qemus)
	# A QEMU that lives may be asked for ever.
	for i in 1 2 3 4 5 6; do ask +short www.example.test A; sleep 0.5; done
	[ "$(qemus)" = "$pid" ]
	kill -STOP "$pid"
	noticed() { ask +short www.example.test A >/dev/null; ! kill -0 "$pid" 2>/dev/null; }
	wait_for 30 noticed
	jitsu events www.example.test | grep -q 'died.*QEMU hangs'
	grep -q 'QEMU hangs' "$DIR/log"
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	is_state www.example.test awake
	[ "$(qemu_count)" -eq 1 ]
	[ "$(jitsu --json show www.example.test | jq '[.boots, .crashes]' -c)" = "[2,1]" ]
}

@test "a VM whose control socket another program has at a restart is kept, and said why" {
	CONF_MORE='limits { hang-timeout = 1s }' write_conf
	WWW_KEYS='"sleep=freeze" "idle=0s"' write_zone
	start_jitsud
	ask +short www.example.test A
	pid=$(qemus)
	stop_jitsud KILL
	socat -u "UNIX-CONNECT:$(echo "$DIR"/run/vm/*/qmp)" "OPEN:$DIR/agent,creat" 3>&- 4>&- &
	AGENT=$!
	greeted() { grep -q QMP "$DIR/agent"; }
	wait_for 30 greeted
	start_jitsud
	is_state www.example.test awake
	wait_for 30 grep -q 'another program' "$DIR/log"
	run jitsu sleep www.example.test
	[ "$status" -ne 0 ]
	[[ "$output" == *"another program"* ]]
	is_state www.example.test awake
	[ "$(qemus)" = "$pid" ]
	curl_page() { in_ns curl -s --max-time 10 http://10.77.0.10/; }
	curl_page | grep -q www.example.test
	# When that program has gone the VM is as any other.
	kill "$AGENT"
	sleeps() { jitsu sleep www.example.test && is_state www.example.test frozen; }
	wait_for 30 sleeps
	ask +short www.example.test A
	[ "$(qemus)" = "$pid" ]
}
