//! The walls of the house: which crate may use which.
//!
//! The table below is `docs/ARCHITECTURE.md`'s, and `cargo metadata` is held against it: edges
//! between our crates (for tests a few more), crates of others that only one of ours may know,
//! crates that must not even be reached indirectly, and crates that have no features. A new
//! edge is a change of this table, in a commit of its own that gives the reason.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata};

use super::Findings;
use crate::repo::Repo;

/// One of our crates and its permissions.
struct Unit {
    name: &'static str,
    may_use: &'static [&'static str],
    /// Beyond `may_use`, in tests only.
    tests_may_use: &'static [&'static str],
}

/// The house, lowest floor first. The simulator is in nobody's list.
const HOUSE: &[Unit] = &[
    Unit {
        name: "towline-wire",
        may_use: &[],
        tests_may_use: &[],
    },
    Unit {
        name: "towline-core",
        may_use: &["towline-wire"],
        tests_may_use: &[],
    },
    Unit {
        name: "signal-server",
        may_use: &["towline-wire"],
        tests_may_use: &[],
    },
    Unit {
        name: "towline-store",
        may_use: &["towline-core", "towline-wire"],
        tests_may_use: &[],
    },
    Unit {
        name: "towline-engine",
        may_use: &["towline-core", "towline-store", "towline-wire"],
        tests_may_use: &["signal-server"],
    },
    Unit {
        name: "towline-cli",
        may_use: &["signal-server", "towline-engine"],
        tests_may_use: &[],
    },
    Unit {
        name: "towline-app",
        may_use: &["signal-server", "towline-engine"],
        tests_may_use: &[],
    },
    Unit {
        name: "towline-sim",
        may_use: &[
            "signal-server",
            "towline-core",
            "towline-store",
            "towline-wire",
        ],
        tests_may_use: &[],
    },
    Unit {
        name: "xtask",
        may_use: &[],
        tests_may_use: &[],
    },
];

/// Crates of others that only the named ones of ours may depend on directly, tests included.
const OWNED: &[(&str, &[&str])] = &[
    ("keyring", &["towline-engine"]),
    ("notify", &["towline-engine"]),
    ("quinn", &["towline-engine"]),
    ("quinn-udp", &["towline-engine"]),
    ("rusqlite", &["towline-store"]),
    ("tauri", &["towline-app"]),
    ("tauri-build", &["towline-app"]),
];

/// Crates of others that must not be in the normal dependencies of ours, however far down.
const UNREACHABLE: &[(&str, &[&str])] = &[
    (
        "towline-wire",
        &["tokio", "quinn", "rusqlite", "notify", "tauri"],
    ),
    (
        "towline-core",
        &["tokio", "quinn", "rusqlite", "notify", "tauri"],
    ),
    ("towline-store", &["tokio", "quinn", "notify", "tauri"]),
    ("towline-engine", &["tauri"]),
    ("towline-cli", &["tauri"]),
    ("signal-server", &["quinn", "rusqlite", "notify", "tauri"]),
    ("xtask", &["tokio"]),
];

/// Crates that mean the same in every build.
const WITHOUT_FEATURES: &[&str] = &["towline-wire", "towline-core"];

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    let metadata = repo.metadata()?;
    let members = members(&metadata);
    let graph = normal_graph(&metadata)?;
    let mut complaints = Vec::new();
    for member in &members {
        complaints.extend(edge_complaints(member));
        complaints.extend(owner_complaints(member));
        complaints.extend(feature_complaint(member));
        complaints.extend(reach_complaints(&member.name, &graph));
    }
    Ok(Findings {
        complaints,
        looked_at: format!("{} crates", members.len()),
        ..Findings::default()
    })
}

/// A crate of the workspace, as far as walls are concerned.
struct Member {
    name: String,
    uses: Vec<Use>,
    features: Vec<String>,
}

struct Use {
    name: String,
    kind: DependencyKind,
}

fn members(metadata: &Metadata) -> Vec<Member> {
    let member = |package: &&cargo_metadata::Package| Member {
        name: package.name.to_string(),
        uses: package
            .dependencies
            .iter()
            .map(|dependency| Use {
                name: dependency.name.clone(),
                kind: dependency.kind,
            })
            .collect(),
        features: package.features.keys().cloned().collect(),
    };
    metadata.workspace_packages().iter().map(member).collect()
}

fn edge_complaints(member: &Member) -> Vec<String> {
    let Some(unit) = HOUSE.iter().find(|unit| unit.name == member.name) else {
        return vec![format!("{} has no floor in the house", member.name)];
    };
    let is_ours = |used: &&Use| HOUSE.iter().any(|unit| unit.name == used.name);
    let is_allowed = |used: &Use| {
        let name = used.name.as_str();
        let in_tests = used.kind == DependencyKind::Development;
        unit.may_use.contains(&name) || (in_tests && unit.tests_may_use.contains(&name))
    };
    let edges = member.uses.iter().filter(is_ours);
    edges
        .filter(|used| !is_allowed(used))
        .map(|used| {
            let from = &member.name;
            format!(
                "{from} must not use {} ({})",
                used.name,
                readable(used.kind)
            )
        })
        .collect()
}

fn owner_complaints(member: &Member) -> Vec<String> {
    let mut complaints = Vec::new();
    for used in &member.uses {
        let owned = OWNED.iter().find(|(name, _)| *name == used.name);
        let Some((name, owners)) = owned else {
            continue;
        };
        if !owners.contains(&member.name.as_str()) {
            let owners = owners.join(", ");
            complaints.push(format!(
                "{} must not use {name}, which is known to {owners} only",
                member.name
            ));
        }
    }
    complaints
}

fn feature_complaint(member: &Member) -> Option<String> {
    let bare = WITHOUT_FEATURES.contains(&member.name.as_str());
    (bare && !member.features.is_empty()).then(|| format!("{} must not have features", member.name))
}

/// Every package's normal dependencies by name. Two versions of one crate share a name, and so
/// their dependencies: the answer is never too lenient.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn normal_graph(metadata: &Metadata) -> Result<Graph> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let mut graph = Graph::new();
    for node in &resolve.nodes {
        let uses = graph
            .entry(metadata[&node.id].name.to_string())
            .or_default();
        for dependency in &node.deps {
            let is_normal =
                |info: &cargo_metadata::DepKindInfo| info.kind == DependencyKind::Normal;
            if dependency.dep_kinds.iter().any(is_normal) {
                uses.insert(metadata[&dependency.pkg].name.to_string());
            }
        }
    }
    Ok(graph)
}

fn reach_complaints(from: &str, graph: &Graph) -> Vec<String> {
    let Some((_, unreachable)) = UNREACHABLE.iter().find(|(name, _)| *name == from) else {
        return Vec::new();
    };
    let reached = reached_from(from, graph);
    unreachable
        .iter()
        .filter(|name| reached.contains(**name))
        .map(|name| format!("{from} must not reach {name}, not even through others"))
        .collect()
}

fn reached_from<'a>(from: &'a str, graph: &'a Graph) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(name) = waiting.pop() {
        for used in graph.get(name).into_iter().flatten() {
            if reached.insert(used.as_str()) {
                waiting.push(used);
            }
        }
    }
    reached
}

fn readable(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Normal => "dependencies",
        DependencyKind::Development => "dev-dependencies",
        DependencyKind::Build => "build-dependencies",
        DependencyKind::Unknown => "a kind of dependencies that is new to us",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, uses: &[(&str, DependencyKind)]) -> Member {
        Member {
            name: name.to_owned(),
            uses: uses
                .iter()
                .map(|(name, kind)| Use {
                    name: (*name).to_owned(),
                    kind: *kind,
                })
                .collect(),
            features: Vec::new(),
        }
    }

    #[test]
    fn the_drawn_edges_pass() {
        let engine = member(
            "towline-engine",
            &[
                ("towline-core", DependencyKind::Normal),
                ("towline-store", DependencyKind::Normal),
                ("signal-server", DependencyKind::Development),
                ("serde", DependencyKind::Normal),
            ],
        );
        assert_eq!(edge_complaints(&engine), [""; 0]);
    }

    #[test]
    fn an_edge_that_is_not_drawn_fails() {
        let cases = [
            ("towline-core", "towline-store", DependencyKind::Normal),
            ("towline-core", "towline-store", DependencyKind::Development),
            ("towline-wire", "towline-core", DependencyKind::Build),
            ("towline-engine", "signal-server", DependencyKind::Normal),
            ("towline-engine", "towline-sim", DependencyKind::Normal),
            ("towline-app", "towline-core", DependencyKind::Normal),
            ("xtask", "towline-wire", DependencyKind::Normal),
        ];
        for (from, to, kind) in cases {
            let complaints = edge_complaints(&member(from, &[(to, kind)]));
            assert_eq!(complaints.len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn nobody_depends_on_the_simulator() {
        for unit in HOUSE {
            assert!(!unit.may_use.contains(&"towline-sim"), "{}", unit.name);
        }
    }

    #[test]
    fn a_crate_outside_the_house_fails() {
        assert_eq!(edge_complaints(&member("towline-attic", &[])).len(), 1);
    }

    #[test]
    fn an_owned_crate_fails_in_other_hands() {
        let cli = member("towline-cli", &[("rusqlite", DependencyKind::Development)]);
        assert_eq!(owner_complaints(&cli).len(), 1);
        let store = member("towline-store", &[("rusqlite", DependencyKind::Normal)]);
        assert_eq!(owner_complaints(&store), [""; 0]);
    }

    #[test]
    fn features_in_the_core_fail() {
        let mut core = member("towline-core", &[]);
        assert_eq!(feature_complaint(&core), None);
        core.features.push("std".to_owned());
        assert!(feature_complaint(&core).is_some());
        core.name = "towline-engine".to_owned();
        assert_eq!(feature_complaint(&core), None);
    }

    #[test]
    fn a_runtime_far_below_the_core_is_found() {
        let edges = [
            ("towline-core", "a"),
            ("a", "b"),
            ("b", "a"),
            ("b", "tokio"),
        ];
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph
                .entry(from.to_owned())
                .or_default()
                .insert(to.to_owned());
        }
        let complaints = reach_complaints("towline-core", &graph);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].contains("tokio"));
        assert_eq!(reach_complaints("towline-app", &graph), [""; 0]);
    }
}
