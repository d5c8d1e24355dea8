# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# A link between hosts that are far from each other: that of bench-link.sh, but
# with mig-wire instead of a veth pair, which delays each packet.  TCP meets a
# round trip of $far_link_rtt_ms ms and everything that goes with it; a relay
# that takes TCP connections and delays what they carry would hide it.

far_link_rtt_ms=20
far_link_bytes=1G
far_wire_pid=

# far_link_missing: print why there can't be such a link, or nothing.
far_link_missing() {
    if [[ -z $(find_tool mig-wire) ]]; then
        printf 'mig-wire is not built'
    elif [[ ! -w /dev/net/tun ]]; then
        printf '/dev/net/tun can not be used'
    else
        link_missing
    fi
}

# far_join NEAR FAR RTT_MS: a wire between these two namespaces, until far_part.
far_join() {
    local host deadline=$((SECONDS + 10))
    : >"$work/wire.out"
    "$(find_tool mig-wire)" --near "$1" --far "$2" --delay "$(($3 * 500))" \
        --interface "$link_interface" >"$work/wire.out" 2>"$work/wire.err" \
        </dev/null &
    far_wire_pid=$!
    until grep -q up "$work/wire.out"; do
        if ((SECONDS > deadline)) || ! kill -0 "$far_wire_pid" 2>/dev/null; then
            cat "$work/wire.err" >&2
            return 1
        fi
        sleep 0.05
    done
    # The device keeps what a burst brings; tbf is what drops.
    for host in "$1" "$2"; do
        ip -n "$host" link set "$link_interface" txqueuelen 10000
    done
}

far_part() {
    stop_pid "$far_wire_pid"
    far_wire_pid=
}

case_far_1g_missing() { far_link_missing; }
case_far_1g_relays() {
    only_quick 'session tcp' || printf 'session off tls raw nginx tcp'
}
case_far_1g_measure() {
    measure_on_link 1gbit "$far_link_rtt_ms"
    relay_route "$2"
    metered "$@" "${link_near[@]}" "$(find_tool mig-load)" pair \
        --far "${link_hosts[1]}" --connect "$relay_from" --listen "$relay_to" \
        --shape main --bytes "$(only_quick 512M || printf '%s' "$far_link_bytes")" \
        --timeout "$timeout_s"
}
case_far_1g_title() {
    printf 'A link of 1 Gbit/s with a round trip of %s ms' "$far_link_rtt_ms"
}

# far_row RELAY STATS_OF_TCP
far_row() {
    local s cells
    s=$(stats far-1g "$1")
    if [[ $(field n "$s") == 0 ]]; then
        printf '| %s | failed in every round |\n' "$(relay_title "$1")"
        return
    fi
    cells=("$(relay_title "$1")" "$(field rate "$s")" "$(range rate "$s")"
        "$(ratio "$(field rate "$s")" "$link_mb_s")"
        "$(ratio "$(field rate "$s")" "$(field rate "$2")")")
    if [[ $1 == tcp ]]; then
        cells+=(- -)
    else
        cells+=("$(field cpu "$s")" "$(field peak "$s")")
    fi
    cells+=("$(field wire "$s")"
        "$(field n "$s")$(failed_note "$(field failed "$s")")")
    printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
}

case_far_1g_table() {
    local relay tcp
    tcp=$(stats far-1g tcp)
    table_head relay MB/s 'min–max' '÷ link' '÷ tcp' 'relay CPU s/GB' \
        'peak MiB' 'on the wire MB' rounds
    for relay in "${relays_here[@]}"; do
        far_row "$relay" "$tcp"
    done
}

case_far_1g_text() {
    cat <<END
One channel of the load generator, $far_link_bytes, from a network namespace to
another. \`mig-wire\` joins them and holds each packet for half of
$far_link_rtt_ms ms in each direction; tbf shapes to 1gbit at both ends (burst $(link_burst_of 1gbit),
a queue of $link_queue), with $(link_congestion) as congestion control. It is the hosts' own TCP
that has the round trip, with the buffers that this host allows.

*÷ link* is against $link_mb_s MB/s, the 1 Gbit/s that tbf lets pass. Headers of IP and
TCP are part of that, so payload comes up to 0.965 of it at most. *÷ tcp* is
against the load generator over the same link without a relay. *On the wire* is
by the counters of the interface, which count the headers of up to 64 KiB once.
END
}
