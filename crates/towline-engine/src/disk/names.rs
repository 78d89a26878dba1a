//! Which names this system can hold, and how names that are no text are shown.

use std::ffi::OsStr;

use unicode_normalization::UnicodeNormalization;

use super::traits::{Alphabet, Ends, Traits};

/// Whether a component can be a file's name on this system, as far as is known: the filesystem may
/// still refuse it.
pub(crate) fn possible(name: &str, traits: &Traits) -> bool {
    let alphabet = match traits.alphabet {
        Alphabet::Whole => true,
        Alphabet::WithoutReserved => !name.chars().any(is_reserved),
    };
    let end = match traits.ends {
        Ends::Any => true,
        Ends::NoDotOrSpace => !name.ends_with(['.', ' ']),
    };
    alphabet && end && (!cfg!(windows) || possible_on_windows(name))
}

/// Whether two names are spellings of one, to filesystems that see neither case nor normal forms.
pub(crate) fn meet(left: &str, right: &str) -> bool {
    fn folded(name: &str) -> impl Iterator<Item = char> {
        // Letters in their other case may be composed otherwise, so this comes last.
        name.nfd().flat_map(char::to_uppercase).nfd()
    }
    folded(left).eq(folded(right))
}

/// Characters that Windows, and the filesystems that come from it, keep for themselves.
const fn is_reserved(c: char) -> bool {
    c < ' ' || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

/// The rules of Win32: no reserved character, no trailing dot or space, no device name.
pub(super) fn possible_on_windows(name: &str) -> bool {
    if name.chars().any(is_reserved) || name.ends_with(['.', ' ']) {
        return false;
    }
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            matches!(
                rest,
                "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
            )
        })
    };
    !matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) && !numbered("COM")
        && !numbered("LPT")
}

/// A name for people: valid text as it is, other bytes as `\xNN`.
pub(crate) fn escaped(name: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_refuses_what_it_was_seen_to_refuse() {
        let all = Traits::default();
        let reserved = Traits {
            alphabet: Alphabet::WithoutReserved,
            ..all
        };
        let ends = Traits {
            ends: Ends::NoDotOrSpace,
            ..all
        };
        for (name, traits, is_possible) in [
            ("a:b", all, true),
            ("a:b", reserved, false),
            ("tab\t", reserved, false),
            ("aux.c", reserved, true),
            ("dot.", reserved, true),
            ("dot.", ends, false),
            ("space ", ends, false),
            (".dot", ends, true),
        ] {
            let is_possible = is_possible && (!cfg!(windows) || possible_on_windows(name));
            assert_eq!(possible(name, &traits), is_possible, "{name}");
        }
    }

    #[test]
    fn names_meet_whatever_their_case_and_form() {
        for (left, right) in [
            ("Readme", "README"),
            ("\u{e9}", "e\u{301}"),
            ("\u{c9}t\u{e9}", "e\u{301}TE\u{301}"),
            ("stra\u{df}e", "STRASSE"),
        ] {
            assert!(meet(left, right) && meet(right, left), "{left} {right}");
        }
        for (left, right) in [("a", "b"), ("a", "aa"), ("e", "\u{e9}"), ("", "a")] {
            assert!(!meet(left, right), "{left} {right}");
        }
    }

    #[test]
    fn windows_rules_refuse_devices_and_streams() {
        for name in [
            "CON", "nul.txt", "com1", "a:b", "a\\b", "dot.", "space ", "a\u{1}b", "LPT9.x",
        ] {
            assert!(!possible_on_windows(name), "{name}");
        }
        for name in ["console", "a b", ".hidden", "com", "com10", "é"] {
            assert!(possible_on_windows(name), "{name}");
        }
    }
}
