#!/usr/bin/env bats
# surroundings: hosts that are not as they should be: jitsud serves what can be served, or says what to mend.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

listen() { sed -i "s/^listen = .*/listen = { $1 }/" "$DIR/jitsu.conf"; }

@test "an address that this host does not have yet is answered on once it has" {
	write_conf
	write_zone
	listen '"10.77.0.1", "10.77.0.9", "fd77::9"'
	start_jitsud
	[ "$(grep -c 'not an address of this host, or not yet' "$DIR/log")" -eq 2 ]
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	ip -n "$NS" addr add 10.77.0.9/24 dev jitsu0
	ip -n "$NS" addr add fd77::9/64 dev jitsu0 nodad
	[ "$(in_ns dig @10.77.0.9 -p 5300 +tries=3 +time=10 +short plain.example.test A)" = 192.0.2.7 ]
	[ "$(in_ns dig @fd77::9 -p 5300 +tries=3 +time=10 +tcp +short plain.example.test A)" = 192.0.2.7 ]
}

@test "an address that is still tentative" {
	write_conf
	write_zone
	# Duplicate address detection that goes on for the whole test.
	in_ns sysctl -qw net.ipv6.conf.jitsu0.dad_transmits=60
	ip -n "$NS" addr add fd77::8/64 dev jitsu0
	ip -n "$NS" -6 addr show dev jitsu0 tentative | grep -q fd77::8
	listen '"10.77.0.1", "fd77::8"'
	start_jitsud
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
}

@test "a kernel without IPv6: its addresses are left out; with no other, no start" {
	printf '%s\n' '#define _GNU_SOURCE' '#include <dlfcn.h>' '#include <errno.h>' '#include <sys/socket.h>' \
	    'int socket(int d, int t, int p) {' \
	    'int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");' \
	    'if (d == AF_INET6) { errno = EAFNOSUPPORT; return -1; } return real(d, t, p); }' >"$DIR/no6.c"
	gcc -shared -fPIC -o "$DIR/no6.so" "$DIR/no6.c"
	write_conf
	write_zone
	listen '"0.0.0.0", "::"'
	JITSUD_WRAP="env LD_PRELOAD=$DIR/no6.so" start_jitsud
	grep -q 'listen: :: *.*this kernel has no IPv6' "$DIR/log"
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	stop_jitsud
	listen '"::"'
	run in_ns env LD_PRELOAD="$DIR/no6.so" timeout 60 "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"this kernel has no IPv6"* ]]
}

# ---- a table of hosts ----

# Of the daemon in its own mount namespace.
jitsu() { nsenter -t "$JITSUD" -m "$BUILD/jitsu" -s "$DIR/run/control" "$@"; }
ended() { ! kill -0 "$JITSUD" 2>/dev/null; }
up_or_ended() { ended || { [ -e "$DIR/begun" ] && jitsu status >/dev/null 2>&1; }; }

# begin PREP: a jitsud with directories of its own, in a mount namespace that PREP has changed; WRAP in PREP are
# words before its command.  `establish` in PREP: one has run before.
begin() {
	rm -rf "$DIR/run" "$DIR/state" "$DIR/begun"
	cp "$DIR/good.conf" "$DIR/jitsu.conf"
	: >"$DIR/log"
	cat >"$DIR/prep" <<-EOF
	set -e
	DIR=$DIR CONF=$DIR/jitsu.conf WRAP=
	establish() {
		local first
		"$BUILD/jitsud" -f -c "\$CONF" >"\$DIR/log.before" 2>&1 &
		first=\$!
		until "$BUILD/jitsu" -s "\$DIR/run/control" status >/dev/null 2>&1; do kill -0 \$first; sleep 0.05; done
		[ \$# -eq 0 ] || "$BUILD/jitsu" -s "\$DIR/run/control" "\$@"
		kill -TERM \$first
		wait \$first
	}
	tmpfs() { mkdir -p "\$1"; mount -t tmpfs -o "mode=755\${2:+,}\$2" none "\$1"; }
	read_only() { mount --bind "\$1" "\$1"; mount -o remount,bind,ro "\$1"; }
	fill() { cat /dev/zero >"\$1" 2>/dev/null || true; }
	# dev NAME...: a /dev with these alone.
	dev() {
		local name
		mkdir "\$DIR/dev"
		tmpfs "\$DIR/dev"
		mkdir "\$DIR/dev/net"
		for name; do cp -a "/dev/\$name" "\$DIR/dev/\$name"; done
		mount --move "\$DIR/dev" /dev
	}
	program() { mkdir -p "\$DIR/bin"; printf '%s' "\$1" >"\$DIR/bin/qemu-system-x86_64"; chmod "\$2" "\$DIR/bin/qemu-system-x86_64"; export PATH=\$DIR/bin; }
	without() { WRAP="setpriv --bounding-set \$1 --inh-caps \$1"; }
	option() { sed -i "s|^\$1 = .*|\$1 = \$2|" "\$CONF"; }
	mount --make-rprivate /
	$1
	: >"$DIR/begun"
	exec \$WRAP "$BUILD/jitsud" -f -c "\$CONF"
	EOF
	(exec nsenter --net="/run/netns/$NS" unshare -m bash "$DIR/prep" >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 up_or_ended
}

# What the environment of the tests may lack is no finding.
findings() { grep -E ': (warning|error): ' "$DIR/log" | grep -vE 'there is no (such user|group jitsu-admin)|VMs run without .*limits' || true; }

# over ROW: it ends when it is told to, with nothing left behind.
over() {
	local pid=$JITSUD
	kill -TERM "$pid"
	wait "$pid" || { echo "$1: status $?"; return 1; }
	JITSUD=
	rm -rf "${DIR:?}"/{bin,dev}
}

# Rows are `PREP => TEXT`: TEXT is in what is said, and is all that is said; without TEXT nothing is.
each_row() {
	local row text
	while IFS= read -r row; do
		text=${row##*=>}
		"$1" "${row%%=>*}" "${text# }" "$row" || { echo "row: $row"; cat "$DIR/log"; return 1; }
	done
}

# The start is refused with one sentence.
refused() {
	local status=0
	begin "$1"
	ended || return 1
	wait "$JITSUD" || status=$?
	JITSUD=
	rm -rf "${DIR:?}"/{bin,dev}
	# And what is wrong with a file is followed by the file's name.
	[ "$status" -eq 1 ] && [ "$(grep -c ': error: ' "$DIR/log")" -le 2 ] && grep ': error: ' "$DIR/log" | head -1 | grep -qF -- "$2"
}

said_at_most() {
	if [ -n "$1" ]; then
		findings | grep -qF -- "$1" && [ "$(findings | wc -l)" -eq 1 ]
	else
		[ -z "$(findings)" ]
	fi
}

# Names are served, the unit can be woken.
works() {
	begin "$1"
	! ended || return 1
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ] || return 1
	jitsu wake www.example.test >/dev/null || return 1
	said_at_most "$2" || return 1
	over "$3"
}

# Names are served, the unit cannot be woken, and the reason is TEXT.
only_names() {
	begin "$1"
	! ended || return 1
	run jitsu wake www.example.test
	[ "$status" -eq 1 ] && grep -qF -- "$2" <<<"$output" || { echo "$output"; return 1; }
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ] || return 1
	over "$3"
}

# Nothing is served for long where a VM would stay: they are ended with each daemon.
table_conf() {
	CONF_TOP='on-exit = "stop"' write_conf
	write_zone
	cp "$DIR/jitsu.conf" "$DIR/good.conf"
}

@test "hosts on which jitsud does not start: one sentence with what to mend" {
	table_conf
	each_row refused <<-'EOF'
	tmpfs $DIR/state ro => state/secret.new: cannot be made: Read-only file system
	tmpfs $DIR/state size=16k; fill $DIR/state/x => state/secret.new: cannot be written: No space left on device
	tmpfs $DIR/state nr_inodes=1 => state/secret.new: cannot be made: No space left on device
	echo x >$DIR/state => state is not a directory
	ln -s /nonexistent/state $DIR/state => state is a link that leads to nothing
	option state '"/nonexistent/a/state"' => state: /nonexistent/a/state cannot be made: the directory above it is not there
	tmpfs $DIR/x ro; option state "\"$DIR/x/state\"" => x/state cannot be made: Read-only file system
	mkdir -m 777 $DIR/state => must belong to the user that runs jitsud and be writable by nobody else
	tmpfs $DIR/run ro => run/lock: Read-only file system
	tmpfs $DIR/run nr_inodes=1 => run/lock: No space left on device
	echo x >$DIR/run => run is not a directory
	option run-dir '"/nonexistent/run"' => run-dir: /nonexistent/run cannot be made: the directory above it is not there
	mkdir -p -m 755 $DIR/run/lock => run/lock: Is a directory
	mkdir -m 755 $DIR/run; echo x >$DIR/run/control => run/control: something that is no socket is in the way
	mkdir -m 755 $DIR/run; echo x >$DIR/run/empty => run/empty is not a directory
	option control "\"$DIR/run/$(printf %0120d 1)\"" => it must be a path; a relative one starts at the directory of the file it stands in; at most 107 characters
	option run-dir "\"$DIR/$(printf %0100d 1)\"" => at most 59 characters
	EOF
	each_row refused <<-'EOF'
	dev zero urandom net/tun => /dev/null: No such file or directory: make it with: mknod
	tmpfs /dev => /dev/null: No such file or directory: make it with: mknod
	dev zero net/tun; echo x >/dev/null => /dev/null is no device
	tmpfs /proc => /proc/self/exe: No such file or directory: /proc must be mounted
	without -net_admin => CAP_NET_ADMIN (taps, nftables) is missing
	without -sys_chroot => CAP_SYS_CHROOT (empty roots) is missing
	without -setuid => CAP_SETUID (confined processes) is missing
	without -net_bind_service; sed -i 's/^port .*/port = 53/' $CONF => CAP_NET_BIND_SERVICE (port 53) is missing
	WRAP='setpriv --reuid=65534 --clear-groups' => must be started by root, or with capabilities
	without -sys_resource; WRAP+=' prlimit --nofile=16:16' => Too many open files
	without -sys_resource; WRAP+=' prlimit --as=40000000:40000000' => Cannot allocate memory
	EOF
}

@test "a user namespace without our users: the start ends, and does not go on for ever" {
	table_conf
	begin 'mkdir -m 755 $DIR/run $DIR/state; WRAP="unshare --user --map-root-user"'
	wait_for 30 ended
	grep -q 'process: setgroups: ' "$DIR/log"
	grep ': error: ' "$DIR/log" | tail -1 | grep -q 'process ended 3 times before it served, .*: jitsud does not start'
	run wait "$JITSUD"
	JITSUD=
}

@test "hosts on which something is odd or missing, and jitsud works or says in one line what does not" {
	table_conf
	each_row works <<-'EOF'
	establish =>
	establish; read_only $DIR/state => NOT SAVED, since the state database cannot be used
	tmpfs $DIR/state size=1m; establish; fill $DIR/state/x => state is not saved, retrying with every change
	establish; rm -r $DIR/state => state/secret is lost, the copy of this boot is taken: MAC addresses stay as they were
	mkdir -m 755 $DIR/real; ln -s real $DIR/state =>
	tmpfs $DIR/state noexec,nosuid,nodev; tmpfs $DIR/run noexec,nosuid,nodev =>
	tmpfs /var ro; read_only /etc =>
	tmpfs /dev/shm ro; dev null zero net/tun =>
	umount -l /sys 2>/dev/null || tmpfs /sys =>
	mount -t proc -o hidepid=2 none /proc =>
	mount --bind /dev/null /etc/passwd; mount --bind /dev/null /etc/group =>
	without -sys_resource,-ipc_lock; WRAP+=' prlimit --memlock=0:0 --core=0:0 --nofile=2048:2048' =>
	WRAP='setpriv --no-new-privs env -u HOME LANG=tlh_XX.UTF-99 LC_ALL=x TZ=:/etc/passwd TMPDIR=/nonexistent PATH=' =>
	umask 0777; mkdir $DIR/gone; cd $DIR/gone; rmdir $DIR/gone =>
	mkdir -m 755 -p $DIR/run/vm/11111111-2222-4333-8444-555555555555 $DIR/run/vm/junk; chmod -R 755 $DIR/run; echo 99999 >$DIR/run/vm/11111111-2222-4333-8444-555555555555/pid; echo x >$DIR/run/vm/file => carries our mark but is not whole: destroyed
	python3 -c 'import os, socket, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind("control")' $DIR/run; touch $DIR/run/lock =>
	mkdir -m 755 $DIR/state; echo x >$DIR/state/images =>
	mkdir -m 755 -p $DIR/state/jitsu.db; chmod 755 $DIR/state => NOT SAVED, since the state database cannot be used
	dev null zero urandom net/tun; sed -i 's/accel = .*/accel = "auto"/' $CONF => there is no /dev/kvm: load kvm_intel or kvm_amd
	mount --bind /dev/null /dev/kvm; sed -i 's/accel = .*/accel = "auto"/' $CONF => because KVM does not work here
	EOF
}

@test "hosts on which no VM can be started: names are served, and the unit says why" {
	table_conf
	each_row only_names <<-'EOF'
	tmpfs /dev/net => /dev/net/tun (taps need it: modprobe tun
	mount --bind /etc/hostname /dev/net/tun => /dev/net/tun is not the device of taps
	mount --bind /dev/null /dev/kvm; sed -i 's/accel = .*/accel = "kvm"/' $CONF => accel = kvm, but KVM does not work here
	read_only /proc => /proc/self/oom_score_adj before it is run: Read-only file system
	program '#!/nonexistent/sh' 755 => bin/qemu-system-x86_64: no such program (or its interpreter is missing)
	program 'x' 755 => bin/qemu-system-x86_64: cannot be executed: Exec format error
	program 'x' 644 => there is no program qemu-system-x86_64 in PATH
	program '#!/bin/true' 755 => QEMU exited with status 0
	mkdir -m 700 $DIR/bin; program 'x' 755 => uid
	without -sys_resource; WRAP+=' prlimit --nofile=64:64' => the resource limit NOFILE (descriptors) must be more than
	mkdir -m 755 $DIR/run; echo x >$DIR/run/vm => run/vm: Not a directory
	EOF
}
