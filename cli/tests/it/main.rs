//! Tests of the command line, of the configuration file, of keys and deployment, of the wallet, of `sheaf verify`, and of the
//! demo's books.

mod ceremony_keys;
mod commands;
mod config;
mod deploy;
mod keys;
mod plan;
mod tally;
mod verify;
mod wallet;
