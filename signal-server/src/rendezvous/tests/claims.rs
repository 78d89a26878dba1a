//! Claims that fail: whatever was wrong, the same is done and said.

use super::*;

/// Why a claim fails.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// Nobody has been given such a code.
    Free,
    /// Its own creator claims it.
    Own,
    /// Somebody else has claimed it.
    Used,
    /// It was claimed, and both are done.
    Done,
    /// Its creator has taken it back.
    Cancelled,
    /// Its creator was a guest, and has left.
    Left,
    /// Its time is over.
    Expired,
    /// The same, and its members were together.
    ExpiredAfterUse,
}

const ALL: [Wrong; 8] = [
    Wrong::Free,
    Wrong::Own,
    Wrong::Used,
    Wrong::Done,
    Wrong::Cancelled,
    Wrong::Left,
    Wrong::Expired,
    Wrong::ExpiredAfterUse,
];

/// One server, alone or one of several, and all that it puts out.
struct Server {
    rendezvous: Rendezvous,
    store: Store,
    now: Moment,
    connections: u64,
    /// In its order, without names and numbers.
    course: Vec<String>,
    heard: Vec<(ConnectionId, ServerMessage)>,
}

impl Server {
    fn new(instance: Instance) -> Self {
        let settings = Settings {
            instance,
            code_life: LIFE,
            ..Settings::default()
        };
        let mut server = Self {
            rendezvous: Rendezvous::new([1; 32], settings),
            store: Store::default(),
            now: Moment::START,
            connections: 0,
            course: Vec::new(),
            heard: Vec::new(),
        };
        server.input(Input::Reach(Reached::Yes));
        server
    }

    fn input(&mut self, input: Input) {
        self.rendezvous.handle_input(self.now, input);
        self.perform();
    }

    /// Does what is put out. The store answers each question before anything else happens.
    fn perform(&mut self) {
        while let Some(output) = self.rendezvous.poll_output() {
            match output {
                Output::Send { connection, notice } => {
                    self.course.push(format!("says {}", notice.to_json()));
                    self.heard.push((connection, notice.message));
                }
                Output::Ask { ticket, ask } => {
                    self.course.push(format!("asks {}", shape(&ask)));
                    let answer = self.store.carry_out(self.now, ask);
                    let answered = Input::Answered { ticket, answer };
                    self.rendezvous.handle_input(self.now, answered);
                }
                Output::Note { note, .. } => self.course.push(format!("notes {note:?}")),
                Output::Publish { .. } => self.course.push("publishes".to_owned()),
                Output::Close { code, .. } => self.course.push(format!("closes: {code:?}")),
                Output::Forward { .. } | Output::Ping { .. } | Output::Pause { .. } => {}
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(due) = self.rendezvous.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.rendezvous.handle_timeout(self.now);
            self.perform();
        }
        self.now = end;
    }

    fn guest(&mut self) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let here = [192, 0, 2, 7].into();
        self.input(Input::Connected {
            connection,
            origin: Origin::new([10, 0, 0, self.connections as u8].into(), here),
            door: Door::Signal,
        });
        self.say(connection, r#"{"type":"register"}"#);
        connection
    }

    fn say(&mut self, connection: ConnectionId, text: &str) {
        self.input(Input::from_text(connection, text));
    }

    fn code(&mut self, connection: ConnectionId) -> Slot {
        self.say(connection, r#"{"type":"create_pairing_code"}"#);
        let Some((_, ServerMessage::PairingCode { code, .. })) = self.heard.last() else {
            panic!("no code: {:?}", self.heard)
        };
        code.clone()
    }

    fn claim(&mut self, connection: ConnectionId, code: &str) {
        let text = format!(r#"{{"type":"use_pairing_code","code":"{code}"}}"#);
        self.say(connection, &text);
    }

    /// What follows when this client claims something.
    fn course_of_claim(&mut self, connection: ConnectionId, code: &str) -> Vec<String> {
        self.course.clear();
        self.claim(connection, code);
        std::mem::take(&mut self.course)
    }
}

/// A question without whom and what it is about.
fn shape(ask: &Ask) -> String {
    if let Ask::Claim { paid, tolls, .. } = ask {
        format!("claim: paid {paid:?}, {} tolls", tolls.len())
    } else {
        let whole = format!("{ask:?}");
        let end = whole.find([' ', '(']).unwrap_or(whole.len());
        whole[..end].to_owned()
    }
}

/// A server at which eve is about to claim this, in vain.
fn before(instance: Instance, wrong: Wrong) -> (Server, ConnectionId, Slot) {
    let mut server = Server::new(instance);
    let [alice, bob, eve] = [0; 3].map(|_| server.guest());
    let code = match wrong {
        Wrong::Free => Slot::from_number(7, 3),
        Wrong::Own => server.code(eve),
        Wrong::Used
        | Wrong::Done
        | Wrong::Cancelled
        | Wrong::Left
        | Wrong::Expired
        | Wrong::ExpiredAfterUse => server.code(alice),
    };
    match wrong {
        Wrong::Free | Wrong::Own => {}
        Wrong::Used => server.claim(bob, code.as_str()),
        Wrong::Done => {
            server.claim(bob, code.as_str());
            server.say(alice, r#"{"type":"pairing_done"}"#);
            server.say(bob, r#"{"type":"pairing_done"}"#);
        }
        Wrong::Cancelled => server.say(alice, r#"{"type":"cancel_pairing_code"}"#),
        Wrong::Left => server.input(Input::Disconnected { connection: alice }),
        Wrong::Expired => server.pass(LIFE),
        Wrong::ExpiredAfterUse => {
            server.claim(bob, code.as_str());
            server.pass(EXCHANGE_MIN);
        }
    }
    (server, eve, code)
}

#[test]
fn whatever_is_wrong_with_a_code_the_same_is_asked_noted_and_said_in_the_same_order() {
    for (instance, steps) in [
        (Instance::Alone, &["notes CodeFailed", FAILED][..]),
        (
            Instance::OneOfSeveral(NodeId(1)),
            &[
                "asks claim: paid Yes, 2 tolls",
                "asks CountFailure",
                "notes CodeFailed",
                FAILED,
            ],
        ),
    ] {
        for wrong in ALL {
            let (mut server, eve, code) = before(instance, wrong);
            let course = server.course_of_claim(eve, code.as_str());
            assert_eq!(course, steps, "{wrong:?}, {instance:?}");
        }
    }
}

#[test]
fn who_cannot_pay_is_looked_after_like_the_others_and_told_the_same_of_a_right_code() {
    for (instance, steps) in UNPAID {
        let mut server = Server::new(instance);
        let [alice, eve] = [0; 2].map(|_| server.guest());
        let code = server.code(alice);
        let free = (0..).map(|number| Slot::from_number(number, 3));
        let wrong: Vec<_> = free.filter(|slot| *slot != code).take(4).collect();
        for slot in &wrong[..3] {
            server.claim(eve, slot.as_str());
        }
        for slot in [&wrong[3], &code] {
            let course = server.course_of_claim(eve, slot.as_str());
            assert_eq!(course, steps, "{instance:?}");
        }
    }
}

#[test]
fn what_is_no_code_is_looked_after_like_a_code_that_cannot_be_paid() {
    for (instance, steps) in UNPAID {
        let mut server = Server::new(instance);
        let [alice, eve] = [0; 2].map(|_| server.guest());
        for text in ["", "?", "ABC-234", "ABCDE"] {
            let course = server.course_of_claim(eve, text);
            assert_eq!(course, steps, "{text:?}, {instance:?}");
        }
        // It costs nothing.
        let code = server.code(alice);
        let course = server.course_of_claim(eve, code.as_str());
        assert!(
            course.contains(&"notes CodeClaimed".to_owned()),
            "{course:?}"
        );
    }
}

/// What is done for a claim that is not paid for.
const UNPAID: [(Instance, &[&str]); 2] = [
    (Instance::Alone, &["notes CodeFailed", FAILED]),
    (
        Instance::OneOfSeveral(NodeId(1)),
        &["asks claim: paid No, 0 tolls", "notes CodeFailed", FAILED],
    ),
];

/// How a failed claim is answered, byte for byte.
const FAILED: &str = r#"says {"type":"pairing_failed","reason":"code_invalid"}"#;

/// Shorter than who says nothing is there.
const LIFE: Duration = Duration::from_secs(10);
