# shellcheck shell=bash
# What every script of tests/real starts from: where things are, how to stop, how to read a value out of JSON.

shopt -s inherit_errexit
REAL=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for tests/real/part
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-connect
# shellcheck source=SCRIPTDIR/../versions.env
source "$REAL/versions.env"

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the folder of a part, after it was built if need be. A part is built by a process of its own, so that its first
# failing command stops it, wherever the caller stands: `set -e` is off within a condition.
part() { "$REAL/part" "$1"; }

tools() { "$(part tools)/tools" "$@"; }

# The program NAME of the control plane: from KUBEBUILDER_ASSETS where that is set and has it, else from our build. Where
# that cannot be made, etcd is the distribution's.
program() {
    local name=$1 dir
    if [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$name ]]; then
        printf '%s\n' "$KUBEBUILDER_ASSETS/$name"
    elif dir=$(part controlplane); then
        printf '%s\n' "$dir/$name"
    elif [[ $name == etcd ]]; then
        command -v etcd || printf '%s/usr/bin/etcd\n' "$(part etcd)"
    else
        return 1
    fi
}

# kubectl of the control plane's own version, the same on every machine. CONNECT_KUBECTL names another to try instead.
kubectl_path() {
    if [[ -n ${CONNECT_KUBECTL:-} ]]; then
        printf '%s\n' "$CONNECT_KUBECTL"
    else
        program kubectl
    fi
}

# poll LIMIT COMMAND...: repeats a command until it succeeds; after LIMIT seconds it fails with the command's last words.
poll() {
    local limit=$1 until said
    shift
    until=$((SECONDS + limit))
    while ! said=$("$@" 2>&1); do
        if ((SECONDS >= until)); then
            printf 'not within %s s: %s\n%s\n' "$limit" "$*" "$said" >&2
            return 1
        fi
        sleep 0.1
    done
}

# A process is known by its id and the time it started, so that an id used anew is never taken for it. One that has ended
# and only waits to be collected by whoever adopted it counts as gone.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) } # the name before it may hold blanks
    [[ $stat != Z* ]] || return 1
    cut -d' ' -f20 <<<"$stat"
}

# start DIR NAME COMMAND...: runs a command in the background, on its own, with its output in DIR/NAME.log and a line about
# it in DIR/processes.
start() {
    local dir=$1 name=$2 pid
    shift 2
    setsid "$@" </dev/null >>"$dir/$name.log" 2>&1 &
    pid=$!
    printf '%s %s %s\n' "$name" "$pid" "$(started_at "$pid")" >>"$dir/processes"
}

running() { [[ $(started_at "$1") == "$2" ]]; }

gone() { ! running "$1" "$2"; }

# alive DIR NAME: whether the process started last under that name still runs.
alive() {
    local name pid since last_pid='' last_since=''
    while read -r name pid since; do
        if [[ $name == "$2" ]]; then
            last_pid=$pid last_since=$since
        fi
    done <"$1/processes"
    [[ -n $last_pid ]] && running "$last_pid" "$last_since"
}

# stop DIR [NAME]: ends the processes of a folder, or those of one name, the last started first.
stop() {
    local dir=$1 wanted=${2:-} name pid since
    [[ -e $dir/processes ]] || return 0
    while read -r name pid since; do
        if [[ -z $wanted || $name == "$wanted" ]] && running "$pid" "$since"; then
            end "$pid" "$since"
        fi
    done < <(tac "$dir/processes")
}

end() {
    local pid=$1 since=$2
    kill "$pid" 2>/dev/null || return 0
    poll 10 gone "$pid" "$since" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
}

# built NAME: a program of this workspace, as the tests have built it. With the whole workspace and its examples cargo chooses
# the same features of every crate as for them, so nothing is compiled a second time.
built() {
    (cd "$REAL/../.." && cargo build --locked --workspace --bins --examples --message-format json) |
        sed -n 's/.*"executable":"\([^"]*\/'"$1"'\)".*/\1/p' | tail -n 1
}
