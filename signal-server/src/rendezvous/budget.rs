//! Token buckets: how much somebody may still do.
//!
//! A budget is one moment (the generic cell rate algorithm): when it would be full again. A
//! [`Budgets`] map forgets full budgets and never grows beyond its bound; who finds no place in it
//! shares one budget with all others that found none.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Moment;

/// A burst, and how long one token takes to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full budget.
    pub burst: u32,
    /// Time for one token to come back.
    pub refill: Duration,
}

impl Rate {
    /// `per_second` tokens each second, at most `burst` at once.
    pub const fn per_second(per_second: u32, burst: u32) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        Self {
            burst,
            refill: Duration::from_nanos(1_000_000_000 / per_second as u64),
        }
    }

    fn worth(self, tokens: u32) -> Duration {
        self.refill.saturating_mul(tokens)
    }
}

/// What one party has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    full_at: Moment,
}

impl Budget {
    /// Takes tokens, or says how long to wait for them and takes none.
    pub(crate) fn take(&mut self, now: Moment, rate: Rate, tokens: u32) -> Result<(), Duration> {
        let before = *self;
        let debt = self.spend(now, rate, tokens);
        if debt.is_zero() {
            return Ok(());
        }
        *self = before;
        Err(debt)
    }

    /// Takes tokens even when there are too few; returns how long until the debt is paid.
    pub(crate) fn spend(&mut self, now: Moment, rate: Rate, tokens: u32) -> Duration {
        self.full_at = self.full_at.max(now).plus(rate.worth(tokens));
        self.full_at
            .since(now)
            .saturating_sub(rate.worth(rate.burst))
    }

    pub(crate) fn give_back(&mut self, rate: Rate) {
        self.full_at = Moment::after_start(self.full_at.since_start().saturating_sub(rate.refill));
    }

    pub(crate) fn is_full(self, now: Moment) -> bool {
        self.full_at <= now
    }
}

/// One budget per key, bounded.
#[derive(Debug)]
pub(crate) struct Budgets<K> {
    by_key: BTreeMap<K, Budget>,
    shared: Budget,
    keys_max: usize,
}

impl<K> Default for Budgets<K> {
    /// As many as claims may have.
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            shared: Budget::default(),
            keys_max: super::CLAIM_BUDGETS_MAX,
        }
    }
}

impl<K: Ord> Budgets<K> {
    pub(crate) const fn new(keys_max: usize) -> Self {
        Self {
            by_key: BTreeMap::new(),
            shared: Budget {
                full_at: Moment::START,
            },
            keys_max,
        }
    }

    /// Takes one token, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Moment, key: K, rate: Rate) -> Result<(), Duration> {
        if self.by_key.len() >= self.keys_max && !self.by_key.contains_key(&key) {
            return self.shared.take(now, rate, 1);
        }
        self.by_key.entry(key).or_default().take(now, rate, 1)
    }

    pub(crate) fn give_back(&mut self, key: &K, rate: Rate) {
        if let Some(budget) = self.by_key.get_mut(key) {
            budget.give_back(rate);
        }
    }

    /// Forgets full budgets, which say nothing.
    pub(crate) fn sweep(&mut self, now: Moment) {
        self.by_key.retain(|_, budget| !budget.is_full(now));
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 2,
        refill: Duration::from_secs(10),
    };

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_burst_is_spent_and_comes_back() {
        let mut budget = Budget::default();
        assert_eq!(budget.take(at(0), RATE, 1), Ok(()));
        assert_eq!(budget.take(at(0), RATE, 1), Ok(()));
        assert_eq!(budget.take(at(4), RATE, 1), Err(Duration::from_secs(6)));
        assert_eq!(budget.take(at(10), RATE, 1), Ok(()));
        budget.give_back(RATE);
        assert_eq!(budget.take(at(10), RATE, 1), Ok(()));
    }

    #[test]
    fn the_map_is_bounded_and_forgets_the_full() {
        let mut budgets = Budgets::new(2);
        for key in 0..10 {
            let _ = budgets.take(at(0), key, RATE);
        }
        assert_eq!(budgets.len(), 2);
        assert!(
            budgets.take(at(0), 99, RATE).is_err(),
            "the shared budget is spent"
        );
        budgets.sweep(at(20));
        assert_eq!(budgets.len(), 0);
        assert_eq!(budgets.take(at(20), 99, RATE), Ok(()));
    }
}
