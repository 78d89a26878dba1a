//! The numbers that both ends must agree on, each with its reason.
//!
//! Sizes are bytes, counts are items. A receiver refuses what exceeds them before it allocates.

/// Largest control frame between devices: 1 MiB, twice what the entries of a page may come to. A
/// larger bound would only let a hostile peer hold more of our memory.
pub const CONTROL_FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Entries in one index page: 1000. Large enough that a page costs far more to store than to
/// announce, small enough that one is decided at a time.
pub const INDEX_PAGE_ENTRIES_MAX: usize = 1000;

/// What the entries of one index page may come to when each is written out in full
/// ([`crate::entry::Entry::full_bytes`]): 512 KiB. On the wire a page says once what its entries
/// share, so this bounds what a reader must hold, and the largest entry is a twentieth of it.
pub const INDEX_PAGE_BYTES_MAX: usize = 512 * 1024;

/// Index pages that a sender may have unacknowledged per folder and peer: 4. Hides a round trip
/// on fast links and bounds what a slow receiver must hold to about 2 MiB.
pub const INDEX_PAGES_IN_FLIGHT_MAX: usize = 4;

/// Folders that one peer may state: 1000, far above what people have; the statement is one frame.
pub const FOLDERS_PER_PEER_MAX: usize = 1000;

/// Longest path inside a folder: 4096 bytes of UTF-8, Linux' `PATH_MAX`.
pub const PATH_BYTES_MAX: usize = 4096;

/// Longest path component: 255 bytes, the limit of ext4, XFS, Btrfs, APFS and NTFS alike.
pub const PATH_COMPONENT_BYTES_MAX: usize = 255;

/// Longest symlink target: 4096 bytes, Linux' `PATH_MAX`.
pub const SYMLINK_TARGET_BYTES_MAX: usize = 4096;

/// Extended attributes of one file: 64. People's programs keep a handful; a file system allows
/// thousands, which would make an index of what is beside the files.
pub const ATTRIBUTES_MAX: usize = 64;

/// Bytes of all attributes of one file, names and values: 16 KiB. ext4 holds 4 KiB of them, XFS and
/// macOS 64 KiB in one; a page of an index must hold many entries, and is closed at
/// [`INDEX_PAGE_BYTES_MAX`].
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;

/// Longest name of an attribute: 255 bytes, the limit of Linux.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 255;

/// Actors in one version vector: 256. A vector grows by one actor per device and store
/// incarnation that ever changed the entry.
pub const VERSION_ACTORS_MAX: usize = 256;

/// Highest count of writes in a version vector: 2^63 - 1, what a store keeps in a signed column. One
/// more still fits its type, so the next write can always be counted. What a peer may state is half
/// of it, so that nobody can bring a history to this end.
pub const VERSION_COUNTER_MAX: u64 = i64::MAX as u64;

/// Longest device name or folder label: 64 bytes of UTF-8, shown in one line everywhere.
pub const NAME_BYTES_MAX: usize = 64;

/// Addresses in a card or a candidate message: 16. A laptop with three interfaces has about ten.
pub const ADDRESSES_MAX: usize = 16;

/// Addresses from outside in one statement: 4, two servers' word on each address family.
pub const REFLECTION_ADDRESSES_MAX: usize = 4;

/// Signal servers that a device says it is at: 3, as many as it has at most.
pub const SERVERS_TOLD_MAX: usize = 3;

/// Largest opaque payload that the signal server relays: 48 KiB, below its 64 KiB message limit
/// after base64 and JSON quoting.
pub const RELAY_PAYLOAD_BYTES_MAX: usize = 48 * 1024;

/// Largest QUIC datagram on the relay: 6500 bytes, the largest that two devices on one machine use,
/// so that a connection that moves from there to the relay goes on with what it has. Path MTU
/// discovery must not rise on the relay: devices send larger datagrams than 1200 bytes there only
/// after such a move.
pub const RELAY_DATAGRAM_BYTES_MAX: usize = 6500;

/// Life of a pairing code in seconds.
pub const CODE_SECONDS: u64 = 300;
