//! Stage 3: determines the connection's name, and the workload's service account and identity.

use super::asked::Asked;
use super::observed::Observed;
use super::{client, identity, secret_store};
use crate::catalogue::Service;
use crate::lookup::azure::Found;
use crate::lookup::outside_aks;
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::model::target::Target;
use crate::model::{ConnectionKey, Event, Kind, Mode, Problem, ResourceId, Result};
use crate::plan::record::{Phase, Record};
use crate::plan::spec;

/// The connection that the request is about.
pub(crate) struct Subject {
    /// Its namespace and name.
    pub connection: ConnectionKey,
    /// Its way of authentication.
    pub mode: Mode,
    /// Its record, if the connection exists.
    pub former: Option<Stored>,
    /// Records of the other connections.
    pub others: Vec<Record>,
    /// The vault that stores the service's keys, if one was named.
    pub store: Option<Target>,
    /// The service account, if the workload uses an identity.
    pub account: Option<spec::ServiceAccount>,
    /// Id of the identity. It may not exist yet.
    pub identity: Option<ResourceId>,
}

impl Subject {
    /// Determines the subject from the observed state.
    ///
    /// # Errors
    /// If the connection's name is used for another target, the connection is being deleted, or the service account
    /// can't be used.
    pub(crate) async fn settle(session: &Session, asked: &Asked, observed: &Observed) -> Result<Subject> {
        let Asked { service, auth, request, .. } = asked;
        let Observed { cluster: survey, azure: found } = observed;
        let (client, sign) = client::client(service, request, survey)?;
        if let Some(sign) = sign {
            session.events.say(Event::Note(sign));
        }
        let name = request.name.clone().unwrap_or_else(|| service.connection_name(found.target.name()));
        let connection = ConnectionKey::new(&survey.namespace, name);
        let is_former = |s: &&Stored| s.record.name == connection.name && s.record.namespace == connection.namespace;
        let former = survey.records.iter().find(is_former).cloned();
        conflicts(former.as_ref(), found, service)?;
        let store = secret_store::vault(session, request).await?;
        let account = match asked.needs_account() {
            true => Some(identity::service_account(session, request, survey, former.as_ref()).await?),
            false => None,
        };
        let identity = match &account {
            Some(account) => {
                let choice = identity::Choice { request, connection: &connection.name };
                Some(identity::identity(session, choice, observed, account, former.as_ref()).await?)
            }
            None => found.identity.clone(),
        };
        let others = survey.records.iter().filter(|s| !is_former(s)).map(|s| s.record.clone()).collect();
        let access = request.access.unwrap_or(service.default_access);
        let mode = Mode { auth: *auth, client, access };
        Ok(Subject { connection, mode, former, others, store, account, identity })
    }

    /// The record of the former version.
    pub(crate) fn past(&self) -> Option<&Record> {
        self.former.as_ref().map(|f| &f.record)
    }
}

/// Refuses a name that is used for another target: the workload would silently use that target from now on.
fn conflicts(former: Option<&Stored>, found: &Found, service: &Service) -> Result<()> {
    let Some(former) = former.map(|f| &f.record) else { return Ok(()) };
    if former.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{}` is being deleted", former.name))
            .fix(format!("finish it first: kubectl connect delete {} -n {}", former.name, former.namespace)));
    }
    // The record is in the cluster that it describes, so all clusters outside AKS compare equal, whatever resource
    // group is used.
    let same_cluster = former.cluster == found.cluster || (outside_aks::is_one(&former.cluster) && outside_aks::is_one(&found.cluster));
    if former.target == found.target && former.service == service.name && same_cluster {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Failed,
        "KC1311",
        format!("connection `{}` already exists and connects to {} `{}`", former.name, former.service, former.target.name()),
    )
    .fix("choose another name for the new one: --name NAME")
    .fix(format!("or delete the old one: kubectl connect delete {} -n {}", former.name, former.namespace)))
}
