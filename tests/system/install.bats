#!/usr/bin/env bats
# install: what make builds again when its variables change, what it installs, and what it removes.
# All in a copy of what is built.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	# Its stamps and its objects, which are not to be changed under other tests.
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	local from=${JITSU_BUILD:-$PWD/build} f
	mkdir "$DIR/build"
	for f in base dns vm src guest flags prefix with-xen jitsud jitsu hello.elf \
	    jitsu-xen-vif; do
		[ ! -e "$from/$f" ] || cp -a "$from/$f" "$DIR/build/"
	done
	cp -a "$from"/*.a "$DIR/build/"
}
teardown() { rm -rf "$DIR"; }

# A test of the check inherits its make's variables, a job server's among them.
mk() { env -u MAKEFLAGS -u MFLAGS -u BUILD make -s BUILD="$DIR/build" DESTDIR="$DIR/root" "$@"; }
compiles() { mk -n V=1 "$@" all | grep -c -- ' -c -o '; }

@test "make install PREFIX after make: binaries, unit and configuration know that PREFIX" {
	local prefix
	for prefix in /opt/one /usr; do
		mk install PREFIX=$prefix >"$DIR/log"
		! strings "$DIR/root$prefix/sbin/jitsud" | grep libexec/jitsu |
		    grep -v "^$prefix/" || false
		grep -q "^ExecStart=$prefix/sbin/jitsud" \
		    "$DIR/root$prefix/lib/systemd/system/jitsud.service"
	done
	if [ -e "$DIR/build/jitsu-xen-vif" ]; then
		strings "$DIR/root/opt/one/sbin/jitsud" | grep -q '^/opt/one/libexec/jitsu/'
		strings "$DIR/root/usr/sbin/jitsud" | grep -q '^/usr/libexec/jitsu/'
	fi
	# Configuration that is there stays.
	grep -q '"/opt/one/share/jitsu/hello.elf"' "$DIR/root/etc/jitsu/jitsu.conf"
}

@test "other flags build everything again, the same ones nothing" {
	[ "$(compiles)" -eq 0 ]
	[ "$(compiles CFLAGS=-O1)" -gt 100 ]
	[ "$(compiles PREFIX=/opt/other)" -le 1 ]
	mk "$DIR/build/flags" CFLAGS=-O1
	[ "$(compiles)" -gt 100 ]
}

@test "make uninstall removes what make install brought, and no more" {
	mk install PREFIX=/opt/one >"$DIR/log"
	echo mine >"$DIR/root/etc/jitsu/jitsu.conf"
	mkdir -p "$DIR/root/opt/one/bin" && touch "$DIR/root/opt/one/bin/other"
	mk uninstall PREFIX=/opt/one >"$DIR/log"
	[ "$(cd "$DIR/root" && find . -type f | sort | tr '\n' ' ')" = \
	    "./etc/jitsu/example.zone ./etc/jitsu/jitsu.conf ./opt/one/bin/other " ]
	[ "$(cat "$DIR/root/etc/jitsu/jitsu.conf")" = mine ]
	[ ! -e "$DIR/root/opt/one/share/jitsu" ]
	# Twice is no error.
	mk uninstall PREFIX=/opt/one >"$DIR/log"
}
