//! The binary: how it starts, what it says when it cannot, how it stops.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};

fn signal(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline-signal"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .env_remove("PORT")
        .env_remove("SIGNAL_BIND");
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.take().expect("standard output is piped");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("the server writes text");
    line
}

#[test]
fn it_says_where_it_listens_and_stops_on_sigterm() {
    let mut child = signal(&["--bind", "127.0.0.1:0", "--drain-seconds", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let line = first_line(&mut child);
    let address = line
        .trim()
        .strip_prefix("listening on ws://")
        .and_then(|rest| rest.strip_suffix("/ws"));
    let address: std::net::SocketAddr = address
        .expect("the line names the URL")
        .parse()
        .expect("an address");
    assert_ne!(address.port(), 0);
    let stopped = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(stopped.success());
    let output = child.wait_with_output().expect("the server ends");
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).expect("the log is text");
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    assert!(!log.contains("127.0.0.1"), "no addresses in the log: {log}");
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    let taken = [tcp.local_addr(), udp.local_addr()];
    let [tcp_at, udp_at] = taken.map(|at| at.expect("the socket is bound").to_string());
    for arguments in [
        &["--bind", &tcp_at][..],
        &["--bind", "127.0.0.1:0", "--stun-bind", &udp_at],
    ] {
        let output = signal(arguments).output().expect("the server starts");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).expect("text");
        let flag = arguments[arguments.len() - 2];
        assert!(
            said.contains("is taken by another program") && said.contains(&format!("with {flag} ")),
            "{said}"
        );
    }
}

#[test]
fn a_variable_with_a_slip_stops_it_and_those_of_a_service_of_kubernetes_do_not() {
    for arguments in [&["serve", "--bind", "127.0.0.1:0"][..], &["check-config"]] {
        let output = signal(arguments).env("SIGNAL_BNID", "127.0.0.1:1").output();
        let output = output.expect("the server starts");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains("no setting is called SIGNAL_BNID;"), "{said}");
    }
    let of_a_service = [
        ("SIGNAL_SERVICE_HOST", "10.0.0.7"),
        ("SIGNAL_SERVICE_PORT_HTTP", "8080"),
        ("SIGNAL_PORT", "tcp://10.0.0.7:8080"),
        ("SIGNAL_PORT_8080_TCP_ADDR", "10.0.0.7"),
    ];
    let output = signal(&["check-config"]).envs(of_a_service).output();
    assert!(output.expect("the program starts").status.success());
}

#[test]
fn a_secret_is_read_from_a_file_and_never_shown() {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("secret");
    std::fs::write(&file, "s3cret-s3cret-s3cret\n").expect("written");
    let path = file.to_str().expect("text");
    let turn = ["--turn", "turn:turn.example.org:3478"];
    let check = |more: &[&str]| {
        let output = signal(&[&["check-config"], more].concat()).output();
        let output = output.expect("the program starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("text"))
    };
    let right = [&turn[..], &["--turn-secret-file", path]].concat();
    assert_eq!(check(&right).0, Some(0));
    std::fs::write(&file, "s3cret\n").expect("written");
    for (wrong, part) in [
        (&right[..], "fewer than 16"),
        (&turn, "--turn-secret-file"),
        (&["--turn-secret-file", path], "no --turn"),
        (
            &["--turn", "stun:a", "--turn-secret", "s3cret-s3cret-s3cret"],
            "turn: or turns:",
        ),
        (
            &["--turn", "turn:", "--turn-secret", "s3cret-s3cret-s3cret"],
            "no valid host",
        ),
    ] {
        let (code, said) = check(wrong);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(part) && !said.contains("s3cret"), "{said}");
    }
    let shown = signal(&["print-config"])
        .env("SIGNAL_TURN_SECRET", "s3cret-s3cret-s3cret")
        .output()
        .expect("the program starts");
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(
        shown.contains("# turn_secret is set (environment) and not shown"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn the_way_to_redis_is_checked_and_its_password_never_shown() {
    let place = tempfile::tempdir().expect("a place");
    let made = rcgen::generate_simple_self_signed(["redis.example".to_owned()]);
    let made = made.expect("a certificate");
    let write = |name: &str, text: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let none = place.path().join("none");
    std::fs::create_dir(&none).expect("made");
    let authority = write("authority.pem", &made.cert.pem());
    let broken = write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let url_file = write("url", "rediss://u:s3cret@redis.example:6380/0\n");
    let check = |more: &[&str]| {
        let output = signal(&[&["check-config", "--instance", "a"], more].concat())
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", &none)
            .output()
            .expect("the program starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("text"))
    };
    let tls = "rediss://u:s3cret@redis.example:6380";
    for right in [
        &["--redis-url", tls, "--redis-ca", &authority][..],
        &["--redis-url-file", &url_file, "--redis-ca", &authority],
        &["--redis-url", "redis://:s3cret@10.0.0.5:6379"],
        &["--redis-url", "redis+unix:///run/redis.sock"],
    ] {
        let (code, said) = check(right);
        assert_eq!((code, said.contains("s3cret")), (Some(0), false), "{said}");
    }
    let insecure = format!("{tls}#insecure");
    let plain = "redis://u:s3cret@10.0.0.5:6379";
    for (wrong, part) in [
        (
            &["--redis-url", tls][..],
            "no certificates of authorities to know Redis by",
        ),
        (
            &["--redis-url", &insecure, "--redis-ca", &authority],
            "lets anybody be Redis",
        ),
        (
            &["--redis-url", plain, "--redis-ca", &authority],
            "rediss://",
        ),
        (&["--redis-ca", &authority], "rediss://"),
        (
            &["--redis-url", tls, "--redis-ca", &broken],
            "a certificate in it is none",
        ),
        (&["--redis-url", tls, "--redis-ca", &url_file], "in it"),
        (&["--redis-url", tls, "--redis-ca", "/nowhere"], "/nowhere"),
        (
            &["--redis-url", "redis://u:s3cret@"],
            "none that can be used",
        ),
        (
            &["--redis-url", "http://u:s3cret@a/"],
            "none that can be used",
        ),
    ] {
        let (code, said) = check(wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {said}");
        assert!(said.contains(part) && !said.contains("s3cret"), "{said}");
    }
    let shown = signal(&["print-config", "--redis-ca", &authority])
        .env("SIGNAL_REDIS_URL", tls)
        .output()
        .expect("the program starts");
    let shown = String::from_utf8(shown.stdout).expect("text");
    for line in [
        "# redis_url is set (environment) and not shown",
        "authority.pem\" # flag",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_wrong_flag_is_told() {
    for arguments in [
        ["--nonsense", "1"],
        ["--bind", "nowhere"],
        ["--host-name", "http://a/"],
        ["--port", "99999"],
    ] {
        let output = signal(&arguments).output().expect("the server starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(arguments[0]), "{said}");
    }
}

#[test]
fn settings_of_a_file_hold_and_the_server_is_asked_by_them() {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("signal.toml");
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let at = free.local_addr().expect("the socket is bound").to_string();
    std::fs::write(&file, format!("bind = \"{at}\"\ndrain_seconds = 0")).expect("written");
    let config = ["--config", file.to_str().expect("text")];
    let run = |task: &str| signal(&[&[task], &config[..]].concat()).output();
    let health = || run("healthcheck").expect("the program starts");
    drop(free);
    assert_eq!(health().status.code(), Some(1), "nobody serves");
    let mut child = signal(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    assert!(first_line(&mut child).contains(&at));
    assert!(health().status.success());
    assert!(run("check-config").expect("starts").status.success());
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    std::fs::write(&file, "bnid = 1").expect("written");
    let refused = run("check-config").expect("starts");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).expect("text");
    assert!(said.contains("`bnid`"), "{said}");
}
