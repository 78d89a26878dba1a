//! Puts the built UI (`ui/dist`) into the program, so that `towline up` serves it from one file. Where
//! it was not built the program has none, and says so when it runs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let home = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let ui = home.join("../../ui");
    let dist = ui.join("dist");
    let mut pages = Vec::new();
    if dist.join("index.html").is_file() {
        println!("cargo:rerun-if-changed={}", dist.display());
        collect(&dist.canonicalize()?, "", &mut pages)?;
    } else {
        // What does not exist cannot be watched, but the directory in which it will.
        println!("cargo:rerun-if-changed={}", ui.display());
    }
    pages.sort();
    let out = PathBuf::from(variable("OUT_DIR")?).join("pages.rs");
    fs::write(out, listing(&pages))
}

/// Finds every file below `directory`, with the path under which it is served.
fn collect(directory: &Path, above: &str, pages: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| io::Error::other("a built file's name is no text"))?;
        let path = format!("{above}/{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, pages)?;
        } else {
            pages.push((path, entry.path()));
        }
    }
    Ok(())
}

/// A slice of paths and contents, as Rust writes it.
fn listing(pages: &[(String, PathBuf)]) -> String {
    let mut text = "&[\n".to_owned();
    for (path, file) in pages {
        let file = file.display().to_string();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    ({path:?}, include_bytes!({file:?})),");
    }
    text + "]\n"
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")))
}
