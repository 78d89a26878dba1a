//! Who knows whom, and who shares the folder with whom.

use crate::dice::Dice;

/// Two devices that are peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The one that comes first in the world. It takes part in the folder before the other does.
    pub(crate) one: usize,
    pub(crate) other: usize,
    shares: Shares,
}

/// Whether two peers share the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shares {
    /// They do.
    Folder,
    /// They are peers and no more.
    Nothing,
}

impl Edge {
    pub(crate) fn is_shared(&self) -> bool {
        self.shares == Shares::Folder
    }

    pub(crate) fn joins(&self, one: usize, other: usize) -> bool {
        self.both_ways().contains(&(one, other))
    }

    pub(crate) const fn both_ways(&self) -> [(usize, usize); 2] {
        [(self.one, self.other), (self.other, self.one)]
    }

    /// The other end, seen from a seat.
    pub(crate) fn from(&self, seat: usize) -> Option<usize> {
        let mut ways = self.both_ways().into_iter();
        ways.find_map(|(from, to)| (from == seat).then_some(to))
    }
}

/// What a world's graph of shared edges looks like before more edges come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Star,
    Row,
    Tree,
}

/// Draws how many devices a world has.
pub(crate) fn devices(dice: &mut Dice) -> usize {
    match dice.below(100) {
        0..42 => 2,
        42..76 => 3,
        76..91 => 4,
        _ => 5,
    }
}

/// Draws who is whose peer. The folder reaches everybody; some know each other and do not share it.
pub(crate) fn drawn(dice: &mut Dice, devices: usize) -> Vec<Edge> {
    let frame = match dice.below(3) {
        0 => Frame::Star,
        1 => Frame::Row,
        _ => Frame::Tree,
    };
    let mut edges = Vec::new();
    for other in 1..devices {
        let one = match frame {
            Frame::Star => 0,
            Frame::Row => other - 1,
            Frame::Tree => dice.below(other),
        };
        edges.push(Edge {
            one,
            other,
            shares: Shares::Folder,
        });
    }
    let more = dice.below(101);
    for other in 1..devices {
        for one in 0..other {
            let is_new = !edges.iter().any(|edge: &Edge| edge.joins(one, other));
            if is_new && dice.chance(more) {
                let shares = if dice.chance(70) {
                    Shares::Folder
                } else {
                    Shares::Nothing
                };
                edges.push(Edge { one, other, shares });
            }
        }
    }
    edges
}
