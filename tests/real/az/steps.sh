# shellcheck shell=bash
# Common functions of the scripts in this folder. They run inside a sandbox, with the real az and kubectl on PATH.

GROUP=rg-shop CLUSTER=${CONNECT_CLUSTER:-aks-shop} NAMESPACE=shop WORKLOAD=web
# shellcheck disable=SC2034 # for the scripts
DATA_GROUP=rg-data
AUDIENCE=api://AzureADTokenExchange

# step COMMAND...: runs one command of a how-to and reports its duration; its output is that of the command.
step() {
    local began=${EPOCHREALTIME/./} status=0
    "$@" || status=$?
    printf '%6d ms  %s\n' "$(((${EPOCHREALTIME/./} - began) / 1000))" "${*%%$'\n'*}" >&2
    return "$status"
}

# want NAME GOT WANTED: one line of the report, `ok` or `FAILED`.
want() {
    if [[ $2 == "$3" ]]; then
        printf 'ok      %s\n' "$1"
    else
        printf 'FAILED  %s: got %q, wanted %q\n' "$1" "$2" "$3"
    fi >>"$REPORT"
}

sign_in_as_service_principal() {
    step az login --service-principal --username 33333333-aaaa-4bbb-8ccc-000000000002 --password planted-client-secret \
        --tenant 11111111-aaaa-4bbb-8ccc-000000000001 --output none
}

sign_in_with_device_code() { step az login --use-device-code --output none; }

# manual ROLE SCOPE: the common part of both how-tos, as a user would type it: cluster, identity, role, service
# account, federated credential, pod template.
manual() {
    local role=$1 scope=$2 issuer client principal
    # The other cluster already has both; the benchmark uses it.
    if [[ $CLUSTER == aks-shop ]]; then
        step az aks update --resource-group "$GROUP" --name "$CLUSTER" --enable-oidc-issuer --enable-workload-identity --output none
    fi
    issuer=$(step az aks show --resource-group "$GROUP" --name "$CLUSTER" --query oidcIssuerProfile.issuerUrl --output tsv)

    step az identity create --resource-group "$GROUP" --name shop-web-by-hand --output none
    client=$(step az identity show --resource-group "$GROUP" --name shop-web-by-hand --query clientId --output tsv)
    principal=$(step az identity show --resource-group "$GROUP" --name shop-web-by-hand --query principalId --output tsv)

    step az role assignment create --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
        --role "$role" --scope "$scope" --output none

    # The stand-in for the API server has no schemas for validation.
    step kubectl apply --validate=false -f - <<END
apiVersion: v1
kind: ServiceAccount
metadata:
  name: by-hand
  namespace: $NAMESPACE
END
    step kubectl annotate serviceaccount by-hand --namespace "$NAMESPACE" "azure.workload.identity/client-id=$client"

    step az identity federated-credential create --resource-group "$GROUP" --identity-name shop-web-by-hand --name shop-web \
        --issuer "$issuer" --subject "system:serviceaccount:$NAMESPACE:by-hand" --audiences "$AUDIENCE" --output none

    step kubectl patch deployment "$WORKLOAD" --namespace "$NAMESPACE" --patch '
spec:
  template:
    metadata:
      labels:
        azure.workload.identity/use: "true"
    spec:
      serviceAccountName: by-hand
'
    step kubectl rollout status deployment "$WORKLOAD" --namespace "$NAMESPACE" --timeout 60s
}
