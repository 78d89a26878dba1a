//! Words that may stand only in some places: the walls inside crates.
//!
//! What crates may use, `walls` knows; here is what a module may. Rust is searched without
//! comments, literals and tests, other files as they stand. `clippy.toml` in a crate bans types
//! however they are imported; words catch what is no type: `async`, macros, imports.

use anyhow::Result;

use super::Findings;
use crate::repo::Repo;
use crate::source::{SourceFile, has_word};

/// Words banned below some paths, except below others.
struct Ban {
    words: &'static [&'static str],
    within: &'static [&'static str],
    except: &'static [&'static str],
    reason: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        words: &["async", ".await"],
        within: PURE,
        except: &[],
        reason: "decisions are pure: inputs and time in, outputs out",
    },
    Ban {
        words: &[
            "HashMap",
            "HashSet",
            "SystemTime",
            "Instant::now",
            "std::thread",
            "std::fs",
            "OsRng",
            "getrandom",
            "Mutex",
            "RwLock",
        ],
        within: PURE,
        except: &[],
        reason: "the same inputs must give the same outputs, in the same order",
    },
    Ban {
        words: &[
            "tokio::spawn",
            "spawn_blocking",
            "thread::spawn",
            "thread::Builder",
        ],
        within: &["crates/towline-engine/src/"],
        except: &["crates/towline-engine/src/tasks"],
        reason: "only `tasks` spawns, so that every task has a name and an end",
    },
    Ban {
        words: &["rusqlite"],
        within: &["crates/", "signal-server/", "src-tauri/"],
        except: &["crates/towline-store/", "crates/xtask/"],
        reason: "only the store knows SQL",
    },
    Ban {
        words: &["AsyncUdpSocket", "UdpPoller"],
        within: &["crates/", "src-tauri/"],
        except: &[
            "crates/towline-engine/src/network/path_socket",
            // Its trait of runtimes names the other one.
            "crates/towline-engine/src/network/drivers",
        ],
        reason: "only the path socket knows the trait of quinn's sockets",
    },
    Ban {
        words: &["println!", "print!", "eprintln!", "eprint!"],
        within: &[
            "crates/towline-wire/src/",
            "crates/towline-core/src/",
            "crates/towline-store/src/",
            "crates/towline-engine/src/",
            "crates/towline-sim/src/lib.rs",
            "signal-server/src/",
            "src-tauri/src/",
        ],
        except: &["signal-server/src/main.rs", "src-tauri/src/main.rs"],
        reason: "libraries log; only shells print",
    },
    Ban {
        words: &["@tauri-apps/"],
        within: &["ui/src/"],
        except: &["ui/src/backend/tauri."],
        reason: "everything but `backend/tauri.ts` takes a Backend",
    },
];

/// Where decisions are made.
const PURE: &[&str] = &["crates/towline-core/src/", "signal-server/src/rendezvous"];

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    let files = repo.files()?;
    Ok(Findings {
        complaints: files.iter().flat_map(judge).collect(),
        looked_at: format!("{} bans", BANS.len()),
        ..Findings::default()
    })
}

fn judge(file: &SourceFile) -> Vec<String> {
    let below = |places: &[&str]| places.iter().any(|place| file.path().starts_with(place));
    let bans: Vec<_> = BANS
        .iter()
        .filter(|ban| below(ban.within) && !below(ban.except))
        .collect();
    if bans.is_empty() || file.is_test() {
        return Vec::new();
    }
    let text = match file.extension() {
        "rs" => file.shipped_code(),
        "ts" | "svelte" => file.text().to_owned(),
        _ => return Vec::new(),
    };
    let mut complaints = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for ban in &bans {
            for word in ban.words.iter().filter(|word| has_word(line, word)) {
                let (path, reason) = (file.path(), ban.reason);
                complaints.push(format!("{path}:{number}: holds `{word}`; {reason}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_about(path: &str, text: &str) -> usize {
        judge(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn banned_words_fail_where_they_are_banned() {
        let cases = [
            ("crates/towline-core/src/link.rs", "pub async fn go() {}"),
            (
                "crates/towline-core/src/link.rs",
                "use std::collections::HashMap;",
            ),
            ("signal-server/src/rendezvous/mailbox.rs", "x.await;"),
            (
                "signal-server/src/rendezvous.rs",
                "let now = Instant::now();",
            ),
            ("crates/towline-engine/src/disk/scan.rs", "tokio::spawn(x)"),
            (
                "crates/towline-engine/src/disk/scan.rs",
                "spawn_blocking(x)",
            ),
            (
                "crates/towline-engine/src/engine.rs",
                "use rusqlite::Connection;",
            ),
            (
                "crates/towline-engine/src/network.rs",
                "impl quinn::AsyncUdpSocket",
            ),
            ("crates/towline-store/src/lib.rs", "println!()"),
            (
                "ui/src/views/Home.svelte",
                "import x from '@tauri-apps/api';",
            ),
        ];
        for (path, text) in cases {
            assert_eq!(complaints_about(path, text), 1, "{path}: {text}");
        }
    }

    #[test]
    fn the_same_words_pass_where_they_belong() {
        let cases = [
            ("crates/towline-engine/src/tasks.rs", "tokio::spawn(x)"),
            (
                "crates/towline-store/src/lib.rs",
                "use rusqlite::Connection;",
            ),
            (
                "crates/towline-engine/src/network/path_socket/relay.rs",
                "AsyncUdpSocket",
            ),
            (
                "crates/towline-engine/src/engine.rs",
                "async fn run() { x.await }",
            ),
            ("signal-server/src/main.rs", "println!()"),
            (
                "ui/src/backend/tauri.ts",
                "import x from '@tauri-apps/api';",
            ),
        ];
        for (path, text) in cases {
            assert_eq!(complaints_about(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn comments_literals_and_tests_pass() {
        let text = "// async\nlet a = \"HashMap\";\n#[cfg(test)]\nmod tests { use HashMap; }";
        assert_eq!(complaints_about("crates/towline-core/src/a.rs", text), 0);
        let path = "crates/towline-core/src/tests/link.rs";
        assert_eq!(complaints_about(path, "use HashSet;"), 0);
    }
}
