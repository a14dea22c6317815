#!/bin/busybox sh
# Process 1 of a guest: the host's files as a root that forgets what is written, then commands.
#
# The host's / (9p, read-only) is the lower part of an overlay; the writable share appears in it at
# the path that it has on the host. Commands come over the second serial line, one word and the
# number of a command each, and run in that root:
#   run N    runs share/N.sh; its output goes to share/N.out; answers "done N <exit code>"
#   kill N   kills it and all that it started
/bin/busybox mkdir -p /bin /sbin && /bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/root

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run /host /over /root
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd

fail() {
  echo "init: $*"
  poweroff -f
}

for word in $(cat /proc/cmdline); do
  case $word in
    guest.share=*) share=${word#*=} ;;
    guest.modules=*) modules=${word#*=} ;;
    guest.load=*) load=$(echo "${word#*=}" | tr , ' ') ;;
  esac
done

while read -r module; do
  insmod "/m/$module" || fail "cannot load $module"
done </m/order

nine=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $nine,cache=loose,ro host /host || fail "the host's files are not there"
mount -t tmpfs tmpfs /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /root ||
  fail "no overlay"
mount -t tmpfs -o mode=755 tmpfs /root/run
mkdir -p "/root$share" /root/run/lock /root/run/lvm
mount -t 9p -o $nine share "/root$share" || fail "the share is not there"
for place in dev proc sys; do
  mount --rbind /$place /root/$place
done
mount -t tmpfs -o size=16k tmpfs /lib/modules
mkdir -p "/lib/modules/$(uname -r)"
mount --bind "/root$modules" "/lib/modules/$(uname -r)"
mkdir -p "/root/usr/lib/modules/$(uname -r)"
mount --bind "/root$modules" "/root/usr/lib/modules/$(uname -r)"

ip link set lo up
for module in $load; do
  modprobe "$module" || fail "no module $module"
done
if [ -e /sys/class/net/eth0 ]; then # as QEMU's user network expects it
  ip link set eth0 up
  ip addr add 10.0.2.15/24 dev eth0
  ip route add default via 10.0.2.2
fi

line=/dev/ttyS1
exec 3<>$line
stty raw -echo <&3
echo "ready" >&3
while :; do
  read -r verb number <&3 || { sleep 1; continue; }
  at="/root$share/$number"
  case $verb in
    # A shell without a terminal lets what it starts in the background ignore Ctrl-C, which only
    # the host's env undoes.
    run)
      {
        mkdir "/sys/fs/cgroup/$number"
        setsid sh -c "echo \$\$ >/sys/fs/cgroup/$number/cgroup.procs; echo \$\$ >'$at.pid'
          exec chroot /root /usr/bin/env --default-signal=INT,QUIT /bin/sh '$share/$number.sh'" \
          >"$at.out" 2>&1 </dev/null 3>&-
        echo "done $number $?" >&3
      } &
      ;;
    # With all that it started, in whatever session.
    kill) echo 1 >"/sys/fs/cgroup/$number/cgroup.kill" ;;
  esac
done
