# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# Puts the report together.

# Below this line of the report stands what people wrote: it is kept.
keep_mark='<!-- scripts/bench keeps what is below this line -->'

# What stands there where a target was missed and nobody has said yet why.
no_reason='The reason is not known yet.'

report_method() {
    cat <<END
# Benchmarks

Made by \`$command_line\`.

Every figure is the median of $rounds rounds. Inside a round every relay had its
turn, in changing order, so the ratios hold even where the speed of the machine
does not. *Best* is the best of $(join ', ' "${peers[@]}"), by this figure.

- Relay CPU is the user and system time of all processes of both relays, from
  when they listen to when they have ended, for each GB (10^9 bytes) carried.
- Sleeps are the times these processes gave the processor up, for each GB.
- Peak memory is the sum of the most that each of these processes had
  resident; pages that they share are counted in each.

END
    if ((${#far_cpus[@]} > 0)); then
        printf 'The source and its relay had one half of the processors, the destination and its\nrelay the other, as if on two hosts.\n\n'
    fi
}

report_targets() {
    printf '\n## Targets\n\n'
    if [[ $guest_mib != 1024 || $quick == yes ]]; then
        printf 'These are for 1024 MiB and for whole runs; this one is smaller, so they are no more\nthan a hint here.\n\n'
    fi
    cat <<END
A program's memory is held against the limit with the windows that it had in use
in it; of the cases memory-1 and memory-16 they are known. The machine has
$(nproc) cores. A link of 1 Gbit/s carries $link_mb_s MB/s.

END
    verdicts
}

# report: all of it, with plots beside FILE where there is one.
report() {
    local kind
    report_method
    printf '## Machine\n\n'
    machine
    report_targets
    for kind in "${cases[@]}"; do
        printf '\n## %s\n\n' "$(hook "$kind" title)"
        hook "$kind" text
        printf '\n'
        relays_of "$kind"
        hook "$kind" table
        cipher_text "$kind"
        plot_link "$kind"
    done
    report_missing
    report_times
}

report_missing() {
    local line
    if ((${#missing[@]} == 0)); then
        return
    fi
    printf '\n## Not measured\n\n'
    for line in "${missing[@]}"; do
        printf -- '- %s\n' "$line"
    done
}

report_times() {
    local line
    printf '\n## How long it took\n\n| case | s |\n|---|---:|\n'
    for line in "${took[@]}"; do
        printf '| %s | %s |\n' "${line% *}" "${line#* }"
    done
}

# add_reasons KEPT: a heading for each target that was missed and has none.
add_reasons() {
    local text
    while read -r text; do
        if [[ -n $text ]] && ! grep -qxF "### Missed: $text" "$1"; then
            printf '\n### Missed: %s\n\n%s\n' "$text" "$no_reason" >>"$1"
        fi
    done < <(missed_targets)
}

# write_report: replace the measured part of $output and keep what people wrote
# below it.
write_report() {
    local kept="$work/kept"
    : >"$kept"
    if [[ -f $output ]]; then
        awk -v mark="$keep_mark" '$0 == mark { on = 1 } on' "$output" >"$kept"
    fi
    if [[ ! -s $kept ]]; then
        printf '%s\n' "$keep_mark" >"$kept"
    fi
    add_reasons "$kept"
    { cat "$work/report" && printf '\n' && cat "$kept"; } >"$output"
    if compgen -G "$work/plots/*.svg" >/dev/null; then
        cp "$work"/plots/*.svg "$(dirname "$output")/"
    fi
    note "written: $output"
}
