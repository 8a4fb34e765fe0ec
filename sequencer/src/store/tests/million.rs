//! How long a sequencer with a million accounts takes to load, and how much memory.

use super::*;
use std::time::Instant;

const ACCOUNTS: u32 = 1_000_000;

/// Resident memory of this process, MB.
fn resident_mb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096 / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: cargo test -p sheaf-sequencer --lib million -- --ignored --nocapture"]
async fn a_million_accounts_are_loaded_in_time() {
    let database = TestDatabase::create();
    let mut place = Place::new(database.url()).await;
    sqlx::query(
        "INSERT INTO accounts SELECT i, '\\x00'::bytea || substring(sha256(i::text::bytea) FOR 31), substring(sha256((i || 'o')::bytea) FOR 20)
         FROM generate_series(2, $1 + 1) i",
    )
    .bind(ACCOUNTS.cast_signed())
    .execute(&place.pool)
    .await
    .unwrap();
    let word = |account: u32, word: u32, value| words::StateWord { account: id(account), word: word as u8, value };
    for (number, accounts) in (2..ACCOUNTS + 2).collect::<Vec<_>>().chunks(20_000).enumerate() {
        let mut bytes = Vec::new();
        for account in accounts {
            words::pack(&word(*account, NONCE_WORD, 3), &mut bytes);
            words::pack(&word(*account, FIRST_BALANCE_WORD, 1_000_000_000_000_000_000 + u128::from(*account)), &mut bytes);
        }
        let query = "INSERT INTO state_changes (block, words) VALUES ($1, $2)";
        sqlx::query(query).bind(number as i64 + 1).bind(bytes).execute(&place.pool).await.unwrap();
    }
    let folding = Instant::now();
    place.fold().await;
    println!("folded in {:?}", folding.elapsed());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for number in 1..=200 {
        let block = Model::default().block(&mut rng, number + 1_000, 100);
        place.commit(&block).await.unwrap();
    }
    let (before, begun) = (resident_mb(), Instant::now());
    let rules = Engine::rules(&place.config);
    let mut tx = snapshot(&mut place.writer).await.unwrap();
    let loaded = load_state(&mut tx, &rules, place.config.operator(), &|_, _| ()).await.unwrap();
    let state_time = begun.elapsed();
    println!("state in {state_time:?}, {} MB more", resident_mb() - before);
    assert_eq!(loaded.state.balance(id(500_000), token(0)), 1_000_000_000_000_500_000);
    let base = Base::make(BaseWords::load(&mut tx, &loaded.state).await.unwrap(), |_, _| ()).await.unwrap();
    println!("state and tree in {:?}, {} MB more", begun.elapsed(), resident_mb() - before);
    assert_eq!(base.built(), BatchNumber(0));
    assert!(begun.elapsed().as_secs() < 60);
}
