//! Text files of the checkout, and as much understanding of Rust as rules about words need.
//!
//! A rule such as "no `async` in the core" is about code, so comments and literals are blanked out
//! before words are looked for. That is a scanner, not a parser: it knows where comments, strings
//! and characters begin and end, and nothing else. Line numbers count from 1.

/// One text file: its path from the root with `/`, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    path: String,
    text: String,
}

impl SourceFile {
    /// Names a text by its path.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The path from the root, `/` between components.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What follows the last dot of the name.
    pub(crate) fn extension(&self) -> &str {
        self.path
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
    }

    /// Whether the file holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
    }

    /// The text with comments and literals blanked out; line breaks stay where they were.
    pub(crate) fn code(&self) -> String {
        code_only(&self.text)
    }

    /// The code that ships: without items marked `#[cfg(test)]`; line breaks stay.
    pub(crate) fn shipped_code(&self) -> String {
        without_tests(&self.code())
    }
}

/// Whether `line` holds `word` with no letter, digit or underscore directly around it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let opens_bare = !word.starts_with(is_part);
    let closes_bare = !word.ends_with(is_part);
    line.match_indices(word).any(|(start, _)| {
        let (before, from) = line.split_at(start);
        let after = from.split_at(word.len()).1;
        (opens_bare || !before.ends_with(is_part)) && (closes_bare || !after.starts_with(is_part))
    })
}

/// Blanks out each item that follows `#[cfg(test)]`, up to its `;` or its closing brace.
fn without_tests(code: &str) -> String {
    let mut shipped = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, marked)) = rest.split_once(TESTS_ONLY) {
        let (item, after) = marked.split_at(item_len(marked));
        shipped.push_str(before);
        shipped.extend(item.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    shipped.push_str(rest);
    shipped
}

/// Bytes of the item that `code` begins with.
fn item_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ';' || c == '}') {
            return at + 1;
        }
    }
    code.len()
}

fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_prefix(rest);
        if hidden == 0 {
            code.push(first);
            rest = rest.split_at(first.len_utf8()).1;
        } else {
            let (blanked, after) = rest.split_at(hidden.min(rest.len()));
            code.push(' ');
            code.extend(blanked.chars().filter(|c| *c == '\n'));
            rest = after;
        }
    }
    code
}

/// Bytes of the comment or literal that `text` begins with; 0 when it begins with code.
fn hidden_prefix(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if text.starts_with('\'') {
        return character(text);
    }
    raw_string(text)
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, _) in text.char_indices() {
        let from = text.split_at(at).1;
        if from.starts_with("/*") {
            depth += 1;
        } else if from.starts_with("*/") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

/// Bytes up to and with the closing `quote`, honouring backslashes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character literal, or 0 for the tick of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, '\''),
        (Some(_), _) | (None, _) => 0,
    }
}

/// `r"..."` or `r#"..."#` with any number of hashes; 0 for anything else.
fn raw_string(text: &str) -> usize {
    let Some(after) = text.strip_prefix('r') else {
        return 0;
    };
    let body = after.trim_start_matches('#');
    let hashes = "#".repeat(after.len() - body.len());
    let Some(body) = body.strip_prefix('"') else {
        return 0;
    };
    let closing = format!("\"{hashes}");
    match body.find(&closing) {
        Some(at) => text.len() - body.len() + at + closing.len(),
        None => text.len(),
    }
}

/// What marks an item that only tests see.
const TESTS_ONLY: &str = "#[cfg(test)]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let cases = [
            ("a // async\nb", "a  \nb"),
            ("a /* x /* y */ async */ b", "a   b"),
            (r#"f("async \" fn") + 1"#, "f( ) + 1"),
            ("f(r#\"async \" \"#) + 1", "f( ) + 1"),
            ("f('\"', '\\'', 'x') // y", "f( ,  ,  )  "),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("let r#type = 1;", "let r#type = 1;"),
            ("\"one\ntwo\"\nthree", " \n\nthree"),
        ];
        for (text, code) in cases {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn unfinished_literals_end_with_the_file() {
        for text in ["\"abc", "/* abc", "r##\"abc\"#", "'\\"] {
            assert_eq!(code_only(text), " ", "{text}");
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use std::collections::HashMap;", "HashMap"));
        assert!(!has_word("struct HashMapOfOurs;", "HashMap"));
        assert!(has_word("x.await?", ".await"));
        assert!(!has_word("eprintln!()", "println!"));
        assert!(has_word("println!()", "println!"));
    }

    #[test]
    fn only_what_is_marked_as_test_does_not_ship() {
        let cases = [
            ("a\n#[cfg(test)]\nmod tests { bad { } }\nb", "a\n\n\nb"),
            ("a\n#[cfg(test)]\nmod tests;\nb", "a\n\n\nb"),
            ("#[cfg(test)] use x; #[cfg(test)] fn f() {} b", "  b"),
            ("#[cfg(test)]\nmod tests { unfinished", "\n"),
            ("#[cfg(unix)]\nmod a { b }", "#[cfg(unix)]\nmod a { b }"),
        ];
        for (code, shipped) in cases {
            assert_eq!(without_tests(code), shipped, "{code}");
        }
    }
}
