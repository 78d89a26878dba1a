//! What a device tells of its connections: to a person, to a script, and to a real Prometheus.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::running::Running;
use crate::support::{Device, PATIENCE, Server, World};

#[test]
fn a_device_tells_how_it_is_connected_and_prometheus_reads_it() {
    let world = World::new("metrics");
    let server = Server::start(&world);
    let door = free_address();
    let mut ada = Device::new(&world, "ada", &server.url);
    ada.set_environment([("TOWLINE_METRICS", door.to_string().as_str())]);
    ada.start();
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    ada.wait("a direct path", |view| {
        view["peers"][0]["link"]["path"]["kind"] == "lan"
    });

    let words = ada.says(&["network"]);
    assert!(words.contains("1 of 1 tries connected (100 %)"), "{words}");
    assert!(words.contains("(local network) answers in"), "{words}");
    let network = &ada.call(&["network"])["links"][0];
    assert_eq!(network["counts"]["established"], 1, "{network}");
    assert_eq!(network["obstacle"], Value::Null, "{network}");
    let history = network["history"].as_array().expect("a list");
    let last = history.last().expect("something happened");
    assert_eq!(
        (&last["state"], &last["path"]),
        (&"up".into(), &"lan".into())
    );

    let findings = ada.says(&["doctor"]);
    for words in [
        "ok    the signal server",
        "is online",
        "connected peers: 1; through the server: 0",
        "ok    the clock agrees with the signal server's",
        "note  the device key is in a file",
    ] {
        assert!(findings.contains(words), "{findings}");
    }

    let metrics = get(door, "/metrics");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    let peer = ada.view()["peers"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let established = format!("towline_link_established_total{{peer=\"{peer}\"}} 1\n");
    assert!(metrics.contains(&established), "{metrics}");
    let prometheus = Prometheus::start(&world, door);
    assert_eq!(prometheus.ask("up"), "1");
    assert_eq!(prometheus.ask("towline_server_online"), "1");
    assert_eq!(prometheus.ask("towline_link_up"), "1");
    let within = "histogram_quantile(1,towline_link_connect_seconds_bucket)";
    let within: f64 = prometheus.ask(within).parse().expect("a number");
    assert!(within <= 30.0, "it took {within} s");

    ben.stop();
    ada.wait("that ben is gone", |view| {
        view["peers"][0]["link"]["state"] != "up"
    });
    let metrics = get(door, "/metrics");
    let lost = format!("towline_link_lost_total{{peer=\"{peer}\",reason=\"closed\"}} 1\n");
    assert!(metrics.contains(&lost), "{metrics}");
}

#[test]
fn a_taken_address_for_metrics_is_told_at_the_start() {
    let world = World::new("metrics-taken");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("bound").to_string();
    let device = Device::new(&world, "ada", "").with_options(["--key-file", "--metrics", &addr]);
    device
        .start_refused()
        .must_say("metrics", &[&addr, "free port"]);
}

/// An address of this machine that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// The body of an answer to an HTTP question that is answered well.
fn get(addr: SocketAddr, path: &str) -> String {
    get_or_refusal(addr, path).unwrap_or_else(|head| panic!("{head}"))
}

/// The body of the answer to an HTTP question; the head of an answer that is not 200.
fn get_or_refusal(addr: SocketAddr, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(addr).expect("listening");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.to_owned());
    }
    Ok(body.to_owned())
}

/// Pause between two questions to a Prometheus that has no number yet.
const AGAIN: Duration = Duration::from_millis(50);

/// A Prometheus that reads one device.
struct Prometheus {
    door: SocketAddr,
    running: Running,
}

impl Prometheus {
    fn start(world: &World, device: SocketAddr) -> Self {
        let (door, place) = (free_address(), world.directory("prometheus"));
        let config = place.join("prometheus.yml");
        let text = format!(
            "scrape_configs:\n  - job_name: towline\n    scrape_interval: 1s\n    static_configs:\n      - targets: ['{device}']\n"
        );
        fs::write(&config, text).expect("written");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                place.join("data").display()
            ))
            .arg(format!("--web.listen-address={door}"));
        let running = Running::start("prometheus", command, &world.place("prometheus.log"));
        Self { door, running }
    }

    /// The value of the only series that a query gives, once there is one.
    fn ask(&self, query: &str) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            // It listens a moment after it has started, answers well a moment later, and has numbers after the
            // first scrape.
            let answer = TcpStream::connect(self.door)
                .map_err(|error| error.to_string())
                .and_then(|_| get_or_refusal(self.door, &format!("/api/v1/query?query={query}")));
            if let Ok(answer) = answer {
                let answer =
                    answer.get(answer.find('{').unwrap_or(0)..=answer.rfind('}').unwrap_or(0));
                let answer: Value =
                    serde_json::from_str(answer.unwrap_or_default()).unwrap_or_default();
                if let Some(value) = answer["data"]["result"][0]["value"][1].as_str() {
                    return value.to_owned();
                }
            }
            // Its words are in the log; nothing comes here until it ends.
            self.running.next_line(AGAIN);
        }
        panic!("Prometheus never has {query}");
    }
}
