//! How STUN servers are asked, and what becomes of what they say.

use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::peer::Mapping;

use crate::clock::Moment;
use crate::io::{NetworkRequest, Output, StunServer};
use crate::outbox::Outbox;
use crate::reflexive::{Reflexive, Told};
use crate::report::Outside;

/// The machine, its clock and what it has asked.
struct World {
    reflexive: Reflexive,
    now: Moment,
}

fn server(host: &str) -> StunServer {
    StunServer {
        host: host.to_owned(),
        port: 3478,
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    fn with(servers: &[&str]) -> Self {
        let mut world = Self {
            reflexive: Reflexive::default(),
            now: Moment::default(),
        };
        world.begin(servers);
        world
    }

    fn begin(&mut self, servers: &[&str]) {
        let servers = servers.iter().copied().map(server).collect();
        self.reflexive.begin(self.now, servers);
    }

    fn answer(&mut self, host: &str, from: &str) -> Told {
        self.reflexive.answered(self.now, &server(host), addr(from))
    }

    /// Lets time pass; who is asked meanwhile, and when.
    fn pass(&mut self, time: Duration) -> Vec<(Duration, String)> {
        let (start, end) = (self.now, self.now.after(time));
        let mut asked = Vec::new();
        let mut outbox = Outbox::default();
        while let Some(due) = self.reflexive.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.reflexive.handle_timeout(self.now, &mut outbox);
            while let Some(output) = outbox.pop() {
                let Output::Network(NetworkRequest::AskStun(server)) = output else {
                    panic!("asked for {output:?}");
                };
                let at = self.now.since_start() - start.since_start();
                asked.push((at, server.host));
            }
        }
        self.now = end;
        asked
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.reflexive.addresses()
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn four_servers_are_asked_at_once_and_every_25_seconds_after_an_answer() {
    let mut world = World::with(&["a", "b", "c", "d", "e"]);
    let at = |asked: Vec<(Duration, String)>| asked.into_iter().map(|(_, host)| host).collect();
    let first: Vec<String> = at(world.pass(Duration::ZERO));
    assert_eq!(first, ["a", "b", "c", "d"]);
    assert_eq!(world.answer("a", "198.51.100.7:4000"), Told::Change);
    assert_eq!(world.answer("b", "198.51.100.7:4000"), Told::Change);
    for server in ["c", "d"] {
        assert_eq!(world.answer(server, "198.51.100.7:4000"), Told::Nothing);
    }
    assert_eq!(
        world.answer("e", "198.51.100.7:1"),
        Told::Nothing,
        "not asked"
    );
    assert_eq!(world.addresses(), [addr("198.51.100.7:4000")]);
    assert_eq!(world.pass(millis(24_999)), []);
    let again: Vec<String> = at(world.pass(millis(1)));
    assert_eq!(again, ["a", "b", "c", "d"]);
    assert_eq!(world.answer("a", "198.51.100.7:4000"), Told::Nothing);
}

#[test]
fn who_does_not_answer_costs_five_packets_in_ten_minutes() {
    let mut world = World::with(&["victim"]);
    let asked = world.pass(Duration::from_secs(590));
    let at: Vec<Duration> = asked.into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [0, 500, 1500, 3500, 7500].map(millis));
    assert_eq!(world.pass(Duration::from_secs(7200)).len(), 5 * 12);
    for _ in 0..100 {
        world.begin(&["victim"]);
    }
    assert_eq!(world.pass(Duration::ZERO), [], "sessions that break");
}

#[test]
fn who_has_answered_here_is_asked_again_each_minute_and_when_a_session_begins() {
    let mut world = World::with(&["a"]);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    assert_eq!(world.pass(millis(25_000 + 7500)).len(), 5);
    assert_eq!(world.pass(millis(20_000)), []);
    world.begin(&["a"]);
    assert_eq!(world.pass(millis(4999)), [], "asked less than 25 s ago");
    assert_eq!(world.pass(millis(7501)).len(), 5);
    assert_eq!(world.pass(millis(59_999)), []);
    assert_eq!(world.pass(millis(1)).len(), 1);
    world.reflexive.moved(world.now);
    world.pass(Duration::from_secs(8));
    let elsewhere = world.pass(Duration::from_secs(590));
    assert_eq!(elsewhere, [], "it has not answered on this network");
}

#[test]
fn nobody_is_seen_from_this_computer_itself_or_from_many() {
    let mut world = World::with(&["a"]);
    world.pass(Duration::ZERO);
    for lie in [
        "127.0.0.1:631",
        "[::1]:631",
        "224.0.0.251:5353",
        "255.255.255.255:67",
    ] {
        assert_eq!(world.answer("a", lie), Told::Nothing, "{lie}");
    }
    assert_eq!(world.addresses(), []);
}

#[test]
fn a_router_with_a_port_for_each_is_seen_with_both_and_families_stay_apart() {
    let mut world = World::with(&["a", "b"]);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    world.answer("b", "198.51.100.7:4001");
    world.answer("a", "[2001:db8::7]:4000");
    let all = [
        "198.51.100.7:4000",
        "[2001:db8::7]:4000",
        "198.51.100.7:4001",
    ];
    assert_eq!(world.addresses(), all.map(addr));
    world.answer("a", "198.51.100.7:5000");
    let all = [
        "[2001:db8::7]:4000",
        "198.51.100.7:5000",
        "198.51.100.7:4001",
    ];
    assert_eq!(world.addresses(), all.map(addr));
}

#[test]
fn two_words_show_whether_the_router_varies() {
    let mut world = World::with(&["a", "b"]);
    let mapping = |world: &World| world.reflexive.reflection().mapping;
    assert_eq!(mapping(&world), Mapping::Unknown);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    world.answer("a", "[2001:db8::7]:4000");
    world.answer("b", "[2001:db8::7]:5000");
    assert_eq!(mapping(&world), Mapping::Unknown, "IPv4 alone counts");
    assert_eq!(world.answer("b", "198.51.100.7:4000"), Told::Change);
    assert_eq!(mapping(&world), Mapping::Same);
    assert_eq!(world.answer("b", "198.51.100.7:4001"), Told::Change);
    assert_eq!(mapping(&world), Mapping::Varies);
    world.reflexive.moved(world.now);
    assert_eq!(mapping(&world), Mapping::Unknown);
}

#[test]
fn the_word_of_a_silent_server_shows_nothing_of_the_router() {
    let mut world = World::with(&["a", "b"]);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    world.answer("b", "198.51.100.7:4000");
    // The router has begun anew, and one server is down.
    world.pass(Duration::from_secs(60));
    assert_eq!(world.answer("b", "198.51.100.7:7777"), Told::Change);
    assert_eq!(world.reflexive.reflection().mapping, Mapping::Unknown);
    assert_eq!(world.answer("a", "198.51.100.7:7777"), Told::Change);
    assert_eq!(world.reflexive.reflection().mapping, Mapping::Same);
}

#[test]
fn a_router_has_another_address_when_all_say_so_that_agreed_on_one() {
    let mut world = World::with(&["a", "b"]);
    world.pass(Duration::ZERO);
    // It varies in its ports, and that is all.
    assert_eq!(world.answer("a", "198.51.100.7:4000"), Told::Change);
    assert_eq!(world.answer("b", "198.51.100.7:4001"), Told::Change);
    assert_eq!(world.answer("b", "198.51.100.7:4002"), Told::Change);
    assert_eq!(world.answer("a", "[2001:db8::7]:4000"), Told::Change);
    assert_eq!(world.answer("a", "198.51.100.9:4000"), Told::Change);
    assert_eq!(world.answer("a", "198.51.100.9:4000"), Told::Nothing);
    assert_eq!(world.answer("b", "198.51.100.9:4000"), Told::Renumbered);
    assert_eq!(world.answer("b", "198.51.100.9:4000"), Told::Nothing);
    // One that lies alone changes nothing.
    assert_eq!(world.answer("b", "203.0.113.5:4000"), Told::Change);
    assert_eq!(world.answer("b", "198.51.100.9:4000"), Told::Change);
    world.reflexive.moved(world.now);
    assert_eq!(world.answer("a", "198.51.100.7:4000"), Told::Change);
    assert_eq!(world.answer("b", "198.51.100.7:4000"), Told::Change);
}

#[test]
fn what_nobody_can_listen_at_is_no_address() {
    let mut world = World::with(&["a"]);
    world.pass(Duration::ZERO);
    for lie in [
        "224.0.0.1:9",
        "255.255.255.255:9",
        "0.0.0.0:9",
        "192.0.2.1:0",
    ] {
        assert_eq!(world.answer("a", lie), Told::Nothing, "{lie}");
    }
    assert_eq!(world.addresses(), []);
}

#[test]
fn elsewhere_nothing_holds_any_more_and_a_session_with_the_same_servers_keeps_it() {
    let mut world = World::with(&["a"]);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    world.begin(&["b", "a"]);
    assert_eq!(world.addresses(), [addr("198.51.100.7:4000")]);
    assert_eq!(world.pass(Duration::ZERO).len(), 1, "the new one");
    world.reflexive.moved(world.now);
    assert_eq!(world.addresses(), []);
    assert_eq!(world.pass(Duration::ZERO).len(), 2);
    world.begin(&[]);
    assert_eq!(world.reflexive.poll_timeout(), None);
}

#[test]
fn who_has_answered_is_asked_again_in_doubt_and_who_is_silent_is_left_alone() {
    let mut world = World::with(&["answers", "silent"]);
    world.pass(Duration::ZERO);
    world.answer("answers", "203.0.113.1:5000");
    world.pass(Duration::from_secs(10));
    world.reflexive.doubt(world.now);
    let asked: Vec<_> = world
        .pass(Duration::ZERO)
        .into_iter()
        .map(|(_, host)| host)
        .collect();
    assert_eq!(asked, ["answers"]);
}

#[test]
fn who_sees_us_at_another_host_has_the_others_asked_but_liars_do_not_have_each_other_asked_without_end()
 {
    let mut world = World::with(&["a", "b", "six"]);
    world.pass(Duration::ZERO);
    world.answer("a", "198.51.100.7:4000");
    world.answer("b", "198.51.100.7:4000");
    world.answer("six", "[2001:db8::7]:4000");
    world.pass(Duration::from_secs(10));
    let asked_at_once = |world: &mut World| {
        let asked = world.pass(Duration::ZERO).into_iter();
        asked.map(|(_, host)| host).collect::<Vec<_>>()
    };
    world.answer("a", "198.51.100.7:4001");
    assert!(asked_at_once(&mut world).is_empty(), "another port is none");
    world.answer("a", "198.51.100.9:4000");
    assert_eq!(asked_at_once(&mut world), ["b"]);
    assert_eq!(world.answer("b", "198.51.100.9:4000"), Told::Renumbered);
    assert!(asked_at_once(&mut world).is_empty());

    let mut questions = 0;
    for lie in 0..100_u8 {
        let liar = ["a", "b"][usize::from(lie % 2)];
        world.answer(liar, &format!("203.0.113.{lie}:4000"));
        questions += world.pass(Duration::from_millis(100)).len();
    }
    // In ten seconds, with those that are due by themselves.
    assert!(questions <= 6, "{questions}");
}

#[test]
fn silence_of_every_server_shows_that_udp_does_not_come_back() {
    let mut world = World::with(&["a", "b"]);
    assert_eq!(world.reflexive.outside(), Outside::Asking);
    world.pass(Duration::from_secs(20));
    assert_eq!(world.reflexive.outside(), Outside::Silent);
    world
        .reflexive
        .answered(world.now, &server("b"), addr("203.0.113.5:4007"));
    assert_eq!(world.reflexive.outside(), Outside::Seen);
    world.reflexive.moved(world.now);
    assert_eq!(world.reflexive.outside(), Outside::Asking);
    assert_eq!(Reflexive::default().outside(), Outside::NotAsked);
}

#[test]
fn a_port_of_the_router_comes_after_what_is_seen_and_goes_with_a_move() {
    let mut world = World::with(&["a"]);
    world.answer("a", "203.0.113.5:4007");
    let mapped = addr("203.0.113.5:51820");
    assert_eq!(world.reflexive.mapped(Some(mapped)), Told::Change);
    assert_eq!(world.reflexive.mapped(Some(mapped)), Told::Nothing);
    assert_eq!(world.addresses(), [addr("203.0.113.5:4007"), mapped]);
    world.reflexive.moved(world.now);
    assert!(world.addresses().is_empty());
    assert_eq!(world.reflexive.mapped(Some(mapped)), Told::Change);
    assert_eq!(world.reflexive.mapped(None), Told::Change);
    assert!(world.addresses().is_empty());
}

#[test]
fn a_router_that_lies_about_its_address_makes_nobody_write_to_loopback_or_multicast() {
    let mut world = World::with(&[]);
    for lie in [
        "127.0.0.1:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "0.0.0.0:80",
        "203.0.113.5:0",
    ] {
        world.reflexive.mapped(Some(addr(lie)));
        assert!(world.addresses().is_empty(), "{lie}");
    }
}
