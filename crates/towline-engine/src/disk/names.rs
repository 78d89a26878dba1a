//! Which names this system can hold, and how names that are no text are shown.

use std::ffi::OsStr;

/// Whether a component can be a file's name on this system. Elsewhere than on Windows every
/// component of a path in a folder can; the filesystem may still refuse it.
pub(crate) fn possible(name: &str) -> bool {
    !cfg!(windows) || possible_on_windows(name)
}

/// The rules of Win32: no reserved character, no trailing dot or space, no device name.
fn possible_on_windows(name: &str) -> bool {
    let reserved =
        |c: char| c < ' ' || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*');
    if name.chars().any(reserved) || name.ends_with(['.', ' ']) {
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
