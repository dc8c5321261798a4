//! Numbers, lists, ages and long addresses in words: one function each, so that every message counts, cuts and shortens in
//! the same way.

/// How many names a list in a message shows.
const SHOWN: usize = 5;

/// `1 problem`, `3 problems`, `2 entries`. The noun is given in the singular.
pub fn count(number: impl std::fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    if number == "1" {
        return format!("1 {noun}");
    }
    let before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// `a vault`, `an AI account`.
pub fn a(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// `a, b, c`: sorted, and cut after five with `…`.
pub fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    names.sort();
    names.dedup();
    nearest(&names)
}

/// The first five, sorted, with `…` where there are more: of names that are ordered by how near they are to what was typed.
pub fn nearest<T: AsRef<str>>(names: &[T]) -> String {
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    shown.sort_unstable();
    if names.len() > SHOWN {
        shown.push("…");
    }
    shown.join(", ")
}

/// An age as kubectl writes it: `45s`, `12m`, `5h`, `3d`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s if s < 120 => format!("{s}s"),
        s if s < 2 * 3600 => format!("{}m", s / 60),
        s if s < 48 * 3600 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86400),
    }
}

/// A text for people in which each GUID of an address is cut to its first eight characters: an issuer's address has two of
/// them and fills a line. Programs get the text as it is.
pub fn short_addresses(text: &str) -> String {
    let word = |word: &str| match word.split_once("https://") {
        Some((before, rest)) => {
            let parts: Vec<String> = rest.split('/').map(short_guid).collect();
            format!("{before}https://{}", parts.join("/"))
        }
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn short_guid(part: &str) -> String {
    let is_guid = part.len() == 36
        && part.bytes().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() });
    if is_guid { format!("{}…", &part[..8]) } else { part.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_number() {
        for (number, noun, text) in [
            (0, "problem", "0 problems"),
            (1, "problem", "1 problem"),
            (3, "pod", "3 pods"),
            (2, "policy", "2 policies"),
            (2, "key", "2 keys"),
        ] {
            assert_eq!(count(number, noun), text);
        }
    }

    #[test]
    fn articles_follow_their_noun() {
        assert_eq!((a("vault").as_str(), a("AI account").as_str()), ("a vault", "an AI account"));
    }

    #[test]
    fn lists_are_sorted_and_say_when_they_are_cut() {
        assert_eq!(list(["b", "a", "b"]), "a, b");
        assert_eq!(list(["f", "e", "d", "c", "b", "a"]), "a, b, c, d, e, …");
        assert_eq!(nearest(&["near", "far"]), "far, near");
        assert_eq!(nearest(&["f", "e", "d", "c", "b", "a"]), "b, c, d, e, f, …");
        assert_eq!(list(Vec::<String>::new()), "");
    }

    #[test]
    fn ages_read_like_kubectls() {
        for (seconds, text) in [(-3, "0s"), (5, "5s"), (119, "119s"), (150, "2m"), (884, "14m"), (7300, "2h"), (200_000, "2d")] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn addresses_lose_the_ends_of_their_guids_and_nothing_else() {
        let issuer = "issuer https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc-000000000001/ for x";
        assert_eq!(short_addresses(issuer), "issuer https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/ for x");
        let plain = "client 11111111-aaaa-4bbb-8ccc-000000000001 at https://my-vault.vault.azure.net/";
        assert_eq!(short_addresses(plain), plain);
    }
}
