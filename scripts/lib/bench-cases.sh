# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# The cases of scripts/bench.  For a case NAME, whose dashes become underscores
# here, there are:
#   case_NAME_measure PART RELAY ROUND   measures once and records
#   case_NAME_title                      prints the heading in the report
#   case_NAME_text                       prints what it is about
#   case_NAME_table                      prints the table
# and, where it differs from what is usual:
#   case_NAME_missing   prints why it can't run here, or nothing (it can)
#   case_NAME_relays    prints the relays that it knows (all)
#   case_NAME_ways      prints what it has in place of relays
#   case_NAME_parts     prints the names under which it records (its own)
#   case_NAME_apart     true if its parts are measured one after the other, and
#                       not in turn (in turn)
#   case_NAME_rounds    prints how many rounds it has (as many as wanted)
#   case_NAME_guest     prints a name that it shares with cases that have the same
#                       guest on the same host (one of its own)
#   case_NAME_warm      prints with what to warm up (nothing)

# measure_load PART RELAY ROUND CHANNELS SHAPE [OPTION]...
measure_load() {
    local part=$1 relay=$2 round=$3 channels=$4 shape=$5 split=()
    shift 5
    if ((${#far_cpus[@]} > 0)); then
        split=(--split)
    fi
    relay_route "$relay"
    metered "$part" "$relay" "$round" "$(find_tool mig-load)" pair \
        "${split[@]}" --connect "$relay_from" --listen "$relay_to" \
        --channels "$channels" --shape "$shape" --bytes "$load_bytes" \
        --timeout "$timeout_s" "$@"
}

case_load1_measure() { measure_load "$@" 1 main; }
case_load1_warm() { printf unix; }
case_load1_title() { printf 'One channel, %s, load generator' "$load_bytes"; }
case_load1_table() { table load1; }
case_load1_text() {
    cat <<'END'
The source writes 131,328 bytes at once from 64 pieces and the sink reads
32 KiB at once, as the main channel of QEMU does.
END
}

case_load4_measure() { measure_load "$@" 4 multifd; }
case_load4_warm() { printf unix; }
case_load4_relays() { only_quick 'session tls nginx tcp'; }
case_load4_title() { printf 'Four channels, %s in all, load generator' "$load_bytes"; }
case_load4_table() { table load4; }
case_load4_text() {
    cat <<'END'
Each channel writes 525,632 bytes at once from 129 pieces and is read 219,264
bytes at once, as the channels of multifd do.
END
}

# only_quick WORDS: those with --quick; else return 1, as if nothing was said.
only_quick() {
    if [[ $quick != yes ]]; then
        return 1
    fi
    printf '%s' "$1"
}

# Writers of plain blocks, which the sink reads as they were written.  A part is
# writers-CHANNELS-SHAPE.
case_writers_parts() {
    only_quick 'writers-1-plain writers-4-large' ||
        printf 'writers-1-plain writers-1-large writers-4-plain writers-4-large'
}
case_writers_relays() { only_quick 'session nginx'; }
case_writers_warm() { printf unix; }
case_writers_measure() {
    local channels shape read=32K load_bytes=$writers_bytes
    IFS=- read -r _ channels shape <<<"$1"
    if [[ $shape == large ]]; then
        read=512K
    fi
    measure_load "$@" "$channels" "$shape" --read "$read"
}
case_writers_title() {
    printf 'Writers of 32 KiB and of 512 KiB, %s, load generator' "$writers_bytes"
}
case_writers_text() {
    cat <<END
One channel, or four with as much in all; each writes 32 KiB or 512 KiB at once
from one piece, and is read by as much at once.
END
}
writers_heading() {
    local channels shape
    IFS=- read -r _ channels shape <<<"$1"
    printf '%s × %s' "$channels" "${shape/plain/32 KiB}" | sed 's/large/512 KiB/'
}
case_writers_table() {
    local part parts headings=()
    read -r -a parts <<<"$(case_writers_parts)"
    for part in "${parts[@]}"; do
        headings+=("$(writers_heading "$part")")
    done
    printf 'MB/s:\n\n'
    matrix rate "${parts[*]}" "${headings[@]}"
    printf '\nRelay CPU, s/GB:\n\n'
    matrix cpu "${parts[*]}" "${headings[@]}"
}

# What a channel costs.  A part is channels-CHANNELS.
case_channels_parts() {
    only_quick 'channels-1 channels-256' ||
        printf 'channels-1 channels-4 channels-16 channels-64 channels-256'
}
case_channels_relays() {
    only_quick 'session raw' || printf 'session raw nginx haproxy'
}
case_channels_warm() { printf unix; }
case_channels_measure() { measure_load "$@" "${1#channels-}" multifd; }
case_channels_title() { printf 'Cost against the number of channels'; }
case_channels_text() {
    cat <<END
$load_bytes in all, shared by the channels, each of which writes and is read as
those of multifd are.
END
}
case_channels_table() {
    local part parts headings=()
    read -r -a parts <<<"$(case_channels_parts)"
    for part in "${parts[@]}"; do
        headings+=("${part#channels-}")
    done
    printf 'MB/s, by channels:\n\n'
    matrix rate "${parts[*]}" "${headings[@]}"
    printf '\nRelay CPU, s/GB, by channels:\n\n'
    matrix cpu "${parts[*]}" "${headings[@]}"
    printf '\nPeak memory of both programs, MiB, by channels:\n\n'
    matrix peak "${parts[*]}" "${headings[@]}"
}

# The memory of each of our programs, with windows of a known size.  A part is
# memory-CHANNELS.
memory_window_mib=1
case_memory_parts() { printf 'memory-1 memory-16'; }
case_memory_relays() { printf 'session tls'; }
case_memory_rounds() { only_quick 1; }
case_memory_measure() {
    session_options=(--window "${memory_window_mib}M")
    client_options=(--compress off)
    measure_load "$@" "${1#memory-}" multifd
}
case_memory_title() { printf 'Resident memory, with windows of a known size'; }
case_memory_text() {
    cat <<END
$load_bytes in all over 1 and over 16 channels, with \`--window ${memory_window_mib}M\`. So each
channel has at most $memory_window_mib MiB in use at each end, in the one direction that carries
something, and with \`--compress off\`: a channel that compresses has a window of its
own, 2 MiB unless \`--compress-window\` says more, at each end. The peaks are those of the kernel for each program alone, the most of
all rounds; what it shares with others, such as libraries, is in them.
END
}
case_memory_table() {
    local part
    table_head 'relay' channels 'mig-server MiB' 'mig-client MiB' \
        'windows, at most' rounds
    for part in $(case_memory_parts); do
        memory_rows "$part" "$((${part#memory-} * memory_window_mib))"
    done
}

# memory_rows PART WINDOWS
memory_rows() {
    local relay s
    for relay in "${relays_here[@]}"; do
        s=$(stats "$1" "$relay")
        printf '| %s | %s | %s | %s | %s | %s%s |\n' "$(relay_title "$relay")" \
            "${1#memory-}" "$(field server_peak_max "$s")" \
            "$(field client_peak_max "$s")" "$2" "$(field n "$s")" \
            "$(failed_note "$(field failed "$s")")"
    done
}

# An idle session: its channels are open, and nothing is left to carry.
idle_settle_s=30
idle_count_s=30
idle_bytes=64M
case_idle_relays() { only_quick session || printf 'session tls'; }
case_idle_rounds() { printf 1; }
case_idle_measure() {
    relay_route "$2"
    load=$(find_tool mig-load) from=$relay_from to=$relay_to \
        bytes=$idle_bytes settle_s=$idle_settle_s count_s=$idle_count_s \
        metered "$1" "$2" "$3" "$root/scripts/lib/bench-idle"
}
case_idle_title() { printf 'An idle session'; }
case_idle_text() {
    cat <<END
Four channels have carried $idle_bytes and stay open without traffic. From $idle_settle_s s after
the last byte on, the times are counted for $idle_count_s s that any thread of a program
slept and was woken up (its voluntary context switches).
END
}
case_idle_table() {
    local relay s
    table_head relay 'mig-server, a second' 'mig-client, a second' both
    for relay in "${relays_here[@]}"; do
        s=$(stats idle "$relay")
        printf '| %s | %s | %s | %s |\n' "$(relay_title "$relay")" \
            "$(field server_wakes_max "$s")" "$(field client_wakes_max "$s")" \
            "$(field both_wakes_max "$s")"
    done
}
