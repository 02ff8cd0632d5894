#!/usr/bin/env bats
# leave: units that a reload removes while they wait: for a slot, for another unit to go, for each
# other.

load lib/jitsu

setup() {
	CONF_TOP='address-hold = 0s' setup_jitsu
}
teardown() { teardown_jitsu; }

unit() {
	printf '%s A 10.77.0.%s\n_jitsu.%s TXT "image=%s" %s\n' "$1" "$2" "$1" "${3:-hello}" \
	    "${4:-}"
}
# image NAME KEYS [ARGUMENTS]
image() {
	cat <<-EOF
	image "$1" {
		driver = "qemu"
		kernel = "hello.elf"
		memory = "16M"
		network = "lan"
		accel = "tcg"
		boot-timeout = 60s
		$2
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} ${3:-}"
	}
	EOF
}
alive() { kill -0 "$JITSUD" && jitsu status >/dev/null; }
reload() { jitsu reload >"$DIR/reload" 2>&1 || { cat "$DIR/reload"; return 1; }; }
answers() { jitsu console "$1" >"$DIR/console" 2>&1; }
waits_behind() { jitsu show "$1" | grep -q 'is not gone yet'; }
no_vm() { [ "$(qemu_count)" -eq 0 ]; }
only_www() { [ "$(jitsu --json list | jq -r '.[].name')" = www.example.test ]; }

@test "a unit that waits for a former one to go is removed itself, together with a dormant one" {
	# q35 has a power button, and this guest, which never runs (-S), does not look at it.
	CONF_TOP='address-hold = 0s' CONF_MORE=$(image deaf 'machine = "q35" args = { "-S" }
		stop = "shutdown"
		stop-timeout = 60s ready = "delay:1"') write_conf
	write_zone "$(unit a 20 deaf)" "$(unit c 21)"
	start_jitsud
	jitsu wake a.example.test
	wait_for 30 answers a.example.test   # before that it would be destroyed
	jitsu sleep a.example.test >"$DIR/sleep" 2>&1 3>&- &
	wait_for 30 is_state a.example.test stopping
	write_zone "$(unit c 21)"
	reload
	write_zone "$(unit a 20 deaf)" "$(unit c 21)"
	reload
	ask a.example.test A >"$DIR/asked" 3>&- &
	wait_for 30 waits_behind a.example.test
	write_zone
	reload
	alive
	only_www
	# Whoever comes next waits for the same one, and boots when that has gone.
	write_zone "$(unit b 20)"
	reload
	ask b.example.test A >"$DIR/asked" 3>&- &
	wait_for 30 waits_behind b.example.test
	kill -9 "$(qemus)"
	wait_for 30 is_state b.example.test awake
}

@test "of two units that a reload removes, the one that waits for the other's slot does not boot" {
	CONF_TOP='address-hold = 0s limits { boots = 1 }' \
	    CONF_MORE=$(image slow 'ready = "tcp:80"' delay=60000) write_conf
	write_zone "$(unit a 20 slow)" "$(unit x 21 hello '"sleep=save" "min-up=0s"')"
	start_jitsud
	for _ in 1 2 3; do
		jitsu wake x.example.test
		jitsu sleep x.example.test
		wait_for 30 is_state x.example.test saved
		ask a.example.test A >"$DIR/asked" 3>&- &
		wait_for 30 is_state a.example.test booting
		ask x.example.test A >"$DIR/asked.x" 3>&- &
		wait_for 30 is_state x.example.test booting
		write_zone
		reload
		alive
		wait_for 30 no_vm
		only_www
		write_zone "$(unit a 20 slow)" "$(unit x 21 hello '"sleep=save" "min-up=0s"')"
		reload
	done
	jitsu wake www.example.test
}

# many PREFIX N: ten thousand units with addresses in 10.N.0.0/16.
many() {
	awk -v p="$1" -v n="$2" 'BEGIN { for (i = 1; i <= 10000; i++)
		printf "%s%d A 10.%d.%d.%d\n_jitsu.%s%d TXT image=hello\n",
			p, i, n, int(i / 250), i % 250 + 1, p, i }'
}

@test "ten thousand units are replaced by others, again and again, and units wake meanwhile" {
	local i reload
	sed -i 's|subnets = { |subnets = { "10.16.0.0/12", |
	    s|gateway = { |gateway = { "10.31.0.254", |
	    s|units = { |units = { "10.16.0.10-10.30.255.255", |' "$DIR/jitsu.conf"
	ip -n "$NS" addr add 10.16.0.1/12 dev jitsu0
	write_zone "$(many n 17)"
	cp "$DIR/example.zone" "$DIR/n"
	start_jitsud
	for i in 18 17 18; do
		write_zone "$(many "m$i-" "$i")"
		jitsu reload >"$DIR/reload" 2>&1 3>&- &
		reload=$!
		while kill -0 "$reload" 2>/dev/null; do
			jitsu wake www.example.test
			jitsu sleep www.example.test
		done
		wait "$reload"
		jitsu wake "m$i-10000.example.test"
		jitsu sleep "m$i-10000.example.test"
	done
	[ "$(jitsu --json list | jq length)" -eq 10001 ]
	[ "$(jitsu --json status | jq .units)" -eq 10001 ]
	cp "$DIR/n" "$DIR/example.zone"
	reload
	jitsu wake n1.example.test
	alive
}

# What happens is drawn from the seed, which is in the output of a failure.
@test "units come, go, wake, wait, and change their addresses in one reload after another" {
	local i n image keys seed=${SEED:-$RANDOM} lines
	RANDOM=$seed
	echo "SEED=$seed"
	CONF_TOP='address-hold = 0s
		limits { boots = 1 vms = 2 wakes-per-minute = 0 wakes-per-minute-total = 0 }' \
		HELLO_CONF='backoff-min = 1s backoff-max = 1s' \
		CONF_MORE="$(image deaf 'machine = "q35" args = { "-S" } ready = "delay:200"
		stop = "shutdown" stop-timeout = 700ms')" write_conf
	write_zone
	start_jitsud
	for ((n = 0; n < 40; n++)); do
		lines=() last=www
		for i in 1 2 3 4 5 6; do
			[ $((RANDOM % 3)) -ne 0 ] || continue
			image=hello
			[ $((RANDOM % 3)) -ne 0 ] || image=deaf
			keys=$(shuf -n 1 --random-source=<(yes $RANDOM) -e "" \
			    '"sleep=save"' '"sleep=freeze"')
			[ $((RANDOM % 3)) -ne 0 ] || keys+=" \"needs=$last\""
			lines+=("$(unit "u$i" $((20 + (i + RANDOM % 5 / 4) % 7)) $image \
				"$keys")")
			last=u$i
		done
		write_zone "${lines[@]}"
		# Two units with one address are refused, and nothing changes.
		jitsu reload >"$DIR/reload" 2>&1 || true
		for i in 1 2 3 4 5 6; do
			[ $((RANDOM % 3)) -ne 0 ] ||
			    in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=1 "u$i.example.test" \
			    >"$DIR/asked" 3>&- &
			[ $((RANDOM % 4)) -ne 0 ] ||
			    timeout 5 "$BUILD/jitsu" -s "$DIR/run/control" sleep \
			    "u$i.example.test" >"$DIR/sleep" 2>&1 3>&- &
		done
		alive
	done
	write_zone
	reload
	jitsu wake www.example.test
	jitsu sleep www.example.test
	wait_for 60 no_vm
	! grep 'is not possible while' "$DIR/log"
}
