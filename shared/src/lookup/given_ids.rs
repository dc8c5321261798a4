//! Resources that a request names by id. They need no search, and an id may contain more than the name, such as a
//! database.

use super::resources::{CLUSTERS, subscription};
use super::session::Session;
use crate::catalogue::{self, Service};
use crate::model::request::ConnectRequest;
use crate::model::{Kind, Problem, ResourceId, Result, words};

/// The resources given by id.
pub(crate) struct Named {
    pub cluster: Option<ResourceId>,
    pub target: Option<ResourceId>,
    pub identity: Option<ResourceId>,
    pub asks_identity: bool,
}

impl Named {
    pub(crate) fn from(session: &Session, service: &Service, request: &ConnectRequest) -> Result<Self> {
        let id = |text: &str| text.contains('/').then(|| text.parse::<ResourceId>());
        let parse = |text: Option<&String>, flag: &str| match text.and_then(|t| id(t)) {
            Some(Ok(id)) => Ok(Some(id)),
            Some(Err(fault)) => Err(Problem::new(Kind::Usage, "KC1001", format!("{flag}: {fault}"))),
            None => Ok(None),
        };
        let choice = &request.cluster;
        let mut cluster = parse(choice.id.as_ref(), "--aks-id")?;
        if let (None, Some(name), Some(group)) = (&cluster, &choice.name, &choice.resource_group) {
            let subscription = subscription(session, request)?.or_else(|| session.profile.active().map(|s| s.id.clone()));
            let subscription = subscription.ok_or_else(|| {
                Problem::new(Kind::NotSignedIn, "KC2008", "no subscription is active")
                    .fix("az login")
                    .fix("az account set --subscription NAME")
            })?;
            cluster = Some(ResourceId::resource(&subscription, group, CLUSTERS, name));
        }
        let given = if service.is_outside() { None } else { parse(Some(&request.target), "the target")? };
        let target = given.map(|id| of_service(service, id)).transpose()?.map(|(id, _)| id);
        let identity = parse(request.identity.as_ref(), "--identity")?;
        Ok(Named { cluster, target, identity, asks_identity: request.identity.is_some() })
    }

    pub(crate) fn is_complete(&self, service: &Service) -> bool {
        self.cluster.is_some() && (self.target.is_some() || service.is_outside()) && (self.identity.is_some() || !self.asks_identity)
    }
}

/// Names of child resources in an id, by the flag of the service that would name them.
pub(crate) fn children(service: &Service, id: &ResourceId) -> Vec<(String, String)> {
    of_service(service, id.clone()).map(|(_, children)| children).unwrap_or_default()
}

/// What a resource of the type `own` is, where one of the service was asked for.
fn what(service: &Service, own: &str) -> String {
    match catalogue::of_type(own).next() {
        Some(other) if other.noun == service.noun => {
            format!("{} of {}, not of {}", words::a(other.noun), other.title, service.title)
        }
        Some(other) => format!("{}, not {}", words::a(other.noun), words::a(service.noun)),
        None => format!("a resource of type {own}, not {}", words::a(service.noun)),
    }
}

/// The resource of the service that an id means. az's target ids often name a child resource (`…/databases/shop`),
/// which replaces the flag for that child.
fn of_service(service: &Service, id: ResourceId) -> Result<(ResourceId, Vec<(String, String)>)> {
    let own = id.arm_type();
    if (service.takes_any() && !own.is_empty()) || own.eq_ignore_ascii_case(service.arm_type) {
        return Ok((id, Vec::new()));
    }
    if own.is_empty() {
        return Err(Problem::new(Kind::Usage, "KC1001", format!("the target: {id} is not the id of a resource"))
            .fix(format!("give only the name, or the complete id: /subscriptions/…/providers/{}/NAME", service.arm_type)));
    }
    let below = own.to_ascii_lowercase().strip_prefix(&format!("{}/", service.arm_type.to_ascii_lowercase())).map(str::to_owned);
    let Some(below) = below else {
        let problem = Problem::new(Kind::Usage, "KC1616", format!("`{}` is {}", id.name(), what(service, &own)));
        let named: Vec<&str> = catalogue::of_type(&own).map(|s| s.name).collect();
        return Err(match named.as_slice() {
            [] => problem.fix("kubectl connect resource ID --role ROLE connects to any resource"),
            all => all.iter().fold(problem, |p, name| p.fix(format!("kubectl connect {name} {id}"))),
        });
    };
    let depth = below.split('/').count();
    let segments: Vec<&str> = id.as_str().split('/').collect();
    let cut = segments.len() - 2 * depth;
    let pairs = segments[cut..].chunks(2).filter_map(|pair| match pair {
        [kind, name] => Some((*kind, *name)),
        _ => None,
    });
    let mut children = Vec::new();
    for (kind, name) in pairs {
        if let Some(parameter) = service.parameters.iter().find(|p| !p.child.is_empty() && p.child.eq_ignore_ascii_case(kind)) {
            children.push((parameter.name.to_owned(), name.to_owned()));
        }
    }
    let parent = segments[..cut].join("/").parse().map_err(|fault| Problem::new(Kind::Usage, "KC1001", format!("the target: {fault}")))?;
    Ok((parent, children))
}
