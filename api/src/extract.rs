//! axum's extractors with our errors: nothing that axum rejects reaches a client as bare text.

use crate::error::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use crate::state::AppState;

/// Path parameters.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<AppState>> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| ApiError::new("malformed_request", error.body_text()))
    }
}

/// Query parameters; unknown ones are for `T` to refuse.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<AppState>> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| ApiError::new("malformed_request", error.body_text()))
    }
}

/// How much of a body that is too large is read and thrown away before the answer: a client that is still sending
/// when the connection closes sees a broken pipe, not the reason.
const DISCARDED_BYTES_MAX: usize = 32 << 20;

/// The whole body, at most as long as the configuration allows.
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest<Arc<AppState>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let limit = state.config.max_body_bytes;
        let mut body = request.into_body();
        let (mut kept, mut total) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ApiError::new("malformed_request", "the body could not be read"))?;
            let Ok(data) = frame.into_data() else { continue };
            total += data.len();
            if total <= limit {
                kept.extend_from_slice(&data);
            } else if total > limit + DISCARDED_BYTES_MAX {
                break;
            }
        }
        if total > limit {
            return Err(ApiError::new("body_too_large", format!("a request's body has at most {limit} bytes")));
        }
        Ok(Self(kept.into()))
    }
}
