//! `towline identity new`: one of two computers with one key becomes a device of its own.

use std::path::Path;

use serde::Serialize;
use towline_engine::renew_identity;

use super::peers::short;
use crate::output::{Failure, Output};

/// What a script gets.
#[derive(Debug, Serialize)]
struct Renewed {
    id: String,
}

pub(crate) async fn renew(home: &Path, output: &Output) -> Result<(), Failure> {
    let id = renew_identity(home)
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let renewed = Renewed { id };
    output.say(&renewed, || {
        format!(
            "This computer is a new device now ({}). Start it, pair it with each peer, and let a peer invite it to each folder; what lies in them is kept.",
            short(&renewed.id)
        )
    });
    Ok(())
}
