//! Somebody on a local network who says as much as goes through, by multicast DNS (RFC 6762).

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::lan::Lan;

/// Where everybody listens.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

/// What devices are called there.
const SERVICE: &str = "_towline._udp.local";

/// Datagrams in a second: 5000, which a slow computer still sends.
const EACH_SECOND: u32 = 5000;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// Who is there.
    Question,
    /// The same from another port, whose answer goes to that port alone.
    FromElsewhere,
    /// The same with a record that somebody wants to be theirs, which is answered at once.
    Claim,
}

/// A running flood.
#[derive(Debug)]
pub(crate) struct Flood {
    ends: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Begins it at a host of which this is the address.
    pub(crate) fn begin(lan: &Lan, host: &str, address: Ipv4Addr, said: Said) -> Self {
        let place = File::open(lan.namespace(host)).expect("a namespace");
        let (ends, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stop, count) = (Arc::clone(&ends), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may go there");
            let port = match said {
                Said::FromElsewhere => 0,
                Said::Question | Said::Claim => GROUP.1,
            };
            let socket = UdpSocket::bind(SocketAddr::from((address, port))).expect("a port");
            let began = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                // A full queue loses one.
                let _full = socket.send_to(&said.datagram(number), GROUP);
                let due =
                    Duration::from_secs(1) * u32::try_from(number).expect("few") / EACH_SECOND;
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
        });
        Self {
            ends,
            sent,
            thread: Some(thread),
        }
    }

    /// How many datagrams were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it panicked with was shown.
            let _ended = thread.join();
        }
    }
}

impl Said {
    fn datagram(self, number: u64) -> Vec<u8> {
        match self {
            Self::Question | Self::FromElsewhere => message(&[]),
            Self::Claim => {
                let mine = name(&format!("f{number}.{SERVICE}"));
                message(&[record(SERVICE, 12, &mine)])
            }
        }
    }
}

/// Who is there, asked by who claims these records (RFC 1035, 4.1; RFC 6762, 8.2).
fn message(claims: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(claims.len()).expect("few");
    let head = [0, 0, 1, 0, count, 0];
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend(name(SERVICE));
    bytes.extend([0, 12, 0, 1]);
    claims.iter().for_each(|each| bytes.extend(each));
    bytes
}

/// A record that lasts two minutes.
fn record(of: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short").to_be_bytes();
    [&name(of)[..], &[0, kind, 0, 1, 0, 0, 0, 120], &length, data].concat()
}

fn name(of: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in of.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
