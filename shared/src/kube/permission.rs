//! A right on a kind of Kubernetes object, and the API server's answer whether the user has it.

use std::fmt;

use super::resources::Resource;

/// A permission to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// `get`, `list`, `create`, `patch`, …
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural name of the resource.
    pub resource: String,
    /// Subresource, like `token`.
    pub subresource: Option<String>,
    /// Namespace; `None` for the whole cluster.
    pub namespace: Option<String>,
    /// Name of the object. A permission limited to certain names is found only if the name is given.
    pub name: Option<String>,
}

impl Access {
    /// Permission to `verb` objects of a kind.
    pub fn to(verb: &str, kind: &Resource, namespace: Option<&str>) -> Self {
        Access {
            verb: verb.into(),
            group: kind.group.into(),
            resource: kind.plural.into(),
            namespace: namespace.filter(|_| kind.namespaced).map(Into::into),
            ..Access::default()
        }
    }

    /// The same permission for one object.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same permission for a subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.into());
        self
    }
}

/// In the form that `kubectl auth can-i` accepts: `patch deployments.apps/scale -n shop`.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        if let Some(sub) = &self.subresource {
            write!(f, " --subresource={sub}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " -n {namespace}"),
            None => Ok(()),
        }
    }
}

/// The answer to a permission check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Whether it is allowed.
    pub yes: bool,
    /// The reason, if the cluster gives one.
    pub reason: String,
}
