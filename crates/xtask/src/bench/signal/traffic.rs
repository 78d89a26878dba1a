//! What a server passes on, and how soon.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Stage;
use super::crowd::{Crowd, Transport, Who, number};
use super::server::Server;
use crate::bench::report::{Goal, Section, load, median};
use crate::processes::Running;
use crate::report::{Spinner, say};

pub(super) fn run(stage: &Stage) -> Result<Section> {
    let unbounded = ["--relay-bytes-per-second".to_owned(), "0".to_owned()];
    let server = Server::start(stage, "traffic-server", "127.0.0.1:0", &unbounded)?;
    let asleep = trips(stage, &server)?;
    let awake = {
        let _awake = Awake::keep(stage)?;
        trips(stage, &server)?
    };
    let seconds = stage.counts.seconds.to_string();
    let talking = format!("{} pairs", stage.counts.talking);
    let one = ["--together", "1", "--every-ms", "53", "--seconds", &seconds];
    let one = passes(stage, &server, "talk", stage.counts.talking, &one)?;
    let four = [
        "--together",
        "4",
        "--every-ms",
        "211",
        "--seconds",
        &seconds,
    ];
    let four = passes(stage, &server, "talk", stage.counts.talking, &four)?;
    let volley = ["--together", "4", "--seconds", &seconds];
    let patient = [
        &unbounded[..],
        &["--messages-per-second".to_owned(), "0".to_owned()],
    ]
    .concat();
    let patient = Server::start(stage, "patient-server", "127.0.0.1:0", &patient)?;
    let volley = passes(stage, &patient, "volley", stage.counts.asking, &volley)?;
    drop(patient);
    let packets = ["--packets", "32", "--seconds", &seconds];
    let packets = passes(stage, &server, "carry", CHANNELS, &packets)?;
    let rows = [
        ("256 B, one at a time", talking.clone(), &one),
        ("256 B, four at a time", talking, &four),
        (
            "256 B, four on their way in each pair",
            format!("{} pairs", stage.counts.asking),
            &volley,
        ),
        (
            "packets of 1200 B",
            format!("{CHANNELS} channels, 32 packets in each"),
            &packets,
        ),
    ];
    let rows: String = rows
        .into_iter()
        .map(|(what, who, passed)| passed.row(what, &who))
        .collect();
    Ok(Section {
        title: "What a signal server passes on".to_owned(),
        text: format!(
            "Plain WebSockets, {seconds} s each, medians of {} rounds (`cargo xtask bench signal`). Clients and server share the machine, so that the server's rate *per core*\nis what it passed on by the second of its own processor time. A client may ask 20 times a second, so messages come from many, but where few\nanswer each other at once without that bound (`--messages-per-second 0`); packets without the bound of 2 MiB/s for each end.\n\n| | between | passed on a second | server's cores | clients' cores | a second per core | load |\n|---|---|---|---|---|---|---|\n{rows}\nOne question at a time through the same server, {} of each; all times in µs. A processor with nothing to do goes to sleep between two\nmessages; so all is asked again while idle work (`SCHED_IDLE`) keeps all of them awake.\n\n| | p50 | p99 | p50, awake | p99, awake |\n|---|---|---|---|---|\n{}",
            stage.rounds,
            stage.counts.asking * TIMES,
            asleep.rows_beside(&awake),
        ),
        goals: vec![
            Goal::at_least(
                "messages of 256 B, four on their way",
                Some(volley.per_core),
                150_000.0,
                "/s per core",
            ),
            Goal::at_least(
                "packets of 1200 B",
                Some(packets.per_core),
                100_000.0,
                "/s per core",
            ),
            Goal::at_most("to a peer and back, p50", Some(asleep.trip.0), 60.0, "µs"),
            Goal::at_most(
                "to a peer and back, processors awake, p50",
                Some(awake.trip.0),
                60.0,
                "µs",
            ),
        ],
    })
}

/// Medians of rounds.
struct Passed {
    rate: f64,
    server_cores: f64,
    clients_cores: f64,
    per_core: f64,
    load: String,
}

impl Passed {
    fn row(&self, what: &str, who: &str) -> String {
        format!(
            "| {what} | {who} | {:.0} | {:.2} | {:.2} | {:.0} | {} |\n",
            self.rate, self.server_cores, self.clients_cores, self.per_core, self.load
        )
    }
}

fn passes(stage: &Stage, server: &Server, what: &str, count: u32, more: &[&str]) -> Result<Passed> {
    let (mut rates, mut ours, mut theirs, mut per_core) = (vec![], vec![], vec![], vec![]);
    for round in 1..=stage.rounds {
        let spinner = Spinner::start(&format!("{count} pairs {what}, round {round}"));
        let who = Who {
            name: what,
            count,
            first: 0,
            transport: Transport::Plain,
        };
        let mut crowd = Crowd::start(stage, who, &[server], what, more)?;
        let spent = crowd.watch(server)?;
        drop(spinner);
        let (passed, seconds) = (
            number(&spent.told, "count")?,
            number(&spent.told, "seconds")?,
        );
        let cores = |spent: Duration| spent.as_secs_f64() / seconds;
        say(format!(
            "   {what}, round {round}: {:.0} a second, {:.0} a second per core",
            passed / seconds,
            passed / spent.server.as_secs_f64(),
        ));
        rates.push(passed / seconds);
        ours.push(cores(spent.server));
        theirs.push(cores(spent.clients));
        per_core.push(passed / spent.server.as_secs_f64());
    }
    let middle = |values| median(values).unwrap_or_default();
    Ok(Passed {
        rate: middle(rates),
        server_cores: middle(ours),
        clients_cores: middle(theirs),
        per_core: middle(per_core),
        load: load(),
    })
}

/// p50 and p99 in microseconds.
pub(super) struct Trips {
    ping: (f64, f64),
    way: (f64, f64),
    pub(super) trip: (f64, f64),
}

impl Trips {
    fn rows_beside(&self, other: &Self) -> String {
        let row = |what: &str, of: fn(&Self) -> (f64, f64)| {
            let [ours, theirs] = [self, other].map(of);
            format!(
                "| {what} | {:.0} | {:.0} | {:.0} | {:.0} |\n",
                ours.0, ours.1, theirs.0, theirs.1
            )
        };
        [
            row("`ping` until `pong`", |trips| trips.ping),
            row("a message to its receiver", |trips| trips.way),
            row("a message to its receiver, and the answer", |trips| {
                trips.trip
            }),
        ]
        .concat()
    }
}

/// Keeps all processors awake, and out of nobody's way.
struct Awake {
    _busy: Vec<Running>,
}

impl Awake {
    fn keep(stage: &Stage) -> Result<Self> {
        let processors = thread::available_parallelism()?.get();
        let busy = (0..processors).map(|_| {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "echo awake; while :; do :; done"]);
            let mut busy = Running::start("awake", &mut command, &stage.logs)?;
            busy.wait_for_line(|line| line == "awake", AWAKE_WITHIN)?;
            Ok(busy)
        });
        Ok(Self {
            _busy: busy.collect::<Result<_>>()?,
        })
    }
}

fn trips(stage: &Stage, server: &Server) -> Result<Trips> {
    let rounds: Result<Vec<Trips>> = (0..stage.rounds)
        .map(|_| ask_and_answer(stage, &[server], 0))
        .collect();
    let rounds = rounds?;
    let middle = |of: fn(&Trips) -> (f64, f64)| {
        let one = median(rounds.iter().map(|trips| of(trips).0).collect());
        let other = median(rounds.iter().map(|trips| of(trips).1).collect());
        (one.unwrap_or_default(), other.unwrap_or_default())
    };
    Ok(Trips {
        ping: middle(|trips| trips.ping),
        way: middle(|trips| trips.way),
        trip: middle(|trips| trips.trip),
    })
}

/// Lets pairs ask and answer, one question at a time.
pub(super) fn ask_and_answer(stage: &Stage, at: &[&Server], first: u32) -> Result<Trips> {
    let who = Who {
        name: "trip",
        count: stage.counts.asking,
        first,
        transport: Transport::Plain,
    };
    let times = TIMES.to_string();
    let mut crowd = Crowd::start(stage, who, at, "trip", &["--times", &times])?;
    let told = crowd.wait("end")?;
    let of = |name: &str| {
        let both = &told[name];
        Ok::<_, anyhow::Error>((number(both, "p50")?, number(both, "p99")?))
    };
    Ok(Trips {
        ping: of("ping")?,
        way: of("way")?,
        trip: of("trip")?,
    })
}

/// Channels with packets in them at once: 16. A relay is used by few at a time, and by those much.
const CHANNELS: u32 = 16;

/// How long a shell may take to start.
const AWAKE_WITHIN: Duration = Duration::from_secs(10);

/// Questions of each pair: 25, with as many pings below the 60 that a client may ask at once.
const TIMES: u32 = 25;
