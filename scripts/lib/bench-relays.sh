# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # globals are those of scripts/bench; `` is Markdown
# The relays that scripts/bench compares.  For a relay NAME there are:
#   relay_NAME_missing   prints why it can't run here, or nothing if it can
#   relay_NAME_start     adds its commands to the array relay_commands, each
#                        behind a "--" as mig-meter takes them
# A relay carries from $relay_entry (a Unix socket, the source connects) over
# $relay_host:$relay_port to $relay_exit (a Unix socket, the destination
# listens), and may write files into $relay_dir.  Its command at the source's
# side stands behind ${near[@]} and the other behind ${far[@]}, which put it on
# the processors or on the host where that side shall run.
#
# A relay may make $relay_entry only when somebody listens at $relay_exit, so
# what connects has to wait for it after that.

missing_program() {
    command -v "$1" >/dev/null || printf '%s is not installed' "$1"
}

relay_raw_missing() {
    local program
    for program in mig-server mig-client; do
        if [[ -z $(find_tool "$program") ]]; then
            printf '%s is not built' "$program"
            return
        fi
    done
}

# has_option PROGRAM OPTION
has_option() {
    "$(find_tool "$1")" --help 2>&1 | grep -qe "$2\b"
}

# Options that a case wants our programs to have in a session, and those of
# mig-client alone.
session_options=()
client_options=()

# relay_ours_start [OPTION]...
relay_ours_start() {
    relay_commands+=(
        -- "${far[@]}" "$(find_tool mig-server)" "$@"
        --listen "$relay_host:$relay_port" --unix "$relay_exit"
        -- "${near[@]}" "$(find_tool mig-client)" "$@"
        --dest "$relay_host:$relay_port" --unix "$relay_entry")
}

# Plain text, whatever credentials this host has.  Programs of an older build,
# with --bin, need not be told.
relay_plain_start() {
    local plain=()
    if has_option mig-server --insecure; then
        plain=(--insecure)
    fi
    relay_ours_start "${plain[@]}" "$@"
}

relay_session_missing() {
    relay_raw_missing
}

relay_session_start() {
    relay_plain_start "${session_options[@]}"
    # mig-client's command is the last.
    relay_commands+=("${client_options[@]}")
}

relay_raw_start() {
    relay_plain_start --raw
}

relay_socat_missing() {
    missing_program socat
}

relay_socat_start() {
    relay_commands+=(
        -- "${far[@]}" socat -b 262144
        "TCP-LISTEN:$relay_port,bind=$relay_host,fork,reuseaddr"
        "UNIX-CONNECT:$relay_exit"
        -- "${near[@]}" socat -b 262144
        "UNIX-LISTEN:$relay_entry,fork" "TCP:$relay_host:$relay_port")
}

# Where the stream module of nginx lies, when it is not built in.
nginx_module() {
    local dir
    for dir in /usr/lib/nginx/modules /usr/lib64/nginx/modules; do
        if [[ -f $dir/ngx_stream_module.so ]]; then
            printf '%s' "$dir/ngx_stream_module.so"
            return
        fi
    done
}

relay_nginx_missing() {
    if [[ -n $(missing_program nginx) ]]; then
        missing_program nginx
    elif [[ -z $(nginx_module) ]] && ! nginx -V 2>&1 | grep -q 'with-stream\b'; then
        printf 'nginx has no stream module (libnginx-mod-stream)'
    fi
}

# nginx_write NAME LISTEN PASS: one nginx, its files in a folder of its own, behind
# ${side[@]}.
nginx_write() {
    local dir=$relay_dir/nginx-$1 module user=''
    mkdir -p "$dir"
    module=$(nginx_module)
    # Started by root, a worker is otherwise nobody and can't reach the socket.
    if ((EUID == 0)); then
        user='user root;'
    fi
    cat >"$dir/nginx.conf" <<END
${module:+load_module $module;}
$user
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
stream {
    server {
        listen $2;
        proxy_pass $3;
        proxy_buffer_size 256k;
    }
}
END
    relay_commands+=(
        -- "${side[@]}" nginx -e stderr -p "$dir" -c "$dir/nginx.conf")
}

relay_nginx_start() {
    local side=("${far[@]}")
    nginx_write server "$relay_host:$relay_port" "unix:$relay_exit"
    side=("${near[@]}")
    nginx_write client "unix:$relay_entry" "$relay_host:$relay_port"
}

relay_haproxy_missing() {
    missing_program haproxy
}

# haproxy_write NAME BIND SERVER: one HAProxy, with as many threads as it likes,
# behind ${side[@]}.
haproxy_write() {
    local file=$relay_dir/haproxy-$1.cfg
    cat >"$file" <<END
global
    maxconn 1024
defaults
    mode tcp
    option splice-auto
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen relay
    bind $2
    server far $3
END
    relay_commands+=(-- "${side[@]}" haproxy -db -q -f "$file")
}

relay_haproxy_start() {
    local side=("${far[@]}")
    haproxy_write server "$relay_host:$relay_port" "unix@$relay_exit"
    side=("${near[@]}")
    haproxy_write client "unix@$relay_entry" "$relay_host:$relay_port"
}

# is_ours RELAY
is_ours() {
    [[ $1 == session || $1 == off || $1 == tls || $1 == raw ]]
}

# has_processes RELAY: or is it none at all?
has_processes() {
    [[ $1 != unix && $1 != tcp ]]
}

# No relay: both ends at one socket.
relay_unix_missing() { :; }
relay_tcp_missing() { :; }

# relay_title NAME: what a table calls it.
relay_title() {
    case $1 in
    session) printf 'mig-client + mig-server' ;;
    off) printf 'mig-client + mig-server, `--compress off`' ;;
    tls) printf 'mig-client + mig-server, TLS' ;;
    stunnel) printf 'stunnel' ;;
    raw) printf 'mig-client + mig-server, `--raw`' ;;
    spiped) printf 'spiped' ;;
    ssh) printf 'ssh -L' ;;
    nginx) printf 'nginx stream' ;;
    haproxy) printf 'HAProxy, splice' ;;
    socat) printf 'socat, fork' ;;
    unix) printf 'no relay (`unix:`)' ;;
    tcp) printf 'no relay (`tcp:`)' ;;
    *) printf '%s' "$1" ;;
    esac
}

# relay_route NAME: lay a way through NAME in $relay_dir.  Sets the URIs
# relay_from (of the source) and relay_to (of the destination), and
# relay_commands with the options and relays for mig-meter.
relay_route() {
    relay_port=$("$(find_tool mig-load)" port)
    relay_entry=$relay_dir/src.sock
    relay_exit=$relay_dir/dst.sock
    relay_from=unix:$relay_entry
    relay_to=unix:$relay_exit
    relay_commands=()
    case $1 in
    unix) relay_from=$relay_to ;;
    tcp)
        relay_from=tcp:$relay_host:$relay_port
        relay_to=$relay_from
        ;;
    *)
        relay_commands=(--port "$relay_port" --log "$relay_dir/relay.log")
        # A session makes its entry when there is somebody at the exit.
        if [[ " session off tls " != *" $1 "* ]]; then
            relay_commands+=(--unix "$relay_entry")
        fi
        "relay_$1_start"
        ;;
    esac
}
