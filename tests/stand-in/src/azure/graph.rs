//! Resource Graph: queries over everything that the caller can see, optionally with a delay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::azure::path::Path;
use crate::azure::{Azure, Resource, kql};
use crate::entra::Caller;
use crate::http::{Request, Response};

/// Default and maximum number of rows in an answer.
const PAGE: usize = 100;
const PAGE_MOST: usize = 1000;

pub(crate) fn handle(azure: &Azure, caller: &Caller, request: &Request) -> Response {
    if request.method != "POST" {
        return crate::azure::errors::not_allowed(&request.method);
    }
    let knobs = azure.control.knobs(|knobs| knobs.graph.clone());
    if knobs.denied {
        return crate::azure::roles::forbidden(caller, "Microsoft.ResourceGraph/resources/read", "/");
    }
    let sent = request.json().unwrap_or_default();
    let Some(text) = sent["query"].as_str() else {
        return invalid("InvalidRequest", "query is required.");
    };
    let query = match kql::parse(text) {
        Ok(query) => query,
        Err(problem) => return invalid("ParserFailure", &problem),
    };
    let asked: Option<Vec<&str>> = sent["subscriptions"].as_array().map(|all| all.iter().filter_map(Value::as_str).collect());
    let rows: Vec<Value> = {
        let store = azure.store();
        let visible = store
            .resources
            .iter()
            .filter(|(_, one)| azure.is_older(one.created, knobs.lag))
            .filter(|(id, one)| azure.may(&store, caller, &format!("{}/read", one.body["type"].as_str().unwrap_or_default()), id));
        match query.table.as_str() {
            "resources" => visible.filter(|(id, _)| id.matches("/providers/").count() == 1 && is_top(id)).map(|(_, one)| row(azure, one)).collect(),
            "resourcecontainers" => visible
                .filter(|(id, _)| !id.contains("/providers/"))
                .map(|(_, one)| container(azure, one))
                .chain(azure.world.subscriptions.iter().map(|one| json!({
                    "id": format!("/subscriptions/{}", one.id), "name": one.name, "type": "microsoft.resources/subscriptions", "tenantId": azure.world.tenant,
                    "subscriptionId": one.id, "resourceGroup": "", "location": "", "properties": {"state": "Enabled"}, "tags": {},
                })))
                .collect(),
            other => return invalid("DisallowedLogicalTableName", &format!("The table '{other}' is not known.")),
        }
    };
    let rows = rows
        .into_iter()
        .filter(|row| {
            asked
                .as_ref()
                .is_none_or(|ids| ids.iter().any(|id| row["subscriptionId"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id))))
        })
        .collect();
    match kql::run(&query, rows) {
        Ok(rows) => page(rows, &sent["options"]),
        Err(problem) => invalid("InvalidQuery", &problem),
    }
}

/// Child resources (credentials, deployments) are not in the table `resources`.
fn is_top(id: &str) -> bool {
    id.split("/providers/").nth(1).is_some_and(|rest| rest.split('/').count() == 3)
}

fn page(rows: Vec<Value>, options: &Value) -> Response {
    if options["resultFormat"].as_str().is_some_and(|format| format != "objectArray") {
        return invalid("InvalidRequest", "The sandbox answers with resultFormat objectArray only.");
    }
    let number = |name: &str| options[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let token = options["$skipToken"].as_str();
    let start = match token
        .map(|token| STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| text.parse().ok()))
    {
        Some(None) => return invalid("InvalidSkipToken", "The skip token is not one of ours."),
        Some(Some(start)) => start,
        None => number("$skip").unwrap_or(0),
    };
    let size = number("$top").unwrap_or(PAGE).min(PAGE_MOST);
    let total = rows.len();
    let data: Vec<Value> = rows.into_iter().skip(start).take(size).collect();
    let mut body = json!({"totalRecords": total, "count": data.len(), "data": data, "facets": [], "resultTruncated": "false"});
    if start + size < total {
        body["$skipToken"] = Value::from(STANDARD.encode((start + size).to_string()));
    }
    Response::json(200, &body)
}

fn row(azure: &Azure, one: &Resource) -> Value {
    let body = &one.body;
    let path = Path::parse(&Request { path: body["id"].as_str().unwrap_or_default().to_owned(), ..Request::default() });
    let field = |name: &str| body.get(name).cloned().unwrap_or(Value::Null);
    let lower = |name: &str| Value::from(body[name].as_str().unwrap_or_default().to_ascii_lowercase());
    json!({
        "id": field("id"),
        "name": field("name"),
        "type": lower("type"),
        "tenantId": azure.world.tenant,
        "kind": Value::from(body["kind"].as_str().unwrap_or_default()),
        "location": field("location"),
        "resourceGroup": path.group().to_ascii_lowercase(),
        "subscriptionId": path.subscription(),
        "managedBy": "",
        "sku": field("sku"),
        "plan": null,
        "properties": field("properties"),
        "tags": field("tags"),
        "identity": field("identity"),
        "zones": null,
        "extendedLocation": null,
    })
}

fn container(azure: &Azure, one: &Resource) -> Value {
    let mut row = row(azure, one);
    row["type"] = Value::from("microsoft.resources/subscriptions/resourcegroups");
    row["subscriptionId"] = Value::from(one.body["id"].as_str().and_then(|id| id.split('/').nth(2)).unwrap_or_default());
    row["resourceGroup"] = Value::from(one.body["name"].as_str().unwrap_or_default().to_ascii_lowercase());
    row
}

fn invalid(code: &str, message: &str) -> Response {
    let details = [json!({"code": code, "message": message})];
    Response::json(400, &json!({"error": {"code": "BadRequest", "message": "The query or its options are not valid.", "details": details}}))
}
