//! What an engine knows of a folder, path by path, and where that is not what lies there.
//!
//! No command of `towline` lists a folder, so the local socket is asked as the window asks it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::tree::{INBOX, Lying, read};
use super::{Device, PATIENCE};

/// Entries that are asked for at once: 1000, the most that an engine gives.
const PAGE: usize = 1000;

/// Where the engine's rows are not what lies below `root`, one line a path; empty where they are.
pub(crate) fn misjudged(device: &Device, folder: &str, root: &Path) -> String {
    let known = known(device, folder);
    // The inbox is listed elsewhere.
    let mut lying = read(root);
    lying.retain(|path, _| !path.starts_with(INBOX));
    let mut said = Vec::new();
    for (path, lying) in &lying {
        let kind = kind_of(lying);
        match known.get(path) {
            Some(row) if row["kind"] == kind => {}
            Some(row) => said.push(format!("{} is a {kind}, known as {row}", path.display())),
            None => said.push(format!("{} is a {kind}, and not known", path.display())),
        }
    }
    let gone = known.iter().filter(|(path, _)| !lying.contains_key(*path));
    said.extend(gone.map(|(path, row)| format!("{} is not there, known as {row}", path.display())));
    said.join("\n")
}

const fn kind_of(lying: &Lying) -> &'static str {
    match lying {
        Lying::Directory => "directory",
        Lying::File { .. } => "file",
        Lying::Symlink(_) => "symlink",
    }
}

/// Everything that the engine has below a folder's root, by relative path.
fn known(device: &Device, folder: &str) -> BTreeMap<PathBuf, Value> {
    let mut socket = Socket::of(device);
    let mut known = BTreeMap::new();
    let mut open: Vec<Option<String>> = vec![None];
    while let Some(directory) = open.pop() {
        let mut after = None;
        loop {
            let page = socket.files(folder, directory.as_deref(), after.as_deref());
            for file in page["files"].as_array().expect("an answer has files") {
                let path = file["path"].as_str().expect("a file has a path").to_owned();
                after = Some(path.clone());
                // What only peers have lies nowhere here.
                if file["state"] == "missing" {
                    continue;
                }
                if file["kind"] == "directory" {
                    open.push(Some(path.clone()));
                }
                known.insert(path.into(), file.clone());
            }
            if page["more"] != true {
                break;
            }
        }
    }
    known
}

/// The local socket of a running engine.
struct Socket(BufReader<UnixStream>);

impl Socket {
    fn of(device: &Device) -> Self {
        let stream = UnixStream::connect(device.home.join("engine.sock")).expect("it runs");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket has a timeout");
        Self(BufReader::new(stream))
    }

    fn files(&mut self, folder: &str, directory: Option<&str>, after: Option<&str>) -> Value {
        let asked = json!({
            "id": 1, "call": "command", "command": "files",
            "folder": folder, "directory": directory, "after": after, "limit": PAGE,
        });
        writeln!(self.0.get_mut(), "{asked}").expect("it listens");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        let answered: Value = serde_json::from_str(&line).expect("an answer is JSON");
        answered["answer"].clone()
    }
}
