//! Tests of the command line, of the configuration file, of the wallet, of `sheaf verify`, and of the demo's books.

mod commands;
mod config;
mod keys;
mod plan;
mod tally;
mod verify;
mod wallet;
