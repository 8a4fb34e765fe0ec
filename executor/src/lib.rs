//! Executes operations on a memory of words, in parallel or in one loop, with exactly the same result.
//!
//! ```text
//!  jobs ──▶ window ──▶ plan ─────────▶ run ────────────▶ fold ──────────────▶ patch ──▶ outcome
//!           (1,024)    who waits       slot::apply,       deferred credits,    old and    (ports or refusal
//!                      for whom        any core, any      by account, in       new of      of each job)
//!                                      allowed order      operation order      credits
//! ```
//!
//! Every operation names its accounts, so nothing is speculated: the plan says which earlier operations an
//! operation waits for, as in Calvin (Thomson et al., SIGMOD 2012) and BOHM (Faleiro and Abadi, VLDB 2015).
//! Paying an account commutes with paying it again. Such a credit waits for nothing and is *deferred*: it is added
//! when somebody next needs the account for itself, or at the end of the window. A hot receiver, and the
//! account that all fees go to, therefore slow nobody down.
//!
//! Start at [`Executor::execute`]. [`schedule`] knows nothing of operations and is model-checked (`--features loom`).

mod access;
mod executor;
#[cfg(test)]
mod measure;
mod outcome;
mod pace;
mod parallel;
mod plan;
pub mod schedule;
mod sync;
mod table;
mod view;
mod words;

pub use executor::{Choice, Executor, Job, WINDOW};
pub use outcome::{Outcome, Path, Statistics};
pub use words::Words;
