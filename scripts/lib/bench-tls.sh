# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# The relays of scripts/bench that encrypt, beside those of bench-relays.sh.  A
# relay NAME of these has one function more:
#   relay_NAME_ciphers   prints a line for each of its two processes, from what
#                        that one has logged about its connections: the ciphers
#                        that they used, with a "+" between if there are several
# So what a comparison says of two relays can be held back when they were not
# doing the same.

# What the certificates are for, and what a cipher looks like in a log.
tls_host=bench
tls_log_name='TLS_[A-Z0-9]+_[A-Z0-9_]+( in the kernel)?'

# tls_cipher: what TLS 1.3 shall use here, with the choice that our programs
# make: AES where the processor has instructions for it.
tls_cipher() {
    if grep -qw aes /proc/cpuinfo; then
        printf TLS_AES_128_GCM_SHA256
    else
        printf TLS_CHACHA20_POLY1305_SHA256
    fi
}

# kernel_tls: whether the kernel could do the encrypting, and has shown so.
kernel_tls() {
    if grep -sqw tls /proc/sys/net/ipv4/tcp_available_ulp; then
        printf yes
    else
        printf no
    fi
}

# tls_make_certs: once, for every address that a relay has here.
tls_make_certs() {
    tls_dir=$work/tls/$tls_host
    if [[ -d $tls_dir ]]; then
        return
    fi
    "$root/scripts/make-certs" "$work/tls" \
        "$tls_host,127.0.0.1,$link_far_address" >"$work/certs.log" 2>&1 || {
        tail -n 5 "$work/certs.log" >&2
        die "scripts/make-certs failed"
    }
}

relay_tls_missing() {
    local program
    if [[ -n $(relay_raw_missing) ]]; then
        relay_raw_missing
        return
    fi
    for program in mig-server mig-client; do
        if ! has_option "$program" --tls-dir; then
            printf '%s has no --tls-dir' "$program"
            return
        fi
    done
    missing_program openssl # of scripts/make-certs
}

relay_tls_start() {
    tls_make_certs
    relay_ours_start -v --tls-dir "$tls_dir" "${session_options[@]}"
    relay_commands+=("${client_options[@]}")
}

relay_tls_ciphers() {
    local program
    for program in mig-server mig-client; do
        tls_ciphers_in "^$program: " "$relay_dir/relay.log"
    done
}

relay_stunnel_missing() {
    if [[ -n $(missing_program stunnel) ]]; then
        missing_program stunnel
        return
    fi
    missing_program openssl
}

# stunnel_write NAME CERTIFICATE LINE...: one stunnel, with those lines in its
# service, behind ${side[@]}.
stunnel_write() {
    local file=$relay_dir/stunnel-$1.conf name=$1 certificate=$2
    shift 2
    {
        cat <<END
foreground = quiet
pid =
debug = info
syslog = no
output = $relay_dir/stunnel-$name.log
[relay]
sslVersion = TLSv1.3
ciphersuites = $(tls_cipher)
curves = X25519
cert = $tls_dir/$certificate-cert.pem
key = $tls_dir/$certificate-key.pem
CAfile = $tls_dir/ca-cert.pem
verifyChain = yes
END
        printf '%s\n' "$@"
    } >"$file"
    relay_commands+=(-- "${side[@]}" stunnel "$file")
}

relay_stunnel_start() {
    local side=("${far[@]}")
    tls_make_certs
    stunnel_write server server "accept = $relay_host:$relay_port" \
        "connect = $relay_exit"
    side=("${near[@]}")
    stunnel_write client client 'client = yes' "checkIP = $relay_host" \
        "accept = $relay_entry" "connect = $relay_host:$relay_port"
}

relay_stunnel_ciphers() {
    local name
    for name in server client; do
        tls_ciphers_in ' ciphersuite: ' "$relay_dir/stunnel-$name.log"
    done
}

# tls_ciphers_in PATTERN FILE: the ciphers that stand in lines of PATTERN.
tls_ciphers_in() {
    local found
    found=$(grep -se "$1" "$2" | grep -oE "$tls_log_name" | sort -u |
        sed 's/ in the kernel/(kernel)/' | paste -sd +) || true
    printf '%s\n' "${found:-unknown}"
}

# encrypts RELAY
encrypts() {
    declare -F "relay_$1_ciphers" >/dev/null
}

# relay_cipher RELAY: one word for the cipher of what was just measured, if it
# was one and the same at both ends, else for what each of them says, with a
# comma between; "-" for a relay that does not encrypt.
relay_cipher() {
    if encrypts "$1"; then
        "relay_$1_ciphers" | uniq | paste -sd ,
    else
        printf '%s' -
    fi
}

# ciphers CASE RELAY: what relay_cipher said in its rounds, each once.
ciphers() {
    awk -F '\t' -v wanted_case="$1" -v wanted_relay="$2" '
        $1 == wanted_case && $2 == wanted_relay && $4 == "ok" { print $14 }
    ' "$results" | sort -u | paste -sd ';'
}

# same_cipher CASE RELAY OTHER: whether both are known to have used one cipher,
# and that the same.  Who does the work, the kernel or the relay, may differ.
same_cipher() {
    local mine other
    mine=$(ciphers "$1" "$2" | sed 's/(kernel)//g')
    other=$(ciphers "$1" "$3" | sed 's/(kernel)//g')
    [[ $mine == "$other" && $mine == TLS_* && $mine != *[,\;+]* ]]
}

# comparable CASE RELAY OTHER: whether what both did was the same.  A relay that
# knows one cipher alone has to be taken with that.
comparable() {
    local mine
    if ! encrypts "$2" || ! encrypts "$3"; then
        ! encrypts "$2" || [[ $3 == - ]]
    elif own_cipher "$3"; then
        mine=$(ciphers "$1" "$2")
        [[ $mine == TLS_* && $mine != *[,\;+]* ]]
    else
        same_cipher "$@"
    fi
}

# cipher_text CASE: a line on what those relays used that encrypt.
cipher_text() {
    local relay said text=''
    for relay in "${relays_here[@]}"; do
        said=$(ciphers "$1" "$relay")
        if [[ -n $said && $said != - ]]; then
            text+="- $(relay_title "$relay"): $said"$'\n'
        fi
    done
    if [[ -n $text ]]; then
        printf '\nCiphers, as both programs of a pair have logged them:\n\n%s' "$text"
    fi
}
