# shellcheck shell=bash
# shellcheck disable=SC2154 # globals are those of scripts/bench
# The tables of the report.

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

# row CASE RELAY TIME CPU: one row of a table, which holds it against that time and
# that processor time.
row() {
    local s cpu cells
    s=$(stats "$1" "$2")
    if [[ $(field n "$s") == 0 ]]; then
        printf '| %s | failed in every round |\n' "$(relay_title "$2")"
        return
    fi
    cpu=$(field cpu "$s")
    cells=("$(relay_title "$2")"
        "$(field time "$s")" "$(ratio "$(field time "$s")" "$3")"
        "$(range time "$s")" "$(field rate "$s")")
    if ! has_processes "$2"; then
        cells+=(- - - - -)
    else
        cells+=("$cpu" "$(ratio "$cpu" "$4")"
            "$(range cpu "$s")" "$(field sleeps "$s")" "$(field peak "$s")")
    fi
    if [[ $1 == migration || $1 == linux ]]; then
        cells+=("$(field down "$s") ($(range down "$s"))")
    fi
    cells+=("$(field n "$s")$(failed_note "$(field failed "$s")")")
    printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
}

# table CASE
table() {
    local relay time cpu head
    read -r _ time _ <<<"$(best_of "$1" time)"
    read -r _ cpu _ <<<"$(best_of "$1" cpu)"
    head=(relay 'time s' '÷ best' 'min–max' MB/s 'relay CPU s/GB' '÷ best'
        'min–max' 'sleeps/GB' 'peak MiB')
    if [[ $1 == migration || $1 == linux ]]; then
        head+=('downtime ms')
    fi
    table_head "${head[@]}" rounds
    for relay in "${relays_here[@]}"; do
        row "$1" "$relay" "${time:--}" "${cpu:--}"
    done
}

# peaks_table CASE: the memory of our programs.
peaks_table() {
    local relay s
    table_head relay mig-server mig-client
    for relay in "${relays_here[@]}"; do
        s=$(stats "$1" "$relay")
        if is_ours "$relay" && [[ $(field n "$s") != 0 ]]; then
            printf '| %s | %s | %s |\n' "$(relay_title "$relay")" \
                "$(field server_peak_max "$s")" "$(field client_peak_max "$s")"
        fi
    done
}

# matrix FIGURE CASES HEADING...: the median of FIGURE of each relay in each of
# the cases, which are words.
matrix() {
    local figure=$1 kinds=$2 relay kind cells
    shift 2
    table_head relay "$@"
    for relay in "${relays_here[@]}"; do
        if [[ $figure == cpu || $figure == peak ]] && ! has_processes "$relay"; then
            continue
        fi
        cells=("$(relay_title "$relay")")
        for kind in $kinds; do
            cells+=("$(field "$figure" "$(stats "$kind" "$relay")")")
        done
        printf '| %s |\n' "$(join ' | ' "${cells[@]}")"
    done
}
