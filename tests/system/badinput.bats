#!/usr/bin/env bats
# badinput: broken images, configurations, zones, mappings, requests and surroundings: one clear
# line, and everything else goes on.

load lib/jitsu
load lib/shared
setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

error_of() { jitsu --json show "$1" | jq -r .last_error; }
restarts() { jitsu --json status | jq '[.children[].restarts] | add'; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
goes_on() { [ "$(ask +short plain.example.test A)" = 192.0.2.7 ]; }

# broken NAME LINES: an image with a flaw.
broken() {
	cat <<-EOF2
	image "$1" {
		memory = "16M"
		accel = "tcg"
		ready = "tcp:80"
		backoff-min = "1m"
		boot-timeout = "10s"
		$2
	}
	EOF2
}

@test "broken images: the unit fails and says why, the query is SERVFAIL, other units go on" {
	echo "this is no kernel" >"$DIR/text.elf"
	cp "$DIR/hello.elf" "$DIR/private.elf"
	chmod 600 "$DIR/private.elf"
	mkdir "$DIR/dir.elf"
	head -c 100000 /dev/zero >"$DIR/zero.img"
	chmod 666 "$DIR/zero.img"
	echo >"$DIR/readonly.img"
	CONF_MORE="network \"nobr\" { bridge = \"nosuch0\"
	    subnets = { \"10.78.0.0/24\" } units = { \"10.78.0.0/24\" } }
	$(broken missing 'kernel = "nosuch.elf" network = "lan"')
	$(broken text 'kernel = "text.elf" network = "lan"')
	$(broken args 'kernel = "hello.elf" network = "lan" args = { "-device", "no-such-device" }')
	$(broken private 'kernel = "private.elf" network = "lan"')
	$(broken dir 'kernel = "dir.elf" network = "lan"')
	$(broken bridge 'kernel = "hello.elf" network = "nobr"')
	$(broken nic 'kernel = "hello.elf" network = "lan" nics = { "nobr" }')
	$(broken disk 'kernel = "hello.elf" network = "lan" disks = { "nosuch.img" }')
	$(broken format 'kernel = "hello.elf" network = "lan" disks = { "zero.img,format=qcow2" }')
	$(broken readonly 'kernel = "hello.elf" network = "lan" disks = { "readonly.img" }')
	$(broken initrd 'kernel = "hello.elf" network = "lan" initrd = "nosuch.gz"')" write_conf
	rows='missing|kernel * does not exist
text|*kernel*
args|*no-such-device*
private|*private.elf*may not read*
dir|*dir.elf is a directory*
bridge|*nosuch0*
nic|*nosuch0*
disk|disk */nosuch.img does not exist
format|*zero.img*qcow2*
readonly|*readonly.img*may not write*
initrd|initrd */nosuch.gz does not exist'
	i=0
	write_zone "$(while IFS='|' read -r name _; do
		i=$((i + 1))
		net=77
		[ $name != bridge ] || net=78
		echo "$name A 10.$net.0.$((100 + i))"
		echo "_jitsu.$name TXT \"image=$name\" \"hold=10s\""
	done <<<"$rows")"
	start_jitsud
	ask +short www.example.test A
	while IFS='|' read -r name want; do
		ask +time=15 "$name.example.test" A >"$DIR/answer" </dev/null
		grep -q "status: SERVFAIL" "$DIR/answer"
		grep -q "EDE: 0 (Other): (the service failed to start)" "$DIR/answer"
		error=$(error_of "$name.example.test" </dev/null)
		echo "$name: $error"
		is_state "$name.example.test" failed
		[[ "$error" == $want ]]
		[[ "$error" != null && "$error" != "could not be started" ]]
		jitsu show "$name.example.test" </dev/null | grep -qF -- "${error:0:30}"
	done <<<"$rows"
	is_state www.example.test awake
	in_ns curl -s --max-time 30 http://10.77.0.10/ | grep -q www.example.test
	[ "$(qemu_count)" -eq 1 ]
	[ "$(taps | wc -l)" -eq 1 ]
	[ "$(ls "$DIR/run/vm" | wc -l)" -eq 1 ]
	[ "$(restarts)" -eq 0 ]
}

@test "an xl file with a key that has no effect: a warning from -n, check, jitsud and reload" {
	ldd "$BUILD/jitsud" | grep -q libxenlight || skip "a build without Xen"
	printf 'type = "pvh"\nkernel = "hello.elf"\nmemory = 16\ncpus = "2"\n' >"$DIR/guest.xl"
	CONF_MORE="image \"xen\" { driver = \"xen\" xl = \"guest.xl\" network = \"lan\" }" \
	    write_conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ $output == *"guest.xl:4: warning: cpus: "* ]]
	run "$BUILD/jitsu" check "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ $output == *"guest.xl:4: warning: cpus: "* ]]
	start_jitsud
	grep -q 'guest.xl:4: warning: cpus: ' "$DIR/log"
	jitsu reload >"$DIR/said"
	grep -q 'guest.xl:4: warning: cpus: ' "$DIR/said"
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
}

@test "driver xen without Xen: SERVFAIL, the driver says why, all else is served" {
	[ ! -e /proc/xen/capabilities ] || skip "this machine runs Xen"
	CONF_MORE='image "xen" { driver = "xen" kernel = "hello.elf" network = "lan"
		ready = "tcp:80" backoff-min = "1m" }' write_conf
	write_zone 'dom A 10.77.0.60' '_jitsu.dom TXT "image=xen"'
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	start_jitsud
	ask dom.example.test A >"$DIR/answer"
	grep -q "status: SERVFAIL" "$DIR/answer"
	grep -q "EDE: 0 (Other)" "$DIR/answer"
	if ldd "$BUILD/jitsud" | grep -q libxenlight; then
		[[ "$(error_of dom.example.test)" == "driver xen: there is no Xen here: "* ]]
	else
		[[ "$(error_of dom.example.test)" == *"this build has no driver \"xen\""* ]]
	fi
	goes_on
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
}

@test "a bridge that comes later is used without a restart" {
	CONF_MORE="network \"late\" { bridge = \"late0\"
	    subnets = { \"10.78.0.0/24\" } units = { \"10.78.0.0/24\" } }
	$(broken late 'kernel = "hello.elf" network = "late"
	    cmdline = "ip={address}/{prefixlen} name={name}"')" write_conf
	write_zone 'late A 10.78.0.10' '_jitsu.late TXT "image=late"'
	start_jitsud
	run ask late.example.test A
	[[ "$output" == *SERVFAIL* ]]
	grep -q "network late: .*late0" "$DIR/log"
	for round in 1 2; do
		# The second time it is another interface of the same name.  Its MAC, which nobody
		# set, must not change with the first port.
		ip -n "$NS" link add late0 type bridge
		ip -n "$NS" addr add 10.78.0.1/24 dev late0
		ip -n "$NS" link set late0 up
		run jitsu wake late.example.test
		[ "$status" -eq 0 ]
		jitsu sleep late.example.test
		ip -n "$NS" link del late0
	done
}

@test "no QEMU in PATH: the daemon serves, the unit is failed and says so" {
	ip_bin=$(command -v ip)
	(exec "$ip_bin" netns exec "$NS" env PATH="$DIR/nothing" \
	    "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 serves
	run ask www.example.test A
	[[ "$output" == *"status: SERVFAIL"* && "$output" == *"EDE: 0 "* ]]
	is_state www.example.test failed
	[[ "$(error_of www.example.test)" == *qemu-system-x86_64*PATH* ]]
	goes_on
}

@test "a full disk under the state: wakes go on, it is said, the next jitsud finds the VMs" {
	write_zone "$(more_units 2)"
	mkdir "$DIR/state"
	# The directory stays what it is for the next one.
	unshare -m --propagation private sh \
	    -c 'mount -t tmpfs -o size=1m,mode=755 none "$1" && exec sleep 1000' sh "$DIR/state" \
	    3>&- 4>&- &
	local holder=$!
	mounted() { grep -q " $DIR/state " "/proc/$holder/mountinfo"; }
	wait_for 30 mounted
	JITSUD_WRAP="nsenter -m -t $holder" start_jitsud
	[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
	# As the daemon sees it, whatever our own root is.
	state=/proc/$holder/root$DIR/state
	cat /dev/zero >"$state/ballast" 2>/dev/null || true
	# What SQLite has reserved already still takes some rows.
	unsaved() {
		jitsu sleep u2.example.test
		jitsu wake u2.example.test
		jitsu status | grep -q '^state *NOT SAVED.*full'
	}
	wait_for 30 unsaved
	grep -q 'warning: state is not saved, retrying with every change: .*full' "$DIR/log"
	[ "$(ask +short u2.example.test A)" = 10.77.0.21 ]
	in_ns curl -s --max-time 30 http://10.77.0.21/ | grep -q u2.example.test
	goes_on
	# A unit that is awake now and of which the database has no trace.
	jitsu sleep u1.example.test
	jitsu wake u1.example.test
	local pids
	pids=$(qemus)
	stop_jitsud KILL
	JITSUD_WRAP="nsenter -m -t $holder" start_jitsud
	[ "$(qemus)" = "$pids" ]
	is_state u1.example.test awake
	is_state u2.example.test awake
	# What the first left to the second is room, too.
	cat /dev/zero >>"$state/ballast" 2>/dev/null || true
	wait_for 30 unsaved
	rm "$state/ballast"
	jitsu sleep u1.example.test
	[ "$(ask +short u1.example.test A)" = 10.77.0.20 ]
	saved() { [ "$(jitsu --json status | jq .state)" = null ]; }
	wait_for 30 saved
	grep -q 'state is saved again' "$DIR/log"
	stop_jitsud KILL
	kill "$holder"
}

# What is wrong, and what the line about it must have (without: it is the next line).  "conf" lines
# are added to jitsu.conf, "image" lines as options of an image, "zone" lines to the zone.
bad_lines() {
	cat <<-'EOF2'
	conf|nonsense = 1|unknown option "nonsense"*accepted are
	conf|prot = 53|unknown option "prot"*did you mean port
	conf|port = 5301|port: *set already in line 2
	conf|limits { udp-payload = 100 }|udp-payload: "100" is not accepted: *512 to 4096
	conf|on-exit = "maybe"|on-exit: "maybe" is not accepted: it must be leave or stop
	conf|admins = { "no such user!" }|admins: "no such user!" is not accepted
	conf|limits { boots = 0 }|boots: "0" is not accepted: *from 1 to 1000
	conf|limits { vms = "many" }|vms: "many" is not accepted: *number
	conf|limits { nosuch = 1 }|unknown option "nosuch" in section limits; accepted are
	image|memory = "16"|memory: "16" is not accepted: *unit
	conf|image "x" { kernel = "hello.elf" network = "nolan" }|
	    there is no network "nolan"; there is "lan"
	conf|image "x" { kernel = "hello.elf" }|image "x" has no network
	image|idle = 5|idle: "5" is not accepted: *duration
	image|ready = "http"|ready: "http" is not accepted: *tcp:PORT
	image|cmdline = "{nosuch}"|unknown placeholder "{nosuch}"; accepted are
	image|cmdline = "${HOME}"|${...} is not accepted
	image|driver = "vmware"|driver: "vmware" is not accepted
	image|machine = "pc"|machine: "pc" is not accepted: *microvm or q35
	image|vcpus = 65|vcpus: "65" is not accepted: *1 to 64
	conf|image "hello" { network = "lan" }|"hello" already, in line
	conf|image { network = "lan" }|missing title
	conf|image "x" { network = "lan"|the { that is opened here is not closed
	conf|}|unexpected closing brace
	conf|on-exit = "leave|a string in quotes begins here and has no end
	conf|zone "other.test" { }|zone "other.test" has no file
	conf|zone "bad..name" { file = "example.zone" }|"bad..name" is no domain name; accepted are
	conf|zone "other.test" { file = "example.zone" images = { "nosuch" } }|
	    there is no image "nosuch"
	conf|network "b" { bridge = "averyveryverylongname" }|
	    bridge: "averyveryverylongname" is not accepted: *15
	conf|network "b" { bridge = "b1" subnets = { "10.0.0.1/24" } }|
	    subnets: "10.0.0.1/24" is not accepted
	conf|network "b" { bridge = "b1" subnets = { "10.0.0.0/24" } units = { "10.0.1.0/24" } }|
	    not inside one of the subnets of network "b"
	zone|a A 1.2.3|a A 1.2.3'; A needs an IPv4 address
	zone|a 60 IN AAAA 1.2.3.4|AAAA needs an IPv6 address
	zone|a NOSUCH x|there is no record type "NOSUCH"
	zone|a LOC here|no data of type LOC
	zone|a|a type and its data are missing
	zone|a 99999999999 A 1.2.3.4|`99999999999' is not a TTL: expected
	zone|a A|value expected
	zone|a.example.net. A 1.2.3.4|outside of the zone example.test
	zone|www CNAME ns|CNAME and other data
	zone|( a A 1.2.3.4|without `)'
	zone|a TXT "unterminated|quote without its end
	zone|$INCLUDE nosuch.zone|$INCLUDE nosuch.zone: *No such file
	zone|$INCLUDE /etc/passwd|outside *the zone file's directory
	zone|$NOSUCH x|unknown directive *known are
	zone|_jitsu.b TXT "image=hello"|b.example.test has no A or AAAA record
	zone|_jitsu.plain TXT "image=nosuch"|there is no section image "nosuch"
	zone|_jitsu.plain TXT "image=hello"|192.0.2.7 is outside the units of network "lan"
	zone|_jitsu.plain TXT "imag=hello"|"imag=hello": unknown key; did you mean image
	zone|_jitsu.plain TXT "idle=5s"|neither image= nor unit=
	zone|_jitsu.plain TXT "image=hello" "idle=5"|idle: "5" is not accepted
	zone|_jitsu.plain TXT "image=hello" "kernel=/etc/passwd"|
	    "kernel=/etc/passwd": unknown key *accepted are
	zone|_jitsu.plain TXT "image=hello" "memory=1T"|a mapping may only lower it
	zone|_jitsu.plain TXT "unit=nosuch"|unit=nosuch: there is no unit
	zone|_jitsu.plain TXT "unit=www" "idle=1m"|accepts no other key
	zone|_jitsu.plain TXT "image"|"image" is not "key=value"
	zone|_jitsu.*.plain TXT "image=hello"|wildcard
	zone|_jitsu.www TXT "hold=1s"|has a mapping already
	zone|@ SOA ns h 1 1 1 1 1|2 SOA records
	EOF2
}

@test "malformed lines: file, line and what is accepted, from -n, check and reload" {
	cp "$DIR/jitsu.conf" "$DIR/good.conf"
	cp "$DIR/example.zone" "$DIR/good.zone"
	start_jitsud
	ask +short www.example.test A
	pid=$(qemus)
	n=0
	while IFS='|' read -r where line want <&9; do
		[ -n "$want" ] || read -r want <&9
		if [ $where = image ]; then
			where=conf
			line="image \"x\" { kernel = \"hello.elf\" network = \"lan\" $line }"
		fi
		cp "$DIR/good.conf" "$DIR/jitsu.conf"
		cp "$DIR/good.zone" "$DIR/example.zone"
		file=jitsu.conf
		[ $where = conf ] || file=example.zone
		printf '%s\n' "$line" >>"$DIR/$file"
		# The line itself, or for what two lines say together, the other one.
		at="$DIR/$file:*: "
		[ $where = zone ] || at="$DIR/$file:$(wc -l <"$DIR/$file"): "
		echo "--- $where: $line"
		run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
		echo "$output"
		[ "$status" -eq 1 ]
		[[ "$output" == *$at*$want* ]]
		run jitsu check "$DIR/jitsu.conf"
		[ "$status" -eq 1 ]
		[[ "$output" == *$at*$want* ]]
		run jitsu reload
		echo "$output"
		# JSON's or a person's quotes.
		[[ "${output//\\\"/\"}" == *$at*$want* ]]
		[ $where = zone ] || [ "$status" -eq 1 ]
		if [ $where = zone ]; then
			run jitsu list
			[ "$status" -eq 0 ]
			[[ "$output" == *"zone example.test is served with its old contents: "* &&
			    "$output" == *www.example.test* ]]
		fi
		n=$((n + 1))
	done 9< <(bad_lines)
	[ $n -gt 50 ]
	goes_on
	[ "$(qemus)" = "$pid" ]
	is_state www.example.test awake
	[ "$(restarts)" -eq 0 ]
	cp "$DIR/good.conf" "$DIR/jitsu.conf"
	cp "$DIR/good.zone" "$DIR/example.zone"
	run jitsu reload
	[ "$status" -eq 0 ]
	[ "$(jitsu --json status | jq -r '.zones[0].error')" = null ]
	[[ "$(jitsu list 2>&1)" != *zone* ]]
}

@test "a bad configuration at the start is refused with its line, a bad zone is left out" {
	echo 'port = "x"' >>"$DIR/jitsu.conf"
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$DIR/jitsu.conf:"*port* ]]
	# In the background too: whoever starts it sees why.
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$DIR/jitsu.conf:"*port* ]]
	run timeout 60 "$BUILD/jitsud" -f -c "$DIR/nosuch.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$DIR/nosuch.conf"*"No such file"* ]]
	run timeout 60 "$BUILD/jitsud" -f -c "$DIR"
	[ "$status" -eq 1 ]
	run timeout 60 "$BUILD/jitsud" --nonsense
	[ "$status" -eq 2 ]
	head -c 4096 /dev/urandom >"$DIR/noise.conf"
	run timeout 60 "$BUILD/jitsud" -n -c "$DIR/noise.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *noise.conf* ]]

	CONF_MORE='zone "bad.test" { file = "bad.zone" }
	zone "none.test" { file = "none.zone" }' write_conf
	printf '@ SOA ns h 1 1 1 1 1\n@ NS ns\na A 1.2.3\n' >"$DIR/bad.zone"
	start_jitsud
	goes_on
	run jitsu status
	[[ "$output" == *bad.test* && "$output" == *bad.zone:*1.2.3* && "$output" == *none.zone* ]]
	run ask a.bad.test A
	failed="EDE: 14 (Not Ready): (the zone could not be loaded)"
	[[ "$output" == *"status: SERVFAIL"*"$failed"*"ANSWER: 0"* ||
	    "$output" == *"status: SERVFAIL"*"ANSWER: 0"*"$failed"* ]]
	[[ "$(ask none.test SOA)" == *"status: SERVFAIL"* ]]
	[[ "$(ask other.test SOA)" == *"status: REFUSED"* ]]
	grep -q "bad.zone:" "$DIR/log"
	printf '$TTL 60\n@ SOA ns h 2 1 1 1 1\n@ NS ns\nns A 1.2.3.4\na A 1.2.3.4\n' \
	    >"$DIR/bad.zone"
	run jitsu reload
	[ "$(ask +short a.bad.test A)" = 1.2.3.4 ]
}

@test "files that -n finds missing or unreadable, with the rights of the caller" {
	echo 'image "x" { kernel = "nosuch.elf" network = "lan" }' >>"$DIR/jitsu.conf"
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *'kernel "nosuch.elf" cannot be read: No such file'* ||
	    "$output" == *nosuch.elf*"No such file"* ]]
	write_conf
	cp "$BUILD/jitsud" "$BUILD/jitsu" "$DIR/"
	run as_nobody "$DIR/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ "$output" == *"all is well"* ]]
	run as_nobody "$DIR/jitsu" check "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	chmod 600 "$DIR/example.zone"
	run as_nobody "$DIR/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *example.zone*"Permission denied"* ]]
	chmod 600 "$DIR/jitsu.conf"
	run as_nobody "$DIR/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *jitsu.conf*"Permission denied"* ]]
	[ ! -e "$DIR/state" ]
	[ ! -e "$DIR/run" ]
}

@test "an unprivileged user: jitsud refuses with a sentence, jitsu says whom to ask" {
	cp "$BUILD/jitsud" "$BUILD/jitsu" "$DIR/"
	run as_nobody timeout 60 "$DIR/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"must be started by root, or with capabilities"* ]]
	run as_nobody timeout 60 "$DIR/jitsud" -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"must be started by root"* ]]
	run jitsu list
	[ "$status" -eq 1 ]
	[[ "$output" == *"no jitsud listens on $DIR/run/control"*"start it"* ]]
	start_jitsud
	run as_nobody "$DIR/jitsu" -s "$DIR/run/control" list
	[ "$status" -eq 1 ]
	[[ "$output" == *"permission denied on $DIR/run/control"*jitsu-admin* ]]
	# Of the group: may read, may not change.
	group=$(getent group jitsu-admin | cut -d: -f3)
	if [ -n "$group" ]; then
		run setpriv --reuid=65534 --regid=65534 --groups="$group" "$DIR/jitsu" \
		    -s "$DIR/run/control" list
		[ "$status" -eq 0 ]
		run setpriv --reuid=65534 --regid=65534 --groups="$group" "$DIR/jitsu" \
		    -s "$DIR/run/control" wake www.example.test
		[ "$status" -eq 1 ]
		[[ "$output" == *"wake is for root and the users that"*admins* ]]
		is_state www.example.test dormant
	fi
	stop_jitsud KILL
	run jitsu list
	[ "$status" -eq 1 ]
	[[ "$output" == *"no jitsud listens on"* ]]
}

@test "a second jitsud on the same run-dir, port, control socket or state is refused" {
	start_jitsud
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"another jitsud uses $DIR/run"* ]]
	sed "s|^run-dir = .*|run-dir = \"$DIR/run2\"|; s|^state = .*|state = \"$DIR/state2\"|" \
	    "$DIR/jitsu.conf" >"$DIR/second.conf"
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/second.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"10.77.0.1 port 5300 is in use"* ]]
	sed -i 's/^port = .*/port = 5301/' "$DIR/second.conf"
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/second.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"another jitsud listens on $DIR/run/control"* ]]
	sed "s|^run-dir = .*|run-dir = \"$DIR/run2\"|; s|^control = .*|control = \"$DIR/control2\"|
	    s/^port = .*/port = 5301/" "$DIR/jitsu.conf" \
	    >"$DIR/second.conf"
	run timeout 60 ip netns exec "$NS" "$BUILD/jitsud" -f -c "$DIR/second.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"another jitsud uses this state"* ]]
	goes_on
	jitsu list >/dev/null
}

control() { timeout 60 socat -t 30 - "UNIX-CONNECT:$DIR/run/control"; }
refuses() {
	[ "$(printf '%s' "$1" | jq -s 'length')" = 1 ] &&
	    [ "$(printf '%s' "$1" | jq -r .ok)" = false ] &&
	    [[ "$(printf '%s' "$1" | jq -r .error)" == $2 ]]
}

@test "malformed control messages: one clear error each, the daemon is not bothered" {
	start_jitsud
	while IFS='|' read -r message want <&9; do
		echo "--- $message"
		run control <<<"$message"
		echo "$output"
		refuses "$output" "$want"
	done 9<<-'EOF2'
	nonsense|the request is no JSON: *
	{"v":1,"verb":"list"|the request is no JSON: *
	[1,2,3]|the request must be a JSON object such as *
	"list"|the request *
	{}|the request has no version*
	{"verb":"list"}|the request has no version*
	{"v":2,"verb":"list"}|*version 2; version 1 is spoken here
	{"v":"1","verb":"list"}|*"v" must be the number 1
	{"v":1}|the request has no "verb"*
	{"v":1,"verb":7}|the request has no "verb" that is a string*
	{"v":1,"verb":"lits"}|unknown verb "lits"*did you mean list*accepted: *
	{"v":1,"verb":"list","verb":"wake"}|the request is no JSON: *duplicate*
	{"v":1,"verb":"show"}|the request has no "name"
	{"v":1,"verb":"show","name":7}|*"name" must be a string
	{"v":1,"verb":"show","name":""}|a name is missing*
	{"v":1,"verb":"show","name":"a b"}|"a b" is no unit's name*
	{"v":1,"verb":"wake","name":"wwww.example.test"}|no unit wwww.example.test
	EOF2
	# An empty line, binary noise, bytes that are no UTF-8, a line that never ends, one that is
	# cut off.
	run control <<<""
	[ "$(printf '%s' "$output" | jq -r .ok)" = false ]
	head -c 3000 /dev/urandom | tr -d '\n' >"$DIR/noise"
	control <"$DIR/noise" | tail -1 | jq -e '.ok == false'
	printf '\377\376\n' | control | jq -e '.ok == false'
	head -c 1000000 /dev/zero | tr '\0' x | control 2>/dev/null |
	    jq -e '.ok == false and (.error | test("longer than 4096"))'
	printf '{"v":1,"verb":"list"}' | control | jq -e '.ok == true'
	printf '{"v":1,"verb":"show","name":"%05000d"}\n' 1 | control 2>/dev/null |
	    jq -e '.ok == false and (.error | test("longer than"))'
	# A good request behind a bad one is answered.
	[ "$(printf 'junk\n{"v":1,"verb":"list"}\n' | control | jq -c .ok | tr '\n' ' ')" = \
	    "false true " ]
	# Many that connect and say nothing, or half a line, do not keep others out.
	(exec python3 - "$DIR/run/control" 3>&- 4>&-) <<-'EOF2' &
	import socket, sys, time
	held = []
	for i in range(100):
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(5)
	    s.connect(sys.argv[1])
	    if i % 2:
	        s.send(b'{"v":1,')
	    held.append(s)
	time.sleep(30)
	EOF2
	crowd=$!
	for i in 1 2 3 4 5; do
		run jitsu list
		[ "$status" -eq 0 ]
	done
	kill $crowd || true     # it has ended, if it could not connect any more
	wait $crowd || true
	goes_on
	kill -0 "$JITSUD"
	[ "$(restarts)" -eq 0 ]
}

@test "jitsu: bad verbs, names and options" {
	start_jitsud
	while IFS='|' read -r args code want <&9; do
		echo "--- jitsu $args"
		run jitsu $args
		echo "$output"
		[ "$status" -eq "$code" ]
		[[ "$output" == *$want* ]]
	done 9<<-'EOF2'
	lits|2|did you mean list
	wake|2|wake
	wake a b|2|wake
	show no.such.unit|1|no unit no.such.unit
	show wwww.example.test|1|www.example.test
	wake plain.example.test|1|no unit plain.example.test
	console www.example.test|1|dormant
	events -n 0|2|10000
	events -n x|2|10000
	--nonsense list|2|nonsense
	-s|2|socket
	check|2|FILE is missing
	dump|2|ZONE is missing
	check /nosuch.conf|1|/nosuch.conf
	EOF2
	run "$BUILD/jitsu" -s "$(printf '/%0200d' 1)" list
	[ "$status" -eq 1 ]
	[[ "$output" == *"at most 107"* ]]
	# What a person would type works.
	run jitsu show WWW.Example.Test.
	[ "$status" -eq 0 ]
	run jitsu show blog.example.test
	[ "$status" -eq 0 ]
	[[ "$output" == *www.example.test* ]]
}

@test "warnings: check and -n print them, the zone is served, reload says nothing of them" {
	printf 'mail MX 10 nowhere\n' >>"$DIR/example.zone"
	want="$DIR/example.zone:$(wc -l <"$DIR/example.zone"): warning: mail.example.test: "
	want+="its MX record names nowhere.example.test"
	run jitsu check "$DIR/jitsu.conf"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"$want"*"is well"*", 1 warning" ]]
	run jitsu check -z example.test "$DIR/example.zone"
	[ "$status" -eq 0 ]
	[[ "$output" == *"$want"*"is well"*", 1 warning" ]]
	run jitsu --json check "$DIR/jitsu.conf"
	[ "$(jq -c '[.ok, .errors, .warnings, .findings[].warning]' <<<"$output")" = \
	    '[true,0,1,true]' ]
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ "$output" == *"$want"*"all is well" ]]
	start_jitsud
	[[ "$(ask +short mail.example.test MX)" == "10 nowhere.example.test." ]]
	run jitsu reload
	[ "$status" -eq 0 ]
	[[ "$output" != *warning* ]]
}

@test "signatures of records that are missing: named by -n, counted in the log, not served" {
	local lone='nobody RRSIG A 8 3 60 20400101000000 20200101000000 1 example.test. AAAA'
	printf '%s\n' "$lone" "${lone/ A 8/ TXT 8}" >>"$DIR/example.zone"
	sed -i '/_jitsu/d' "$DIR/example.zone"
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 0 ]
	[[ "$output" == *"warning: nobody.example.test: the RRSIG for type A is not served"* ]]
	[[ "$output" == *"warning: nobody.example.test: the RRSIG for type TXT is not served"* ]]
	start_jitsud
	grep -q "warning: zone example.test: 2 RRSIG records sign nothing in the zone" "$DIR/log"
	[[ "$(ask +dnssec nobody.example.test A)" != *RRSIG* ]]
	# A reload says so again when it has read the zone again.
	: >"$DIR/log"
	sed -i '$d' "$DIR/example.zone"
	jitsu reload
	grep -q "warning: zone example.test: 1 RRSIG records sign nothing" "$DIR/log"
}
