//! The sign on a bus of our own, before a watcher and a host that a test plays.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;
use zbus::Message;
use zbus::connection::Builder;
use zbus::zvariant::{OwnedValue, Value};

use super::super::{Choice, Standing};
use super::*;

/// A message bus of our own; ends with the test.
struct Bus(Child, String);

impl Bus {
    fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let out = daemon.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut address).unwrap();
        Self(daemon, address.trim().to_owned())
    }

    fn connection(&self) -> Builder<'_> {
        Builder::address(self.1.as_str()).unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A watcher that tells the test who comes.
struct Known {
    has_host: bool,
    came: mpsc::Sender<String>,
}

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Known {
    async fn register_status_notifier_item(&self, service: String) {
        self.came.send(service).await.unwrap();
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        self.has_host
    }

    #[zbus(signal)]
    async fn status_notifier_host_registered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_host_unregistered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

const WATCHER: &str = "/StatusNotifierWatcher";

async fn watcher(bus: &Bus, has_host: bool) -> (Connection, mpsc::Receiver<String>) {
    let (came, comes) = mpsc::channel(8);
    let builder = bus.connection().serve_at(WATCHER, Known { has_host, came });
    let named = builder.unwrap().name("org.kde.StatusNotifierWatcher");
    (named.unwrap().build().await.unwrap(), comes)
}

fn sign(standing: Standing, state: &str) -> Sign {
    let choice = |wish, text: &str| Choice {
        wish,
        text: text.to_owned(),
    };
    Sign {
        standing,
        state: state.to_owned(),
        title: "Towline".to_owned(),
        choices: vec![
            choice(Wish::Open, "Open Towline"),
            choice(Wish::Pause, "Pause"),
            choice(Wish::Quit, "Quit"),
        ],
    }
}

async fn until_shown(tray: &Tray, wanted: bool) {
    let mut shown = tray.shown();
    let waiting = shown.wait_for(|is_shown| *is_shown == wanted);
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    waited
        .unwrap_or_else(|_| panic!("waited in vain for {wanted}"))
        .unwrap();
}

/// What a test does with a sign that lives on a bus.
struct Stage {
    bus: Bus,
    tray: Arc<Tray>,
    wishes: mpsc::Receiver<Wish>,
    living: tokio::task::JoinHandle<zbus::Result<()>>,
}

impl Stage {
    async fn new() -> Self {
        let bus = Bus::start();
        let own = bus.connection().build().await.unwrap();
        let tray = Arc::new(Tray::new());
        let (wish, wishes) = mpsc::channel(8);
        let heeds = Arc::new(move |what| wish.try_send(what).unwrap());
        let lives = Arc::clone(&tray);
        let living = tokio::spawn(async move { live_on(&own, &lives, heeds).await });
        Self {
            bus,
            tray,
            wishes,
            living,
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.living.abort();
    }
}

/// The answer to `GetLayout`: the revision and the menu, whose lines are of the same shape.
type Layout = (u32, Line);
type Line = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

const STATE: i32 = 1;
const OPEN: i32 = 3;
const PAUSE: i32 = 4;
const QUIT: i32 = 7;

async fn call<B>(host: &Connection, item: &str, method: &str, body: &B) -> Message
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    let menu = Some("com.canonical.dbusmenu");
    let called = host.call_method(Some(item), MENU, menu, method, body);
    called.await.unwrap()
}

async fn label(host: &Connection, item: &str, line: i32) -> String {
    let answer = call(host, item, "GetProperty", &(line, "label")).await;
    let label: OwnedValue = answer.body().deserialize().unwrap();
    label.try_into().unwrap()
}

async fn choose(host: &Connection, item: &str, line: i32) {
    let event = (line, "clicked", Value::from(0), 0_u32);
    call(host, item, "Event", &event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_is_shown_once_it_says_something_and_a_host_is_there() {
    let stage = Stage::new().await;
    let (_watcher, mut comes) = watcher(&stage.bus, true).await;
    stage.tray.say(sign(Standing::Good, "All in sync"));
    let item = comes.recv().await.unwrap();
    until_shown(&stage.tray, true).await;

    let host = stage.bus.connection().build().await.unwrap();
    let asked = (0, -1, Vec::<String>::new());
    let answer = call(&host, &item, "GetLayout", &asked).await;
    let (_, (_, _, lines)): Layout = answer.body().deserialize().unwrap();
    let mut numbers = Vec::new();
    for line in lines {
        let (number, _, _): Line = line.try_into().unwrap();
        numbers.push(number);
    }
    assert_eq!(numbers, [STATE, 2, OPEN, PAUSE, 6, QUIT]);
    assert_eq!(label(&host, &item, STATE).await, "All in sync");
    assert_eq!(label(&host, &item, OPEN).await, "Open Towline");
    assert_eq!(label(&host, &item, PAUSE).await, "Pause");
    assert_eq!(label(&host, &item, QUIT).await, "Quit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_is_heeded_and_only_what_the_menu_has() {
    let mut stage = Stage::new().await;
    let (_watcher, mut comes) = watcher(&stage.bus, true).await;
    stage.tray.say(sign(Standing::Good, "All in sync"));
    let item = comes.recv().await.unwrap();
    let host = stage.bus.connection().build().await.unwrap();
    for line in 0..=QUIT + 1 {
        choose(&host, &item, line).await;
    }
    for wish in [Wish::Open, Wish::Pause, Wish::Quit] {
        assert_eq!(stage.wishes.recv().await, Some(wish));
    }
    let interface = Some("org.kde.StatusNotifierItem");
    host.call_method(Some(item.as_str()), ITEM, interface, "Activate", &(1, 1))
        .await
        .unwrap();
    assert_eq!(stage.wishes.recv().await, Some(Wish::Open));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_told_and_drawn() {
    let stage = Stage::new().await;
    let (_watcher, mut comes) = watcher(&stage.bus, true).await;
    stage.tray.say(sign(Standing::Good, "All in sync"));
    let item = comes.recv().await.unwrap();
    let host = stage.bus.connection().build().await.unwrap();
    let name = zbus::names::BusName::try_from(item.as_str()).unwrap();
    let properties = zbus::Proxy::new(&host, name, ITEM, "org.kde.StatusNotifierItem");
    let properties = properties.await.unwrap();
    let mut drawn = properties.receive_signal("NewIcon").await.unwrap();
    let before: Vec<Pixels> = properties.get_property("IconPixmap").await.unwrap();
    stage.tray.say(sign(Standing::Trouble, "1_thing needs you"));
    drawn.next().await.unwrap();
    let anew = proxy::Builder::<zbus::Proxy<'_>>::new(&host)
        .destination(item.clone())
        .and_then(|builder| builder.path(ITEM))
        .and_then(|builder| builder.interface("org.kde.StatusNotifierItem"))
        .unwrap()
        .cache_properties(proxy::CacheProperties::No)
        .build()
        .await
        .unwrap();
    let after: Vec<Pixels> = anew.get_property("IconPixmap").await.unwrap();
    assert_ne!(before, after);
    for (width, height, bytes) in &after {
        assert_eq!(bytes.len(), usize::try_from(4 * width * height).unwrap());
    }
    assert_eq!(label(&host, &item, STATE).await, "1__thing needs you");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_nothing_is_shown_and_one_that_comes_is_met() {
    let stage = Stage::new().await;
    stage.tray.say(sign(Standing::Good, "All in sync"));
    let (watching, mut comes) = watcher(&stage.bus, false).await;
    let served = watching.object_server();
    let known = served.interface::<_, Known>(WATCHER).await.unwrap();
    assert!(!*stage.tray.shown().borrow());
    known.get_mut().await.has_host = true;
    Known::status_notifier_host_registered(known.signal_emitter())
        .await
        .unwrap();
    comes.recv().await.unwrap();
    until_shown(&stage.tray, true).await;
    known.get_mut().await.has_host = false;
    Known::status_notifier_host_unregistered(known.signal_emitter())
        .await
        .unwrap();
    until_shown(&stage.tray, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_begins_anew_is_told_again() {
    let stage = Stage::new().await;
    stage.tray.say(sign(Standing::Good, "All in sync"));
    let (first, mut comes) = watcher(&stage.bus, true).await;
    comes.recv().await.unwrap();
    until_shown(&stage.tray, true).await;
    drop(first);
    until_shown(&stage.tray, false).await;
    let (_second, mut comes) = watcher(&stage.bus, true).await;
    comes.recv().await.unwrap();
    until_shown(&stage.tray, true).await;
}
