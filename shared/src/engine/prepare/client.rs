//! The client type: the requested one, or the one that the workload's image and variables suggest.

use crate::catalogue::Service;
use crate::lookup::cluster::Survey;
use crate::model::request::ConnectRequest;
use crate::model::variable::Client;
use crate::model::{Kind, Problem, Result};

/// The client type: the requested one or, with `auto`, the one detected in the workload's containers.
pub(crate) fn client(service: &Service, request: &ConnectRequest, survey: &Survey) -> Result<(Client, Option<String>)> {
    let Some(asked) = request.client else {
        let seen = survey.workload.as_ref().and_then(|w| {
            survey.containers.iter().find_map(|name| runtime(w.container(name)?).filter(|(client, _)| service.clients.contains(client)))
        });
        return Ok(match seen {
            Some((client, sign)) => (client, Some(format!("client type {}: {sign}", client.word()))),
            None => (Client::None, Some("client type none: the image does not tell the language".into())),
        });
    };
    if service.clients.contains(&asked) {
        return Ok((asked, None));
    }
    let known = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
    Err(Problem::new(Kind::Usage, "KC1005", format!("{} has no variables for client type `{}`", service.title, asked.word()))
        .fix(format!("choose one of: {known}")))
}

/// Detects the runtime of a container by its image name and by variables that only one runtime reads.
pub(crate) fn runtime(container: &serde_json::Value) -> Option<(Client, String)> {
    const VARIABLES: [(&str, Client); 8] = [
        ("SPRING_", Client::SpringBoot),
        ("DJANGO_", Client::Django),
        ("ASPNETCORE_", Client::Dotnet),
        ("DOTNET_", Client::Dotnet),
        ("PYTHON", Client::Python),
        ("NODE_", Client::Nodejs),
        ("JAVA_", Client::Java),
        ("GOMEMLIMIT", Client::Go),
    ];
    // Whole path segments of official images: `node` is the runtime, `node-exporter` is something else.
    const IMAGES: [(&str, Client); 13] = [
        ("spring-boot", Client::SpringBoot),
        ("django", Client::Django),
        ("dotnet", Client::Dotnet),
        ("aspnet", Client::Dotnet),
        ("python", Client::Python),
        ("node", Client::Nodejs),
        ("openjdk", Client::Java),
        ("eclipse-temurin", Client::Java),
        ("amazoncorretto", Client::Java),
        ("golang", Client::Go),
        ("php", Client::Php),
        ("ruby", Client::Ruby),
        ("jruby", Client::Ruby),
    ];
    let names = container["env"].as_array().into_iter().flatten().filter_map(|e| e["name"].as_str());
    for name in names {
        if let Some((_, client)) = VARIABLES.iter().find(|(sign, _)| name.starts_with(sign)) {
            return Some((*client, format!("it sets {name}")));
        }
    }
    let image = container["image"].as_str()?;
    let name = |segment: &'_ str| segment.split([':', '@']).next().unwrap_or_default().to_owned();
    let segments: Vec<String> = image.split('/').map(name).collect();
    IMAGES.iter().find(|(sign, _)| segments.iter().any(|s| s == sign)).map(|(_, client)| (*client, format!("its image is {image}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_runtime_is_detected_by_variables_and_image() {
        let see = |container: serde_json::Value| runtime(&container).map(|(c, _)| c.word());
        assert_eq!(see(json!({"image": "shop/app:1", "env": [{"name": "ASPNETCORE_URLS"}]})), Some("dotnet"));
        assert_eq!(see(json!({"image": "docker.io/library/python:3.12-slim"})), Some("python"));
        assert_eq!(see(json!({"image": "mcr.microsoft.com/dotnet/aspnet@sha256:1234"})), Some("dotnet"));
        assert_eq!(see(json!({"image": "node:22"})), Some("nodejs"));
        // Written in Go, whatever their names say.
        assert_eq!(see(json!({"image": "quay.io/prometheus/node-exporter:v1"})), None);
        assert_eq!(see(json!({"image": "registry.k8s.io/node-problem-detector/node-problem-detector:v1"})), None);
        assert_eq!(see(json!({"image": "shop/anodetool:1"})), None);
    }
}
