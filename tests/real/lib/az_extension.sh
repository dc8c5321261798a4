# shellcheck shell=bash
# The az extension with the real az: its own tests, and its wheel in a sandbox. Sourced by tests/real/run after checks.sh.

CHECKS+=(
    "az-extension: the shim with the real azure-cli-core|az|check_az_extension_shim"
    "az-extension: both wheels are what az takes, and the same when built again|az|check_az_extension_wheels"
    "az-extension: installed offline, every verb, with no kubeconfig|az|check_az_extension_verbs"
    "az-extension: ends where the kubectl form ends|az|check_az_extension_same_end"
    "az-extension: what it costs over az itself|az|check_az_extension_cost"
)

# program_of NAME: prints the path of a copy of a program of this workspace, after building it if needed. Later builds
# don't change the copy.
program_of() {
    local copy=$SCRATCH/$1 program
    if [[ ! -x $copy ]]; then
        program=$(built "$1" 2>"$SCRATCH/cargo.log")
        [[ -x $program ]] || fail "no $1: $(tail -n 5 "$SCRATCH/cargo.log")"
        cp "$program" "$copy"
    fi
    printf '%s\n' "$copy"
}

wheels() {
    local dir=$SCRATCH/wheels
    if [[ ! -d $dir ]]; then
        "$REAL/../../az-connect-ext/build-wheels" --out "$dir" --binary "$(program_of az-connect-ext)" >&2
    fi
    printf '%s\n' "$dir"
}

check_az_extension_shim() {
    "$(program_of az-connect-ext)" __schema >"$SCRATCH/schema.json"
    CONNECT_SCHEMA=$SCRATCH/schema.json "$AZ/python" -B -m unittest discover --start-directory "$REAL/../../az-connect-ext/python/tests"
}

check_az_extension_wheels() {
    local dir thin full
    dir=$(wheels)
    thin=$(echo "$dir"/*-py3-none-any.whl) full=$(echo "$dir"/*linux*.whl)
    python3 "$REAL/az/wheel_rules.py" "$thin" "$full"
    "$REAL/../../az-connect-ext/build-wheels" --out "$SCRATCH/again" --binary "$(program_of az-connect-ext)" >&2
    cmp "$thin" "$SCRATCH/again/${thin##*/}"
    cmp "$full" "$SCRATCH/again/${full##*/}"
}

# in_sandbox NAME COMMAND...: runs a command in a sandbox with the real az; NAME.state has the sandbox's state.
in_sandbox() {
    local name=$1
    shift
    PATH="$AZ:$PATH" WHEEL=$(echo "$(wheels)"/*linux*.whl) "$(program_of sandbox)" --az real --retry-after 1 \
        --state "$SCRATCH/$name.state" -- "$@"
}

check_az_extension_verbs() { in_sandbox verbs "$REAL/az/extension-verbs"; }

check_az_extension_same_end() {
    in_sandbox by-az "$REAL/az/extension-verbs" connect-only
    in_sandbox by-kubectl "$REAL/az/extension-verbs" kubectl-only
    python3 "$REAL/az/same_end.py" "$SCRATCH/by-az.state" "$SCRATCH/by-kubectl.state"
}

# The numbers are printed but not checked, since they depend on the load of the machine.
check_az_extension_cost() { in_sandbox cost "$REAL/az/extension-verbs" cost; }
