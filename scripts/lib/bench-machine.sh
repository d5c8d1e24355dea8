# shellcheck shell=bash
# shellcheck disable=SC2154 # globals are those of scripts/bench
# What the report says of the machine and of the programs.

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
    printf '| spiped | %s |\n' "$(version_of spiped)"
    printf '| OpenSSH | %s |\n' "$(version_of ssh)"
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
    socat | ssh) flag=-V ;;
    spiped) flag=-v ;;
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
