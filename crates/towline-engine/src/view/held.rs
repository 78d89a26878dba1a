//! Entries that are held back, page by page, from what a view holds of them.

use towline_wire::rel_path::RelPath;

use super::{AnswerView, HeldBackView};

/// Which part is asked for.
#[derive(Debug)]
pub(crate) struct AskedOfHeld {
    /// Only entries after this path.
    pub(crate) after: Option<RelPath>,
    /// Most entries.
    pub(crate) limit: usize,
}

/// A page of `held`, by path.
pub(crate) fn held(held: &[HeldBackView], asked: &AskedOfHeld) -> AnswerView {
    let after = asked.after.as_ref().map_or("", RelPath::as_str);
    let mut rest: Vec<_> = held
        .iter()
        .filter(|entry| entry.path.as_str() > after)
        .cloned()
        .collect();
    rest.sort_by(|one, other| one.path.cmp(&other.path));
    let more = rest.len() > asked.limit;
    rest.truncate(asked.limit);
    AnswerView::Held { held: rest, more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_by_path_and_say_whether_there_are_more() {
        let all = ["c", "a", "b"].map(|path| HeldBackView {
            path: path.to_owned(),
            reason: "name".to_owned(),
        });
        let page = |after: Option<&str>, limit| {
            let after = after.map(|path| RelPath::parse(path).unwrap());
            let AnswerView::Held { held, more } = held(&all, &AskedOfHeld { after, limit }) else {
                panic!("no page of held back entries")
            };
            let paths: Vec<_> = held.into_iter().map(|entry| entry.path).collect();
            (paths.join(" "), more)
        };
        assert_eq!(page(None, 2), ("a b".to_owned(), true));
        assert_eq!(page(Some("b"), 2), ("c".to_owned(), false));
    }
}
