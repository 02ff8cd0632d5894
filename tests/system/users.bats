#!/usr/bin/env bats
# users: a machine where nobody made the default users.

load lib/jitsu
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

@test "without the default users the processes get ids of their own, and it works" {
	# The same user database without ours, in a mount namespace of the test's own.
	grep -v '^jitsu' /etc/passwd >"$DIR/passwd"
	(exec nsenter --net="/run/netns/$NS" unshare -m --propagation private sh -c \
	    "mount --bind $DIR/passwd /etc/passwd && exec $BUILD/jitsud -f -c $DIR/jitsu.conf" \
	        >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 serves
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	grep -q 'vm-user = "jitsu-vm": there is no such user; uid' "$DIR/log"
	vm=$(awk '/^Uid:/ {print $2}' "/proc/$(qemus)/status")
	dns=$(jitsu --json status | jq -r '.children[0].pid')
	dns=$(awk '/^Uid:/ {print $2}' "/proc/$dns/status")
	[ "$vm" -ge 61184 ] && [ "$dns" -ge 61184 ] && [ "$vm" != "$dns" ]
}

@test "a user that was asked for by name must exist" {
	CONF_TOP='vm-user = "no-such-user"' write_conf
	run in_ns "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *no-such-user*useradd* ]]
}

@test "a kernel in a directory closed to the VMs' user boots, one that is closed itself does not" {
	mkdir -m 700 "$DIR/private"
	mv "$DIR/hello.elf" "$DIR/private/"
	sed -i 's|"hello.elf"|"private/hello.elf"|' "$DIR/jitsu.conf"
	start_jitsud
	run ask +short www.example.test A
	[ "$output" = 10.77.0.10 ]
	is_state www.example.test awake
	jitsu sleep www.example.test
	chmod 600 "$DIR/private/hello.elf"
	run ask www.example.test A
	[[ "$output" == *SERVFAIL* ]]
	jitsu show www.example.test |
	    grep -q "private/hello.elf: the VMs' user (uid [0-9]*) may not read it"
}
