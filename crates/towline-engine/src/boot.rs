//! Which boot of the machine this is: what an earlier one wrote and did not sync may be lost.

/// The name of this boot, which no other one has; `None` where the system has no such name.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Elsewhere any start may be one after a power cut: then what was written last is read once more.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const fn name() -> Option<String> {
    None
}
