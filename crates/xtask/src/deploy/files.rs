//! Every file is given to the program that reads it, or to the schema of what it is.
//!
//! Validators that no system packages come from PyPI, pinned in `validators.txt`, into a directory of the build
//! products. A file that nothing can judge is only read as what it claims to be.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{FILES, NAME, Place, kubernetes, promises, replaced, shown, text_of, unit};
use crate::repo::Repo;
use crate::report::say;
use crate::run;
use crate::steps::Ending;
use crate::system::has_program;

/// Judges all files, and tells all that is wrong at once.
pub(super) fn step(repo: &Repo) -> Result<Ending> {
    if !cfg!(target_os = "linux") {
        return Ok(Ending::Absent("the validators are Debian's".into()));
    }
    for program in NEEDED {
        if !has_program(program) {
            return Ok(Ending::Absent(format!("{program} is not here")));
        }
    }
    let tools = Tools::install(repo)?;
    let place = Place::make(repo)?;
    let (mut wrong, mut right) = (0, 0);
    let mut judge = |what: &str, verdict: Result<()>| match verdict {
        Ok(()) => right += 1,
        Err(error) => {
            wrong += 1;
            say(format!("   {what}: {error:#}"));
        }
    };
    for (what, command) in commands(repo, &tools)? {
        judge(what, quietly(command));
    }
    for name in kubernetes::DIRECTORIES {
        let validate = repo.command(&tools.path("kubernetes-validate"));
        judge(name, kubernetes::together(repo, &place, name, validate));
    }
    judge("the instances' names", kubernetes::instances(repo));
    judge("alertmanager's routes", routes(repo));
    judge("nginx", nginx(repo, &place));
    judge("logrotate", logrotate(repo, &place));
    judge("renewed.sh", renewed(repo, &place));
    judge("the unit's files", unit::verify_files(repo, &place));
    judge("the runbook", promises::runbook(repo));
    judge("versions", promises::versions(repo));
    if wrong > 0 {
        bail!("{wrong} of {} are wrong", wrong + right);
    }
    Ok(Ending::Passed(format!("{right} verdicts, all good")))
}

/// Validators that are one command each.
fn commands(repo: &Repo, tools: &Tools) -> Result<Vec<(&'static str, Command)>> {
    let mut all = Vec::new();
    let mut add = |what: &'static str, program: &str, words: &[&str], files: &[&str]| {
        let mut command = repo.command(program);
        command.args(words);
        command.args(files.iter().map(|file| format!("{FILES}/{file}")));
        all.push((what, command));
    };
    add(
        "Prometheus' rules",
        "promtool",
        &["check", "rules"],
        &["prometheus/alerts.yml"],
    );
    add(
        "tests of the rules",
        "promtool",
        &["test", "rules"],
        &["prometheus/alerts_test.yml"],
    );
    add(
        "Prometheus",
        "promtool",
        &["check", "config"],
        &["prometheus/prometheus.yml"],
    );
    add(
        "Alertmanager",
        "amtool",
        &["check-config"],
        &["prometheus/alertmanager.yml"],
    );
    let caddy = ["validate", "--adapter", "caddyfile", "--config"];
    add("Caddy", "caddy", &caddy, &["caddy/Caddyfile"]);
    add("renewed.sh", "sh", &["-n"], &["systemd/renewed.sh"]);
    add("Dockerfile", &tools.path("hadolint"), &[], &["Dockerfile"]);
    let schema = tools.path("check-jsonschema");
    let compose = ["--builtin-schema", "vendor.compose-spec"];
    add(
        "compose",
        &schema,
        &compose,
        &[
            "compose/compose.yaml",
            "compose/coturn.yaml",
            "compose/instances.yaml",
            "compose/turn.yaml",
        ],
    );
    for (what, kind, file) in [
        ("Fly.io", "fly.json", "fly.toml"),
        ("Railway", "railway.json", "railway.json"),
        ("Render", "render.json", "render.yaml"),
        ("Grafana", "grafana.json", "grafana/towline-signal.json"),
    ] {
        let kind = format!("{FILES}/schemas/{kind}");
        add(what, &schema, &["--schemafile", &kind], &[file]);
    }
    add(
        "CloudFormation",
        &tools.path("cfn-lint"),
        &[],
        &["aws/service.yaml"],
    );
    add(
        "Terraform's language",
        &tools.path("python"),
        &["-c", PARSE_HCL],
        &["aws/main.tf", "aws/frankfurt.tfvars", "aws/oregon.tfvars"],
    );
    if has_program("terraform") {
        let mut fmt = repo.command("terraform");
        fmt.args(["fmt", "-check", "-diff", &format!("{FILES}/aws")]);
        all.push(("Terraform's form", fmt));
    }
    let mut kubernetes = repo.command(&tools.path("kubernetes-validate"));
    kubernetes.arg("--strict").args(kubernetes::files(repo)?);
    all.push(("Kubernetes", kubernetes));
    // What has no schema here.
    let mut yaml = repo.command(&tools.path("python"));
    yaml.args(["-c", PARSE_YAML]);
    yaml.args(READ_ONLY.map(|file| format!("{FILES}/{file}")));
    all.push(("other YAML", yaml));
    Ok(all)
}

/// Whom an alert of each weight reaches.
fn routes(repo: &Repo) -> Result<()> {
    for severity in ["page", "ticket"] {
        let mut amtool = repo.command("amtool");
        amtool.args(["config", "routes", "test"]);
        amtool.arg(format!("--config.file={FILES}/prometheus/alertmanager.yml"));
        let reached = run::capture(amtool.arg(format!("severity={severity}")))?;
        if reached != severity {
            bail!("what is a {severity} reaches {reached}");
        }
    }
    Ok(())
}

fn nginx(repo: &Repo, place: &Place) -> Result<()> {
    quietly(nginx_command(&nginx_file(repo, place)?, "-t"))?;
    let site = site_of_instances(repo, ["127.0.0.1:8080"; 2])?;
    let site = certified(place, &site, "/etc/nginx/tls")?;
    quietly(nginx_command(&nginx_around(place, &site)?, "-t"))?;
    let main = place.write("main.conf", &main_around(repo, place, &site)?)?;
    quietly(nginx_command(&main, "-t"))
}

/// The site before two instances, which are at these places and not where compose has them.
pub(super) fn site_of_instances(repo: &Repo, [a, b]: [&str; 2]) -> Result<String> {
    let site = text_of(repo, &format!("{FILES}/nginx/instances.conf"))?;
    let site = replaced(&site, "signal-a:8080", a)?;
    replaced(&site, "signal-b:8080", b)
}

/// All of nginx around that site, as in the container.
pub(super) fn main_around(repo: &Repo, place: &Place, site: &str) -> Result<String> {
    let site = place.write("instances.conf", site)?;
    let main = text_of(repo, &format!("{FILES}/nginx/main.conf"))?;
    let main = replaced(&main, "/etc/nginx/conf.d/*.conf", &shown(&site))?;
    let pid = shown(&place.path.join("nginx.pid"));
    replaced(&main, "/run/nginx.pid", &pid)
}

/// A whole configuration around our site, with a certificate that was just made; nginx stays in the foreground.
pub(super) fn nginx_file(repo: &Repo, place: &Place) -> Result<PathBuf> {
    let site = text_of(repo, &format!("{FILES}/nginx/towline-signal.conf"))?;
    let site = certified(place, &site, &format!("/etc/letsencrypt/live/{NAME}"))?;
    nginx_around(place, &site)
}

/// A site with a certificate that was just made, in the place of the one in this directory of a server.
fn certified(place: &Place, site: &str, directory: &str) -> Result<String> {
    let (certificate, key) = place.certificate(NAME)?;
    let site = replaced(
        site,
        &format!("{directory}/fullchain.pem"),
        &shown(&certificate),
    )?;
    replaced(&site, &format!("{directory}/privkey.pem"), &shown(&key))
}

fn nginx_around(place: &Place, site: &str) -> Result<PathBuf> {
    let at = shown(&place.path);
    let whole = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{site}\n}}\n"
    );
    place.write("nginx.conf", &whole)
}

/// nginx with this configuration.
pub(super) fn nginx_command(configuration: &std::path::Path, word: &str) -> Command {
    let mut nginx = Command::new("nginx");
    nginx
        .arg(word)
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(configuration);
    nginx
}

/// The log is rotated for real: copied, packed the next time, and emptied while a program holds it open.
fn logrotate(repo: &Repo, place: &Place) -> Result<()> {
    let logs = place.directory("log")?;
    let log = logs.join("signal.log");
    fs::write(&log, "a line\n")?;
    let text = text_of(repo, &format!("{FILES}/logrotate/towline-signal"))?;
    let text = replaced(&text, "/var/log/towline/", &format!("{}/", shown(&logs)))?;
    // As somebody who is not root we rotate what is our own.
    let text = if super::is_root()? {
        text
    } else {
        replaced(&text, "    su root root\n", "")?
    };
    let rules = place.write("logrotate.conf", &text)?;
    let logrotate = |word: &str| {
        let mut command = Command::new("logrotate");
        command
            .arg(word)
            .arg("--state")
            .arg(place.path.join("rotated"));
        command.arg(&rules);
        command
    };
    quietly(logrotate("--debug"))?;
    let mut audit = Command::new("logrotate");
    audit
        .args(["--debug", "--state"])
        .arg(place.path.join("rotated"));
    audit.arg(repo.path(&format!("{FILES}/logrotate/towline-signal-audit")));
    quietly(audit)?;
    quietly(logrotate("--force"))?;
    let kept = fs::read_to_string(logs.join("signal.log.1")).context("the log was not kept")?;
    let left = fs::read_to_string(&log)?;
    if kept != "a line\n" || !left.is_empty() {
        bail!("the log was not moved aside: {kept:?} is kept and {left:?} is left");
    }
    Ok(())
}

/// What certbot calls puts both files where the server reads them.
fn renewed(repo: &Repo, place: &Place) -> Result<()> {
    let (from, to) = (place.directory("renewed")?, place.path.join("tls"));
    for file in ["privkey.pem", "fullchain.pem"] {
        fs::write(from.join(file), file)?;
    }
    let group = run::capture(Command::new("id").arg("-gn"))?;
    let mut script = repo.command("sh");
    script.arg(format!("{FILES}/systemd/renewed.sh"));
    script.env("RENEWED_LINEAGE", &from);
    script
        .env("TOWLINE_TLS_DIRECTORY", &to)
        .env("TOWLINE_TLS_GROUP", group);
    quietly(script)?;
    for file in ["privkey.pem", "fullchain.pem"] {
        let mode = run::capture(Command::new("stat").args(["-c", "%a"]).arg(to.join(file)))?;
        if mode != "640" || fs::read_to_string(to.join(file))? != file {
            bail!("{file} did not arrive, or is {mode}");
        }
    }
    Ok(())
}

/// Runs without a word unless it ends badly.
pub(super) fn quietly(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| {
        let program = command.get_program().to_string_lossy();
        format!("starting {program}")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    bail!(
        "{}\n{}",
        output.status,
        String::from_utf8_lossy(&said).trim_end()
    )
}

/// Validators of PyPI, in a directory of their own.
struct Tools {
    programs: PathBuf,
}

impl Tools {
    /// Installs what is not there in these versions.
    fn install(repo: &Repo) -> Result<Self> {
        let wanted = text_of(repo, &format!("{FILES}/validators.txt"))?;
        let target = repo.metadata()?.target_directory.into_std_path_buf();
        let directory = target.join("validators");
        let stamp = directory.join("installed.txt");
        let tools = Self {
            programs: directory.join("bin"),
        };
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(tools);
        }
        let logs = repo.artifacts()?;
        let mut venv = repo.command("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&directory);
        run::logged(
            &mut venv,
            "making room for validators",
            &logs.join("venv.log"),
        )?;
        let mut pip = repo.command(&tools.path("python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        pip.args(["--requirement", &format!("{FILES}/validators.txt")]);
        run::logged(&mut pip, "installing validators", &logs.join("pip.log"))?;
        fs::write(&stamp, wanted).context("noting which validators are there")?;
        Ok(tools)
    }

    fn path(&self, program: &str) -> String {
        shown(&self.programs.join(program))
    }
}

/// Programs without which nothing is judged.
const NEEDED: &[&str] = &[
    "amtool",
    "caddy",
    "logrotate",
    "nginx",
    "openssl",
    "promtool",
    "python3",
    "systemd-analyze",
];

/// Files that are read as YAML and judged by nobody.
const READ_ONLY: [&str; 11] = [
    "gcp/cloud-init.yaml",
    "gcp/cloudrun.yaml",
    "grafana/provisioning/dashboards/towline.yml",
    "grafana/provisioning/datasources/prometheus.yml",
    "kubernetes-instances/kustomization.yaml",
    "kubernetes/kustomization.yaml",
    "loki/loki.yml",
    "loki/promtail.yml",
    "prometheus/instances.yml",
    "prometheus/regions.yml",
    "prometheus/targets/home.yml",
];

const PARSE_HCL: &str = "import hcl2, sys\nfor name in sys.argv[1:]:\n    hcl2.load(open(name))";

const PARSE_YAML: &str =
    "import sys, yaml\nfor name in sys.argv[1:]:\n    list(yaml.safe_load_all(open(name)))";
