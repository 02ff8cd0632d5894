#!/usr/bin/env bats
# says: what the tools say before anything goes wrong, and when nobody can hear it.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

checked() { in_ns "$BUILD/jitsud" -n -c "$DIR/jitsu.conf" 2>&1; }

@test "jitsud -n: users, addresses, bridges and programs that this host has not" {
	write_conf
	write_zone
	run checked
	[ "$status" -eq 0 ]
	[[ "$output" != *"this host"* ]]
	sed -i 's/^listen = .*/listen = { "10.77.0.1", "192.0.2.53" }/
	    s/bridge = "jitsu0"/bridge = "nobridge0"/' "$DIR/jitsu.conf"
	run checked
	[ "$status" -eq 0 ]
	[[ "$output" == \
	    *"jitsu.conf:1: warning: listen: 192.0.2.53 is not an address of this host"* ]]
	[[ "$output" == *"network \"lan\": "*nobridge0*"units on it cannot boot"* ]]
	sed -i 's/bridge = "nobridge0"/bridge = "lo"/' "$DIR/jitsu.conf"
	run checked
	[[ "$output" == *"network \"lan\": "*lo*bridge*"units on it cannot boot"* ]]
	CONF_TOP='user = "nobody-of-that-name"' write_conf
	run checked
	[ "$status" -eq 1 ]
	[[ "$output" == *"user: there is no user \"nobody-of-that-name\" on this host"* ]]
	CONF_TOP='vm-user = "root"' write_conf
	run checked
	[ "$status" -eq 1 ]
	[[ "$output" == *"vm-user: must not be root"* ]]
	write_conf
	run in_ns env PATH=/nowhere "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ "$output" == *"image \"hello\": there is no program qemu-system-x86_64"*"cannot boot"* ]]
}

@test "a unit that another zone of ours answers for: a warning" {
	CONF_MORE='zone "sub.example.test" { file = "sub.zone" }' write_conf
	write_zone 'x.sub A 10.77.0.30' '_jitsu.x.sub TXT "image=hello"'
	printf '%s\n' '$ORIGIN sub.example.test.' '$TTL 60' '@ SOA ns h 1 1h 15m 1w 30' \
	    '@ NS ns' 'ns A 10.77.0.1' >"$DIR/sub.zone"
	run checked
	[ "$status" -eq 0 ]
	in_sub="x.sub.example.test is in zone sub.example.test"
	[[ "$output" == *"example.zone:"*"$in_sub"*"no query wakes this unit"* ]]
	# A sibling whose name only ends alike is another zone's.
	CONF_MORE='zone "ample.test" { file = "ample.zone" }' write_conf
	write_zone
	sed 's/sub\.example/ample/' "$DIR/sub.zone" >"$DIR/ample.zone"
	run checked
	[[ "$output" != *"no query wakes"* ]]
}

@test "names that nobody knows: an error, and what may have been meant" {
	write_conf
	write_zone
	start_jitsud
	run jitsu events wwww.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"no unit wwww.example.test"*"did you mean"*"www.example.test"* ]]
	run jitsu show wwww.example.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"did you mean"*"www.example.test"* ]]
	run jitsu dump exmple.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"no zone exmple.test"*"did you mean"*"example.test"* ]]
	run timeout 20 "$BUILD/jitsu" -s "$DIR/run/control" events -f wwww.example.test
	[ "$status" -eq 1 ]
	# No events yet is no error for a unit that is there, nor for an alias.
	jitsu events www.example.test
	jitsu events blog.example.test
}

@test "standard output that is full or closed: exit 1, and said" {
	local verb
	write_conf
	write_zone
	start_jitsud
	for verb in list "show www.example.test" events status "dump example.test" \
	    "check $DIR/jitsu.conf" aside held help "help help" -V
	do
		# shellcheck disable=SC2086 # words
		run bash -c '"$@" >/dev/full' - "$BUILD/jitsu" -s "$DIR/run/control" $verb
		[ "$status" -eq 1 ] || { echo "$verb: $status"; false; }
		[ "$(grep -c 'standard output: No space left' <<<"$output")" -eq 1 ] || {
			echo "$verb: $output"
			false
		}
		# shellcheck disable=SC2086 # words
		run bash -c '"$@" >&-' - "$BUILD/jitsu" -s "$DIR/run/control" $verb
		[ "$status" -eq 1 ] || { echo "$verb, closed: $status"; false; }
	done
	for verb in "-n -c $DIR/jitsu.conf" -h -V; do
		# shellcheck disable=SC2086 # words
		run in_ns bash -c '"$@" >/dev/full' - "$BUILD/jitsud" $verb
		[ "$status" -eq 1 ] || { echo "jitsud $verb: $status"; false; }
		# shellcheck disable=SC2086 # words
		run in_ns bash -c '"$@" >&-' - "$BUILD/jitsud" $verb
		[ "$status" -eq 1 ] || { echo "jitsud $verb, closed: $status"; false; }
	done
}
