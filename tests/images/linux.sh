#!/bin/sh
# linux.sh: Debian's cloud kernel with a busybox initramfs, the second image of the tests.
#
#   tests/images/linux.sh DIR    makes DIR/vmlinuz and DIR/initrd.gz, unless they are there
#
# The kernel's package is fetched and unpacked, not installed.  The guest takes hello's command line (name=, ip= for IPv4 and IPv6, gw=, delay=), answers
# HTTP on port 80, turns itself off when the power button is pressed, and tells its console what it has: CPUs, NICs, disks and their first bytes.
# write=TEXT writes to the first disk, off=1 ends it as soon as it is up, deaf=1 ignores the button.
#
# It boots in about 2 s of CPU time in emulation, with 128 MiB and
#
#   -M microvm,acpi=on,pit=on,pic=on,rtc=on,x-option-roms=off,isa-serial=on -bios qboot.rom -accel tcg,tb-size=64
#   -global virtio-mmio.force-legacy=off -device virtio-net-device,netdev=n0,bus=virtio-mmio-bus.1
#   -append "console=ttyS0 quiet tsc_early_khz=KHZ OF THE HOST'S COUNTER name=..."
#
# or with -M q35,vmport=off,usb=off and virtio-net-pci, where it finds the frequency itself.  Without ACPI the kernel
# finds no virtio-mmio devices, and with pit=off the boot takes twice as long.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
exec 9>"$dir/lock"
flock 9
recipe=$(sha256sum <"$0")
[ ! -s "$dir/vmlinuz" ] || [ "$(cat "$dir/recipe" 2>/dev/null)" != "$recipe" ] || exit 0

busybox=$(command -v busybox) || { echo "$0: busybox-static is missing: scripts/deps test" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
image() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -1; }
package=$(image)
[ -n "$package" ] || { apt-get update -qq && package=$(image); }
[ -n "$package" ] || { echo "$0: apt knows no linux-image-cloud-amd64" >&2; exit 1; }
(cd "$work" && apt-get download -qq "$package" >download.log 2>&1) || { cat "$work/download.log" >&2; exit 1; }
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"

root=$work/root
mkdir -p "$root/bin" "$root/lib" "$root/proc" "$root/sys" "$root/dev" "$root/www/cgi-bin"
cp "$busybox" "$root/bin/busybox"
modules="virtio_ring virtio virtio_mmio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net virtio_blk
button evdev"
for m in $modules; do
	find "$work/kernel" -name "$m.ko" -exec cp {} "$root/lib/" \;
done
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
# Some are for the other machine.
for m in MODULES; do insmod /lib/$m.ko 2>/dev/null; done
ip link set lo up
# An address is used at once: nobody waits a second for a duplicate.
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up
name=linux delay=0 write= off= deaf=
for word in $(cat /proc/cmdline); do
	value=${word#*=}
	case $word in
	name=*) name=$value ;;
	ip=*:*) ip -6 addr add "$value" dev eth0 ;;
	ip=*) ip addr add "$value" dev eth0 ;;
	gw=*:*) ip -6 route add default via "$value" ;;
	gw=*) ip route add default via "$value" ;;
	delay=*) delay=$value ;;
	write=*) write=$value ;;
	off=*) off=$value ;;
	deaf=*) deaf=$value ;;
	esac
done
echo "jitsu-linux: $name: cpus=$(nproc) kib=$(sed -n 's/MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
for n in /sys/class/net/eth*; do [ ! -e $n ] || echo "jitsu-linux: nic ${n##*/} $(cat $n/address)"; done
for d in /sys/block/vd*; do
	[ -e "$d" ] || continue
	echo "jitsu-linux: disk ${d##*/} sectors=$(cat $d/size) ro=$(cat $d/ro) begins=$(head -c 16 /dev/${d##*/} | tr -dc 'a-z0-9-')"
done
if [ -n "$write" ]; then
	printf '%s' "$write" | dd of=/dev/vda conv=notrunc 2>/dev/null
	sync
	echo "jitsu-linux: wrote $write"
fi
for e in /dev/input/event*; do
	[ -n "$deaf" ] || [ ! -e $e ] || (head -c 1 $e >/dev/null && echo "jitsu-linux: power button" && sync && poweroff -f) &
done
usleep "${delay}000"
cat >/www/cgi-bin/index.cgi <<PAGE
#!/bin/sh
printf 'Content-Type: text/html\\r\\n\\r\\n'
echo "<h1>$name</h1>"
echo "<p>Linux $(uname -r)"
echo "<p>Booted \$(cut -d' ' -f1 /proc/uptime) seconds ago"
PAGE
chmod 755 /www/cgi-bin/index.cgi
httpd -p 80 -h /www
echo "jitsu-linux: up after $(cut -d' ' -f1 /proc/uptime) s"
[ -z "$off" ] || poweroff -f
while :; do sleep 3600; done
INIT
sed -i "s/MODULES/$(printf %s "$modules" | tr "\n" " ")/" "$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$dir/initrd.gz"
cp "$work"/kernel/boot/vmlinuz-* "$dir/vmlinuz"
chmod 644 "$dir/vmlinuz" "$dir/initrd.gz"
echo "$recipe" >"$dir/recipe"
