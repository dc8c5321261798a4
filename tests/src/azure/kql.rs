//! The part of the query language that finding a resource takes. What it does not know it refuses, rather than guess.

use std::cmp::Ordering;

use serde_json::{Map, Value};

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

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["=~", "!~", "==", "!=", "<=", ">=", "<", ">", "=", "|", "(", ")", ",", ".", "[", "]"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if first == '\'' || first == '"' {
            let (value, after) = quoted(&rest[1..], first)?;
            found.push(Token::Text(value));
            rest = after;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            found.push(Token::Number(rest[..end].parse().map_err(|_| format!("'{}' is no number", &rest[..end]))?));
            rest = &rest[end..];
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            let mut word = rest[..end].to_owned();
            rest = &rest[end..];
            // Operators such as `in~` and `has_any` are one word.
            if word == "in" && rest.starts_with('~') {
                word.push('~');
                rest = &rest[1..];
            }
            found.push(Token::Word(word));
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let Some(after) = rest.strip_prefix('!') {
            found.push(Token::Word("!".into()));
            rest = after;
        } else {
            return Err(format!("'{first}' is not understood"));
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, one)) = chars.next() {
        match one {
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            _ if one == quote => return Ok((value, &text[at + quote.len_utf8()..])),
            _ => value.push(one),
        }
    }
    Err("a text has no end".into())
}

/// Parses a query.
pub(crate) fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let table = parser.word()?.to_ascii_lowercase();
    let mut steps = Vec::new();
    while parser.at < parser.tokens.len() {
        parser.sign("|")?;
        steps.push(parser.step()?);
    }
    Ok(Query { table, steps })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(own)) if *own == sign);
        self.at += usize::from(is);
        is
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(own)) if own == word);
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> Result<(), String> {
        if self.accept(sign) { Ok(()) } else { Err(format!("'{sign}' expected, not {:?}", self.peek())) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            other => Err(format!("a name expected, not {other:?}")),
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        let name = self.word()?;
        Ok(match name.as_str() {
            "where" | "filter" => Step::Where(self.or()?),
            "project" => Step::Project(self.columns()?),
            "extend" => Step::Extend(self.columns()?),
            "order" | "sort" => {
                if !self.accept_word("by") {
                    return Err("'by' expected".into());
                }
                let mut keys = Vec::new();
                loop {
                    let key = self.operand()?;
                    // Without a word the order falls, as documented.
                    let rising = self.accept_word("asc") || {
                        self.accept_word("desc");
                        false
                    };
                    keys.push((key, rising));
                    if !self.accept(",") {
                        break Step::Order(keys);
                    }
                }
            }
            "take" | "limit" => match self.peek().cloned() {
                Some(Token::Number(number)) => {
                    self.at += 1;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "row counts are small and not negative")]
                    Step::Take(number as usize)
                }
                other => return Err(format!("a number expected, not {other:?}")),
            },
            "count" => Step::Count,
            other => return Err(format!("the operator '{other}' is not known here")),
        })
    }

    fn columns(&mut self) -> Result<Vec<(String, Expr)>, String> {
        let mut columns = Vec::new();
        loop {
            let named = matches!((self.tokens.get(self.at), self.tokens.get(self.at + 1)), (Some(Token::Word(_)), Some(Token::Sign("="))));
            if named {
                let name = self.word()?;
                self.sign("=")?;
                columns.push((name, self.or()?));
            } else {
                let expr = self.operand()?;
                let Expr::Path(path) = &expr else {
                    return Err("a computed column needs a name".into());
                };
                // `properties.fqdn` becomes the column `properties_fqdn`.
                columns.push((path.join("_"), expr));
            }
            if !self.accept(",") {
                return Ok(columns);
            }
        }
    }

    fn or(&mut self) -> Result<Expr, String> {
        let mut left = self.and()?;
        while self.accept_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut left = self.comparison()?;
        while self.accept_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.operand()?;
        let negated = self.accept_word("!");
        let op = match self.peek().cloned() {
            Some(Token::Sign(sign)) if !negated => match sign {
                "==" => Op::Equal,
                "!=" => Op::NotEqual,
                "=~" => Op::EqualCaseless,
                "!~" => Op::NotEqualCaseless,
                "<" => Op::Less,
                "<=" => Op::LessEqual,
                ">" => Op::Greater,
                ">=" => Op::GreaterEqual,
                _ => return Ok(left),
            },
            Some(Token::Word(word)) => match (word.as_str(), negated) {
                ("in" | "in~", _) => {
                    self.at += 1;
                    return self.any_of(left, word == "in~", negated);
                }
                ("contains", false) => Op::Contains,
                ("contains", true) => Op::NotContains,
                ("startswith", false) => Op::StartsWith,
                ("endswith", false) => Op::EndsWith,
                ("has", false) => Op::Has,
                ("and" | "or" | "asc" | "desc", false) => return Ok(left),
                (other, _) => return Err(format!("the operator '{other}' is not known here")),
            },
            _ if negated => return Err("an operator expected after '!'".into()),
            _ => return Ok(left),
        };
        self.at += 1;
        Ok(Expr::Compare(Box::new(left), op, Box::new(self.operand()?)))
    }

    fn any_of(&mut self, left: Expr, caseless: bool, negated: bool) -> Result<Expr, String> {
        self.sign("(")?;
        let mut any = vec![self.operand()?];
        while self.accept(",") {
            any.push(self.operand()?);
        }
        self.sign(")")?;
        Ok(Expr::In { left: Box::new(left), any, caseless, negated })
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.accept("(") {
            let inner = self.or()?;
            self.sign(")")?;
            return Ok(inner);
        }
        match self.peek().cloned() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(text)))
            }
            Some(Token::Number(number)) => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(number)))
            }
            Some(Token::Word(word)) if word == "true" || word == "false" => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(word == "true")))
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                if self.accept("(") {
                    return self.call(word);
                }
                let mut path = vec![word];
                loop {
                    if self.accept(".") {
                        path.push(self.word()?);
                    } else if self.accept("[") {
                        let Some(Token::Text(key)) = self.peek().cloned() else {
                            return Err("a quoted key expected after '['".into());
                        };
                        self.at += 1;
                        self.sign("]")?;
                        path.push(key);
                    } else {
                        return Ok(Expr::Path(path));
                    }
                }
            }
            other => Err(format!("a value expected, not {other:?}")),
        }
    }

    fn call(&mut self, name: String) -> Result<Expr, String> {
        if !["tolower", "toupper", "tostring", "tobool", "isnull", "isnotnull", "isempty", "isnotempty", "not", "coalesce"]
            .contains(&name.as_str())
        {
            return Err(format!("the function '{name}' is not known here"));
        }
        let mut arguments = Vec::new();
        while !self.accept(")") {
            if !arguments.is_empty() {
                self.sign(",")?;
            }
            arguments.push(self.or()?);
        }
        Ok(Expr::Call(name, arguments))
    }
}

/// Runs a query over rows.
pub(crate) fn run(query: &Query, mut rows: Vec<Value>) -> Result<Vec<Value>, String> {
    for step in &query.steps {
        // A column that no row can have is a mistake in the query, and the real service says so.
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
        // Only `coalesce` is left: the parser lets no other name pass.
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
    fn what_is_not_known_is_refused() {
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
