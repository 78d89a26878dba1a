//! The door `instance_message` of `signal-server`.
#![no_main]

towline_fuzz::target!("instance_message");
