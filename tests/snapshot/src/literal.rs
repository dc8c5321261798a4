//! The literal of an inline snapshot: found in a source, read without its indentation, written with it.

/// A text without the indentation that all of its lines share, and without the line breaks around it.
pub(crate) fn dedent(literal: &str) -> String {
    let text = literal.strip_prefix('\n').unwrap_or(literal).trim_end();
    let indents = text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start_matches(' ').len());
    let indent = indents.min().unwrap_or(0);
    text.lines().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The literal for a text, within code that is indented by `indent`.
pub(crate) fn written(text: &str, indent: &str) -> String {
    let mut hashes = String::from("#");
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    if text.is_empty() {
        return format!("r{hashes}\"\"{hashes}");
    }
    let line = |line: &str| if line.is_empty() { "\n".into() } else { format!("{indent}    {line}\n") };
    format!("r{hashes}\"\n{}{indent}\"{hashes}", text.lines().map(line).collect::<String>())
}

/// Where the first raw string with a `#` stands in or after a line (counted from 1), from its `r` to its last `#`, and how
/// far that line is indented.
pub(crate) fn find(source: &str, line: u32) -> Option<(usize, usize, String)> {
    let from = source.split_inclusive('\n').take(usize::try_from(line).ok()? - 1).map(str::len).sum();
    let indent: String = source[from..].chars().take_while(|c| *c == ' ').collect();
    let start = from + source[from..].find("r#")?;
    let hashes: String = source[start + 1..].chars().take_while(|c| *c == '#').collect();
    let open = start + 1 + hashes.len();
    let inside = source[open..].strip_prefix('"')?;
    let end = open + 1 + inside.find(&format!("\"{hashes}"))? + 1 + hashes.len();
    Some((start, end, indent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["", "one", "one\n\n  two\nthree", "  indented\nnot", "a \"# b", "{\n  \"a\": 1\n}"] {
            let literal = written(text, "        ");
            let source = format!("fn x() {{\n        inline!(\n            said, {literal});\n}}\n");
            let (start, end, indent) = find(&source, 2).unwrap();
            assert_eq!((&source[start..end], indent.as_str()), (literal.as_str(), "        "));
            let hashes = literal[1..].find('"').unwrap();
            assert_eq!(dedent(&literal[hashes + 2..literal.len() - hashes - 1]), text, "{literal}");
        }
    }
}
