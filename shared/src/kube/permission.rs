//! A right on a kind of Kubernetes object, and the API server's answer whether the user has it.

use std::fmt;

use super::resources::Resource;

/// A right to ask about.
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
    /// Name of the object; a right that is limited to names shows only when it is given.
    pub name: Option<String>,
}

impl Access {
    /// The right to `verb` objects of a kind.
    pub fn to(verb: &str, kind: &Resource, namespace: Option<&str>) -> Self {
        Access {
            verb: verb.into(),
            group: kind.group.into(),
            resource: kind.plural.into(),
            namespace: namespace.filter(|_| kind.namespaced).map(Into::into),
            ..Access::default()
        }
    }

    /// The same right for one object.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same right for a subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.into());
        self
    }
}

/// As `kubectl auth can-i` takes it: `patch deployments.apps/scale -n shop`.
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

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Whether it is allowed.
    pub yes: bool,
    /// Why, as far as the cluster tells.
    pub reason: String,
}
