//! A slow line: delay, jitter, loss, a rate and a queue, in a process of its own between two TAP devices.
//!
//! Whole Ethernet frames pass, so that addresses, translation and IPv6 are what they are without it; a TAP
//! device hands frames out with their checksums done. The queue is what the rate holds back: what is on its
//! way because the line is long does not count, and what does not fit is dropped at the tail. Frames never
//! overtake each other, jitter or not.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use fastrand::Rng;

use super::enemy::Enemy;
use crate::report::say;

/// What a line is like, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(crate) struct Line {
    /// From one end to the other, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(super) delay_ms: u64,
    /// Up to so many more, evenly spread.
    #[arg(long, default_value_t = 0)]
    pub(super) jitter_ms: u64,
    /// Frames of a thousand that are lost.
    #[arg(long, default_value_t = 0)]
    pub(super) loss_permille: u32,
    /// Megabits per second.
    #[arg(long, default_value_t = 100)]
    pub(super) rate_mbit: u64,
    /// Kilobytes that wait for the rate.
    #[arg(long, default_value_t = 128)]
    pub(super) queue_kb: u64,
    /// Whether somebody sits on it who adds frames.
    #[arg(long)]
    pub(super) hostile: bool,
}

impl Line {
    /// The arguments that say the same.
    pub(super) fn arguments(self) -> Vec<String> {
        let Self {
            delay_ms,
            jitter_ms,
            loss_permille,
            rate_mbit,
            queue_kb,
            hostile,
        } = self;
        let mut all = vec![
            format!("--delay-ms={delay_ms}"),
            format!("--jitter-ms={jitter_ms}"),
            format!("--loss-permille={loss_permille}"),
            format!("--rate-mbit={rate_mbit}"),
            format!("--queue-kb={queue_kb}"),
        ];
        if hostile {
            all.push("--hostile".to_owned());
        }
        all
    }

    /// How long the rate takes for so many bytes.
    fn sending(self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes * 8 * 1000 / self.rate_mbit.max(1))
    }
}

/// The names of the two ends, in the namespace where the line is laid.
pub(super) const ENDS: [&str; 2] = ["line0", "line1"];

/// What is said when both ends are there.
pub(super) const READY: &str = "the line is laid";

/// Lays the line in the namespace of this process and carries frames until it is ended.
pub(crate) fn carry(line: &Line) -> Result<()> {
    let [one, other] = ENDS.map(tap::open);
    let (one, other) = (Arc::new(one?), Arc::new(other?));
    say(READY);
    let line = *line;
    let back = {
        let (one, other) = (Arc::clone(&one), Arc::clone(&other));
        thread::spawn(move || one_way(line, other, one, 2))
    };
    one_way(line, one, other, 1)?;
    match back.join() {
        Ok(ended) => ended,
        Err(_) => bail!("one direction of the line panicked"),
    }
}

/// A frame and when it comes out.
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) frame: Vec<u8>,
}

fn one_way(line: Line, from: Arc<File>, to: Arc<File>, seed: u64) -> Result<()> {
    let (frames, waiting) = sync_channel(FRAMES_ON_THE_WAY_MAX);
    let mut enemy = line
        .hostile
        .then(|| Enemy::new(Arc::clone(&from), Arc::clone(&to), seed));
    thread::spawn(move || deliver(&to, &waiting));
    let mut gate = Gate::new(line, seed, Instant::now());
    let mut buffer = [0; FRAME_BYTES_MAX];
    loop {
        let Ok(length) = (&*from).read(&mut buffer) else {
            // The device is not up yet, or not any more.
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let Some(at) = gate.admit(Instant::now(), length) else {
            continue;
        };
        if let Some(enemy) = &mut enemy {
            enemy.sees(&buffer[..length]);
        }
        let frame = buffer[..length].to_vec();
        match frames.try_send(Due { at, frame }) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => bail!("the far end of the line is gone"),
        }
    }
}

pub(super) fn deliver(to: &File, waiting: &Receiver<Due>) {
    let mut to = to;
    for due in waiting {
        let left = due.at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            thread::sleep(left);
        }
        // A frame for a device that is down is lost, as on a cable that is pulled.
        let _lost = to.write(&due.frame);
    }
}

/// Decides which frames pass, and when.
struct Gate {
    line: Line,
    /// When the rate is done with all that was admitted.
    free_at: Instant,
    /// The latest exit so far.
    last_exit: Instant,
    random: Rng,
}

impl Gate {
    fn new(line: Line, seed: u64, now: Instant) -> Self {
        Self {
            line,
            free_at: now,
            last_exit: now,
            random: Rng::with_seed(seed),
        }
    }

    /// When a frame that comes now comes out; `None` when it is lost.
    fn admit(&mut self, now: Instant, length: usize) -> Option<Instant> {
        let length = u64::try_from(length).ok()?;
        let backlog = self.free_at.saturating_duration_since(now);
        if backlog > self.line.sending(self.line.queue_kb * 1024) {
            return None;
        }
        self.free_at = self.free_at.max(now) + self.line.sending(length);
        if self.random.u64(..1000) < u64::from(self.line.loss_permille) {
            return None;
        }
        let jitter = self.random.u64(..=self.line.jitter_ms * 1000);
        let exit = self.free_at
            + Duration::from_millis(self.line.delay_ms)
            + Duration::from_micros(jitter);
        self.last_exit = self.last_exit.max(exit);
        Some(self.last_exit)
    }
}

#[cfg(target_os = "linux")]
mod tap {
    use std::fs::{File, OpenOptions};

    use anyhow::{Context, Result};
    use rustix::ioctl::{Opcode, Setter, ioctl};

    /// `struct ifreq` of linux/if.h as far as `TUNSETIFF` reads it: a name, flags, and room to the full size.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }

    /// `TUNSETIFF` of linux/if_tun.h.
    const TUNSETIFF: Opcode = 0x4004_54ca;

    /// `IFF_TAP`, whole frames, and `IFF_NO_PI`, nothing in front of them.
    const FLAGS: u16 = 0x0002 | 0x1000;

    /// Makes a TAP device, which is gone when the file is closed.
    #[expect(unsafe_code, reason = "there is no safe way to make a TAP device")]
    pub(super) fn open(name: &str) -> Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .context("opening /dev/net/tun")?;
        let mut request = Request {
            name: [0; 16],
            flags: FLAGS,
            rest: [0; 22],
        };
        // One byte stays zero: the kernel reads up to it.
        for (to, from) in request.name.iter_mut().zip(name.bytes().take(15)) {
            *to = from;
        }
        // SAFETY: `TUNSETIFF` reads and writes an `ifreq`, which is 40 bytes on every Linux that has 64-bit
        // pointers and fewer on others; `Request` has those 40 bytes, without padding.
        unsafe {
            let setter = Setter::<TUNSETIFF, Request>::new(request);
            ioctl(&file, setter).context("making a TAP device")?;
        }
        Ok(file)
    }
}

#[cfg(not(target_os = "linux"))]
mod tap {
    use std::fs::File;

    use anyhow::{Result, bail};

    pub(super) fn open(_name: &str) -> Result<File> {
        bail!("the line is made of Linux's TAP devices")
    }
}

/// Frames on the way in one direction: 16,384, the longest line (100 ms at 1 Gbit/s). Beyond it frames are lost.
const FRAMES_ON_THE_WAY_MAX: usize = 16_384;

/// The largest frame: Ethernet's 1,514 bytes and room for tags.
const FRAME_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        delay_ms: 20,
        jitter_ms: 0,
        loss_permille: 0,
        rate_mbit: 10,
        queue_kb: 10,
        hostile: false,
    };

    #[test]
    fn the_queue_holds_what_the_rate_holds_back_and_not_what_is_on_its_way() {
        let start = Instant::now();
        let mut gate = Gate::new(LINE, 1, start);
        let passed = (0..100).filter(|_| gate.admit(start, 1000).is_some());
        // 10 KiB wait, and one frame is being sent.
        assert_eq!(passed.count(), 11);
        let later = start + Duration::from_millis(10);
        let exit = gate.admit(later, 1000).unwrap();
        assert!(exit > later + Duration::from_millis(20));
    }

    #[test]
    fn frames_are_lost_as_often_as_asked_and_never_overtake() {
        let start = Instant::now();
        let line = Line {
            loss_permille: 50,
            jitter_ms: 30,
            ..LINE
        };
        let mut gate = Gate::new(line, 1, start);
        let mut last = start;
        let mut passed = 0;
        for frame in 0..10_000 {
            let now = start + Duration::from_millis(frame);
            if let Some(exit) = gate.admit(now, 100) {
                assert!(exit >= last);
                last = exit;
                passed += 1;
            }
        }
        assert!((9_300..9_700).contains(&passed), "{passed}");
    }
}
