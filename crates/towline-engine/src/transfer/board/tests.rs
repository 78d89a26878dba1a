//! The board: who gets which want, and what becomes of wants that are owed.

use towline_wire::ids::ContentHash;

use super::*;

struct Wanted {
    len: u32,
    refused: BTreeSet<DeviceId>,
}

impl Want for Wanted {
    fn request(&self) -> Request {
        Request::File {
            hash: ContentHash::from_bytes([self.len.to_le_bytes()[0]; 32]),
        }
    }

    fn len(&self) -> u32 {
        self.len
    }

    fn may_have(&self, source: DeviceId) -> bool {
        !self.refused.contains(&source)
    }

    fn refused_by(&mut self, source: DeviceId) -> Reach {
        self.refused.insert(source);
        Reach::ThisWant
    }
}

const fn source(number: u8) -> DeviceId {
    DeviceId::from_public_key([number; 32])
}

fn board(lens: impl IntoIterator<Item = u32>) -> Board<Wanted> {
    let refused = BTreeSet::new;
    Board::of(lens.into_iter().map(|len| Wanted {
        len,
        refused: refused(),
    }))
}

fn take_all(seat: &Seat<'_, Wanted>) -> Vec<u32> {
    std::iter::from_fn(|| seat.take().map(|(_, len)| len)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_lane_owes_goes_to_the_others_in_front() {
    let board = board([1, 2, 3]);
    let dying = board.join(source(1));
    let living = board.join(source(2));
    assert_eq!(dying.take().map(|(_, len)| len), Some(1));
    assert_eq!(dying.take().map(|(_, len)| len), Some(2));
    drop(dying);
    assert_eq!(take_all(&living), [1, 2, 3]);
    for len in 1..=3 {
        assert_eq!(living.arrived().map(|want| want.len), Some(len));
    }
    assert_eq!(living.prospect(), Prospect::Never);
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_source_owes_is_asked_of_an_idle_one_and_the_first_answer_counts() {
    let board = board([1000, 1001]);
    let silent = board.join(source(1));
    let idle = board.join(source(2));
    assert_eq!(take_all(&silent), [1000, 1001]);
    assert_eq!(idle.prospect(), Prospect::Later);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(idle.prospect(), Prospect::Now);
    // The last is the latest; each is asked of a second source only once.
    assert_eq!(take_all(&idle), [1001, 1000]);
    assert_eq!(board.join(source(3)).take(), None);
    assert!(idle.arrived().is_some() && idle.arrived().is_some());
    assert!(silent.is_void());
    assert!(silent.arrived().is_none() && silent.arrived().is_none());
    assert_eq!(silent.prospect(), Prospect::Never);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_the_same_speed_is_not_robbed() {
    let board = board([100_000; 12]);
    let (left, right) = (board.join(source(1)), board.join(source(2)));
    for _ in 0..5 {
        for seat in [&left, &right] {
            assert!(seat.take().is_some());
        }
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(left.arrived().is_some() && right.arrived().is_some());
    }
    assert_eq!(take_all(&right).len(), 2);
    tokio::time::advance(Duration::from_millis(100)).await;
    assert_eq!(left.take(), None, "the other is about to give it");
}

#[tokio::test(start_paused = true)]
async fn a_window_follows_the_speed_beside_others_only() {
    let wants = || board([64 * 1024; 1000]);
    let alone = wants();
    assert_eq!(take_all(&alone.join(source(1))).len(), 128);
    let shared = wants();
    let slow = shared.join(source(1));
    let _other = shared.join(source(2));
    assert_eq!(take_all(&slow).len(), 16);
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..16 {
        assert!(slow.arrived().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(take_all(&slow).len(), 1, "it gives one in a second");
}

#[tokio::test(start_paused = true)]
async fn what_every_source_refuses_is_left() {
    let board = board([1]);
    for number in 1..=2 {
        let seat = board.join(source(number));
        assert!(seat.take().is_some());
        seat.gone();
        assert_eq!(seat.prospect(), Prospect::Never);
    }
    assert_eq!(board.take_rest().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_board_is_waited_for() {
    let board = Board::<Wanted>::new();
    let seat = board.join(source(1));
    assert_eq!(seat.prospect(), Prospect::Later);
    board.close();
    assert_eq!(seat.prospect(), Prospect::Never);
}
