//! The resources of Kubernetes: each alone before the schema of what it is, all of a directory as they are applied where
//! `kubectl` is there to put them together, and what they must agree on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{FILES, Place, text_of};
use crate::repo::Repo;
use crate::run;
use crate::system::has_program;

/// One server, and several that share a Redis.
pub(super) const DIRECTORIES: [&str; 2] = ["kubernetes", "kubernetes-instances"];

const LIST: &str = "kustomization.yaml";

/// Resources, without the lists of them, which are none, and without what only changes others.
pub(super) fn files(repo: &Repo) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in DIRECTORIES {
        let directory = repo.path(&format!("{FILES}/{name}"));
        let listed = text_of(repo, &format!("{FILES}/{name}/{LIST}"))?;
        for entry in fs::read_dir(directory).context("reading the resources of Kubernetes")? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let is_change = listed.contains(&format!("- path: {file}\n"));
            if file == LIST || is_change {
                continue;
            }
            if !listed.contains(&format!("- {file}\n")) {
                bail!("{name}/{LIST} does not name {file}");
            }
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// A directory as it is applied, before the schemas; nothing where `kubectl` is not there.
pub(super) fn together(
    repo: &Repo,
    place: &Place,
    name: &str,
    mut validate: Command,
) -> Result<()> {
    if !has_program("kubectl") {
        return Ok(());
    }
    let mut put = repo.command("kubectl");
    put.args(["kustomize", &format!("{FILES}/{name}")]);
    let applied = run::capture(&mut put)?;
    // The rules of the cluster stop a pod of an image that nobody has put a name to.
    for line in applied.lines().map(str::trim) {
        if line == "image: towline-signal" {
            bail!("{line} has no registry");
        }
    }
    let path = place.write(&format!("{name}.yaml"), &applied)?;
    validate.arg("--strict").arg(path);
    run::capture(&mut validate).map(drop)
}

/// As many instances have a service and a path as there may be, and all go by the names that their pods have.
pub(super) fn instances(repo: &Repo) -> Result<()> {
    let read = |file: &str| text_of(repo, &format!("{FILES}/{}/{file}", DIRECTORIES[1]));
    agree(
        &read("hpa.yaml")?,
        &read("services.yaml")?,
        &read("ingress.yaml")?,
    )
}

fn agree(hpa: &str, services: &str, ingress: &str) -> Result<()> {
    let most = hpa
        .lines()
        .find_map(|line| line.trim().strip_prefix("maxReplicas: "));
    let most: usize = most.context("no maxReplicas")?.parse()?;
    let count = |text: &str, part: &str| text.matches(part).count();
    let told = [
        count(services, "statefulset.kubernetes.io/pod-name: signal-"),
        count(ingress, "- path: /at/signal-"),
    ];
    if told != [most, most] {
        bail!("there may be {most} instances, and {told:?} have a service and a path");
    }
    for number in 0..most {
        let named = [
            services.contains(&format!("  name: signal-{number}\n")),
            services.contains(&format!("pod-name: signal-{number}}}")),
            ingress.contains(&format!(
                "- path: /at/signal-{number}/\n            pathType: Prefix\n            \
                 backend: {{service: {{name: signal-{number}, "
            )),
        ];
        if named != [true; 3] {
            bail!("instance {number} is not reached by its name: {named:?}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_without_a_path_of_its_own_is_found() {
        let hpa = "  maxReplicas: 1\n";
        let services = "  name: signal-0\n  {statefulset.kubernetes.io/pod-name: signal-0}\n";
        let path = |of: u8, to: u8| {
            format!(
                "- path: /at/signal-{of}/\n            pathType: Prefix\n            \
                 backend: {{service: {{name: signal-{to}, port"
            )
        };
        assert!(agree(hpa, services, &path(0, 0)).is_ok());
        assert!(agree(hpa, services, &path(0, 1)).is_err());
        assert!(agree(hpa, services, "").is_err());
        assert!(agree("  maxReplicas: 2\n", services, &path(0, 0)).is_err());
    }
}
