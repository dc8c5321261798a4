//! Text laid out for the width of the terminal: lines break between words, and continue with a hanging indent.
//! Commands are never broken, because a broken command can't be copied.

use dialoguer::console::Term;

/// Number of columns if the width is unknown.
const COLUMNS: usize = 80;
/// Minimum width for a layout.
const LEAST: usize = 40;

/// Output stream of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Messages.
    Err,
}

/// Width of a stream: of the terminal, or the value of COLUMNS if the stream is no terminal.
pub(super) fn width(stream: Stream) -> usize {
    let term = match stream {
        Stream::Out => Term::stdout(),
        Stream::Err => Term::stderr(),
    };
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    term.size_checked().map(|(_, columns)| usize::from(columns)).or_else(told).unwrap_or(COLUMNS).max(LEAST)
}

/// Width for errors: that of a terminal; elsewhere unlimited, so that a search in a log finds whole messages.
pub(super) fn width_for_errors() -> usize {
    Term::stderr().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns).max(LEAST))
}

/// Text that is built line by line.
#[derive(Debug)]
pub struct Page {
    width: usize,
    text: String,
}

impl Page {
    /// An empty page of `width` columns.
    pub fn new(width: usize) -> Page {
        Page { width, text: String::new() }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds a line that begins with `lead`; further lines are indented to the text after it.
    pub fn line(&mut self, lead: &str, text: &str) {
        self.hanging(lead, columns(lead), text);
    }

    /// Adds a line that begins with `lead`; further lines are indented to column `indent`.
    pub fn hanging(&mut self, lead: &str, indent: usize, text: &str) {
        let mut at = columns(lead);
        let mut line = lead.to_owned();
        let mut is_first = true;
        for word in text.split(' ') {
            let room = at + usize::from(!is_first) + columns(word);
            if !is_first && room > self.width {
                self.push(&line);
                line = " ".repeat(indent);
                at = indent;
                is_first = true;
            }
            // Blanks at a line break are dropped.
            if is_first && word.is_empty() {
                continue;
            }
            if !is_first {
                line.push(' ');
                at += 1;
            }
            line.push_str(word);
            at += columns(word);
            is_first = false;
        }
        self.push(&line);
    }

    /// Adds a command without breaking it. If it does not fit after `lead`, it gets a separate line.
    pub fn command(&mut self, lead: &str, text: &str) {
        if columns(lead) + columns(text) <= self.width {
            return self.push(&format!("{lead}{text}"));
        }
        self.push(lead);
        self.push(&format!("    {text}"));
    }

    /// Adds a line unchanged.
    pub fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Headings with their values, side by side if they fit.
pub(super) fn heads(pairs: &[(&str, String)], width: usize) -> String {
    let beside = pairs.iter().map(|(head, value)| format!("{head}  {value}")).collect::<Vec<_>>().join("   ");
    if columns(&beside) <= width {
        return beside + "\n";
    }
    let heads = pairs.iter().map(|(head, _)| columns(head)).max().unwrap_or(0);
    let mut page = Page::new(width);
    pairs.iter().for_each(|(head, value)| page.line(&format!("{head:heads$}  "), value));
    page.into_text()
}

/// Number of columns of a text on a terminal, without colour codes.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Whether a text contains a command that users will copy.
pub(super) fn is_command(text: &str) -> bool {
    ["kubectl ", "az ", "kubelogin ", "helm "].iter().any(|program| text.starts_with(program) || text.contains(&format!(" {program}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_with_a_hanging_indent() {
        let mut page = Page::new(20);
        page.line("  why  ", "one two three four");
        page.line("  x  ", "a-word-that-is-much-longer-than-a-line is kept whole");
        assert_eq!(
            page.into_text(),
            "  why  one two three\n       four\n  x  a-word-that-is-much-longer-than-a-line\n     is kept whole\n"
        );
    }

    #[test]
    fn headings_are_side_by_side_or_one_below_the_other() {
        let pairs = [("Cluster", "aks (rg)".to_owned()), ("Namespace", "shop".to_owned())];
        assert_eq!(heads(&pairs, 80), "Cluster  aks (rg)   Namespace  shop\n");
        assert_eq!(heads(&pairs, 20), "Cluster    aks (rg)\nNamespace  shop\n");
    }

    #[test]
    fn commands_are_not_broken() {
        let mut page = Page::new(30);
        page.command("  fix  ", "az login");
        page.command("  fix  ", "kubectl rollout restart deployment/web");
        assert_eq!(page.into_text(), "  fix  az login\n  fix\n    kubectl rollout restart deployment/web\n");
        assert!(is_command("or delete it: kubectl connect delete x") && !is_command("omit --scope"));
    }

    #[test]
    fn colour_codes_have_no_width() {
        assert_eq!(columns("\u{1b}[32m+\u{1b}[0m x"), 3);
    }
}
