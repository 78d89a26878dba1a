//! `towline-app`: Towline in a window.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

use clap::Parser;
use towline_app::Arguments;

fn main() -> ExitCode {
    towline_engine::let_heaps_breathe();
    match towline_app::run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("towline-app: {error}");
            ExitCode::FAILURE
        }
    }
}
