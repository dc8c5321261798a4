//! Stage 5: decides the parts of the connection. Pure: everything was read in the earlier stages.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::asked::Asked;
use super::delivery::{self, Place};
use super::observed::Observed;
use super::patching::Patching;
use super::reading::Reading;
use super::subject::Subject;
use super::variables::{self, Named};
use super::{identity, secret_store};
use crate::catalogue::{self, Service};
use crate::lookup::azure::Located;
use crate::lookup::session::Session;
use crate::model::access::{Grant, Role};
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, ObjectKind};
use crate::model::{Auth, Cloud, Event, Events, Kind, Problem, Result};
use crate::plan::build;
use crate::plan::spec;

/// The parts of the connection, before any of them is examined.
pub(crate) struct Decision {
    /// The identity to which access is granted.
    pub identity: Option<spec::Identity>,
    /// The grants.
    pub grants: Vec<Grant>,
    /// Variables in the Secret.
    pub variables: Vec<Variable>,
    /// Secrets that the user gave, by the names used in the variables.
    pub given: BTreeMap<String, SecretString>,
    /// Secrets that are kept in a vault.
    pub stored: Vec<spec::VaultSecret>,
    /// Key Vault objects to mount.
    pub mount: Option<spec::Mount>,
    /// What happens to the workload.
    pub patching: Patching,
    /// Notes for the user about facts that the plan does not show.
    pub notes: Vec<String>,
}

/// The stages before the decision.
#[derive(Clone, Copy)]
pub(crate) struct Stages<'a> {
    /// Stage 1.
    pub asked: &'a Asked,
    /// Stage 2.
    pub observed: &'a Observed,
    /// Stage 3.
    pub subject: &'a Subject,
    /// Stage 4.
    pub reading: &'a Reading,
}

impl Decision {
    /// Decides. `role` is the resolved role that the user named.
    ///
    /// # Errors
    /// If the service does not support the request, or names collide.
    pub(crate) fn make(stages: Stages<'_>, role: Option<Role>, cloud: &Cloud) -> Result<Decision> {
        let Stages { asked, observed, subject, reading } = stages;
        let located = &reading.located;
        let identity = identity_spec(stages);
        let grants = grants(asked, subject, located, role);
        refuse_scope(asked, subject, &grants, located)?;
        let patching = Patching::decide(&asked.request, &observed.cluster, subject.account.as_ref());
        refuse_stranger(asked.service, located)?;
        if let Some(refusal) = (asked.service.refusal)(&located.target, asked.auth) {
            return Err(Problem::new(Kind::Failed, refusal.code, refusal.what).why(refusal.why).fix(refusal.fix));
        }
        let naming =
            variables::Naming { asked, survey: &observed.cluster, subject, target: &located.target, cloud, tenant: &located.tenant };
        let Named { mut variables, note } = naming.variables()?;
        let given = variables::named(&variables, &asked.request.secrets);
        let place = Place { connection: &subject.connection, tenant: &located.tenant };
        let (mut stored, mut notes) = (Vec::new(), Vec::from_iter(note));
        let mount = match (&asked.mounting, &subject.store) {
            (Some(mode), _) => {
                delivery::check_scope(&asked.request)?;
                notes.extend(delivery::notes(mode, observed.cluster.workload.as_ref(), reading.nodes_were_seen));
                Some(delivery::mount(&asked.request.csi, &located.target, cloud, place, &variables)?)
            }
            (None, Some(vault)) => {
                let kept = secret_store::put(vault, cloud, &located.cluster, &subject.connection, &mut variables);
                notes.push(secret_store::note(vault));
                stored = kept.secrets;
                Some(delivery::mount(&kept.csi, vault, cloud, place, &variables)?)
            }
            (None, None) => None,
        };
        notes.extend(grant_notes(asked, &grants, &subject.connection.name));
        Ok(Decision { identity, grants, variables, given, stored, mount, patching, notes })
    }

    /// Sends the notes to the user.
    pub(crate) fn say(&self, events: &Events) {
        self.notes.iter().for_each(|note| events.say(Event::Note(note.clone())));
    }

    /// The input of [`build::specs`].
    pub(crate) fn facts(&self, stages: Stages<'_>) -> build::Facts {
        let Stages { asked, subject, reading, .. } = stages;
        let located = &reading.located;
        build::Facts {
            target: subject.store.as_ref().unwrap_or(&located.target).id.clone(),
            scope: asked.scope.clone(),
            cluster: located.cluster.clone(),
            issuer: located.issuer.clone(),
            namespace: subject.connection.namespace.clone(),
            identity: self.identity.clone(),
            account: subject.account.clone(),
            principal: asked.request.principal.object_id.clone(),
            grants: self.grants.clone(),
            secret: Some(subject.connection.name.clone()),
            variables: self.variables.clone(),
            stored: self.stored.clone(),
            mount: self.mount.clone(),
            workload: match &self.patching {
                Patching::Patch(facts) => Some(facts.clone()),
                Patching::Print { .. } | Patching::Leave => None,
            },
        }
    }
}

/// Resolves the role that the user named, if roles control access to the target.
///
/// # Errors
/// If the target does not use roles, or the role does not exist.
pub(crate) async fn named_role(session: &Session, asked: &Asked, located: &Located) -> Result<Option<Role>> {
    let Some(named) = asked.request.role.as_ref().filter(|_| asked.auth != Auth::Secret) else { return Ok(None) };
    let target = &located.target;
    let own = (asked.service.grants)(target, asked.service.default_access);
    if own.iter().any(|g| matches!(g, Grant::CosmosRole { .. } | Grant::RedisPolicy { .. })) {
        return Err(Problem::new(Kind::Usage, "KC1314", format!("`{}` does not use Azure roles for its data", target.name()))
            .why("its data plane has its own grants")
            .fix("use --access instead of --role"));
    }
    if own.iter().any(|g| matches!(g, Grant::VaultPolicy { .. })) {
        return Err(Problem::new(Kind::Usage, "KC1314", format!("`{}` does not use roles", target.name()))
            .why("it uses access policies, so a role on it has no effect")
            .fix("use --access instead of --role")
            .fix(format!(
                "or change the vault's permission model: az keyvault update --name {} --enable-rbac-authorization true",
                target.name()
            )));
    }
    Ok(Some(crate::lookup::resources::role(session, &target.id, named).await?))
}

/// The identity of the connection. An identity for only this service account is created, with an owner tag that names
/// the account.
fn identity_spec(stages: Stages<'_>) -> Option<spec::Identity> {
    let Stages { asked, observed, subject, reading } = stages;
    let located = &reading.located;
    if asked.mounting == Some(CsiIdentity::Addon) {
        return Some(delivery::addon(&located.cluster, &located.cluster_body));
    }
    let id = subject.identity.clone()?;
    let choice = identity::Choice { request: &asked.request, connection: &subject.connection.name };
    let is_own = |account| identity::own_identity(choice, &located.cluster, account).is_ok_and(|own| own == id);
    let own = subject.account.as_ref().is_some_and(is_own);
    let made_for = identity::made_for(&observed.cluster, &id).filter(|_| subject.account.is_some());
    // An identity chosen with `--identity` keeps the owner tag of the service account it was created for.
    let shared = made_for.filter(|_| asked.request.identity.is_some() || !own);
    let ours = || subject.account.as_ref().map_or_else(String::new, |a| format!("{}/{}/{}", located.cluster.name(), a.namespace, a.name));
    Some(spec::Identity {
        create: own || made_for.is_some(),
        tags: asked.request.tags.clone(),
        location: located.cluster_body["location"].as_str().unwrap_or_default().to_owned(),
        owner: shared.map_or_else(ours, str::to_owned),
        addon_of: None,
        id,
    })
}

/// The grants: none for keys; reading the stored secrets if a vault keeps them; the named role; or the service's
/// grants for the access level.
fn grants(asked: &Asked, subject: &Subject, located: &Located, role: Option<Role>) -> Vec<Grant> {
    match (asked.auth, &subject.store, role) {
        (Auth::Secret, None, _) => Vec::new(),
        (Auth::Secret, Some(vault), _) => catalogue::keyvault::mounting(vault, &[ObjectKind::Secret]),
        (_, _, Some(role)) => vec![Grant::Role(role)],
        _ if !asked.request.csi.objects.is_empty() => delivery::grants(&asked.request, &located.target),
        _ => (asked.service.grants)(&located.target, subject.mode.access),
    }
}

/// Refuses a scope if the grant is an access policy: policies apply to a whole vault or cache.
fn refuse_scope(asked: &Asked, subject: &Subject, grants: &[Grant], located: &Located) -> Result<()> {
    let grants = if subject.store.is_some() { &[] } else { grants };
    let whole = grants.iter().any(|g| matches!(g, Grant::VaultPolicy { .. } | Grant::RedisPolicy { .. })) || grants.is_empty();
    if asked.scope.is_empty() || !whole {
        return Ok(());
    }
    let scope = asked.request.scope.as_deref().unwrap_or_default();
    Err(Problem::new(Kind::Usage, "KC1608", format!("access to `{}` can't be narrowed to `{scope}`", located.target.name()))
        .why("this kind of grant applies to the whole resource")
        .fix("omit --scope"))
}

/// Several services share an ARM type (the Cosmos DB APIs): refuses an account of another service.
fn refuse_stranger(service: &'static Service, located: &Located) -> Result<()> {
    let own = catalogue::belongs_to(service, &located.target);
    if own.name == service.name {
        return Ok(());
    }
    let target = &located.target;
    Err(Problem::new(Kind::Usage, "KC1617", format!("`{}` is not an account of {}", target.name(), service.title))
        .why(format!("its API can't be changed: it is an account of {}", own.title))
        .fix(format!("kubectl connect {} {} --workload KIND/NAME", own.name, target.name())))
}

/// Notes for the user about access that this tool can't grant.
fn grant_notes(asked: &Asked, grants: &[Grant], connection: &str) -> Option<String> {
    if asked.auth == Auth::ServicePrincipal && asked.request.principal.object_id.is_none() && !grants.is_empty() {
        return Some("no role is assigned to the service principal; to assign one, give its object id with --object-id".into());
    }
    if asked.auth != Auth::WorkloadIdentity || !grants.is_empty() {
        return None;
    }
    Some(match asked.service.secrets.contains(&"password") {
        true => {
            format!("no Azure role is needed: an administrator must create database user aad_{connection} once ({})", asked.service.docs)
        }
        false => format!("no Azure role is needed: {}", asked.service.ungranted),
    })
}

#[cfg(test)]
mod tests;
