# shellcheck shell=bash
# shellcheck disable=SC2154
# rig.sh: makes a Debian disk for QEMU out of packages, without installing them, and runs scripts in
# such machines; sourced.
#
# The caller sets rig_name, rig_dir (its folder below build/) and build, stands in the project's
# directory, and uses no other name that begins with rig_.  `tmp` is a folder to work in;
# rig_disk_make has one of its own.  RIG_RUN names a run that others go on beside: its console.log
# and out are in a folder of that name.
rig_run_dir=$rig_dir${RIG_RUN:+/$RIG_RUN}
mkdir -p "$rig_run_dir"

rig_say() { printf '%s: %s\n' "$rig_name" "$*" >&2; }
rig_die() { rig_say "$*"; exit 1; }

# apt with a package database of its own, so that everything counts as not installed; nothing of the
# system is changed.
rig_apt() {
	mkdir -p "$rig_dir/apt/debs/partial"
	: >"$rig_dir/apt/status"
	"$@" -qq -o Acquire::Retries=5 -o Dir::State::status="$rig_dir/apt/status" \
	    -o Dir::Cache::archives="$rig_dir/apt/debs" -o APT::Install-Recommends=0 \
	    -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
	    -o APT::Keep-Downloaded-Packages=true
}
rig_apt_get() {
	local verb=$1
	shift
	rig_apt apt-get "$verb" "$@"
}

# rig_kernel_package META: the package that it stands for at present.
rig_kernel_package() {
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' |
	    head -1
}

# rig_unpack DEB DIR
rig_unpack() {
	dpkg-deb --fsys-tarfile "$1" |
	    tar -xf - -C "$2" --keep-directory-symlink --exclude=./usr/share/doc \
	    --exclude=./usr/share/man \
	    --exclude=./usr/share/locale --exclude=./usr/share/info
}

# rig_unpack_root ROOT: all packages of rig_dir/apt/debs, and what their scripts would have done as
# far as it matters here.
rig_unpack_root() {
	local root=$1 deb
	mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
	for deb in bin sbin lib lib64; do ln -s usr/$deb "$root/$deb"; done
	for deb in "$rig_dir"/apt/debs/*.deb; do rig_unpack "$deb" "$root"; done
	cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
	printf '%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n' jitsu 990 990 jitsu-vm 991 991 \
	    >>"$root/etc/passwd"
	printf 'jitsu:x:990:\njitsu-vm:x:991:\njitsu-admin:x:992:\n' >>"$root/etc/group"
	ln -s mawk "$root/usr/bin/awk"
	rm -rf "$root/var/run" "$root/var/lock"
	ln -s /run "$root/var/run"
	ln -s /run/lock "$root/var/lock"
	mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp"
	ldconfig -r "$root"
}

# rig_insmod_list DIR KERNEL MODULE...: files in the order in which they are inserted.
rig_insmod_list() {
	local dir=$1 kver=$2
	shift 2
	modprobe -d "$dir" -S "$kver" --show-depends -a "$@" |
	    sed -n 's/^insmod *\([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# rig_initrd DIR KERNEL OUTPUT BUSYBOX INIT MODULE...: busybox, the modules in order, and INIT,
# which finds them in /m/N-NAME.ko.
rig_initrd() {
	local dir=$1 kver=$2 output=$3 busybox=$4 init=$5 i=100 file root
	shift 5
	root=$tmp/initrd.$(basename "$init")
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/m" "$root/root" "$root/etc"
	cp "$busybox" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	cp "$init" "$root/init"
	chmod 755 "$root/init"
	while read -r file; do
		cp "$file" "$root/m/$i-$(basename "$file")"
		i=$((i + 1))
	done < <(rig_insmod_list "$dir" "$kver" "$@")
	(cd "$root" && find . | sort | cpio --quiet -o -H newc) | gzip -1 >"$output"
}

# rig_modules ROOT K KERNEL MODULE...: the modules and what they need, from K's /lib/modules into
# ROOT's.
rig_modules() {
	local root=$1 k=$2 kver=$3 file
	shift 3
	depmod -b "$k" "$kver"
	mkdir -p "$root/lib/modules/$kver"
	while read -r file; do
		install -D -m 644 "$file" "$root/lib/modules/$kver/${file#"$k/lib/modules/$kver/"}"
	done < <(rig_insmod_list "$k" "$kver" "$@")
	cp "$k/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$kver/"
	depmod -b "$root" "$kver"
}

# ---- the disk, kept in rig_dir/KEY ----
#
# The caller sets packages (what is installed on it, with what these need), kernel (the meta package
# of its kernel), others (packages that are only fetched, into $tmp/kernel), and rig_sources (the
# files that it is made of).  It defines rig_make OUT, which finds the packages unpacked in
# $tmp/root and the kernel in $tmp/k, its version in $kver, and leaves OUT/disk.img and whatever
# else belongs to it.

# The packages' files with their versions, as apt would install them; it leaves out what it has
# fetched already.
rig_resolve() {
	rm -f "$rig_dir"/apt/debs/*.deb
	# shellcheck disable=SC2086
	rig_apt_get install --print-uris -y $packages | awk '{ print $2 }' | sort
	# shellcheck disable=SC2086
	(cd "$rig_dir/apt" &&
	    rig_apt_get download --print-uris "$(rig_kernel_package "$kernel")" $others) |
	    awk '{ print $2 }' | sort
}

rig_disk_make() {
	local out=$1 kver deb
	rig_say "making the disk, once"
	tmp=$(mktemp -d "$rig_dir/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	# shellcheck disable=SC2086
	rig_apt_get install --download-only -y $packages >"$tmp/apt.log" 2>&1 || {
		tail -5 "$tmp/apt.log" >&2
		rig_die "the packages cannot be fetched"
	}
	# shellcheck disable=SC2086
	(mkdir -p "$tmp/kernel" && cd "$tmp/kernel" &&
	    rig_apt_get download "$(rig_kernel_package "$kernel")" $others) >"$tmp/apt.log" 2>&1 ||
	    { tail -5 "$tmp/apt.log" >&2; rig_die "the kernel cannot be fetched"; }
	rig_unpack_root "$tmp/root"
	mkdir -p "$tmp/k" "$tmp/out"
	for deb in "$tmp"/kernel/*.deb; do rig_unpack "$deb" "$tmp/k"; done
	kver=$(basename "$tmp"/k/lib/modules/*)
	rig_make "$tmp/out"
	rm -rf "$out"
	mv "$tmp/out" "$out"
	rm -rf "$tmp" "$rig_dir"/apt/debs/*.deb
	trap - EXIT
}

# Sets `disk`, the directory of the newest disk.  Of those who look at once, one makes it.  What was
# found after the file RIG_SINCE was written is not looked up again, which takes seconds.
rig_need_disk() {
	local files key old lock
	[ "$(id -u)" -eq 0 ] ||
	    rig_die "must be root, or the files on the disk would belong to nobody"
	command -v qemu-system-x86_64 >/dev/null ||
	    rig_die "no qemu-system-x86_64: scripts/deps test"
	mkdir -p "$rig_dir"
	exec {lock}>"$rig_dir/lock"
	flock "$lock"
	if [ -n "${RIG_SINCE:-}" ] && [ "$rig_dir/found" -nt "$RIG_SINCE" ]; then
		read -r disk <"$rig_dir/found"
	elif files=$(rig_resolve 2>"$rig_dir/apt.err") && [ -n "$files" ]; then
		# shellcheck disable=SC2086
		key=$({
			echo "$files"
			declare -f rig_make rig_unpack rig_unpack_root rig_insmod_list rig_initrd \
			    rig_modules
			cat $rig_sources
		} | sha256sum | cut -c1-16)
		disk=$rig_dir/$key
		[ -e "$disk/disk.img" ] || rig_disk_make "$disk"
		for old in "$rig_dir"/????????????????; do
			[ ! -d "$old" ] || [ "$old" = "$disk" ] || rm -rf "$old"
		done
		echo "$disk" >"$rig_dir/found"
	else
		# Without the package lists the disk that is there will do.
		disk=$(find "$rig_dir" -maxdepth 2 -name disk.img 2>/dev/null | head -1)
		disk=$(dirname "$disk" 2>/dev/null || true)
		[ -e "$disk/disk.img" ] || {
			tail -3 "$rig_dir/apt.err" >&2
			rig_die "no package lists (apt-get update), and no disk from before"
		}
		rig_say "no package lists; taking the disk from before"
	fi
	exec {lock}>&-
}

# ---- a script run in the machine ----

# rig_pack SCRIPT FILE...: the project (build/, tests/, scripts/, config/), SCRIPT as `script` and
# FILEs in files/, as a tar on a raw disk, $tmp/in.tar; beside what is in $tmp/payload already.
# $tmp/out.img is for what the machine brings back.
rig_pack() {
	local p=$tmp/payload f
	mkdir -p "$p/build" "$p/files" "$p/out" "$p/tests"
	for f in jitsud jitsu hello.elf mute.elf jitsu-xen-vif tests/bench/xen_bare tests/bench/ask
	do
		[ ! -e "$build/$f" ] || cp "$build/$f" "$p/build/"
	done
	cp -r tests/system tests/system-in-dom0 tests/bench "$p/tests/"
	cp -r scripts config "$p/"
	if [ $# -gt 0 ]; then
		install -m 755 "$1" "$p/script"
		shift
	fi
	for f in "$@"; do cp -r "$f" "$p/files/"; done
	tar -cf "$tmp/in.tar" -C "$p" .
	# A disk's size is whole sectors; the reader stops at the archive's end.
	truncate -s '%1M' "$tmp/in.tar"
	truncate -s 64M "$tmp/out.img"
}

# ---- a machine that stands still ----
#
# QEMU's emulation of nested virtualisation may lose an interrupt: up to 10.1 its do_vmexit clears a
# bit of interrupt_request without the lock under which other threads set theirs.  When that was the
# timer's, nothing happens in the machine any more until another interrupt comes.  So a byte each
# second goes to a port of its own (`beat`), and a machine that stands still all the same is
# noticed, its state kept, and its file of tests tried once more in a fresh one.
RIG_STALL=${RIG_STALL:-60}      # seconds without output and without CPU time
# Seconds without a line, whatever the CPU does: limits inside the machine run on a clock that may
# stand.
RIG_SILENCE=${RIG_SILENCE:-700}
# A machine that stands still takes less than this part of a CPU (an idle one takes more), and is
# not kept from it by others either.
rig_stall_percent=1 rig_starved_percent=10
rig_again=75                    # a machine's status when it stood still

# rig_used PID: milliseconds of CPU time that its threads have used, and those that they waited for
# a CPU.
rig_used() {
	cat /proc/"$1"/task/*/schedstat 2>/dev/null |
	    awk '{ ran += $1; waited += $2 }
	        END { if (!NR) exit 1; printf "%d %d\n", ran / 1e6, waited / 1e6 }'
}

# rig_monitor COMMAND...: what QEMU's monitor says to each.
rig_monitor() {
	printf "%s\\n" "$@" | timeout 20 socat -t 1 - "UNIX-CONNECT:$rig_tmp/monitor" 2>&1 |
	    tr -d "\\r"
}

# rig_keys BYTES: to the machine's first serial port; its answer is in console.log.
rig_keys() {
	printf "%b" "$1" | timeout 10 socat -t 0.3 - "UNIX-CONNECT:$rig_tmp/serial" >/dev/null \
	    2>&1 || true
}

# rig_state PID WHY: keeps what can be learnt of a machine in rig_run_dir/stalled-N.  First what
# does not touch it, then what interrupts it.
rig_state() {
	local pid=$1 dir n=1 task before after key
	while [ -e "$rig_run_dir/stalled-$n" ]; do n=$((n + 1)); done
	dir=$rig_run_dir/stalled-$n
	mkdir "$dir"
	printf '%s, on %s\n' "$2" "$(date -u +%FT%TZ)" >"$dir/why"
	for task in /proc/"$pid"/task/*; do
		echo "$(cat "$task/comm"): $(sed -n 's/^State:[[:space:]]*//p' "$task/status")," \
		    "waits in $(cat "$task/wchan"), ticks: $(cut -d' ' -f14,15 "$task/stat")"
	done >"$dir/threads" 2>/dev/null
	rig_monitor "info status" "info cpus" "info registers -a" "info lapic" "info pic" \
	    "info irq" "info block" "info chardev" >"$dir/monitor"
	! command -v gdb >/dev/null ||
	    timeout 120 gdb -p "$pid" -batch -ex 'thread apply all bt 20' >"$dir/backtrace" \
	    2>/dev/null
	before=$(rig_used "$pid")
	# Xen's console is behind three ^A, and has a key for each report; Linux's sysrq is behind
	# ^O in a dom0, behind a break elsewhere.
	rig_keys '\001\001\001'
	for key in d q r a e i '*'; do rig_keys "$key"; done
	rig_keys '\001\001\001'
	for key in w t l q; do
		rig_keys "\017$key"
		rig_monitor "chardev-send-break serial" >/dev/null
		rig_keys "$key"
	done
	sleep 5
	rig_monitor "info registers -a" "info lapic" >"$dir/monitor.after"
	cp "$rig_run_dir/console.log" "$dir/"
	tail -50 "$rig_run_dir/said" >"$dir/said"
	after=$(rig_used "$pid")
	echo "interrupts through its console then made it take" \
	    "$((${after% *} - ${before% *})) ms of CPU" >>"$dir/why"
	echo "$2; its state is in ${dir#"$PWD/"}" >"$rig_tmp/stalled"
}

# rig_watch OWNER: sees to the machine whose QEMU writes its pid to $rig_tmp/pid, until it, or the
# shell OWNER, ends.  Counts its own rounds, not the clock: a host that slept is no machine that
# stood still.
rig_watch() {
	local owner=$1 pid still=0 silent=0 size=0 now_size ran waited now_ran now_waited why=
	until [ -s "$rig_tmp/pid" ]; do
		[ ! -e "$rig_tmp/ended" ] && kill -0 "$owner" 2>/dev/null || return 0
		sleep 0.2
	done
	read -r pid <"$rig_tmp/pid"
	ran=0 waited=0
	while sleep 1 && read -r now_ran now_waited < <(rig_used "$pid") &&
	    [ ! -e "$rig_tmp/ended" ]
	do
		# Never waits: the pipe is open for reading here, too, and a day's bytes fit.
		[ ! -p "$rig_tmp/beat" ] || printf . 1<>"$rig_tmp/beat"
		now_size=$(cat "$rig_run_dir/console.log" "$rig_run_dir/said" 2>/dev/null | wc -c)
		still=$((still + 1)) silent=$((silent + 1))
		if [ "$now_size" -ne "$size" ]; then
			still=0 silent=0
		elif [ $((now_ran - ran)) -gt $((RIG_STALL * 10 * rig_stall_percent)) ] ||
		    [ $((now_waited - waited)) -gt $((RIG_STALL * 10 * rig_starved_percent)) ]; then
			still=0
		fi
		size=$now_size
		[ $still -ne 0 ] || ran=$now_ran waited=$now_waited
		[ $still -lt "$RIG_STALL" ] || why="no output and no CPU time for $RIG_STALL s"
		[ $silent -lt "$RIG_SILENCE" ] || why="no output for $RIG_SILENCE s"
		[ -n "$why" ] || continue
		rig_state "$pid" "$why"
		kill -KILL "$pid"
		return
	done
}

# rig_machine BOOT ARGUMENT...: calls BOOT (QEMU) with its first serial port in console.log, and
# what comes out of the pipe $rig_tmp/said on standard output.  BOOT's status, or rig_again.
rig_machine() {
	local status=0 reader watcher log
	# The sockets' paths are short wherever the project is.
	rig_tmp=${tmp#"$PWD/"}
	rm -f "$rig_tmp"/{pid,ended,stalled,said,monitor,serial}
	: >"$rig_run_dir/said"
	: >"$rig_run_dir/console.log"
	mkfifo "$rig_tmp/said"
	sed -u 's/\r$//' <"$rig_tmp/said" | tee "$rig_run_dir/said" &
	reader=$!
	rig_watch $BASHPID </dev/null >/dev/null &
	watcher=$!
	log=,logfile=$rig_run_dir/console.log
	"$@" -pidfile "$rig_tmp/pid" -monitor "unix:$rig_tmp/monitor,server=on,wait=off" \
	    -serial chardev:serial \
	    -name rig,debug-threads=on -chardev \
	    "socket,id=serial,path=$rig_tmp/serial,server=on,wait=off$log" \
	    </dev/null || status=$?
	: >"$rig_tmp/ended"
	# Lets the reader go when QEMU did not come to open it.
	: 1<>"$rig_tmp/said"
	wait $reader
	wait $watcher || true
	[ ! -e "$rig_tmp/stalled" ] || status=$rig_again
	return $status
}

# rig_show BOOT ARGUMENT...: a machine with a virtio port named `rig`; what is written there comes
# to standard output.
rig_show() {
	# With a clock that counts instructions, timers and the CPU are one thread, which loses
	# none.
	local beat=()
	rm -f "$tmp/beat"
	if [ -z "${RIG_ICOUNT:-}" ]; then
		mkfifo "$tmp/beat"
		beat=(-chardev "pipe,id=beat,path=${tmp#"$PWD/"}/beat"
		    -device "virtserialport,chardev=beat,name=beat")
	fi
	# Not QEMU's stdio: at the end of its standard input a port counts as unplugged, and the
	# machine's writes wait for ever.
	rig_machine "$@" -device virtio-serial-pci -chardev "file,id=out,path=${tmp#"$PWD/"}/said" \
	    -device virtserialport,chardev=out,name=rig "${beat[@]}"
}

# rig_tests PREPARE RUN FILE...: all the files of tests in one machine.  `PREPARE FILE...` makes
# what it needs, RUN runs it, and the machine says `# file FILE` before each.  When it stands still,
# the file that was under way is tried once more, and those after it run, in a fresh one.
rig_tests() {
	local prepare=$1 run=$2 status worst=0 at last=
	shift 2
	while [ $# -gt 0 ]; do
		status=0
		"$prepare" "$@"
		"$run" || status=$?
		[ $status -eq $rig_again ] || { [ $status -eq 0 ] || worst=$status; return $worst; }
		at=$(sed -n 's/^# file //p' "$rig_run_dir/said" | tail -1)
		while [ -n "$at" ] && [ $# -gt 1 ] && [ "$1" != "$at" ]; do shift; done
		# What came before had its results.
		! sed "\\|^# file $1\$|,\$d" "$rig_run_dir/said" | grep -q '^not ok' || worst=1
		if [ "$last" = "$1" ]; then
			echo "not ok 1 $1: the machine stood still twice: $(cat "$rig_tmp/stalled")"
			worst=1
			shift
			continue
		fi
		echo "# stood still: $1: $(cat "$rig_tmp/stalled"); once more in a fresh machine"
		last=$1
	done
	return $worst
}

# rig_whole LOG: without what a file of tests had said when its machine stood still and was tried
# again.
rig_whole() {
	awk '/^# file / { printf "%s", held; held = "" }
	    /^# stood still/ { held = "" }
	    { held = held $0 "\n" }
	    END { printf "%s", held }' "$1"
}

# rig_result STATUS: unpacks out.img into rig_run_dir/out; the script's status, which stands in
# out/status, or rig_again.
rig_result() {
	local end
	[ "$1" -ne $rig_again ] || return $rig_again
	rm -rf "$rig_run_dir/out"
	mkdir -p "$rig_run_dir/out"
	if [ "$1" -ne 0 ] || ! tar -xf "$tmp/out.img" -C "$rig_run_dir/out" 2>/dev/null ||
	    [ ! -e "$rig_run_dir/out/status" ]
	then
		tail -30 "$rig_run_dir/console.log" | tr -cd '\n\t -~' >&2
		[ "$1" -ne 124 ] || rig_die "not finished after ${RIG_TIMEOUT:-900} s"
		rig_die "the machine ended without a result (QEMU's status $1)"
	fi
	read -r end <"$rig_run_dir/out/status"
	return "$end"
}

# What runs in a machine that has been prepared; its script's status, or rig_again.
rig_run() {
	local status=0
	rig_show boot "rig=run" || status=$?
	rig_result $status
}

# The same for a script of which nobody knows whether it can be tried again.
rig_run_once() {
	local status=0
	rig_run || status=$?
	[ $status -ne $rig_again ] || rig_die "the machine stood still: $(cat "$rig_tmp/stalled")"
	return $status
}
