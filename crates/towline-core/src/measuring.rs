//! When a connection is measured.
//!
//! A network tells a link [`crate::io::NetworkEvent::Measured`] by this rule, the simulated one as the real one: the
//! times belong together with those after which the link doubts a silent path.

use std::time::Duration;

/// Silence of a peer from which an answer is due after which its path is doubted, when the round trip is `rtt`: 500 ms
/// or three round trips. Acknowledgements come within one and 25 ms.
pub fn patience(rtt: Duration) -> Duration {
    SILENCE_WHILE_SENDING.max(rtt * 3)
}

/// Silence after which a flow is measured again whatever happens: a little more than [`patience`], so that a side which
/// only receives, and is told once, doubts then.
pub fn flow_silence(rtt: Duration) -> Duration {
    patience(rtt) + Duration::from_millis(50)
}

/// How long after the first bytes that end a rest they are measured, when the round trip is `rtt`: after 400 ms or
/// one and a half round trips. Sooner, every peer would look silent that has not answered yet; later than the 500 ms
/// after which a path is doubted, the answer itself would be too old where it came at once.
pub fn first_after(rtt: Duration) -> Duration {
    FIRST_LEAST.max(rtt + rtt / 2).min(FIRST_MOST)
}

const FIRST_LEAST: Duration = Duration::from_millis(400);

/// 3 s: a round trip that seems longer is one that was measured before an outage ended.
const FIRST_MOST: Duration = Duration::from_secs(3);

/// Least pause between two measurements while bytes move: 500 ms. A path that dies is noticed by one.
pub const APART: Duration = Duration::from_millis(500);

/// What counts as a flow: 64 KiB in either direction between two measurements. Its end is measured, too:
/// a side that only receives sends nothing that would show that no more comes.
pub const FLOW_BYTES: u64 = 64 * 1024;

/// The least silence that is worth a doubt: 500 ms.
pub(crate) const SILENCE_WHILE_SENDING: Duration = Duration::from_millis(500);
