//! Values of a connection or workload for the placeholders of remedies.

use super::seen::Evidence;
use crate::kube::Workload;
use crate::plan::spec::RoleAssignment;

impl Evidence {
    /// The values for remedies.
    pub(crate) fn facts(&self) -> FactSheet {
        let identity = self.identity_id();
        let text = |t: Option<&str>| t.map(str::to_owned);
        let issuer = self.token.as_ref().map(|t| t.issuer.clone()).or_else(|| text(self.issuer()));
        let assigned = self.record.iter().flat_map(|r| &r.steps).find_map(RoleAssignment::of);
        let grant = assigned.map(|role| (role.role.name.clone(), role.scope.to_string()));
        let (role, scope) = grant.unzip();
        let found: [(&'static str, Option<String>); 18] = [
            ("namespace", Some(self.namespace.clone())),
            ("connection", self.record.as_ref().map(|r| r.name.clone())),
            ("workload", self.workload.as_ref().map(ToString::to_string)),
            ("account", Some(self.account_name.clone())),
            ("cluster", self.cluster.as_ref().map(|c| c.name().to_owned())),
            ("identity", identity.as_ref().map(|i| i.name().to_owned())),
            // The identity's resource group if there is an identity, since most remedies concern it. The cluster's
            // link sets its own.
            ("group", identity.as_ref().or(self.cluster.as_ref()).map(|i| i.resource_group().to_owned())),
            ("client_id", text(self.of_identity("clientId"))),
            ("principal", text(self.of_identity("principalId")).or_else(|| self.record.as_ref().and_then(|r| r.principal_id.clone()))),
            ("tenant", text(self.of_identity("tenantId"))),
            ("issuer", issuer),
            ("subject", Some(self.subject())),
            ("authority", Some(self.authority.clone())),
            ("target", self.target.as_ref().map(|t| t.name().to_owned())),
            ("role", role),
            ("scope", scope.or_else(|| self.target.as_ref().map(|t| t.id.to_string()))),
            ("webhook_namespace", self.hook_deployments.first().and_then(|d| text(d["metadata"]["namespace"].as_str()))),
            ("selector", self.workload.as_ref().and_then(Workload::selector)),
        ];
        FactSheet(found.into_iter().filter_map(|(k, v)| Some((k, v.filter(|v| !v.is_empty())?))).collect())
    }
}

/// Names and values for remedies.
pub(crate) struct FactSheet(Vec<(&'static str, String)>);

impl FactSheet {
    /// Adds a value, or replaces one.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.retain(|(n, _)| *n != name);
        self.0.push((name, value.into()));
        self
    }

    /// In the format that the findings table takes.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(n, v)| (*n, v.as_str())).collect()
    }
}
