#!/usr/bin/env bats
# losses: what a reload of a wrong configuration, or of a part of one, must not lose; and how it is
# said.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

status_of() { in_ns dig @10.77.0.1 -p 5300 +tries=1 +time=15 "$1" A | grep -o 'status: [A-Z]*'; }
alive() { kill -0 "$JITSUD" && jitsu status >/dev/null; }
reloads() { jitsu --json status | jq -r '[.generation, (.reload.time // 0)] | @tsv'; }
changed() { [ "$(reloads)" != "$1" ]; }
# hup: SIGHUP, and what came of it.
hup() {
	local before
	before=$(reloads)
	kill -HUP "$JITSUD"
	wait_for 30 changed "$before"
}

@test "an image section that is gone or renamed: its zone keeps its contents and its units" {
	local vm
	write_zone "$(more_units 2)"
	start_jitsud
	jitsu wake www.example.test
	vm=$(qemus)
	for i in 1 2 3; do
		sed -i 's/^image ".*"/image "gone'$i'"/' "$DIR/jitsu.conf"
		[ "$i" -ne 2 ] || write_zone "$(more_units 2)" 'new A 192.0.2.9'
		run jitsu reload
		echo "$output"
		[ "$status" -eq 1 ]
		kept="1 zones keep their old contents, 0 are not served"
		[[ "$output" == *"reloaded: 0 of 1 zones, 3 units; $kept"* ]]
		[[ "$output" == \
		    *'example.zone:'*'image=hello: there is no section image "hello"'* ]]
		[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
		[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
		[ "$(qemus)" = "$vm" ]
		[ "$(jitsu --json list | jq length)" -eq 3 ]
		jitsu wake "u1.example.test"
		jitsu sleep "u1.example.test"
	done
	run jitsu list
	[[ "$output" == *'zone example.test is served with its old contents: '*'image=hello'* ]]
	# What no unit of the zone can be on: the units go, and names stay data.
	sed -i 's/units = { "10.77.0.10-10.77.0.250"/units = { "10.77.0.100-10.77.0.250"/' \
	    "$DIR/jitsu.conf"
	run jitsu reload
	[ "$status" -eq 1 ]
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	[ "$(ask +short www.example.test A)" = 10.77.0.10 ]
	[ "$(ask +short new.example.test A)" = "" ]
	write_conf
	jitsu reload
	[ "$(ask +short new.example.test A)" = 192.0.2.9 ]
	[ "$(jitsu --json list | jq length)" -eq 3 ]
	jitsu wake www.example.test
}

@test "a jitsu.conf that was cut short is refused, until told otherwise" {
	local vm size n
	start_jitsud
	jitsu wake www.example.test
	vm=$(qemus)
	cp "$DIR/jitsu.conf" "$DIR/whole"
	size=$(stat -c %s "$DIR/whole")
	for ((n = 0; n < size; n += 97)); do
		head -c "$n" "$DIR/whole" >"$DIR/jitsu.conf"
		if [ $((n % 2)) -eq 0 ]; then
			run jitsu reload
			[ "$status" -eq 1 ]
			[[ "$output" == *"nothing was changed"* ]] || { echo "$n: $output"; false; }
		else
			hup
			jitsu status |
			    grep -q \
			    '^last reload .*by SIGHUP: REFUSED, nothing was changed: .*jitsu.conf'
			[ "$(jitsu --json status | jq '.reload.refused')" = true ]
		fi
		[ "$(qemus)" = "$vm" ]
		[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	done
	: >"$DIR/jitsu.conf"
	run jitsu reload
	[[ "$output" == *'it has no zone'*'`jitsu reload --force`'* ]]
	jitsu reload --force
	[ "$(jitsu --json status | jq '.zones | length')" -eq 0 ]
	cp "$DIR/whole" "$DIR/jitsu.conf"
	hup
	jitsu status | grep -q '^last reload .*by SIGHUP: loaded$'
	wait_for 30 serves
	run jitsu list --force
	[ "$status" -eq 2 ]
}

@test "SIGHUP with one broken zone loads the others; what is no zone in zone * costs itself alone" {
	mkdir "$DIR/zones"
	for z in a b c; do
		printf '$TTL 60\n@ SOA ns h 1 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n' \
		    >"$DIR/zones/$z.test.zone"
	done
	cp "$DIR/zones/b.test.zone" "$DIR/zones/b (copy).test.zone"
	sed 's/192.0.2.1/192.0.2.66/' "$DIR/zones/a.test.zone" >"$DIR/zones/A.Test.zone"
	CONF_MORE='zone "*" { file = "zones/*.zone" }' write_conf
	run "$BUILD/jitsud" -n -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *'"b (copy).test" is no domain name'* ]]
	left_out='/A.Test.zone", which has the same name, is left out'
	[[ "$output" == *'zone "a.test" comes from "'*'/a.test.zone", and "'*"$left_out"* ]]
	start_jitsud
	[ "$(ask +short ns.a.test A)" = 192.0.2.1 ]
	[ "$(ask +short ns.b.test A)" = 192.0.2.1 ]
	[ "$(jitsu --json status | jq -c \
	    '[.zones_failed, ([.zones[] | select(.state == "failed") | .name] | sort)]')" = \
	    '[2,["a.test","b (copy).test"]]' ]
	run jitsu list
	[ "$status" -eq 0 ]
	[[ "$output" == *'zone b (copy).test is not served: '* ]]
	# One zone is wrong, two are new.
	echo 'nonsense here' >>"$DIR/zones/a.test.zone"
	sed -i 's/192.0.2.1/192.0.2.2/' "$DIR/zones/b.test.zone"
	sed -i 's/192.0.2.1/192.0.2.3/' "$DIR/zones/c.test.zone"
	hup
	[ "$(ask +short ns.a.test A)" = 192.0.2.1 ]
	[ "$(ask +short ns.b.test A)" = 192.0.2.2 ]
	[ "$(ask +short ns.c.test A)" = 192.0.2.3 ]
	jitsu status | grep -q '^last reload .*by SIGHUP: loaded: '
	run jitsu reload
	[ "$status" -eq 1 ]
	kept="1 zones keep their old contents, 2 are not served"
	[[ "$output" == *"reloaded: 3 of 6 zones, 1 units; $kept"* ]]
	# What systemd runs does the same.
	grep -q '^ExecReload=@PREFIX@/bin/jitsu reload$' \
	    "$BATS_TEST_DIRNAME/../../config/jitsud.service"
	[ "$(grep -c '^ExecReload=' "$BATS_TEST_DIRNAME/../../config/jitsud.service")" -eq 1 ]
	rm "$DIR/zones/b (copy).test.zone" "$DIR/zones/A.Test.zone"
	sed -i '/nonsense/d' "$DIR/zones/a.test.zone"
	jitsu reload
}

@test "links to the configuration, to zones and to what they include are followed at each reload" {
	local v
	for v in 1 2 3; do
		mkdir -p "$DIR/v$v/inc"
		sed "s|file = \"example.zone\"|file = \"example.zone\" } \
			zone \"v$v.test\" { file = \"v.zone\" } \
			zone \"abs.test\" { file = \"$DIR/live/abs.zone\"|" \
			"$DIR/jitsu.conf" >"$DIR/v$v/jitsu.conf"
		cp "$DIR/example.zone" "$DIR/hello.elf" "$DIR/v$v/"
		printf '$TTL 60\n@ SOA ns h 1 1 2 3 4\n@ NS ns\nns A 192.0.2.%s\n' "$v" |
		    tee "$DIR/v$v/v.zone" >"$DIR/v$v/abs.zone"
		echo '$INCLUDE inc/part' >>"$DIR/v$v/abs.zone"
		echo "part A 192.0.2.$v" >"$DIR/v$v/inc/part"
	done
	# As Kubernetes does: the file leads to a directory that leads to a directory.  The files
	# are old.
	find "$DIR"/v? -exec touch -d '1 hour ago' {} +
	ln -s v1 "$DIR/data"
	ln -s data "$DIR/live"
	rm "$DIR/jitsu.conf"
	ln -s data/jitsu.conf "$DIR/jitsu.conf"
	start_jitsud
	for v in 1 2 3 2; do
		ln -sfn "v$v" "$DIR/data.new"
		mv -T "$DIR/data.new" "$DIR/data"
		if [ "$v" -eq 3 ]; then hup; else jitsu reload; fi
		[ "$(ask +short "ns.v$v.test" A)" = "192.0.2.$v" ]
		[ "$(ask +short ns.abs.test A)" = "192.0.2.$v" ]
		[ "$(ask +short part.abs.test A)" = "192.0.2.$v" ]
		jitsu wake www.example.test
	done
	# A link to one file that was included, and the file of one zone.
	ln -s ../../v3/inc/part "$DIR/v2/inc/now"
	sed -i 's|inc/part|inc/now|' "$DIR/v2/abs.zone"
	run jitsu reload
	[[ "$output" == *"outside the zone file's directory"* ]]
	rm "$DIR/v2/inc/now"
	for v in 4 5; do
		echo "part A 192.0.2.$v" >"$DIR/v2/inc/part$v"
		touch -d '1 hour ago' "$DIR/v2/inc/part$v"
	done
	for v in 4 5 4; do
		ln -sfn "part$v" "$DIR/v2/inc/now"
		jitsu reload
		[ "$(ask +short part.abs.test A)" = "192.0.2.$v" ]
	done
}

@test "what takes effect at a restart is said until it is so; show has what the running VM has" {
	start_jitsud
	for _ in 1 2; do
		CONF_TOP='nsid = "new"' write_conf
		sed -i 's/^port = 5300/port = 5301/' "$DIR/jitsu.conf"
		run jitsu reload
		[ "$status" -eq 0 ]
		[[ "$output" == *': port: the new value takes effect when jitsud is restarted'* ]]
		run jitsu reload
		[[ "$output" == *': port: the new value takes effect when jitsud is restarted'* ]]
		write_conf
		run jitsu reload
		[[ "$output" != *'restarted'* ]]
	done

	jitsu wake www.example.test
	cat "$DIR/jitsu.conf" >"$DIR/before"
	printf '%s\n' 'image "other" { driver = "qemu" kernel = "hello.elf" memory = "20M"' \
		'network = "lan" ready = "tcp:80" accel = "tcg"' \
		'cmdline = "name={name} ip={address}/{prefixlen}" }' >>"$DIR/jitsu.conf"
	sed -i 's/image=hello/image=other/' "$DIR/example.zone"
	jitsu reload
	[ "$(jitsu --json show www.example.test | jq -c '[.memory, .image, .next]')" = \
	    '[16777216,"hello",{"memory":20971520,"image":"other"}]' ]
	jitsu show www.example.test | grep -q '^next boot *image other, memory 20'
	[ "$(jitsu --json list | jq -r '.[0].image')" = hello ]
	jitsu sleep www.example.test
	[ "$(jitsu --json show www.example.test | jq -c '[.memory, .image, .next]')" = \
	    '[20971520,"other",null]' ]
	jitsu wake www.example.test
	[ "$(jitsu --json show www.example.test | jq -c '[.memory, .image, .next]')" = \
	    '[20971520,"other",null]' ]
}
