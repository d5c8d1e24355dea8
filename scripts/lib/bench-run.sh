# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# How scripts/bench measures. Each measurement leaves one line in $results, of
# fields between tabs: case, relay, round, outcome (ok or failed), bytes,
# seconds, then what the processes of the relay used: CPU seconds, peak KiB,
# sleeps; the downtime in ms by query-migrate and by the events of both QEMUs;
# what was held on the way in KiB, the median and the most; the cipher; the
# bytes that a link has carried; the peak of each program of the relay in KiB,
# and how often each woke up in a second, both with commas between, the server's
# first. A field that does not apply is "-". A case of several parts has one
# name for each of them in the first field.

# field KEY TEXT: the value of KEY in words of KEY=VALUE, or "-".
field() {
    local word
    for word in $2; do
        if [[ $word == "$1="* ]]; then
            printf '%s' "${word#*=}"
            return
        fi
    done
    printf '%s' -
}

# record CASE RELAY ROUND OUTCOME TEXT
record() {
    local line key
    printf -v line '%s\t%s\t%s\t%s' "$1" "$2" "$3" "$4"
    for key in bytes seconds relay_cpu relay_peak_kib relay_switches \
        downtime_ms silent_ms held_kib held_max_kib cipher wire \
        relay_peaks_kib wakes; do
        line+=$'\t'$(field "$key" "$5")
    done
    printf '%s\n' "$line" >>"$results"
}

# in_background COMMAND...: run it so that a signal to us is not held up by it.
# Its output is left in $work/out and $work/err.
in_background() {
    local status=0
    "$@" >"$work/out" 2>"$work/err" </dev/null &
    job=$!
    wait "$job" || status=$?
    job=
    return "$status"
}

# metered CASE RELAY ROUND WORKLOAD...: run WORKLOAD over the relay that
# relay_route has laid, and record it. Sets outcome to ok or failed.
metered() {
    local kind=$1 relay=$2 round=$3 text wire
    shift 3
    outcome=ok
    wire=$(! on_link || link_sent)
    in_background "$(find_tool mig-meter)" --timeout "$timeout_s" \
        "${relay_commands[@]}" -- "$@" || outcome=failed
    text=$(tr '\n' ' ' <"$work/out")
    if [[ $outcome == failed ]]; then
        failures=$((failures + 1))
        note "$kind, $relay, round $round: FAILED"
        tail -n 5 "$work/err" "$relay_dir"/*.log 2>/dev/null | sed 's/^/    /' >&2 || true
        text=
    else
        text+=" cipher=$(relay_cipher "$relay")"
        if on_link; then
            text+=" wire=$(($(link_sent) - wire))"
        fi
        note "$(printf '%-14s %-8s round %s: %s s, relay CPU %s s%s' \
            "$kind" "$relay" "$round" "$(field seconds "$text")" \
            "$(field relay_cpu "$text")" \
            "$(note_of ', downtime %s ms' downtime_ms "$text"
            note_of ' (%s measured)' silent_ms "$text"
            note_of ', %s KiB held' held_kib "$text"
            note_of ', %s bytes on the wire' wire "$text"
            note_of ', %s' cipher "$text"
            note_of ', %s wake-ups a second' wakes "$text")")"
    fi
    if ((round > 0)); then
        record "$kind" "$relay" "$round" "$outcome" "$text"
    fi
}

# note_of FORMAT KEY TEXT: the value of KEY in words, or nothing without one.
note_of() {
    local value
    value=$(field "$2" "$3")
    if [[ $value != - ]]; then
        # shellcheck disable=SC2059 # the format is ours
        printf "$1" "$value"
    fi
}

# has_hook CASE VERB
has_hook() {
    declare -F "case_${1//-/_}_$2" >/dev/null
}

# hook CASE VERB ARGUMENT...: what a case says or does; see bench-cases.sh.
# Return 1 where it has nothing for VERB.
hook() {
    local name=case_${1//-/_}_$2
    if ! has_hook "$1" "$2"; then
        return 1
    fi
    shift 2
    "$name" "$@"
}

# measure CASE PART RELAY ROUND: round 0 warms up and is not recorded.
measure() {
    local kind=$1
    shift
    relay_dir=$work/m
    rm -rf "$relay_dir"
    mkdir "$relay_dir"
    relay_host=127.0.0.1
    near=("${near_cpus[@]}")
    far=("${far_cpus[@]}")
    session_options=()
    client_options=()
    hook "$kind" measure "$@"
}

# shuffle SEED WORD...: sets shuffled to the words, in an order of that seed.
shuffle() {
    local i k word
    RANDOM=$1
    shift
    shuffled=("$@")
    for ((i = $# - 1; i > 0; i--)); do
        k=$((RANDOM % (i + 1)))
        word=${shuffled[i]}
        shuffled[i]=${shuffled[k]}
        shuffled[k]=$word
    done
}

# relays_of CASE: sets relays_here to those that CASE is measured with: those
# that it knows, as far as they are wanted.  "off" differs from "session" only
# where a link is slow, so only such cases have it, and say so.
relays_of() {
    local relay known
    if hook "$1" ways >/dev/null; then
        read -r -a relays_here <<<"$(hook "$1" ways)"
        return
    fi
    known=$(hook "$1" relays || printf '%s' "${relays[*]/#off/}")
    relays_here=()
    for relay in "${relays[@]}"; do
        if [[ " $known " == *" $relay "* ]]; then
            relays_here+=("$relay")
        fi
    done
}

# units_of CASE: a line for each group of what is measured in turn inside one
# round, of words PART:RELAY.
units_of() {
    local part relay units=()
    if ! hook "$1" parts >/dev/null; then
        printf '%s\n' "$(printf "$1:%s " "${relays_here[@]}")"
        return
    fi
    for part in $(hook "$1" parts); do
        for relay in "${relays_here[@]}"; do
            units+=("$part:$relay")
        done
        if hook "$1" apart; then
            printf '%s\n' "${units[*]}"
            units=()
        fi
    done
    printf '%s\n' "${units[*]}"
}

# measure_group CASE UNIT...: every unit in turn inside each round, so that a
# machine whose speed drifts favours none of them. The order is another one in
# each round, since a relay may suffer from what the one before it left.
measure_group() {
    local kind=$1 first=${2%%:*} round unit last warm
    shift
    keep_guest "$(hook "$kind" guest || printf '%s' "$first")"
    last=$(hook "$kind" rounds || printf '%s' "$rounds")
    if warm=$(hook "$kind" warm); then
        measure "$kind" "$first" "$warm" 0
    fi
    for ((round = 1; round <= last; round++)); do
        shuffle "$round" "$@"
        for unit in "${shuffled[@]}"; do
            measure "$kind" "${unit%%:*}" "${unit##*:}" "$round"
        done
    done
}

# keep_guest NAME: a source that runs is kept if it is of that name.
keep_guest() {
    if [[ $source_name != "$1" ]]; then
        stop_pid "$source_pid"
        source_pid=
    fi
    source_name=$1
}

# measure_all: each case, and how long it took.
measure_all() {
    local kind began groups units
    for kind in "${cases[@]}"; do
        began=$SECONDS
        relays_of "$kind"
        mapfile -t groups < <(units_of "$kind")
        for units in "${groups[@]}"; do
            if [[ -n $units ]]; then
                # shellcheck disable=SC2086 # words
                measure_group "$kind" $units
            fi
        done
        took+=("$kind $((SECONDS - began))")
        note "$kind took $((SECONDS - began)) s"
    done
    keep_guest none
}
