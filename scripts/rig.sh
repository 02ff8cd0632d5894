# shellcheck shell=bash
# shellcheck disable=SC2154
# rig.sh: what makes a Debian disk for QEMU out of packages, without installing them; sourced.
#
# The caller sets rig_dir (its folder below build/), rig_name and tmp (a folder to work in), and defines nothing else of these names.

rig_say() { printf '%s: %s\n' "$rig_name" "$*" >&2; }
rig_die() { rig_say "$*"; exit 1; }

# apt with a package database of its own, so that everything counts as not installed; nothing of the system is changed.
rig_apt() {
	mkdir -p "$rig_dir/apt/debs/partial"
	: >"$rig_dir/apt/status"
	"$@" -qq -o Dir::State::status="$rig_dir/apt/status" -o Dir::Cache::archives="$rig_dir/apt/debs" -o APT::Install-Recommends=0 \
	    -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=true
}
rig_apt_get() {
	local verb=$1
	shift
	rig_apt apt-get "$verb" "$@"
}

# rig_kernel_package META: the package that it stands for at present.
rig_kernel_package() {
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1
}

# rig_unpack DEB DIR
rig_unpack() {
	dpkg-deb --fsys-tarfile "$1" | tar -xf - -C "$2" --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man \
	    --exclude=./usr/share/locale --exclude=./usr/share/info
}

# rig_unpack_root ROOT: all packages of rig_dir/apt/debs, and what their scripts would have done as far as it matters here.
rig_unpack_root() {
	local root=$1 deb
	mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
	for deb in bin sbin lib lib64; do ln -s usr/$deb "$root/$deb"; done
	for deb in "$rig_dir"/apt/debs/*.deb; do rig_unpack "$deb" "$root"; done
	cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
	printf 'jitsu:x:990:990::/nonexistent:/usr/sbin/nologin\njitsu-vm:x:991:991::/nonexistent:/usr/sbin/nologin\n' >>"$root/etc/passwd"
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
	modprobe -d "$dir" -S "$kver" --show-depends -a "$@" | sed -n 's/^insmod *\([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# rig_initrd DIR KERNEL OUTPUT BUSYBOX INIT MODULE...: busybox, the modules in order, and INIT, which finds them in /m/N-NAME.ko.
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
