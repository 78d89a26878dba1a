//! `towline-signal`: the signal server as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    signal_server::program::run(std::env::args_os())
}
