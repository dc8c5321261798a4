//! What examining or applying a step makes known about the step's object: an identity's client id, a cluster's issuer. A value
//! belongs to the object and is read by that object's key. So a context that knows two identities, as when the identity of a
//! connection changes, never gives the client id of one to a step that means the other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::ResourceId;
use crate::plan::record::Record;
use crate::plan::spec::{ClusterFeatures, Grantee, Identity, Thing};

/// A kind of value that becomes known about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// The issuer of a cluster, byte for byte.
    Issuer,
    /// The client id of an identity.
    ClientId,
    /// The object id of an identity.
    PrincipalId,
    /// The version of a Secret that holds secret values.
    SecretVersion,
    /// The version of a secret in a vault.
    VaultVersion,
}

/// The values known so far, by object.
#[derive(Debug, Default)]
pub struct Outputs(Mutex<BTreeMap<(Thing, Output), String>>);

impl Outputs {
    /// The value of an object, if the value is known.
    pub fn get(&self, thing: &Thing, output: Output) -> Option<String> {
        self.values().get(&(thing.clone(), output)).cloned()
    }

    /// Adds a value of an object, in place of an older one.
    pub fn learn(&self, thing: Thing, output: Output, value: impl Into<String>) {
        self.values().insert((thing, output), value.into());
    }

    /// Adds the ids of the identity that the record names, for runs that do not examine the identity.
    pub fn recall(&self, record: &Record) {
        let Some(identity) = record.identity() else { return };
        let ids = [(Output::ClientId, &record.client_id), (Output::PrincipalId, &record.principal_id)];
        for (output, id) in ids {
            if let Some(id) = id {
                self.learn(Identity::key(identity), output, id);
            }
        }
    }

    /// Removes all values.
    pub fn forget(&self) {
        self.values().clear();
    }

    /// The issuer of the cluster, byte for byte.
    pub fn issuer(&self, cluster: &ResourceId) -> Option<String> {
        self.get(&ClusterFeatures::key(cluster), Output::Issuer)
    }

    /// The client id of the identity.
    pub fn client_id(&self, identity: &ResourceId) -> Option<String> {
        self.get(&Identity::key(identity), Output::ClientId)
    }

    /// The object id of the identity.
    pub fn principal_id(&self, identity: &ResourceId) -> Option<String> {
        self.get(&Identity::key(identity), Output::PrincipalId)
    }

    /// The object id of the one who gets a grant.
    pub fn principal_of(&self, to: &Grantee) -> Option<String> {
        match to {
            Grantee::Identity(id) => self.principal_id(id),
            Grantee::Principal(object_id) => Some(object_id.clone()),
        }
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<(Thing, Output), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> ResourceId {
        ResourceId::resource("s", "g", "Microsoft.ManagedIdentity/userAssignedIdentities", name)
    }

    #[test]
    fn each_of_two_identities_keeps_its_own_ids() {
        let outputs = Outputs::default();
        let (new, old) = (identity("new"), identity("old"));
        outputs.learn(Identity::key(&new), Output::ClientId, "client-of-new");
        outputs.learn(Identity::key(&new), Output::PrincipalId, "principal-of-new");
        // Undoing the former version of the connection examines the identity that the connection had before.
        outputs.learn(Identity::key(&old), Output::ClientId, "client-of-old");
        outputs.learn(Identity::key(&old), Output::PrincipalId, "principal-of-old");
        assert_eq!(outputs.client_id(&new).as_deref(), Some("client-of-new"));
        assert_eq!(outputs.principal_of(&Grantee::Identity(new)).as_deref(), Some("principal-of-new"));
        assert_eq!(outputs.principal_of(&Grantee::Identity(old)).as_deref(), Some("principal-of-old"));
        assert_eq!(outputs.principal_of(&Grantee::Principal("given".into())).as_deref(), Some("given"));
    }

    #[test]
    fn ids_are_found_in_whatever_case_the_service_answers() {
        let outputs = Outputs::default();
        outputs.learn(Identity::key(&identity("ID-Web")), Output::ClientId, "c");
        assert_eq!(outputs.client_id(&identity("id-web")).as_deref(), Some("c"));
        outputs.forget();
        assert_eq!(outputs.client_id(&identity("id-web")), None);
    }
}
