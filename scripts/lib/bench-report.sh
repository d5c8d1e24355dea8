# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# Turns results.tsv into tables and verdicts.

# Each target: case, relay, figure (time, cpu, silent or rate), the relay it is
# held against, and the highest ratio; for rate, the ratio it must be above.  A
# limit with a "+" is how many ms more it may be, inside one round.
# Relays that encrypt are compared only if they used the same cipher.
targets=(
    'migration session time nginx 0.85'
    'migration session cpu nginx 1.00'
    'migration raw time nginx 0.75'
    'migration raw cpu nginx 0.85'
    'link session silent tcp 1.30'
    'linux-100m session time tcp 0.50'
    'linux-1g session time off 1.02'
    'load1 tls cpu stunnel 0.60'
    'load1 tls rate stunnel 1.00'
    'load4 tls cpu stunnel 0.60'
    'load4 tls rate stunnel 1.00'
    'migration tls cpu stunnel 0.60'
    'migration tls rate stunnel 1.00'
    'handover partners silent tcp +5'
    'handover partners silent alone +5'
    "handover-far partners silent tcp +$((far_rtt_ms + 5))"
    "handover-far partners silent alone +$((far_rtt_ms + 5))"
)

# stats CASE RELAY: median, least and most of each figure as KEY=VALUE words:
# time (s), rate (MB/s), cpu (s per GB), peak (MiB), sleeps (per GB), down (ms),
# silent (ms), held and most held (KiB), sent and wire (MB);
# n is the number of rounds that worked, failed of those that did not.
stats() {
    awk -F '\t' -v wanted_case="$1" -v wanted_relay="$2" '
        function add(figure, value) { values[figure, ++count[figure]] = value }
        function summarise(figure, format,    n, i, k, v) {
            n = count[figure]
            if (n == 0)
                return
            for (i = 2; i <= n; i++) {
                v = values[figure, i]
                for (k = i - 1; k > 0 && values[figure, k] > v; k--)
                    values[figure, k + 1] = values[figure, k]
                values[figure, k + 1] = v
            }
            v = values[figure, int((n + 1) / 2)]
            v = (v + values[figure, int(n / 2) + 1]) / 2
            printf "%s=" format " %s_min=" format " %s_max=" format " ",
                   figure, v, figure, values[figure, 1],
                   figure, values[figure, n]
        }
        $1 != wanted_case || $2 != wanted_relay { next }
        $4 != "ok" { failed++; next }
        {
            gb = $5 / 1e9
            n++
            add("time", $6 + 0)
            add("sent", $5 / 1e6)
            add("rate", $5 / 1e6 / $6)
            add("cpu", $7 / gb)
            add("peak", $8 / 1024)
            add("sleeps", $9 / gb)
            if ($10 != "-")
                add("down", $10 + 0)
            if ($11 != "-")
                add("silent", $11 + 0)
            if ($12 != "-")
                add("held", $12 + 0)
            if ($13 != "-")
                add("held_most", $13 + 0)
            if ($15 != "" && $15 != "-")
                add("wire", $15 / 1e6)
        }
        END {
            summarise("time", "%.3f")
            summarise("rate", "%.0f")
            summarise("cpu", "%.4f")
            summarise("peak", "%.1f")
            summarise("sleeps", "%.0f")
            summarise("down", "%.0f")
            summarise("silent", wanted_case ~ /^handover/ ? "%.1f" : "%.0f")
            summarise("held", "%.0f")
            summarise("held_most", "%.0f")
            summarise("sent", "%.0f")
            summarise("wire", "%.1f")
            printf "n=%d failed=%d\n", n, failed
        }' "$results"
}

# ratio A B: A / B with two decimals, or "-" where one is no number above 0.
ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN {
        if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else printf "-"
    }'
}

# range KEY STATS: its least and its most.
range() {
    printf '%s–%s' "$(field "$1_min" "$2")" "$(field "$1_max" "$2")"
}

# row CASE RELAY STATS_OF_NGINX: one row of a table.
row() {
    local s cpu cells
    s=$(stats "$1" "$2")
    if [[ $(field n "$s") == 0 ]]; then
        printf '| %s | failed in every round |\n' "$(relay_title "$2")"
        return
    fi
    cpu=$(field cpu "$s")
    cells=("$(relay_title "$2")"
        "$(field time "$s")" "$(ratio "$(field time "$s")" "$(field time "$3")")"
        "$(range time "$s")" "$(field rate "$s")")
    if [[ $2 == unix || $2 == tcp ]]; then
        cells+=(- - - - -)
    else
        cells+=("$cpu" "$(ratio "$cpu" "$(field cpu "$3")")"
            "$(range cpu "$s")" "$(field sleeps "$s")" "$(field peak "$s")")
    fi
    if [[ $1 == migration ]]; then
        cells+=("$(field down "$s") ($(range down "$s"))")
    fi
    cells+=("$(field n "$s")$(failed_note "$(field failed "$s")")")
    printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
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

failed_note() {
    if (($1 > 0)); then
        printf ', %s failed' "$1"
    fi
}

join() {
    local separator=$1 text=$2
    shift 2
    local word
    for word in "$@"; do
        text+=$separator$word
    done
    printf '%s' "$text"
}

# table_head TITLE...
table_head() {
    printf '| %s |\n|---|' "$(join ' | ' "$@")"
    shift
    printf -- '---:|%.0s' "$@"
    printf '\n'
}

# table CASE
table() {
    local relay nginx head
    nginx=$(stats "$1" nginx)
    head=(relay 'time s' '÷ nginx' 'min–max' MB/s 'relay CPU s/GB' '÷ nginx'
        'min–max' 'sleeps/GB' 'peak MiB')
    if [[ $1 == migration ]]; then
        head+=('downtime ms')
    fi
    table_head "${head[@]}" rounds
    for relay in "${relays_here[@]}"; do
        row "$1" "$relay" "$nginx"
    done
}

link_table() {
    local relay tcp
    tcp=$(stats link tcp)
    table_head relay 'time s' '÷ tcp' 'downtime ms' '÷ tcp' 'min–max' \
        'by query-migrate' 'held KiB' 'most' 'relay CPU s/GB' rounds
    for relay in "${relays_here[@]}"; do
        link_row "$relay" "$tcp"
    done
}

case_title() {
    case $1 in
    load1) printf 'One channel, %s, load generator' "$load_bytes" ;;
    load4) printf 'Four channels, %s in all, load generator' "$load_bytes" ;;
    migration) printf 'A real QEMU migration of %s MiB' "$guest_mib" ;;
    linux-100m) printf 'A booted Linux guest over a link of 100 Mbit/s' ;;
    linux-1g) printf 'A booted Linux guest over a link of 1 Gbit/s' ;;
    link) printf 'A running guest over a link of 100 Mbit/s' ;;
    handover) printf 'What the handover costs' ;;
    handover-far) printf 'What the handover costs from afar' ;;
    esac
}

case_text() {
    case $1 in
    load1) cat <<'END' ;;
The source writes 131,328 bytes at once from 64 pieces and the sink reads
32 KiB at once, as the main channel of QEMU does.
END
    load4) cat <<'END' ;;
Each channel writes 525,632 bytes at once from 129 pieces and is read 219,264
bytes at once, as the channels of multifd do.
END
    migration)
        local guest='is paused' memory='is not allocated before it is written'
        local filled='has filled its memory with pseudo-random pages'
        if [[ $guest_kind == linux ]]; then
            filled='has booted Linux and filled two thirds of its memory'
        fi
        if [[ $guest_runs == yes ]]; then
            guest='runs on'
        fi
        if [[ $memory_preallocated == yes ]]; then
            memory='is allocated beforehand'
        fi
        cat <<END
The guest (TCG) $filled and $guest.
The memory of the destination $memory. Bandwidth is unlimited,
return-path on, the downtime limit $downtime_limit_ms ms. Time, bytes and downtime are those of
query-migrate on the source.
END
        ;;
    link) link_text ;;
    linux-*) linux_text "$1" ;;
    handover*) handover_text "$1" ;;
    esac
}

link_text() {
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

# busy_percent: how much of the processors others used during a second.
busy_percent() {
    local before after
    before=$(head -n 1 /proc/stat)
    sleep 1
    after=$(head -n 1 /proc/stat)
    printf '%s\n%s\n' "$before" "$after" | awk '{
        for (i = 2; i <= 9; i++) total[NR] += $i
        idle[NR] = $5 + $6
    }
    END {
        all = total[2] - total[1]
        printf "%d", all ? 100 - 100 * (idle[2] - idle[1]) / all : 0
    }'
}

machine() {
    local file=/proc/cpuinfo
    printf '| what | here |\n|---|---|\n'
    printf '| processor | %s, %s cores |\n' \
        "$(sed -n 's/^model name[^:]*: //p' "$file" | head -n 1)" "$(nproc)"
    printf '| memory | %s MiB |\n' \
        "$(awk '/^MemTotal/ { printf "%d", $2 / 1024 }' /proc/meminfo)"
    printf '| system | %s, Linux %s |\n' \
        "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" "$(uname -r)"
    printf '| net.core.wmem_default, wmem_max | %s, %s |\n' \
        "$(cat /proc/sys/net/core/wmem_default)" \
        "$(cat /proc/sys/net/core/wmem_max)"
    printf '| mig-tunnel | %s |\n' "$(version_of mig-server)"
    printf '| QEMU | %s |\n' "$(version_of qemu-system-x86_64)"
    printf '| nginx | %s |\n' "$(version_of nginx)"
    printf '| HAProxy | %s |\n' "$(version_of haproxy)"
    printf '| socat | %s |\n' "$(version_of socat)"
    printf '| stunnel | %s |\n' "$(version_of stunnel)"
    printf '| OpenSSL | %s |\n' "$(version_of openssl)"
    printf '| TLS in the kernel (tcp_available_ulp) | %s |\n' "$(kernel_tls)"
    printf '| busy with other things before the run | %s %% |\n' "$busy"
    printf '| date | %s |\n' "$(date -u '+%Y-%m-%d %H:%M UTC')"
}

# version_of PROGRAM: the first thing it says that looks like a version.
version_of() {
    local path text commit='' flag=--version
    path=$(find_tool "$1")
    if [[ -z $path ]]; then
        printf 'not here'
        return
    fi
    case $1 in
    nginx | haproxy) flag=-v ;;
    socat) flag=-V ;;
    stunnel) flag=-version ;;
    openssl) flag=version ;;
    esac
    text=$({ "$path" "$flag" 2>&1 || true; } |
        grep -oE '[0-9]+\.[0-9][0-9.]*[^ )]*' | sed -n 1p)
    if [[ $1 == mig-server ]]; then
        commit=$(git -C "$root" describe --always --dirty 2>/dev/null || true)
    fi
    printf '%s%s' "$text" "${commit:+ ($commit)}"
}

figure_title() {
    case $1 in
    cpu) printf 'relay CPU per GB' ;;
    silent) printf 'measured downtime' ;;
    time) printf 'total time' ;;
    rate) printf 'throughput' ;;
    esac
}

# within FIGURE RATIO LIMIT: is more of it better, or less?
within() {
    if [[ $1 == rate ]]; then
        awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > b) }'
    else
        awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }'
    fi
}

# verdict TARGET: a row that says met, missed, not measured or not comparable.
verdict() {
    local kind relay figure other limit got said word='at most' unit=
    read -r kind relay figure other limit <<<"$1"
    if [[ $figure == rate ]]; then
        word=above
    fi
    if [[ $limit == +* ]]; then
        got=$(difference "$kind" "$relay" "$other")
        unit=' ms more'
    else
        got=$(ratio "$(field "$figure" "$(stats "$kind" "$relay")")" \
            "$(field "$figure" "$(stats "$kind" "$other")")")
    fi
    if [[ $got == - ]]; then
        said='not measured'
    elif encrypts "$relay" && ! same_cipher "$kind" "$relay" "$other"; then
        said='not comparable: the ciphers differ or are not known'
    elif within "$figure" "$got" "${limit#+}"; then
        said=met
    else
        said=missed
    fi
    printf '| %s: %s of %s, against %s | %s %s | %s | **%s** |\n' \
        "$kind" "$(figure_title "$figure")" "$relay" "$other" "$word" \
        "${limit#+}$unit" "$got" "$said"
}

report_method() {
    cat <<END
# Benchmarks

Made by \`$command_line\`.

Every figure is the median of $rounds rounds. Inside a round every relay had its
turn, in changing order, so the ratios hold even where the speed of the machine
does not.

- Relay CPU is the user and system time of all processes of both relays, from
  when they listen to when they have ended, for each GB (10^9 bytes) carried.
- Sleeps are the times these processes gave the processor up, for each GB.
- Peak memory is the sum of the most that each of these processes had
  resident; pages that they share are counted in each.

END
}

report() {
    local kind target
    report_method
    if ((${#far_cpus[@]} > 0)); then
        printf 'The source and its relay had one half of the processors, the destination and its\nrelay the other, as if on two hosts.\n\n'
    fi
    printf '## Machine\n\n'
    machine
    for kind in "${cases[@]}"; do
        printf '\n## %s\n\n' "$(case_title "$kind")"
        case_text "$kind"
        printf '\n'
        relays_of "$kind"
        if [[ $kind == link ]]; then
            link_table
        elif is_linux_link "$kind"; then
            linux_table "$kind"
        elif is_handover "$kind"; then
            handover_table "$kind"
        else
            table "$kind"
        fi
        cipher_text "$kind"
    done
    report_missing
    printf '\n## Targets\n\n| what | target | measured | |\n|---|---|---:|---|\n'
    for target in "${targets[@]}"; do
        verdict "$target"
    done
}

report_missing() {
    local line
    if ((${#missing[@]} == 0)); then
        return
    fi
    printf '\nNot measured, %s of %s:\n\n' "${#missing[@]}" \
        "$((${#missing[@]} + ${#relays[@]}))"
    for line in "${missing[@]}"; do
        printf -- '- %s\n' "$line"
    done
}
