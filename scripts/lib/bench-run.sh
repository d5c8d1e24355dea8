# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# How scripts/bench measures. Each measurement leaves one line in $results, of
# fields between tabs: case, relay, round, outcome (ok or failed), bytes,
# seconds, then what the processes of the relay used: CPU seconds, peak KiB,
# sleeps; the downtime in ms by query-migrate and by the events of both QEMUs;
# what was held on the way in KiB, the median and the most; the cipher; the bytes
# on the wire. A field that does not apply is "-".

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
        downtime_ms silent_ms held_kib held_max_kib cipher wire; do
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
        note "$(printf '%-10s %-8s round %s: %s s, relay CPU %s s%s' \
            "$kind" "$relay" "$round" "$(field seconds "$text")" \
            "$(field relay_cpu "$text")" \
            "$(note_of ', downtime %s ms' downtime_ms "$text"
            note_of ' (%s measured)' silent_ms "$text"
            note_of ', %s KiB held' held_kib "$text"
            note_of ', %s bytes on the wire' wire "$text"
            note_of ', %s' cipher "$text")")"
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

# measure_load CASE RELAY ROUND CHANNELS SHAPE
measure_load() {
    local split=()
    if ((${#far_cpus[@]} > 0)); then
        split=(--split)
    fi
    relay_route "$2"
    metered "$1" "$2" "$3" "$(find_tool mig-load)" pair "${split[@]}" \
        --connect "$relay_from" --listen "$relay_to" --channels "$4" \
        --shape "$5" --bytes "$load_bytes" --timeout "$timeout_s"
}

# vm_shape CASE: sets what the guest is like: random or linux; MiB of memory and
# how many of them it fills, the pages it dirties every 10 ms, and whether it runs
# meanwhile.
vm_shape() {
    vm_kind=random
    vm_mib=$guest_mib
    vm_filled_mib=$guest_mib
    vm_pages=16
    vm_runs=$guest_runs
    if [[ $1 == migration && $guest_kind == linux ]]; then
        vm_kind=linux
    elif is_linux_link "$1"; then
        vm_kind=linux
        vm_mib=$linux_guest_mib
        vm_runs=yes
    fi
    if [[ $1 == link ]]; then
        vm_mib=$link_guest_mib
        vm_filled_mib=$link_filled_mib
        vm_pages=4 # 1.6 MB/s, an eighth of what the link carries
        vm_runs=yes
    elif is_handover "$1"; then
        vm_mib=$handover_guest_mib
        vm_filled_mib=$handover_filled_mib
        vm_pages=1
        vm_runs=yes
    fi
}

# qemu_start NAME OPTION...: a QEMU with the guest's image.  Sets qemu_pid; its
# QMP sockets are $work/NAME.qmp and, for who looks on, $work/NAME.look.  It runs behind ${side[@]}.  Its memory is
# allocated as it is written, as in any QEMU that is not told otherwise.  A host
# that has to find a page at its first use takes far longer at some times than
# at others; with --preallocate that is out of the figures.
qemu_start() {
    local name=$1 touch=off
    if [[ $memory_preallocated == yes ]]; then
        touch=on
    fi
    shift
    rm -f "$work/$name.qmp" "$work/$name.look" "$work/$name.serial"
    "${side[@]}" qemu-system-x86_64 -accel tcg -nodefaults -no-user-config -display none \
        -object "memory-backend-ram,id=ram,size=${vm_mib}M,prealloc=$touch" \
        -machine pc,memory-backend=ram -m "$vm_mib" \
        "${vm_boot[@]}" -serial "file:$work/$name.serial" \
        -qmp "unix:$work/$name.look,server=on,wait=off" \
        -qmp "unix:$work/$name.qmp,server=on,wait=off" "$@" \
        >"$work/$name.log" 2>&1 </dev/null &
    qemu_pid=$!
    wait_for 20 "QEMU ($name) to listen" test -S "$work/$name.qmp"
    "$(find_tool mig-bench-vm)" wait --source "$work/$name.qmp"
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds.  A QEMU that ends
# meanwhile ends the waiting.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS > deadline)) || ! kill -0 "$qemu_pid" 2>/dev/null; then
            cat "$work"/*.log >&2 || true
            die "gave up waiting for $what"
        fi
        sleep 0.05
    done
}

# stop_pid PID: end a process of ours and wait for it.
stop_pid() {
    if [[ -n $1 ]]; then
        kill -KILL "$1" 2>/dev/null || true
        wait "$1" 2>/dev/null || true
    fi
}

# put32 FILE OFFSET VALUE: a little-endian word.
put32() {
    local escaped
    printf -v escaped '\\x%02x\\x%02x\\x%02x\\x%02x' $(($3 & 255)) \
        $((($3 >> 8) & 255)) $((($3 >> 16) & 255)) $((($3 >> 24) & 255))
    # shellcheck disable=SC2059 # the format is made of escapes alone
    printf "$escaped" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The offsets of fill_end and round_pages stand in tests/e2e/guest/guest.S.
guest_write() {
    cp "$guest_image" "$work/guest.img"
    put32 "$work/guest.img" 8 $((vm_filled_mib << 20))
    put32 "$work/guest.img" 16 "$vm_pages"
}

# guest_make: what its QEMUs boot from; sets vm_boot to their options, and vm_ready
# to what the guest says when it has filled its memory.
guest_make() {
    if [[ $vm_kind == linux ]]; then
        linux_boot
        return
    fi
    guest_write
    vm_boot=(-drive "file=$work/guest.img,format=raw,if=floppy,readonly=on")
    vm_ready='>'
}

# Start the source's QEMU and let its guest fill the memory.  It serves every
# measurement: a migration leaves it as it was, and its destination is killed.
source_start() {
    local side=("${near[@]}")
    guest_make
    qemu_start source
    source_pid=$qemu_pid
    note "waiting until the guest has filled its memory"
    wait_for 600 "the guest to fill its memory" \
        grep -qa "$vm_ready" "$work/source.serial"
    if [[ $vm_runs == no ]]; then
        "$(find_tool mig-bench-vm)" stop --source "$work/source.qmp"
    fi
}

# measure_migration CASE RELAY ROUND
measure_migration() {
    local options=() side=("${far[@]}") driver=()
    vm_shape "$1"
    if [[ $vm_runs == yes ]]; then
        options=(--running)
    fi
    if [[ $1 == link ]]; then
        options+=(--interface "$link_interface")
    fi
    if on_link; then
        driver=("${link_near[@]}") # whose sockets and interface it looks at
    fi
    if [[ -z $source_pid ]] || ! kill -0 "$source_pid" 2>/dev/null; then
        source_start
    fi
    relay_route "$2"
    qemu_start destination -incoming defer
    destination_pid=$qemu_pid
    metered "$1" "$2" "$3" "${driver[@]}" "$(find_tool mig-bench-vm)" migrate \
        --source "$work/source.qmp" --destination "$work/destination.qmp" \
        --from "$relay_from" --to "$relay_to" \
        --downtime-limit "$downtime_limit_ms" --timeout "$timeout_s" \
        "${options[@]}"
    stop_pid "$destination_pid"
    destination_pid=
    if [[ $outcome == failed ]]; then
        # What a failed migration leaves behind is not to be measured.
        stop_pid "$source_pid"
        source_pid=
    fi
}

# rate_of CASE: of its link.
rate_of() {
    case $1 in
    linux-*) linux_rate "$1" ;;
    *) printf 100mbit ;;
    esac
}

# measure CASE RELAY ROUND: round 0 warms up and is not recorded.
measure() {
    relay_dir=$work/m
    rm -rf "$relay_dir"
    mkdir "$relay_dir"
    relay_host=127.0.0.1
    near=("${near_cpus[@]}")
    far=("${far_cpus[@]}")
    case $1 in
    load1) measure_load "$@" 1 main ;;
    load4) measure_load "$@" 4 multifd ;;
    migration) measure_migration "$@" ;;
    handover | handover-far) measure_handover "$@" ;;
    link | linux-*)
        link_up "$(rate_of "$1")"
        relay_host=$link_far_address
        near=("${link_near[@]}" "${near[@]}")
        far=("${link_far[@]}" "${far[@]}")
        measure_migration "$@"
        ;;
    esac
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

# relays_of CASE: sets relays_here to those that CASE is measured with.
relays_of() {
    local relay some
    case $1 in
    handover*)
        relays_here=("${handover_ways[@]}")
        return
        ;;
    link) some=("${link_relays[@]}") ;;
    linux-*) some=("${linux_relays[@]}") ;;
    *) some=("${relays[@]}") ;;
    esac
    relays_here=()
    for relay in "${relays[@]}"; do
        if [[ $1 != linux-* && $relay == off ]]; then
            continue # which differs from the others only where it is slow
        fi
        if [[ " ${some[*]} " == *" $relay "* ]]; then
            relays_here+=("$relay")
        fi
    done
}

# measure_all: every case over every relay, in turn inside each round, so that
# a machine whose speed drifts favours none of them. The order is another one
# in each round, since a relay may suffer from what the one before it left.
measure_all() {
    local kind round relay
    for kind in "${cases[@]}"; do
        relays_of "$kind"
        if is_handover "$kind"; then
            measure "$kind" tcp 0
        elif [[ $kind != link && $kind != linux-* ]]; then
            measure "$kind" unix 0
        fi
        for ((round = 1; round <= rounds; round++)); do
            shuffle "$round" "${relays_here[@]}"
            for relay in "${shuffled[@]}"; do
                measure "$kind" "$relay" "$round"
            done
        done
        stop_pid "$source_pid"
        source_pid=
    done
}
