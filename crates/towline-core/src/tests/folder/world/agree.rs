//! What lies on the devices of a small world, and whether they agree about it.

use towline_wire::entry::{Content, Entry};
use towline_wire::ids::Sequence;
use towline_wire::rel_path::RelPath;

use super::World;

impl World {
    /// What lies on a device, one line each: stable to compare and to read.
    pub(crate) fn tree(&self, at: usize) -> Vec<String> {
        self.replicas[at]
            .disk
            .nodes
            .iter()
            .map(|(path, node)| match &node.content {
                Content::Directory => format!("{path}/"),
                Content::Symlink { target } => format!("{path} -> {}", target.as_str()),
                Content::File {
                    hash,
                    executable,
                    attributes,
                    ..
                } => {
                    let noted: String = attributes
                        .iter()
                        .map(|(name, value)| format!(" {name}={}", String::from_utf8_lossy(value)))
                        .collect();
                    format!(
                        "{path} {} {executable} {}{noted}",
                        &hash.to_string()[..6],
                        node.mtime.0
                    )
                }
                Content::Absent => panic!("nothing lies there"),
            })
            .collect()
    }

    pub(crate) fn conflict_copies(&self, at: usize) -> usize {
        self.tree(at)
            .iter()
            .filter(|line| line.contains(".conflict-"))
            .count()
    }

    /// What every device says of a path, for a failing test.
    fn told(&self, path: &RelPath) -> String {
        let said = |entry: &Entry| {
            let history: Vec<String> = entry
                .version
                .iter()
                .map(|(actor, counter)| format!("{}:{counter}", actor.device.as_bytes()[0]))
                .collect();
            let author = entry.author;
            let content = match &entry.content {
                Content::File { hash, .. } => hash.to_string()[..6].to_owned(),
                other @ (Content::Absent | Content::Symlink { .. } | Content::Directory) => {
                    format!("{other:?}")
                }
            };
            let (by, counter) = (author.actor.device.as_bytes()[0], author.counter);
            format!(
                "{content} by {by}:{counter} at {} knows {history:?}",
                entry.mtime.0
            )
        };
        let mut lines = Vec::new();
        for (at, replica) in self.replicas.iter().enumerate() {
            let ours = replica.store.rows.get(path).map(|row| said(&row.entry));
            let need = replica.store.needs.contains(path);
            let disk = replica.disk.nodes.contains_key(path);
            lines.push(format!(
                "{path}: {at} has {ours:?}, need {need}, on disk {disk}"
            ));
            for (device, entry) in replica.store.theirs.get(path).into_iter().flatten() {
                lines.push(format!("    {}: {}", device.as_bytes()[0], said(entry)));
            }
        }
        lines.join("\n")
    }

    /// All trees agree, every index equals its disk, and all indexes agree.
    pub(crate) fn assert_agreed(&self) {
        for (at, replica) in self.replicas.iter().enumerate() {
            for path in self
                .replicas
                .iter()
                .flat_map(|replica| replica.store.rows.keys())
            {
                let [first, here] = [0, at].map(|at| {
                    self.replicas[at]
                        .disk
                        .nodes
                        .get(path)
                        .map(|node| &node.content)
                });
                assert_eq!(first, here, "{}", self.told(path));
            }
            assert_eq!(self.tree(at), self.tree(0), "trees of {at} and 0");
            for (path, row) in &replica.store.rows {
                let lies = replica.disk.nodes.get(path).map(|node| &node.content);
                let known = Some(&row.entry.content).filter(|content| **content != Content::Absent);
                assert_eq!(lies, known, "index and disk of {at} at {path}");
                let first = self.replicas[0].store.rows.get(path).map(|row| &row.entry);
                assert_eq!(first, Some(&row.entry), "{}", self.told(path));
            }
            let left = replica.store.needs.first().map(|path| self.told(path));
            assert_eq!(left, None, "a need of {at} is left");
        }
        assert_eq!(self.hangups, 0);
    }

    /// A mark of everything durable: equal marks mean that nothing was written.
    pub(crate) fn marks(&self) -> Vec<(Sequence, u64)> {
        self.replicas
            .iter()
            .map(|replica| (replica.folder.last_sequence(), replica.disk.writes))
            .collect()
    }
}
