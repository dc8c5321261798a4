//! Any Azure resource with any role: for services without a catalogue entry.

use super::{Access, Auth, Client, DEFAULTS, Service, row, rows, signed};

pub(super) static SERVICE: Service = Service {
    name: "resource",
    aliases: &["any"],
    title: "any Azure resource, with --role",
    noun: "resource",
    arm_type: "",
    api_version: "",
    auths: &[Auth::WorkloadIdentity, Auth::ServicePrincipal],
    clients: &Client::ALL,
    prefixes: &["AZURE_RESOURCE"],
    default_access: Access::Read,
    private_link: Err("depends on the type of the resource"),
    docs: "https://learn.microsoft.com/azure/role-based-access-control/built-in-roles",
    ungranted: "name the role with --role",
    rows: |ask| {
        let plain = rows(&[("AZURE_RESOURCE_ID", "<id>"), ("AZURE_RESOURCE_NAME", "<name>")]);
        let mut all = signed(ask.auth, "AZURE_RESOURCE", plain);
        if ask.auth != Auth::ServicePrincipal {
            all.push(row("AZURE_RESOURCE_TENANTID", "<tenant-id>"));
        }
        all
    },
    texts: |target, _| vec![("id", target.id.to_string()), ("name", target.name().to_owned())],
    probe: |_, _| Err("there is no read that works for every resource"),
    ..DEFAULTS
};
