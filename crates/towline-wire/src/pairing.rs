//! What two strangers send each other through a mailbox, and the string they compare.

use serde::{Deserialize, Serialize};

/// 42 bits that both sides of a pairing show: seven symbols of six bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompareString([u8; 7]);
