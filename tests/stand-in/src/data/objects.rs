//! The contents of vaults: secrets, keys and certificates. A certificate also exists as a key and a secret of the
//! same name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::World;

/// One object of a vault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    /// Value of a secret; text of a certificate or key.
    pub(crate) value: String,
    pub(crate) content_type: Option<String>,
    pub(crate) tags: Value,
    /// Empty for the planted version.
    pub(crate) version: String,
    /// Soft-deleted.
    pub(crate) deleted: bool,
}

/// Objects by vault, collection and name, all in lower case.
#[derive(Default)]
pub(crate) struct Objects(BTreeMap<(String, String, String), Item>);

const VERSION: &str = "4387e9f3d6e14c459867679a90fd0f79";

impl Objects {
    pub(crate) fn planted(world: &World) -> Self {
        let mut all = Self::default();
        for (vault, secrets) in &world.secrets {
            for (name, value) in secrets {
                all.set(vault, "secrets", name, Item { value: value.clone(), content_type: Some("text/plain".into()), ..Item::default() });
            }
            // Every vault with contents has the same two.
            all.set(vault, "keys", "signing-key", Item { value: "planted-public-key".into(), ..Item::default() });
            for (collection, value) in
                [("certificates", "planted-certificate"), ("keys", "planted-public-key"), ("secrets", "planted-private-key")]
            {
                all.set(vault, collection, "web-tls", Item { value: value.into(), ..Item::default() });
            }
        }
        all
    }

    pub(crate) fn set(&mut self, vault: &str, collection: &str, name: &str, item: Item) {
        self.0.insert(key(vault, collection, name), item);
    }

    pub(crate) fn get(&self, vault: &str, collection: &str, name: &str) -> Option<&Item> {
        self.0.get(&key(vault, collection, name))
    }

    pub(crate) fn get_mut(&mut self, vault: &str, collection: &str, name: &str) -> Option<&mut Item> {
        self.0.get_mut(&key(vault, collection, name))
    }

    /// Names in a collection, without deleted objects.
    pub(crate) fn names(&self, vault: &str, collection: &str) -> Vec<String> {
        let here = |(v, c, _): &&(String, String, String)| v.eq_ignore_ascii_case(vault) && c == collection;
        let lives = |k: &&(String, String, String)| self.0.get(*k).is_some_and(|i| !i.deleted);
        self.0.keys().filter(here).filter(lives).map(|(_, _, name)| name.clone()).collect()
    }

    /// The lasting state: names and tags, without values.
    pub(crate) fn state(&self) -> Value {
        let lives = self.0.iter().filter(|(_, item)| !item.deleted);
        lives.map(|((v, c, n), item)| (format!("{v}/{c}/{n}"), json!({"tags": item.tags}))).collect::<serde_json::Map<_, _>>().into()
    }
}

fn key(vault: &str, collection: &str, name: &str) -> (String, String, String) {
    (vault.to_ascii_lowercase(), collection.to_owned(), name.to_ascii_lowercase())
}

/// An object in the format of a GET.
pub(crate) fn bundle(vault: &str, collection: &str, name: &str, item: &Item) -> Value {
    let host = format!("https://{vault}.vault.azure.net");
    let version = if item.version.is_empty() { VERSION } else { item.version.as_str() };
    let id = |collection: &str| format!("{host}/{collection}/{name}/{version}");
    let attributes = super::vault::attributes();
    let tags = if item.tags.is_null() { json!({}) } else { item.tags.clone() };
    match collection {
        "keys" => json!({
            "key": {"kid": id("keys"), "kty": "RSA", "key_ops": ["sign", "verify"], "n": "2HJAE5fU3Cw2Rt9hEuq-F6XjINKGa-zskfISVqopqUy60GOs2eyhxbWbJBeUXNor", "e": "AQAB"},
            "attributes": attributes, "tags": tags,
        }),
        "certificates" => json!({
            "id": id("certificates"), "kid": id("keys"), "sid": id("secrets"), "x5t": "fLi3U52HunIVNXubkEnf8tP6Wbo", "cer": "MIICODCCAeagAwIBAgIQqHmpBAv",
            "attributes": attributes, "tags": tags,
        }),
        _ => {
            let mut body = json!({"value": item.value, "id": id("secrets"), "attributes": attributes, "tags": tags});
            if let Some(kind) = &item.content_type {
                body["contentType"] = json!(kind);
            }
            body
        }
    }
}
