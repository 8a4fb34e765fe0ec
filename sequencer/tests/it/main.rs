//! The sequencer on a real Postgres.

mod basics;
mod support;
