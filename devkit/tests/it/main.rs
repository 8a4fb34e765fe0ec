//! The private services, started for real.

mod anvil;
mod postgres;
mod service;
