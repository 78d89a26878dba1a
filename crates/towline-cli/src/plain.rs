//! Text from peers and disks, as a terminal may have it.
//!
//! A name, label or path can hold characters that command a terminal, hide, or turn the text around
//! them. Here they become their number, `⟨U+001B⟩`, so that a person sees that they are there; the
//! window does the same. [`plain`] is for one value, where a line end is as foreign as the rest;
//! [`lines`] and [`json`] are the last gate for everything that is printed.

use std::fmt::Write;

/// One name, label, path or address.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        push(&mut shown, letter);
    }
    shown
}

/// Whole words for a person: our own line ends stay.
pub(crate) fn lines(words: &str) -> String {
    let mut shown = String::with_capacity(words.len());
    for letter in words.chars() {
        if letter == '\n' {
            shown.push(letter);
        } else {
            push(&mut shown, letter);
        }
    }
    shown
}

/// A JSON document with such characters as JSON escapes: the same document for every reader. They
/// occur in its strings only.
pub(crate) fn json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for letter in document.chars() {
        if acts(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn push(shown: &mut String, letter: char) {
    if acts(letter) {
        // Writing to a string cannot fail.
        let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(letter));
    } else {
        shown.push(letter);
    }
}

/// Control characters, format characters (Unicode category Cf: directions, zero width, tags), line
/// and paragraph ends, private use, and letters that are drawn as nothing. The joiner U+200D stays:
/// emoji are made with it.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_becomes_its_number() {
        for (text, shown) in [
            (
                "Ada's 日記 👩\u{200d}🚀 ☂\u{fe0f}",
                "Ada's 日記 👩\u{200d}🚀 ☂\u{fe0f}",
            ),
            ("\u{1b}]0;pwned\u{7}", "⟨U+001B⟩]0;pwned⟨U+0007⟩"),
            ("a\r\nb\tc", "a⟨U+000D⟩⟨U+000A⟩b⟨U+0009⟩c"),
            // The one-byte form of ESC [, which terminals take as well.
            ("\u{9b}2J\u{7f}", "⟨U+009B⟩2J⟨U+007F⟩"),
            ("gpj\u{202e}.exe", "gpj⟨U+202E⟩.exe"),
            ("a\u{200b}b\u{e0041}", "a⟨U+200B⟩b⟨U+E0041⟩"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(lines("one\ntwo\u{1b}[2K"), "one\ntwo⟨U+001B⟩[2K");
    }

    #[test]
    fn a_json_document_stays_the_same_document_and_acts_on_nothing() {
        let value = serde_json::json!({ "name": "\u{9b}2J\u{7f}\u{202e}\u{e0041}\n👩\u{200d}🚀" });
        let shown = json(&value.to_string());
        assert!(!shown.chars().any(acts));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }
}
