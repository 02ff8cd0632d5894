#!/usr/bin/env bats
# hosts: tables of odd, broken and bare hosts, a row each, in a mount namespace: jitsud works, works
# in part and says what does not, or ends with a sentence; it never crashes, hangs, ends without a
# word or loses what it had.

load lib/jitsu

setup() {
	[[ "$BUILD" != */san ]] ||
	    skip "a sanitizer has limits of its own, and comes before every other library"
	setup_jitsu
}
teardown() { teardown_jitsu; }

# Of the daemon in its own mount namespace.
jitsu() { nsenter -t "$JITSUD" -m "$BUILD/jitsu" -s "$DIR/run/control" "$@"; }
ended() { ! kill -0 "$JITSUD" 2>/dev/null; }
up_or_ended() { ended || { [ -e "$DIR/begun" ] && jitsu status >/dev/null 2>&1; }; }

# begin PREP: a jitsud with directories of its own, in a mount namespace that PREP has changed; WRAP
# in PREP are words before its command.  `establish` in PREP: one has run before.
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
		until "$BUILD/jitsu" -s "\$DIR/run/control" status >/dev/null 2>&1; do
			kill -0 \$first
			sleep 0.05
		done
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
	program() {
		mkdir -p "\$DIR/bin"
		printf '%s' "\$1" >"\$DIR/bin/qemu-system-x86_64"
		chmod "\$2" "\$DIR/bin/qemu-system-x86_64"
		export PATH=\$DIR/bin
	}
	# preload DEFINE: libc calls that fail as on another kernel, or a clock that says another
	# time.
	preload() {
		gcc "-D\$1" -shared -fPIC -o "\$DIR/lib.so" "\$DIR/lib.c"
		export LD_PRELOAD=\$DIR/lib.so
	}
	without() { WRAP="setpriv --bounding-set \$1 --inh-caps \$1"; }
	option() { sed -i "s|^\$1 = .*|\$1 = \$2|" "\$CONF"; }
	mount --make-rprivate /
	$1
	: >"$DIR/begun"
	exec \$WRAP "$BUILD/jitsud" -f -c "\$CONF"
	EOF
	(exec nsenter --net="/run/netns/$NS" unshare -m bash "$DIR/prep" \
	    >>"$DIR/log" 2>&1 3>&- 4>&-) &
	JITSUD=$!
	wait_for 30 up_or_ended
}

# What the environment of the tests may lack is no finding.
findings() {
	grep -E ': (warning|error): ' "$DIR/log" |
	    grep -vE 'there is no (such user|group jitsu-admin)|VMs run without .*limits' || true
}

# over ROW: it ends when it is told to, with nothing left behind.
over() {
	local pid=$JITSUD
	kill -TERM "$pid"
	wait "$pid" || { echo "$1: status $?"; return 1; }
	JITSUD=
	rm -rf "${DIR:?}"/{bin,dev}
}

# Rows are `PREP => TEXT`: TEXT is in what is said, and is all that is said; without TEXT nothing
# is.  A row that ends with a backslash goes on in the next line.
each_row() {
	local row more text
	while IFS= read -r row; do
		while [[ $row == *\\ ]]; do
			read -r more
			row=${row%\\}$more
		done
		text=${row##*=>}
		"$1" "${row%%=>*}" "${text# }" "$row" || {
			echo "row: $row"
			cat "$DIR/log"
			return 1
		}
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
	# One error, or two where the second names the file that is wrong.
	[ "$status" -eq 1 ] && [ "$(grep -c ': error: ' "$DIR/log")" -le 2 ] &&
	    grep ': error: ' "$DIR/log" | head -1 | grep -qF -- "$2"
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

# Names are served.
serves_names() {
	begin "$1"
	! ended || return 1
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ] || return 1
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

other_kernel() {
	cat >"$DIR/lib.c" <<-'EOF'
	#define _GNU_SOURCE
	#include <errno.h>
	#include <linux/netlink.h>
	#include <sys/socket.h>
	#include <sys/syscall.h>
	#include <time.h>
	#include <unistd.h>
	#if defined(NO_NFT) || defined(NO_PACKET)
	int socket(int domain, int type, int protocol)
	{
	#ifdef NO_NFT
		if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER) {
			errno = EPROTONOSUPPORT;
			return -1;
		}
	#else
		if (domain == AF_PACKET) { errno = EAFNOSUPPORT; return -1; }
	#endif
		return (int)syscall(SYS_socket, domain, type, protocol);
	}
	#endif
	#ifdef NO_INOTIFY
	int inotify_init1(int flags) { errno = EMFILE; return flags < 0 ? flags : -1; }
	#endif
	#ifdef CLOCK
	int clock_gettime(clockid_t clock, struct timespec *t)
	{
		static time_t ahead;
		int rc = (int)syscall(SYS_clock_gettime, clock, t);

		if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
			return rc;
		if (ahead == 0)
			ahead = CLOCK - t->tv_sec;
		t->tv_sec += ahead;
		return rc;
	}
	time_t time(time_t *t)
	{
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		return t != NULL ? (*t = now.tv_sec) : now.tv_sec;
	}
	#endif
	EOF
}

# Nothing is served for long where a VM would stay: they are ended with each daemon.
table_conf() {
	CONF_TOP='on-exit = "stop"' write_conf
	write_zone
	cp "$DIR/jitsu.conf" "$DIR/good.conf"
	other_kernel
}

@test "hosts on which jitsud does not start: one sentence with what to mend" {
	table_conf
	each_row refused <<-'EOF'
	tmpfs $DIR/state ro => state/secret.new: cannot be made: Read-only file system
	tmpfs $DIR/state size=16k; fill $DIR/state/x => \
	    state/secret.new: cannot be written: No space left on device
	tmpfs $DIR/state nr_inodes=1 => state/secret.new: cannot be made: No space left on device
	echo x >$DIR/state => state is not a directory
	ln -s /nonexistent/state $DIR/state => state is a link that leads to nothing
	option state '"/nonexistent/a/state"' => \
	    state: /nonexistent/a/state cannot be made: the directory above it is not there
	tmpfs $DIR/x ro; option state "\"$DIR/x/state\"" => \
	    x/state cannot be made: Read-only file system
	mkdir -m 777 $DIR/state => \
	    must belong to the user that runs jitsud and be writable by nobody else
	tmpfs $DIR/run ro => run/lock: Read-only file system
	tmpfs $DIR/run nr_inodes=1 => run/lock: No space left on device
	echo x >$DIR/run => run is not a directory
	option run-dir '"/nonexistent/run"' => \
	    run-dir: /nonexistent/run cannot be made: the directory above it is not there
	mkdir -p -m 755 $DIR/run/lock => run/lock: Is a directory
	mkdir -m 755 $DIR/run; echo x >$DIR/run/control => \
	    run/control: something that is no socket is in the way
	mkdir -m 755 $DIR/run; echo x >$DIR/run/empty => run/empty is not a directory
	option control "\"$DIR/run/$(printf %0120d 1)\"" => it must be a path; \
	    a relative one starts at the directory of the file it stands in; at most 107 characters
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
	without -net_bind_service; sed -i 's/^port .*/port = 53/' $CONF => \
	    CAP_NET_BIND_SERVICE (port 53) is missing
	without -sys_resource; WRAP+=' prlimit --nofile=16:16' => Too many open files
	without -sys_resource; WRAP+=' prlimit --stack=65536:65536' => \
	    the resource limit STACK is 65536 bytes and cannot be raised: it must be at least
	EOF
}

@test "a user namespace without our users: the start ends, and does not go on for ever" {
	table_conf
	begin 'mkdir -m 755 $DIR/run $DIR/state; WRAP="unshare --user --map-root-user"'
	wait_for 30 ended
	grep -q 'process: setgroups: ' "$DIR/log"
	grep ': error: ' "$DIR/log" | tail -1 |
	    grep -q 'process ended 3 times before it served, .*: jitsud does not start'
	run wait "$JITSUD"
	JITSUD=
}

@test "hosts on which something is odd: jitsud works, or says in one line what does not" {
	table_conf
	each_row works <<-'EOF'
	establish; read_only $DIR/state => NOT SAVED, since the state database cannot be used
	tmpfs $DIR/state size=1m; establish; fill $DIR/state/x => \
	    state is not saved, retrying with every change
	tmpfs $DIR/state noexec,nosuid,nodev; tmpfs $DIR/run noexec,nosuid,nodev =>
	mkdir -m 755 $DIR/run $DIR/state; mount --bind $DIR $DIR; mount --rbind /tmp /tmp; \
	    mount -o remount,bind,ro /tmp; tmpfs /var ro; tmpfs /run ro; read_only /etc =>
	tmpfs /dev/shm ro; dev null zero net/tun =>
	umount -l /sys 2>/dev/null || tmpfs /sys =>
	mount -t proc -o hidepid=2 none /proc; read_only /proc/sys =>
	without -sys_resource,-ipc_lock; \
	    WRAP+=' prlimit --memlock=0:0 --core=0:0 --nofile=2048:2048' =>
	WRAP='setpriv --no-new-privs env -u HOME LANG=tlh_XX.UTF-99 LC_ALL=x TZ=:/etc/passwd'; \
	    WRAP+=' TMPDIR=/nonexistent PATH=' =>
	umask 0777; mkdir $DIR/gone; cd $DIR/gone; rmdir $DIR/gone =>
	dev null zero urandom net/tun; sed -i 's/accel = .*/accel = "auto"/' $CONF => \
	    there is no /dev/kvm: load kvm_intel or kvm_amd
	preload NO_NFT => payload packets are not counted, nor connections (keep-open): \
	    only queries keep a unit awake: nftables: netlink socket (this kernel has no nftables)
	preload CLOCK=5 =>
	preload CLOCK=4200000000 =>
	EOF
	each_row serves_names <<-'EOF'
	mkdir -m 755 $DIR/real; ln -s real $DIR/state =>
	establish; rm -r $DIR/state => \
	    state/secret is lost, the copy of this boot is taken: MAC addresses stay as they were
	mkdir -m 755 $DIR/state; echo x >$DIR/state/images =>
	mkdir -m 755 -p $DIR/state/jitsu.db; chmod 755 $DIR/state => \
	    NOT SAVED, since the state database cannot be used
	mount --bind /dev/null /etc/passwd; mount --bind /dev/null /etc/group =>
	vm=$DIR/run/vm; uuid=11111111-2222-4333-8444-555555555555; \
	    mkdir -m 755 -p $vm/$uuid $vm/junk; chmod -R 755 $DIR/run; \
	    echo 99999 >$vm/$uuid/pid; echo x >$vm/file => \
	    carries our mark but is not whole: destroyed
	python3 -c 'import os, socket, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); \
	    socket.socket(socket.AF_UNIX).bind("control")' $DIR/run; touch $DIR/run/lock =>
	preload NO_INOTIFY => is not watched, what is removed from it is not made again: inotify
	preload NO_PACKET => network lan: packet socket for the bridge
	sysctl -qw net.ipv6.conf.jitsu0.disable_ipv6=1 => \
	    fd77::1 is not an address of this host, or not yet
	EOF
}

@test "hosts on which no VM can be started: names are served, and the unit says why" {
	table_conf
	each_row only_names <<-'EOF'
	tmpfs /dev/net => /dev/net/tun (taps need it: modprobe tun
	mount --bind /etc/hostname /dev/net/tun => /dev/net/tun is not the device of taps
	dev null zero urandom net/tun; cp -a /dev/null /dev/kvm; \
	    sed -i 's/accel = .*/accel = "kvm"/' $CONF => accel = kvm, but KVM does not work here
	read_only /proc => /proc/self/oom_score_adj before it is run: Read-only file system
	program '#!/nonexistent/sh' 755 => \
	    bin/qemu-system-x86_64: no such program (or its interpreter is missing)
	program 'x' 755 => bin/qemu-system-x86_64: cannot be executed: Exec format error
	program 'x' 644 => there is no program qemu-system-x86_64 in PATH
	program '#!/bin/true' 755 => QEMU exited with status 0
	mkdir -m 700 $DIR/bin; program 'x' 755 => uid
	without -sys_resource; WRAP+=' prlimit --nofile=64:64' => \
	    the resource limit NOFILE (descriptors) must be more than
	mkdir -m 755 $DIR/run; echo x >$DIR/run/vm => run/vm: Not a directory
	EOF
}
