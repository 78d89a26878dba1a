//! The door `store_answer` of `signal-server`.
#![no_main]

towline_fuzz::target!("store_answer");
