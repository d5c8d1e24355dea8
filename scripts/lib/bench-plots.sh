# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # globals are those of scripts/bench; $ is gnuplot's
# Draws figures of the report with gnuplot, beside the report: NAME-CASE.svg for a
# report NAME.md.  The same figures make the same files.

plot_cases=(migration channels sizes)

# plot_file CASE: the name of its picture.
plot_file() {
    local name
    name=$(basename "${output:-benchmarks.md}" .md)
    printf '%s-%s.svg' "$name" "$1"
}

# plot_link CASE: the line of the report that shows its picture, if there is one.
plot_link() {
    if [[ -s $work/plots/$(plot_file "$1") ]]; then
        printf '\n![%s](%s)\n' "$(hook "$1" title)" "$(plot_file "$1")"
    fi
}

# plot_all: draw what was measured.  Without gnuplot there is nothing to see, and
# nothing has failed.
plot_all() {
    local kind
    mkdir -p "$work/plots"
    if [[ -n $(missing_program gnuplot) ]]; then
        note "$(missing_program gnuplot): no plots (see scripts/setup --bench)"
        return
    fi
    for kind in "${plot_cases[@]}"; do
        if [[ " ${cases[*]} " == *" $kind "* ]]; then
            relays_of "$kind"
            plot_data "$kind" >"$work/$kind.dat"
            plot_draw "$kind" || note "gnuplot could not draw $kind"
        fi
    done
}

# plot_draw CASE
plot_draw() {
    local script=$work/$1.gnuplot
    {
        printf 'set terminal svg size 760,380 dynamic font "sans-serif,12" background "white" noenhanced\n'
        printf 'set output "%s"\n' "$work/plots/$(plot_file "$1")"
        printf 'set style fill solid 0.8\nset border 3\nset tics nomirror out\nset grid y lc "#dddddd"\nset yrange [0:*]\n'
        if [[ $1 == migration ]]; then
            plot_bars
        else
            plot_lines "$1"
        fi
    } >"$script"
    gnuplot "$script" >"$work/gnuplot.log" 2>&1 &&
        plot_shrink "$work/plots/$(plot_file "$1")"
}

# plot_shrink FILE: gnuplot writes many groups with nothing in them.
plot_shrink() {
    sed -i -z -E 's/\n[ \t]+/\n/g; s/<g [^>]*>\n*<\/g>\n//g; s/\n+/\n/g' "$1"
}

# plot_data CASE: what gnuplot reads.  For bars: a line for each relay, of its
# name, seconds and CPU seconds per GB; for lines: a line for each part, of its
# number, then the same two figures for each relay.
plot_data() {
    local relay part s
    if [[ $1 == migration ]]; then
        for relay in "${relays_here[@]}"; do
            s=$(stats migration "$relay")
            printf '%s %s %s\n' "$relay" "$(field time "$s")" \
                "$(plot_cpu "$relay" "$s")"
        done
        return
    fi
    for part in $(hook "$1" parts); do
        printf '%s' "${part##*-}"
        for relay in "${relays_here[@]}"; do
            s=$(stats "$part" "$relay")
            printf ' %s %s' "$(field "$(plot_figure "$1")" "$s")" \
                "$(plot_cpu "$relay" "$s")"
        done
        printf '\n'
    done
}

# plot_cpu RELAY STATS: where there are no processes, none of it.
plot_cpu() {
    if has_processes "$1"; then
        field cpu "$2"
    else
        printf '%s' -
    fi
}

plot_figure() {
    if [[ $1 == channels ]]; then
        printf rate
    else
        printf time
    fi
}

plot_bars() {
    cat <<END
set datafile missing "-"
set multiplot layout 1,2
set boxwidth 0.7
unset key
set xtics rotate by -40
set title "total time, s"
plot "$work/migration.dat" using 0:2:xtic(1) with boxes lc "#3b6ea5"
set title "relay CPU, s/GB"
plot "$work/migration.dat" using 0:3:xtic(1) with boxes lc "#a55b3b"
unset multiplot
END
}

# plot_lines CASE: two panels, a line for each relay.
plot_lines() {
    local titles=('total time, s' 'relay CPU, s/GB') label='MiB of memory' panel
    if [[ $1 == channels ]]; then
        titles[0]='throughput, MB/s'
        label=channels
    fi
    cat <<END
set datafile missing "-"
set multiplot layout 1,2
set logscale x 2
set xrange [$(awk 'NR == 1 { a = $1 } END { print a / 1.1 ":" $1 * 1.1 }' "$work/$1.dat")]
set xlabel "$label"
set key below
END
    for panel in 0 1; do
        printf 'set title "%s"\nplot %s\n' "${titles[panel]}" \
            "$(plot_curves "$1" "$panel")"
    done
    printf 'unset multiplot\n'
}

# plot_curves CASE PANEL: what stands behind "plot".
plot_curves() {
    local colours=('#3b6ea5' '#a55b3b' '#5b8c3b' '#7a5ba5') i separator=
    for i in "${!relays_here[@]}"; do
        if (($2 == 1)) && ! has_processes "${relays_here[i]}"; then
            continue
        fi
        printf '%s"%s" using 1:($%d):xtic(1) with linespoints pt 7 ps 0.5 lw 2 lc "%s" title "%s"' \
            "$separator" "$work/$1.dat" "$((2 + 2 * i + $2))" \
            "${colours[i % 4]}" "${relays_here[i]}"
        separator=', '
    done
}
