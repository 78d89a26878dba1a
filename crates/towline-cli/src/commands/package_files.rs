//! `towline package-files`: what packages bring beside the program, as their makers want it.
//!
//! Pages of the manual, completions of shells, and on Linux units of systemd, below a directory that stands for `/usr`.
//! All of it is made of the commands themselves, so it is of the same version.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::Arguments;
use crate::output::{Failure, Output};

/// Writes all of it.
pub(crate) fn run(directory: &Path, output: &Output) -> Result<(), Failure> {
    write(directory).map_err(|error| {
        Failure::new("package_files", format!("{}: {error}", directory.display()))
    })?;
    output.say(&directory, || {
        format!("Written to {}.", directory.display())
    });
    Ok(())
}

fn write(directory: &Path) -> io::Result<()> {
    let manual = directory.join("share/man/man1");
    fs::create_dir_all(&manual)?;
    clap_mangen::generate_to(Arguments::command(), &manual)?;
    for (shell, place) in [
        (Shell::Bash, "share/bash-completion/completions/towline"),
        (Shell::Fish, "share/fish/vendor_completions.d/towline.fish"),
        (Shell::Zsh, "share/zsh/site-functions/_towline"),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut Arguments::command(), "towline", &mut script);
        put(&directory.join(place), &script)?;
    }
    #[cfg(target_os = "linux")]
    for (name, unit) in super::service::packaged_units("/usr/bin/towline") {
        put(&directory.join("lib/systemd").join(name), unit.as_bytes())?;
    }
    Ok(())
}

fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    fs::write(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_people_see_has_its_page() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let page = |name: &str| directory.path().join(format!("share/man/man1/{name}.1"));
        for command in Arguments::command().get_subcommands() {
            let name = format!("towline-{}", command.get_name());
            assert_eq!(page(&name).exists(), !command.is_hide_set(), "{name}");
        }
        let completions = "share/bash-completion/completions/towline";
        let completions = fs::read_to_string(directory.path().join(completions)).unwrap();
        assert!(completions.contains("lan-only"));
    }
}
