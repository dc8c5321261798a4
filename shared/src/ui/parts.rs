//! Text output of a connection's parts: as a tree with one branch per side, and as a list.

use super::page::{Page, columns};

/// A part as shown to the user.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Kind: `role`.
    pub kind: String,
    /// Name: `Key Vault Secrets User → my-vault`.
    pub name: String,
    /// Owner and state.
    pub about: String,
    /// Current state, if it was examined.
    pub now: Option<String>,
}

/// Parts under a title, with one branch per side.
pub(super) fn tree(title: &str, sides: &[(&str, Vec<Part>)], width: usize) -> String {
    let mut page = Page::new(width);
    page.hanging("", 2, title);
    let kinds = widest(sides.iter().flat_map(|(_, parts)| parts));
    for (at, (side, parts)) in sides.iter().enumerate() {
        let is_last = at + 1 == sides.len();
        page.push(&format!("{} {side}", if is_last { "└─" } else { "├─" }));
        let stem = if is_last { "   " } else { "│  " };
        for (at, part) in parts.iter().enumerate() {
            let (branch, below) = if at + 1 == parts.len() { ("└─", "  ") } else { ("├─", "│ ") };
            entry(&mut page, &format!("{stem}{branch} "), &format!("{stem}{below} "), kinds, part);
        }
    }
    page.into_text()
}

/// Parts as a list.
pub(super) fn list(page: &mut Page, parts: &[Part]) {
    let kinds = widest(parts.iter());
    for part in parts {
        entry(page, "  ", "  ", kinds, part);
    }
}

fn widest<'a>(parts: impl Iterator<Item = &'a Part>) -> usize {
    parts.map(|part| columns(&part.kind)).max().unwrap_or(0)
}

/// One part: on one line if it fits, otherwise with its description below its name.
fn entry(page: &mut Page, lead: &str, below: &str, kinds: usize, part: &Part) {
    let (first, next) = (format!("{lead}{:kinds$}  ", part.kind), format!("{below}{:kinds$}  ", ""));
    let beside = format!("{first}{}  {}", part.name, part.about);
    if columns(&beside) <= page.width() {
        page.push(&beside);
    } else {
        page.line(&first, &part.name);
        page.line(&format!("{next}  "), &part.about);
    }
    if let Some(now) = &part.now {
        page.line(&format!("{next}  "), &format!("now {now}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides() -> Vec<(&'static str, Vec<Part>)> {
        let part = |kind: &str, name: &str, about: &str| Part { kind: kind.into(), name: name.into(), about: about.into(), now: None };
        vec![
            ("target", vec![part("keyvault", "my-vault", "in rg-data")]),
            (
                "azure",
                vec![
                    part("identity", "id-aks-shop-shop-web-14c790d7", "made by this connection, done"),
                    part("role", "Key Vault Secrets User → my-vault", "shared with other connections, done"),
                ],
            ),
            ("cluster", vec![Part { now: Some("differs: env".into()), ..part("workload", "shop/web", "was there before, done") }]),
        ]
    }

    #[test]
    fn a_tree_at_80_columns() {
        snapshot::inline!(
            tree("connection/keyvault-my-vault (shop)  Ready", &sides(), 80),
            r#"
        connection/keyvault-my-vault (shop)  Ready
        ├─ target
        │  └─ keyvault  my-vault  in rg-data
        ├─ azure
        │  ├─ identity  id-aks-shop-shop-web-14c790d7  made by this connection, done
        │  └─ role      Key Vault Secrets User → my-vault
        │                 shared with other connections, done
        └─ cluster
           └─ workload  shop/web  was there before, done
                          now differs: env
        "#
        );
    }

    #[test]
    fn a_tree_at_120_columns() {
        snapshot::inline!(
            tree("connection/keyvault-my-vault (shop)  Ready", &sides(), 120),
            r#"
        connection/keyvault-my-vault (shop)  Ready
        ├─ target
        │  └─ keyvault  my-vault  in rg-data
        ├─ azure
        │  ├─ identity  id-aks-shop-shop-web-14c790d7  made by this connection, done
        │  └─ role      Key Vault Secrets User → my-vault  shared with other connections, done
        └─ cluster
           └─ workload  shop/web  was there before, done
                          now differs: env
        "#
        );
    }
}
