//! axum's extractors with our errors: nothing that axum rejects reaches a client as bare text.

use crate::error::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use sheaf_sequencer::body::{self, BodyError};
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

/// The whole body, at most as long as the configuration allows.
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest<Arc<AppState>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let limit = state.config.max_body_bytes;
        body::read(request.into_body(), limit).await.map(Self).map_err(|error| match error {
            BodyError::TooLarge => ApiError::new("body_too_large", format!("a request's body has at most {limit} bytes")),
            BodyError::Broken => ApiError::new("malformed_request", "the body could not be read"),
        })
    }
}
