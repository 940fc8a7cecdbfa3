#!/usr/bin/env bash
# A one-node Ceph cluster with an S3 gateway, for tests: one disk, which is a file, and one copy of everything. It takes up to 1.3 GiB of memory.
# usage: scripts/ceph.sh start DIR   prints the address and the keys as assignments for a shell
#        scripts/ceph.sh stop DIR    ends what start began and removes DIR
#        scripts/ceph.sh run COMMAND runs a command with these assignments in its environment, on a cluster of its own
# Needs ceph, ceph-mon, ceph-osd and radosgw, and no root. DIR is new or empty; all files are below it and all ports on the loopback interface, so
# that it meets no other cluster of the machine. CEPH_DISK is the size of the disk, 24G or what there is; it takes space as it fills.
set -euo pipefail

main() {
	case ${1-}:$# in
	start:2)
		mkdir -p "$2"
		dir=$(realpath "$2")
		begin
		cat "$dir/env"
		;;
	stop:2)
		dir=$(realpath "$2")
		[ -f "$dir/ceph.conf" ] || fail "there is no cluster in $2"
		stop
		;;
	run:1) usage ;;
	run:*)
		dir=$(mktemp -d "${TMPDIR:-/tmp}/ceph.XXXXXX")
		watch $$ &
		begin
		trap stop EXIT
		set -a
		. "$dir/env"
		set +a
		"${@:2}"
		;;
	*) usage ;;
	esac
}

usage() {
	sed -n '3,5s/^# //p' "$0" >&2
	exit 2
}

# watch ends the cluster when the script was killed, which then can't do it itself.
watch() {
	trap '' INT TERM HUP
	exec </dev/null >/dev/null 2>&1
	while [ -d "$dir" ] && kill -0 "$1"; do sleep 1; done
	[ ! -d "$dir" ] || stop
}

# begin starts a cluster in $dir, or leaves nothing behind.
begin() {
	[ -z "$(ls -A "$dir")" ] || fail "$dir is not empty"
	[ ${#dir} -le 70 ] || fail "the name $dir is too long for the sockets that are made below it"
	trap give_up EXIT
	mkdir "$dir"/{mon,osd,rgw,run,log}
	start >"$dir/log/start" 2>&1
	trap - EXIT
}

fail() {
	echo "ceph.sh: $*" >&2
	exit 1
}

# give_up tells why, and leaves nothing behind.
give_up() {
	trap - EXIT
	for log in "$dir"/log/*; do
		[ ! -f "$log" ] || { echo "$log:"; tail -n 5 "$log"; } >&2
	done
	stop
	fail "the cluster did not start"
}

start() {
	configure
	make_keys
	start_monitor
	start_disk
	start_gateway
}

uuid() { cat /proc/sys/kernel/random/uuid; }

random() { od -An -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# free_port finds one that nobody listens on, below those that the kernel gives to clients.
free_port() {
	local port
	while port=$((20000 + RANDOM % 12000)); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# Deleted objects are freed within seconds instead of hours, the monitor does not mind a disk of the machine that is nearly full, the gateway's
# answers do not wait for the client's acknowledgement (40 ms each), and caches and threads are few.
configure() {
	local disk
	disk=$(disk_size)
	fsid=$(uuid)
	monitor="[v2:127.0.0.1:$(free_port)]"
	endpoint=127.0.0.1:$(free_port)
	cat >"$dir/ceph.conf" <<-END
		[global]
		fsid = $fsid
		mon host = $monitor
		public network = 127.0.0.0/8
		ms bind ipv6 = false
		ms bind msgr1 = false
		keyring = $dir/keyring
		run dir = $dir/run
		admin socket = $dir/run/\$name.sock
		pid file = $dir/run/\$name.pid
		log file = $dir/log/\$name
		crash dir = $dir/log
		osd pool default size = 1
		osd pool default min size = 1
		osd pool default pg num = 8
		osd pool default pg autoscale mode = off
		osd crush chooseleaf type = 0
		[mon]
		mon data = $dir/mon
		mon cluster log file = $dir/log/cluster
		mon allow pool size one = true
		mon data avail crit = 1
		[osd]
		osd data = $dir/osd
		osd objectstore = bluestore
		bluestore block size = $disk
		bluestore cache autotune = false
		bluestore cache size = $(numfmt --from=iec 128M)
		[client.rgw]
		rgw data = $dir/rgw
		rgw thread pool size = 64
		rgw frontends = beast endpoint=$endpoint tcp_nodelay=1
		rgw gc obj min wait = 5
		rgw gc processor period = 5
	END
}

# disk_size leaves a tenth of what is free: a cluster that is full says so, one whose disk can't grow breaks.
disk_size() {
	local want free
	want=$(numfmt --from=iec "${CEPH_DISK:-24G}")
	free=$(($(df --output=avail -B1 "$dir" | tail -n 1) / 10 * 9))
	[ "$free" -ge $((4 << 30)) ] || fail "$dir has no room for a cluster, which takes 5 GiB"
	echo $((want < free ? want : free))
}

make_keys() {
	local ring="$dir/keyring"
	ceph-authtool --create-keyring "$ring" --gen-key -n mon. --cap mon 'allow *'
	ceph-authtool "$ring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
	ceph-authtool "$ring" --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
	access=$(random 10) secret=$(random 20)
	(
		umask 077
		cat >"$dir/env" <<-END
			ENDPOINT=http://$endpoint
			AWS_ACCESS_KEY_ID=$access
			AWS_SECRET_ACCESS_KEY=$secret
			AWS_REGION=us-east-1
		END
	)
}

# in_cluster PROGRAM ARGS: with our configuration, and not for ever.
in_cluster() { timeout 180 "$1" -c "$dir/ceph.conf" "${@:2}"; }

start_monitor() {
	monmaptool --create --addv a "$monitor" --fsid "$fsid" "$dir/monmap" >/dev/null
	in_cluster ceph-mon -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring"
	in_cluster ceph-mon -i a
}

start_disk() {
	local id key
	id=$(uuid) key=$(ceph-authtool --gen-print-key)
	echo "{\"cephx_secret\":\"$key\"}" | in_cluster ceph osd new "$id" -i - >/dev/null
	ceph-authtool --create-keyring "$dir/osd/keyring" -n osd.0 --add-key "$key"
	in_cluster ceph-osd -i 0 --mkfs --osd-uuid "$id" --keyring "$dir/osd/keyring"
	in_cluster ceph-osd -i 0 --keyring "$dir/osd/keyring"
}

# start_gateway makes the user first: that makes the pools, so that the gateway finds everything and is there at once.
start_gateway() {
	in_cluster radosgw-admin -n client.admin user create --uid tote --display-name tote --access-key "$access" --secret-key "$secret" >/dev/null
	in_cluster radosgw -n client.rgw
	local tries=1800
	until curl -sf -o /dev/null "http://$endpoint/"; do
		[ $((tries--)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# alive PID: is it one of ours? A number may belong to another process by now.
alive() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "-c $dir/ceph.conf"; }

stop() {
	local file pid tries
	for file in client.rgw osd.0 mon.a; do
		pid=$(cat "$dir/run/$file.pid" 2>/dev/null) || continue
		tries=100
		while alive "$pid"; do
			if [ $((tries--)) -gt 0 ]; then kill "$pid"; else kill -9 "$pid"; fi 2>/dev/null || true
			sleep 0.1
		done
	done
	rm -rf "$dir"
}

main "$@"
