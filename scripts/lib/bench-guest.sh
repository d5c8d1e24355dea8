# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # globals are those of scripts/bench
# The guests that scripts/bench migrates, and one migration.

# vm_shape CASE: sets what the guest is like: random or linux; MiB of memory and
# how many of them it fills, the pages it dirties every 10 ms, and whether it runs
# meanwhile.
vm_shape() {
    vm_kind=random
    vm_mib=$guest_mib
    vm_filled_mib=$guest_mib
    vm_pages=16
    vm_runs=$guest_runs
    if is_linux "$1"; then
        vm_kind=linux
        vm_mib=$linux_guest_mib
        vm_runs=yes
    elif [[ $1 == sizes-* ]]; then
        vm_mib=${1#sizes-}
        vm_filled_mib=$vm_mib
    elif [[ $1 == link ]]; then
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
# QMP sockets are $work/NAME.qmp and, for who looks on, $work/NAME.look.  It
# runs behind ${side[@]}.  Its memory is allocated as it is written, as in any
# QEMU that is not told otherwise.  A host that has to find a page at its first
# use takes far longer at some times than at others; with --preallocate that is
# out of the figures.
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
