//! The API over HTTP, on a real Postgres and a real sequencer.

mod bad_input;
mod docs;
mod life;
mod refusals;
mod support;
mod wire;
