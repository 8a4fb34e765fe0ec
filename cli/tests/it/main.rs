//! Tests of the command line, of the configuration file, of the wallet, and of the demo's books.

mod commands;
mod config;
mod plan;
mod tally;
mod wallet;
