# shellcheck shell=bash
# The checks of tests/real/run. Each is a function that runs in its own shell and ends at its first failing command.
# It has its own namespace and leaves the webhook as it found it, so that checks don't affect each other.
#
# They use DIR, SERVER, CA, TOKEN, USER_TOKEN, ISSUER and SECONDS_TO_READY of the control plane.

# name | needs | function
CHECKS=(
    "versions: the locked modules are the versions that versions.env names||check_versions"
    "control plane: ready in less than 30 s|controlplane|check_ready"
    "control plane: says the version that it was built from|controlplane|check_server_version"
    "control plane: rights of the two users and of nobody|controlplane|check_rights"
    "control plane: rollouts and jobs finish without a kubelet|controlplane|check_rollouts"
    "control plane: a namespace goes when it is deleted|controlplane|check_namespace_goes"
    "control plane: takes a SecretProviderClass|controlplane reference|check_secret_provider_class"
    "issuer: discovery names the issuer byte for byte, to anyone|controlplane|check_discovery"
    "token: claims and signature stand up to an identity provider's check|controlplane|check_token"
    "token: another's, a forged one and one for another audience do not|controlplane|check_token_refused"
    "token: a life of less than 10 minutes is refused|controlplane|check_token_life"
    "apply: service account with its twin goes on, and comes off without a trace|controlplane|check_service_account_undone"
    "apply: service account without its twin stays behind|controlplane|check_service_account_left"
    "apply: another manager's field is a conflict that names him|controlplane|check_conflict"
    "webhook: mutates the pods of a patched workload|controlplane webhook|check_webhook_mutates"
    "webhook: leaves an unlabelled pod alone|controlplane webhook|check_webhook_leaves_alone"
    "webhook: answers as it was recorded|controlplane webhook reference|check_webhook_recorded"
    "webhook: down, it stops the rollout in known words|controlplane webhook|check_webhook_down"
    "krew: validates a manifest, and refuses a broken one|krew|check_krew_validates"
    "krew: installs a plugin offline, kubectl runs it|controlplane krew|check_krew_installs"
    "release: the workflow is one that the linter passes, and it sees a broken one|actionlint|check_workflow"
    "az: is the version that was asked for|az|check_az_version"
    "az: knows the commands of the public how-tos|az|check_az_commands"
    "product: the tests of connecting, on real API servers|controlplane|connect_on_real_control_plane"
    "hook: our plugin installs from its own package|controlplane krew|hook_krew_package"
    "hook: manual az scripts end where our command does|az|hook_az_scripts"
)

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

equal() { [[ $1 == "$2" ]] || fail "got '$1', wanted '$2'"; }

contains() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }

k() { "$KUBECTL" --kubeconfig "$DIR/admin.kubeconfig" "$@"; }

# api WHO METHOD PATH [STATUS]: sends one request without a body. WHO is a token; empty for an anonymous request.
api() { tools request --server "$SERVER" --ca "$CA" --token "$1" --expect "${4:-0}" "$2" "$3"; }

# send TYPE METHOD PATH [STATUS]: sends one request with stdin as its body.
send() { tools request --server "$SERVER" --ca "$CA" --token "$TOKEN" --type "$1" --expect "${4:-0}" "$2" "$3"; }

namespace() {
    local name
    name=check-$(tools secret | cut -c 1-8)
    k create namespace "$name" >&2
    k wait --for create serviceaccount/default --namespace "$name" --timeout 20s >&2
    printf '%s\n' "$name"
}

# A workload as a user creates it, with a separate field manager.
user_deployment() {
    send application/json POST "/apis/apps/v1/namespaces/$1/deployments?fieldManager=user" <<'END' >/dev/null
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
 "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
  "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}}}
END
}

# partial_apply NAMESPACE [STATUS]: changes a workload as the product does: applies the fields on stdin as a second
# manager.
partial_apply() {
    send application/apply-patch+yaml PATCH \
        "/apis/apps/v1/namespaces/$1/deployments/web?fieldManager=kubectl-connect%2Fcheck" "${2:-0}"
}

connect_deployment() {
    partial_apply "$1" <<'END' >/dev/null
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
 "spec": {"template": {"metadata": {"labels": {"azure.workload.identity/use": "true"}},
  "spec": {"serviceAccountName": "web", "serviceAccount": "web",
   "containers": [{"name": "app", "env": [{"name": "A", "value": "1"}]}]}}}}
END
}

let_go() {
    partial_apply "$1" <<<'{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}' >/dev/null
}

template() { k get deployment web --namespace "$1" -o json | tools field spec template; }

check_versions() {
    grep -qxF "	k8s.io/kubernetes $KUBERNETES_VERSION" "$REAL/controlplane/go.mod"
    grep -qxF "	go.etcd.io/etcd/server/v3 $ETCD_VERSION" "$REAL/controlplane/go.mod"
    grep -qxF "require github.com/Azure/azure-workload-identity $WEBHOOK_VERSION" "$REAL/webhook/go.mod"
    grep -qxF "require sigs.k8s.io/krew $KREW_VERSION" "$REAL/krew/go.mod"
    grep -qxF "require github.com/rhysd/actionlint $ACTIONLINT_VERSION" "$REAL/actionlint/go.mod"
    grep -qxF "azure-cli==$AZURE_CLI_VERSION" "$REAL/az/requirements.txt"
}

check_ready() { ((SECONDS_TO_READY < 30)) || fail "took $SECONDS_TO_READY s"; }

check_server_version() {
    [[ -n ${KUBEBUILDER_ASSETS:-} ]] || equal "$(api '' GET /version | tools field gitVersion)" "$KUBERNETES_VERSION"
}

check_rights() {
    local said
    api "$TOKEN" GET /api/v1/namespaces 200 >/dev/null
    said=$(api "$USER_TOKEN" GET /api/v1/namespaces 403)
    contains "$said" 'User \"nobody@contoso.com\" cannot list resource \"namespaces\"'
    said=$(api '' GET /api/v1/namespaces 403)
    contains "$said" 'User \"system:anonymous\" cannot list resource \"namespaces\"'
    api 'no-such-token' GET /api/v1/namespaces 401 >/dev/null
}

check_rollouts() {
    local ns
    ns=$(namespace)
    k create deployment web --image app:1 --replicas 2 --namespace "$ns"
    k rollout status deployment/web --namespace "$ns" --timeout 30s
    k create job once --image app:1 --namespace "$ns"
    k wait --for condition=Complete job/once --namespace "$ns" --timeout 30s
}

check_namespace_goes() {
    local ns
    ns=$(namespace)
    k create configmap some --namespace "$ns"
    k delete namespace "$ns" --timeout 30s
}

check_secret_provider_class() {
    local ns
    ns=$(namespace)
    k apply --server-side --namespace "$ns" -f - <<'END'
{"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass", "metadata": {"name": "vault"},
 "spec": {"provider": "azure", "parameters": {"keyvaultName": "shop-kv"}}}
END
    equal "$(k get secretproviderclass vault --namespace "$ns" -o jsonpath='{.spec.parameters.keyvaultName}')" shop-kv
}

check_discovery() {
    local document
    document=$(api '' GET /.well-known/openid-configuration 200)
    equal "$(tools field issuer <<<"$document")" "$ISSUER"
    equal "$(tools field jwks_uri <<<"$document")" "${ISSUER}openid/v1/jwks"
    equal "$(tools field id_token_signing_alg_values_supported <<<"$document")" '["RS256"]'
}

# exchangeable NAMESPACE: checks that an identity provider would exchange the token on stdin for service account web.
exchangeable() {
    tools verify-token --server "$SERVER" --ca "$CA" --issuer "$ISSUER" \
        --audience api://AzureADTokenExchange --subject "system:serviceaccount:$1:web"
}

check_token() {
    local ns token claims
    ns=$(namespace)
    k create serviceaccount web --namespace "$ns"
    token=$(k create token web --audience api://AzureADTokenExchange --namespace "$ns")
    claims=$(exchangeable "$ns" <<<"$token")
    equal "$(tools field kubernetes.io serviceaccount name <<<"$claims")" web
    equal "$(tools field kubernetes.io namespace <<<"$claims")" "$ns"
    equal "$(($(tools field exp <<<"$claims") - $(tools field iat <<<"$claims")))" 3600
}

check_token_refused() {
    local ns token other said
    ns=$(namespace)
    k create serviceaccount web --namespace "$ns"
    token=$(k create token web --audience api://AzureADTokenExchange --namespace "$ns")
    other=$(k create token default --audience api://AzureADTokenExchange --namespace "$ns")
    if said=$(exchangeable "$ns" <<<"$other" 2>&1); then
        fail "another account's: $said"
    fi
    contains "$said" 'sub is'
    if said=$(exchangeable "$ns" <<<"${token%.*}.${other##*.}" 2>&1); then
        fail "another token's signature: $said"
    fi
    contains "$said" 'verification error'
    token=$(k create token web --namespace "$ns")
    if said=$(exchangeable "$ns" <<<"$token" 2>&1); then
        fail "the server's own audience: $said"
    fi
    contains "$said" 'aud is'
}

check_token_life() {
    local ns said
    ns=$(namespace)
    if said=$(k create token default --duration 5m --namespace "$ns" 2>&1); then
        fail "granted: $said"
    fi
    contains "$said" 'may not specify a duration less than 10 minutes'
}

check_service_account_undone() {
    local ns before with
    ns=$(namespace)
    user_deployment "$ns"
    before=$(template "$ns")
    connect_deployment "$ns"
    with=$(template "$ns")
    equal "$(tools field spec serviceAccountName <<<"$with")" web
    equal "$(tools field metadata labels azure.workload.identity/use <<<"$with")" true
    let_go "$ns"
    equal "$(template "$ns")" "$before"
}

check_service_account_left() {
    local ns left
    ns=$(namespace)
    user_deployment "$ns"
    partial_apply "$ns" <<'END' >/dev/null
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
 "spec": {"template": {"spec": {"serviceAccountName": "web"}}}}
END
    let_go "$ns"
    left=$(template "$ns")
    equal "$(tools field spec serviceAccountName <<<"$left")" web
}

check_conflict() {
    local ns said
    ns=$(namespace)
    user_deployment "$ns"
    said=$(partial_apply "$ns" 409 <<'END'
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
 "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}}}
END
    )
    equal "$(tools field details causes 0 reason <<<"$said")" FieldManagerConflict
    contains "$(tools field details causes 0 message <<<"$said")" '"user"'
}

# A namespace with a connected workload and its service account.
connected() {
    local ns
    ns=$(namespace)
    k create serviceaccount web --namespace "$ns" >&2
    k annotate serviceaccount web azure.workload.identity/client-id=11111111-2222-3333-4444-555555555555 \
        --namespace "$ns" >&2
    user_deployment "$ns"
    connect_deployment "$ns"
    printf '%s\n' "$ns"
}

pod_env() { k get pods --namespace "$1" -l app=web -o jsonpath='{.items[*].spec.containers[0].env[*].name}'; }

with_webhook() {
    trap '"$REAL/webhook-down" --unregister "$DIR"' EXIT
    "$REAL/webhook-up" "$DIR"
}

# The rollout's old pod is deleted when the new one is ready.
mutated() { [[ " $(pod_env "$1") " == ' A AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST ' ]]; }

check_webhook_mutates() {
    local ns pod
    with_webhook
    ns=$(connected)
    k rollout status deployment/web --namespace "$ns" --timeout 30s
    poll 20 mutated "$ns"
    pod=$(k get pods --namespace "$ns" -l app=web -o json | tools field items 0)
    contains "$pod" '"value":"11111111-2222-3333-4444-555555555555"'
    contains "$pod" '"audience":"api://AzureADTokenExchange"'
}

check_webhook_leaves_alone() {
    local ns
    with_webhook
    ns=$(namespace)
    user_deployment "$ns"
    k rollout status deployment/web --namespace "$ns" --timeout 30s
    equal "$(pod_env "$ns")" ''
}

check_webhook_recorded() {
    with_webhook
    k create namespace shop
    k wait --for create serviceaccount/default --namespace shop --timeout 20s
    k create serviceaccount web-sa --namespace shop
    k annotate serviceaccount web-sa azure.workload.identity/client-id=11111111-2222-3333-4444-555555555555 --namespace shop
    k annotate serviceaccount default azure.workload.identity/tenant-id= --namespace shop
    # The webhook reads service accounts from a cache, which may be slightly outdated.
    poll 10 python3 "$REAL/lib/recorded_mutations.py" https://127.0.0.1:9443/mutate-v1-pod "$DIR/webhook/ca.crt" \
        "$CONNECT_REFERENCE_DATA/webhook-mutations/wi-webhook-$WEBHOOK_VERSION.json"
    k delete namespace shop --timeout 30s
}

refused() {
    SAID=$(k get events --namespace "$1" --field-selector reason=FailedCreate \
        -o jsonpath='{range .items[*]}{.involvedObject.kind} {.message}{"\n"}{end}')
    [[ -n $SAID ]]
}

check_webhook_down() {
    local ns
    with_webhook
    "$REAL/webhook-down" "$DIR"
    ns=$(connected)
    poll_refused "$ns"
    contains "$SAID" 'ReplicaSet Error creating: Internal error occurred: failed calling webhook'
    contains "$SAID" 'failed calling webhook "mutation.azure-workload-identity.io"'
    contains "$SAID" 'connection refused'
    "$REAL/webhook-up" "$DIR"
    k rollout status deployment/web --namespace "$ns" --timeout 60s
}

poll_refused() {
    local until=$((SECONDS + 20))
    until refused "$1"; do
        ((SECONDS < until)) || fail 'no FailedCreate event within 20 s'
        sleep 0.1
    done
}

# krew_manifest FILE VERSION SHA256: writes a manifest for a plugin that is a script and so runs on any machine.
krew_manifest() {
    cat >"$1" <<END
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata: {name: connectcheck}
spec:
  version: $2
  homepage: https://example.com/connectcheck
  shortDescription: Say a word
  description: Says a word.
  platforms:
  - selector: {matchExpressions: [{key: os, operator: In, values: [linux, darwin]}]}
    uri: https://example.com/connectcheck.tar.gz
    sha256: "$3"
    bin: kubectl-connectcheck
END
}

check_krew_validates() {
    local dir said
    dir=$(mktemp -d "$SCRATCH/krew.XXXXXX")
    krew_manifest "$dir/connectcheck.yaml" v0.1.0 "$(sha256sum </dev/null | cut -c 1-64)"
    "$KREW/validate-krew-manifest" -manifest "$dir/connectcheck.yaml" -skip-install
    krew_manifest "$dir/connectcheck.yaml" 0.1.0 "$(sha256sum </dev/null | cut -c 1-64)"
    if said=$("$KREW/validate-krew-manifest" -manifest "$dir/connectcheck.yaml" -skip-install 2>&1); then
        fail "took a version without its v: $said"
    fi
}

check_krew_installs() {
    local dir
    dir=$(mktemp -d "$SCRATCH/krew.XXXXXX")
    printf '#!/bin/sh\necho "connected $*"\n' >"$dir/kubectl-connectcheck"
    chmod 755 "$dir/kubectl-connectcheck"
    touch "$dir/LICENSE"
    tar -czf "$dir/connectcheck.tar.gz" -C "$dir" kubectl-connectcheck LICENSE
    krew_manifest "$dir/connectcheck.yaml" v0.1.0 "$(sha256sum "$dir/connectcheck.tar.gz" | cut -c 1-64)"
    krew_install "$dir" "$dir/connectcheck.yaml" "$dir/connectcheck.tar.gz"
    equal "$(PATH="$dir/root/bin:$PATH" "$KUBECTL" connectcheck keyvault my-vault)" 'connected keyvault my-vault'
}

# krew_install DIR MANIFEST ARCHIVE: installs a plugin offline into DIR/root; its bin folder then contains the plugin.
krew_install() { KREW_ROOT=$1/root "$KREW/krew" install --manifest "$2" --archive "$3"; }

az() { AZURE_CONFIG_DIR=$SCRATCH/azure AZURE_CORE_COLLECT_TELEMETRY=no "$AZ/az" "$@"; }

check_az_version() { equal "$(az version | tools field azure-cli)" "$AZURE_CLI_VERSION"; }

check_az_commands() {
    local command
    for command in 'aks show' 'identity federated-credential create' 'role assignment create' 'keyvault secret set'; do
        # shellcheck disable=SC2086 # the words of a command
        contains "$(az $command --help)" "az $command"
    done
}

# ---- checks of the product's own sources

# Runs every test of tests/connect again on real API servers with the clusters' issuers, with the snapshots of the
# stand-in. Each case empties a pair of clusters and plants its objects, so there are as many concurrent cases as
# pairs. A pair takes two thirds of a GiB of memory and mostly waits.
PAIRS=3
connect_on_real_control_plane() {
    local issuers=https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc
    local at server starting=() pairs=() status=0 dir
    dir=$(mktemp -d "$SCRATCH/pairs.XXXXXX")
    for ((at = 0; at < PAIRS; at++)); do
        "$REAL/up" --crds '' --issuer "$issuers-000000000001/" >"$dir/$at.shop" &
        starting+=($!)
        "$REAL/up" --crds '' --issuer "$issuers-000000000002/" >"$dir/$at.ready" &
        starting+=($!)
    done
    for server in "${starting[@]}"; do
        wait "$server" || status=$?
    done
    for ((at = 0; at < PAIRS; at++)); do
        pairs+=("{\"aks-shop\": $(cat "$dir/$at.shop"), \"aks-ready\": $(cat "$dir/$at.ready")}")
    done
    if ((status == 0)); then
        (
            cd "$REAL/../.."
            CONNECT_REAL_KUBE="[$(IFS=, && echo "${pairs[*]}")]" UPDATE= \
                cargo test --locked -p sandbox --test connect -- --test-threads="$PAIRS"
        ) || status=$?
    fi
    for server in "$dir"/*; do
        [[ ! -s $server ]] || "$REAL/down" "$(tools field dir <"$server")"
    done
    return "$status"
}

# The shell scripts too, if shellcheck is installed.
check_workflow() {
    local workflow=$REAL/../../.github/workflows/release.yml said
    "$ACTIONLINT" -no-color "$workflow"
    if said=$(sed 's/matrix\.target/matrix.targt/' "$workflow" | "$ACTIONLINT" -no-color - 2>&1); then
        fail 'a misspelt name was passed'
    fi
    contains "$said" 'targt'
}

# The product's package, built by krew/release for this machine; CONNECT_KREW_MANIFEST and CONNECT_KREW_ARCHIVE name
# another one.
hook_krew_package() {
    local dir manifest=${CONNECT_KREW_MANIFEST:-} archive=${CONNECT_KREW_ARCHIVE:-}
    dir=$(mktemp -d "$SCRATCH/krew.XXXXXX")
    if [[ -z $manifest ]]; then
        "$REAL/../../krew/release" --profile dev --out "$dir/dist"
        manifest=$dir/dist/connect.yaml archive=$(echo "$dir"/dist/*.tar.gz)
        "$KREW/validate-krew-manifest" -manifest "$dir/dist/azure-connect.yaml" -skip-install
        krew_install "$dir" "$dir/dist/azure-connect.yaml" "$archive"
        PATH="$dir/root/bin:$PATH" "$KUBECTL" azure-connect version
    fi
    "$KREW/validate-krew-manifest" -manifest "$manifest" -skip-install
    krew_install "$dir" "$manifest" "$archive"
    PATH="$dir/root/bin:$PATH" "$KUBECTL" connect version
    contains "$(PATH="$dir/root/bin:$PATH" "$KUBECTL" connect --help)" 'Usage: kubectl connect'
    # Completion through kubectl's protocol.
    PATH="$dir/root/bin:$PATH" "$KUBECTL" connect completion install
    contains "$(PATH="$dir/root/bin:$PATH" "$KUBECTL" __complete connect keyv)" keyvault
    contains "$(PATH="$dir/root/bin:$PATH" "$KUBECTL" __complete connect keyvault my-vault --access r)" readwrite
    contains "$(PATH="$dir/root/bin:$PATH" KUBECONFIG=$DIR/admin.kubeconfig "$KUBECTL" __complete connect list -n kube-s)" kube-system
}

# Runs the manual scripts of both public how-tos against the sandbox, with the real az first on PATH.
hook_az_scripts() {
    [[ -x $REAL/az-scripts ]] || skip 'not wired in yet: no tests/real/az-scripts'
    PATH="$AZ:$PATH" "$REAL/az-scripts"
}
