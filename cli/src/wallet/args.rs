//! The command line of `sheaf wallet`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// A person's keys, and what they do with them.
#[derive(Args, Clone, Debug)]
pub struct WalletArgs {
    /// What all commands take.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands take.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The file that keeps the L1 key, encrypted.
    #[arg(long, global = true, env = "SHEAF_KEYSTORE", default_value = "sheaf-wallet.json", value_name = "FILE")]
    pub keystore: PathBuf,
    /// A file whose content is the keystore's password; without it the terminal is asked.
    #[arg(long, global = true, env = super::keystore::PASSWORD_FILE_VARIABLE, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The API.
    #[arg(long, global = true, env = "SHEAF_API", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub api: String,
    /// The JSON-RPC of an L1 node.
    #[arg(long, global = true, env = "SHEAF_L1", default_value = "http://127.0.0.1:8545", value_name = "URL")]
    pub l1: String,
    /// Which of the L2 keys that belong to the L1 key; above 0 after a key change.
    #[arg(long, global = true, env = "SHEAF_KEY_NUMBER", default_value_t = 0, value_name = "NUMBER")]
    pub key_number: u32,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Seconds to wait at most for something to happen.
    #[arg(long, global = true, default_value_t = 900, value_name = "SECONDS")]
    pub timeout: u64,
}

/// What the wallet can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Make a keystore with a fresh key.
    New {
        /// Take the L1 key (0x and 64 hex digits) from this file instead of making one.
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Print the address to be paid at.
    Address,
    /// Bring a token from L1 to L2.
    Deposit {
        /// How much, in whole tokens: 1.5
        amount: String,
        /// Number, symbol or address of the token.
        #[arg(long, default_value = "ETH")]
        token: String,
        /// Who gets it, a sheaf: address; by default this wallet.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Return as soon as L1 has it, before it is credited.
        #[arg(long)]
        no_wait: bool,
    },
    /// Pay somebody on L2.
    Transfer {
        /// How much, in whole tokens: 1.5
        amount: String,
        /// Who gets it, a sheaf: address.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// What is paid with, and how.
        #[command(flatten)]
        payment: PaymentArgs,
    },
    /// Send a token from L2 to an L1 address.
    Withdraw {
        /// How much, in whole tokens: 1.5
        amount: String,
        /// The L1 address; by default this wallet's.
        #[arg(long, value_name = "0x…")]
        to: Option<String>,
        /// What is paid with, and how.
        #[command(flatten)]
        payment: PaymentArgs,
    },
    /// Take on L1 what was withdrawn.
    Claim {
        /// Only this token; by default all that can be claimed.
        #[arg(long)]
        token: Option<String>,
        /// Pay it to this L1 address instead of the wallet's own.
        #[arg(long, value_name = "0x…")]
        to: Option<String>,
    },
    /// Show what the wallet has, on L2, claimable, and on L1.
    Balance,
    /// Show how far a transaction, or an L1 transaction of the queue, has come.
    Status {
        /// Its hash.
        hash: String,
        /// Wait until it is settled.
        #[arg(long)]
        follow: bool,
    },
    /// The operator's signed promises.
    Receipt {
        /// What to do with them.
        #[command(subcommand)]
        command: ReceiptCommand,
    },
    /// Replace an account's L2 key, through L1; afterwards use the new --key-number.
    SetKey {
        /// The account.
        #[arg(long)]
        account: u32,
        /// Number of the new key.
        #[arg(long, value_name = "NUMBER")]
        new_key_number: u32,
        /// Return as soon as L1 has it, before it is applied.
        #[arg(long)]
        no_wait: bool,
    },
    /// Make an account's whole balance of a token leave to L1, through L1.
    Exit {
        /// The account.
        #[arg(long)]
        account: u32,
        /// Number, symbol or address of the token.
        #[arg(long, default_value = "ETH")]
        token: String,
        /// Return as soon as L1 has it, before it is applied.
        #[arg(long)]
        no_wait: bool,
    },
}

/// What can be done with receipts.
#[derive(Subcommand, Clone, Debug)]
pub enum ReceiptCommand {
    /// Verify what the operator promised of a transaction; what was kept is verified without asking anybody.
    Verify {
        /// The transaction's hash.
        hash: String,
    },
    /// Accept whoever signs receipts now as the operator.
    Trust,
}

/// What a transfer and a withdrawal are paid with.
#[derive(Args, Clone, Debug)]
pub struct PaymentArgs {
    /// Number, symbol or address of the token.
    #[arg(long, default_value = "ETH")]
    pub token: String,
    /// The fee in whole tokens; by default the least that is taken.
    #[arg(long)]
    pub fee: Option<String>,
    /// The paying account; by default the first of the wallet's that can.
    #[arg(long, value_name = "ACCOUNT")]
    pub from: Option<u32>,
}
