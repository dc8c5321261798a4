//! Text for people within the width of their terminal: lines break between words, never inside one, and go on under their
//! own beginning. Commands are not broken at all, because a broken command can't be copied.

use dialoguer::console::Term;

/// Columns where nothing tells how many there are.
const COLUMNS: usize = 80;
/// Below this nothing can be laid out.
const LEAST: usize = 40;

/// Where a page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Results.
    Out,
    /// Everything else.
    Err,
}

/// Columns of a stream: of the terminal, or what COLUMNS says where the stream leads elsewhere.
pub(super) fn width(stream: Stream) -> usize {
    let term = match stream {
        Stream::Out => Term::stdout(),
        Stream::Err => Term::stderr(),
    };
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    term.size_checked().map(|(_, columns)| usize::from(columns)).or_else(told).unwrap_or(COLUMNS).max(LEAST)
}

/// Columns for errors: those of the terminal, and no limit elsewhere, because logs are searched for what an error says.
pub(super) fn width_for_errors() -> usize {
    Term::stderr().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns).max(LEAST))
}

/// Text that grows line by line.
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

    /// Its columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A line that begins with `lead` and goes on under the first letter after it.
    pub fn line(&mut self, lead: &str, text: &str) {
        self.hanging(lead, columns(lead), text);
    }

    /// A line that begins with `lead` and goes on at column `indent`.
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
            // Blanks at a break are gone.
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

    /// A line that is left as it is: a command. Where it does not fit beside `lead` it stands on a line of its own.
    pub fn command(&mut self, lead: &str, text: &str) {
        if columns(lead) + columns(text) <= self.width {
            return self.push(&format!("{lead}{text}"));
        }
        self.push(lead);
        self.push(&format!("    {text}"));
    }

    /// A line as it is.
    pub fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Heads with their values, beside each other where there is room.
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

/// Columns that a text takes on a terminal; colours take none.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Whether a text holds a command that somebody will copy.
pub(super) fn is_command(text: &str) -> bool {
    ["kubectl ", "az ", "kubelogin ", "helm "].iter().any(|program| text.starts_with(program) || text.contains(&format!(" {program}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_go_on_under_their_beginning() {
        let mut page = Page::new(20);
        page.line("  why  ", "one two three four");
        page.line("  x  ", "a-word-that-is-much-longer-than-a-line is kept whole");
        assert_eq!(
            page.into_text(),
            "  why  one two three\n       four\n  x  a-word-that-is-much-longer-than-a-line\n     is kept whole\n"
        );
    }

    #[test]
    fn heads_stand_beside_each_other_or_below() {
        let pairs = [("Cluster", "aks (rg)".to_owned()), ("Namespace", "shop".to_owned())];
        assert_eq!(heads(&pairs, 80), "Cluster  aks (rg)   Namespace  shop\n");
        assert_eq!(heads(&pairs, 20), "Cluster    aks (rg)\nNamespace  shop\n");
    }

    #[test]
    fn commands_stay_whole() {
        let mut page = Page::new(30);
        page.command("  fix  ", "az login");
        page.command("  fix  ", "kubectl rollout restart deployment/web");
        assert_eq!(page.into_text(), "  fix  az login\n  fix\n    kubectl rollout restart deployment/web\n");
        assert!(is_command("or delete it: kubectl connect delete x") && !is_command("leave --scope away"));
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(columns("\u{1b}[32m+\u{1b}[0m x"), 3);
    }
}
