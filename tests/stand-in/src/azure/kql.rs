//! The part of the query language that is needed to find a resource. Unknown syntax is refused.

use std::cmp::Ordering;

use serde_json::{Map, Value};

mod parse;

pub(crate) use parse::parse;

/// A parsed query.
#[derive(Debug, PartialEq)]
pub(crate) struct Query {
    /// Table, lower case.
    pub(crate) table: String,
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
enum Step {
    Where(Expr),
    Project(Vec<(String, Expr)>),
    Extend(Vec<(String, Expr)>),
    Order(Vec<(Expr, bool)>),
    Take(usize),
    Count,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Path(Vec<String>),
    Literal(Value),
    Call(String, Vec<Expr>),
    Compare(Box<Expr>, Op, Box<Expr>),
    In { left: Box<Expr>, any: Vec<Expr>, caseless: bool, negated: bool },
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Equal,
    NotEqual,
    EqualCaseless,
    NotEqualCaseless,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    Has,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Runs a query over rows.
pub(crate) fn run(query: &Query, mut rows: Vec<Value>) -> Result<Vec<Value>, String> {
    for step in &query.steps {
        // The real service reports a column that no row can have.
        if let (Step::Where(condition), Some(row)) = (step, rows.first())
            && let Some(stray) = columns_in(condition).into_iter().find(|name| row.get(*name).is_none())
        {
            return Err(format!("Failed to resolve the column '{stray}'."));
        }
        match step {
            Step::Where(condition) => rows.retain(|row| eval(condition, row) == true),
            Step::Take(count) => rows.truncate(*count),
            Step::Count => rows = vec![serde_json::json!({"Count": rows.len()})],
            Step::Order(keys) => rows.sort_by(|a, b| {
                keys.iter()
                    .map(|(key, rising)| {
                        let order = compare(&eval(key, a), &eval(key, b));
                        if *rising { order } else { order.reverse() }
                    })
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            }),
            Step::Project(columns) => {
                for row in &mut rows {
                    let projected: Map<String, Value> = columns.iter().map(|(name, expr)| (name.clone(), eval(expr, row))).collect();
                    *row = Value::Object(projected);
                }
            }
            Step::Extend(columns) => {
                for row in &mut rows {
                    let added: Vec<_> = columns.iter().map(|(name, expr)| (name.clone(), eval(expr, row))).collect();
                    row.as_object_mut().into_iter().for_each(|fields| fields.extend(added.clone()));
                }
            }
        }
    }
    Ok(rows)
}

fn columns_in(expr: &Expr) -> Vec<&str> {
    match expr {
        Expr::Path(path) => path.first().map(String::as_str).into_iter().collect(),
        Expr::Compare(a, _, b) | Expr::And(a, b) | Expr::Or(a, b) => [columns_in(a), columns_in(b)].concat(),
        Expr::In { left, any, .. } => any.iter().fold(columns_in(left), |found, one| [found, columns_in(one)].concat()),
        Expr::Call(_, arguments) => arguments.iter().flat_map(columns_in).collect(),
        Expr::Literal(_) => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => text(a).cmp(&text(b)),
    }
}

fn eval(expr: &Expr, row: &Value) -> Value {
    match expr {
        Expr::Literal(value) => value.clone(),
        Expr::Path(path) => path.iter().try_fold(row, |at, key| at.get(key)).cloned().unwrap_or(Value::Null),
        Expr::And(a, b) => Value::from(eval(a, row) == true && eval(b, row) == true),
        Expr::Or(a, b) => Value::from(eval(a, row) == true || eval(b, row) == true),
        Expr::In { left, any, caseless, negated } => {
            let left = text(&eval(left, row));
            let found = any
                .iter()
                .map(|one| text(&eval(one, row)))
                .any(|one| if *caseless { one.eq_ignore_ascii_case(&left) } else { one == left });
            Value::from(found != *negated)
        }
        Expr::Call(name, arguments) => call(name, &arguments.iter().map(|one| eval(one, row)).collect::<Vec<_>>()),
        Expr::Compare(left, op, right) => {
            let (left, right) = (eval(left, row), eval(right, row));
            let (a, b) = (text(&left), text(&right));
            let (low_a, low_b) = (a.to_lowercase(), b.to_lowercase());
            let order = compare(&left, &right);
            Value::from(match op {
                Op::Equal => order.is_eq() && left.is_null() == right.is_null(),
                Op::NotEqual => order.is_ne(),
                Op::EqualCaseless => low_a == low_b,
                Op::NotEqualCaseless => low_a != low_b,
                Op::Contains => low_a.contains(&low_b),
                Op::NotContains => !low_a.contains(&low_b),
                Op::StartsWith => low_a.starts_with(&low_b),
                Op::EndsWith => low_a.ends_with(&low_b),
                Op::Has => low_a.split(|c: char| !c.is_alphanumeric()).any(|word| word == low_b) || low_a == low_b,
                Op::Less => order.is_lt(),
                Op::LessEqual => order.is_le(),
                Op::Greater => order.is_gt(),
                Op::GreaterEqual => order.is_ge(),
            })
        }
    }
}

fn call(name: &str, arguments: &[Value]) -> Value {
    let first = arguments.first().cloned().unwrap_or(Value::Null);
    match name {
        "tolower" => Value::from(text(&first).to_lowercase()),
        "toupper" => Value::from(text(&first).to_uppercase()),
        "tostring" => Value::from(text(&first)),
        "tobool" => Value::from(first == true || text(&first).eq_ignore_ascii_case("true")),
        "isnull" => Value::from(first.is_null()),
        "isnotnull" => Value::from(!first.is_null()),
        "isempty" => Value::from(text(&first).is_empty()),
        "isnotempty" => Value::from(!text(&first).is_empty()),
        "not" => Value::from(first != true),
        // The parser accepts only `coalesce` besides the functions above.
        _ => arguments.iter().find(|one| !text(one).is_empty()).cloned().unwrap_or(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows() -> Vec<Value> {
        vec![
            json!({"name": "My-Vault", "type": "microsoft.keyvault/vaults", "properties": {"fqdn": null}}),
            json!({"name": "aks", "type": "microsoft.containerservice/managedclusters", "properties": {"fqdn": "Aks.hcp.westeurope.azmk8s.io"}}),
        ]
    }

    fn names(query: &str) -> Vec<Value> {
        run(&parse(query).unwrap(), rows()).unwrap().into_iter().map(|row| row["name"].clone()).collect()
    }

    #[test]
    fn finds_without_case_where_asked() {
        assert_eq!(names("Resources | where type =~ 'Microsoft.KeyVault/vaults' and name =~ 'my-vault'"), ["My-Vault"]);
        assert!(names("resources | where name == 'my-vault'").is_empty());
        assert_eq!(names("resources | where name in~ ('MY-VAULT', \"x\")"), ["My-Vault"]);
    }

    #[test]
    fn and_binds_tighter_than_or() {
        let query = "resources | where name == 'aks' or name == 'My-Vault' and type == 'x'";
        assert_eq!(names(query), ["aks"]);
        assert!(names("resources | where (name == 'aks' or name == 'My-Vault') and type == 'x'").is_empty());
    }

    #[test]
    fn projects_dotted_paths_and_computed_columns() {
        let query =
            parse("resources | where tolower(properties.fqdn) startswith 'aks.' | project id = name, properties.fqdn | take 1").unwrap();
        assert_eq!(run(&query, rows()).unwrap(), [json!({"id": "aks", "properties_fqdn": "Aks.hcp.westeurope.azmk8s.io"})]);
    }

    #[test]
    fn orders_and_counts() {
        assert_eq!(names("resources | order by name asc"), ["My-Vault", "aks"]);
        assert_eq!(names("resources | order by name"), ["aks", "My-Vault"]);
        assert_eq!(run(&parse("resources | count").unwrap(), rows()).unwrap(), [json!({"Count": 2})]);
    }

    #[test]
    fn a_quote_in_a_text_cannot_end_it() {
        assert!(names(r"resources | where name == 'x\' or name == \'aks'").is_empty());
    }

    #[test]
    fn unknown_syntax_is_refused() {
        for query in [
            "resources | summarize count()",
            "resources | where name ~~ 'a'",
            "resources | where name == 'a",
            "resources where name == 'a'",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
    }
}
