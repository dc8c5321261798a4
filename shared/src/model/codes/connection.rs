//! Errors while a connection is created, checked or changed: KC46xx, KC5xxx and KC6xxx.

use super::code::{Code, code};
use crate::model::problem::Kind::{Failed, Interrupted, NotFound, TimedOut, Usage};

#[rustfmt::skip]
pub(super) static CODES: &[Code] = &[
    // Steps.
    code("KC4601", Failed, "the cluster shows no OIDC issuer, which federated credentials need", "run the same command again in a minute"),
    code("KC4602", Failed, "a federated credential trusts this service account for an audience that Entra does not accept",
        "az identity federated-credential update --audiences api://AzureADTokenExchange"),
    code("KC4603", Failed, "Azure shows the identity without its object id, which the role assignment needs", "run the same command again in a minute"),
    code("KC4604", Failed, "Azure shows the identity without its object id, which the access policy needs", "run the same command again in a minute"),
    code("KC4605", Failed, "the cluster was updated but shows no issuer yet", "run the same command again in a minute"),
    code("KC4606", TimedOut, "an earlier update of the cluster has not ended within --timeout", "run the same command again later"),
    code("KC4607", Failed, "the update of the cluster would change more than requested, so it was not sent",
        "az aks update --enable-oidc-issuer --enable-workload-identity, then run the same command again"),
    code("KC4608", TimedOut, "the Key Vault add-on is on but has not installed the kind SecretProviderClass",
        "kubectl get pods -n kube-system -l 'app in (secrets-store-csi-driver, secrets-store-provider-azure)'"),
    code("KC4609", Failed, "Azure shows the identity without its object id, which the cache's access policy needs", "run the same command again in a minute"),
    code("KC4610", Failed, "Azure shows the identity without its object id, which the Cosmos DB role needs", "run the same command again in a minute"),

    // Checks of `verify` and `doctor` that are not findings: the proof, and checks that can be skipped.
    code("KC5001", Failed, "proof, first part: the API server issues a token of the service account",
        "if it fails: you need the permission to create serviceaccounts/token in the namespace"),
    code("KC5002", Failed, "proof, second part: Entra exchanges that token for a token of the identity",
        "if it fails: the check's own text names the number of Entra's error; `kubectl connect doctor AADSTSNUMBER` explains it"),
    code("KC5003", Failed, "proof, third part: the service accepts that token for a read, or the grant exists where no read is possible",
        "if it fails: `kubectl connect verify NAME --wait` allows for roles that have not taken effect yet"),
    code("KC5004", Failed, "proof with keys, first part: the Secret has every variable", "if it fails: kubectl connect repair NAME"),
    code("KC5005", Failed, "proof with keys, second part: the Secret has the current keys of the target", "if it fails: kubectl connect refresh NAME"),
    code("KC5101", Failed, "the cluster's OIDC issuer and workload identity are on", "skipped where the cluster can't be read in Azure"),
    code("KC5102", Failed, "the issuer's documents can be read by Entra", "if it fails: finding KC5112"),
    code("KC5103", Failed, "the workload identity webhook is registered and ready", "skipped where you may not list webhook configurations"),

    // Records, and changes of connections.
    code("KC6001", Failed, "another run is changing the same connection",
        "wait until it has ended; the lock of a run that was killed expires within a minute"),
    code("KC6002", Failed, "the record of a connection can't be read: it was edited, or written by a newer version",
        "read it: kubectl get configmap kubectl-connect.NAME -o yaml"),
    code("KC6003", Failed, "the record can't be written", "run the same command again; -v=4 shows the reason"),
    code("KC6004", Failed, "someone else changed the connection at the same time",
        "run the same command again: it plans from the present state"),
    code("KC6005", Failed, "the record names a kind of workload that the program does not know", "use the version that wrote the record"),
    code("KC6006", Failed, "the connection's deletion is not finished", "finish it first: kubectl connect delete NAME"),
    code("KC6007", Failed, "a step was not examined before it was to be carried out: an error of the program", "report it with the command and its output at -v=4"),
    code("KC6008", Interrupted, "the run was interrupted by Ctrl-C", "run the same command again to continue, or `kubectl connect delete NAME` to undo"),
    code("KC6009", Failed, "the connection is not complete: an earlier run was cut off", "kubectl connect repair NAME"),
    code("KC6010", Failed, "the record names a service that the program does not know", "use the version that wrote the record"),
    code("KC6011", TimedOut, "the connection did not reach the awaited state within --timeout", "kubectl connect tree NAME shows what is missing; allow more time with --timeout"),
    code("KC6012", Failed, "the connection was created but does not work: a check failed, so --atomic deleted it", "read the failed check above the error"),
    code("KC6013", Usage, "the connection contains a secret that you gave, so it can't be fetched again",
        "run the command that created the connection again, with --secret-stdin or --secret-file"),
    code("KC6014", Failed, "the connection's Secret lacks a variable: it was changed or deleted", "kubectl connect repair NAME"),
    code("KC6015", Failed, "a part of the set-up to adopt is missing or wrong",
        "kubectl connect doctor WORKLOAD shows what is wrong"),
    code("KC6016", NotFound, "the Secret of an adopted connection is missing or lacks a variable, and this tool does not write it",
        "have its creator write it again, or delete the connection and connect again"),
    code("KC6017", Failed, "the service account of an adopted connection no longer names an identity",
        "kubectl annotate serviceaccount NAME azure.workload.identity/client-id=CLIENT-ID"),
    code("KC6018", Failed, "the workload of an adopted connection lost its label or its service account",
        "apply the patch that the message gives"),
    code("KC6019", Failed, "the Secret of an adopted connection has an outdated key, and this tool does not write it",
        "have its creator write it again, or let this tool manage the connection: connect again with its --name"),
];
