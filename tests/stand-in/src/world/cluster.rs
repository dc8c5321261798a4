//! A managed cluster as a real GET returns it, with the usual fields, and some that no pinned description has: a
//! client that drops unknown fields would lose those in a round trip.

use serde_json::{Value, json};

use crate::world::{Cluster, LOCATION, SUBSCRIPTION, TENANT};

pub(super) fn handle(name: &str, dns: &str, number: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        // The provider spells the group segment in lower case.
        id: format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/{name}"),
        fqdn: format!("{dns}.hcp.{LOCATION}.azmk8s.io"),
        issuer: format!("https://{LOCATION}.oic.prod-aks.azure.com/{TENANT}/44444444-aaaa-4bbb-8ccc-{number}/"),
        token: format!("planted-cluster-token-{name}"),
    }
}

pub(super) fn body(cluster: &Cluster, at: usize, ready: bool) -> Value {
    let (name, nodes) = (&cluster.name, format!("MC_rg-shop_{}_{LOCATION}", cluster.name));
    let dns = cluster.fqdn.split('.').next().unwrap_or_default();
    let node_id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{nodes}/providers");
    let number = at + 1;
    let mut body = json!({
        "id": cluster.id,
        "name": name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": LOCATION,
        "tags": {"team": "shop"},
        "eTag": format!("77777777-aaaa-4bbb-8ccc-00000000000{number}"),
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.33",
            "currentKubernetesVersion": "1.33.5",
            "dnsPrefix": format!("{name}-dns"),
            "fqdn": cluster.fqdn,
            "azurePortalFQDN": format!("{dns}.portal.hcp.{LOCATION}.azmk8s.io"),
            "privateFQDN": null,
            "agentPoolProfiles": [pool(number)],
            "linuxProfile": {"adminUsername": "azureuser", "ssh": {"publicKeys": [{"keyData": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 sandbox"}]}},
            "windowsProfile": {"adminUsername": "azureuser", "enableCSIProxy": true},
            "servicePrincipalProfile": {"clientId": "msi"},
            "addonProfiles": {
                "azurepolicy": {"enabled": true, "config": {"version": "v2"}, "identity": {
                    "resourceId": format!("{node_id}/Microsoft.ManagedIdentity/userAssignedIdentities/azurepolicy-{name}"),
                    "clientId": format!("99999999-aaaa-4bbb-8ccc-0000000000{number}1"), "objectId": format!("99999999-aaaa-4bbb-8ccc-0000000000{number}2"),
                }},
                "omsagent": {"enabled": false, "config": null},
            },
            "nodeResourceGroup": nodes,
            "enableRBAC": true,
            "supportPlan": "KubernetesOfficial",
            "networkProfile": {
                "networkPlugin": "azure", "networkPluginMode": "overlay", "networkPolicy": "cilium", "networkDataplane": "cilium", "loadBalancerSku": "standard",
                "loadBalancerProfile": {
                    "managedOutboundIPs": {"count": 1},
                    "effectiveOutboundIPs": [{"id": format!("{node_id}/Microsoft.Network/publicIPAddresses/7b7cbd8c-0000-4000-8000-00000000000{number}")}],
                    "backendPoolType": "nodeIPConfiguration",
                },
                "podCidr": "10.244.0.0/16", "serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.0.0.10", "outboundType": "loadBalancer",
                "podCidrs": ["10.244.0.0/16"], "serviceCidrs": ["10.0.0.0/16"], "ipFamilies": ["IPv4"],
            },
            "apiServerAccessProfile": {"authorizedIPRanges": ["203.0.113.0/24"]},
            "maxAgentPools": 100,
        },
        "identity": {"type": "SystemAssigned", "principalId": format!("99999999-aaaa-4bbb-8ccc-0000000000{number}5"), "tenantId": TENANT},
        "sku": {"name": "Base", "tier": "Standard"},
        "systemData": {"createdBy": "dev@contoso.example", "createdByType": "User", "createdAt": "2025-03-01T08:30:00.1234567Z"},
    });
    if let (Some(properties), Value::Object(more)) = (body["properties"].as_object_mut(), profiles(cluster, number, ready)) {
        properties.extend(more);
    }
    body
}

/// The other half of the properties: those of add-ons and features.
fn profiles(cluster: &Cluster, number: usize, ready: bool) -> Value {
    let (name, nodes) = (&cluster.name, format!("MC_rg-shop_{}_{LOCATION}", cluster.name));
    let cleaner = json!({"enabled": true, "intervalHours": 168});
    json!({
            "identityProfile": {"kubeletidentity": {
                "resourceId": format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{nodes}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}-agentpool"),
                "clientId": format!("99999999-aaaa-4bbb-8ccc-0000000000{number}3"), "objectId": format!("99999999-aaaa-4bbb-8ccc-0000000000{number}4"),
            }},
            "autoScalerProfile": {"balance-similar-node-groups": "false", "expander": "random", "scan-interval": "10s", "skip-nodes-with-system-pods": "true"},
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "disableLocalAccounts": false,
            "securityProfile": if ready { json!({"workloadIdentity": {"enabled": true}, "imageCleaner": cleaner}) } else { json!({"imageCleaner": cleaner}) },
            "storageProfile": {"diskCSIDriver": {"enabled": true, "version": "v1"}, "fileCSIDriver": {"enabled": true}, "snapshotController": {"enabled": true}},
            "oidcIssuerProfile": if ready { json!({"enabled": true, "issuerURL": cluster.issuer}) } else { json!({"enabled": false}) },
            "workloadAutoScalerProfile": {"keda": {"enabled": false}},
            "azureMonitorProfile": {"metrics": {"enabled": true, "kubeStateMetrics": {"metricLabelsAllowlist": "", "metricAnnotationsAllowList": ""}}},
            "metricsProfile": {"costAnalysis": {"enabled": true}},
            "resourceUID": format!("66c9f2f0b2c6f8000170000{number}"),
            "nodeProvisioningProfile": {"mode": "Manual", "defaultNodePools": "Auto"},
            "bootstrapProfile": {"artifactSource": "Direct"},
            // An unknown field, which clients must keep.
            "tomorrowsProfile": {"enabled": true, "nested": {"list": [1, {"two": null}], "text": "keep me"}},
    })
}

/// The one agent pool.
fn pool(number: usize) -> Value {
    json!({
        "name": "nodepool1",
        "count": 3,
        "vmSize": "Standard_D4s_v5",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 250,
        "type": "VirtualMachineScaleSets",
        "availabilityZones": ["1", "2", "3"],
        "maxCount": 6,
        "minCount": 3,
        "enableAutoScaling": true,
        "scaleDownMode": "Delete",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "orchestratorVersion": "1.33",
        "currentOrchestratorVersion": "1.33.5",
        "enableNodePublicIP": false,
        "mode": "System",
        "nodeLabels": {"shop/pool": "system"},
        "nodeTaints": null,
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202511.07.0",
        "upgradeSettings": {"maxSurge": "10%", "maxUnavailable": "0"},
        "enableFIPS": false,
        "securityProfile": {"enableVTPM": false, "enableSecureBoot": false},
        "eTag": format!("88888888-aaaa-4bbb-8ccc-00000000000{number}"),
        "localDNSProfile": {"mode": "Preferred"},
    })
}
