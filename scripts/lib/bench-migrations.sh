# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# The cases in which a guest migrates; see bench-cases.sh for what a case is.

case_migration_missing() { guest_missing; }
case_migration_relays() {
    only_quick 'session tls raw nginx haproxy socat stunnel spiped tcp'
}
case_migration_warm() { printf unix; }
case_migration_measure() { measure_migration "$@"; }
case_migration_title() { printf 'A real QEMU migration of %s MiB' "$guest_mib"; }
case_migration_table() {
    table migration
    printf '\nPeak memory of each of our programs, MiB, the most of all rounds:\n\n'
    peaks_table migration
}
case_migration_text() {
    local guest='is paused' memory='is not allocated before it is written'
    if [[ $guest_runs == yes ]]; then
        guest='goes on dirtying 16 MiB of it'
    fi
    if [[ $memory_preallocated == yes ]]; then
        memory='is allocated beforehand'
    fi
    cat <<END
The guest (TCG) has filled its memory with pseudo-random pages and $guest.
The memory of the destination $memory. Bandwidth is unlimited,
return-path on, the downtime limit $downtime_limit_ms ms. Time, bytes and downtime are those of
query-migrate on the source.
END
}

# The same with guests of several sizes.  A part is sizes-MIB.
case_sizes_parts() {
    only_quick 'sizes-64 sizes-128' ||
        printf 'sizes-256 sizes-512 sizes-1024 sizes-2048'
}
case_sizes_apart() { true; } # each has a guest of its own
case_sizes_relays() {
    local peer
    if only_quick 'session tcp'; then
        return
    fi
    read -r peer _ <<<"$(best_of migration time)"
    printf 'session raw %s tcp' "${peer:-nginx}"
}
case_sizes_missing() { guest_missing; }
case_sizes_warm() { printf unix; }
case_sizes_measure() { measure_migration "$@"; }
case_sizes_title() { printf 'Cost against the size of the guest'; }
case_sizes_text() {
    cat <<END
As the migration above, with guests whose whole memory is filled; the peer is the
one that was fastest there.
END
}
case_sizes_table() {
    local part parts headings=()
    read -r -a parts <<<"$(case_sizes_parts)"
    for part in "${parts[@]}"; do
        headings+=("${part#sizes-}")
    done
    printf 'Total time, s, by MiB of memory:\n\n'
    matrix time "${parts[*]}" "${headings[@]}"
    printf '\nRelay CPU, s/GB, by MiB of memory:\n\n'
    matrix cpu "${parts[*]}" "${headings[@]}"
    printf '\nDowntime, ms, by MiB of memory:\n\n'
    matrix down "${parts[*]}" "${headings[@]}"
}

case_link_missing() {
    local why
    why=$(guest_missing)
    if [[ -n $why ]]; then
        printf '%s' "$why"
    else
        link_missing
    fi
}
case_link_relays() { only_quick 'session tcp' || printf 'session raw nginx tcp'; }
case_link_measure() {
    measure_on_link 100mbit
    measure_migration "$@"
}
case_link_title() { printf 'A running guest over a link of 100 Mbit/s'; }
case_link_table() {
    local relay tcp
    tcp=$(stats link tcp)
    table_head relay 'time s' '÷ tcp' 'downtime ms' '÷ tcp' 'min–max' \
        'by query-migrate' 'held KiB' 'most' 'relay CPU s/GB' rounds
    for relay in "${relays_here[@]}"; do
        link_row "$relay" "$tcp"
    done
}
case_link_text() {
    vm_shape link
    cat <<END
Source and destination run in network namespaces of their own, joined by a veth
pair that tbf shapes to 100mbit at both ends (burst $(link_burst_of 100mbit), a queue of
$link_queue), with $(link_congestion) as congestion control. The guest (TCG) has
$vm_mib MiB, of which it has filled $vm_filled_mib with pseudo-random pages; it runs, and
dirties 1.6 MB/s. The downtime limit is $downtime_limit_ms ms.

Downtime is measured here by one clock: from the STOP of the source's QEMU to
the RESUME of the destination's. What query-migrate tells stands beside it.
*Held* is what the source's QEMU has sent and the link has not, in sockets, in
the relay and in the link's queue: the median of samples 50 ms apart, and the
most. It has to leave before the last page can.
END
}

link_congestion() {
    printf '%s' \
        "${congestion:-$(cat /proc/sys/net/ipv4/tcp_congestion_control)}"
}

# link_row RELAY STATS_OF_TCP: one row of the table of the link.
link_row() {
    local s cells
    s=$(stats link "$1")
    if [[ $(field n "$s") == 0 ]]; then
        printf '| %s | failed in every round |\n' "$(relay_title "$1")"
        return
    fi
    cells=("$(relay_title "$1")"
        "$(field time "$s")" "$(ratio "$(field time "$s")" "$(field time "$2")")"
        "$(field silent "$s")"
        "$(ratio "$(field silent "$s")" "$(field silent "$2")")"
        "$(range silent "$s")" "$(field down "$s")"
        "$(field held "$s")" "$(field held_most "$s")")
    if [[ $1 == tcp ]]; then
        cells+=(-)
    else
        cells+=("$(field cpu "$s")")
    fi
    cells+=("$(field n "$s")$(failed_note "$(field failed "$s")")")
    printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
}
