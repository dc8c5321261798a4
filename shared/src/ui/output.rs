//! Results on stdout: as a table for people, as JSON or YAML for programs, as names for shells.

use std::io::Write;

use serde_json::Value;

use super::{Columns, Template, Ui};

/// Form of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For people with room.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `connection/NAME` lines.
    Name,
    /// For people: only what is not as it should be.
    Short,
    /// A template, which lives as long as the run: it came from the command line.
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

/// YAML as kubectl's reader takes it: words such as `yes` and `on` quoted.
pub(super) fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

pub(super) fn print_json(value: &Value) {
    print(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// A closed pipe (`| head`) is no error.
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
    fn words_that_older_readers_take_for_booleans_are_quoted() {
        let text = yaml(&json!({"a": "yes", "b": "on", "c": true, "d": "1:30"}));
        for quoted in ["yes", "on", "1:30"] {
            assert!(text.contains(&format!("\"{quoted}\"")) || text.contains(&format!("'{quoted}'")), "{text}");
        }
        assert!(text.contains("c: true"));
    }
}
