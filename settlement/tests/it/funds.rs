//! What the keys have, and for how long it lasts.

use crate::log::Log;
use crate::world::{CREDITOR, OPERATOR, Proof, World, signer, transfer};
use alloy::primitives::U256;
use alloy::providers::Provider;
use sheaf_settlement::funds::Funds;
use sheaf_settlement::{creditor, submitter};

const DAYS: &str = "SELECT string_agg(kind || ' ' || coalesce(floor(days_left)::text, '?'), ', ' ORDER BY kind) FROM l1_keys";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_said_for_how_many_days_each_key_has_funds() {
    let world = World::new().await;
    let senders = [world.sender(OPERATOR, submitter::KIND), world.sender(CREDITOR, creditor::KIND)];
    let mut funds = Funds::new(world.pool.clone(), world.l1.clone(), &senders, 7);
    funds.look().await.expect("looks");
    assert_eq!(world.text(DAYS).await, "credit ?, submit ?", "nothing was spent yet");

    world.store(1, &[transfer(1)], Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    // What it cost is what the key lost.
    let address = signer(OPERATOR).address();
    let funded: U256 = world.text("SELECT balance_wei::text FROM l1_keys WHERE kind = 'submit'").await.parse().expect("a number");
    let left = world.l1.provider.get_balance(address).await.expect("answers");
    let spent: U256 = world.text("SELECT sum(fee_wei)::text FROM l1_transactions").await.parse().expect("a number");
    assert!(spent > U256::ZERO && funded - left == spent, "{funded} - {left} = {spent}");

    // So much in two days, and three times that left: six days.
    world.node("anvil_setBalance", (address, spent * U256::from(3))).await;
    sqlx::query("UPDATE l1_transactions SET sent_at = now() - interval '2 days' - interval '1 minute'")
        .execute(&world.pool)
        .await
        .expect("aged");
    funds.look().await.expect("looks");
    assert_eq!(world.text(DAYS).await, "credit ?, submit 6");
    assert_eq!(
        world.text("SELECT balance_wei::text FROM l1_keys WHERE kind = 'submit'").await,
        (spent * U256::from(3)).to_string()
    );

    // One that sends rarely: this much in a week, however short ago.
    sqlx::query(
        "INSERT INTO l1_transactions (hash, kind, batch, sent_at, fee_wei) SELECT '\\x00', 'submit', 1, now() - interval '9 days', fee_wei
         FROM l1_transactions",
    )
    .execute(&world.pool)
    .await
    .expect("an older one");
    funds.look().await.expect("looks");
    assert_eq!(world.text(DAYS).await, "credit ?, submit 21");

    // What was spent before the last week says nothing.
    sqlx::query("UPDATE l1_transactions SET sent_at = now() - interval '8 days'").execute(&world.pool).await.expect("aged");
    funds.look().await.expect("looks");
    assert_eq!(world.text(DAYS).await, "credit ?, submit ?");
}

#[tokio::test]
async fn funds_that_run_out_are_warned_of_once_until_they_were_filled_up() {
    let world = World::new().await;
    let senders = [world.sender(OPERATOR, submitter::KIND), world.sender(CREDITOR, creditor::KIND)];
    let mut funds = Funds::new(world.pool.clone(), world.l1.clone(), &senders, 7);
    // A million wei in seven days.
    const SPENT: &str = "INSERT INTO l1_transactions (hash, kind, batch, sent_at, fee_wei)
        VALUES ('\\x00', 'submit', 1, now() - interval '8 days', 1), ('\\x01', 'submit', 1, now(), 1000000)";
    sqlx::query(SPENT).execute(&world.pool).await.expect("written");
    let log = Log::start();
    let mut warned = async |wei: u64| {
        world.node("anvil_setBalance", (signer(OPERATOR).address(), U256::from(wei))).await;
        funds.look().await.expect("looks");
        log.lines("this key's funds run out").len()
    };
    assert_eq!(warned(1_000_001).await, 0, "a bit more than seven days");
    assert_eq!(warned(999_999).await, 1);
    assert_eq!((warned(10).await, warned(1_100_000).await, warned(999_999).await), (1, 1, 1), "not again while it is near");
    assert_eq!((warned(1_300_000).await, warned(999_999).await), (1, 2));
    let lines = log.lines("this key's funds run out");
    let address = signer(OPERATOR).address().to_string();
    assert!(lines.iter().all(|l| l.contains("WARN") && l.contains("submit") && l.contains(&address)), "{lines:?}");
}
