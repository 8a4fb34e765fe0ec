//! Everything that can be executed, in an order that a seed decides.

use crate::support::{START, TOKEN, User, World, eventually, id, operator, sign, two_shapes};
use alloy_primitives::Address;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Payload, Target};
use sheaf_core::types::{TokenId, field_to_bytes};
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{Config, store};
use sqlx::Row;
use std::collections::BTreeMap;

/// Small batches and blocks, so that few operations make many of them.
pub(super) fn configure(config: &mut Config) {
    config.depth = 6;
    config.shapes = two_shapes(3, 5);
    config.limits.block_operations_max = 4;
    // Those that are killed did not resign: their successors wait for a part of this.
    config.takeover_after_ms = 500;
}

/// Expiries after the start: some are over when the clock has moved by [`LATER_S`].
const EXPIRIES_S: [u32; 2] = [3_600, 80_000];
/// By how much the clock moves where it does.
pub(super) const LATER_S: u32 = 7_200;

/// Who acts, and how far it is.
pub(super) struct Mix {
    rng: ChaCha8Rng,
    people: Vec<User>,
    next_person: u16,
    executed: usize,
}

impl Mix {
    pub(super) fn new(seed: u64) -> Self {
        println!("seed {seed}");
        let people = (1..=4).map(User::new).chain([operator()]).collect();
        Self { rng: ChaCha8Rng::seed_from_u64(seed), people, next_person: 5, executed: 0 }
    }

    /// Executes so many operations, one after the other.
    pub(super) async fn run(&mut self, world: &mut World, count: usize) {
        let until = self.executed + count;
        while self.executed < until {
            match self.rng.random_range(0..20) {
                0..5 => self.deposit(world).await,
                5 => self.set_key(world).await,
                6 => self.exit(world).await,
                _ => self.send(world).await,
            }
        }
    }

    async fn apply(&mut self, world: &mut World, entry: &Operation) {
        world.apply(entry).await;
        self.executed += 1;
    }

    async fn deposit(&mut self, world: &mut World) {
        let person = self.people.choose(&mut self.rng).unwrap().clone();
        let (token, amount) = (self.token(), self.rng.random_range(1..1_000_000_000));
        self.apply(world, &person.deposit(token, amount)).await;
    }

    fn token(&mut self) -> TokenId {
        if self.rng.random_bool(0.7) { TokenId::ETH } else { TOKEN }
    }

    async fn set_key(&mut self, world: &mut World) {
        let Some((account, person)) = self.anybody(world).await else { return };
        let other = person.with_key(1_000 + self.next_person);
        self.next_person += 1;
        // Now and then somebody tries it with another's account.
        let caller = if self.rng.random_bool(0.2) { Address::repeat_byte(0xEE) } else { person.owner };
        self.people.push(other.clone());
        self.apply(world, &Operation::SetKey { account: id(account), caller, key_hash: other.key_hash() }).await;
    }

    async fn exit(&mut self, world: &mut World) {
        let Some((account, person)) = self.anybody(world).await else { return };
        let token = self.token().word();
        self.apply(world, &Operation::ForcedExit { account: id(account), token, amount: 0, caller: person.owner }).await;
    }

    /// Sends a transaction that may be too dear for its sender.
    async fn send(&mut self, world: &World) {
        let Some((account, person)) = self.anybody(world).await else { return };
        let token = self.token();
        let holdings = store::Balances::default().read(&world.pool, &[id(account)]).await.unwrap().remove(0);
        let balance = holdings.balances.get(&token).copied().unwrap_or(0);
        let target = match self.rng.random_range(0..10) {
            0 => Target::L1(Address::repeat_byte(0xBB)),
            1 | 2 => {
                self.next_person += 1;
                self.people.push(User::new(self.next_person));
                Target::Account(self.people.last().unwrap().pair())
            }
            _ => Target::Account(self.people.choose(&mut self.rng).unwrap().pair()),
        };
        let payload = Payload {
            from: id(account),
            nonce: holdings.nonce,
            expires: START + EXPIRIES_S[usize::from(self.rng.random_bool(0.8))],
            token,
            amount: PackedAmount::encode(balance / self.rng.random_range(1..4)).unwrap_or(PackedAmount::encode(1).unwrap()),
            fee: PackedFee::encode(if token == TokenId::ETH { 50 } else { 0 }).unwrap(),
            target,
        };
        match world.submit(&sign(payload, &person)).await {
            SubmitResult::Executed { .. } => self.executed += 1,
            SubmitResult::Rejected { .. } => {}
            SubmitResult::Pending { .. } => panic!("it waits for the block"),
        }
    }

    /// Somebody who has an account now.
    async fn anybody(&mut self, world: &World) -> Option<(u32, User)> {
        let rows = sqlx::query("SELECT id, key_hash, owner FROM accounts ORDER BY id").fetch_all(&world.pool).await.unwrap();
        let of_pair: BTreeMap<_, _> =
            self.people.iter().map(|p| ((p.owner.to_vec(), field_to_bytes(p.key_hash()).to_vec()), p)).collect();
        let holders: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row.get::<i32, _>("id") as u32, *of_pair.get(&(row.get("owner"), row.get("key_hash")))?)))
            .collect();
        holders.choose(&mut self.rng).map(|(account, person)| (*account, (*person).clone()))
    }
}

/// What must be the same after an unwinding when nothing was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Every word of the state that is not zero.
    words: BTreeMap<u32, String>,
    /// Accounts and retired pairs, as SQL shows them.
    rows: String,
    /// Transactions by hash and entries of the L1 queue by index, as they were executed.
    pub(super) order: Vec<String>,
}

const ORDER: &str = "
    SELECT name FROM (SELECT encode(hash, 'hex') AS name, batch, position FROM transactions
                      UNION ALL SELECT 'entry ' || index, batch, position FROM l1_operations WHERE batch IS NOT NULL) AS executed
    ORDER BY batch, position";
const ROWS: &str = "
    SELECT string_agg(row, ', ' ORDER BY row) FROM
        (SELECT 'account ' || id || ' ' || encode(owner, 'hex') || encode(key_hash, 'hex') AS row FROM accounts
         UNION ALL SELECT 'retired ' || encode(owner, 'hex') || encode(key_hash, 'hex') FROM retired_pairs) AS rows";

impl Picture {
    pub(super) async fn of(world: &World) -> Self {
        let geometry = sheaf_core::geometry::Geometry::new(world.config.depth);
        let words = store::load_words(&mut world.pool.acquire().await.unwrap(), geometry).await.unwrap();
        Self {
            words: words.into_iter().map(|(address, word)| (address, word.to_string())).collect(),
            rows: sqlx::query_scalar::<_, Option<String>>(ROWS).fetch_one(&world.pool).await.unwrap().unwrap_or_default(),
            order: sqlx::query_scalar(ORDER).fetch_all(&world.pool).await.unwrap(),
        }
    }
}

/// Asks for an unwinding, as settlement does.
pub(super) async fn request(world: &World, to_batch: i64) {
    let query = "INSERT INTO unwindings (to_batch, reason) VALUES ($1, 'a test')";
    sqlx::query(query).bind(to_batch).execute(&world.pool).await.unwrap();
    sqlx::query("NOTIFY unwindings").execute(&world.pool).await.unwrap();
}

/// Waits until a request is carried out and everything is replayed.
pub(super) async fn replayed(world: &World) {
    eventually("everything is replayed", || async {
        let waiting = "SELECT (SELECT count(*) FROM unwindings WHERE done_at IS NULL) + (SELECT count(*) FROM replays)";
        (world.count(waiting).await == 0).then_some(())
    })
    .await;
}
