//! Whether a bundle holds what it should and nothing else.
//!
//! `dpkg-deb` and `rpm` list files as `ls` does; both lists are held against one table. What surrounds the files
//! (name, version, dependencies, scripts) is asked field by field.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Kind, Package, bundle, scratch, version};
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// The deb: its files, its fields, its entry in menus, and that it runs no scripts as root.
pub(super) fn deb(repo: &Repo, package: Package) -> Result<Ending> {
    let deb = bundle(repo, Kind::Deb, package)?;
    let listing = run::capture(&mut dpkg_deb("--contents", &deb))?;
    let mut complaints = judge_files(listing.lines().filter_map(of_dpkg), files(package));
    let fields = run::capture(&mut dpkg_deb("--field", &deb))?;
    let architecture = run::capture(Command::new("dpkg").arg("--print-architecture"))?;
    complaints.extend(judge_fields(
        &fields,
        package,
        &version(repo)?,
        &architecture,
    ));
    let inside = scratch("deb");
    let looked = look_inside(&deb, package, &inside);
    // What cannot be removed is left to the system, as everything in its directory for such things.
    let _ = fs::remove_dir_all(&inside);
    complaints.extend(looked?);
    verdict(&complaints, package)
}

/// The rpm: its files and its fields.
pub(super) fn rpm(repo: &Repo, package: Package) -> Result<Ending> {
    let rpm = bundle(repo, Kind::Rpm, package)?;
    let ask = |words: &[&str]| {
        let mut command = Command::new("rpm");
        run::capture(command.args(["--query", "--package"]).args(words).arg(&rpm))
    };
    let listing = ask(&["--list", "--verbose"])?;
    let mut complaints = judge_files(listing.lines().filter_map(of_rpm), files(package));
    let fields = ask(&["--queryformat", "%{NAME} %{VERSION} %{LICENSE}"])?;
    let wanted = format!("{} {} MIT OR Apache-2.0", name(package), version(repo)?);
    if fields != wanted {
        complaints.push(format!("it is {fields:?}, not {wanted:?}"));
    }
    let needs = ask(&["--requires", "--recommends", "--conflicts"])?;
    let (wanted, unwanted): (&[&str], &[&str]) = match package {
        Package::Desktop => (
            &[
                "libwebkit2gtk-4.1",
                "libgtk-3",
                "libc.so.6(GLIBC_",
                "emoji",
                "towline-cli",
            ],
            &[],
        ),
        Package::Headless => (&["ca-certificates", "towline"], &["webkit", "libc.so"]),
    };
    for need in wanted.iter().filter(|need| !needs.contains(**need)) {
        complaints.push(format!("does not speak of {need}"));
    }
    for need in unwanted.iter().filter(|need| needs.contains(**need)) {
        complaints.push(format!("asks for {need}"));
    }
    let scripts = ask(&["--scripts"])?;
    if !scripts.is_empty() {
        complaints.push(format!("runs scripts: {scripts}"));
    }
    verdict(&complaints, package)
}

/// What a package is called.
fn name(package: Package) -> &'static str {
    match package {
        Package::Desktop => "towline",
        Package::Headless => "towline-cli",
    }
}

/// Every file that a package installs, with its mode; pages of the manual are there beside.
pub(super) fn files(package: Package) -> &'static [(&'static str, &'static str)] {
    match package {
        Package::Desktop => FILES,
        Package::Headless => FILES_ALONE,
    }
}

/// What the command line alone is installed with.
const FILES_ALONE: &[(&str, &str)] = &[
    ("-rwxr-xr-x", "/usr/bin/towline"),
    ("-rw-r--r--", "/usr/lib/systemd/system/towline@.service"),
    ("-rw-r--r--", "/usr/lib/systemd/user/towline.service"),
    (
        "-rw-r--r--",
        "/usr/share/bash-completion/completions/towline",
    ),
    ("-rw-r--r--", "/usr/share/doc/towline-cli/LICENSE-APACHE"),
    ("-rw-r--r--", "/usr/share/doc/towline-cli/LICENSE-MIT"),
    ("-rw-r--r--", "/usr/share/doc/towline-cli/copyright"),
    (
        "-rw-r--r--",
        "/usr/share/fish/vendor_completions.d/towline.fish",
    ),
    ("-rw-r--r--", "/usr/share/man/man1/towline.1"),
    ("-rw-r--r--", "/usr/share/man/man1/towline-up.1"),
    ("-rw-r--r--", "/usr/share/zsh/site-functions/_towline"),
];

/// What the app is installed with.
const FILES: &[(&str, &str)] = &[
    ("-rwxr-xr-x", "/usr/bin/towline"),
    ("-rwxr-xr-x", "/usr/bin/towline-app"),
    ("-rw-r--r--", "/usr/share/applications/Towline.desktop"),
    ("-rw-r--r--", "/usr/share/doc/towline/LICENSE-APACHE"),
    ("-rw-r--r--", "/usr/share/doc/towline/LICENSE-MIT"),
    ("-rw-r--r--", "/usr/share/doc/towline/copyright"),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/128x128/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/16x16/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/24x24/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/256x256/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/32x32/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/48x48/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/512x512/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/64x64/apps/towline-app.png",
    ),
    (
        "-rw-r--r--",
        "/usr/share/icons/hicolor/scalable/apps/towline-app.svg",
    ),
];

/// A line of a list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    mode: String,
    is_roots: bool,
    path: String,
}

/// `-rwxr-xr-x root/root 7 2026-11-30 17:50 ./usr/bin/towline`; owners are numbers where the archive has no names.
fn of_dpkg(line: &str) -> Option<Listed> {
    let mut words = line.split_whitespace();
    let mode = words.next()?.to_owned();
    let owner = words.next()?;
    let path = words.skip(3).collect::<Vec<_>>().join(" ");
    let path = path.trim_start_matches("./").trim_end_matches('/');
    Some(Listed {
        mode,
        is_roots: matches!(owner, "0/0" | "root/root"),
        path: format!("/{path}"),
    })
}

/// `-rwxr-xr-x    1 root     root    7 Nov 30 17:50 /usr/bin/towline`.
fn of_rpm(line: &str) -> Option<Listed> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [mode, _, user, group, _, _, _, _, path @ ..] = words.as_slice() else {
        return None;
    };
    Some(Listed {
        mode: (*mode).to_owned(),
        is_roots: *user == "root" && *group == "root",
        path: path.join(" "),
    })
}

fn judge_files(listing: impl Iterator<Item = Listed>, files: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut missing: Vec<&str> = files.iter().map(|(_, path)| *path).collect();
    for Listed {
        mode,
        is_roots,
        path,
    } in listing
    {
        if !is_roots {
            complaints.push(format!("{path} is not root's"));
        }
        let is_above = files
            .iter()
            .any(|(_, file)| Path::new(file).starts_with(&path));
        let wanted = match files.iter().find(|(_, file)| *file == path) {
            Some((wanted, _)) => *wanted,
            None if is_above => "drwxr-xr-x",
            None if is_page(&path, files) => "-rw-r--r--",
            None => {
                complaints.push(format!("{path} does not belong there"));
                continue;
            }
        };
        if mode != wanted {
            complaints.push(format!("{path} has the mode {mode}, not {wanted}"));
        }
        missing.retain(|file| *file != path);
    }
    complaints.extend(missing.iter().map(|file| format!("{file} is missing")));
    complaints
}

/// Whether it is one more page of the manual, where a package has one.
fn is_page(path: &str, files: &[(&str, &str)]) -> bool {
    let has_manual = files.iter().any(|(_, file)| file.starts_with(MANUAL));
    has_manual && path.starts_with(MANUAL) && path.ends_with(".1")
}

const MANUAL: &str = "/usr/share/man/man1/towline";

fn judge_fields(fields: &str, package: Package, version: &str, architecture: &str) -> Vec<String> {
    let of = |name: &str| {
        let mut lines = fields.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    };
    let mut complaints = Vec::new();
    for (name, wanted) in [
        ("Package", name(package)),
        ("Version", version),
        ("Architecture", architecture),
        ("Section", "net"),
        ("Priority", "optional"),
        ("Maintainer", "Towline contributors"),
    ] {
        let there = of(name);
        if there != Some(wanted) {
            complaints.push(format!("{name} is {there:?}, not {wanted:?}"));
        }
    }
    let begins = "A direct line between your computers";
    if !of("Description").unwrap_or_default().starts_with(begins) {
        complaints.push(format!("Description does not begin with {begins:?}"));
    }
    let relations: &[(&str, &[&str])] = match package {
        Package::Desktop => &[
            (
                "Depends",
                &["libwebkit2gtk-4.1-0", "libgtk-3-0", "libc6 (>= "],
            ),
            ("Recommends", &["fonts-noto-color-emoji"]),
            ("Provides", &["towline-cli"]),
            ("Conflicts", &["towline-cli"]),
            ("Replaces", &["towline-cli"]),
        ],
        Package::Headless => &[
            ("Recommends", &["ca-certificates"]),
            ("Conflicts", &["towline"]),
            ("Replaces", &["towline"]),
        ],
    };
    for (name, packages) in relations {
        for package in *packages {
            if !of(name).unwrap_or_default().contains(package) {
                complaints.push(format!("{name} lacks {package}"));
            }
        }
    }
    if package == Package::Headless && of("Depends").is_some() {
        complaints.push("it depends on something".to_owned());
    }
    complaints
}

/// What takes the deb apart to be seen.
fn look_inside(deb: &Path, package: Package, inside: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let (control, files) = (inside.join("control"), inside.join("files"));
    fs::create_dir_all(inside).with_context(|| format!("making {}", inside.display()))?;
    run::capture(dpkg_deb("--control", deb).arg(&control))?;
    for entry in fs::read_dir(&control).context("listing the control files")? {
        let name = entry.context("listing the control files")?.file_name();
        if name != "control" && name != "md5sums" {
            complaints.push(format!("there is a control file {}", name.display()));
        }
    }
    if package == Package::Headless {
        return Ok(complaints);
    }
    run::capture(dpkg_deb("--extract", deb).arg(&files))?;
    complaints.extend(judge_entry(&files.join(super::appimage::ENTRY))?);
    Ok(complaints)
}

/// The entry in menus.
pub(super) fn judge_entry(entry: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let said = run::capture(Command::new("desktop-file-validate").arg(entry))?;
    complaints.extend(said.lines().map(str::to_owned));
    let entry = fs::read_to_string(entry).context("reading the entry in menus")?;
    for line in ["Exec=towline-app %u", "MimeType=x-scheme-handler/towline;"] {
        if !entry.lines().any(|there| there == line) {
            complaints.push(format!("the entry in menus lacks {line}"));
        }
    }
    Ok(complaints)
}

fn dpkg_deb(what: &str, deb: &Path) -> Command {
    let mut command = Command::new("dpkg-deb");
    command.arg(what).arg(deb);
    command
}

fn verdict(complaints: &[String], package: Package) -> Result<Ending> {
    if complaints.is_empty() {
        let beside = match package {
            Package::Desktop => "nothing else",
            Package::Headless => "pages of the manual",
        };
        let count = files(package).len();
        return Ok(Ending::Passed(format!("{count} files and {beside}")));
    }
    bail!("{}", complaints.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<Listed> {
        let lines = FILES
            .iter()
            .map(|(mode, path)| format!("{mode} 0/0 7 2026-11-30 17:50 .{path}"));
        let directory = "drwxr-xr-x 0/0 0 2026-11-30 17:50 ./usr/share/".to_owned();
        let lines = lines.chain([directory]);
        lines.filter_map(|line| of_dpkg(&line)).collect()
    }

    #[test]
    fn both_programs_lists_are_understood() {
        let of_dpkg = of_dpkg("-rwxr-xr-x 0/0   7 2026-11-30 17:50 usr/bin/towline");
        let of_rpm = of_rpm("-rwxr-xr-x    1 root     root     7 Nov 30 17:50 /usr/bin/towline");
        assert_eq!(of_dpkg, of_rpm);
        assert_eq!(of_dpkg.unwrap().path, "/usr/bin/towline");
    }

    #[test]
    fn what_is_as_it_should_be_has_no_complaints() {
        assert_eq!(
            judge_files(listed().into_iter(), FILES),
            Vec::<String>::new()
        );
    }

    #[test]
    fn strange_missing_and_writable_files_are_complained_about() {
        let strange = of_dpkg("-rw-r--r-- 0/0 7 2026-11-30 17:50 ./etc/towline");
        let strange = judge_files(listed().into_iter().chain(strange), FILES);
        assert_eq!(strange, ["/etc/towline does not belong there"]);
        let missing = judge_files(listed().into_iter().skip(1), FILES);
        assert_eq!(missing, ["/usr/bin/towline is missing"]);
        let writable = listed().into_iter().map(|mut listed| {
            if listed.path.ends_with(".desktop") {
                listed.mode = "-rw-rw-rw-".to_owned();
                listed.is_roots = false;
            }
            listed
        });
        assert_eq!(judge_files(writable, FILES).len(), 2);
    }

    #[test]
    fn pages_of_the_manual_are_the_command_lines_alone() {
        let page = "/usr/share/man/man1/towline-pair.1";
        assert!(is_page(page, FILES_ALONE));
        assert!(!is_page(page, FILES));
        assert!(!is_page("/usr/share/man/man1/ls.1", FILES_ALONE));
    }

    #[test]
    fn fields_are_held_against_what_is_built() {
        let fields = "Package: towline\nVersion: 0.1.0\nArchitecture: amd64\nSection: net\n\
                      Priority: optional\nMaintainer: Towline contributors\n\
                      Depends: libc6 (>= 2.34), libwebkit2gtk-4.1-0, libgtk-3-0\n\
                      Recommends: fonts-noto-color-emoji\nProvides: towline-cli\n\
                      Conflicts: towline-cli\nReplaces: towline-cli\n\
                      Description: A direct line between your computers\n More: words";
        assert_eq!(
            judge_fields(fields, Package::Desktop, "0.1.0", "amd64"),
            Vec::<String>::new()
        );
        let old = judge_fields(fields, Package::Desktop, "0.2.0", "arm64");
        assert_eq!(old.len(), 2, "{old:?}");
        let bare = judge_fields("Package: towline", Package::Desktop, "0.1.0", "amd64");
        assert_eq!(bare.len(), 13, "{bare:?}");
    }
}
