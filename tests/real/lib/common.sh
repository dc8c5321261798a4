# shellcheck shell=bash
# Common functions of all scripts in tests/real: paths, ending with an error, reading values from JSON.

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

# Prints the folder of a part, after building it if needed. A part is built in a separate process, so that its first
# failing command ends the build: within a condition, `set -e` has no effect.
part() { "$REAL/part" "$1"; }

tools() { "$(part tools)/tools" "$@"; }

# Prints the path of the control plane's program NAME: from KUBEBUILDER_ASSETS if that has it, else from a build. If
# etcd can't be built, the distribution's etcd is used.
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

# kubectl of the control plane's version, the same on every machine. CONNECT_KUBECTL names another one.
kubectl_path() {
    if [[ -n ${CONNECT_KUBECTL:-} ]]; then
        printf '%s\n' "$CONNECT_KUBECTL"
    else
        program kubectl
    fi
}

# poll LIMIT COMMAND...: repeats a command until it succeeds; fails after LIMIT seconds with the command's last
# output.
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

# A process is identified by its id and start time, so that a reused id is not taken for it. An ended process that its
# parent has not collected yet counts as gone.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) } # the name before it may hold blanks
    [[ $stat != Z* ]] || return 1
    cut -d' ' -f20 <<<"$stat"
}

# start DIR NAME COMMAND...: runs a command in the background, with its output in DIR/NAME.log and a line about it in
# DIR/processes.
start() {
    local dir=$1 name=$2 pid
    shift 2
    setsid "$@" </dev/null >>"$dir/$name.log" 2>&1 &
    pid=$!
    printf '%s %s %s\n' "$name" "$pid" "$(started_at "$pid")" >>"$dir/processes"
}

running() { [[ $(started_at "$1") == "$2" ]]; }

gone() { ! running "$1" "$2"; }

# alive DIR NAME: whether the process last started with that name is running.
alive() {
    local name pid since last_pid='' last_since=''
    while read -r name pid since; do
        if [[ $name == "$2" ]]; then
            last_pid=$pid last_since=$since
        fi
    done <"$1/processes"
    [[ -n $last_pid ]] && running "$last_pid" "$last_since"
}

# stop DIR [NAME]: ends the processes of a folder, or those with one name; the last started first.
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

# built NAME: prints the path of a program of this workspace as built for the tests. Building the whole workspace with
# its examples selects the same features of every crate, so nothing is compiled twice.
built() {
    (cd "$REAL/../.." && cargo build --locked --workspace --bins --examples --message-format json) |
        sed -n 's/.*"executable":"\([^"]*\/'"$1"'\)".*/\1/p' | tail -n 1
}
