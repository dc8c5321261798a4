//! Shows the differences between a token and a credential field by field, with the differing characters marked.

/// Lines for a field: one if both values are equal, otherwise three.
pub(crate) fn rows(field: &str, token: &str, credential: &str) -> Vec<String> {
    if token == credential {
        return vec![format!("{field:9}=  {token}")];
    }
    vec![
        format!("{field:9}≠  token       {token}"),
        format!("{:12}credential  {credential}", ""),
        format!("{:24}{}", "", marks(token, credential)),
    ]
}

/// Carets under the characters of `other` that differ from `one`. Texts of equal length are compared character by
/// character; otherwise the part between the common prefix and the common suffix is marked.
fn marks(one: &str, other: &str) -> String {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if a.len() == b.len() {
        let line: String = a.iter().zip(&b).map(|(a, b)| if a == b { ' ' } else { '^' }).collect();
        return line.trim_end().to_owned();
    }
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    // Missing characters are marked at the place where they should be.
    " ".repeat(start) + &"^".repeat((b.len() - start - end).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_stand_one_above_the_other() {
        let lines = rows("subject", "shop:web", "shop:Web");
        assert_eq!(lines, ["subject  ≠  token       shop:web", "            credential  shop:Web", "                             ^"]);
    }

    #[test]
    fn differing_characters_are_marked() {
        assert_eq!(rows("issuer", "https://a/", "https://a/"), ["issuer   =  https://a/"]);
        assert_eq!(marks("https://a/", "https://a"), "         ^");
        assert_eq!(marks("shop:web", "shop:Web"), "     ^");
        assert_eq!(marks("shop:web", "shop:worker"), "      ^^^^^");
        assert_eq!(marks("", "x"), "^");
    }
}
