//! Ignore rules: which paths of a folder are not looked at on this device.
//!
//! The syntax is that of gitignore, and so is the meaning: the last rule that matches decides, a rule
//! that ends with a slash is for directories, and nothing below an ignored directory can be
//! re-included. Shared rules are the text of [`RULES_FILE`] at the root of the folder; local rules
//! belong to one device and come after them. The crate `ignore` matches; what it understands
//! otherwise than git is put into words that it understands first, and a line for which there are
//! none is named as bad and passed over.
//!
//! Rules come from peers, too. They cost at most [`RULES_BYTES_MAX`] of text and [`RULES_MAX`] lines,
//! match in time linear in the path, and reach nothing outside of the folder, because only paths that
//! were found below it are ever held against them. Pure: bytes and paths in, answers out.

use std::fmt;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use towline_wire::entry::Content;
use towline_wire::rel_path::{MARKER_DIRECTORY, RelPath};

/// The file at the root of a folder whose text are its shared rules. It is synced as any other file,
/// and no rule ignores it: rules that nobody could change any more would be of no use.
pub const RULES_FILE: &str = ".towlineignore";

/// How much of [`RULES_FILE`] is read: 1 MiB. The longest lists that people keep have some hundred
/// KiB; a peer could write a file of any length.
pub const RULES_BYTES_MAX: usize = 1024 * 1024;

/// Rules of one text: 10,000. They take about a second and 50 MB to prepare when all have wildcards;
/// the longest lists that people keep have some thousand.
pub const RULES_MAX: usize = 10_000;

/// The longest rule in bytes: 4096, the longest path. A longer one could match nothing.
const RULE_BYTES_MAX: usize = 4096;

/// Whether a path is a directory, which decides about rules that end with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It is.
    Directory,
    /// It is a file or a symlink.
    Other,
}

impl Shape {
    /// The shape of what lies at a path; nothing counts as a file.
    pub const fn of(content: &Content) -> Self {
        match content {
            Content::Directory => Self::Directory,
            Content::Absent | Content::File { .. } | Content::Symlink { .. } => Self::Other,
        }
    }
}

/// One text of rules, ready to match. Two are equal when their texts are.
#[derive(Clone)]
pub struct RuleSet(Arc<Prepared>);

struct Prepared {
    text: String,
    matcher: Gitignore,
    bad_lines: Vec<u32>,
}

impl RuleSet {
    /// Prepares a text. Of one longer than [`RULES_BYTES_MAX`] the whole lines at its beginning count.
    pub fn parse(text: &str) -> Self {
        let text = within_bounds(text);
        let mut rules = Vec::new();
        let mut bad_lines = Vec::new();
        for (number, line) in (1..).zip(lines(text)) {
            match rule(line) {
                Rule::None => {}
                Rule::Bad => bad_lines.push(number),
                Rule::Says(_) if rules.len() >= RULES_MAX => bad_lines.push(number),
                Rule::Says(said) => rules.push((number, said)),
            }
        }
        let matcher = prepared(&mut rules, &mut bad_lines);
        bad_lines.sort_unstable();
        Self(Arc::new(Prepared {
            text: text.to_owned(),
            matcher,
            bad_lines,
        }))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Lines that are no rule, by number from 1.
    pub fn bad_lines(&self) -> &[u32] {
        &self.0.bad_lines
    }

    /// Whether no line is a rule.
    pub fn is_empty(&self) -> bool {
        self.0.matcher.is_empty()
    }

    /// What the last rule that matches exactly this path says.
    fn says(&self, path: &str, shape: Shape) -> Option<Saying> {
        match self.0.matcher.matched(path, shape == Shape::Directory) {
            Match::None => None,
            Match::Ignore(_) => Some(Saying::Ignore),
            Match::Whitelist(_) => Some(Saying::Include),
        }
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Self(Arc::new(Prepared {
            text: String::new(),
            matcher: Gitignore::empty(),
            bad_lines: Vec::new(),
        }))
    }
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for RuleSet {}

impl fmt::Debug for RuleSet {
    /// Rules name what a person has; so only their number is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleSet({})", self.0.matcher.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    Ignore,
    Include,
}

/// All rules of a folder on this device. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those that travel with the folder.
    pub shared: RuleSet,
    /// Those of this device alone, which come after them.
    pub local: RuleSet,
}

/// A number for a set of rules that two different ones do not have in common: how a store remembers
/// under which rules its list of needs was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RulesMark(pub u64);

impl Rules {
    /// Whether nothing is ignored.
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.local.is_empty()
    }

    /// Whether a path is ignored, by itself or with a directory above it.
    pub fn ignore(&self, path: &RelPath, shape: Shape) -> bool {
        if self.is_empty() {
            return false;
        }
        let text = path.as_str();
        let above = text.match_indices('/').map(|(at, _)| &text[..at]);
        let mut above = above.map(|above| (above, Shape::Directory));
        above.any(|(above, shape)| self.ignore_itself(above, shape))
            || self.ignore_itself(text, shape)
    }

    /// Whether a path below directories that are not ignored is ignored.
    pub fn ignore_in_place(&self, path: &RelPath, shape: Shape) -> bool {
        !self.is_empty() && self.ignore_itself(path.as_str(), shape)
    }

    fn ignore_itself(&self, path: &str, shape: Shape) -> bool {
        if path == RULES_FILE || path.split('/').next() == Some(MARKER_DIRECTORY) {
            return false;
        }
        let said = self.local.says(path, shape);
        match said.or_else(|| self.shared.says(path, shape)) {
            Some(Saying::Ignore) => true,
            Some(Saying::Include) | None => false,
        }
    }

    /// The number of these rules; that of none at all is 0.
    pub fn mark(&self) -> RulesMark {
        if self.is_empty() {
            return RulesMark::default();
        }
        let mut hasher = blake3::Hasher::new();
        for text in [self.shared.text(), self.local.text()] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
        RulesMark(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// As many whole lines as the bound allows.
fn within_bounds(text: &str) -> &str {
    if text.len() <= RULES_BYTES_MAX {
        return text;
    }
    let whole = text.as_bytes()[..RULES_BYTES_MAX]
        .iter()
        .rposition(|byte| *byte == b'\n');
    // A line feed is never part of a longer character.
    &text[..whole.map_or(0, |at| at + 1)]
}

/// The lines as git takes them apart: ended by a line feed, before which a carriage return belongs to
/// the end, too; a byte order mark at the beginning is none of the first line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n');
    lines.map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// The matcher of as many rules from the beginning as can be prepared together; a matcher has a size
/// that it may not outgrow.
fn prepared(rules: &mut Vec<(u32, String)>, bad_lines: &mut Vec<u32>) -> Gitignore {
    loop {
        let mut builder = GitignoreBuilder::new("");
        rules.retain(|(number, rule)| {
            let taken = builder.add_line(None, rule).is_ok();
            if !taken {
                bad_lines.push(*number);
            }
            taken
        });
        match builder.build() {
            Ok(matcher) => return matcher,
            Err(_) if rules.is_empty() => return Gitignore::empty(),
            Err(_) => {
                let left_out = rules.split_off(rules.len() / 2);
                bad_lines.extend(left_out.iter().map(|(number, _)| *number));
            }
        }
    }
}

// --- from git's words to the crate's -------------------------------------------------------------

/// What a line is.
enum Rule {
    /// A comment, or nothing.
    None,
    /// No rule: git matches nothing with it.
    Bad,
    /// A rule, as the matcher takes it.
    Says(String),
}

fn rule(line: &str) -> Rule {
    if line.is_empty() || line.starts_with('#') {
        return Rule::None;
    }
    if line.len() > RULE_BYTES_MAX || line.contains(['\0', '\u{fffd}']) {
        return Rule::Bad;
    }
    let (sign, rest) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest),
        None => ("", line),
    };
    let rest = without_trailing_spaces(rest);
    if rest.is_empty() {
        return Rule::None;
    }
    match translated(rest) {
        Some(pattern) => Rule::Says(format!("{sign}{pattern}")),
        None => Rule::Bad,
    }
}

fn without_trailing_spaces(text: &str) -> &str {
    let shortened = text.trim_end_matches(' ');
    let escapes = shortened.len() - shortened.trim_end_matches('\\').len();
    // An odd number of backslashes escapes the first space after them.
    if escapes % 2 == 1 && shortened.len() < text.len() {
        &text[..=shortened.len()]
    } else {
        shortened
    }
}

/// A pattern in the matcher's words; `None` when git matches nothing with it.
fn translated(pattern: &str) -> Option<String> {
    let mut said = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        match next {
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                if escaped == '\\' {
                    // The matcher takes a backslash before a last slash for the escape of that.
                    said.push_str("[\\]");
                    continue;
                } else if escaped != '/' {
                    said.push('\\');
                } else if said.is_empty() || rest.is_empty() {
                    // No path begins with a slash, and git cuts off a last one before anything else,
                    // which leaves nothing to be escaped.
                    return None;
                }
                said.push(escaped);
            }
            // Alternatives are no part of git's syntax.
            '{' | '}' => {
                said.push('\\');
                said.push(next);
            }
            '*' => {
                let after = rest.trim_start_matches('*');
                let is_component = (said.is_empty() || said.ends_with('/'))
                    && (after.is_empty() || after.starts_with('/') || after.starts_with("\\/"));
                // Two or more are of their own kind only where they stand alone between slashes.
                let is_deep = after.len() < rest.len() && is_component && pattern.contains('/');
                said.push_str(match (is_deep, after.starts_with('\\')) {
                    (false, _) => "*",
                    (true, false) => "**",
                    // Git lets them stand for no directory at all only before a bare slash.
                    (true, true) => "**/*",
                });
                rest = after;
            }
            '[' => {
                let (class, after) = class(rest)?;
                said.push_str(&class);
                rest = after;
            }
            other => said.push(other),
        }
    }
    // A slash before the last character binds a pattern to the root, also one in brackets.
    let binds = |text: &str| text.trim_end_matches('/').contains('/') || text.starts_with('/');
    if binds(pattern) && !binds(&said) {
        said.insert(0, '/');
    }
    // No component of a path is empty.
    Some(said).filter(|said| !said.contains("//"))
}

/// A bracket expression in the matcher's words, and what comes after it; `None` when git matches
/// nothing with it, or when it names what is no ASCII: git compares bytes, and no letter has one.
fn class(text: &str) -> Option<(String, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let is_negated = matches!(bytes.first(), Some(b'!' | b'^'));
    if is_negated {
        at += 1;
    }
    let mut members = [false; 128];
    // What a hyphen after it would make a range of.
    let mut begin: Option<u8> = None;
    let first = at;
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (b']', _) if at > first => break,
            (b'-', Some(end)) if begin.is_some() && *end != b']' => {
                at += 1;
                let end = literal(bytes, &mut at)?;
                for member in begin.take()?..=end {
                    *members.get_mut(usize::from(member))? = true;
                }
            }
            (b'[', Some(b':')) => {
                let name = &text[at + 2..];
                let close = name.find(']')?;
                match name[..close].strip_suffix(':') {
                    Some(name) => {
                        let is_in = named_class(name)?;
                        for (byte, member) in (0..).zip(&mut members) {
                            *member |= is_in(&byte);
                        }
                        at += 3 + close;
                        begin = None;
                    }
                    None => {
                        members[usize::from(b'[')] = true;
                        begin = Some(b'[');
                        at += 1;
                    }
                }
            }
            _ => {
                let member = literal(bytes, &mut at)?;
                *members.get_mut(usize::from(member))? = true;
                begin = Some(member);
            }
        }
    }
    members[usize::from(b'/')] = false;
    Some((said_class(&members, is_negated)?, &text[at + 1..]))
}

/// A character that stands for itself, escaped or not.
fn literal(bytes: &[u8], at: &mut usize) -> Option<u8> {
    if bytes.get(*at) == Some(&b'\\') {
        *at += 1;
    }
    let byte = *bytes.get(*at)?;
    *at += 1;
    Some(byte)
}

fn named_class(name: &str) -> Option<fn(&u8) -> bool> {
    Some(match name {
        "alnum" => u8::is_ascii_alphanumeric,
        "alpha" => u8::is_ascii_alphabetic,
        "blank" => |byte| matches!(byte, b' ' | b'\t'),
        "cntrl" => u8::is_ascii_control,
        "digit" => u8::is_ascii_digit,
        "graph" => u8::is_ascii_graphic,
        "lower" => u8::is_ascii_lowercase,
        "print" => |byte| matches!(byte, b' '..=b'~'),
        "punct" => u8::is_ascii_punctuation,
        "space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        "upper" => u8::is_ascii_uppercase,
        "xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

/// The members as a bracket expression of the matcher, which knows no escapes in there: what has a
/// meaning of its own stands where it has none.
fn said_class(members: &[bool; 128], is_negated: bool) -> Option<String> {
    let has = |letter: char| members.get(letter as usize).copied().unwrap_or(false);
    let plain = |letter: &char| has(*letter) && !matches!(letter, '!' | '^' | '-' | '[' | ']');
    let mut said = String::new();
    said.extend(Some(']').filter(|letter| has(*letter)));
    said.extend(('\0'..'\u{80}').filter(plain));
    said.extend(Some('[').filter(|letter| has(*letter)));
    let others: String = ['!', '^'].into_iter().filter(|one| has(*one)).collect();
    let hyphen = Some('-').filter(|letter| has(*letter));
    if is_negated {
        said.push_str(&others);
        said.extend(hyphen);
        return Some(if said.is_empty() {
            "?".to_owned()
        } else {
            format!("[!{said}]")
        });
    }
    if said.is_empty() {
        // A hyphen stands for itself at either end.
        said.extend(hyphen);
        said.push_str(&others);
        return match (said.len(), said.starts_with('-')) {
            (0, _) | (2.., false) => None,
            (1, _) => Some(format!("\\{said}")),
            (2.., true) => Some(format!("[{said}]")),
        };
    }
    said.push_str(&others);
    said.extend(hyphen);
    Some(format!("[{said}]"))
}

#[cfg(test)]
mod tests;
