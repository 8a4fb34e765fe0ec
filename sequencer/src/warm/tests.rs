//! What is followed is what would be read.

use super::{Followed, Warm};
use crate::client::Client;
use crate::config::Config;
use crate::store;
use crate::{Environment, Sequencer};
use alloy_primitives::{Address, B256};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::{domain, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target};
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
use sheaf_devkit::postgres::TestDatabase;
use sqlx::PgPool;
use std::time::Duration;

const SEED: u64 = 20_261_121;
const START: u32 = 1_790_000_000;
const CHAIN_ID: u64 = 31_337;
const CONTRACT: Address = Address::repeat_byte(0xCC);
const TOKENS: [TokenId; 2] = [TokenId::ETH, TokenId::new(7).unwrap()];
const ROUNDS: usize = 60;

struct User {
    key: SecretKey,
    pair: Pair,
}

/// Owners with two keys each.
fn users() -> Vec<User> {
    let user = |i: u8| {
        let key = SecretKey::from_seed(&[i + 1; 32]);
        User { pair: Pair { owner: Address::repeat_byte(i / 2 + 1), key_hash: key.public_key().key_hash() }, key }
    };
    (0..8).map(user).collect()
}

fn config(url: &str) -> Config {
    let json = serde_json::json!({
        "database_url": url,
        "listen": "127.0.0.1:0",
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "receipt_key_file": sheaf_devkit::keys::receipt_key(),
        "depth": 6,
        "fee_owner": Address::repeat_byte(0xEE),
        "fee_key_hash": B256::from(field_to_bytes(SecretKey::from_seed(&[0xEE; 32]).public_key().key_hash())),
        "block_ms": 5,
        "batch_timeout_ms": 30,
        "l1_wait_ms": 5,
        "allow_unsafe_durability": true,
    });
    serde_json::from_value(json).unwrap()
}

/// Appends some entry to the queue of L1.
async fn queue(pool: &PgPool, index: i64, users: &[User], rng: &mut ChaCha8Rng) {
    let Pair { owner, key_hash } = users[rng.random_range(0..users.len())].pair;
    let account = AccountId::new(rng.random_range(2..10)).unwrap();
    let token = TOKENS[rng.random_range(0..2)].word();
    let entry = match rng.random_range(0..6) {
        0 => Operation::SetKey { account, caller: owner, key_hash },
        1 => Operation::ForcedExit { account, token, amount: 0, caller: owner },
        _ => Operation::Deposit {
            account: AccountId::new(0).unwrap(),
            token,
            amount: rng.random_range(1..1_000_000),
            owner,
            key_hash,
        },
    };
    let query = "INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
                 VALUES ($1, $2, $3, $4, 0, $3, 1, TRUE)";
    let preimage = queue_preimage(&entry).unwrap();
    let code = entry.code() as i16;
    sqlx::query(query).bind(index).bind(code).bind(entry.aux1().to_vec()).bind(&preimage[..]).execute(pool).await.unwrap();
    sqlx::query("NOTIFY l1_operations").execute(pool).await.unwrap();
}

/// Some transaction that may be executed, as far as `warm` knows.
fn transaction(warm: &Warm, users: &[User], rng: &mut ChaCha8Rng) -> Option<TransactionJson> {
    let from = AccountId::new(rng.random_range(2..10)).unwrap();
    let sender = users.iter().find(|user| user.pair.key_hash == warm.state.key_hash(from))?;
    let target = match rng.random_range(0..4) {
        0 => Target::L1(Address::repeat_byte(0xAA)),
        _ => Target::Account(users[rng.random_range(0..users.len())].pair),
    };
    let payload = Payload {
        from,
        nonce: warm.state.nonce(from),
        expires: START + 3_600,
        token: TOKENS[rng.random_range(0..2)],
        amount: PackedAmount::encode(rng.random_range(0..1_000)).unwrap(),
        fee: PackedFee::encode(rng.random_range(0..10)).unwrap(),
        target,
    };
    Some(TransactionJson::from(&payload.sign(domain(CHAIN_ID, CONTRACT), &sender.key)))
}

/// Compares everything that a state and a tree tell.
fn assert_same(followed: &Warm, read: &Warm, users: &[User]) {
    assert_eq!((followed.block, followed.base.built()), (read.block, read.base.built()));
    assert_eq!(followed.base.root(), read.base.root());
    let words = |warm: &Warm| warm.state.words().nonzero().collect::<Vec<_>>();
    assert_eq!(words(followed), words(read));
    for token in TOKENS {
        assert_eq!(followed.state.supply(token), read.state.supply(token));
    }
    let nobody = Pair { owner: Address::repeat_byte(0x77), key_hash: users[0].pair.key_hash };
    for pair in users.iter().map(|user| user.pair).chain([nobody]) {
        assert_eq!(format!("{:?}", followed.state.resolve(&pair)), format!("{:?}", read.state.resolve(&pair)));
    }
}

/// Waits until nothing is left to do, and takes it in.
async fn settle(warm: &mut Warm, pool: &PgPool, config: &Config) -> Followed {
    let busy = "SELECT count(*) FROM (SELECT FROM batches WHERE (status = 'open' AND op_count > 0)
                    OR (status <> 'open' AND commitment IS NULL)
                UNION ALL SELECT FROM l1_operations WHERE batch IS NULL UNION ALL SELECT FROM replays
                UNION ALL SELECT FROM unwindings WHERE done_at IS NULL) AS work";
    while sqlx::query_scalar::<_, i64>(busy).fetch_one(pool).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    warm.follow(pool, config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_followed_is_what_would_be_read() {
    let database = TestDatabase::create();
    let config = config(database.url());
    let sequencer = Sequencer::start(config.clone(), Environment::system().with_clock(|| START)).await.unwrap();
    let client = Client::new(format!("http://{}", sequencer.address()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(sequencer.run(async {
        let _ = stopped.await;
    }));
    let pool = store::connect(&config.database_url).await.unwrap();
    sqlx::query("INSERT INTO tokens VALUES (7, decode(repeat('11', 20), 'hex'), 'T', 6)").execute(&pool).await.unwrap();
    let (users, mut rng) = (users(), ChaCha8Rng::seed_from_u64(SEED));
    let mut warm = Warm::load(&pool, &config, &|_| ()).await.unwrap();
    for round in 0..ROUNDS {
        queue(&pool, round as i64, &users, &mut rng).await;
        if let Some(transaction) = transaction(&warm, &users, &mut rng) {
            // Some are refused, which is nobody's business here.
            client.submit(vec![transaction], true).await.unwrap();
        }
        assert_ne!(warm.follow(&pool, &config).await.unwrap(), Followed::Stale);
        if round % 20 == 19 {
            assert_eq!(settle(&mut warm, &pool, &config).await, Followed::Current);
            assert_same(&warm, &Warm::load(&pool, &config, &|_| ()).await.unwrap(), &users);
        }
    }
    assert!(warm.block.0 > 20 && warm.base.built().0 > 3, "{warm}");
    let transactions: i64 = sqlx::query_scalar("SELECT count(*) FROM transactions").fetch_one(&pool).await.unwrap();
    assert!(transactions > 10, "seed {SEED}: {transactions} transactions");

    let back = "INSERT INTO unwindings (to_batch, reason) SELECT max(number) - 3, 'a test' FROM batches";
    sqlx::query(back).execute(&pool).await.unwrap();
    sqlx::query("NOTIFY unwindings").execute(&pool).await.unwrap();
    assert_eq!(settle(&mut warm, &pool, &config).await, Followed::Stale, "work was taken back");
    let warm = warm.catch_up(&pool, &config, &|_| ()).await.unwrap();
    assert_same(&warm, &Warm::load(&pool, &config, &|_| ()).await.unwrap(), &users);
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
