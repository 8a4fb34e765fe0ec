//! The JSON that the API answers with. The server writes it, [`crate::client::Client`] reads it.
//!
//! Amounts are decimal strings in the token's smallest unit; hashes, addresses and field elements hex
//! with `0x`; times unix seconds.

mod account;
mod batch;
mod health;
mod info;
mod life;
mod operation;

pub use account::{Account, Accounts, Balance};
pub use batch::{Batch, BatchSummary, Batches};
pub use health::{Database, Health, KeyHealth, L1Health, Sequencer, Waiting};
pub use info::{Info, Limits, MinimumFee, OpenBatch, Token, Tokens};
pub use life::{
    Executed, L1Operation, L1Operations, Status, SubmitResult, SubmitResults, Submitted, TakenBack, Transaction, Withdrawal,
    WithdrawalRef, Withdrawals,
};
pub use operation::Operation;
