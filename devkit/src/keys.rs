//! Private keys for tests, in files as the services read them.

use crate::paths;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A key that everybody knows: it guards nothing.
const RECEIPT_KEY: &str = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6";

/// The address of [`receipt_key`]'s key.
pub const RECEIPT_SIGNER: &str = "0xa0ee7a142d267c1f36714e4a8f75612f20a79720";

/// Returns a file with a key for a test's sequencer to sign receipts with.
///
/// # Panics
/// When it cannot be written.
pub fn receipt_key() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let make = || -> std::io::Result<PathBuf> {
        let folder = paths::keys();
        paths::create(&folder).map_err(std::io::Error::other)?;
        let unfinished = folder.join(format!("test-receipt.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(RECEIPT_KEY.as_bytes())?;
        // Programs that run at the same time write the same.
        let path = folder.join("test-receipt.key");
        std::fs::rename(&unfinished, &path)?;
        Ok(path)
    };
    FILE.get_or_init(|| make().unwrap_or_else(|error| panic!("writing the tests' receipt key: {error}"))).clone()
}
