//! Parses the values of `-o` and `--progress`.

use clap::ValueEnum;

use crate::ui::{Columns, Format, ProgressForm, Template};

/// The possible values of `-o`.
pub const FORMS: [&str; 7] = ["wide", "json", "yaml", "name", "short", "jsonpath=", "custom-columns="];

/// Form of progress messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Progress {
    Auto,
    Plain,
    Json,
}

impl From<Progress> for ProgressForm {
    fn from(form: Progress) -> Self {
        match form {
            Progress::Auto => ProgressForm::Auto,
            Progress::Plain => ProgressForm::Plain,
            Progress::Json => ProgressForm::Json,
        }
    }
}

/// Parses a value of `-o`.
pub fn parse(text: &str) -> Result<Format, String> {
    // Templates are leaked. There is at most one per run, and so a format is a plain value that can be copied.
    if let Some(template) = text.strip_prefix("jsonpath=") {
        return Template::parse(template).map(|t| Format::JsonPath(Box::leak(Box::new(t))));
    }
    if let Some(columns) = text.strip_prefix("custom-columns=") {
        return Columns::parse(columns).map(|c| Format::CustomColumns(Box::leak(Box::new(c))));
    }
    match text {
        "wide" => Ok(Format::Wide),
        "json" => Ok(Format::Json),
        "yaml" => Ok(Format::Yaml),
        "name" => Ok(Format::Name),
        "short" => Ok(Format::Short),
        _ => Err(format!("must be one of {}", FORMS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_others_are_refused() {
        for form in FORMS {
            let text = match form {
                "jsonpath=" => "jsonpath={.a}",
                "custom-columns=" => "custom-columns=A:.a",
                plain => plain,
            };
            assert!(parse(text).is_ok(), "{form}");
        }
        for wrong in ["xml", "", "jsonpath", "jsonpath=", "custom-columns=A"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
