//! Money goes out: withdrawals on L2, claims on L1.

use super::l1::Call;
use super::report::units;
use super::tally::{ETH, Token};
use super::transfers;
use super::world::{ERC20, GAS_LIMIT, OPERATOR, TOKENS, World};
use alloy::primitives::Address;
use anyhow::Result;
use sheaf_contracts::Sheaf;

/// A thousandth of a token of 18 decimals.
const MILLI: u128 = 1_000_000_000_000_000;

/// Three users withdraw, and the operator its fees of both tokens.
///
/// # Errors
/// If one is refused.
pub async fn withdraw_all(world: &mut World) -> Result<()> {
    let [first, second] = [1, 2].map(|user| world.people[user].l1.address());
    transfers::withdraw(world, 1, ETH, 250 * MILLI, first).await?;
    transfers::withdraw(world, 2, ERC20, 12_345 * MILLI, second).await?;
    let exchange = world.receiver("exchange");
    transfers::withdraw(world, 3, ETH, 75 * MILLI, exchange).await?;
    let treasury = world.receiver("treasury");
    for token in TOKENS {
        let fees = transfers::withdraw_fees(world, token, treasury).await?;
        world.progress.say(&format!("the operator withdraws {} {} of fees", units(fees), world.symbol(token)));
    }
    Ok(())
}

/// One claim on L1.
struct Claim {
    /// Who sends the transaction and pays its gas.
    payer: usize,
    /// Whose money it is.
    owner: Address,
    token: Token,
    /// Where it goes, if the owner sends it elsewhere.
    elsewhere: Option<Address>,
}

/// Claims all that is claimable: for others, for oneself, and to another address; each must pay exactly what the tally says.
///
/// # Errors
/// If L1 refuses one.
pub async fn claim_all(world: &mut World) -> Result<()> {
    let owner = |user: usize| world.people[user].l1.address();
    let (leaver, cold) = (world.leaver(), world.receiver("cold store"));
    let (exchange, treasury) = (world.receiver("exchange"), world.receiver("treasury"));
    let anyone = 2;
    let claim = |payer, owner, token| Claim { payer, owner, token, elsewhere: None };
    let claims = [
        claim(anyone, owner(1), ETH),
        Claim { payer: 2, owner: owner(2), token: ERC20, elsewhere: Some(cold) },
        claim(anyone, exchange, ETH),
        claim(leaver, owner(leaver), ERC20),
        claim(anyone, treasury, ETH),
        claim(anyone, treasury, ERC20),
        claim(anyone, owner(OPERATOR), ETH),
    ];
    let mut exact = true;
    let mut sent = Vec::new();
    for c in &claims {
        exact &= world.l1.claimable(c.owner, c.token).await? == world.tally.claimable(c.owner, c.token);
        let call = match c.elsewhere {
            Some(to) => Call::new(world.l1.contract, &Sheaf::claimToCall { token: c.token, to }, 0, GAS_LIMIT),
            None => Call::new(world.l1.contract, &Sheaf::claimCall { owner: c.owner, token: c.token }, 0, GAS_LIMIT),
        };
        let hash = world.send(c.payer, &call).await?;
        sent.push((c.payer, if c.elsewhere.is_some() { "claimTo" } else { "claim" }, hash));
        world.tally.claim(c.owner, c.token, c.elsewhere.unwrap_or(c.owner));
    }
    for (payer, name, hash) in sent {
        world.succeed(payer, name, hash).await?;
    }
    world.progress.check("what could be claimed is what left", exact, format!("{} claims", claims.len()));
    Ok(())
}
