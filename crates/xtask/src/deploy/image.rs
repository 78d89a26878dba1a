//! The image without Docker: built by the Dockerfile's own command, run as its user in a root that holds nothing
//! but the program, asked by its own health check.
//!
//! `/dev` and `/proc` are there as in any container; everything else that the program would look for is not.

mod names;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{FILES, Place, files::quietly, shown, text_of};
use crate::processes::Running;
use crate::repo::Repo;
use crate::run;

/// What the Dockerfile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// The image that it builds in, with its version.
    pub(super) from: String,
    environment: Vec<(String, String)>,
    build: String,
    user: String,
    healthcheck: Vec<String>,
    entrypoint: Vec<String>,
}

impl Recipe {
    pub(super) fn read(repo: &Repo) -> Result<Self> {
        Self::parse(&text_of(repo, &format!("{FILES}/Dockerfile"))?)
    }

    fn parse(text: &str) -> Result<Self> {
        let all = |word: &str| {
            let prefix = format!("{word} ");
            text.lines()
                .filter_map(move |line| line.strip_prefix(&prefix).map(str::to_owned))
                .collect::<Vec<String>>()
        };
        let one = |word: &str| {
            let last = all(word).pop();
            last.with_context(|| format!("the Dockerfile has no {word}"))
        };
        let list = |text: &str| -> Result<Vec<String>> {
            let start = text.find('[').context("a command is no list of words")?;
            serde_json::from_str(text.split_at(start).1).context("reading a list of words")
        };
        let build = all("RUN")
            .into_iter()
            .find(|run| run.starts_with("cargo build "));
        let environment = all("ENV").into_iter().filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        });
        let from = all("FROM").into_iter().next();
        Ok(Self {
            from: from.context("the Dockerfile has no FROM")?,
            environment: environment.collect(),
            build: build.context("the Dockerfile does not build with cargo")?,
            user: one("USER")?,
            healthcheck: list(&one("HEALTHCHECK")?)?,
            entrypoint: list(&one("ENTRYPOINT")?)?,
        })
    }
}

/// Builds the server with the Dockerfile's command and returns where it lies.
pub(super) fn build(repo: &Repo) -> Result<PathBuf> {
    let recipe = Recipe::read(repo)?;
    let mut shell = repo.command("sh");
    shell.args(["-c", &recipe.build]);
    for (name, value) in &recipe.environment {
        // The toolchain is this machine's; that both are of one version, `promises` knows.
        if name != "RUSTUP_TOOLCHAIN" {
            shell.env(name, value);
        }
    }
    run::run(&mut shell)?;
    let host = run::capture(repo.command("rustc").args(["--print", "host-tuple"]))?;
    let target = repo.metadata()?.target_directory.into_std_path_buf();
    let program = target.join(host).join("release/towline-signal");
    program
        .canonicalize()
        .with_context(|| format!("looking for {}", program.display()))
}

/// Runs it as the image does, asks it whether it is well in the image's own way, and lets it find a Redis by its name.
pub(super) fn run_as_nobody(place: &Place, signal: &Path, recipe: &Recipe) -> Result<String> {
    let root = place.directory("root")?;
    let jail = Jail::make(root, signal, recipe)?;
    let mut server = Running::start("image", &mut jail.serve(&[]), &place.logs)?;
    server.wait_for_line(|line| line.contains(&jail.bind), PATIENCE)?;
    quietly(jail.command(&recipe.healthcheck)).context("the health check of the image")?;
    let health = run::capture(curl().arg(format!("http://{}/health", jail.bind)))?;
    if health != r#"{"status":"ok"}"# {
        bail!("/health answers {health}");
    }
    drop(server);
    if jail.command(&recipe.healthcheck).output()?.status.success() {
        bail!("the health check is content with a server that is not there");
    }
    let named = names::find_redis(place, signal, recipe)?;
    let megabytes = fs::metadata(signal)?.len() as f64 / 1e6;
    Ok(format!(
        "an image of {megabytes:.1} MB runs as {}, and finds Redis {named}",
        recipe.user
    ))
}

/// A root that holds nothing but the program, and who it is in there.
#[derive(Debug)]
struct Jail {
    root: PathBuf,
    inside: String,
    user: (String, String),
    bind: String,
}

impl Jail {
    /// Puts the program into this directory.
    fn make(root: PathBuf, signal: &Path, recipe: &Recipe) -> Result<Self> {
        let [inside] = recipe.entrypoint.as_slice() else {
            bail!(
                "the image starts {:?}, which is not one program",
                recipe.entrypoint
            );
        };
        let program = root.join(inside.trim_start_matches('/'));
        fs::copy(signal, program).context("copying the server into its root")?;
        for mount in ["dev", "proc"] {
            fs::create_dir_all(root.join(mount))?;
        }
        let (uid, gid) = recipe.user.split_once(':').context("the user is no pair")?;
        Ok(Self {
            root,
            inside: inside.clone(),
            user: (uid.to_owned(), gid.to_owned()),
            bind: free_address()?,
        })
    }

    /// The server with these settings.
    fn serve(&self, settings: &[(&str, &str)]) -> Command {
        self.with(settings, std::slice::from_ref(&self.inside))
    }

    fn command(&self, words: &[String]) -> Command {
        self.with(&[], words)
    }

    fn with(&self, settings: &[(&str, &str)], words: &[String]) -> Command {
        let mut jail = Command::new("bwrap");
        jail.arg("--ro-bind").arg(&self.root).arg("/");
        jail.args([
            "--dev",
            "/dev",
            "--proc",
            "/proc",
            "--unshare-user",
            "--unshare-pid",
        ]);
        let (uid, gid) = &self.user;
        jail.args(["--unshare-ipc", "--unshare-uts", "--uid", uid, "--gid", gid]);
        jail.args(["--cap-drop", "ALL", "--new-session", "--die-with-parent"]);
        jail.args(["--clearenv", "--setenv", "SIGNAL_BIND", &self.bind]);
        jail.args(["--setenv", "SIGNAL_DRAIN_SECONDS", "0"]);
        for (name, value) in settings {
            jail.args(["--setenv", name, value]);
        }
        jail.arg("--").args(words);
        jail
    }
}

/// curl that says nothing of itself.
pub(super) fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "10"]);
    curl
}

/// A port of loopback that is free now.
pub(super) fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("asking for a port")?;
    Ok(listener.local_addr()?.to_string())
}

/// How long anything may take to begin: 20 s, on a machine that compiles beside.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// As an argument of a server.
pub(super) fn words(signal: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(shown(signal));
    command.args(flags).env_remove("RUST_LOG");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_from_a_dockerfile() {
        let recipe = Recipe::parse(
            "# Words\nFROM rust:1.2.3-x AS build\nENV RUSTFLAGS=\"-C a=+b\"\nRUN cargo build -p x\nRUN install x\n\
             FROM scratch\nUSER 1:2\nHEALTHCHECK --interval=3s CMD [\"/x\", \"y\"]\nENTRYPOINT [\"/x\"]\n",
        )
        .unwrap();
        assert_eq!(recipe.from, "rust:1.2.3-x AS build");
        assert_eq!(recipe.environment, [("RUSTFLAGS".into(), "-C a=+b".into())]);
        assert_eq!(recipe.build, "cargo build -p x");
        assert_eq!(recipe.healthcheck, ["/x", "y"]);
        assert_eq!((recipe.user.as_str(), recipe.entrypoint.len()), ("1:2", 1));
        assert!(Recipe::parse("FROM scratch\n").is_err());
    }
}
