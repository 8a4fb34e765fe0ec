//! Tests of the command line, of the configuration file, and of the demo's books.

mod config;
mod tally;
