//! Where what is set comes from: flags, then environment, then a TOML file, then defaults; and what the
//! binary is asked to do.
//!
//! Each option is declared once ([`Options`]). What the file sets becomes the default of the option of that
//! name, so a value is parsed and refused in the same way wherever it stands. A key of the file that no option
//! has is refused, and so is a variable that begins with `SIGNAL_` and is none of ours, but for those that
//! Kubernetes makes for each service whose name begins with `signal`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use toml::Value;

use super::Options;

/// Introduces Towline devices to each other and passes on packets that it cannot read.
#[derive(Debug, Parser)]
#[command(name = "towline-signal", version)]
struct Program {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serves; this is also what happens when no command is named
    Serve(Options),
    /// Asks the server that runs with the same settings on this machine whether it is well
    Healthcheck(Options),
    /// Says whether the settings are right, and what is wrong with them
    CheckConfig(Options),
    /// Prints all settings as a TOML file, and where each comes from
    PrintConfig(Options),
    /// Draws a token for --access tokens: prints it, and its line for the file
    NewToken {
        /// What its line shall be called
        #[arg(default_value = "")]
        label: String,
    },
}

/// What the binary is asked to do.
#[derive(Debug)]
pub enum Asked {
    /// To serve.
    Serve(Options),
    /// To ask the server that runs here.
    Healthcheck(Options),
    /// Only to say whether the settings are right.
    CheckConfig(Options),
    /// To print this.
    Print(String),
    /// To draw a token of this name.
    NewToken(String),
}

/// Why it cannot begin.
#[derive(Debug)]
pub enum Refusal {
    /// Clap's own word: a wrong flag, or help that was asked for.
    Words(clap::Error),
    /// The file's fault, in a sentence.
    File(String),
}

/// Reads what was asked and set.
///
/// # Errors
/// When a setting makes no sense, or the file cannot be read.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, Refusal> {
    let words = with_task(words.into_iter().collect());
    let first = Program::command()
        .try_get_matches_from(&words)
        .map_err(Refusal::Words)?;
    let file = first
        .subcommand()
        .filter(|(task, _)| *task != "new-token")
        .and_then(|(_, matches)| matches.get_one::<std::path::PathBuf>("config"));
    let Some(file) = file else {
        return asked(&first, &BTreeMap::new());
    };
    let set = read_file(file)?;
    let mut command = Program::command();
    let tasks = names(&command).into_iter();
    for task in tasks.filter(|task| task != "new-token") {
        command = command.mut_subcommand(task, |mut task| {
            for (key, values) in &set {
                task = task.mut_arg(key, |arg| arg.default_values(values));
            }
            task
        });
    }
    let matches = command.try_get_matches_from(&words).map_err(|error| {
        // Clap says which option it is; only the file's values were not there before.
        Refusal::File(format!("in {}: {error}", file.display()))
    })?;
    asked(&matches, &set)
}

fn asked(matches: &ArgMatches, set: &BTreeMap<String, Vec<String>>) -> Result<Asked, Refusal> {
    if let Some(("print-config", options)) = matches.subcommand() {
        return Ok(Asked::Print(printed(options, set)));
    }
    let program = Program::from_arg_matches(matches).map_err(Refusal::Words)?;
    Ok(match program.task {
        Task::Serve(options) => Asked::Serve(options),
        Task::Healthcheck(options) => Asked::Healthcheck(options),
        Task::CheckConfig(options) | Task::PrintConfig(options) => Asked::CheckConfig(options),
        Task::NewToken { label } => Asked::NewToken(label),
    })
}

/// Who names no command wants to serve.
fn with_task(mut words: Vec<OsString>) -> Vec<OsString> {
    let tasks = names(&Program::command());
    let named = words.get(1).and_then(|word| word.to_str());
    let is_task = |word: &str| tasks.iter().any(|task| task == word);
    let is_for_all = |word: &str| matches!(word, "help" | "--help" | "-h" | "--version" | "-V");
    if !named.is_some_and(|word| is_task(word) || is_for_all(word)) {
        words.insert(words.len().min(1), "serve".into());
    }
    words
}

fn names(command: &clap::Command) -> Vec<String> {
    let tasks = command.get_subcommands();
    tasks.map(|task| task.get_name().to_owned()).collect()
}

/// What the file sets, each value as it would be typed.
fn read_file(path: &Path) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
    let shown = path.display();
    let fail = |why: String| Err(Refusal::File(why));
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) => return fail(format!("cannot read the settings in {shown}: {error}")),
        Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
            return fail(format!(
                "{shown} has more than {FILE_BYTES_MAX} bytes; it is no file of settings"
            ));
        }
        Ok(_) => {}
    }
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        // Without the text around it, which may be a secret.
        Err(error) => {
            return fail(format!(
                "{shown} is no TOML: {}",
                toml::de::Error::message(&error)
            ));
        }
    };
    let known = keys();
    let mut set = BTreeMap::new();
    for (key, value) in table {
        if !known.contains(&key) || key == "config" {
            return fail(format!(
                "{shown} sets `{key}`, which does not exist; `towline-signal print-config` names all keys"
            ));
        }
        let Some(values) = as_typed(value) else {
            return fail(format!(
                "{shown} sets `{key}` to something that is no text, number, yes or no, or a list of them"
            ));
        };
        set.insert(key, values);
    }
    Ok(set)
}

/// The names of all options.
fn keys() -> Vec<String> {
    let options = Options::augment_args(clap::Command::new(""));
    let ids = options.get_arguments().map(|arg| arg.get_id().to_string());
    ids.collect()
}

fn as_typed(value: Value) -> Option<Vec<String>> {
    let one = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(yes) => Some(yes.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    };
    if let Value::Array(all) = value {
        all.into_iter().map(one).collect()
    } else {
        one(value).map(|text| vec![text])
    }
}

/// All settings in the form of the file; those that nobody sets are comments.
fn printed(matches: &ArgMatches, set: &BTreeMap<String, Vec<String>>) -> String {
    let options = Options::augment_args(clap::Command::new(""));
    let mut lines = Vec::new();
    for arg in options
        .get_arguments()
        .filter(|arg| arg.get_id() != "config")
    {
        let id = arg.get_id().as_str();
        let from = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            Some(_) if set.contains_key(id) => "file",
            Some(_) => "default",
            None => {
                lines.push(format!("# {id} is not set"));
                continue;
            }
        };
        if arg.is_hide_env_values_set() {
            lines.push(format!("# {id} is set ({from}) and not shown"));
            continue;
        }
        let values: Vec<String> = (matches.get_raw(id).into_iter().flatten())
            .flat_map(|value| {
                let text = value.to_string_lossy().into_owned();
                match arg.get_value_delimiter() {
                    Some(mark) => text.split(mark).map(str::to_owned).collect(),
                    None => vec![text],
                }
            })
            .map(|text| literal(&text))
            .collect();
        let value = match (values.as_slice(), arg.get_action()) {
            ([one], clap::ArgAction::Set) => one.clone(),
            (all, _) => format!("[{}]", all.join(", ")),
        };
        lines.push(format!("{id} = {value} # {from}"));
    }
    lines.join("\n")
}

/// A value as TOML spells it.
fn literal(text: &str) -> String {
    let is_bare = text.parse::<i64>().is_ok() || matches!(text, "true" | "false");
    if is_bare {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

/// Refuses variables that look like ours and are not.
///
/// # Errors
/// When there is one, in a sentence that names all of them.
pub fn refuse_unknown(variables: impl Iterator<Item = OsString>) -> Result<(), String> {
    let unknown = unknown(variables);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "no setting is called {}; `towline-signal serve --help` names all variables",
        unknown.join(", ")
    ))
}

fn unknown(variables: impl Iterator<Item = OsString>) -> Vec<String> {
    let options = Options::augment_args(clap::Command::new(""));
    let ours: Vec<_> = options
        .get_arguments()
        .filter_map(clap::Arg::get_env)
        .collect();
    let named: BTreeSet<String> = variables
        .filter(|name| !ours.contains(&name.as_os_str()))
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("SIGNAL_"))
        .collect();
    let services: Vec<&str> = (named.iter())
        .filter_map(|name| name.strip_suffix("_SERVICE_HOST"))
        .collect();
    let is_of_a_service = |name: &str| {
        let mut rests = services.iter().filter_map(|of| name.strip_prefix(of));
        rests.any(is_made_for_a_service)
    };
    (named.iter())
        .filter(|name| !is_of_a_service(name))
        .cloned()
        .collect()
}

/// Whether Kubernetes makes a variable that ends so for a service, of whose name the rest is made. Where it makes one it
/// makes them all, so one such ending alone is a slip: `SIGNAL_PORT`.
fn is_made_for_a_service(end: &str) -> bool {
    let is_of_a_port = |end: &str| {
        let (port, rest) = end.split_once('_').unwrap_or((end, ""));
        let (protocol, what) = rest.split_once('_').unwrap_or((rest, ""));
        port.parse::<u16>().is_ok()
            && matches!(protocol, "TCP" | "UDP" | "SCTP")
            && matches!(what, "" | "PROTO" | "PORT" | "ADDR")
    };
    matches!(end, "_SERVICE_HOST" | "_SERVICE_PORT" | "_PORT")
        || end.starts_with("_SERVICE_PORT_")
        || end.strip_prefix("_PORT_").is_some_and(is_of_a_port)
}

/// Longest file in bytes: 256 KiB, a thousand times what can be set.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn read_with(text: &str, words: &[&str]) -> Result<Asked, Refusal> {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let words = [&["towline-signal"], words, &["--config", path]].concat();
        read(words.into_iter().map(OsString::from))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let text = "port = 9000\ndrain_seconds = 7\nhost_names = [\"a.example\", \"b.example\"]";
        let Ok(Asked::Serve(options)) = read_with(text, &["--drain-seconds", "9"]) else {
            panic!("it serves");
        };
        assert_eq!(
            (options.port, options.drain_seconds, options.code_seconds),
            (9000, 9, 300)
        );
        let names: Vec<_> = options
            .host_names
            .iter()
            .map(|name| name.as_str())
            .collect();
        assert_eq!(names, ["a.example", "b.example"]);
    }

    #[test]
    fn a_file_is_refused_in_a_sentence_that_names_the_key() {
        for (text, said) in [
            ("prot = 1", "`prot`"),
            ("port = 99999", "99999"),
            ("port = [[1]]", "`port`"),
            ("bind = 1979-05-27", "`bind`"),
            ("config = \"x\"", "`config`"),
            ("port = ", "no TOML"),
        ] {
            let Err(Refusal::File(sentence)) = read_with(text, &[]) else {
                panic!("{text} is refused");
            };
            assert!(sentence.contains(said), "{sentence}");
        }
        let lost = read(["x", "--config", "/nowhere/at-all"].map(OsString::from));
        assert!(
            matches!(lost, Err(Refusal::File(sentence)) if sentence.contains("/nowhere/at-all"))
        );
    }

    #[test]
    fn what_is_printed_says_where_it_comes_from_and_can_be_read_again() {
        let Ok(Asked::Print(printed)) =
            read_with("port = 9000", &["print-config", "--stun", "a:1,b:2"])
        else {
            panic!("it prints");
        };
        assert!(printed.contains("port = 9000 # file"), "{printed}");
        assert!(
            printed.contains("stun = [\"a:1\", \"b:2\"] # flag"),
            "{printed}"
        );
        assert!(
            printed.contains("code_seconds = 300 # default"),
            "{printed}"
        );
        assert!(printed.contains("# bind is not set"), "{printed}");
        let Ok(Asked::Serve(options)) = read_with(&printed, &[]) else {
            panic!("it is read again");
        };
        assert_eq!((options.port, options.stun.len()), (9000, 2));
    }

    fn refused(names: &[&str]) -> Vec<String> {
        unknown(names.iter().map(OsString::from))
    }

    #[test]
    fn a_variable_with_a_slip_is_refused_by_its_name() {
        let all = ["SIGNAL_BIND", "SIGNAL_BNID", "PORT", "HOME", "SIGNAL_"];
        assert_eq!(refused(&all), ["SIGNAL_", "SIGNAL_BNID"]);
        let sentence = refuse_unknown(all.map(OsString::from).into_iter()).unwrap_err();
        assert!(sentence.contains("SIGNAL_, SIGNAL_BNID;"), "{sentence}");
        assert_eq!(refuse_unknown(["SIGNAL_BIND".into()].into_iter()), Ok(()));
    }

    #[test]
    fn what_kubernetes_makes_for_its_services_is_no_slip() {
        let made = |service: &str| {
            [
                "SERVICE_HOST",
                "SERVICE_PORT",
                "SERVICE_PORT_HTTP",
                "PORT",
                "PORT_8080_TCP",
                "PORT_8080_TCP_PROTO",
                "PORT_8080_TCP_PORT",
                "PORT_8080_TCP_ADDR",
                "PORT_3478_UDP",
            ]
            .map(|end| format!("{service}_{end}"))
        };
        for service in ["SIGNAL", "SIGNAL_0", "SIGNAL_INSTANCES"] {
            let made = made(service);
            let mut names: Vec<&str> = made.iter().map(String::as_str).collect();
            assert_eq!(refused(&names), [""; 0], "{service}");
            names.extend(["SIGNAL_BNID", "SIGNAL_PORT_8080", "SIGNAL_OTHER_PORT"]);
            let slips = ["SIGNAL_BNID", "SIGNAL_OTHER_PORT", "SIGNAL_PORT_8080"];
            assert_eq!(refused(&names), slips, "{service}");
        }
        // Without a service of that name somebody has meant something.
        assert_eq!(refused(&["SIGNAL_PORT"]), ["SIGNAL_PORT"]);
        assert_eq!(refused(&["SIGNAL_PORT_1_TCP"]), ["SIGNAL_PORT_1_TCP"]);
    }
}
