# shellcheck shell=bash
# shellcheck disable=SC2154 # globals are those of scripts/bench
# What the figures shall be, and whether they are.

# Each target: case, relay, figure, what it is held against, and the limit.
# Against a relay, or "best" (of the peers, by this figure), the limit is the
# highest ratio of the medians; with a "+", how many ms more it may be inside one
# round.  Against "link" it is the lowest part of $link_mb_s.  Against "-" it is
# a value that the most of any round may not go beyond.
# Relays that encrypt are compared only if they used the same cipher, or if the
# other has but one.
targets=(
    'migration raw time best 0.60'
    'migration raw cpu best 0.65'
    'migration session time best 0.65'
    'migration session cpu best 0.75'
    'migration tls time stunnel 0.50'
    'migration tls cpu stunnel 0.50'
    'migration tls time spiped 0.25'
    'migration tls cpu spiped 0.25'
    'migration session time tcp 1.30'
    'handover partners silent tcp +5'
    "handover-far partners silent tcp +$((far_rtt_ms + 5))"
    'linux-100m session time tcp 0.50'
    'linux-1g session time off 1.02'
    'far-1g session rate link 0.90'
    'migration session memory - 12'
    'migration tls memory - 12'
    'memory-1 session memory - 13'
    'memory-1 tls memory - 13'
    'memory-16 session memory - 28'
    'memory-16 tls memory - 28'
    'idle session wakes - 3'
    'idle tls wakes - 3'
)

# What a link of 1 Gbit/s carries in a second, its headers with it.
link_mb_s=125

figure_title() {
    case $1 in
    cpu) printf 'relay CPU per GB' ;;
    silent) printf 'measured downtime' ;;
    time) printf 'total time' ;;
    rate) printf 'throughput' ;;
    memory) printf 'peak memory of the larger program' ;;
    wakes) printf 'wake-ups a second of the busier program' ;;
    esac
}

# target_text TARGET: what is measured, in words.
target_text() {
    local kind relay figure other peer
    read -r kind relay figure other _ <<<"$1"
    printf '%s: %s of %s' "$kind" "$(figure_title "$figure")" "$relay"
    case $other in
    -) ;;
    link) printf ', against the link' ;;
    best)
        read -r peer _ <<<"$(best_of "$kind" "$figure")"
        printf ', against the best of %s%s' "$(join ', ' "${peers[@]}")" \
            "${peer:+ ($peer)}"
        ;;
    *) printf ', against %s' "$other" ;;
    esac
}

# limit_text TARGET: what it shall be, in words.
limit_text() {
    local figure other limit windows
    read -r windows _ figure other limit <<<"$1"
    case $figure/$other/$limit in
    rate/*) printf 'at least %s' "$limit" ;;
    */+*) printf 'at most %s ms more' "${limit#+}" ;;
    memory/*)
        printf 'at most %s MiB' "$limit"
        if [[ $windows == memory-* ]]; then
            printf ': 12, and windows of %s' "$((limit - 12))"
        fi
        ;;
    *) printf 'at most %s' "$limit" ;;
    esac
}

# measured TARGET: the figure that stands against the limit, or "-".
measured() {
    local kind relay figure other limit value count
    read -r kind relay figure other limit <<<"$1"
    if [[ $limit == +* ]]; then
        difference "$kind" "$relay" "$other"
        return
    fi
    case $other in
    -)
        field "${figure}_max" "$(stats "$kind" "$relay")"
        return
        ;;
    link) value=$link_mb_s ;;
    best)
        read -r _ value count <<<"$(best_of "$kind" "$figure")"
        if [[ ${count:-0} != "${#peers[@]}" ]]; then
            value=- # who is the best can't be known
        fi
        ;;
    *) value=$(field "$figure" "$(stats "$kind" "$other")") ;;
    esac
    ratio "$(field "$figure" "$(stats "$kind" "$relay")")" "$value"
}

# within FIGURE VALUE LIMIT: is more of it better, or less?
within() {
    if [[ $1 == rate ]]; then
        awk -v a="$2" -v b="$3" 'BEGIN { exit !(a >= b) }'
    else
        awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }'
    fi
}

# judge TARGET VALUE: met, missed, or why neither can be said.
judge() {
    local kind relay figure other limit
    read -r kind relay figure other limit <<<"$1"
    if [[ $2 == - ]]; then
        printf 'not measured'
    elif ! comparable "$kind" "$relay" "$other"; then
        printf 'not comparable: the ciphers differ or are not known'
    elif within "$figure" "$2" "${limit#+}"; then
        printf met
    else
        printf missed
    fi
}

# verdict TARGET: a row of the table.
verdict() {
    local got said
    got=$(measured "$1")
    said=$(judge "$1" "$got")
    printf '| %s | %s | %s | **%s** |\n' "$(target_text "$1")" \
        "$(limit_text "$1")" "$got" "$said"
}

# missed_targets: the text of each target that was missed, a line each.
missed_targets() {
    local target
    for target in "${targets[@]}"; do
        if [[ $(judge "$target" "$(measured "$target")") == missed ]]; then
            printf '%s\n' "$(target_text "$target")" | sed 's/ ([a-z]*)$//'
        fi
    done
}

verdicts() {
    local target met=0 missed=0 others=0 row
    printf '| what | target | measured | |\n|---|---|---:|---|\n'
    for target in "${targets[@]}"; do
        row=$(verdict "$target")
        printf '%s\n' "$row"
        case $row in
        *'**met**'*) met=$((met + 1)) ;;
        *'**missed**'*) missed=$((missed + 1)) ;;
        *) others=$((others + 1)) ;;
        esac
    done
    printf '\n%s met, %s missed, %s not measured.\n' "$met" "$missed" "$others"
}
