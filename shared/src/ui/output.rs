//! Results on stdout: tables for people, JSON or YAML for programs, names for shells.

use std::io::Write;

use serde_json::Value;

use super::{Columns, Template, Ui};

/// Format of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Lines of `connection/NAME`.
    Name,
    /// Text with problems only.
    Short,
    /// A template from the command line; it exists until the program ends.
    JsonPath(&'static Template),
    /// Chosen columns.
    CustomColumns(&'static Columns),
}

impl Format {
    /// Whether people read it.
    pub fn is_text(self) -> bool {
        matches!(self, Format::Table | Format::Wide | Format::Short)
    }
}

impl Ui {
    /// Prints a result: `value` for programs, `text` for people, `names` for shells.
    pub fn result(&self, value: &Value, text: impl FnOnce() -> String, names: &[String]) {
        let worded = self.wording.is_some().then(|| {
            let mut worded = value.clone();
            self.worded_within(&mut worded);
            worded
        });
        let value = worded.as_ref().unwrap_or(value);
        match self.format {
            Format::Table | Format::Wide | Format::Short => print(&self.worded(&text())),
            Format::Json => print_json(value),
            Format::Yaml => print(&yaml(value)),
            Format::Name => print(&names.join("\n")),
            Format::JsonPath(template) => print(&template.fill(value)),
            Format::CustomColumns(columns) => print(&columns.fill(value, self.no_headers)),
        }
    }
}

/// YAML that older YAML parsers, such as kubectl's, read correctly: words such as `yes` and `on` are quoted.
pub(super) fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

pub(super) fn print_json(value: &Value) {
    print(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints to stdout. A closed pipe (`| head`) is not an error.
fn print(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut stdout = anstream::stdout();
    let _ = if text.ends_with('\n') { write!(stdout, "{text}") } else { writeln!(stdout, "{text}") };
    let _ = stdout.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_that_older_parsers_take_for_booleans_are_quoted() {
        let text = yaml(&json!({"a": "yes", "b": "on", "c": true, "d": "1:30"}));
        for quoted in ["yes", "on", "1:30"] {
            assert!(text.contains(&format!("\"{quoted}\"")) || text.contains(&format!("'{quoted}'")), "{text}");
        }
        assert!(text.contains("c: true"));
    }
}
