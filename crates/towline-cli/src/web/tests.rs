//! The door for browsers over real sockets, with a real device behind it; what a browser would never send is
//! written by hand.

mod client;
mod over_tls;

pub(super) use over_tls::certify;

use clap::Parser;
use serde_json::{Value, json};
use towline_engine::view::CommandView;
use towline_engine::{Engine, Settings};

use self::client::{Answer, Asked, Client};
use super::{Web, WebOptions, prepare};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    web: WebOptions,
}

/// Options as they are said.
fn options(words: &[&str]) -> WebOptions {
    Line::parse_from([&["towline"], words].concat()).web
}

/// A device that browsers are let in to.
struct Device {
    engine: Engine,
    web: Web,
    client: Client,
    _home: tempfile::TempDir,
}

impl Device {
    async fn start(words: &[&str], client: fn(u16) -> Client) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let engine = Engine::start(Settings {
            name: Some("Attic".to_owned()),
            ..Settings::alone(home.path().to_owned())
        })
        .await
        .expect("a device");
        let prepared = prepare(options(words)).await.expect("an address");
        let web = Web::open(prepared.expect("wanted"), engine.handle().clone());
        let base = web.base();
        let port = base.trim_end_matches('/').rsplit(':').next();
        let port = port.expect("a port").parse().expect("a number");
        Self {
            engine,
            web,
            client: client(port),
            _home: home,
        }
    }

    async fn start_here() -> Self {
        Self::start(&["--web", "127.0.0.1:0"], Client::plain).await
    }

    /// The token of a fresh link.
    fn token(&self) -> String {
        let link = self.web.link().expect("a link");
        let (base, token) = link.split_once("#token=").expect("a fragment");
        assert_eq!(base, self.web.base());
        token.to_owned()
    }

    /// Opens a session with a fresh link.
    async fn session(&self) -> String {
        let body = json!({ "token": self.token() });
        let answer = self.client.ask(Asked::post("/api/session", &body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["session"].as_str().expect("text").to_owned()
    }

    async fn stop(self) {
        self.web.close().await;
        self.engine.stop().await.expect("a good end");
    }
}

fn is_refused(answer: &Answer, status: u16, code: &str) {
    let expected = json!({ "code": code, "detail": null });
    assert_eq!(
        (answer.status, answer.json()),
        (status, expected),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_a_session_once_and_the_session_commands_the_device() {
    let device = Device::start_here().await;
    let body = json!({ "token": device.token() });
    let first = device.client.ask(Asked::post("/api/session", &body)).await;
    assert_eq!(first.status, 200);
    let again = device.client.ask(Asked::post("/api/session", &body)).await;
    is_refused(&again, 401, "token");

    let session = first.json()["session"].as_str().expect("text").to_owned();
    let name = json!({ "command": "name_device", "name": "Cellar" });
    let named = Asked::post("/api/command", &name).with_session(&session);
    assert_eq!(
        device.client.ask(named).await.json(),
        json!({ "answer": "accepted" })
    );
    let view = device
        .client
        .ask(Asked::get("/api/view").with_session(&session))
        .await;
    assert_eq!(view.json()["device"]["name"], "Cellar");

    let empty = json!({ "command": "name_device", "name": "" });
    let refused = Asked::post("/api/command", &empty).with_session(&session);
    is_refused(&device.client.ask(refused).await, 409, "name");
    let nonsense = Asked::post("/api/command", &json!({ "command": "fly" })).with_session(&session);
    is_refused(&device.client.ask(nonsense).await, 400, "malformed");

    let end = Asked::new("DELETE", "/api/session").with_session(&session);
    assert_eq!(device.client.ask(end).await.status, 204);
    let after = device
        .client
        .ask(Asked::get("/api/view").with_session(&session))
        .await;
    is_refused(&after, 401, "session");
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_or_done_without_a_session() {
    let device = Device::start_here().await;
    let session = device.session().await;
    for path in ["/api/view", "/api/events"] {
        is_refused(&device.client.ask(Asked::get(path)).await, 401, "session");
    }
    let stop = json!({ "command": "name_device", "name": "Stolen" });
    is_refused(
        &device.client.ask(Asked::post("/api/command", &stop)).await,
        401,
        "session",
    );
    for shown in [
        "Basic dG93bGluZTp4".to_owned(),
        session.clone(),
        format!("bearer {session}"),
        format!("Bearer {session}x"),
        "Bearer ".to_owned(),
        format!("Bearer {}", device.token()),
    ] {
        let asked = Asked::get("/api/view").with("Authorization", &shown);
        is_refused(&device.client.ask(asked).await, 401, "session");
    }
    // A browser sends cookies by itself, so they open nothing; nor does what stands in a URL.
    let asked = Asked::get("/api/view").with("Cookie", &format!("session={session}"));
    is_refused(&device.client.ask(asked).await, 401, "session");
    let asked = Asked::get(&format!("/api/view?session={session}"));
    is_refused(&device.client.ask(asked).await, 401, "session");
    // Nobody has set a password, so none opens it.
    let guess = Asked::post("/api/session", &json!({ "password": "" }));
    is_refused(&device.client.ask(guess).await, 401, "token");
    assert_eq!(device.engine.handle().view().device.name, "Attic");
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_pointed_here_is_not_ours() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let port = device.client.port();
    for host in [
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        String::new(),
    ] {
        for path in ["/", "/api/door", "/api/view"] {
            let asked = Asked::get(path).with_session(&session).at(&host);
            is_refused(&device.client.ask(asked).await, 421, "host");
        }
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}")] {
        let asked = Asked::get("/api/view").with_session(&session).at(&host);
        assert_eq!(device.client.ask(asked).await.status, 200, "{host}");
    }
    // Nor is one that stands twice, or differs from that of the first line.
    let twice = Asked::get("/").with("Host", "evil.example");
    is_refused(&device.client.ask(twice).await, 421, "host");
    let proxied = Asked::get("http://evil.example/api/view").with_session(&session);
    is_refused(&device.client.ask(proxied).await, 421, "host");
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_of_the_browser_is_refused_also_with_a_session() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let port = device.client.port();
    let name = json!({ "command": "name_device", "name": "Stolen" });
    for (header, value) in [
        ("Origin", "https://evil.example".to_owned()),
        ("Origin", "null".to_owned()),
        ("Origin", format!("https://127.0.0.1:{port}")),
        ("Origin", format!("http://localhost:{port}")),
        ("Origin", "http://127.0.0.1".to_owned()),
        ("Sec-Fetch-Site", "cross-site".to_owned()),
        // Another port of this computer: another program's page.
        ("Sec-Fetch-Site", "same-site".to_owned()),
    ] {
        let asked = Asked::post("/api/command", &name).with_session(&session);
        is_refused(
            &device.client.ask(asked.with(header, &value)).await,
            403,
            "origin",
        );
        let body = json!({ "token": device.token() });
        let opened = Asked::post("/api/session", &body).with(header, &value);
        is_refused(&device.client.ask(opened).await, 403, "origin");
    }
    // What a form can send without being asked about it.
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let asked = Asked::post("/api/command", &name).with_session(&session);
        is_refused(
            &device.client.ask(asked.of_kind(kind)).await,
            415,
            "content_type",
        );
    }
    // The question whether another page may ask is answered by no permission.
    let question =
        Asked::new("OPTIONS", "/api/command").with("Access-Control-Request-Method", "POST");
    let answer = device.client.ask(question).await;
    assert_eq!(answer.status, 405);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
    assert_eq!(device.engine.handle().view().device.name, "Attic");

    let own = Asked::post("/api/command", &name)
        .with_session(&session)
        .with("Origin", &format!("http://127.0.0.1:{port}"))
        .with("Sec-Fetch-Site", "same-origin");
    assert_eq!(device.client.ask(own).await.status, 200);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_may_put_us_into_itself_and_no_answer_sets_a_cookie() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let asked = [
        Asked::get("/"),
        Asked::get("/nowhere"),
        Asked::get("/api/door"),
        Asked::get("/api/nothing"),
        Asked::get("/api/view"),
        Asked::get("/api/view").with_session(&session),
        Asked::post("/api/session", &json!({ "token": device.token() })),
        Asked::get("/").at("evil.example"),
    ];
    for asked in asked {
        let answer = device.client.ask(asked).await;
        for said in [
            "content-security-policy: default-src 'none'; script-src 'self';",
            "frame-ancestors 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(said), "{said} in {answer:?}");
        }
        for never in ["set-cookie", "unsafe-eval", "access-control", "server:"] {
            assert!(!answer.head.contains(never), "{never} in {answer:?}");
        }
    }
    let told = device
        .client
        .ask(Asked::get("/api/view").with_session(&session))
        .await;
    assert!(told.head.contains("cache-control: no-store"), "{told:?}");

    let from_elsewhere = || Asked::get("/").with("Sec-Fetch-Site", "cross-site");
    for (mode, dest, status) in [
        ("navigate", "document", 200),
        ("navigate", "iframe", 403),
        ("no-cors", "script", 403),
        ("cors", "empty", 403),
    ] {
        let asked = from_elsewhere()
            .with("Sec-Fetch-Mode", mode)
            .with("Sec-Fetch-Dest", dest);
        assert_eq!(
            device.client.ask(asked).await.status,
            status,
            "{mode} {dest}"
        );
    }
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_bounds_and_a_device_outlives_nonsense() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let long = "x".repeat(8 * 1024);
    let guess = Asked::post("/api/session", &json!({ "token": long }));
    is_refused(&device.client.ask(guess).await, 413, "too_long");
    let long = "x".repeat(5 * 1024 * 1024);
    let name = json!({ "command": "name_device", "name": long });
    let asked = Asked::post("/api/command", &name).with_session(&session);
    is_refused(&device.client.ask(asked).await, 413, "too_long");
    // Without a session it is not even read.
    is_refused(
        &device.client.ask(Asked::post("/api/command", &name)).await,
        401,
        "session",
    );
    let many = Asked::get("/").with("X-Long", &"x".repeat(20 * 1024));
    assert_eq!(device.client.ask(many).await.status, 431);
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        device.client.send(nonsense).await;
    }
    let view = Asked::get("/api/view").with_session(&session);
    assert_eq!(device.client.ask(view).await.status, 200);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_gets_the_latest_view_when_it_reads_and_a_last_word() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let asked = Asked::get("/api/events").with_session(&session);
    let mut lines = device.client.follow(asked).await;
    assert_eq!(lines.next().await["view"]["device"]["name"], "Attic");
    let name = |name: &str| CommandView::NameDevice {
        name: name.to_owned(),
    };
    for number in 0..20 {
        let handle = device.engine.handle();
        handle
            .command(name(&format!("Attic {number}")))
            .await
            .expect("accepted");
    }
    loop {
        let told = lines.next().await;
        assert_eq!(told["kind"], "view");
        if told["view"]["device"]["name"] == "Attic 19" {
            break;
        }
    }
    let Device { engine, web, .. } = device;
    web.close().await;
    assert_eq!(lines.next().await, json!({ "kind": "ended" }));
    assert_eq!(lines.next().await, Value::Null);
    engine.stop().await.expect("a good end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_skips_what_is_old_and_a_session_that_ends_is_told_no_more() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let mut following = device.web.links.door.follow(&session).expect("a place");
    let began = following.next().await.expect("a view");
    let revision = |line: &[u8]| {
        let told: Value = serde_json::from_slice(line).expect("JSON");
        told["view"]["revision"].as_u64().expect("a number")
    };
    for number in 0..20 {
        let name = format!("Attic {number}");
        let command = CommandView::NameDevice { name };
        device
            .engine
            .handle()
            .command(command)
            .await
            .expect("accepted");
    }
    let next = following.next().await.expect("a view");
    let told: Value = serde_json::from_slice(&next).expect("JSON");
    assert_eq!(told["view"]["device"]["name"], "Attic 19");
    assert!(revision(&next) >= revision(&began) + 20);

    let end = Asked::new("DELETE", "/api/session").with_session(&session);
    assert_eq!(device.client.ask(end).await.status, 204);
    let name = "Cellar".to_owned();
    let command = CommandView::NameDevice { name };
    device
        .engine
        .handle()
        .command(command)
        .await
        .expect("accepted");
    assert_eq!(following.next().await, None);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_have_a_bound_that_leaves_room_for_commands() {
    let device = Device::start_here().await;
    let session = device.session().await;
    let mut open = Vec::new();
    for _ in 0..super::routes::FOLLOWERS_MAX {
        let asked = Asked::get("/api/events").with_session(&session);
        open.push(device.client.follow(asked).await);
    }
    let one_more = Asked::get("/api/events").with_session(&session);
    is_refused(&device.client.ask(one_more).await, 503, "too_many");
    let view = Asked::get("/api/view").with_session(&session);
    assert_eq!(device.client.ask(view).await.status, 200);
    drop(open);
    device.stop().await;
}
