//! Frames of the data plane: file bytes, fetched over bi-directional QUIC streams.
//!
//! The fetcher opens a stream, sends one [`Header`], then any number of [`Request`]s without waiting;
//! the source answers in order. Frames are postcard behind a length prefix ([`crate::frame`]);
//! [`Answer::Bytes`] is followed by its raw bytes, outside of any frame. The fetcher finishes its half
//! to say that it wants no more; a source finishes its half after the last answer.
//!
//! Files up to [`SMALL_FILE_BYTES_MAX`] are asked for whole. Larger ones are fetched by range; where
//! the fetcher has something to reuse it first asks for the list of content-defined chunks, and where
//! only a few chunks are new for the parts of those. Both ends cut alike: [`ChunkSizes::of_file`] and
//! [`ChunkSizes::OF_PARTS`] give the sizes, the cutting is FastCDC of 2020 with normalisation level 1
//! and the unseeded gear table, each chunk is named by its BLAKE3 hash.
//!
//! What is absent, changed or not granted looks the same: [`Answer::Gone`].

use serde::{Deserialize, Serialize};

use crate::ids::{ContentHash, FolderId};

/// Largest file that is asked for whole: 1 MiB. Such an answer is buffered by both ends; larger
/// files go by ranges, which keep buffers bounded.
pub const SMALL_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Largest range in one request: 4 MiB, the largest chunk that [`ChunkSizes`] can cut. Both ends
/// hold a whole range in memory.
pub const RANGE_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Largest header or request frame: 128 bytes. The longest is 54 bytes.
pub const REQUEST_FRAME_BYTES_MAX: usize = 128;

/// Largest answer frame: 64 KiB, above a full page of chunks (about 19 KiB).
pub const ANSWER_FRAME_BYTES_MAX: usize = 64 * 1024;

/// Chunks in one page of a chunk list: 512, at least 8 MiB of the file. A page leaves the source as soon
/// as it is cut, so the fetcher works while the source still reads.
pub const CHUNKS_PER_PAGE_MAX: usize = 512;

/// The first frame on a data stream: what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Header {
    /// The sender fetches content of a folder from the receiver.
    Fetch {
        /// Which folder.
        folder: FolderId,
    },
}

/// What a fetcher wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A whole file of at most [`SMALL_FILE_BYTES_MAX`]; answered by one `Bytes`.
    File {
        /// BLAKE3 of the file.
        hash: ContentHash,
    },
    /// Part of a file; answered by one `Bytes` of exactly `len`.
    Range {
        /// BLAKE3 of the whole file.
        hash: ContentHash,
        /// Where the part begins.
        offset: u64,
        /// How long it is: 1 to [`RANGE_BYTES_MAX`].
        len: u32,
    },
    /// The chunks of a file; answered by `Chunks` pages until one is the last.
    Chunks {
        /// BLAKE3 of the whole file.
        hash: ContentHash,
    },
    /// The parts of a piece of a file, cut finely and from its begin; answered as `Chunks` is.
    Parts {
        /// BLAKE3 of the whole file.
        hash: ContentHash,
        /// Where the piece begins.
        offset: u64,
        /// How long it is: 1 to [`RANGE_BYTES_MAX`].
        len: u32,
    },
}

/// What a source answers; in the order of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// So many raw bytes follow this frame.
    Bytes {
        /// How many.
        len: u32,
    },
    /// The next chunks of the file, in file order.
    Chunks {
        /// The chunks; at most [`CHUNKS_PER_PAGE_MAX`].
        chunks: Vec<Chunk>,
        /// Whether the list ends here.
        end: ListEnd,
    },
    /// Absent, changed meanwhile, or not for this peer.
    Gone,
    /// So many bytes, all of them zero; none follow.
    Zeros {
        /// How many.
        len: u32,
    },
}

/// One content-defined piece of a file; it begins where the one before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its length in bytes.
    pub len: u32,
    /// BLAKE3 of its bytes.
    pub hash: ContentHash,
}

/// Whether a page of chunks is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListEnd {
    /// More pages follow.
    More,
    /// The list is complete.
    End,
}

/// How a file is cut; a function of its length alone, so that both ends agree without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSizes {
    /// No chunk but the last is shorter.
    pub min: u32,
    /// What chunks are on average, about.
    pub average: u32,
    /// No chunk is longer.
    pub max: u32,
}

/// Average chunk of files up to 64 MiB: 64 KiB. Smaller chunks would make the list cost more than
/// the bytes that it saves.
const AVERAGE_MIN: u32 = 64 * 1024;

/// Average chunk of the largest files: 1 MiB. Larger ones would make a changed byte dear.
const AVERAGE_MAX: u32 = RANGE_BYTES_MAX / 4;

/// Chunks that a file shall have at most, on average, before its chunks grow: 1024.
const CHUNKS_WANTED: u64 = 1024;

impl ChunkSizes {
    /// The sizes for the parts of a piece: 8 KiB on average. Smaller parts would cost more in the list
    /// than they save; with larger ones a changed byte is dearer.
    pub const OF_PARTS: Self = Self {
        min: 2 * 1024,
        average: 8 * 1024,
        max: 32 * 1024,
    };

    /// The sizes for a file of `len` bytes: the average is the power of two that gives about 1024
    /// chunks, between 64 KiB and 1 MiB; the shortest is a quarter of it and the longest four times.
    pub fn of_file(len: u64) -> Self {
        let wanted = (len / CHUNKS_WANTED).clamp(u64::from(AVERAGE_MIN), u64::from(AVERAGE_MAX));
        let average = u32::try_from(wanted).map_or(AVERAGE_MAX, u32::next_power_of_two);
        Self {
            min: average / 4,
            average,
            max: average * 4,
        }
    }
}

/// A chunk list does not describe the file that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("chunk list does not fit the file")]
pub struct ChunkListError;

/// Checks a chunk list page by page: every chunk has a legal length and together they cover the
/// file exactly. Holds no chunks, so a list of any length costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct ChunkListCheck {
    sizes: ChunkSizes,
    file_len: u64,
    covered: u64,
}

impl ChunkListCheck {
    /// Begins the check of a list for a file of `file_len` bytes.
    pub fn new(file_len: u64) -> Self {
        Self {
            sizes: ChunkSizes::of_file(file_len),
            file_len,
            covered: 0,
        }
    }

    /// Begins the check of the parts of a piece of `len` bytes; they are counted from its begin.
    pub const fn of_parts(len: u32) -> Self {
        Self {
            sizes: ChunkSizes::OF_PARTS,
            file_len: len as u64,
            covered: 0,
        }
    }

    /// Takes the next page and returns where its first chunk begins in the file.
    pub fn page(&mut self, chunks: &[Chunk], end: ListEnd) -> Result<u64, ChunkListError> {
        let begin = self.covered;
        if chunks.len() > CHUNKS_PER_PAGE_MAX || (chunks.is_empty() && end == ListEnd::More) {
            return Err(ChunkListError);
        }
        for chunk in chunks {
            self.covered += u64::from(chunk.len);
            let is_last = self.covered == self.file_len;
            let legal = chunk.len > 0
                && chunk.len <= self.sizes.max
                && (chunk.len >= self.sizes.min || is_last);
            if !legal || self.covered > self.file_len {
                return Err(ChunkListError);
            }
        }
        match end {
            ListEnd::End if self.covered != self.file_len => Err(ChunkListError),
            ListEnd::End | ListEnd::More => Ok(begin),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame;

    fn hash() -> impl Strategy<Value = ContentHash> {
        any::<[u8; 32]>().prop_map(ContentHash::from_bytes)
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            hash().prop_map(|hash| Request::File { hash }),
            (hash(), any::<u64>(), any::<u32>()).prop_map(|(hash, offset, len)| Request::Range {
                hash,
                offset,
                len
            }),
            hash().prop_map(|hash| Request::Chunks { hash }),
            (hash(), any::<u64>(), any::<u32>()).prop_map(|(hash, offset, len)| Request::Parts {
                hash,
                offset,
                len
            }),
        ]
    }

    fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
        prop::collection::vec(
            (any::<u32>(), hash()).prop_map(|(len, hash)| Chunk { len, hash }),
            0..CHUNKS_PER_PAGE_MAX,
        )
    }

    fn answer() -> impl Strategy<Value = Answer> {
        prop_oneof![
            any::<u32>().prop_map(|len| Answer::Bytes { len }),
            any::<u32>().prop_map(|len| Answer::Zeros { len }),
            chunks().prop_map(|chunks| Answer::Chunks {
                chunks,
                end: ListEnd::More
            }),
            Just(Answer::Gone),
        ]
    }

    proptest! {
        #[test]
        fn requests_round_trip_within_their_limit(request in request()) {
            let bytes = frame::encode(&request, REQUEST_FRAME_BYTES_MAX).unwrap();
            prop_assert_eq!(frame::decode::<Request>(&bytes[frame::PREFIX_BYTES..]).unwrap(), request);
        }

        #[test]
        fn answers_round_trip_within_their_limit(answer in answer()) {
            let bytes = frame::encode(&answer, ANSWER_FRAME_BYTES_MAX).unwrap();
            prop_assert_eq!(frame::decode::<Answer>(&bytes[frame::PREFIX_BYTES..]).unwrap(), answer);
        }

        #[test]
        fn junk_never_panics(junk in prop::collection::vec(any::<u8>(), 0..256)) {
            drop(frame::decode::<Header>(&junk));
            drop(frame::decode::<Request>(&junk));
            drop(frame::decode::<Answer>(&junk));
        }

        #[test]
        fn sizes_stay_within_a_range_request(len in any::<u64>()) {
            let sizes = ChunkSizes::of_file(len);
            prop_assert!(sizes.average.is_power_of_two());
            prop_assert!((64 * 1024..=1024 * 1024).contains(&sizes.average));
            prop_assert!(sizes.min < sizes.average && sizes.max <= RANGE_BYTES_MAX);
        }

        #[test]
        fn junk_lists_are_refused(len in 1_u64..1 << 40, chunks in chunks()) {
            // Random lengths do not add up to the file.
            let total: u64 = chunks.iter().map(|chunk| u64::from(chunk.len)).sum();
            prop_assume!(total != len);
            prop_assert_eq!(ChunkListCheck::new(len).page(&chunks, ListEnd::End), Err(ChunkListError));
        }
    }

    /// Lengths that a list for a file of `len` bytes may have, as the draws say.
    fn legal_lens(len: u64, draws: &[u32]) -> Vec<u32> {
        let ChunkSizes { min, max, .. } = ChunkSizes::of_file(len);
        let mut rest = u32::try_from(len).unwrap();
        let mut draws = draws.iter().cycle();
        let mut lens = Vec::new();
        while rest > 0 {
            let drawn = draws.next().unwrap() % (max - min + 1);
            let taken = rest.min(min + drawn);
            lens.push(taken);
            rest -= taken;
        }
        lens
    }

    /// Where each page of a list begins, when it comes in pages of the given number of chunks.
    fn in_pages(len: u64, lens: &[u32], of: usize) -> Result<Vec<u64>, ChunkListError> {
        let mut check = ChunkListCheck::new(len);
        let pages: Vec<Vec<Chunk>> = lens.chunks(of).map(list).collect();
        let last = pages.len().saturating_sub(1);
        let end = |at| match at == last {
            true => ListEnd::End,
            false => ListEnd::More,
        };
        let page = |(at, page): (usize, &Vec<Chunk>)| check.page(page, end(at));
        pages.iter().enumerate().map(page).collect()
    }

    proptest! {
        #[test]
        fn a_list_is_taken_only_if_it_covers_the_file_without_gap_or_overlap(
            len in 1_u64..8_000_000,
            draws in prop::collection::vec(any::<u32>(), 1..20),
            of in 1..20_usize,
            place in any::<prop::sample::Index>(),
            by in 1..70_000_u32,
        ) {
            let lens = legal_lens(len, &draws);
            let begins: Vec<u64> = (0..lens.len())
                .step_by(of)
                .map(|at| lens[..at].iter().map(|len| u64::from(*len)).sum())
                .collect();
            prop_assert_eq!(in_pages(len, &lens, of), Ok(begins));
            let at = place.index(lens.len());
            let mut longer = lens.clone();
            longer[at] += by;
            let mut shorter = lens.clone();
            shorter[at] = shorter[at].saturating_sub(by);
            let mut twice = lens.clone();
            twice.insert(at, lens[at]);
            let mut gap = lens.clone();
            gap.remove(at);
            for wrong in [longer, shorter, twice, gap] {
                // A list without chunks is no page, hence never comes to its end.
                let is_refused = wrong.is_empty() || in_pages(len, &wrong, of).is_err();
                prop_assert!(is_refused, "{:?}", wrong);
            }
        }
    }

    fn list(lens: &[u32]) -> Vec<Chunk> {
        let hash = ContentHash::from_bytes([7; 32]);
        lens.iter().map(|&len| Chunk { len, hash }).collect()
    }

    #[test]
    fn a_list_that_covers_the_file_in_pages_is_taken() {
        let mut check = ChunkListCheck::new(100_000);
        assert_eq!(check.page(&list(&[60_000]), ListEnd::More), Ok(0));
        assert_eq!(
            check.page(&list(&[39_000, 1_000]), ListEnd::End),
            Ok(60_000)
        );
    }

    #[test]
    fn lists_with_gaps_dwarfs_giants_or_no_end_are_refused() {
        let refused = |lens: &[u32], end| {
            assert_eq!(
                ChunkListCheck::new(600_000).page(&list(lens), end),
                Err(ChunkListError)
            );
        };
        refused(&[], ListEnd::More);
        refused(&[100_000], ListEnd::End);
        refused(&[1_000, 100_000], ListEnd::More);
        refused(&[0], ListEnd::More);
        refused(&[300_000, 300_000], ListEnd::End);
        refused(&[200_000, 200_000, 200_001], ListEnd::End);
    }

    #[test]
    fn frames_have_golden_bytes() {
        let hash = ContentHash::from_bytes([0xab; 32]);
        let range = Request::Range {
            hash,
            offset: 300,
            len: 5,
        };
        let mut golden = vec![36, 0, 0, 0, 1];
        golden.extend([0xab; 32]);
        golden.extend([0xac, 2, 5]);
        assert_eq!(
            frame::encode(&range, REQUEST_FRAME_BYTES_MAX).unwrap(),
            golden
        );
        let parts = Request::Parts {
            hash,
            offset: 300,
            len: 5,
        };
        golden[4] = 3;
        assert_eq!(
            frame::encode(&parts, REQUEST_FRAME_BYTES_MAX).unwrap(),
            golden
        );
        assert_eq!(
            frame::encode(&Answer::Bytes { len: 5 }, 64).unwrap(),
            [2, 0, 0, 0, 0, 5]
        );
        assert_eq!(frame::encode(&Answer::Gone, 64).unwrap(), [1, 0, 0, 0, 2]);
        assert_eq!(
            frame::encode(&Answer::Zeros { len: 5 }, 64).unwrap(),
            [2, 0, 0, 0, 3, 5]
        );
    }
}
