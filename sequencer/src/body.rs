//! Reading the body of an HTTP request, up to a limit.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;

/// How much of a body that is too large is read and thrown away before the answer: a client that is still sending
/// when the connection closes sees a broken pipe, not the reason.
const DISCARDED_BYTES_MAX: usize = 32 << 20;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke, or the body is not framed as HTTP says.
    #[error("the body could not be read")]
    Broken,
}

/// Reads a body of at most `limit` bytes. A longer one is not kept, but read on to a bound, so that its sender can be
/// told.
///
/// # Errors
/// [`BodyError`].
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let (mut kept, mut total) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        total += data.len();
        if total <= limit {
            kept.extend_from_slice(&data);
        } else if total > limit + DISCARDED_BYTES_MAX {
            break;
        }
    }
    if total <= limit { Ok(kept.into()) } else { Err(BodyError::TooLarge) }
}
