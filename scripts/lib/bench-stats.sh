# shellcheck shell=bash
# shellcheck disable=SC2154 # globals are those of scripts/bench
# Turns results.tsv into figures.

# Those of whom the fastest, and the one with the least processor time, is what
# others are held against.
peers=(socat nginx haproxy)

# stats CASE RELAY: median, least and most of each figure as KEY=VALUE words:
# time (s), rate (MB/s), cpu (s per GB), peak (MiB), sleeps (per GB), down (ms),
# silent (ms), held and most held (KiB), sent and wire (MB); of a relay's two programs the peaks
# server_peak, client_peak and the larger, memory (MiB), and the wake-ups in a
# second server_wakes, client_wakes, both_wakes and the larger, wakes;
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
        function add_pair(figure, larger, text, unit,    pair) {
            if (split(text, pair, ",") != 2)
                return
            add("server_" figure, pair[1] / unit)
            add("client_" figure, pair[2] / unit)
            add("both_" figure, (pair[1] + pair[2]) / unit)
            add(larger, (pair[1] + 0 > pair[2] + 0 ? pair[1] : pair[2]) / unit)
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
            if ($15 != "-")
                add("wire", $15 / 1e6)
            add_pair("peak", "memory", $16, 1024)
            add_pair("wakes", "wakes", $17, 1)
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
            summarise("server_peak", "%.1f")
            summarise("client_peak", "%.1f")
            summarise("memory", "%.1f")
            summarise("server_wakes", "%.2f")
            summarise("client_wakes", "%.2f")
            summarise("both_wakes", "%.2f")
            summarise("wakes", "%.2f")
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

# best_of CASE FIGURE: the peer with the least median of FIGURE, that median, and
# how many of the peers were measured at all; nothing if none was.
best_of() {
    local peer s
    for peer in "${peers[@]}"; do
        s=$(stats "$1" "$peer")
        if [[ $(field n "$s") != 0 ]]; then
            printf '%s %s\n' "$peer" "$(field "$2" "$s")"
        fi
    done | sort -g -k 2 | awk 'NR == 1 { best = $0 } END { if (NR) print best, NR }'
}

# differences CASE WAY OTHER: how much longer the guest stood still in WAY than in
# OTHER of the same round, in ms: the median over all rounds where both worked, or
# nothing if there is none.
differences() {
    awk -F '\t' -v wanted_case="$1" -v way="$2" -v other="$3" '
        $1 != wanted_case || $4 != "ok" || $11 == "-" { next }
        $2 == way { here[$3] = $11 }
        $2 == other { there[$3] = $11 }
        END { for (i in here) if (i in there) print here[i] - there[i] }
    ' "$results" | sort -g | awk '
        { value[NR] = $1 }
        END {
            low = value[int((NR + 1) / 2)]
            high = value[int(NR / 2) + 1]
            if (NR > 0)
                printf "%.1f", (low + high) / 2
        }'
}

# difference CASE WAY OTHER: the same for a table.
difference() {
    local median
    if [[ $2 != "$3" ]]; then
        median=$(differences "$@")
    fi
    printf '%s' "${median:--}"
}
