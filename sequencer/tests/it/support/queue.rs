//! A queue of L1 that grows all the time, as settlement would write it.

use super::{TOKEN, User, id};
use alloy_primitives::Address;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::l1::queue_preimage;
use sheaf_core::operation::Operation;
use sheaf_core::types::TokenId;
use sqlx::{PgPool, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// People who act on L1 only.
const PASSIVE: u16 = 6;
/// Keys that they change to.
const KEYS: u16 = 8;

fn passive(number: u16, key: u16) -> User {
    User::new(50_000 + number).with_key(51_000 + 10 * number + key)
}

/// The queue, which grows until it is told to stop.
pub(crate) struct Queue {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Queue {
    /// Appends from index `next` on. The first `senders` users have the accounts from 2 on; the last one's balance leaves now
    /// and then.
    pub(crate) fn start(pool: PgPool, next: u64, senders: u16, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, mut feeder) = (stop.clone(), Feeder { rng: ChaCha8Rng::seed_from_u64(seed), pool, senders });
        let task = tokio::spawn(async move {
            let mut index = next;
            while !stopped.load(Ordering::SeqCst) {
                let entry = feeder.entry().await;
                while let Err(error) = feeder.append(index, &entry).await {
                    // The database may be away; the entry may be there or not.
                    tracing::debug!(%error, "not appended");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                index += 1;
                let pause = if index.is_multiple_of(16) { 100 } else { feeder.rng.random_range(2..50) };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            index
        });
        Self { stop, task }
    }

    /// Ends it, and says how many entries there are.
    pub(crate) async fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

struct Feeder {
    rng: ChaCha8Rng,
    pool: PgPool,
    senders: u16,
}

impl Feeder {
    async fn entry(&mut self) -> Operation {
        let token = if self.rng.random_bool(0.5) { TokenId::ETH } else { TOKEN };
        let amount = self.rng.random_range(1..1_000_000);
        let (person, key) = (self.rng.random_range(0..PASSIVE), self.rng.random_range(0..KEYS));
        match self.rng.random_range(0..10) {
            0..3 => User::new(self.rng.random_range(1..=self.senders)).deposit(token, amount),
            3..6 => passive(person, key).deposit(token, amount),
            6 | 7 => {
                let account = id(self.account_of(passive(person, 0).owner).await);
                let owner = passive(person, 0).owner;
                let caller = if self.rng.random_bool(0.2) { Address::repeat_byte(0xEE) } else { owner };
                Operation::SetKey { account, caller, key_hash: passive(person, key).key_hash() }
            }
            _ => {
                let last = u32::from(self.senders) + 1;
                let (account, caller) = match self.rng.random_bool(0.3) {
                    true => (last, User::new(self.senders).owner),
                    false => (self.account_of(passive(person, 0).owner).await, passive(person, 0).owner),
                };
                Operation::ForcedExit { account: id(account), token: token.word(), amount: 0, caller }
            }
        }
    }

    /// Some account of this owner; one that is not there if there is none, or nobody tells.
    async fn account_of(&mut self, owner: Address) -> u32 {
        let query = "SELECT id FROM accounts WHERE owner = $1 ORDER BY random() LIMIT 1";
        let row = sqlx::query(query).bind(owner.to_vec()).fetch_optional(&self.pool).await.ok().flatten();
        row.map_or(200, |row| row.get::<i32, _>("id").cast_unsigned())
    }

    async fn append(&self, index: u64, entry: &Operation) -> Result<(), sqlx::Error> {
        let preimage = queue_preimage(entry).expect("an operation from L1");
        sqlx::query(
            "INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
             VALUES ($1, $2, $3, $4, 0, $3, 1, TRUE) ON CONFLICT DO NOTHING",
        )
        .bind(index as i64)
        .bind(entry.code() as i16)
        .bind(entry.aux1().to_vec())
        .bind(&preimage[..])
        .execute(&self.pool)
        .await?;
        sqlx::query("NOTIFY l1_operations").execute(&self.pool).await.map(drop)
    }
}
