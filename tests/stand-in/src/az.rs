//! The stand-in `az`: a small program that forwards its arguments, and the part of the sandbox that answers them.
//!
//! The program finds the sandbox through a file beside the folder from which it was started. So it works whatever
//! environment the product gives to child processes.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cloud::Cloud;
use crate::control::{Entry, Kind};
use crate::entra;
use crate::knobs::AzState;

/// File with the address of the control port, beside the folder with the links.
pub(crate) const ADDRESS_FILE: &str = "control.addr";
const OTHER_TENANT: &str = "99999999-aaaa-4bbb-8ccc-000000000009";

/// Output and exit code of one `az` run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Printed on stdout.
    pub stdout: String,
    /// Printed on stderr.
    pub stderr: String,
    /// Exit code.
    pub code: u8,
}

/// The client side: asks the sandbox to which the link belongs.
///
/// # Errors
/// If there is no sandbox behind the link.
pub fn ask(program: &str, arguments: &[String]) -> anyhow::Result<Answer> {
    let file = address_file(program).context("no sandbox belongs to this az")?;
    let address = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut stream = std::net::TcpStream::connect(address.trim()).context("the sandbox is gone")?;
    stream.write_all(serde_json::to_string(arguments)?.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    serde_json::from_str(&text).context("the sandbox's answer is not understood")
}

/// The link's folder: from the path by which the program was started, or the first folder on PATH with such a link.
fn address_file(program: &str) -> Option<PathBuf> {
    let beside = |folder: &Path| folder.parent().map(|above| above.join(ADDRESS_FILE)).filter(|file| file.is_file());
    if program.contains('/') {
        return beside(Path::new(program).parent()?);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).filter(|folder| folder.join(program).exists()).find_map(|folder| beside(&folder))
}

/// Listens for `az` runs.
///
/// # Errors
/// If no port can be opened.
pub(crate) async fn serve(cloud: Arc<Cloud>) -> anyhow::Result<(std::net::SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("control port")?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut starts = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((mut stream, _)) = accepted {
                    let cloud = Arc::clone(&cloud);
                    starts.spawn(async move {
                        let mut text = String::new();
                        if stream.read_to_string(&mut text).await.is_err() {
                            return;
                        }
                        let arguments: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
                        let reply = started(&cloud, &arguments).await;
                        let text = serde_json::to_string(&reply).unwrap_or_default();
                        // The client may have been killed meanwhile.
                        let _ = stream.write_all(text.as_bytes()).await;
                    });
                },
                Some(_) = starts.join_next() => {}
            }
        }
    });
    Ok((address, task))
}

async fn started(cloud: &Cloud, arguments: &[String]) -> Answer {
    let (began, at) = (Instant::now(), cloud.timestamp());
    let control = cloud.control();
    let (state, latency) = control.knobs(|knobs| (knobs.az, knobs.latency));
    let entry = |status: u16, reply: &Answer| Entry {
        n: 0,
        at: at.clone(),
        host: "az".into(),
        method: "RUN".into(),
        path: arguments.join(" "),
        query: Vec::new(),
        request_headers: Vec::new(),
        request_body: json!(arguments),
        status,
        response_headers: Vec::new(),
        response_body: json!({"code": reply.code, "stderr": reply.stderr}),
        micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        kind: Kind::Az,
    };
    if state == AzState::Hangs {
        control.record(entry(0, &Answer::default()));
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(latency).await;
    let reply = answer(cloud, arguments, state);
    control.record(entry(if reply.code == 0 { 200 } else { 400 }, &reply));
    reply
}

fn answer(cloud: &Cloud, arguments: &[String], state: AzState) -> Answer {
    let words: Vec<&str> = arguments.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    match words.as_slice() {
        ["version"] => print(&version(state)),
        ["cloud", "show"] => print(&azure_cloud()),
        ["account", "get-access-token"] => access_token(cloud, arguments, state),
        ["account", "show"] => signed_in(state).unwrap_or_else(|| print(&account(cloud, state, 0))),
        ["account", "list"] if state == AzState::NotSignedIn => print(&json!([])),
        ["account", "list"] => {
            print(&Value::from((0..cloud.azure.world.subscriptions.len()).map(|at| account(cloud, state, at)).collect::<Vec<_>>()))
        }
        other => fail(2, &format!("'{}' is misspelled or not recognized by the system.", other.join(" "))),
    }
}

fn print(value: &Value) -> Answer {
    Answer { stdout: format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()), ..Answer::default() }
}

fn fail(code: u8, message: &str) -> Answer {
    Answer { stderr: format!("ERROR: {message}\n"), code, ..Answer::default() }
}

fn signed_in(state: AzState) -> Option<Answer> {
    (state == AzState::NotSignedIn).then(|| fail(1, "Please run 'az login' to setup account."))
}

/// The value of an option, given as `--name value` or `--name=value`.
fn option<'a>(arguments: &'a [String], names: &[&str]) -> Option<&'a str> {
    for (at, word) in arguments.iter().enumerate() {
        if names.contains(&word.as_str()) {
            return arguments.get(at + 1).map(String::as_str);
        }
        if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            return Some(value);
        }
    }
    None
}

fn access_token(cloud: &Cloud, arguments: &[String], state: AzState) -> Answer {
    if let Some(refusal) = signed_in(state) {
        return refusal;
    }
    if state == AzState::Expired {
        return fail(
            1,
            "AADSTS700082: The refresh token has expired due to inactivity. Interactive authentication is needed. Please run:\naz logout\naz login",
        );
    }
    let world = &cloud.azure.world;
    let known = [
        "--scope",
        "--resource",
        "--tenant",
        "-t",
        "--subscription",
        "-s",
        "-o",
        "--output",
        "--resource-type",
        "--only-show-errors",
        "--name",
        "-n",
    ];
    if let Some(stray) =
        arguments.iter().skip(2).find(|word| word.starts_with('-') && !known.contains(&word.split('=').next().unwrap_or_default()))
    {
        return fail(2, &format!("unrecognized arguments: {stray}"));
    }
    let tenant = option(arguments, &["--tenant", "-t"]);
    let subscription = option(arguments, &["--subscription", "-s", "--name", "-n"]);
    if tenant.is_some() && subscription.is_some() {
        return fail(1, "Please specify only one of subscription and tenant, not both");
    }
    let chosen = match subscription {
        None => world.subscriptions.first(),
        Some(wanted) => match world.subscriptions.iter().find(|one| one.id.eq_ignore_ascii_case(wanted) || one.name == wanted) {
            Some(found) => Some(found),
            None => return fail(1, &format!("Subscription '{wanted}' not found. Check the spelling and casing and try again.")),
        },
    };
    let home = if state == AzState::OtherTenant { OTHER_TENANT } else { world.tenant.as_str() };
    let own = match tenant {
        None => home,
        Some(wanted) if wanted.eq_ignore_ascii_case(home) || wanted.eq_ignore_ascii_case(&world.domain) => home,
        Some(wanted) => {
            return fail(
                1,
                &format!(
                    "AADSTS90002: Tenant '{wanted}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
                ),
            );
        }
    };
    let scope = option(arguments, &["--scope"]).or(option(arguments, &["--resource"])).unwrap_or("https://management.core.windows.net/");
    let Some(audience) = entra::audience(scope) else {
        let resource = scope.trim_end_matches("/.default");
        return fail(
            1,
            &format!(
                "AADSTS500011: The resource principal named {resource} was not found in the tenant named Contoso. Interactive authentication is needed."
            ),
        );
    };
    let (token, exp) = entra::user_token(&cloud.azure, own, &audience);
    let local = jiff::Timestamp::from_second(i64::try_from(exp).unwrap_or(i64::MAX))
        .map(|stamp| stamp.strftime("%Y-%m-%d %H:%M:%S.000000").to_string())
        .unwrap_or_default();
    let mut reply = json!({"accessToken": token, "expiresOn": local});
    if state != AzState::TooOld {
        reply["expires_on"] = json!(exp);
    }
    // If a tenant is given, az's answer names no subscription.
    if let (None, Some(chosen)) = (tenant, chosen) {
        reply["subscription"] = json!(chosen.id);
    }
    reply["tenant"] = json!(own);
    reply["tokenType"] = json!("Bearer");
    print(&reply)
}

fn account(cloud: &Cloud, state: AzState, at: usize) -> Value {
    let world = &cloud.azure.world;
    let one = &world.subscriptions[at];
    let tenant = if state == AzState::OtherTenant { OTHER_TENANT } else { world.tenant.as_str() };
    json!({
        "environmentName": "AzureCloud", "homeTenantId": tenant, "id": one.id, "isDefault": at == 0, "managedByTenants": [], "name": one.name, "state": "Enabled",
        "tenantDefaultDomain": world.domain, "tenantDisplayName": "Contoso", "tenantId": tenant, "user": {"name": world.user.name, "type": "user"},
    })
}

fn version(state: AzState) -> Value {
    let number = if state == AzState::TooOld { "2.40.0" } else { "2.91.0" };
    json!({"azure-cli": number, "azure-cli-core": number, "azure-cli-telemetry": "1.1.0", "extensions": {}})
}

fn azure_cloud() -> Value {
    json!({
        "endpoints": {
            "activeDirectory": "https://login.microsoftonline.com", "activeDirectoryGraphResourceId": "https://graph.windows.net/",
            "activeDirectoryResourceId": "https://management.core.windows.net/", "management": "https://management.core.windows.net/",
            "microsoftGraphResourceId": "https://graph.microsoft.com/", "resourceManager": "https://management.azure.com/",
        },
        "isActive": true, "name": "AzureCloud", "profile": "latest",
        "suffixes": {
            "acrLoginServerEndpoint": ".azurecr.io", "keyvaultDns": ".vault.azure.net", "mysqlServerEndpoint": ".mysql.database.azure.com",
            "postgresqlServerEndpoint": ".postgres.database.azure.com", "sqlServerHostname": ".database.windows.net", "storageEndpoint": "core.windows.net",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_both_forms() {
        let words = ["account", "--scope=a", "-o", "json"].map(String::from);
        assert_eq!(option(&words, &["--scope"]), Some("a"));
        assert_eq!(option(&words, &["-o", "--output"]), Some("json"));
        assert_eq!(option(&words, &["--tenant"]), None);
    }
}
