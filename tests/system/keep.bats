#!/usr/bin/env bats
# keep: what a restart finds and cannot join to a unit is kept, until it can.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

in_list() { jitsu --json list | jq -r ".[] | select(.name == \"$1\") | $2"; }
is_vm() { [ "$(in_list "$1" .vm)" = "$2" ]; }
# three_tiers: a running, a frozen and a saved VM, of u1, u2 and u3; a clock that nothing but this
# test stops.
three_tiers() {
	for i in 1 2 3; do ask +short "u$i.example.test" A; done
	jitsu sleep u2.example.test
	jitsu sleep u3.example.test
	is_state u1.example.test awake
	is_state u2.example.test frozen
	is_state u3.example.test saved
	PIDS=$(qemus | sort)
	[ "$(qemu_count)" -eq 2 ]
}
with_tiers() {
	CONF_MORE="$(image freezer freeze) $(image saver save) ${CONF_MORE:-}" write_conf
	write_zone "$(more_units 3 |
	    sed 's/^\(_jitsu.u2.*\)hello/\1freezer/; s/^\(_jitsu.u3.*\)hello/\1saver/')"
}
image() {
	echo "image \"$1\" { driver = \"qemu\" kernel = \"hello.elf\" memory = \"16M\"" \
	    "network = \"lan\" ready = \"tcp:80\" accel = \"$ACCEL\" hold = 10s" \
	    "sleep = \"$2\" idle = 1h" \
	    "cmdline = \"name={name} ip={address}/{prefixlen} gw={gateway}\" }"
}

# bats test_tags=kvm
@test "a restart with an error in a zone keeps its VMs, and its units get them back" {
	with_tiers
	start_jitsud
	three_tiers
	stop_jitsud TERM
	cp "$DIR/example.zone" "$DIR/good"
	echo 'x A nonsense' >>"$DIR/example.zone"
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 jitsu status
	is_vm u1.example.test awake
	is_vm u2.example.test frozen
	is_vm u3.example.test saved
	[ "$(qemus | sort)" = "$PIDS" ]
	in_ns curl -s -m 15 http://10.77.0.20/ | grep -q u1.example.test
	[ "$(jitsu --json aside | jq length)" -eq 3 ]
	[ "$(jitsu --json status | jq -c '[(.aside | length), .limits.vms.used]')" = '[3,2]' ]
	jitsu aside | grep -q \
	    '^u2.example.test *frozen *qemu .*zone example.test is not served: .*example.zone:'
	jitsu show u1.example.test | grep -q 'kept aside: zone example.test is not served'
	run jitsu wake u1.example.test
	[[ "$output" == *'kept aside'*'jitsu destroy u1.example.test'* ]]
	jitsu console u1.example.test
	# A second restart changes nothing.
	stop_jitsud KILL
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 jitsu status
	[ "$(jitsu --json aside | jq length)" -eq 3 ]
	# Mended: without u2, which was removed by the way.
	grep -v u2 "$DIR/good" >"$DIR/example.zone"
	jitsu reload
	is_state u1.example.test awake
	is_state u3.example.test saved
	wait_for 30 one_qemu
	[ "$(jitsu --json aside | jq length)" -eq 0 ]
	[[ "$PIDS" == *"$(jitsu --json show u1.example.test | jq .pid)"* ]]
	[ "$(in_list u1.example.test .boots)" -eq 1 ]
	ask +short u3.example.test A
	in_ns curl -s -m 15 http://10.77.0.22/ | grep -q u3.example.test
	jitsu events u1.example.test | grep -q ' aside .*not served'
	jitsu sleep u1.example.test
	wait_for 30 one_qemu
	[ "$(jitsu --json status | jq .limits.vms.used)" -eq 1 ]
}
one_qemu() { [ "$(qemu_count)" -eq 1 ]; }

@test "the state database is lost or damaged: VMs are found, names are served, and it is said" {
	with_tiers
	start_jitsud
	three_tiers
	# Damaged: with a saved VM, too.
	stop_jitsud TERM
	dd if=/dev/urandom of="$DIR/state/jitsu.db" bs=1k seek=1 count=20 conv=notrunc status=none
	start_jitsud
	ls "$DIR"/state/jitsu.db.damaged-*
	grep -q 'warden: error: state: .*jitsu.db: the state database is damaged .*it is kept as ' \
	    "$DIR/log"
	jitsu status | grep -q '^state *.*damaged.*a new one was begun'
	jitsu events | grep -q ' state .*damaged'
	found_again
	# Moved away, and jitsud killed.
	stop_jitsud KILL
	rm "$DIR"/state/jitsu.db*
	start_jitsud
	[ "$(jitsu --json status | jq .state)" = null ]
	found_again
	# Lost while the zone is broken: still nobody is stopped, and the zone decides later.
	stop_jitsud TERM
	rm "$DIR"/state/jitsu.db*
	cp "$DIR/example.zone" "$DIR/good"
	echo 'x A nonsense' >>"$DIR/example.zone"
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 jitsu status
	is_vm u3.example.test saved
	cp "$DIR/good" "$DIR/example.zone"
	jitsu reload
	found_again
	# With it all that is known of VMs but in the run directory; the MACs are of the secret
	# there.
	stop_jitsud KILL
	rm -r "$DIR"/state/jitsu.db* "$DIR/state/owners" "$DIR/state/secret"
	start_jitsud
	grep -q 'state/secret is lost, the copy of this boot is taken' "$DIR/log"
	cmp "$DIR/state/secret" "$DIR/run/secret"
	found_again
	# The next time it is the run directory.
	stop_jitsud TERM
	rm -r "$DIR/run/owners" "$DIR/run/secret" "$DIR"/state/jitsu.db*
	start_jitsud
	cmp "$DIR/state/secret" "$DIR/run/secret"
	found_again
	# No file says any more whose a VM is: the VM is kept until somebody decides.
	stop_jitsud TERM
	rm -r "$DIR"/state/jitsu.db* "$DIR/state/owners" "$DIR/run/owners"
	start_jitsud
	[ "$(qemus | sort)" = "$PIDS" ]
	[ "$(jitsu --json aside | jq -c '[.[].vm] | sort')" = '["awake","frozen","saved"]' ]
	jitsu aside | grep -q 'it calls itself u1.example.test, which need not be true'
	jitsu reload
	local uuid
	for uuid in $(jitsu --json aside | jq -r '.[].uuid'); do jitsu destroy "$uuid"; done
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(ls "$DIR/state/saved")" ]
	run jitsu destroy www.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *'is a unit: `jitsu sleep'* ]]
}
found_again() {
	is_state u1.example.test awake && is_state u2.example.test frozen &&
	    is_state u3.example.test saved && [ "$(qemus | sort)" = "$PIDS" ]
}

@test "an image or a zone file missing at the start keeps the VMs, a zone taken out does not" {
	CONF_MORE="zone \"other.test\" { file = \"other.zone\" } $(image other stop)" write_conf
	printf '%s\n' '$TTL 60' '@ SOA ns h 1 1h 1h 1h 30' '@ NS ns.example.test.' \
	    'a A 10.77.0.30' '_jitsu.a TXT "image=other"' \
	    'b A 10.77.0.31' '_jitsu.b TXT "image=other"' >"$DIR/other.zone"
	start_jitsud
	for name in www.example.test a.other.test b.other.test; do ask +short $name A; done
	stop_jitsud TERM
	PIDS=$(qemus | sort)
	sed -i.good '/^image "other"/d; s/ image "other".*//' "$DIR/jitsu.conf"
	mv "$DIR/example.zone" "$DIR/away"
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 jitsu status
	[ "$(jitsu --json aside | jq -c '[.[].name] | sort')" = \
	    '["a.other.test","b.other.test","www.example.test"]' ]
	[ "$(qemus | sort)" = "$PIDS" ]
	# A VM ends by itself, another by its operator.
	kill -9 "$(jitsu --json show b.other.test | jq .pid)"
	gone() { [ "$(jitsu --json aside | jq length)" -eq "$1" ]; }
	wait_for 30 gone 2
	jitsu destroy a.other.test
	gone 1
	one_qemu
	mv "$DIR/away" "$DIR/example.zone"
	cp "$DIR/jitsu.conf.good" "$DIR/jitsu.conf"
	jitsu reload
	is_state www.example.test awake
	is_state a.other.test dormant
	[ "$(in_list b.other.test .boots)" -eq 1 ]
	ask +short a.other.test A
	# Taken out on purpose while jitsud did not run.
	stop_jitsud TERM
	sed -i '/^zone "other/d; s/ *zone "other.test" {[^}]*}//' "$DIR/jitsu.conf"
	start_jitsud
	one_qemu
	is_state www.example.test awake
	[ "$(jitsu --json aside | jq length)" -eq 0 ]
	# on-exit = stop means those, too.
	stop_jitsud TERM
	rm "$DIR/example.zone"
	echo 'on-exit = "stop"' >>"$DIR/jitsu.conf"
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 jitsu status
	gone 1
	stop_jitsud TERM
	[ "$(qemu_count)" -eq 0 ]
}

@test "a unit that a reload refuses, since it does not fit, has its VM again when it does" {
	with_tiers
	start_jitsud
	three_tiers
	ask +short www.example.test A
	PIDS=$(qemus | sort)
	sed -i.good 's/10.77.0.10-10.77.0.250/10.77.0.10-10.77.0.19/' "$DIR/jitsu.conf"
	run jitsu reload
	[ "$status" -eq 1 ]
	[ "$(jitsu --json aside | jq -r '.[] | "\(.name) \(.vm)"' | sort | tr '\n' ' ')" = \
	    "u1.example.test awake u2.example.test frozen u3.example.test saved " ]
	is_state www.example.test awake
	[ "$(qemus | sort)" = "$PIDS" ]
	jitsu aside | grep -q 'does not fit the configuration any more'
	[ "$(jitsu --json status | jq .limits.vms.used)" -eq 3 ]
	cp "$DIR/jitsu.conf.good" "$DIR/jitsu.conf"
	jitsu reload
	is_state u1.example.test awake
	is_state u2.example.test frozen
	is_state u3.example.test saved
	[ "$(qemus | sort)" = "$PIDS" ]
	[ "$(in_list u1.example.test .boots)" -eq 1 ]
	# The same, and a restart between.
	sed -i 's/10.77.0.10-10.77.0.250/10.77.0.10-10.77.0.19/' "$DIR/jitsu.conf"
	run jitsu reload
	stop_jitsud KILL
	cp "$DIR/jitsu.conf.good" "$DIR/jitsu.conf"
	start_jitsud
	is_state u1.example.test awake
	is_state u2.example.test frozen
	is_state u3.example.test saved
	[ "$(qemus | sort)" = "$PIDS" ]
	[ "$(jitsu --json aside | jq length)" -eq 0 ]
}
