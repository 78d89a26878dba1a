//! What lies between a device and its signal server: TLS with certificates of all kinds, and proxies.
//!
//! nginx, tinyproxy and microsocks are the real ones.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::support::coturn;
use crate::support::device::text;
use crate::support::etc::Etc;
use crate::support::net::Net;
use crate::support::nginx::{self, Certified, by_authority};
use crate::support::running::Running;
use crate::support::system::is_root;
use crate::support::tree::settle;
use crate::support::watch::{is_online, path};
use crate::support::{Device, Server, World};

#[test]
fn a_server_is_trusted_by_the_system_or_by_its_pin_and_by_nothing_else() {
    let world = World::new("tls");
    let server = Server::start(&world);
    let front = free_address();
    let (authority, certified) = by_authority("localhost");
    let roots = world.place("roots.pem");
    fs::write(&roots, authority).expect("written");
    let behind = server.address();
    let ends = (front.as_str(), behind.as_str());
    let running = nginx::start(&world, ends, &certified, Command::new("sh"));
    let (_, port) = front.split_once(':').expect("a port");
    let url = format!("wss://localhost:{port}/ws");
    let pinned = |pin: &str| format!("{url}#{pin}");

    let mut unknown = Device::new(&world, "unknown", &url);
    unknown.start();
    unknown.wait("the distrust", |view| fault(view) == Some("certificate"));

    let mut known = Device::new(&world, "known", &url);
    known.set_environment([("SSL_CERT_FILE", text(&roots))]);
    known.start();
    known.wait("the server", is_online);

    let mut right = Device::new(&world, "right", &pinned(&certified.pin()));
    right.start();
    right.wait("the server", is_online);

    // Neither the authority's word nor the right name help against a pin.
    let other = Certified::by_itself("localhost");
    let mut wrong = Device::new(&world, "wrong", &pinned(&other.pin()));
    wrong.set_environment([("SSL_CERT_FILE", text(&roots))]);
    wrong.start();
    wrong.wait("the distrust", |view| fault(view) == Some("pin"));
    wrong.wait_says("has another key than the one that is pinned");

    // A renewal that keeps the key keeps the trust; another key does not.
    running.kill();
    right.wait("losing the server", |view| !is_online(view));
    let renewed = certified.renewed("localhost");
    let running = nginx::start(&world, ends, &renewed, Command::new("sh"));
    right.wait("the server again", is_online);
    running.kill();
    let _running = nginx::start(&world, ends, &other, Command::new("sh"));
    right.wait("the distrust", |view| fault(view) == Some("pin"));
    wrong.wait("the server", is_online);
}

#[test]
fn devices_that_only_proxies_lead_to_the_server_pair_and_are_relayed() {
    let world = World::new("proxies");
    let net = Net::new("p");
    net.name_in_the_middle("signal.test", "127.0.0.1");
    let _server = Server::start_inside(
        &world,
        net.inside("s"),
        "127.0.0.1:7777",
        &["--host-name", "signal.test"],
    );
    let certified = Certified::by_itself("signal.test");
    let in_the_middle = |program: &str| {
        let mut command = net.inside("s");
        command.arg(program);
        command
    };
    let ends = ("127.0.0.1:8443", "127.0.0.1:7777");
    let _nginx = nginx::start(&world, ends, &certified, in_the_middle("sh"));
    let _http = tinyproxy(&world, in_the_middle("tinyproxy"));
    let _socks = microsocks(&world, in_the_middle("microsocks"));
    let url = format!("wss://signal.test:8443/ws#{}", certified.pin());
    let device = |name: &str| Device::new(&world, name, &url).behind(&net.words(name));
    let (mut ada, mut ben) = (device("a"), device("b"));

    // Without a proxy nobody knows the name.
    ada.start();
    ada.wait("no server", |view| fault(view) == Some("unreachable"));
    ada.stop();

    ada.set_environment([("HTTPS_PROXY", "http://ada:s3same@10.77.0.1:8888")]);
    ben.set_environment([("TOWLINE_PROXY", "socks5://ben:s3same@10.77.0.1:1080")]);
    ada.start();
    ben.start();
    ada.pair(&ben);
    for device in [&ada, &ben] {
        device.wait("the relay", |view| path(view) == Some("relayed"));
    }
    let (here, there) = (world.directory("here"), world.directory("there"));
    ada.share(&here, &ben, &there);
    fs::write(here.join("file"), vec![7; 300_000]).expect("written");
    settle((&ada, &here), (&ben, &there));
    let said = ada.says(&["status"]);
    assert!(
        said.contains("through http://10.77.0.1:8888: online"),
        "{said}"
    );

    // Credentials that are wrong are told as that, and no credentials are told at all.
    ada.stop();
    ada.set_environment([("HTTPS_PROXY", "http://ada:s3samE@10.77.0.1:8888")]);
    ada.start();
    ada.wait("the refusal", |view| fault(view) == Some("proxy_login"));
    ben.stop();
    ben.set_environment([("TOWLINE_PROXY", "socks5://ben:s3samE@10.77.0.1:1080")]);
    ben.start();
    ben.wait("the refusal", |view| fault(view) == Some("proxy_login"));
    ben.wait_says("does not accept the user and password");
    ben.stop();
    ben.set_environment([("TOWLINE_PROXY", "socks5://10.77.0.1:1")]);
    ben.start();
    ben.wait("nobody", |view| fault(view) == Some("proxy_unreachable"));
    ben.wait_says("through socks5://10.77.0.1:1: lies behind a proxy that cannot be reached");
    for device in [&ada, &ben] {
        let said = device.says(&["status"]).to_lowercase();
        let log = fs::read_to_string(device.log()).expect("there");
        assert!(!said.contains("s3same"), "{said}");
        assert!(!log.to_lowercase().contains("s3same"), "{log}");
    }
}

#[test]
fn a_turn_server_lends_by_tls_to_whoever_the_system_lets_trust_it() {
    let world = World::new("turns");
    let net = Net::new("t");
    let server = Server::start_inside(&world, net.inside("s"), "10.77.0.1:7777", &[]);
    let (authority, certified) = by_authority("10.77.0.1");
    let roots = world.place("roots.pem");
    fs::write(&roots, authority).expect("written");
    let _coturn = coturn::by_tls(&world, "10.77.0.1", &certified, net.inside("s"));
    let set = r#"[{"urls": "turns:10.77.0.1:5349", "username": "ada", "credential": "s3same"}]"#;
    let device = |name: &str| Device::new(&world, name, &server.url).behind(&net.words(name));
    let (mut ada, mut ben) = (device("a"), device("b"));
    ada.set_environment([("ICE_SERVERS_JSON", set)]);
    ada.start();
    ben.start();
    ada.pair(&ben);
    ada.wait("the distrust", |_| {
        ada.call(&["network"])["turn"][0]["state"]["fault"] == "certificate"
    });
    ada.wait("the relay", |view| path(view) == Some("relayed"));
    ada.stop();
    ada.set_environment([("ICE_SERVERS_JSON", set), ("SSL_CERT_FILE", text(&roots))]);
    ada.start();
    ada.wait("the lent address", |_| {
        let lender = &ada.call(&["network"])["turn"][0];
        lender["transport"] == "TLS" && lender["state"]["state"] == "lends"
    });
    let log = fs::read_to_string(ada.log()).expect("there");
    assert!(!log.contains("s3same"), "{log}");
}

#[test]
fn what_is_no_proxy_is_refused_at_the_start() {
    let world = World::new("no-proxy");
    let mut device = Device::new(&world, "ada", "ws://127.0.0.1:1/ws");
    device.set_environment([("HTTPS_PROXY", "https://ada:s3same@proxy.test")]);
    let refused = device.start_refused();
    assert!(!refused.message.contains("s3same"), "{refused:?}");
    refused.must_say("proxy", &["HTTPS_PROXY", "http://proxy.example:8080"]);
}

#[test]
fn what_the_administrator_has_set_holds_and_is_said() {
    let world = World::new("policy");
    let (ours, other) = (Server::start(&world), Server::start(&world));
    let mut ada = Device::new(&world, "ada", "");
    // The file counts where the start says nothing, and nothing else is said.
    ada = ada.with_options(["--key-file", "--name", "ada"]);
    fs::create_dir_all(&ada.home).expect("made");
    let file = ada.home.join("config.toml");
    fs::write(&file, format!("servers = [{:?}]", other.url)).expect("written");
    ada.start();
    ada.wait("the file's server", is_online);
    assert_eq!(ada.view()["server"]["url"], other.url.as_str());
    assert_eq!(ada.view()["server"]["set_by"], "start");
    ada.stop();
    fs::write(&file, "servers = 7").expect("written");
    ada.start_refused()
        .must_say("settings", &["line 1 of", "config.toml"]);
    fs::remove_file(&file).expect("there");

    // A policy that only this device sees.
    let etc = Etc::copy(&world);
    let policy = format!("servers = [{:?}]", ours.url);
    etc.write("towline/policy.toml", &policy);
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
    let inside = sudo.iter().chain(&["unshare", "--mount"]);
    let inside = inside.map(|word| (*word).to_owned());
    let words: Vec<String> = inside.chain(etc.words()).collect();
    let options = [
        "--key-file",
        "--name",
        "ada",
        "--server",
        other.url.as_str(),
    ];
    let mut ada = ada.with_options(options).behind(&words);
    ada.start();
    ada.wait("the policy's server", is_online);
    let view = ada.view();
    assert_eq!(view["server"]["url"], ours.url.as_str());
    assert_eq!(view["server"]["set_by"], "administrator");
    let said = ada.says(&["status"]);
    assert!(
        said.contains("administrator has set the signal servers"),
        "{said}"
    );
    let elsewhere = format!("ABC-234@{}", other.address());
    ada.refused_with(&["join"], Some(&elsewhere))
        .must_say("elsewhere", &["only its own"]);
    ada.stop();
}

fn fault(view: &Value) -> Option<&str> {
    view["server"]["state"]["fault"].as_str()
}

fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("bound").to_string()
}

/// An HTTP proxy at 10.77.0.1:8888 that lets ada in.
fn tinyproxy(world: &World, mut command: Command) -> Running {
    let place = world.place("tinyproxy.conf");
    let settings =
        "Port 8888\nListen 10.77.0.1\nTimeout 600\nBasicAuth ada s3same\nConnectPort 8443\n";
    fs::write(&place, settings).expect("written");
    command.args(["-d", "-c", text(&place)]);
    Running::start("tinyproxy", command, &world.place("tinyproxy.log"))
}

/// A SOCKS5 proxy at 10.77.0.1:1080 that lets ben in.
fn microsocks(world: &World, mut command: Command) -> Running {
    let options = "-i 10.77.0.1 -p 1080 -u ben -P s3same";
    command.args(options.split(' '));
    Running::start("microsocks", command, &world.place("microsocks.log"))
}
