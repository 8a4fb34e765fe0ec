//! Settlement between a real Postgres and a real L1 node, with the real contract. The proofs are genuine, too: they are
//! made from a key whose trapdoor is known.

mod credit;
mod funds;
mod log;
mod outage;
mod process;
mod proofs;
#[path = "../../../contracts/tests/it/simulator.rs"]
mod simulator;
mod submit;
mod unwinding;
mod watch;
mod world;
