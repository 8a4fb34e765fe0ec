//! The commands, each a few calls of [`super::ops`] and what it prints.

mod balance;
mod from_l1;
mod keys;
mod payments;
mod receipts;
mod status;

use super::args::{Command, Options, WalletArgs};
use super::identity::Identity;
use super::ops::Wallet;
use super::receipts::Book;
use super::{WalletError, keystore};
use sheaf_api::client::Client;
use std::time::Duration;

pub(super) async fn dispatch(args: WalletArgs) -> Result<(), WalletError> {
    let WalletArgs { options, command } = args;
    match command {
        Command::New { import } => keys::new(&options, import.as_deref()),
        Command::Address => keys::address(&options),
        Command::Deposit { amount, token, to, no_wait } => {
            from_l1::deposit(&options, &amount, &token, to.as_deref(), no_wait).await
        }
        Command::SetKey { account, new_key_number, no_wait } => {
            from_l1::set_key(&options, account, new_key_number, no_wait).await
        }
        Command::Exit { account, token, no_wait } => from_l1::exit(&options, account, &token, no_wait).await,
        Command::Transfer { amount, to, payment } => payments::transfer(&options, &amount, &to, &payment).await,
        Command::Withdraw { amount, to, payment } => payments::withdraw(&options, &amount, to.as_deref(), &payment).await,
        Command::Claim { token, to } => balance::claim(&options, token.as_deref(), to.as_deref()).await,
        Command::Balance => balance::balance(&options).await,
        Command::Receipt { command } => receipts::dispatch(&options, &command).await,
        Command::Status { hash, follow } => status::status(&options, &hash, follow).await,
    }
}

impl Options {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Decrypts the keys.
    fn identity(&self) -> Result<Identity, WalletError> {
        let password = keystore::password(self.password_file.as_deref(), false)?;
        Identity::new(keystore::open(&self.keystore, &password)?, self.key_number)
    }

    /// Decrypts the keys and asks the API what it is.
    async fn wallet(&self) -> Result<Wallet, WalletError> {
        let wallet = Wallet::open(self.identity()?, Client::new(&self.api)).await?;
        self.meet_operator(&wallet.info)?;
        Ok(wallet)
    }

    /// The files beside the keystore.
    fn book(&self) -> Book {
        Book::beside(&self.keystore)
    }
}
