//! Systems on which services are not made yet.

use std::path::PathBuf;

use super::{Found, Installed, Plan, Reach};
use crate::output::Failure;

pub(super) fn install(_plan: &Plan) -> Result<Installed, Failure> {
    Err(not_yet())
}

pub(super) fn remove(_reach: Reach) -> Result<Found, Failure> {
    Err(not_yet())
}

pub(super) fn look(_reach: Reach) -> Result<Found, Failure> {
    Err(not_yet())
}

pub(super) fn usual_owner() -> Option<String> {
    None
}

pub(super) fn home_of(_user: &str) -> Result<PathBuf, Failure> {
    Err(not_yet())
}

fn not_yet() -> Failure {
    Failure::new(
        "no_services",
        "services are not made on this system yet; let what starts programs here run `towline up`"
            .to_owned(),
    )
}
