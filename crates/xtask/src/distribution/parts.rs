//! The list of parts that each release comes with: every crate and every package of npm that is in what we ship,
//! with version and licence, as CycloneDX has it.
//!
//! Crates are those that the app and the command line are linked with on this system, as cargo resolves them; what only
//! builds or tests is left out. Of npm's packages those are in the UI that it imports, and what they need;
//! the others that the lock file names only build it, and are listed as excluded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{place, version};
use crate::repo::Repo;
use crate::run;
use crate::source::SourceFile;
use crate::steps::Ending;

/// Writes the list beside the bundles.
pub(super) fn list(repo: &Repo) -> Result<Ending> {
    let version = version(repo)?;
    let components = components(repo)?;
    let name = format!("towline-{version}.cdx.json");
    let closing = format!("{name}: {} parts", components.len());
    let text =
        serde_json::to_string_pretty(&document(&version, components)).context("writing JSON")?;
    fs::write(place(repo)?.join(&name), text + "\n").context("writing the list of parts")?;
    Ok(Ending::Passed(closing))
}

fn components(repo: &Repo) -> Result<Vec<Value>> {
    let host = run::capture(repo.command("rustc").args(["--print", "host-tuple"]))?;
    let metadata = MetadataCommand::new()
        .current_dir(repo.root())
        .other_options(vec!["--locked".into(), "--filter-platform".into(), host])
        .exec()
        .context("reading cargo metadata")?;
    let mut components = crates(&metadata)?;
    let lock = fs::read_to_string(repo.path("ui/package-lock.json"))
        .context("reading the lock file of the UI")?;
    components.extend(packages(&lock, &imports(&repo.files()?))?);
    Ok(components)
}

fn document(version: &str, components: Vec<Value>) -> Value {
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "towline",
                "version": version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
    })
}

/// The crates that programs of ours are linked with, our own among them.
fn crates(metadata: &Metadata) -> Result<Vec<Value>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let mut needed_by: BTreeMap<&PackageId, Vec<&PackageId>> = BTreeMap::new();
    for node in &resolve.nodes {
        let linked = node.deps.iter().filter(|dependency| {
            let kinds = &dependency.dep_kinds;
            kinds.iter().any(|each| each.kind == DependencyKind::Normal)
        });
        needed_by.insert(&node.id, linked.map(|dependency| &dependency.pkg).collect());
    }
    let packages = metadata.packages.iter();
    let shipped = packages.filter(|package| SHIPPED.contains(&package.name.as_str()));
    let mut left: Vec<&PackageId> = shipped.map(|package| &package.id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            left.extend(needed_by.get(id).into_iter().flatten());
        }
    }
    let packages = metadata.packages.iter();
    let mut found: Vec<_> = packages
        .filter(|package| seen.contains(&package.id))
        .collect();
    found.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
    let component = |package: &cargo_metadata::Package| {
        let (name, version) = (package.name.as_str(), package.version.to_string());
        let licence = package.license.as_deref();
        component("cargo", name, &version, licence, "required")
    };
    Ok(found.into_iter().map(component).collect())
}

/// The part of `package-lock.json` that is read here.
#[derive(Debug, Deserialize)]
struct Lock {
    packages: BTreeMap<String, Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    version: Option<String>,
    license: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

fn packages(lock: &str, imported: &BTreeSet<String>) -> Result<Vec<Value>> {
    let lock: Lock = serde_json::from_str(lock).context("understanding the UI's lock file")?;
    let mut in_it = BTreeSet::new();
    let mut left: Vec<&str> = imported.iter().map(String::as_str).collect();
    while let Some(name) = left.pop() {
        let locked = lock.packages.get(&format!("{MODULES}{name}"));
        if let Some(locked) = locked.filter(|_| in_it.insert(name)) {
            left.extend(locked.dependencies.keys().map(String::as_str));
        }
    }
    let mut components = Vec::new();
    for (path, locked) in &lock.packages {
        // The root is ours and has no path.
        let Some((_, name)) = path.rsplit_once(MODULES) else {
            continue;
        };
        let is_in_it = path
            .strip_prefix(MODULES)
            .is_some_and(|top| in_it.contains(top));
        let scope = if is_in_it { "required" } else { "excluded" };
        let version = locked.version.as_deref().unwrap_or_default();
        components.push(component(
            "npm",
            name,
            version,
            locked.license.as_deref(),
            scope,
        ));
    }
    Ok(components)
}

/// The packages that the shipped part of the UI imports.
fn imports(files: &[SourceFile]) -> BTreeSet<String> {
    let of_ui = files
        .iter()
        .filter(|file| file.path().starts_with("ui/src/") && !file.path().contains(".test."));
    let mut imported = BTreeSet::new();
    for file in of_ui {
        // `import "x"`, `from "x"` and `import("x")` alike.
        for (before, quoted) in pairs(file.text()) {
            let is_import = ["from ", "import ", "import("]
                .iter()
                .any(|word| before.ends_with(word));
            if is_import && !quoted.starts_with('.') {
                imported.insert(package_of(quoted));
            }
        }
    }
    imported
}

/// What stands in quotes, with what stands before it.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines();
    lines.filter_map(|line| {
        let (before, rest) = line.split_once('"')?;
        Some((before, rest.split_once('"')?.0))
    })
}

/// `@a/b/c` belongs to `@a/b`, `a/b` to `a`.
fn package_of(module: &str) -> String {
    let parts = if module.starts_with('@') { 2 } else { 1 };
    module.split('/').take(parts).collect::<Vec<_>>().join("/")
}

fn component(kind: &str, name: &str, version: &str, licence: Option<&str>, scope: &str) -> Value {
    let purl = format!("pkg:{kind}/{}@{version}", name.replace('@', "%40"));
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "scope": scope,
        "purl": purl,
    });
    if let Some(licence) = licence {
        // `/` is the old way to write `OR`.
        let expression = licence.replace(" / ", "/").replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    component
}

/// The packages whose programs are in the bundles.
const SHIPPED: &[&str] = &[crate::binaries::APP, crate::binaries::CLI];

const MODULES: &str = "node_modules/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_ui_are_those_that_it_imports_and_what_they_need() {
        let lock = r#"{ "packages": { "": {},
            "node_modules/svelte": { "version": "5.0.0", "license": "MIT", "dependencies": { "esm": "1" } },
            "node_modules/esm": { "version": "1.0.0" },
            "node_modules/vite": { "version": "8.0.0", "license": "MIT" },
            "node_modules/vite/node_modules/esm": { "version": "2.0.0" } } }"#;
        let files = [
            SourceFile::new(
                "ui/src/main.ts",
                "import { mount } from \"svelte\";\nimport \"./app.css\";",
            ),
            SourceFile::new("ui/src/a.test.ts", "import { test } from \"vite\";"),
        ];
        let found = packages(lock, &imports(&files)).unwrap();
        let said: Vec<_> = found
            .iter()
            .map(|each| format!("{} {}", each["purl"], each["scope"]))
            .collect();
        assert_eq!(
            said,
            [
                "\"pkg:npm/esm@1.0.0\" \"required\"",
                "\"pkg:npm/svelte@5.0.0\" \"required\"",
                "\"pkg:npm/vite@8.0.0\" \"excluded\"",
                "\"pkg:npm/esm@2.0.0\" \"excluded\"",
            ]
        );
    }

    #[test]
    fn what_we_ship_is_listed_and_what_only_builds_it_is_told_apart() {
        let components = components(&Repo::find().unwrap()).unwrap();
        let scope = |name: &str| {
            let found = components.iter().find(|each| each["name"] == name);
            found.map(|each| each["scope"].as_str().unwrap().to_owned())
        };
        for name in ["towline-app", "quinn", "tauri", "svelte", "@tauri-apps/api"] {
            assert_eq!(scope(name).as_deref(), Some("required"), "{name}");
        }
        assert_eq!(scope("vite").as_deref(), Some("excluded"));
        for name in ["xtask", "proptest", "tauri-build"] {
            assert_eq!(scope(name), None, "{name}");
        }
        let of_crates = |each: &&Value| each["purl"].as_str().unwrap().starts_with("pkg:cargo");
        let crates: Vec<_> = components.iter().filter(of_crates).collect();
        assert!(crates.len() > 200, "{}", crates.len());
        assert!(
            crates
                .iter()
                .all(|each| each["licenses"][0]["expression"] != "")
        );
    }

    #[test]
    fn modules_belong_to_packages() {
        assert_eq!(package_of("@tauri-apps/api/core"), "@tauri-apps/api");
        assert_eq!(package_of("svelte/transition"), "svelte");
    }

    #[test]
    fn licences_are_written_as_they_are_today() {
        let old = component("cargo", "a", "1.0.0", Some("MIT/Apache-2.0"), "required");
        assert_eq!(old["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let none = component("npm", "@a/b", "1.0.0", None, "required");
        assert_eq!(none["purl"], "pkg:npm/%40a/b@1.0.0");
        assert!(none.get("licenses").is_none());
    }
}
