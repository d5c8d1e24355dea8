# shellcheck shell=bash
# shellcheck disable=SC2154 # globals are those of scripts/bench
# The relays spiped and ssh -L: pairs that encrypt with protocols of their own.
# For the interface see bench-relays.sh and bench-tls.sh.

relay_spiped_missing() {
    missing_program spiped
}

# Both ends at spiped's defaults: one process for all connections, AES-256-CTR
# with HMAC-SHA256, and whatever it does to its sockets.  More than its 100
# connections have to be allowed.
relay_spiped_start() {
    local key=$relay_dir/spiped.key
    head -c 32 /dev/urandom >"$key"
    chmod 600 "$key"
    relay_commands+=(
        -- "${far[@]}" spiped -F -d -n 0 -k "$key"
        -s "[$relay_host]:$relay_port" -t "$relay_exit"
        -- "${near[@]}" spiped -F -e -n 0 -k "$key"
        -s "$relay_entry" -t "[$relay_host]:$relay_port")
}

# It has one cipher and logs nothing.
relay_spiped_ciphers() {
    printf '%s\n' AES-256-CTR+HMAC-SHA256 AES-256-CTR+HMAC-SHA256
}

# Where sshd lies: not in everybody's PATH, and it wants to be called by it.
sshd_path() {
    PATH=$PATH:/usr/sbin:/sbin command -v sshd || true
}

relay_ssh_missing() {
    local program
    if [[ -z $(sshd_path) ]]; then
        printf 'sshd is not installed'
        return
    fi
    for program in ssh ssh-keygen; do
        if [[ -n $(missing_program "$program") ]]; then
            missing_program "$program"
            return
        fi
    done
}

# ssh_cipher: the cipher of tls_cipher, by its name in ssh.
ssh_cipher() {
    if [[ $(tls_cipher) == TLS_AES_128_GCM_SHA256 ]]; then
        printf aes128-gcm@openssh.com
    else
        printf chacha20-poly1305@openssh.com
    fi
}

# An sshd of our own, with its own keys, at our address and port alone; nothing
# of this host's configuration is read.
ssh_write_server() {
    local dir=$relay_dir
    ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh-host"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh-user"
    if ((EUID == 0)); then
        mkdir -p /run/sshd # sshd of root does not start without
    fi
    cat >"$dir/sshd.conf" <<END
ListenAddress $relay_host:$relay_port
HostKey $dir/ssh-host
AuthorizedKeysFile $dir/ssh-user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowStreamLocalForwarding yes
Ciphers $(ssh_cipher)
END
}

relay_ssh_start() {
    ssh_write_server
    relay_commands+=(
        -- "${far[@]}" "$(sshd_path)" -D -e -f "$relay_dir/sshd.conf"
        -- "${near[@]}" ssh -v -F none -N -i "$relay_dir/ssh-user"
        -p "$relay_port" -o IdentitiesOnly=yes -o BatchMode=yes
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
        -o GlobalKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes
        -o ConnectionAttempts=9 -o Compression=no
        -o "Ciphers=$(ssh_cipher)" -L "$relay_entry:$relay_exit"
        "$(id -un)@$relay_host")
}

# The client tells of both directions; a connection has one log.
relay_ssh_ciphers() {
    local found
    found=$(sed -n 's/.*kex: [a-z]*->[a-z]* cipher: \([^ ]*\).*/\1/p' \
        "$relay_dir/relay.log" 2>/dev/null | sort -u | paste -sd +) || true
    printf '%s\n' "${found:-unknown}" "${found:-unknown}"
}

# own_cipher RELAY: whether its protocol has nothing else, so that it is what a
# comparison with it has to take.
own_cipher() {
    [[ $1 == spiped ]]
}
