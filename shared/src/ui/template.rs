//! `-o jsonpath=` and `-o custom-columns=` with the syntax that users of kubectl need: fields, `['a.b']`, `[0]`,
//! `[-1]`, `[1:3]`, `[*]`, `..name`, `[?(@.a=="b")]`, `{range}…{end}` and quoted text. Missing values are empty, as
//! in `kubectl get`.

use serde_json::Value;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Node>);

/// Columns: heading and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<(String, Vec<Step>)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Node>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `$`: the whole value, also within a range.
    Root,
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    All,
    Below(String),
    Where(Vec<Step>, Option<(bool, String)>),
}

impl Template {
    /// Parses a template. Without braces the whole text is one path, as in kubectl.
    ///
    /// # Errors
    /// Why the text is invalid.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.trim().is_empty() {
            return Err("the template is empty".into());
        }
        let text = if text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
        let mut rest = text.as_str();
        let nodes = nodes(&mut rest, false)?;
        Ok(Template(nodes))
    }

    /// The template filled with `value`.
    pub fn fill(&self, value: &Value) -> String {
        let mut out = String::new();
        fill(&self.0, value, value, &mut out);
        out
    }
}

impl Columns {
    /// Parses `HEAD:.path,HEAD:.path`.
    ///
    /// # Errors
    /// Why the text is invalid.
    pub fn parse(text: &str) -> Result<Columns, String> {
        let column = |part: &str| {
            let (head, path) = part.split_once(':').ok_or_else(|| format!("`{part}` is not HEAD:.path"))?;
            let path = path.trim().trim_start_matches('{').trim_end_matches('}');
            Ok((head.trim().to_owned(), steps(path)?))
        };
        let columns: Result<Vec<_>, String> = split_outside(text).into_iter().map(column).collect();
        columns.map(Columns)
    }

    /// One row per item of a list; one row for any other value.
    pub fn fill(&self, value: &Value, no_headers: bool) -> String {
        let items = rows(value);
        let mut lines: Vec<Vec<String>> = Vec::new();
        if !no_headers {
            lines.push(self.0.iter().map(|(head, _)| head.clone()).collect());
        }
        lines.extend(items.iter().map(|item| self.0.iter().map(|(_, path)| cell(path, item)).collect()));
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.0.len()).map(width).collect();
        let line = |cells: &Vec<String>| {
            let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            format!("{}\n", padded.join("   ").trim_end())
        };
        lines.iter().map(line).collect()
    }
}

/// The rows of a result: the items of its list; a value without a list is one row.
fn rows(value: &Value) -> Vec<&Value> {
    let lists = ["items", "services", "findings", "events", "parts", "changes"];
    if let Some(list) = lists.iter().find_map(|key| value[*key].as_array()) {
        return list.iter().collect();
    }
    match value["categories"].as_array() {
        Some(categories) => categories.iter().flat_map(|category| category["checks"].as_array().into_iter().flatten()).collect(),
        None => vec![value],
    }
}

fn cell(path: &[Step], item: &Value) -> String {
    let found: Vec<String> = follow(path, item).into_iter().map(shown).collect();
    if found.is_empty() { "<none>".into() } else { found.join(",") }
}

/// Splits at commas between columns, but not at those within brackets.
fn split_outside(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn nodes(rest: &mut &str, inside_range: bool) -> Result<Vec<Node>, String> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let Some(open) = rest.find('{') else {
            found.push(Node::Text(std::mem::take(rest).to_owned()));
            break;
        };
        if open > 0 {
            found.push(Node::Text(rest[..open].to_owned()));
        }
        let (inner, after) = braced(&rest[open + 1..])?;
        *rest = after;
        let inner = inner.trim();
        if inner == "end" {
            return if inside_range { Ok(found) } else { Err("{end} without {range}".into()) };
        } else if let Some(path) = inner.strip_prefix("range ") {
            found.push(Node::Range(steps(path.trim())?, nodes(rest, true)?));
        } else if let Some(text) = quoted(inner) {
            found.push(Node::Text(text));
        } else {
            found.push(Node::Path(steps(inner)?));
        }
    }
    if inside_range { Err("{range} without {end}".into()) } else { Ok(found) }
}

/// Splits at the closing brace that is outside quotes.
fn braced(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Ok((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    Err("a brace is not closed".into())
}

fn quoted(text: &str) -> Option<String> {
    let inner = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q))?;
    Some(inner.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut found: Vec<Step> = path.starts_with('$').then_some(Step::Root).into_iter().collect();
    let mut rest = path.strip_prefix(['$', '@']).unwrap_or(path);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            let (name, next) = field(after);
            found.push(Step::Below(name));
            rest = next;
        } else if let Some(after) = rest.strip_prefix('[') {
            let close = closing(after).ok_or_else(|| format!("a bracket of `{path}` is not closed"))?;
            found.push(bracket(&after[..close])?);
            rest = &after[close + 1..];
        } else {
            let (name, next) = field(rest.strip_prefix('.').unwrap_or(rest));
            match name.as_str() {
                "" if next.len() == rest.len() => return Err(format!("`{path}` is not a valid path")),
                "" => {}
                "*" => found.push(Step::All),
                _ => found.push(Step::Field(name)),
            }
            rest = next;
        }
    }
    Ok(found)
}

/// Parses a name; `\.` in it is a dot that belongs to the name.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '\\' => name.extend(letters.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("`[{text}]` can't be understood"));
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(name) = quoted(text) {
        return Ok(Step::Field(name));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        let (sign, equal) = if filter.contains("!=") { ("!=", false) } else { ("==", true) };
        return match filter.split_once(sign) {
            Some((path, value)) => {
                let value = value.trim();
                Ok(Step::Where(steps(path.trim())?, Some((equal, quoted(value).unwrap_or_else(|| value.to_owned())))))
            }
            None => Ok(Step::Where(steps(filter.trim())?, None)),
        };
    }
    if let Some((from, to)) = text.split_once(':') {
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
        return Ok(Step::Slice(bound(from)?, bound(to)?));
    }
    number(text).map(Step::Index)
}

fn fill(nodes: &[Node], root: &Value, at: &Value, out: &mut String) {
    let from = |path: &[Step]| if path.first() == Some(&Step::Root) { root } else { at };
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let found: Vec<String> = follow(path, from(path)).into_iter().map(shown).collect();
                out.push_str(&found.join(" "));
            }
            Node::Range(path, inner) => follow(path, from(path)).into_iter().for_each(|item| fill(inner, root, item, out)),
        }
    }
}

fn follow<'v>(path: &[Step], from: &'v Value) -> Vec<&'v Value> {
    path.iter().fold(vec![from], |found, step| found.into_iter().flat_map(|value| one(step, value)).collect())
}

fn one<'v>(step: &Step, value: &'v Value) -> Vec<&'v Value> {
    let children = |value: &'v Value| -> Vec<&'v Value> {
        match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(fields) => fields.values().collect(),
            _ => Vec::new(),
        }
    };
    let items = || value.as_array().map_or(&[][..], Vec::as_slice);
    let place = |at: i64| usize::try_from(if at < 0 { at + i64::try_from(items().len()).unwrap_or(0) } else { at }).unwrap_or(0);
    match step {
        Step::Root => vec![value],
        Step::Field(name) => value.get(name).filter(|v| !v.is_null()).into_iter().collect(),
        Step::Index(at) if *at < 0 && at.unsigned_abs() > items().len() as u64 => Vec::new(),
        Step::Index(at) => items().get(place(*at)).into_iter().collect(),
        Step::Slice(from, to) => {
            let to = to.map_or(items().len(), place).min(items().len());
            items().get(from.map_or(0, place)..to).map_or_else(Vec::new, |part| part.iter().collect())
        }
        Step::All => children(value),
        Step::Below(name) => {
            let mut found: Vec<&Value> = value.get(name).into_iter().collect();
            found.extend(children(value).into_iter().flat_map(|child| one(step, child)));
            found
        }
        Step::Where(path, test) => {
            let holds = |item: &&Value| {
                let found = follow(path, item);
                match test {
                    None => !found.is_empty(),
                    Some((equal, wanted)) => found.iter().any(|v| shown(v) == *wanted) == *equal,
                }
            };
            items().iter().filter(holds).collect()
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Value {
        json!({"kind": "ConnectionList", "items": [
            {"metadata": {"name": "a", "annotations": {"x.y/z": "dotted"}}, "status": {"phase": "Ready", "n": 1}},
            {"metadata": {"name": "b"}, "status": {"phase": "Failed", "n": null}}]})
    }

    #[test]
    fn templates_work_like_in_kubectl() {
        for (template, expected) in [
            ("{.items[*].metadata.name}", "a b"),
            (".items[0].metadata.name", "a"),
            ("{.items[-1].metadata.name}", "b"),
            ("{.items[0:1].status.n}", "1"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{.status.phase}{\"\\n\"}{end}", "a\tReady\nb\tFailed\n"),
            ("{.items[?(@.status.phase==\"Ready\")].metadata.name}", "a"),
            ("{.items[?(@.status.phase!=\"Ready\")].metadata.name}", "b"),
            ("{.items[?(@.metadata.annotations)].metadata.name}", "a"),
            ("{..name}", "a b"),
            ("{.items[0].metadata.annotations['x.y/z']}", "dotted"),
            ("{.items[0].metadata.annotations.x\\.y/z}", "dotted"),
            ("{.items[7].metadata.name}|{.nothing.at.all}", "|"),
            ("{.items[0].status}", "{\"phase\":\"Ready\",\"n\":1}"),
            ("kind: {$.kind}", "kind: ConnectionList"),
            ("{range .items[*]}{.metadata.name}/{$.kind} {end}", "a/ConnectionList b/ConnectionList "),
        ] {
            assert_eq!(Template::parse(template).unwrap().fill(&list()), expected, "{template}");
        }
    }

    #[test]
    fn invalid_templates_are_refused_with_the_reason() {
        for (template, word) in
            [("", "empty"), ("{.a", "brace"), ("{range .a}x", "{end}"), ("{end}", "{range}"), ("{.a[x]}", "[x]"), ("{.a[0}", "bracket")]
        {
            let why = Template::parse(template).unwrap_err();
            assert!(why.contains(word), "{template}: {why}");
        }
        assert!(Columns::parse("NAME").unwrap_err().contains("HEAD:.path"));
    }

    #[test]
    fn columns_line_up() {
        let columns = Columns::parse("NAME:.metadata.name,N:{.status.n},WHERE:.items[?(@.a==\"1,2\")]").unwrap();
        assert_eq!(columns.fill(&list(), false), "NAME   N        WHERE\na      1        <none>\nb      <none>   <none>\n");
        assert_eq!(columns.fill(&list()["items"][0], true), "a   1   <none>\n");
    }
}
