//! The two pages of `examples/`, each in two tabs of a real browser against a real server.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signal_server::shell::Settings;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::server::{PATIENCE, Server};

/// The browsers that are looked for, as by the UI's tests.
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "chromium-browser"];

/// A browser without a window, driven through its DevTools socket.
struct Browser {
    child: Child,
    socket: WebSocketStream<TcpStream>,
    calls: u64,
    _home: tempfile::TempDir,
}

impl Browser {
    async fn start() -> Self {
        let home = tempfile::tempdir().expect("a place");
        let mut started = BROWSERS.iter().filter_map(|name| {
            Command::new(name)
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--no-first-run",
                ])
                // Two tabs of one browser find each other without anybody who answers mDNS.
                .arg("--disable-features=WebRtcHideLocalIpsWithMdns")
                .args(["--remote-debugging-port=0", "--disable-dev-shm-usage"])
                .arg(format!("--user-data-dir={}", home.path().display()))
                .arg("about:blank")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .ok()
        });
        let mut child = started
            .next()
            .expect("a browser is installed (cargo xtask system)");
        let stderr = child.stderr.take().expect("standard error is piped");
        // It says where its socket is, and goes on talking.
        let said = tokio::task::spawn_blocking(move || {
            use std::io::{BufRead, BufReader};
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let url = lines.find_map(|line| {
                line.strip_prefix("DevTools listening on ")
                    .map(str::to_owned)
            });
            std::thread::spawn(move || lines.for_each(drop));
            url
        });
        let url = timeout(PATIENCE, said).await.expect("in time");
        let url = url.expect("no panic").expect("a URL");
        let address = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(address.expect("an address"))
            .await
            .expect("the browser listens");
        let (socket, _) = client_async(url, stream).await.expect("it upgrades");
        Self {
            child,
            socket,
            calls: 0,
            _home: home,
        }
    }

    /// Calls a method of the DevTools protocol, of a tab or of the browser itself.
    async fn call(&mut self, tab: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.begin(tab, method, params).await;
        self.end(id).await
    }

    async fn begin(&mut self, tab: Option<&str>, method: &str, params: Value) -> u64 {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": params});
        if let Some(tab) = tab {
            call["sessionId"] = json!(tab);
        }
        let text = Message::text(call.to_string());
        self.socket.send(text).await.expect("the browser reads");
        self.calls
    }

    async fn end(&mut self, id: u64) -> Value {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await;
            let frame = frame.expect("the browser answers in time");
            let frame = frame.expect("a frame").expect("a valid frame");
            let said: Value = serde_json::from_str(frame.to_text().expect("text")).expect("JSON");
            if said["id"] == id {
                assert!(said["error"].is_null(), "{said}");
                return said["result"].clone();
            }
        }
    }

    /// Opens a page of the examples in a tab of its own, and waits until it is there.
    async fn tab(&mut self, page: &str, server: &Server) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(page);
        let url = format!(
            "file://{}#server=ws://{}/ws",
            path.display(),
            server.address
        );
        let target = self
            .call(None, "Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call(None, "Target.attachToTarget", target).await;
        let tab = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        self.call(Some(&tab), "Page.enable", json!({})).await;
        self.call(Some(&tab), "Page.navigate", json!({"url": url}))
            .await;
        let loaded = "new Promise((done) => document.readyState === 'complete' ? done() : \
                      addEventListener('load', done)).then(() => location.protocol)";
        // Until the page is there the tab answers for the one before.
        for _ in 0..100 {
            if self.run(&tab, loaded).await == "file:" {
                return tab;
            }
        }
        panic!("the page does not come");
    }

    /// What a line of the page's own language comes to.
    async fn run(&mut self, tab: &str, line: &str) -> Value {
        let id = self.begin_run(tab, line).await;
        self.end_run(id).await
    }

    async fn begin_run(&mut self, tab: &str, line: &str) -> u64 {
        let params = json!({"expression": line, "awaitPromise": true, "returnByValue": true});
        self.begin(Some(tab), "Runtime.evaluate", params).await
    }

    async fn end_run(&mut self, id: u64) -> Value {
        let came = self.end(id).await;
        assert!(came["exceptionDetails"].is_null(), "{came}");
        came["result"]["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[tokio::test]
async fn process_two_tabs_pair_by_a_code_and_relay() {
    let server = Server::start(Settings::default()).await;
    let mut browser = Browser::start().await;
    let maker = browser.tab("pair.html", &server).await;
    let joiner = browser.tab("pair.html", &server).await;
    let code = browser.run(&maker, "makeCode()").await;
    assert_eq!(code.as_str().map(str::len), Some(3));
    let joined = browser.run(&joiner, &format!("joinCode({code})")).await;
    browser.run(&maker, "met()").await;
    let makers_id = browser.run(&maker, "client.id").await;
    assert_eq!(joined, makers_id);
    browser.run(&joiner, "sendText('Grüße')").await;
    assert_eq!(browser.run(&maker, "hearText()").await, "Grüße");
    browser.run(&maker, "sendText('back')").await;
    assert_eq!(browser.run(&joiner, "hearText()").await, "back");
    server.stop().await;
}

#[tokio::test]
async fn process_two_tabs_open_a_data_channel_in_a_room_with_a_password() {
    let server = Server::start(Settings::default()).await;
    let mut browser = Browser::start().await;
    let opener = browser.tab("webrtc.html", &server).await;
    let joiner = browser.tab("webrtc.html", &server).await;
    let room = browser.run(&opener, "openRoom('correct horse')").await;
    let wrong = format!("joinRoom({room}, 'battery staple').catch((error) => error.message)");
    let refused = browser.run(&joiner, &wrong).await;
    let refused = refused.as_str().unwrap_or_default();
    assert!(refused.starts_with("room_not_found"), "{refused}");
    browser.begin_run(&opener, "offered()").await;
    let joined = format!("joinRoom({room}, 'correct horse')");
    assert_eq!(browser.run(&joiner, &joined).await, "open");
    // The opener's answer came before the joiner's, or comes now.
    assert_eq!(browser.run(&opener, "isOpen()").await, "open");
    // What goes from tab to tab now needs no server.
    server.stop().await;
    browser.run(&joiner, "sendText('from tab to tab')").await;
    assert_eq!(browser.run(&opener, "hearText()").await, "from tab to tab");
}

#[tokio::test]
async fn process_the_page_makes_the_proof_that_the_document_names() {
    let server = Server::start(Settings::default()).await;
    let mut browser = Browser::start().await;
    let tab = browser.tab("webrtc.html", &server).await;
    let line = "passwordProof('correct horse', 'abcde fghjk')";
    let proof = browser.run(&tab, line).await;
    let document = include_str!("../../../docs/PROTOCOL.md");
    let named = format!(
        "`correct horse` and `ABCDE-FGHJK` it is `{}`",
        proof.as_str().expect("text")
    );
    assert!(document.contains(&named), "{named}");
    server.stop().await;
}
