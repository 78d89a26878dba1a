//! What happens with updates, decided without doing any of it.
//!
//! States: `Off` (nobody is asked), `Idle`, `Checking`, `Available` (waits for its person), `Downloading`, `Ready` (is
//! installed when the app is closed), `Installing` (the device ends first), `Failed`. What comes from outside is an
//! [`Input`], what must be done an [`Effect`]. A release that is being fetched or installed is not
//! exchanged for another one, and what was found is not forgotten because the next question fails.

use serde::{Deserialize, Serialize};
use towline_engine::updates::{Asking, Found};

/// Where updates stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// Nobody is asked.
    Off {
        /// Why.
        why: OffWhy,
    },
    /// Nothing is newer, as far as anybody has said.
    Idle,
    /// The publisher is being asked.
    Checking,
    /// There is a newer release.
    Available {
        /// Which.
        found: Found,
    },
    /// It is being fetched.
    Downloading {
        /// Which.
        found: Found,
        /// When it is installed.
        when: When,
        /// How much of it is here.
        got_bytes: u64,
        /// How much it has, when its publisher says so.
        total_bytes: Option<u64>,
    },
    /// It is here, and is installed when the app is closed.
    Ready {
        /// Which.
        found: Found,
    },
    /// The device ends, and then it is installed.
    Installing {
        /// Which.
        found: Found,
    },
    /// Something went wrong.
    Failed {
        /// What, as a code.
        code: &'static str,
        /// The release that it went wrong with.
        found: Option<Found>,
    },
}

/// Why nobody is asked for updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OffWhy {
    /// This build has no publisher.
    Development,
    /// The policy, or the device's own file, says so.
    Rule,
    /// The file that would say it cannot be read.
    Unreadable,
    /// The device stays within the local network.
    LocalNetwork,
    /// Nobody knows yet how far it goes.
    Starting,
}

/// When an update is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// At once; the app starts again.
    Now,
    /// When its person closes the app.
    Quit,
}

/// What comes from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// Nobody may be asked from now on.
    Forbidden(OffWhy),
    /// The publisher may be asked from now on.
    Allowed,
    /// It is time to ask, or somebody wants to know.
    Due,
    /// The publisher has answered.
    Checked(Result<Option<Found>, &'static str>, Asking),
    /// The person wants it installed.
    Install(When),
    /// A piece has come.
    Progress {
        /// How much is here.
        got_bytes: u64,
        /// How much there is.
        total_bytes: Option<u64>,
    },
    /// It is here and is what its publisher has signed, or not.
    Downloaded(Result<(), &'static str>),
}

/// What must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the publisher.
    Check,
    /// Fetch the release that was found.
    Download,
    /// Forget what was fetched.
    Discard,
    /// End the device, and then install.
    EndDevice,
}

/// Decides.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    /// The newest release that anybody has told of.
    found: Option<Found>,
}

impl Machine {
    /// Begins; nobody may be asked yet.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Off {
                why: OffWhy::Starting,
            },
            found: None,
        }
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes what has come, and says what must be done.
    pub(crate) fn handle(&mut self, input: Input) -> Option<Effect> {
        match input {
            Input::Forbidden(why) => self.forbidden(why),
            Input::Allowed => {
                if matches!(self.state, State::Off { .. }) {
                    self.state = State::Idle;
                }
                None
            }
            Input::Due => match self.state {
                State::Idle | State::Available { .. } | State::Failed { .. } => {
                    self.state = State::Checking;
                    Some(Effect::Check)
                }
                State::Off { .. }
                | State::Checking
                | State::Downloading { .. }
                | State::Ready { .. }
                | State::Installing { .. } => None,
            },
            Input::Checked(answer, asking) => self.checked(answer, asking),
            Input::Install(when) => self.install(when),
            Input::Progress {
                got_bytes: got,
                total_bytes: total,
            } => {
                if let State::Downloading {
                    got_bytes,
                    total_bytes,
                    ..
                } = &mut self.state
                {
                    *got_bytes = got;
                    *total_bytes = total;
                }
                None
            }
            Input::Downloaded(outcome) => self.downloaded(outcome),
        }
    }

    fn forbidden(&mut self, why: OffWhy) -> Option<Effect> {
        match self.state {
            // Its person has said so, and the device is ending already.
            State::Installing { .. } => None,
            State::Off { .. }
            | State::Idle
            | State::Checking
            | State::Available { .. }
            | State::Downloading { .. }
            | State::Ready { .. }
            | State::Failed { .. } => {
                self.state = State::Off { why };
                self.found = None;
                Some(Effect::Discard)
            }
        }
    }

    fn checked(
        &mut self,
        answer: Result<Option<Found>, &'static str>,
        asking: Asking,
    ) -> Option<Effect> {
        if self.state != State::Checking {
            return None;
        }
        match answer {
            Err(code) => {
                let found = self.found.clone();
                self.state = State::Failed { code, found };
                None
            }
            Ok(None) => {
                self.found = None;
                self.state = State::Idle;
                None
            }
            Ok(Some(found)) => {
                self.found = Some(found.clone());
                match asking {
                    Asking::Never => Some(self.begin(found, When::Quit)),
                    Asking::Always => {
                        self.state = State::Available { found };
                        None
                    }
                }
            }
        }
    }

    fn install(&mut self, wanted: When) -> Option<Effect> {
        match &mut self.state {
            State::Available { found }
            | State::Failed {
                found: Some(found), ..
            } => {
                let found = found.clone();
                Some(self.begin(found, wanted))
            }
            State::Downloading { when, .. } => {
                *when = wanted;
                None
            }
            State::Ready { found } => match wanted {
                When::Now => {
                    let found = found.clone();
                    self.state = State::Installing { found };
                    Some(Effect::EndDevice)
                }
                When::Quit => None,
            },
            State::Off { .. }
            | State::Idle
            | State::Checking
            | State::Installing { .. }
            | State::Failed { found: None, .. } => None,
        }
    }

    fn begin(&mut self, found: Found, when: When) -> Effect {
        self.state = State::Downloading {
            found,
            when,
            got_bytes: 0,
            total_bytes: None,
        };
        Effect::Download
    }

    fn downloaded(&mut self, outcome: Result<(), &'static str>) -> Option<Effect> {
        let State::Downloading { found, when, .. } = &self.state else {
            // Forbidden meanwhile.
            return Some(Effect::Discard);
        };
        let (found, when) = (found.clone(), *when);
        match (outcome, when) {
            (Err(code), _) => {
                let found = Some(found);
                self.state = State::Failed { code, found };
                None
            }
            (Ok(()), When::Quit) => {
                self.state = State::Ready { found };
                None
            }
            (Ok(()), When::Now) => {
                self.state = State::Installing { found };
                Some(Effect::EndDevice)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_engine::updates::Version;

    use super::*;

    fn found(minor: u64) -> Found {
        Found {
            version: Version::new(0, minor, 0),
            notes: String::new(),
        }
    }

    /// A machine to which all this has happened, and what it wanted done.
    fn after(inputs: impl IntoIterator<Item = Input>) -> (Machine, Vec<Effect>) {
        let mut machine = Machine::new();
        assert_eq!(machine.handle(Input::Due), None);
        machine.handle(Input::Allowed);
        let effects = inputs.into_iter().filter_map(|input| machine.handle(input));
        let effects = effects.collect();
        (machine, effects)
    }

    fn answer(minor: u64, asking: Asking) -> [Input; 2] {
        [Input::Due, Input::Checked(Ok(Some(found(minor))), asking)]
    }

    #[test]
    fn whoever_wants_to_be_asked_is_asked() {
        let (mut machine, effects) = after(answer(2, Asking::Always));
        assert_eq!(effects, [Effect::Check]);
        assert_eq!(machine.state(), &State::Available { found: found(2) });
        assert_eq!(
            machine.handle(Input::Install(When::Now)),
            Some(Effect::Download)
        );
        let piece = Input::Progress {
            got_bytes: 7,
            total_bytes: Some(9),
        };
        assert_eq!(machine.handle(piece), None);
        assert!(matches!(
            machine.state(),
            State::Downloading { got_bytes: 7, .. }
        ));
        let done = machine.handle(Input::Downloaded(Ok(())));
        assert_eq!(done, Some(Effect::EndDevice));
        assert_eq!(machine.state(), &State::Installing { found: found(2) });
    }

    #[test]
    fn whoever_does_not_has_it_when_the_app_is_closed_or_earlier() {
        let (mut machine, effects) = after(answer(2, Asking::Never));
        assert_eq!(effects, [Effect::Check, Effect::Download]);
        assert_eq!(machine.handle(Input::Downloaded(Ok(()))), None);
        assert_eq!(machine.state(), &State::Ready { found: found(2) });
        assert_eq!(machine.handle(Input::Install(When::Quit)), None);
        let now = machine.handle(Input::Install(When::Now));
        assert_eq!(now, Some(Effect::EndDevice));
    }

    #[test]
    fn one_may_think_anew_while_it_is_fetched() {
        let (mut machine, _) = after(answer(2, Asking::Never));
        assert_eq!(machine.handle(Input::Install(When::Now)), None);
        let done = machine.handle(Input::Downloaded(Ok(())));
        assert_eq!(done, Some(Effect::EndDevice));
    }

    #[test]
    fn what_is_fetched_or_installed_is_not_disturbed_by_another_question() {
        let (mut machine, _) = after(answer(2, Asking::Never));
        assert_eq!(machine.handle(Input::Due), None);
        let late = Input::Checked(Ok(Some(found(3))), Asking::Never);
        assert_eq!(machine.handle(late), None);
        machine.handle(Input::Downloaded(Ok(())));
        assert_eq!(machine.handle(Input::Due), None);
        assert_eq!(machine.state(), &State::Ready { found: found(2) });
    }

    #[test]
    fn what_was_found_outlives_a_question_that_fails() {
        let inputs = answer(2, Asking::Always).into_iter();
        let failed = [
            Input::Due,
            Input::Checked(Err("unreachable"), Asking::Always),
        ];
        let (mut machine, _) = after(inputs.chain(failed));
        let found = Some(found(2));
        let code = "unreachable";
        assert_eq!(machine.state(), &State::Failed { code, found });
        assert_eq!(
            machine.handle(Input::Install(When::Quit)),
            Some(Effect::Download)
        );
    }

    #[test]
    fn a_download_that_breaks_can_be_tried_again() {
        let (mut machine, _) = after(answer(2, Asking::Never));
        assert_eq!(machine.handle(Input::Downloaded(Err("download"))), None);
        assert_eq!(
            machine.handle(Input::Install(When::Now)),
            Some(Effect::Download)
        );
        let (mut machine, _) = after([
            Input::Due,
            Input::Checked(Err("unreachable"), Asking::Never),
        ]);
        assert_eq!(machine.handle(Input::Install(When::Now)), None);
        assert_eq!(machine.handle(Input::Due), Some(Effect::Check));
    }

    #[test]
    fn a_rule_ends_everything_but_what_is_being_installed() {
        let forbidden = || Input::Forbidden(OffWhy::Rule);
        for count in 0..=3 {
            let all = answer(2, Asking::Never).into_iter();
            let inputs = all.chain([Input::Downloaded(Ok(()))]).take(count);
            let (mut machine, _) = after(inputs);
            assert_eq!(machine.handle(forbidden()), Some(Effect::Discard));
            let off = State::Off { why: OffWhy::Rule };
            assert_eq!(machine.state(), &off);
            assert_eq!(machine.handle(Input::Due), None);
            assert_eq!(machine.handle(Input::Install(When::Now)), None);
            // What was on its way comes too late.
            assert_eq!(
                machine.handle(Input::Checked(Ok(Some(found(2))), Asking::Never)),
                None
            );
            assert_eq!(
                machine.handle(Input::Downloaded(Ok(()))),
                Some(Effect::Discard)
            );
            assert_eq!(machine.handle(Input::Allowed), None);
            assert_eq!(machine.state(), &State::Idle);
        }
        let (mut machine, _) = after(answer(2, Asking::Never));
        machine.handle(Input::Install(When::Now));
        machine.handle(Input::Downloaded(Ok(())));
        assert_eq!(machine.handle(forbidden()), None);
        assert_eq!(machine.state(), &State::Installing { found: found(2) });
    }
}
