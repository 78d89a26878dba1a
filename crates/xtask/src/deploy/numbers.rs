//! A real Prometheus reads real servers with our configuration, and knows every number that rules and dashboard
//! ask for.
//!
//! Expressions are parsed for the names in them; a name that the server does not export is an expression that would
//! be silent for ever. Each is then asked of Prometheus itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use promql_parser::parser::{self, Expr, VectorSelector};
use serde_json::Value;

use super::image::{PATIENCE, curl, free_address, words};
use super::{FILES, Place, replaced, shown, text_of};
use crate::processes::{Running, wait_until};
use crate::repo::Repo;
use crate::run;

/// All of it.
pub(super) fn read_by_prometheus(repo: &Repo, place: &Place, signal: &Path) -> Result<String> {
    let (targets, _servers) = serve_all(repo, place, signal)?;
    let web = free_address()?;
    lint(
        place,
        &run::capture(curl().arg(format!("http://{}/metrics", targets[0])))?,
    )?;
    let _prometheus = prometheus(repo, place, &web)?;
    let api = |path: &str, query: &str| ask(&web, path, query);
    wait_until("Prometheus does not read all servers", PATIENCE, || {
        let all = format!(
            "count(up{{job=\"towline-signal\"}} == 1) == {}",
            targets.len()
        );
        api("query", &all).is_ok_and(|answer| is_something(&answer))
    })?;
    let exported = api("label/__name__/values", "up")?;
    let exported: BTreeSet<String> = serde_json::from_value(exported)?;
    let mut expressions = of_rules(&api("rules", "up")?)?;
    expressions.extend(of_dashboard(repo)?);
    let mut wrong = Vec::new();
    for expression in &expressions {
        match names(expression) {
            Err(error) => wrong.push(format!("{error:#}")),
            Ok(names) => {
                let known = |name: &&String| {
                    exported.contains(*name) || OF_PROMETHEUS.contains(&name.as_str())
                };
                for name in names.iter().filter(|name| !known(name)) {
                    wrong.push(format!("the server exports no {name}: {expression}"));
                }
            }
        }
        if let Err(error) = api("query", expression) {
            wrong.push(format!("{error:#}: {expression}"));
        }
    }
    let unused: Vec<&String> = exported
        .iter()
        .filter(|name| {
            name.starts_with("towline_")
                && !expressions.iter().any(|all| all.contains(name.as_str()))
        })
        .collect();
    // Sum and count of a histogram come along with its buckets.
    let unshown: Vec<_> = unused
        .iter()
        .filter(|name| !name.ends_with("_sum"))
        .collect();
    if !unshown.is_empty() {
        wrong.push(format!("nobody looks at {unshown:?}"));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!(
        "{} expressions ask for what is there, at {} targets",
        expressions.len(),
        targets.len()
    ))
}

/// A server for each target of our files, and where their numbers are. The files stand where our configuration has them, with
/// these addresses.
fn serve_all(repo: &Repo, place: &Place, signal: &Path) -> Result<(Vec<String>, Vec<Running>)> {
    place.directory("targets")?;
    let (mut targets, mut servers) = (Vec::new(), Vec::new());
    for (from, to) in TARGETS {
        let mut text = text_of(repo, &format!("{FILES}/prometheus/{from}"))?;
        let told: Vec<String> = text
            .split('"')
            .filter(|part| part.ends_with(":9464"))
            .map(str::to_owned)
            .collect();
        for target in told {
            let (bind, numbers) = (free_address()?, free_address()?);
            let flags = ["--bind", &bind, "--metrics-bind", &numbers];
            let name = format!("read-{}", servers.len());
            let mut server = Running::start(&name, &mut words(signal, &flags), &place.logs)?;
            server.wait_for_line(|line| line.contains(&bind), PATIENCE)?;
            text = replaced(&text, &target, &numbers)?;
            targets.push(numbers);
            servers.push(server);
        }
        place.write(&format!("targets/{to}"), &text)?;
    }
    if targets.is_empty() {
        bail!("the files name no target");
    }
    Ok((targets, servers))
}

/// Names and types as Prometheus' linter wants them. It reads the older text form: in that the type of a counter
/// stands at the name that its sample has, there are no units and no end.
fn lint(place: &Place, text: &str) -> Result<()> {
    let mut classic = String::new();
    let counters: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let infos: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" info"))
        .collect();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let line = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), _, _) => continue,
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                format!("# {kind} {name}_total {rest}")
            }
            (Some("#"), Some(kind), Some(name), Some(rest)) if infos.contains(name) => {
                format!("# {kind} {name}_info {}", rest.replace("info", "gauge"))
            }
            _ => line.to_owned(),
        };
        classic.push_str(&line);
        classic.push('\n');
    }
    let file = place.write("metrics.txt", &classic)?;
    let mut promtool = Command::new("sh");
    promtool
        .args(["-c", "promtool check metrics < \"$0\""])
        .arg(file);
    super::files::quietly(promtool).context("promtool check metrics")
}

/// Prometheus with our configuration and rules, that looks often.
fn prometheus(repo: &Repo, place: &Place, web: &str) -> Result<Running> {
    let text = text_of(repo, &format!("{FILES}/prometheus/prometheus.yml"))?;
    let text = replaced(&text, "scrape_interval: 15s", "scrape_interval: 1s")?;
    let text = replaced(&text, "alertmanager:9093", "127.0.0.1:9")?;
    let configuration = place.write("prometheus.yml", &text)?;
    let rules = text_of(repo, &format!("{FILES}/prometheus/alerts.yml"))?;
    place.write("alerts.yml", &rules)?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", shown(&configuration)));
    command.arg(format!(
        "--storage.tsdb.path={}",
        shown(&place.path.join("tsdb"))
    ));
    command.arg(format!("--web.listen-address={web}"));
    Running::start("prometheus", &mut command, &place.logs)
}

/// Asks Prometheus' API, and returns the data of its answer.
fn ask(web: &str, path: &str, query: &str) -> Result<Value> {
    let mut command = curl();
    command.args(["--get", "--data-urlencode", &format!("query={query}")]);
    let text = run::capture(command.arg(format!("http://{web}/api/v1/{path}")))?;
    let mut answer: Value =
        serde_json::from_str(&text).context("reading an answer of Prometheus")?;
    if answer.get("status").and_then(Value::as_str) != Some("success") {
        bail!("Prometheus says {text}");
    }
    Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
}

fn is_something(answer: &Value) -> bool {
    let result = answer.get("result").and_then(Value::as_array);
    result.is_some_and(|result| !result.is_empty())
}

/// The expressions of the rules, as Prometheus has them.
fn of_rules(answer: &Value) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(answer, "query", &mut found);
    if found.is_empty() {
        bail!("Prometheus has no rules");
    }
    Ok(found)
}

/// The expressions of the dashboard, with its variables filled in as Grafana would.
fn of_dashboard(repo: &Repo) -> Result<Vec<String>> {
    let text = text_of(repo, &format!("{FILES}/grafana/towline-signal.json"))?;
    let dashboard: Value = serde_json::from_str(&text).context("reading the dashboard")?;
    let mut found = Vec::new();
    collect(&dashboard, "expr", &mut found);
    let filled = found.into_iter().map(|text| {
        let text = text.replace("$__rate_interval", "1m");
        text.replace("$region", ".*").replace("$instance", ".*")
    });
    Ok(filled.collect())
}

/// The texts below this key, however deep.
fn collect(value: &Value, key: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner {
                    Value::String(text) if name == key => into.push(text.clone()),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => collect(inner, key, into),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| collect(inner, key, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names of the numbers that an expression asks for.
fn names(expression: &str) -> Result<BTreeSet<String>> {
    let parsed = parser::parse(expression).map_err(|why| anyhow!("{why}: {expression}"))?;
    let mut names = BTreeSet::new();
    walk(&parsed, &mut names);
    Ok(names)
}

fn walk(expression: &Expr, names: &mut BTreeSet<String>) {
    let mut name = |selector: &VectorSelector| names.extend(selector.name.clone());
    match expression {
        Expr::VectorSelector(selector) => name(selector),
        Expr::MatrixSelector(matrix) => name(&matrix.vs),
        Expr::Aggregate(aggregate) => {
            walk(&aggregate.expr, names);
            if let Some(parameter) = &aggregate.param {
                walk(parameter, names);
            }
        }
        Expr::Unary(unary) => walk(&unary.expr, names),
        Expr::Binary(binary) => {
            walk(&binary.lhs, names);
            walk(&binary.rhs, names);
        }
        Expr::Paren(paren) => walk(&paren.expr, names),
        Expr::Subquery(subquery) => walk(&subquery.expr, names),
        Expr::Call(call) => call.args.args.iter().for_each(|inner| walk(inner, names)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// Files of targets, and as what each stands before Prometheus: one server, two instances of one, and servers in two regions.
const TARGETS: [(&str, &str); 3] = [
    ("targets/home.yml", "home.yml"),
    ("instances.yml", "instances.yml"),
    ("regions.yml", "regions.yml"),
];

/// What Prometheus itself knows of each target, and of alerts.
const OF_PROMETHEUS: &[&str] = &["up", "ALERTS"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_deep_they_stand() {
        let expression = "sum by (a) (rate(b_total{c=\"d\"}[5m])) > 0.5 * max_over_time(e[1h] offset 1m) or absent(up) \
                          unless histogram_quantile(0.5, sum by (le) (rate(f_bucket[1m])))";
        let found = names(expression).unwrap();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["b_total", "e", "f_bucket", "up"]);
        assert!(names("sum(").is_err());
    }

    #[test]
    fn expressions_are_found_however_deep_they_lie() {
        let value = serde_json::json!({"panels": [{"targets": [{"expr": "a"}]}], "expr": "b"});
        let mut found = Vec::new();
        collect(&value, "expr", &mut found);
        found.sort();
        assert_eq!(found, ["a", "b"]);
    }
}
