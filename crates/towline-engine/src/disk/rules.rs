//! The rules that travel with a folder, as its root has them: read here, judged in the core.
//!
//! What cannot be read is not "no rules": without them what a person wants to keep to themselves would
//! be told to everybody. A root whose rules cannot be read at its opening cannot be used, and later the
//! rules of before go on to hold.

use std::io::{self, Read, Write};

use towline_core::folder::rules::{RULES_BYTES_MAX, RULES_FILE, RuleSet, Rules, Shape};
use towline_wire::rel_path::RelPath;

use super::handle::{Directory, Kind, Listed, new_file_mode};
use super::parents::{DEPTH_MAX, proves_absence};
use super::root::Root;

/// Reads the text of the rules; no file has none. One byte more than counts is read, so that what is
/// cut off is seen to be.
pub(super) fn read(root: &Root) -> io::Result<String> {
    let top = root.top();
    let before = match top.mark(RULES_FILE) {
        Ok(mark) if mark.kind == Kind::File => mark,
        // Neither a link nor a directory has rules.
        Ok(_) => return Ok(String::new()),
        Err(fault) if proves_absence(&fault) => return Ok(String::new()),
        Err(fault) => return Err(fault),
    };
    let mut bytes = Vec::new();
    top.open_file(RULES_FILE)?
        .take(RULES_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    if !top.mark(RULES_FILE)?.same_bytes(&before) {
        // Half of new rules are none; the change is seen, and they are read again.
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Root {
    /// The rules that travel with the folder, if they are others than were told.
    pub(super) fn news_of_rules(&self) -> io::Result<Option<RuleSet>> {
        let text = read(self)?;
        let mut told = super::pool::lock(&self.told_rules);
        if told.as_ref() == Some(&text) {
            return Ok(None);
        }
        let rules = RuleSet::parse(&text);
        *told = Some(text);
        Ok(Some(rules))
    }

    /// The text of the rules, for a person.
    pub(crate) fn shared_rules(&self) -> io::Result<String> {
        read(self)
    }

    /// What rules ignore of what lies here: the first paths and how many there are. What lies in an
    /// ignored directory is not counted, and what cannot be read is passed over.
    pub(crate) fn matches(&self, rules: &Rules, limit: usize) -> (Vec<RelPath>, u64) {
        let mut found = Matches {
            rules,
            limit,
            paths: Vec::new(),
            count: 0,
        };
        if !rules.is_empty() {
            found.walk(self.top(), None);
        }
        (found.paths, found.count)
    }

    /// Replaces the rules as a person would: a whole file, or the one of before.
    pub(crate) fn write_shared_rules(&self, text: &str) -> io::Result<()> {
        if text.is_empty()
            && self
                .top()
                .mark(RULES_FILE)
                .is_err_and(|fault| proves_absence(&fault))
        {
            return Ok(());
        }
        let temporary = self.temporary();
        let name = format!("rules-{}", self.next_number());
        let mut file = temporary.create_file(&name, new_file_mode(false))?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| temporary.rename(&name, self.top(), RULES_FILE))
            .and_then(|()| self.top().sync());
        if written.is_err() {
            // The first fault is the one to tell; litter is removed when the root is opened.
            let _ = temporary.remove_file(&name);
        }
        written
    }
}

struct Matches<'a> {
    rules: &'a Rules,
    limit: usize,
    paths: Vec<RelPath>,
    count: u64,
}

impl Matches<'_> {
    fn walk(&mut self, directory: &Directory, at: Option<&RelPath>) {
        let mut listed = directory.list().unwrap_or_default();
        listed.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        for (name, perhaps) in listed {
            let path = name.to_str().and_then(|name| match at {
                Some(at) => at.join(name).ok(),
                None => RelPath::parse(name).ok(),
            });
            let Some(path) = path.filter(|path| path.depth() <= DEPTH_MAX) else {
                continue;
            };
            let inner = match perhaps {
                Listed::PerhapsDirectory => directory.open_directory(path.file_name()).ok(),
                Listed::NotDirectory => None,
            };
            let shape = if inner.is_some() {
                Shape::Directory
            } else {
                Shape::Other
            };
            if self.rules.ignore_in_place(&path, shape) {
                self.count += 1;
                if self.paths.len() < self.limit {
                    self.paths.push(path);
                }
            } else if let Some(inner) = inner {
                self.walk(&inner, Some(&path));
            }
        }
    }
}
