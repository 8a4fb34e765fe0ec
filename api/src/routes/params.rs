//! Parameters in paths and queries.

use crate::error::ApiError;
use std::str::FromStr;

/// Rows of a page, unless the client asks for fewer or more.
const DEFAULT_LIMIT: u32 = 100;
/// Rows of a page at most.
pub(crate) const MAX_LIMIT: u32 = 1000;

/// Rows to answer with.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(ApiError::new("malformed_request", format!("limit is 1 to {MAX_LIMIT}, not {other}"))),
    }
}

/// A number in a path.
pub(crate) fn number<T: FromStr>(text: &str, name: &str) -> Result<T, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| ApiError::new("malformed_request", format!("{name} is not a number in range: {text:?}")))
}
