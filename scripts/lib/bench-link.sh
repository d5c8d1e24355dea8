# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # globals are those of scripts/bench; $1 is of awk
# Two hosts on this machine, and a slow link between them: two network
# namespaces, joined by a veth pair whose ends are shaped by tbf.  Its queue is
# that of a switch or a router: what is too fast waits for up to
# link_queue, then it is dropped.  What runs on a host has to be started behind
# ${link_near[@]} or ${link_far[@]}; paths, Unix sockets among them, are shared.

# Of the link that there is, if there is one.
link_rate=100mbit
link_rtt_ms=0
link_queue=50ms
link_interface=eth0
# For documentation (RFC 5737), and known to nobody outside of the namespaces.
link_near_address=192.0.2.1
link_far_address=192.0.2.2
link_hosts=()
link_near=()
link_far=()

# link_burst_of RATE: a packet of 64 KiB has to fit, and at 1 Gbit/s what passes
# within a tick of a kernel with 250 of them.
link_burst_of() {
    case $1 in
    1gbit) printf 512kb ;;
    *) printf 64kb ;;
    esac
}

# link_pace HOST: let its end carry $link_rate.
link_pace() {
    tc -n "$1" qdisc replace dev "$link_interface" root tbf \
        rate "$link_rate" burst "$(link_burst_of "$link_rate")" \
        latency "$link_queue"
}

# link_shape HOST ADDRESS: what one end needs.
link_shape() {
    ip -n "$1" link set lo up
    ip -n "$1" address add "$2/24" dev "$link_interface"
    ip -n "$1" link set "$link_interface" up
    link_pace "$1"
    if [[ -n $congestion ]]; then
        ip netns exec "$1" sysctl -q -w \
            "net.ipv4.tcp_congestion_control=$congestion"
    fi
}

# link_up RATE [RTT_MS]: make both hosts, unless they are there.  Another rate
# leaves them, and what runs there, as they are.
link_up() {
    local host near=mig-bench-$$-near far=mig-bench-$$-far before=$link_rate
    link_rate=$1
    if ((${#link_hosts[@]} > 0)) && [[ $link_rtt_ms == "${2-0}" ]]; then
        for host in "${link_hosts[@]}"; do
            [[ $link_rate == "$before" ]] || link_pace "$host"
        done
        return
    fi
    link_down
    link_rtt_ms=${2-0}
    for host in "$near" "$far"; do
        link_hosts+=("$host") # first, so that nothing is left if we end here
        ip netns add "$host"
    done
    if ((link_rtt_ms > 0)); then
        far_join "$near" "$far" "$link_rtt_ms"
    else
        ip link add "$link_interface" netns "$near" type veth \
            peer name "$link_interface" netns "$far"
    fi
    link_shape "$near" "$link_near_address"
    link_shape "$far" "$link_far_address"
    link_near=(ip netns exec "$near")
    link_far=(ip netns exec "$far")
}

# link_down: remove them, when nothing of ours runs there any more.
link_down() {
    local host
    far_part
    for host in "${link_hosts[@]}"; do
        ip netns delete "$host" || note "can't remove the namespace $host"
    done
    link_hosts=()
}

# measure_on_link RATE [RTT_MS]: what is measured now goes over such a link.
measure_on_link() {
    link_up "$@"
    relay_host=$link_far_address
    near=("${link_near[@]}" "${near[@]}")
    far=("${link_far[@]}" "${far[@]}")
}

# on_link: whether what is being measured goes over it.
on_link() {
    [[ $relay_host == "$link_far_address" ]]
}

# link_sent: the bytes that the source's host has put on it.  Of packets that the
# kernel has left together, up to 64 KiB, the headers count once.
link_sent() {
    "${link_near[@]}" awk -v name="$link_interface:" \
        '$1 == name { print $10 }' /proc/net/dev
}

# link_missing: print why there can't be a link, or nothing.
link_missing() {
    local program
    for program in ip tc; do
        if ! command -v "$program" >/dev/null; then
            printf '%s is not installed' "$program"
            return
        fi
    done
    # A try in a process of its own leaves nothing behind.  It has to be one that
    # "||" doesn't wait for, or its first error would not be its end.
    (
        set -e
        trap link_down EXIT
        link_up 100mbit
    ) >"$work/link.log" 2>&1 &
    wait $! ||
        printf 'no network namespaces, veth and tbf as wanted: %s' \
            "$(head -n 1 "$work/link.log")"
}
