# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# A booted Linux guest, and what compression is worth to it on slow links.
# scripts/make-linux-guest makes the guest; it runs while it is moved.

linux_guest_mib=512
linux_guest=$root/build/linux-guest

is_linux() {
    [[ $1 == linux || $1 == linux-* ]]
}

# linux_rate CASE: of its link, as tc takes it.
linux_rate() {
    case $1 in
    linux-100m) printf 100mbit ;;
    linux-1g) printf 1gbit ;;
    esac
}

# A session that was told not to compress; "session" has the default, auto.
relay_off_missing() {
    relay_raw_missing
    if ! has_option mig-client --compress; then
        printf 'mig-client has no --compress'
    fi
}

relay_off_start() {
    relay_ours_start --insecure
    # mig-client's command is the last.
    relay_commands+=(--compress off)
}

# linux_missing: print why there is no Linux guest, or nothing.
linux_missing() {
    if [[ -z $(find_tool qemu-system-x86_64) ]]; then
        printf 'qemu-system-x86_64 is not installed'
    elif ! "$root/scripts/make-linux-guest" "$linux_guest" \
        >"$work/linux-guest.log" 2>&1; then
        tail -n 1 "$work/linux-guest.log"
    fi
}

# linux_boot: sets vm_boot and vm_ready for it.
linux_boot() {
    local initrd=initrd.gz
    if ((vm_mib < 256)); then
        initrd="initrd-small.gz"
    fi
    vm_boot=(-kernel "$linux_guest/vmlinuz" -initrd "$linux_guest/$initrd"
        -append 'console=ttyS0 panic=-1 quiet')
    vm_ready='mig-guest: ready'
}

# linux_row CASE RELAY STATS_OF_TCP
linux_row() {
    local s cells
    s=$(stats "$1" "$2")
    if [[ $(field n "$s") == 0 ]]; then
        printf '| %s | failed in every round |\n' "$(linux_title "$2")"
        return
    fi
    cells=("$(linux_title "$2")" "$(field time "$s")"
        "$(ratio "$(field time "$s")" "$(field time "$3")")"
        "$(range time "$s")" "$(field sent "$s")" "$(field wire "$s")"
        "$(ratio "$(field wire "$s")" "$(field wire "$3")")")
    if [[ $2 == tcp ]]; then
        cells+=(-)
    else
        cells+=("$(field cpu "$s")")
    fi
    cells+=("$(field silent "$s")" "$(range silent "$s")"
        "$(field n "$s")$(failed_note "$(field failed "$s")")")
    printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
}

linux_title() {
    case $1 in
    session) printf 'mig-client + mig-server, `--compress auto`' ;;
    *) relay_title "$1" ;;
    esac
}

# linux_table CASE
linux_table() {
    local relay tcp
    tcp=$(stats "$1" tcp)
    table_head relay 'time s' '÷ tcp' 'min–max' 'QEMU sent MB' 'on the wire MB' \
        '÷ tcp' 'relay CPU s/GB' 'downtime ms' 'min–max' rounds
    for relay in "${relays_here[@]}"; do
        linux_row "$1" "$relay" "$tcp"
    done
    printf '\nPeak memory of each of our programs, MiB, the most of all rounds:\n\n'
    peaks_table "$1"
}

# linux_guest_text: what it is like, from the middle of a line on.
linux_guest_text() {
    cat <<END
$linux_guest_mib MiB and has booted Debian's cloud kernel; until a third of its memory was
left it has read, written, packed and listed files, some of random bytes, and
filled a heap. It runs, and works on. The downtime limit is $downtime_limit_ms ms.
END
}

linux_text() {
    cat <<END
Source and destination run in network namespaces of their own, joined by a veth
pair that tbf shapes to $(linux_rate "$1") at both ends (burst $(link_burst_of "$(linux_rate "$1")"), a queue of
$link_queue), with $(link_congestion) as congestion control. The guest (TCG) has
$(linux_guest_text)
Downtime is measured from the STOP of the source's QEMU to the RESUME of the
destination's. *QEMU sent* is what the source's QEMU counts; *on the wire* is
what its host's interface has, by its counters. Relay CPU is for each GB that QEMU
sent.
END
}

# What follows are cases; see bench-cases.sh.  Without a link:
case_linux_missing() { linux_missing; }
case_linux_relays() { only_quick 'session tcp'; }
case_linux_warm() { printf unix; }
case_linux_measure() { measure_migration "$@"; }
case_linux_title() { printf 'A booted Linux guest'; }
case_linux_table() { table linux; }
case_linux_text() {
    cat <<END
Nothing is shaped here, and no compression can win anything. The guest (TCG) has
$(linux_guest_text)
Time, bytes and downtime are those of query-migrate on the source.
END
}

# And over links:
linux_relays() { only_quick 'session tcp' || printf 'session off nginx tcp'; }
linux_link_missing() {
    local why
    why=$(linux_missing)
    if [[ -n $why ]]; then
        printf '%s' "$why"
    else
        link_missing
    fi
}
linux_measure() {
    measure_on_link "$(linux_rate "$1")"
    measure_migration "$@"
}
case_linux_100m_guest() { printf linux-link; }
case_linux_100m_relays() { printf 'session tcp'; }
case_linux_100m_missing() { linux_link_missing; }
case_linux_100m_measure() { linux_measure "$@"; }
case_linux_100m_title() { printf 'A booted Linux guest over a link of 100 Mbit/s'; }
case_linux_100m_text() { linux_text linux-100m; }
case_linux_100m_table() { linux_table linux-100m; }
case_linux_1g_guest() { printf linux-link; }
case_linux_1g_relays() { only_quick 'session off' || linux_relays; }
case_linux_1g_missing() { linux_link_missing; }
case_linux_1g_measure() { linux_measure "$@"; }
case_linux_1g_title() { printf 'A booted Linux guest over a link of 1 Gbit/s'; }
case_linux_1g_text() { linux_text linux-1g; }
case_linux_1g_table() { linux_table linux-1g; }
