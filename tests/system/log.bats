#!/usr/bin/env bats
# log: where lines go, and that nobody who does not read them stops anything.

load lib/jitsu
setup() { setup_jitsu; }
teardown() {
	[ -z "${SYSLOGD:-}" ] || kill "$SYSLOGD" 2>/dev/null || true
	teardown_jitsu
}

child_pid() { jitsu --json status | jq -r ".children[] | select(.name == \"$1\") | .pid"; }
replaced() {
	[ -n "$(child_pid "$1")" ] && [ "$(child_pid "$1")" != "$2" ] &&
	    [ "$(child_pid "$1")" != null ]
}

@test "standard error that nobody reads stops nothing, and is complete when somebody reads it" {
	local old
	mkfifo "$DIR/fifo"
	exec 7<>"$DIR/fifo"
	timeout 1 cat /dev/zero >&7 || true      # full
	(exec nsenter --net="/run/netns/$NS" "$BUILD/jitsud" -f -c "$DIR/jitsu.conf" \
	    2>&7 7>&- 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 serves
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	old=$(child_pid dns)
	kill -SEGV "$old"
	wait_for 30 replaced dns "$old"
	wait_for 30 jitsu reload
	jitsu sleep www.example.test
	wait_for 30 is_state www.example.test dormant
	# Its description is shared with whoever gave it: nothing was changed there.
	(( (0$(awk '/^flags:/ {print $2}' /proc/$$/fdinfo/7) & 04000) == 0 ))
	cat <&7 >"$DIR/log" 7>&- &
	reader=$!
	wait_for 30 grep -aq 'stopping -> dormant' "$DIR/log"
	stop_jitsud
	wait_for 30 grep -aq 'warden: info: stopped' "$DIR/log"
	exec 7>&-
	kill "$reader"
	grep -aq 'serves 1 zones' "$DIR/log"
	grep -aq "dns process (pid $old) ended" "$DIR/log"
}

@test "what a confined process writes to stderr is logged when it ends, escaped, for nobody else" {
	local pid
	start_jitsud
	for name in dns sentinel; do
		pid=$(child_pid $name)
		[ "$(readlink "/proc/$pid/fd/1")" = "$(readlink "/proc/$pid/fd/2")" ]
		[[ "$(readlink "/proc/$pid/fd/2")" == *memfd:* ]]
		printf '\033[31mfree(): invalid pointer\nforged: error: line\n' 1<>"/proc/$pid/fd/2"
		# More than it takes is refused, not kept.
		head -c 100000 /dev/zero | tr '\0' x >>"/proc/$pid/fd/2" 2>/dev/null || true
		kill -KILL "$pid"
		wait_for 30 replaced $name "$pid"
		wait_for 30 grep -qF \
		    "$name process (pid $pid) said: \\033[31mfree(): invalid pointer" "$DIR/log"
		grep -q "^warden: error: $name process (pid $pid) said: forged: error: line" \
		    "$DIR/log"
		! grep -q '^forged' "$DIR/log" || false
	done
	[ "$(stat -c %s "$DIR/log")" -lt 20000 ]
}

# in_world COMMAND...: where /dev is as here, and /dev/log is ours ($DIR/dev).
in_world() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m --propagation private bash -ec 'dir=$1; shift
		mount --bind "$dir" /dev
		exec nsenter --net="/run/netns/'"$NS"'" "$@"' - "$DIR/dev" "$@"
}

make_world() {
	mkdir -p "$DIR/dev/net" "$DIR/dev/shm"
	for f in null zero full random urandom net/tun kvm vhost-net; do
		[ ! -e "/dev/$f" ] || cp -a "/dev/$f" "$DIR/dev/$f"
	done
	# read: what comes goes to $DIR/syslog; ignore: nobody reads it.
	python3 - "$DIR/dev/log" "$1" >"$DIR/syslog" 3>&- 4>&- <<-'PY' &
	import socket, sys, time
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	while sys.argv[2] == "ignore":
	    time.sleep(1)
	while True:
	    print(s.recv(65536).decode(), flush=True)
	PY
	SYSLOGD=$!
	wait_for 30 test -S "$DIR/dev/log"
}

background() {
	in_world "$BUILD/jitsud" -c "$DIR/jitsu.conf" 3>&- 4>&-
	JITSUD=$(pgrep -f "^$BUILD/jitsud -c $DIR/jitsu.conf")
}
# stop_background: polls, since that jitsud is no child of this shell.
stop_background() {
	local pid=$JITSUD
	JITSUD=
	kill "$pid"
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for 30 gone
}

@test "in the background, errors of the start and what it destroys reach syslog" {
	make_world read
	start_jitsud
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	stop_jitsud KILL
	sed -i '/www\|blog/d' "$DIR/example.zone"
	background
	stop_background
	[ "$(qemu_count)" -eq 0 ]
	wait_for 30 grep -q '^<28>.* jitsud\[[0-9]*\]: warden: warning: .*belongs to no unit' \
	    "$DIR/syslog"
	grep -q '^<30>.* warden: info: stopped' "$DIR/syslog"
	sed -i '1i user = "none-of-that-name"' "$DIR/jitsu.conf"
	run background
	[ "$status" -ne 0 ]
	[[ "$output" == *'none-of-that-name'* ]]
	wait_for 30 grep -q \
	    '^<27>.* warden: error: user = "none-of-that-name": there is no such user' "$DIR/syslog"
	echo 'nonsense = 1' >>"$DIR/jitsu.conf"
	run background
	[ "$status" -ne 0 ]
	wait_for 30 grep -q '^<27>.* error: .*nonsense' "$DIR/syslog"
}

@test "a syslogd that does not read stops nothing" {
	make_world ignore
	background
	for ((i = 0; i < 40; i++)); do jitsu reload; done
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	jitsu sleep www.example.test
	stop_background
}
