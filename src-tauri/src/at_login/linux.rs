//! A desktop file below `autostart` in the user's configuration (XDG Autostart Specification), which
//! every desktop reads.
//!
//! Written here, because the library for it neither quotes what it starts nor looks where
//! `XDG_CONFIG_HOME` says, and takes a file for a yes that says no.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{AtLogin, Start};

/// Whether the desktop starts the app.
pub(crate) fn ask(start: &Start) -> io::Result<AtLogin> {
    asked(start, &configuration()?)
}

/// Has the desktop start the app, or no longer.
pub(crate) fn set(start: &Start, wanted: AtLogin) -> io::Result<()> {
    put(start, &configuration()?, wanted)
}

fn configuration() -> io::Result<PathBuf> {
    let places = directories::BaseDirs::new();
    let places = places.ok_or_else(|| io::Error::other("this user has no home directory"))?;
    Ok(places.config_dir().to_owned())
}

fn asked(start: &Start, configuration: &Path) -> io::Result<AtLogin> {
    let entry = match fs::read_to_string(file(start, configuration)) {
        Ok(entry) => entry,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AtLogin::NotStarted),
        Err(error) => return Err(error),
    };
    // How desktops switch an entry off without removing it.
    let is_off = entry.lines().any(|line| {
        let line: String = line.split_whitespace().collect();
        line == "Hidden=true" || line == "X-GNOME-Autostart-enabled=false"
    });
    Ok(if is_off {
        AtLogin::NotStarted
    } else {
        AtLogin::Started
    })
}

fn put(start: &Start, configuration: &Path, wanted: AtLogin) -> io::Result<()> {
    let file = file(start, configuration);
    match wanted {
        AtLogin::Started => {
            if let Some(directory) = file.parent() {
                fs::create_dir_all(directory)?;
            }
            fs::write(file, entry(start))
        }
        AtLogin::NotStarted => match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

fn file(start: &Start, configuration: &Path) -> PathBuf {
    let name = format!("{}.desktop", start.identifier);
    configuration.join("autostart").join(name)
}

fn entry(start: &Start) -> String {
    let parts = std::iter::once(&start.program).chain(&start.arguments);
    let command: Vec<_> = parts.map(|part| quoted(part)).collect();
    format!(
        "[Desktop Entry]\n\
         Type=Application\n\
         Name=Towline\n\
         Icon=towline-app\n\
         Exec={}\n\
         Terminal=false\n",
        command.join(" ")
    )
}

/// One argument of `Exec`: quoted where it has to be, and then as values of desktop files are written,
/// where a backslash is two; a percent sign alone would begin a field.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+=:@,".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in argument.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(program: &str, arguments: &[&str]) -> Start {
        Start {
            identifier: "dev.towline.desktop".to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_desktop_starts_the_app_from_a_yes_to_a_no() {
        let configuration = tempfile::tempdir().unwrap();
        let place = configuration.path();
        let start = start("/usr/bin/towline-app", &["--hidden"]);
        assert_eq!(asked(&start, place).unwrap(), AtLogin::NotStarted);
        put(&start, place, AtLogin::NotStarted).unwrap();
        put(&start, place, AtLogin::Started).unwrap();
        assert_eq!(asked(&start, place).unwrap(), AtLogin::Started);
        let entry = fs::read_to_string(place.join("autostart/dev.towline.desktop.desktop"));
        assert!(
            entry
                .unwrap()
                .contains("\nExec=/usr/bin/towline-app --hidden\n")
        );
        put(&start, place, AtLogin::NotStarted).unwrap();
        assert_eq!(asked(&start, place).unwrap(), AtLogin::NotStarted);
    }

    #[test]
    fn what_the_desktop_has_switched_off_is_off() {
        let configuration = tempfile::tempdir().unwrap();
        let place = configuration.path();
        let start = start("/usr/bin/towline-app", &["--hidden"]);
        for off in ["Hidden=true", "X-GNOME-Autostart-enabled = false"] {
            put(&start, place, AtLogin::Started).unwrap();
            let written = format!("{}{off}\n", entry(&start));
            fs::write(file(&start, place), written).unwrap();
            assert_eq!(asked(&start, place).unwrap(), AtLogin::NotStarted);
        }
        put(&start, place, AtLogin::Started).unwrap();
        assert_eq!(asked(&start, place).unwrap(), AtLogin::Started);
    }

    #[test]
    fn a_place_where_nothing_can_be_written_is_an_error() {
        let configuration = tempfile::tempdir().unwrap();
        let place = configuration.path().join("file");
        fs::write(&place, "").unwrap();
        let start = start("/usr/bin/towline-app", &[]);
        assert!(put(&start, &place, AtLogin::Started).is_err());
        assert!(asked(&start, &place).is_err());
    }

    #[test]
    fn names_are_started_as_they_are() {
        assert_eq!(quoted("/opt/Towline.AppImage"), "/opt/Towline.AppImage");
        assert_eq!(quoted("/srv/Ada's files"), "\"/srv/Ada's files\"");
        assert_eq!(quoted("a\"b`c$d"), "\"a\\\\\"b\\\\`c\\\\$d\"");
        assert_eq!(quoted("a\\b"), "\"a\\\\\\\\b\"");
        assert_eq!(quoted("100%"), "\"100%%\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
