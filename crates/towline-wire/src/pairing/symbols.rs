//! The 64 symbols of compare strings: a picture and its English word each.
//!
//! Chosen to be told apart in a small font and named by anybody: animals, plants, food, things,
//! sky. No people, flags, religion, weapons or gestures, and no two of one shape. The order is
//! part of the protocol: both devices must show the same.

/// How many symbols there are: one for every value of six bits.
pub const SYMBOL_COUNT: usize = 64;

/// One symbol of a compare string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// One emoji.
    pub emoji: &'static str,
    /// Its English word, lower case; the shells translate it.
    pub word: &'static str,
}

impl Symbol {
    /// The symbol of the six lowest bits.
    pub(super) fn of_number(number: u8) -> Self {
        // Six bits are below the length of the table.
        let (emoji, word) = TABLE[usize::from(number & 63)];
        Self { emoji, word }
    }
}

const TABLE: [(&str, &str); SYMBOL_COUNT] = [
    ("🦊", "fox"),
    ("🐘", "elephant"),
    ("🦉", "owl"),
    ("🐢", "turtle"),
    ("🐙", "octopus"),
    ("🦋", "butterfly"),
    ("🐝", "bee"),
    ("🐧", "penguin"),
    ("🦒", "giraffe"),
    ("🐋", "whale"),
    ("🐌", "snail"),
    ("🦔", "hedgehog"),
    ("🐫", "camel"),
    ("🦀", "crab"),
    ("🐸", "frog"),
    ("🦢", "swan"),
    ("🌵", "cactus"),
    ("🌻", "sunflower"),
    ("🍄", "mushroom"),
    ("🌴", "palm"),
    ("🍁", "maple leaf"),
    ("🌲", "fir"),
    ("🍀", "clover"),
    ("🌷", "tulip"),
    ("🍎", "apple"),
    ("🍋", "lemon"),
    ("🍌", "banana"),
    ("🍇", "grapes"),
    ("🍒", "cherries"),
    ("🍍", "pineapple"),
    ("🥕", "carrot"),
    ("🌽", "corn"),
    ("🍞", "bread"),
    ("🧀", "cheese"),
    ("🥚", "egg"),
    ("🍪", "cookie"),
    ("☕", "cup"),
    ("🔑", "key"),
    ("🔔", "bell"),
    ("⚓", "anchor"),
    ("🎈", "balloon"),
    ("☂️", "umbrella"),
    ("🔨", "hammer"),
    ("✂️", "scissors"),
    ("🕯️", "candle"),
    ("📎", "paper clip"),
    ("✏️", "pencil"),
    ("🎸", "guitar"),
    ("🎺", "trumpet"),
    ("🥁", "drum"),
    ("🎲", "dice"),
    ("🧩", "puzzle piece"),
    ("🚲", "bicycle"),
    ("🚂", "locomotive"),
    ("⛵", "sailing boat"),
    ("🚀", "rocket"),
    ("🚜", "tractor"),
    ("🏠", "house"),
    ("⛺", "tent"),
    ("🌉", "bridge"),
    ("🌙", "moon"),
    ("⚡", "lightning"),
    ("🌈", "rainbow"),
    ("🌋", "volcano"),
];
