//! The signal server goes, comes back, or is not one at all.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::Value;
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::{Request, Response};

use crate::support::tree::settle;
use crate::support::watch::{is_connected, is_online};
use crate::support::{Device, PATIENCE, Server, World};

#[test]
fn peers_outlive_their_server() {
    let world = World::new("outlive");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    ada.share(&here, &ben, &there);
    fs::write(here.join("before"), "1").expect("written");
    settle((&ada, &here), (&ben, &there));
    ada.wait("a direct path", is_direct);
    let address = server.kill();
    for device in [&ada, &ben] {
        let view = device.wait("losing the server", |view| !is_online(view));
        assert!(is_connected(
            &view,
            if device.name == "ada" { "ben" } else { "ada" }
        ));
    }
    fs::write(here.join("without a server"), "2").expect("written");
    settle((&ada, &here), (&ben, &there));
    let _server = Server::start_at(&world, &address);
    for device in [&ada, &ben] {
        device.wait("the server again", is_online);
    }
    fs::write(there.join("after"), "3").expect("written");
    settle((&ada, &here), (&ben, &there));
}

#[test]
fn a_restart_while_pairing_ends_the_code_and_a_new_one_works() {
    let world = World::new("restart");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    let (mut pair, code) = ada.show_code();
    let _server = server.restart();
    let (status, _) = pair.end(PATIENCE);
    assert_eq!(
        status.code(),
        Some(1),
        "the mailbox is gone with the server"
    );
    ben.wait("the server", is_online);
    ben.refused_with(&["join"], Some(&code))
        .must_say("code_invalid", &["towline pair"]);
    let (shown, typed) = ada.pair(&ben);
    assert_eq!(shown, typed);
}

#[test]
fn a_server_that_comes_up_later_is_found() {
    let world = World::new("later");
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    let mut ada = Device::new(&world, "ada", &format!("ws://{address}/ws"));
    ada.start();
    ada.wait("no server", |view| fault(view) == Some("unreachable"));
    ada.wait_says("check the network and the address (next try in");
    ada.refused(&["pair"])
        .must_say("server_unreachable", &["check the network"]);
    let _server = Server::start_at(&world, &address);
    ada.wait("the server", is_online);
    let ben = Device::new(&world, "ben", &format!("ws://{address}/ws"));
    let mut ben = ben;
    ben.start();
    ada.pair(&ben);
}

#[test]
fn what_is_no_server_is_named_and_does_no_harm() {
    let world = World::new("garbage");
    let cases: [(&str, Behave); 5] = [
        ("junk", say_junk),
        ("page", serve_a_page),
        ("frame", send_a_huge_frame),
        ("texts", send_endless_texts),
        ("lies", send_wrong_messages),
    ];
    for (name, behave) in cases {
        let url = listen(behave);
        let mut device = Device::new(&world, name, &url);
        device.start();
        device.wait("a fault", |view| {
            matches!(fault(view), Some("protocol" | "refused"))
        });
        device.wait_says("is not a Towline signal server; check the address");
        assert!(device.is_running(), "{name}");
        let peak = peak_memory_kib(device.id());
        assert!(peak < 150 * 1024, "{name}: {peak} KiB");
        device.stop();
    }
}

#[test]
fn devices_that_prefer_different_servers_meet_and_outlive_either() {
    let world = World::new("several");
    let (one, two) = (Server::start(&world), Server::start(&world));
    let servers = |first: &Server, second: &Server| format!("{},{}", first.url, second.url);
    let mut ada = Device::new(&world, "ada", &servers(&one, &two));
    let mut ben = Device::new(&world, "ben", &servers(&two, &one));
    ada.start();
    ben.start();
    // Each shows and enters codes of its own first server; the host says which that is.
    for device in [&ada, &ben] {
        device.wait("both servers", |view| {
            is_online(view) && others_online(view) == 1
        });
    }
    let (pair, code) = ada.show_code();
    ben.join(&format!("{code}@{}", one.address()));
    pair.line("that it is paired", PATIENCE, |line| {
        line.contains("\"event\":\"paired\"")
    });
    ada.wait_connected(&ben);
    let address = one.kill();
    ada.wait("the second server in use", |view| {
        is_online(view) && url(view) == Some(two.url.as_str())
    });
    // What each needs of a server the other one gives: a code without a word about where.
    let cat = Device::start_new(&world, "cat", &two);
    let (_shown, code) = ada.show_code();
    assert!(
        code.ends_with(&format!("@{}", two.address())),
        "the code names where it is"
    );
    cat.join(&code);
    // A device that has only just started is met at the server that is left.
    ben.stop();
    ben.start();
    ada.wait_connected(&ben);
    let _one = Server::start_at(&world, &address);
    ada.wait("the first server again", |view| {
        url(view) == Some(&format!("ws://{address}/ws"))
    });
    ben.wait("all servers", |view| others_online(view) == 1);
    two.kill();
    ben.wait("the other server in use", |view| {
        is_online(view) && url(view) == Some(&format!("ws://{address}/ws"))
    });
    ben.stop();
    ben.start();
    ada.wait_connected(&ben);
}

#[test]
fn devices_that_share_no_server_meet_at_either() {
    let world = World::new("visits");
    let (one, two) = (Server::start(&world), Server::start(&world));
    let mut ada = Device::start_new(&world, "ada", &one);
    let ben = Device::start_new(&world, "ben", &two);
    let (pair, code) = ada.show_code();
    ben.join(&format!("{code}@{}", one.address()));
    pair.line("that it is paired", PATIENCE, |line| {
        line.contains("\"event\":\"paired\"")
    });
    ada.wait_connected(&ben);
    for device in [&ada, &ben] {
        device.wait("the visit", |view| {
            is_online(view) && others_online(view) == 1
        });
    }
    let said = ada.says(&["status"]);
    assert!(
        said.contains(&format!("also at {}: online", two.url)),
        "{said}"
    );
    // Without the server of one of both the other one's is enough.
    two.kill();
    ben.wait("losing its server", |view| {
        !is_online(view) && others_online(view) == 1
    });
    ada.stop();
    fs::remove_file(ada.home.join("port")).expect("it was there");
    ada.start();
    ada.wait_connected(&ben);
    // Who may go nowhere else is not led there by a code.
    let mut cat = Device::new(&world, "cat", "");
    cat.start();
    cat.refused_with(&["join"], Some(&format!("ABC-234@{}", one.address())))
        .must_say("elsewhere", &["only its own"]);
    assert_eq!(cat.view()["server"]["url"], Value::Null);
}

#[test]
fn devices_that_both_go_to_other_servers_meet_all_the_same() {
    let world = World::new("moved");
    let servers = [(); 3].map(|()| Server::start(&world));
    let [one, two, three] = servers;
    let mut ada = Device::start_new(&world, "ada", &one);
    let mut ben = Device::start_new(&world, "ben", &one);
    ada.pair(&ben);
    ada.wait_connected(&ben);
    // Ada goes to another one, and says so when they meet.
    ada.stop();
    let mut ada = Device::new(&world, "ada", &two.url);
    ada.start();
    ada.wait_connected(&ben);
    ben.wait("the visit where Ada is now", |view| {
        others_online(view) == 1
    });
    // Now Ben goes, the server of before is gone, and neither is at an address that the other one knows.
    ada.stop();
    ben.stop();
    one.kill();
    for device in [&ada, &ben] {
        fs::remove_file(device.home.join("port")).expect("it was there");
    }
    let mut ben = Device::new(&world, "ben", &three.url);
    ben.start();
    ada.start();
    ada.wait_connected(&ben);
    // Ada has been told in her turn, and it outlives her.
    ada.wait("the visit where Ben is now", |view| {
        others_online(view) == 1
    });
    ada.stop();
    ada.start();
    ada.wait("the visit again", |view| others_online(view) == 1);
}

fn others_online(view: &Value) -> usize {
    let others = view["server"]["others"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let online = |other: &&Value| other["state"]["state"] == "online";
    others.iter().filter(online).count()
}

fn url(view: &Value) -> Option<&str> {
    view["server"]["url"].as_str()
}

fn is_direct(view: &Value) -> bool {
    matches!(
        view["peers"][0]["link"]["path"]["kind"].as_str(),
        Some("lan" | "direct")
    )
}

fn fault(view: &Value) -> Option<&str> {
    view["server"]["state"]["fault"].as_str()
}

/// What a server does with a connection.
type Behave = fn(TcpStream);

/// Answers every connection with `behave`, as long as this test's process lives; the URL.
fn listen(behave: Behave) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || behave(stream));
        }
    });
    format!("ws://{address}/ws")
}

/// Says junk until nobody listens.
fn say_junk(mut stream: TcpStream) {
    while stream.write_all(&[0xA7; 4096]).is_ok() {}
}

/// A web server that knows no WebSocket.
fn serve_a_page(mut stream: TcpStream) {
    // What it asks for makes no difference.
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nHello");
}

/// A WebSocket server whose first frame claims to be a tebibyte long, and keeps its word.
fn send_a_huge_frame(stream: TcpStream) {
    let Some(mut stream) = upgrade(stream) else {
        return;
    };
    let mut header = vec![0x82, 127];
    header.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    if stream.write_all(&header).is_ok() {
        while stream.write_all(&[0; 65536]).is_ok() {}
    }
}

/// A WebSocket server that sends one text in endless pieces.
fn send_endless_texts(stream: TcpStream) {
    let Some(mut stream) = upgrade(stream) else {
        return;
    };
    let mut piece = vec![0x01, 126, 0xFF, 0xFF];
    piece.resize(4 + 0xFFFF, b'x');
    while stream.write_all(&piece).is_ok() {
        // All but the first piece go on with it.
        if let Some(first) = piece.first_mut() {
            *first = 0x00;
        }
    }
}

/// A WebSocket server that speaks JSON, and not ours.
fn send_wrong_messages(stream: TcpStream) {
    let Some(mut stream) = upgrade(stream) else {
        return;
    };
    let text = br#"{"type":"hello","nonce":17,"versions":"all of them"}"#;
    let mut frame = vec![0x81, u8::try_from(text.len()).expect("short")];
    frame.extend_from_slice(text);
    if stream.write_all(&frame).is_ok() {
        // Until the other side hangs up.
        let _ = stream.read(&mut [0; 4096]);
    }
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
fn upgrade(stream: TcpStream) -> Option<TcpStream> {
    let accept = |_: &Request, mut response: Response| {
        let ours = "towline-signal.v1".parse().expect("a header value");
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", ours);
        Ok(response)
    };
    tungstenite::accept_hdr(stream, accept)
        .ok()?
        .get_ref()
        .try_clone()
        .ok()
}

#[cfg(target_os = "linux")]
fn peak_memory_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("Linux tells it");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

#[cfg(not(target_os = "linux"))]
fn peak_memory_kib(_: u32) -> u64 {
    0
}
