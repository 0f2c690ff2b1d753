# Process 1 of a test cluster. It stands in network, mount and process namespaces of its own; when it
# ends, for whatever reason, the kernel ends every process in them and takes mounts and interfaces away.
set -eu

# Nothing of the machine's is written: not its state, not its logs, not its kernel settings.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns
mkdir -p "$STATE/var/lib/kubelet" "$STATE/var/log" "$STATE/sysctl"
mount --bind "$STATE/var/lib" /var/lib
mount --bind "$STATE/var/log" /var/log
# The kubelet insists on these values, which are the whole machine's: it reads and writes files.
pretend() {
  [ -e "/proc/sys/$1" ] || return 0
  printf '%s\n' "$2" >"$STATE/sysctl/${1//\//.}"
  mount --bind "$STATE/sysctl/${1//\//.}" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000

ip link set lo up
ip link add node type bridge
ip address add "$NODE" dev node
ip link set node up
# A Service's address is translated before it leaves, but a route must be there first. There is no
# default route: what looks for the outside fails at once, and does not wait.
ip route add "$SERVICES" dev node
echo 1 >/proc/sys/net/ipv4/ip_forward
# Nothing answers names. Who asks is refused each time, not only the first few times a second.
echo 0 >/proc/sys/net/ipv4/icmp_ratelimit

echo ready
# The other end is the owner of the cluster: it writes nothing, and when it is gone, this ends. Bash
# also takes in the processes that lost their parents.
read -r _ || exit 0
