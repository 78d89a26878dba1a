//! Writes the TypeScript types of everything that shells see: `gen_types DIRECTORY`.

use std::process::ExitCode;

use towline_engine::view::{AnswerView, CommandView, View, ViewError};
use ts_rs::{Config, ExportError, TS};

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: gen_types DIRECTORY");
        return ExitCode::FAILURE;
    };
    let config = Config::new().with_out_dir(std::path::PathBuf::from(directory));
    match export(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write types: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Each call also writes the types that the named one is made of.
fn export(config: &Config) -> Result<(), ExportError> {
    View::export_all(config)?;
    CommandView::export_all(config)?;
    AnswerView::export_all(config)?;
    ViewError::export_all(config)
}
