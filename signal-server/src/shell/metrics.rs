//! What the server does, as numbers for Prometheus (the OpenMetrics text format).
//!
//! Counters count where things happen; gauges are asked of the hub when somebody scrapes. Labels come from
//! closed sets: no id, no name and no address is ever one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use towline_wire::signal::{CloseCode, ErrorCode, ServerMessage, SignalId};

use crate::rendezvous::{Door, Note};

/// One label and its value.
type Label = [(&'static str, String); 1];

/// The numbers of one server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    connections_total: Family<Label, Counter>,
    durations: Histogram,
    relayed: Counter,
    errors: Family<Label, Counter>,
    disconnects: Family<Label, Counter>,
    registers: Family<Label, Counter>,
    pairings: Family<Label, Counter>,
    rooms: Family<Label, Counter>,
    replaced: Counter,
    limits_hit: Counter,
    audit_left_out: Counter,
    packets: Counter,
    packet_bytes: Counter,
    dropped: Counter,
    stun: Counter,
    refused: Family<Label, Counter>,
    redis_questions: Family<Label, Counter>,
    redis_answers: Histogram,
    redis_losses: Counter,
    between: Family<Label, Counter>,
    gauges: Gauges,
}

#[derive(Debug, Default)]
struct Gauges {
    sockets: Gauge,
    connections: Gauge,
    connections_max: Gauge,
    devices: Gauge,
    guests: Gauge,
    codes: Gauge,
    rooms: Gauge,
    rooms_max: Gauge,
    channels: Gauge,
    records: Gauge,
    held_bytes: Gauge,
    draining: Gauge,
    redis_away: Gauge,
}

/// How the server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) connections: usize,
    pub(super) connections_max: usize,
    pub(super) devices: usize,
    pub(super) guests: usize,
    pub(super) mailboxes: usize,
    pub(super) rooms: usize,
    pub(super) rooms_max: usize,
    pub(super) channels: usize,
    pub(super) records: usize,
    pub(super) held_bytes: usize,
    pub(super) draining: bool,
    /// Of one of several, how it stands with Redis.
    pub(super) redis: Option<RedisStanding>,
}

/// Whether Redis is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RedisStanding {
    /// It is.
    Reached,
    /// It has not been since the start, or for so long.
    OutOfReach(Duration),
}

/// Which way a message goes between instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To another one.
    Out,
    /// From another one.
    In,
}

/// Why a connection was turned away before it became one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// Its address has too many, or makes them too fast.
    Address,
    /// TLS did not come to stand.
    Tls,
    /// There are too few file descriptors left.
    Full,
}

impl Metrics {
    pub(super) fn new() -> Arc<Self> {
        let mut metrics = Self {
            registry: Registry::with_prefix("towline"),
            connections_total: Family::default(),
            durations: Histogram::new(DURATIONS),
            relayed: Counter::default(),
            errors: Family::default(),
            disconnects: Family::default(),
            registers: Family::default(),
            pairings: Family::default(),
            rooms: Family::default(),
            replaced: Counter::default(),
            limits_hit: Counter::default(),
            audit_left_out: Counter::default(),
            packets: Counter::default(),
            packet_bytes: Counter::default(),
            dropped: Counter::default(),
            stun: Counter::default(),
            refused: Family::default(),
            redis_questions: Family::default(),
            redis_answers: Histogram::new(ANSWERS),
            redis_losses: Counter::default(),
            between: Family::default(),
            gauges: Gauges::default(),
        };
        metrics.register();
        metrics.begin_at_zero();
        Arc::new(metrics)
    }

    /// Makes every number that has a label. One that begins when something happens for the first time hides this
    /// first time from whoever asks how much a number has grown.
    fn begin_at_zero(&self) {
        let codes = CloseCode::ALL.map(CloseCode::number).into_iter();
        let codes: Vec<String> = codes
            .chain(FRAME_CODES)
            .map(|code| code.to_string())
            .collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let errors: Vec<String> = ErrorCode::ALL.map(word_of).into();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        for (family, name, values) in [
            (&self.connections_total, "door", &["signal", "relay"][..]),
            (&self.errors, "code", &errors),
            (&self.disconnects, "code", &codes),
            (
                &self.registers,
                "result",
                &["device", "guest", "failed", "denied"],
            ),
            (
                &self.pairings,
                "what",
                &["created", "claimed", "failed", "expired", "done"],
            ),
            (
                &self.rooms,
                "what",
                &["created", "joined", "refused", "closed"],
            ),
            (&self.refused, "reason", &["address", "tls", "full"]),
            (&self.redis_questions, "result", &["answered", "unanswered"]),
            (&self.between, "direction", &["out", "in"]),
        ] {
            for value in values {
                drop(family.get_or_create(&[(name, (*value).to_owned())]));
            }
        }
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The program", build);
        all.register(
            "connections",
            "WebSockets that were opened, by door",
            self.connections_total.clone(),
        );
        all.register_with_unit(
            "connection_duration",
            "How long WebSockets lasted",
            Unit::Seconds,
            self.durations.clone(),
        );
        all.register(
            "messages_relayed",
            "Opaque messages passed on",
            self.relayed.clone(),
        );
        all.register(
            "errors",
            "Errors told to clients, by code",
            self.errors.clone(),
        );
        all.register(
            "disconnects",
            "WebSockets closed by the server, by close code",
            self.disconnects.clone(),
        );
        all.register(
            "registers",
            "Registrations, by result",
            self.registers.clone(),
        );
        all.register(
            "pairings",
            "Steps of pairings, by what happened",
            self.pairings.clone(),
        );
        all.register("rooms", "What happened with rooms", self.rooms.clone());
        all.register(
            "devices_replaced",
            "Keys that came again on a newer connection",
            self.replaced.clone(),
        );
        all.register(
            "limits_hit",
            "Times that somebody was slowed down or refused for doing too much",
            self.limits_hit.clone(),
        );
        all.register(
            "audit_lines_left_out",
            "Lines of the audit log that came too fast to be written",
            self.audit_left_out.clone(),
        );
        all.register("relay_packets", "Packets passed on", self.packets.clone());
        all.register_with_unit(
            "relay",
            "Bytes of packets passed on",
            Unit::Bytes,
            self.packet_bytes.clone(),
        );
        all.register(
            "relay_packets_dropped",
            "Packets dropped because their receiver is slow",
            self.dropped.clone(),
        );
        all.register(
            "stun_requests",
            "Questions answered on STUN ports",
            self.stun.clone(),
        );
        all.register(
            "turned_away",
            "Connections refused before they were served, by reason",
            self.refused.clone(),
        );
        all.register(
            "redis_questions",
            "Questions to Redis, by result",
            self.redis_questions.clone(),
        );
        all.register_with_unit(
            "redis_answer",
            "How long Redis took for what was asked together",
            Unit::Seconds,
            self.redis_answers.clone(),
        );
        all.register(
            "redis_losses",
            "Times that Redis was reached and then was not",
            self.redis_losses.clone(),
        );
        all.register(
            "instance_messages",
            "Messages between instances, by direction",
            self.between.clone(),
        );
        let gauges = &self.gauges;
        all.register_with_unit(
            "redis_out_of_reach",
            "For how long Redis has been out of reach; 0 while it is there, or not used",
            Unit::Seconds,
            gauges.redis_away.clone(),
        );
        all.register(
            "open_sockets",
            "TCP connections that are open, whatever they are for",
            gauges.sockets.clone(),
        );
        all.register(
            "open_connections",
            "WebSockets that are open",
            gauges.connections.clone(),
        );
        all.register(
            "max_connections",
            "WebSockets that may be open",
            gauges.connections_max.clone(),
        );
        all.register("devices", "Devices that are there", gauges.devices.clone());
        all.register("guests", "Guests that are there", gauges.guests.clone());
        all.register(
            "pairing_codes_active",
            "Mailboxes of codes",
            gauges.codes.clone(),
        );
        all.register("active_rooms", "Rooms", gauges.rooms.clone());
        all.register(
            "max_rooms",
            "Rooms that there may be",
            gauges.rooms_max.clone(),
        );
        all.register("relay_channels", "Packet channels", gauges.channels.clone());
        all.register(
            "records",
            "Budgets, timers and other records in memory",
            gauges.records.clone(),
        );
        all.register_with_unit(
            "held",
            "Bytes of messages kept for members who are away",
            Unit::Bytes,
            gauges.held_bytes.clone(),
        );
        all.register(
            "draining",
            "1 while the server is going away",
            gauges.draining.clone(),
        );
    }

    /// All numbers as text, with the gauges as they stand.
    pub(super) fn encode(&self, standing: &Standing, sockets: usize) -> Result<String, fmt::Error> {
        let gauges = &self.gauges;
        let redis_away = match standing.redis {
            // Less than a second is not nothing.
            Some(RedisStanding::OutOfReach(long)) => usize::try_from(long.as_secs())
                .unwrap_or(usize::MAX)
                .saturating_add(1),
            Some(RedisStanding::Reached) | None => 0,
        };
        for (gauge, count) in [
            (&gauges.sockets, sockets),
            (&gauges.connections, standing.connections),
            (&gauges.connections_max, standing.connections_max),
            (&gauges.devices, standing.devices),
            (&gauges.guests, standing.guests),
            (&gauges.codes, standing.mailboxes),
            (&gauges.rooms, standing.rooms),
            (&gauges.rooms_max, standing.rooms_max),
            (&gauges.channels, standing.channels),
            (&gauges.records, standing.records),
            (&gauges.held_bytes, standing.held_bytes),
            (&gauges.draining, usize::from(standing.draining)),
            (&gauges.redis_away, redis_away),
        ] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(super) fn opened(&self, door: &Door) {
        let door = match door {
            Door::Signal => "signal",
            Door::Relay { .. } => "relay",
        };
        count(&self.connections_total, "door", door);
    }

    pub(super) fn ended(&self, lasted: Duration) {
        self.durations.observe(lasted.as_secs_f64());
    }

    /// A notice is on its way to a client.
    pub(super) fn said(&self, message: &ServerMessage) {
        match message {
            ServerMessage::Relayed { .. } => {
                self.relayed.inc();
            }
            ServerMessage::Error { code, .. } => self.error(*code),
            ServerMessage::RateLimited { .. } => self.error(ErrorCode::RateLimited),
            ServerMessage::Hello { .. }
            | ServerMessage::Registered { .. }
            | ServerMessage::PairingCode { .. }
            | ServerMessage::Paired { .. }
            | ServerMessage::PairingFailed { .. }
            | ServerMessage::IceServers { .. }
            | ServerMessage::RoomCreated { .. }
            | ServerMessage::JoinedRoom { .. }
            | ServerMessage::PeerJoined { .. }
            | ServerMessage::PeerLeft { .. }
            | ServerMessage::LeftRoom { .. }
            | ServerMessage::PeerConnected { .. }
            | ServerMessage::PeerDisconnected { .. }
            | ServerMessage::RelayReady { .. }
            | ServerMessage::Draining { .. }
            | ServerMessage::Pong { .. } => {}
        }
    }

    fn error(&self, code: ErrorCode) {
        count(&self.errors, "code", &word_of(code));
    }

    pub(super) fn closed(&self, code: CloseCode) {
        self.cut(code.number());
    }

    /// The same for a code that may be one of WebSockets themselves.
    pub(super) fn cut(&self, code: u16) {
        count(&self.disconnects, "code", &code.to_string());
    }

    pub(super) fn noted(&self, note: &Note) {
        let pairing = |what| count(&self.pairings, "what", what);
        let room = |what| count(&self.rooms, "what", what);
        match note {
            Note::Registered { who } => {
                let result = match who {
                    SignalId::Device(_) => "device",
                    SignalId::Guest(_) => "guest",
                };
                count(&self.registers, "result", result);
            }
            Note::RegisterFailed => count(&self.registers, "result", "failed"),
            Note::AccessDenied => count(&self.registers, "result", "denied"),
            Note::DeviceReplaced { .. } => {
                self.replaced.inc();
            }
            Note::CodeCreated => pairing("created"),
            Note::CodeClaimed => pairing("claimed"),
            Note::CodeFailed => pairing("failed"),
            Note::CodeExpired => pairing("expired"),
            Note::PairingDone => pairing("done"),
            Note::RoomCreated => room("created"),
            Note::RoomJoined => room("joined"),
            Note::RoomRefused => room("refused"),
            Note::RoomClosed => room("closed"),
            Note::ChannelComplete => {}
            Note::LimitHit => {
                self.limits_hit.inc();
            }
        }
    }

    /// So many questions were asked together; all were answered after this time, or none of them in time.
    pub(super) fn asked_redis(&self, questions: usize, answered: Option<Duration>) {
        if let Some(took) = answered {
            self.redis_answers.observe(took.as_secs_f64());
        }
        let result = if answered.is_some() {
            "answered"
        } else {
            "unanswered"
        };
        let family = self
            .redis_questions
            .get_or_create(&[("result", result.to_owned())]);
        family.inc_by(questions as u64);
    }

    pub(super) fn lost_redis(&self) {
        self.redis_losses.inc();
    }

    pub(super) fn between(&self, way: Way, messages: usize) {
        let direction = match way {
            Way::Out => "out",
            Way::In => "in",
        };
        let family = self
            .between
            .get_or_create(&[("direction", direction.to_owned())]);
        family.inc_by(messages as u64);
    }

    pub(super) fn left_out_of_audit(&self, lines: u64) {
        self.audit_left_out.inc_by(lines);
    }

    pub(super) fn forwarded(&self, bytes: usize) {
        self.packets.inc();
        self.packet_bytes.inc_by(bytes as u64);
    }

    pub(super) fn dropped(&self, packets: usize) {
        self.dropped.inc_by(packets as u64);
    }

    pub(super) fn answered_stun(&self) {
        self.stun.inc();
    }

    pub(super) fn turned_away(&self, why: TurnedAway) {
        let reason = match why {
            TurnedAway::Address => "address",
            TurnedAway::Tls => "tls",
            TurnedAway::Full => "full",
        };
        count(&self.refused, "reason", reason);
    }
}

/// The word that the client reads.
fn word_of(code: ErrorCode) -> String {
    let word = serde_json::to_value(code).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or("internal").to_owned()
}

fn count(family: &Family<Label, Counter>, name: &'static str, value: &str) {
    family.get_or_create(&[(name, value.to_owned())]).inc();
}

/// Codes of the WebSocket protocol itself: no valid frame, no valid text.
const FRAME_CODES: [u16; 2] = [1002, 1007];

/// Upper ends for the lengths of connections, in seconds: from a second to a day.
const DURATIONS: [f64; 8] = [1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0];

/// Upper ends for the times of Redis, in seconds: from half a millisecond to those 250 ms after which it is late.
const ANSWERS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25];
