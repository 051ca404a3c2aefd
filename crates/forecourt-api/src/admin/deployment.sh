
# Where a gateway of an earlier run is remembered and keeps its state: FORECOURT_STATE_DIR, or the user's own place.
# FORECOURT_BIN names the program where it is not on the PATH; FORECOURT_LISTEN_HOST the address to listen on.

set -eu
umask 077
deadline=$(($(date +%s) + 15))
host=${FORECOURT_LISTEN_HOST:-0.0.0.0}

fail() {
    printf 'forecourt: %s\n' "$1" >&2
    exit 1
}

# Whether anything listens on a TCP port of this machine.
listening() {
    if [ -r /proc/net/tcp ]; then
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
            awk -v port=":$(printf %04X "$1")" \
                '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
    elif command -v nc >/dev/null 2>&1; then
        nc -z 127.0.0.1 "$1" >/dev/null 2>&1
    else
        status=0
        curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$1/" || status=$?
        [ "$status" -ne 7 ] && [ "$status" -ne 127 ]
    fi
}

if [ -n "${FORECOURT_STATE_DIR:-}" ]; then
    base=$FORECOURT_STATE_DIR
elif [ -n "${XDG_STATE_HOME:-}" ]; then
    base=$XDG_STATE_HOME/forecourt
elif [ -n "${HOME:-}" ] && [ "$HOME" != / ]; then
    base=$HOME/.local/state/forecourt
else
    base=/var/lib/forecourt
fi
dir=$base/gateway-$name
data=$dir/group-$group

# Whether a process is the gateway that an earlier run of this script started.
is_ours() {
    if [ -r "/proc/$1/cmdline" ]; then
        tr '\0' '\n' <"/proc/$1/cmdline" | grep -qF -- "$dir/"
    else
        ps -o args= -p "$1" 2>/dev/null | grep -qF -- "$dir/"
    fi
}

stop_earlier() {
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    case $pid in
    '' | *[!0-9]*) return 0 ;;
    esac
    is_ours "$pid" || return 0
    kill "$pid" 2>/dev/null || return 0
    tries=0
    while kill -0 "$pid" 2>/dev/null && is_ours "$pid"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 20 ]; then
            kill -9 "$pid" 2>/dev/null || true
        fi
        [ "$tries" -lt 30 ] || fail "the earlier gateway $name (process $pid) cannot be stopped"
        sleep 0.2
    done
}

# TLS is a bonus where its port was not asked for: another gateway of this machine may have it.
take_ports() {
    ! listening "$http_port" || fail "port $http_port is in use by another program; stop it, or ask for another http_port"
    tls=yes
    if listening "$https_port"; then
        [ "$https_asked" = no ] ||
            fail "port $https_port is in use by another program; stop it, or ask for another https_port"
        printf 'forecourt: port %s is in use, so this gateway serves no TLS\n' "$https_port" >&2
        tls=no
    fi
}

start_program() {
    mkdir -p "$data"
    stop_earlier
    rm -f "$dir/pid"
    take_ports
    set -- gateway --control-plane "$control_plane" --data-dir "$data" --listen "$host:$http_port" --name "$name"
    [ "$tls" = no ] || set -- "$@" --tls-listen "$host:$https_port"
    detach=$(command -v setsid || command -v nohup || true)
    # The token stands in the environment, where other users of this machine cannot read it.
    FORECOURT_GATEWAY_TOKEN=$token ${detach:+"$detach"} "$bin" "$@" </dev/null >"$dir/ready" 2>>"$dir/log" &
    pid=$!
    printf '%s\n' "$pid" >"$dir/pid"
    until grep -q '^ready ' "$dir/ready" 2>/dev/null && listening "$http_port"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$dir/pid"
            tail -n 5 "$dir/log" >&2 || true
            fail "the gateway $name ended; its log is $dir/log"
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            kill "$pid" 2>/dev/null || true
            rm -f "$dir/pid"
            tail -n 5 "$dir/log" >&2 || true
            fail "the gateway $name did not get ready within 15 s; its log is $dir/log"
        fi
        sleep 0.1
    done
    printf 'forecourt: gateway %s listens on port %s (process %s, log %s)\n' "$name" "$http_port" "$pid" "$dir/log"
}

start_container() {
    earlier=$("$runtime" ps -aq --filter "name=^/?$(printf %s "$name" | sed 's/\./\\./g')\$")
    if [ -n "$earlier" ]; then
        [ -n "$("$runtime" ps -aq --filter "id=$earlier" --filter label=forecourt.gateway)" ] ||
            fail "a container called $name is there and is not one of ours; remove it, or ask for another name"
        "$runtime" rm -f "$earlier" >/dev/null
    fi
    take_ports
    # Within a container, loopback is the container's own: a control plane there is reached in the host's network.
    case $control_plane in
    *//127.* | *//localhost* | *//\[::1\]*)
        listen=$http_port tls_listen=$https_port
        set -- --network host "$@"
        ;;
    *)
        listen=9080 tls_listen=9443
        [ "$tls" = no ] || set -- -p "$https_port:9443" "$@"
        set -- -p "$http_port:9080" "$@"
        ;;
    esac
    FORECOURT_GATEWAY_TOKEN=$token
    export FORECOURT_GATEWAY_TOKEN
    set -- run -d --name "$name" --label "forecourt.gateway=$group" --restart unless-stopped \
        -e FORECOURT_GATEWAY_TOKEN -v "forecourt-$name-$group:/data" "$@" "$image" \
        gateway --control-plane "$control_plane" --data-dir /data --listen "0.0.0.0:$listen" --name "$name"
    [ "$tls" = no ] || set -- "$@" --tls-listen "0.0.0.0:$tls_listen"
    "$runtime" "$@" >/dev/null || fail "the container $name could not be started"
    until "$runtime" logs "$name" 2>/dev/null | grep -q '^ready ' && listening "$http_port"; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            "$runtime" logs --tail 5 "$name" >&2 || true
            "$runtime" rm -f "$name" >/dev/null 2>&1 || true
            fail "the container $name did not get ready within 15 s"
        fi
        sleep 0.2
    done
    printf 'forecourt: gateway %s listens on port %s (container %s)\n' "$name" "$http_port" "$name"
}

bin=$(command -v "${FORECOURT_BIN:-forecourt}" || true)
runtime=$(command -v docker || command -v podman || true)
if [ -n "$bin" ]; then
    start_program
elif [ -n "$runtime" ]; then
    start_container "$@"
else
    fail "neither a forecourt program (PATH, FORECOURT_BIN) nor docker nor podman is there"
fi
