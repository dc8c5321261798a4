# shellcheck shell=bash
# Simulates a user at the terminal with tmux: pickers, questions, Ctrl-C. Sourced by tests/real/run after checks.sh.

CHECKS+=(
    "interactive: what is missing is picked, the whole command is shown, and it is done|tmux|check_interactive_picker"
    "interactive: a connection is picked to verify, and typed to delete|tmux|check_interactive_connection"
    "interactive: Ctrl-C in a picker ends with 130 and nothing done|tmux|check_interactive_leaves_picker"
    "interactive: Ctrl-C at a question ends with 130 and nothing done|tmux|check_interactive_leaves_question"
    "interactive: no colour where none is wanted, and no question with --no-input|tmux|check_interactive_switches"
)

get_tmux() {
    if [[ -z $(type -P tmux) && $(id -u) == 0 ]]; then
        (apt-get update -qq && apt-get install --yes -qq --no-install-recommends tmux) >"$SCRATCH/tmux.log" 2>&1 || true
    fi
    if [[ -n $(type -P tmux) ]]; then
        have tmux "$(tmux -V)"
    else
        lack tmux 'no tmux, and apt brings none'
    fi
}

# A separate tmux server, without the user's configuration.
PEOPLE=0
screen() { tmux -f /dev/null -S "$SCRATCH/tmux" "$@"; }

# person STATE COMMAND...: starts the product in a sandbox in a separate terminal; its last line is the exit code.
person() {
    local state=$1 words
    shift
    printf -v words '%q ' "$(program_of sandbox)" --state "$SCRATCH/$state.state" --context aks-ready "$@"
    # Each has a session, and all sessions exist until the end: a tmux server that has lost its last session would
    # refuse the next one.
    PERSON=$BASHPID-$((++PEOPLE))
    screen new-session -d -s "$PERSON" -x 160 -y 60 "unset NO_COLOR CI KUBECTL_CONNECT_NO_INPUT; TERM=xterm-256color $words; echo \"ended with \$?\"; exec sleep 600"
}

shown() { screen capture-pane -t "$PERSON" -p; }

on_screen() { [[ $(shown) == *"$1"* ]] || { shown && return 1; }; }

off_screen() { [[ $(shown) != *"$1"* ]] || { shown && return 1; }; }

shows() { poll 60 on_screen "$1"; }

types() { screen send-keys -t "$PERSON" -l -- "$1"; }

press() { screen send-keys -t "$PERSON" "$1"; }

# unchanged STATE: checks that the sandbox had the same state before and after.
unchanged() {
    python3 - "$SCRATCH/$1.state" <<'END'
import json, sys
both = json.load(open(sys.argv[1]))
sys.exit(both["before"] != both["after"] and "something was changed")
END
}

check_interactive_picker() {
    person picked kubectl-connect keyvault
    shows 'Which vault?'
    shows 'policy-vault'
    types my-v
    poll 20 off_screen policy-vault
    press Enter
    shows 'Namespace default has no workload. Which namespace?'
    on_screen shop
    press Enter
    shows 'Which workload?'
    types web
    poll 20 off_screen statefulset/db
    press Enter
    shows '→ kubectl connect keyvault my-vault -n shop --workload deployment/web'
    shows 'Apply? [y/N]'
    types y
    press Enter
    shows 'Connected deployment/web to my-vault as keyvault-my-vault.'
    shows 'ended with 0'
}

check_interactive_connection() {
    local kubectl_connect=kubectl-connect
    person connection sh -c "$kubectl_connect keyvault my-vault -n shop --workload deployment/web --yes -q >/dev/null && clear && \
        $kubectl_connect verify && clear && $kubectl_connect delete -n shop"
    shows 'Which connection?'
    on_screen 'keyvault-my-vault  keyvault my-vault, Ready, in shop'
    press Enter
    # The command verifies, and objects are deleted only after success.
    poll 60 off_screen ', in shop'
    shows 'Which connection?'
    press Enter
    shows '→ kubectl connect delete -n shop keyvault-my-vault'
    shows 'Type keyvault-my-vault to delete:'
    types keyvault-my-vault
    press Enter
    shows 'Deleted connection keyvault-my-vault.'
    shows 'ended with 0'
}

check_interactive_leaves_picker() {
    person left-picker kubectl-connect keyvault -n shop
    shows 'Which vault?'
    press C-c
    shows 'interrupted: nothing was changed'
    shows 'ended with 130'
    equal "$(screen display-message -t "$PERSON" -p '#{cursor_flag}')" 1
    unchanged left-picker
    # Esc leaves a question too.
    person left-picker kubectl-connect
    shows 'What do you want to do, or connect to?'
    press Escape
    shows 'no answer: nothing was changed'
    shows 'ended with 130'
}

check_interactive_leaves_question() {
    local line='kubectl-connect keyvault my-vault -n shop --workload deployment/web'
    # shellcheck disable=SC2086 # the words of a command
    person left-question $line
    shows 'Apply? [y/N]'
    press C-c
    shows 'interrupted: nothing was changed'
    shows 'ended with 130'
    unchanged left-question
    # shellcheck disable=SC2086 # the words of a command
    person said-no $line
    shows 'Apply? [y/N]'
    types n
    press Enter
    shows 'not confirmed: nothing was changed'
    shows 'ended with 2'
    unchanged said-no
}

check_interactive_switches() {
    person plain env NO_COLOR=1 kubectl-connect show
    # There is nothing to choose from, and nothing to show.
    shows 'No connections in namespace default.'
    shows 'ended with 0'
    person plain env NO_COLOR=1 kubectl-connect keyvault
    shows 'Which vault?'
    [[ $(screen capture-pane -t "$PERSON" -p -e) != *$'\e['* ]] || fail 'there is colour'
    press C-c
    shows 'ended with 130'
    person plain kubectl-connect keyvault --no-input
    shows 'needs the name of the vault'
    shows 'ended with 2'
    off_screen 'Which vault?'
}
