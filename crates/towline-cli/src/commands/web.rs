//! `towline web`: a link that opens the running device in a browser.

use std::path::Path;

use serde::Serialize;
use towline_engine::LocalClient;

use crate::output::{Failure, Output};

/// What a script gets.
#[derive(Serialize)]
struct Made {
    link: String,
}

pub(crate) async fn run(home: &Path, output: &Output) -> Result<(), Failure> {
    let link = LocalClient::connect(home).await?.link().await?;
    let made = Made { link };
    output.say(&made, || {
        format!(
            "{}\nOpen it in a browser on this computer. It is good once, for five minutes, and whoever opens it may do all that you may.",
            made.link
        )
    });
    Ok(())
}
