//! The API over HTTP, on a real Postgres and a real sequencer.

mod bad_input;
mod docs;
mod health;
mod life;
mod pressure;
mod receipts;
mod refusals;
mod sequencers;
mod stub;
mod support;
mod wire;
