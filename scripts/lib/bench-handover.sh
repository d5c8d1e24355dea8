# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# What the handover costs: the downtime of a guest that mig-recv continues once
# the source has given it, beside that of one which the destination's QEMU starts
# by itself.  It is measured in three ways, in turn inside each round:
#   tcp       QEMU's own, tcp: without any program of ours
#   alone     our relay, mig-send and mig-recv with --standalone
#   partners  our relay, mig-send and mig-recv with control sockets
# The case handover does it on loopback, handover-far through mig-delay, which
# makes a round trip of $far_rtt_ms.

handover_ways=(tcp alone partners)
handover_guest_mib=64
handover_filled_mib=16
# Short, since what QEMU itself lets the guest stand still for only blurs this.
handover_limit_ms=5
far_rtt_ms=20

is_handover() {
    [[ $1 == handover || $1 == handover-far ]]
}

# handover_missing: print what can't be run, or nothing.
handover_missing() {
    local program why
    why=$(guest_missing)
    if [[ -n $why ]]; then
        printf '%s' "$why"
        return
    fi
    for program in mig-server mig-client mig-send mig-recv mig-delay; do
        if [[ -z $(find_tool "$program") ]]; then
            printf '%s is not built' "$program"
            return
        fi
    done
}

handover_title() {
    case $1 in
    tcp) printf "QEMU's own (\`tcp:\`)" ;;
    alone) printf 'our relay, each helper alone' ;;
    partners) printf 'our relay, helpers as partners' ;;
    esac
}

# far_port CASE: sets connect_port to where the source's side connects, and
# delay_command to what has to run where that is not $relay_port.
far_port() {
    connect_port=$relay_port
    delay_command=()
    if [[ $1 == handover-far ]]; then
        connect_port=$("$(find_tool mig-load)" port)
        delay_command=(-- "$(find_tool mig-delay)" --listen "$connect_port"
            --to "$relay_port" --delay $((far_rtt_ms * 500)))
    fi
}

# handover_own ROUND KIND: QEMU alone.
handover_own() {
    relay_commands=()
    far_port "$2"
    if ((${#delay_command[@]} > 0)); then
        relay_commands=(--port "$connect_port" --log "$relay_dir/relay.log"
            "${delay_command[@]}")
    fi
    metered "$2" tcp "$1" "$(find_tool mig-bench-vm)" migrate --running \
        --source "$work/source.qmp" --destination "$work/destination.qmp" \
        --from "tcp:$relay_host:$connect_port" \
        --to "tcp:$relay_host:$relay_port" \
        --downtime-limit "$handover_limit_ms" --timeout "$timeout_s"
}

# handover_ours ROUND KIND WAY: with our relay and both helpers.
handover_ours() {
    local near_options=(--standalone) far_options=(--standalone --run-at-once)
    local client=() server=()
    if [[ $3 == partners ]]; then
        near_options=(--control "$relay_dir/src.ctl")
        far_options=(--control "$relay_dir/dst.ctl")
        client=("${near_options[@]}")
        server=("${far_options[@]}")
    fi
    far_port "$2"
    relay_commands=(--port "$relay_port" --log "$relay_dir/relay.log"
        "${delay_command[@]}"
        -- "${far[@]}" "$(find_tool mig-server)" --insecure "${server[@]}"
        --listen "$relay_host:$relay_port" --unix "$relay_exit"
        -- "${near[@]}" "$(find_tool mig-client)" --insecure "${client[@]}"
        --dest "$relay_host:$connect_port" --unix "$relay_entry")
    vm=$(find_tool mig-bench-vm) recv=$(find_tool mig-recv) \
        send=$(find_tool mig-send) qemus=$work dir=$relay_dir \
        timeout_s=$timeout_s downtime_limit_ms=$handover_limit_ms \
        metered "$2" "$3" "$1" "$root/scripts/lib/bench-helpers" \
        "${far_options[*]}" "${near_options[*]}"
}

# measure_handover KIND WAY ROUND
measure_handover() {
    local side=("${far[@]}")
    vm_shape "$1"
    if [[ -z $source_pid ]] || ! kill -0 "$source_pid" 2>/dev/null; then
        source_start
    fi
    relay_route tcp
    qemu_start destination -incoming defer
    destination_pid=$qemu_pid
    if [[ $2 == tcp ]]; then
        handover_own "$3" "$1"
    else
        handover_ours "$3" "$1" "$2"
    fi
    stop_pid "$destination_pid"
    destination_pid=
    if [[ $outcome == failed ]]; then
        stop_pid "$source_pid"
        source_pid=
    fi
}

handover_table() {
    local way s
    table_head way 'downtime ms' 'min–max' "more than QEMU's own" \
        'more than alone' rounds
    for way in "${handover_ways[@]}"; do
        s=$(stats "$1" "$way")
        if [[ $(field n "$s") == 0 ]]; then
            printf '| %s | failed in every round |\n' "$(handover_title "$way")"
            continue
        fi
        printf '| %s | %s | %s | %s | %s | %s%s |\n' \
            "$(handover_title "$way")" "$(field silent "$s")" \
            "$(range silent "$s")" "$(difference "$1" "$way" tcp)" \
            "$(difference "$1" "$way" alone)" "$(field n "$s")" \
            "$(failed_note "$(field failed "$s")")"
    done
}

# Both are cases; see bench-cases.sh.
case_handover_ways() { printf '%s' "${handover_ways[*]}"; }
case_handover_missing() { handover_missing; }
case_handover_warm() { printf tcp; }
case_handover_measure() { measure_handover "$@"; }
case_handover_title() { printf 'What the handover costs'; }
case_handover_text() { handover_text handover; }
case_handover_table() { handover_table handover; }
case_handover_far_ways() { printf '%s' "${handover_ways[*]}"; }
case_handover_far_missing() { handover_missing; }
case_handover_far_warm() { printf tcp; }
case_handover_far_measure() { measure_handover "$@"; }
case_handover_far_title() { printf 'What the handover costs from afar'; }
case_handover_far_text() { handover_text handover-far; }
case_handover_far_table() { handover_table handover-far; }

handover_text() {
    local link='over loopback'
    if [[ $1 == handover-far ]]; then
        link="over a connection with a round trip of $far_rtt_ms ms, which
\`mig-delay\` makes on this host"
    fi
    cat <<END
A running guest (TCG) of $handover_guest_mib MiB, of which it has filled $handover_filled_mib, is moved
$link. Downtime is from the STOP of the source's QEMU to
the RESUME of the destination's, by the time stamps of these events. QEMU's own
destination starts the guest by itself; with partners it starts when the source
has given it. The downtime limit is $handover_limit_ms ms. The differences are those inside each
round, and their median.
END
}
