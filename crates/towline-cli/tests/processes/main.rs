//! Towline as people run it: real `towline` processes, a real signal server, real disks.
//!
//! Each module is one part of what a person can meet; each test begins with an empty world of its
//! own. Nothing here knows the engine's types: everything is said through the command line and read
//! from its JSON. Nothing sleeps: what must happen is waited for in `status --watch`, with a deadline.

#![cfg(unix)]

#[cfg(target_os = "linux")]
mod process_access;
mod process_api;
mod process_attributes;
mod process_conflicts;
mod process_content;
#[cfg(target_os = "linux")]
mod process_disks;
#[cfg(target_os = "linux")]
mod process_doctor;
#[cfg(target_os = "linux")]
mod process_flood;
#[cfg(target_os = "linux")]
mod process_keyring;
mod process_kill;
mod process_limits;
#[cfg(target_os = "linux")]
mod process_metrics;
mod process_modes;
mod process_moves;
#[cfg(target_os = "linux")]
mod process_names;
#[cfg(target_os = "linux")]
mod process_nearby;
mod process_pairing;
#[cfg(target_os = "linux")]
mod process_people;
#[cfg(target_os = "linux")]
mod process_power;
#[cfg(target_os = "linux")]
mod process_reach;
#[cfg(target_os = "linux")]
mod process_relay;
mod process_roots;
mod process_rules;
mod process_server;
mod process_servers;
#[cfg(target_os = "linux")]
mod process_service;
mod process_stop;
mod process_store;
mod process_sync;
mod process_trust;
mod process_twins;
mod process_update;
mod process_versions;
#[cfg(target_os = "linux")]
mod process_wire;
mod support;
