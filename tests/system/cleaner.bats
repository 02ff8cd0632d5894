#!/usr/bin/env bats
# cleaner: entries of the run directory that somebody removes while jitsud runs.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

answers() { jitsu status >/dev/null 2>&1; }

# bats test_tags=kvm
@test "the control socket, the lock, the VMs' directories and the run directory are made again" {
	write_zone "$(more_units 3)"
	start_jitsud
	ask +short www.example.test A
	local pid uuid
	pid=$(qemus)
	uuid=$(jitsu --json show www.example.test | jq -r .uuid)
	rm "$DIR/run/control"
	wait_for 30 answers
	[ "$(stat -c %a "$DIR/run/control")" = 660 ] || [ "$(stat -c %a "$DIR/run/control")" = 600 ]
	rm -r "$DIR/run/vm/$uuid"
	wait_for 30 test -s "$DIR/run/vm/$uuid/pid"
	rm -r "$DIR/run/vm"
	[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
	wait_for 30 test -s "$DIR/run/vm/$uuid/pid"
	rm -rf "$DIR/run"
	wait_for 30 answers
	wait_for 30 test -s "$DIR/run/vm/$uuid/pid"
	mv "$DIR/run" "$DIR/run.away"
	wait_for 30 answers
	# Nobody else can start beside it, and it does all that it did.
	run timeout 20 nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[[ "$output" == *'another jitsud uses'* ]]
	[ "$(ask +short u2.example.test A)" = 10.77.0.21 ]
	jitsu sleep u1.example.test
	[ "$(qemu_count)" -eq 2 ]
	# A confined process that ends is replaced: its root is there.
	kill "$(jitsu --json status | jq '.children[] | select(.name == "dns") | .pid')"
	replaced() { [ "$(ask +short +time=2 plain.example.test A)" = 192.0.2.7 ]; }
	wait_for 30 replaced
	# The next one finds the VMs, although their sockets have no names any more.
	stop_jitsud KILL
	start_jitsud
	is_state www.example.test awake
	[ "$(jitsu --json show www.example.test | jq .pid)" = "$pid" ]
	jitsu console www.example.test
	rm -rf "$DIR/run/vm"
	stop_jitsud TERM
	start_jitsud
	is_state www.example.test awake
	for name in www u2; do jitsu sleep $name.example.test; done
	[ "$(qemu_count)" -eq 0 ]
	[ -z "$(ls "$DIR/run/vm")" ]
	[ -z "$(taps)" ]
}

# rights: mode, owner, group and access list of the control socket.
rights() {
	stat -c '%a %u %g' "$DIR/run/control"
	python3 \
	    -c 'import os, sys; print(os.getxattr(sys.argv[1], "system.posix_acl_access").hex())' \
	    "$DIR/run/control"
}
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/jitsu" -s "$DIR/run/control" "$@"
}
admitted() { as_nobody status >/dev/null 2>&1; }

@test "a control socket that is made again is for whom it was for, also after a reload without it" {
	local before
	cp "$BUILD/jitsu" "$DIR/"
	CONF_TOP='admins = { "nobody" }' write_conf
	start_jitsud
	before=$(rights)
	[ "$(wc -l <<<"$before")" -eq 2 ]
	as_nobody sleep www.example.test
	rm "$DIR/run/control"
	wait_for 30 admitted
	[ "$(rights)" = "$before" ]
	as_nobody sleep www.example.test
	rm -r "$DIR/run"
	wait_for 30 admitted
	[ "$(rights)" = "$before" ]
	# In its place is a directory, and the next configuration has no admins.
	rm "$DIR/run/control" && mkdir "$DIR/run/control"
	wait_for 30 grep -q 'control socket was removed by somebody, and cannot be made again' \
	    "$DIR/log"
	sed -i '/^admins/d' "$DIR/jitsu.conf"
	kill -HUP "$JITSUD"
	wait_for 30 grep -q 'generation 2:' "$DIR/log"
	rmdir "$DIR/run/control"
	wait_for 30 answers
	! admitted || false
	run as_nobody status
	[[ "$output" == *"permission denied on $DIR/run/control"* ]]
}
