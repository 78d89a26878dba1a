//! Notices on a message bus of our own, shown by a server that does what a test wants.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc::{self, Receiver, Sender};
use zbus::connection::Builder;
use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;

use super::*;

const PATH: &str = "/org/freedesktop/Notifications";

/// More than any test has a server hear.
const HEARD_MAX: usize = 8;

/// What a server was asked to show.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    replaced: u32,
    title: String,
    body: String,
    actions: Vec<String>,
}

/// Shows nothing, and gives the numbers 1, 2, 3.
struct Server {
    abilities: &'static [&'static str],
    asked: Sender<Asked>,
    shown: u32,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_capabilities(&self) -> &[&str] {
        self.abilities
    }

    #[expect(clippy::too_many_arguments, reason = "the specification has them")]
    fn notify(
        &mut self,
        app: &str,
        replaced: u32,
        icon: &str,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _timeout_ms: i32,
    ) -> u32 {
        assert_eq!((app, icon), ("Towline", "towline-app"));
        assert_eq!(hints.len(), 1);
        let asked = Asked {
            replaced,
            title,
            body,
            actions,
        };
        self.asked.try_send(asked).unwrap();
        self.shown += 1;
        self.shown
    }

    async fn close_notification(
        &self,
        number: u32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) {
        // 3 is that whoever showed it has closed it.
        Self::notification_closed(&emitter, number, 3)
            .await
            .unwrap();
    }

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        number: u32,
        action: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        number: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

/// A message bus of our own; ends with the test.
struct Bus(Child, String);

impl Bus {
    fn start() -> std::io::Result<Self> {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(out) = daemon.stdout.take() {
            BufReader::new(out).read_line(&mut address)?;
        }
        Ok(Self(daemon, address.trim().to_owned()))
    }

    async fn connect(&self) -> Connection {
        let builder = Builder::address(self.1.as_str()).unwrap();
        builder.build().await.unwrap()
    }

    /// Starts a server that can do these things, and gives what it is asked.
    async fn serve(&self, abilities: &'static [&'static str]) -> (Connection, Receiver<Asked>) {
        let (asked, hears) = mpsc::channel(HEARD_MAX);
        let server = Server {
            abilities,
            asked,
            shown: 0,
        };
        let builder = Builder::address(self.1.as_str()).unwrap();
        let builder = builder.serve_at(PATH, server).unwrap();
        let builder = builder.name("org.freedesktop.Notifications").unwrap();
        (builder.build().await.unwrap(), hears)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn notice(tag: &str, body: &str) -> Notice {
    Notice {
        tag: tag.to_owned(),
        title: "Studio shares “Garden” with you".to_owned(),
        body: body.to_owned(),
        open: "Accept…".to_owned(),
        later: Some("Later".to_owned()),
    }
}

/// Runs a test against notices that are shown on `bus`, the first of them at once.
async fn shown_on(
    bus: &Bus,
    first: Notice,
    test: impl AsyncFnOnce(Sender<Notice>, Receiver<String>),
) {
    let connection = bus.connect().await;
    let (more, mut waiting) = mpsc::channel(1);
    let (opened, opens) = mpsc::channel(HEARD_MAX);
    let tell = |tag| opened.try_send(tag).unwrap();
    tokio::select! {
        ended = show_on(&connection, first, &mut waiting, tell) => panic!("ended: {ended:?}"),
        () = test(more, opens) => {}
    }
}

#[tokio::test]
async fn a_notice_is_shown_and_tells_when_it_is_opened() {
    let bus = Bus::start().unwrap();
    let (server, mut asked) = bus.serve(&["actions", "body", "body-markup"]).await;
    let emitter = SignalEmitter::new(&server, PATH).unwrap();
    let first = notice("one", "From <b>Studio</b> & co");
    shown_on(&bus, first, async |more, mut opens| {
        let shown = asked.recv().await.unwrap();
        assert_eq!(shown.title, "Studio shares “Garden” with you");
        assert_eq!(shown.body, "From &lt;b&gt;Studio&lt;/b&gt; &amp; co");
        assert_eq!(
            shown.actions,
            ["default", "Accept…", "open", "Accept…", "later", "Later"]
        );
        more.send(notice("two", "")).await.unwrap();
        assert_eq!(asked.recv().await.unwrap().replaced, 0);

        // Of another program, and put off: neither opens anything.
        Server::action_invoked(&emitter, 77, "default")
            .await
            .unwrap();
        Server::action_invoked(&emitter, 1, "later").await.unwrap();
        Server::action_invoked(&emitter, 2, "default")
            .await
            .unwrap();
        assert_eq!(opens.recv().await.unwrap(), "two");
        Server::action_invoked(&emitter, 1, "open").await.unwrap();
        assert_eq!(opens.recv().await.unwrap(), "one");
    })
    .await;
}

#[tokio::test]
async fn a_notice_takes_the_place_of_the_one_under_its_tag_while_that_is_shown() {
    let bus = Bus::start().unwrap();
    let (server, mut asked) = bus.serve(&["actions"]).await;
    let emitter = SignalEmitter::new(&server, PATH).unwrap();
    shown_on(
        &bus,
        notice("conflicts", "One & one"),
        async |more, mut opens| {
            assert_eq!(asked.recv().await.unwrap().body, "One & one");
            more.send(notice("conflicts", "Two")).await.unwrap();
            assert_eq!(asked.recv().await.unwrap().replaced, 1);
            // This server closes what was opened when it is told to.
            Server::action_invoked(&emitter, 2, "default")
                .await
                .unwrap();
            assert_eq!(opens.recv().await.unwrap(), "conflicts");
            // The server's answer comes after all that it said before.
            more.send(notice("other", "")).await.unwrap();
            asked.recv().await.unwrap();
            more.send(notice("conflicts", "Three")).await.unwrap();
            assert_eq!(asked.recv().await.unwrap().replaced, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_server_without_actions_gets_none() {
    let bus = Bus::start().unwrap();
    let (_server, mut asked) = bus.serve(&["body"]).await;
    shown_on(&bus, notice("one", "Body"), async |_more, _opens| {
        assert_eq!(asked.recv().await.unwrap().actions, [""; 0]);
    })
    .await;
}
