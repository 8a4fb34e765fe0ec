//! Users who send all the time, whatever happens to the sequencer, and remember what they were told.
//!
//! Each sends transfers, creations and withdrawals of two tokens, alone and many at once, in the order of their nonces and in
//! others, replaces some, and tries what must be refused. What is not answered is sent again.

use super::{CHAIN_ID, CONTRACT, START, TOKEN, User, World, json, sign, transfer, withdraw};
use alloy_primitives::{Address, B256};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::amount::PackedFee;
use sheaf_core::l1::domain;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{TokenId, field_to_bytes};
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// A frozen sequencer does not even close the connection.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// After the last kill, everything that is sent is executed within this time.
const END_TIME_MAX: Duration = Duration::from_secs(60);
const FUNDS: u128 = 1_000_000_000_000;
/// New accounts that one sender may create.
const CREATIONS_MAX: u16 = 20;

/// Where a transaction was said to be: block, batch, position.
pub(crate) type Place = (u64, u64, u32);

/// Who may be sent to, and what all together have done.
#[derive(Default)]
pub(crate) struct Board {
    clients: RwLock<Vec<Client>>,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    pub(crate) signer: RwLock<Address>,
}

impl Board {
    /// From now on these are sent to.
    pub(crate) fn show(&self, clients: &[&Client]) {
        *self.clients.write().unwrap() = clients.iter().map(|client| (*client).clone()).collect();
    }

    /// Acknowledgements so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// One user.
pub(crate) struct Sender {
    rng: ChaCha8Rng,
    board: Arc<Board>,
    /// Which of those who may lead is sent to; another one after each that does not answer.
    at: usize,
    user: User,
    pub(crate) account: u32,
    others: Vec<User>,
    /// Whether its balance leaves by way of L1 now and then.
    poor: bool,
    created: u16,
    pub(crate) next_nonce: u64,
    outstanding: BTreeMap<u64, Transaction>,
    /// What was acknowledged, and where.
    pub(crate) acknowledged: BTreeMap<B256, BTreeSet<Place>>,
    /// What was refused for good, or replaced: it must not be there.
    pub(crate) refused: BTreeSet<B256>,
    /// The nonce of a bad one whose refusal did not arrive: it may wait in the place of the good one for a moment.
    bad_waits: Option<u64>,
}

fn hash(transaction: &Transaction) -> B256 {
    field_to_bytes(transaction.payload.message(domain(CHAIN_ID, CONTRACT))).into()
}

impl Sender {
    async fn work(mut self) -> Self {
        while !self.board.stopped() || !self.outstanding.is_empty() {
            if self.outstanding.is_empty() {
                self.plan().await;
            }
            let style = self.rng.random_range(0..5);
            self.send(style).await;
            // Beside what is not answered it would only wait.
            if self.rng.random_bool(0.2) && self.outstanding.is_empty() && !self.board.stopped() {
                self.send_bad().await;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(2..20))).await;
        }
        self
    }

    /// Signs some more transactions.
    async fn plan(&mut self) {
        // Whoever may have nothing any more sends one at a time: those after it would wait for it.
        let count = if self.poor { 1 } else { self.rng.random_range(1..=8) };
        for _ in 0..count {
            let payload = self.payload();
            self.next_nonce += 1;
            self.outstanding.insert(payload.nonce, sign(payload, &self.user));
        }
        if self.outstanding.len() > 1 && self.rng.random_bool(0.2) {
            self.replace_last().await;
        }
    }

    fn payload(&mut self) -> Payload {
        let (from, nonce, amount) = (self.account, self.next_nonce, self.rng.random_range(1..1_000));
        let other = self.others[self.rng.random_range(0..self.others.len())].clone();
        match self.rng.random_range(0..10) {
            0 => withdraw(from, nonce, Address::repeat_byte(0xBB), amount, 30),
            1 if self.created < CREATIONS_MAX => {
                self.created += 1;
                let new = User::new(1_000 * (self.account as u16) + self.created);
                transfer(from, nonce, &new, amount, 50)
            }
            2..5 => self.in_token(nonce, amount, &other),
            _ => transfer(from, nonce, &other, amount, 10),
        }
    }

    /// Nobody asks a fee for this one.
    fn in_token(&self, nonce: u64, amount: u128, other: &User) -> Payload {
        let fee = PackedFee::encode(0).unwrap();
        Payload { token: TOKEN, fee, ..transfer(self.account, nonce, other, amount, 0) }
    }

    /// Sends another one in the place of the last before those before it, and replaces it.
    async fn replace_last(&mut self) {
        let (nonce, last) = self.outstanding.last_key_value().map(|(n, t)| (*n, *t)).unwrap();
        let payload = transfer(self.account, nonce, &self.others[0], 7_777, 10);
        let first = sign(payload, &self.user);
        self.refused.insert(hash(&first));
        let fee = PackedFee::encode(1_000).unwrap();
        let last = sign(Payload { token: TokenId::ETH, fee, ..last.payload }, &self.user);
        self.outstanding.insert(nonce, last);
        let _ = self.submit(vec![first], false).await;
        // As long as the other one might wait, what is before it must not come.
        while !matches!(self.submit(vec![last], false).await.as_deref(), Some([SubmitResult::Pending { .. }])) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends what is not answered, in one of several ways.
    async fn send(&mut self, style: u8) {
        let mut all: Vec<_> = self.outstanding.values().copied().collect();
        match style {
            0 => {
                for transaction in all {
                    self.ask(vec![transaction], true).await;
                    // Those after one that is not answered wait for it.
                    if self.outstanding.contains_key(&transaction.payload.nonce) {
                        break;
                    }
                }
            }
            1 => {
                let _ = self.submit(all.clone(), false).await;
                self.ask(all, true).await;
            }
            2 => self.ask(all, true).await,
            3 => {
                all.shuffle(&mut self.rng);
                self.ask(all, true).await;
            }
            _ => {
                // Each in a request of its own, the latest first.
                let requests = all.iter().rev().map(|transaction| {
                    let (board, transaction, number) = (self.board.clone(), *transaction, self.at);
                    let answer = async move { submit(&board, number, vec![transaction], true).await };
                    (transaction, tokio::spawn(answer))
                });
                let requests: Vec<_> = requests.collect();
                for (transaction, request) in requests {
                    match request.await.unwrap() {
                        Some(results) => self.take(&transaction, &results[0]),
                        None => self.at = self.rng.random_range(0..2),
                    }
                }
            }
        }
    }

    async fn ask(&mut self, transactions: Vec<Transaction>, wait: bool) {
        match self.submit(transactions.clone(), wait).await {
            Some(results) => {
                assert_eq!(results.len(), transactions.len());
                transactions.iter().zip(&results).for_each(|(transaction, result)| self.take(transaction, result));
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }

    async fn submit(&mut self, transactions: Vec<Transaction>, wait: bool) -> Option<Vec<SubmitResult>> {
        let results = submit(&self.board, self.at, transactions, wait).await;
        if results.is_none() {
            self.at += 1;
        }
        results
    }

    /// Notes what became of a transaction.
    fn take(&mut self, transaction: &Transaction, result: &SubmitResult) {
        let (nonce, expected) = (transaction.payload.nonce, hash(transaction));
        match result {
            SubmitResult::Executed { hash, block, batch, position, receipt } => {
                assert_eq!(*hash, expected.to_string());
                let place = (block.0, batch.0, *position);
                let receipt = receipt.as_ref().expect("whatever is executed has a receipt");
                assert_eq!((receipt.block, receipt.batch, receipt.position), place, "the receipt is of this place");
                let signer = *self.board.signer.read().unwrap();
                receipt.verify(expected, CHAIN_ID, CONTRACT, signer).expect("a receipt that verifies");
                self.acknowledged.entry(expected).or_default().insert(place);
                self.outstanding.remove(&nonce);
                self.board.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            SubmitResult::Pending { .. } => {}
            SubmitResult::Rejected { code, .. } if ["pool_full", "not_ready", "nonce_too_far"].contains(&code.as_str()) => {}
            SubmitResult::Rejected { code, .. } if code == "replacement_underpriced" && self.bad_waits == Some(nonce) => {}
            SubmitResult::Rejected { code, .. } if code == "insufficient_balance" => {
                // Somebody's balance may leave by way of L1. The nonce is free again.
                self.refused.insert(expected);
                let other = self.others[0].clone();
                self.outstanding.insert(nonce, sign(self.in_token(nonce, 0, &other), &self.user));
            }
            other @ SubmitResult::Rejected { .. } => panic!("account {}, nonce {nonce}: {other:?}", self.account),
        }
    }

    /// Sends what must be refused at any time.
    async fn send_bad(&mut self) {
        let (from, nonce, other) = (self.account, self.next_nonce, self.others[0].clone());
        let good = transfer(from, nonce, &other, 1, 10);
        let (codes, transaction) = match self.rng.random_range(0..6) {
            0 => (["insufficient_balance"].as_slice(), sign(transfer(from, nonce, &other, FUNDS * 1_000, 10), &self.user)),
            1 => (["fee_too_small"].as_slice(), sign(transfer(from, nonce, &other, 1, 9), &self.user)),
            2 => (["expired"].as_slice(), sign(Payload { expires: START - 1, ..good }, &self.user)),
            3 => (["wrong_key"].as_slice(), sign(good, &other)),
            4 => (["nonce_too_far"].as_slice(), sign(Payload { nonce: nonce + 5_000, ..good }, &self.user)),
            _ => {
                let key_hash = other.key_hash();
                let target = Target::Account(Pair { owner: Address::ZERO, key_hash });
                (["field_out_of_range"].as_slice(), sign(Payload { target, ..good }, &self.user))
            }
        };
        self.refused.insert(hash(&transaction));
        self.bad_waits = Some(nonce);
        if let Some(results) = self.submit(vec![transaction], true).await {
            match &results[0] {
                SubmitResult::Rejected { code, .. } if code == "not_ready" => {}
                SubmitResult::Rejected { code, .. } if codes.contains(&code.as_str()) => self.bad_waits = None,
                // The sequencer was killed, or what it had before was not answered yet.
                SubmitResult::Pending { .. } => {}
                other => panic!("{codes:?} expected, not {other:?}"),
            }
        }
    }
}

/// Sends to one of those who may lead.
async fn submit(board: &Board, at: usize, transactions: Vec<Transaction>, wait: bool) -> Option<Vec<SubmitResult>> {
    let client = {
        let clients = board.clients.read().unwrap();
        clients.get(at % clients.len().max(1))?.clone()
    };
    let transactions = transactions.iter().map(json).collect();
    tokio::time::timeout(ANSWER_TIME_MAX, client.submit(transactions, wait)).await.ok()?.ok()
}

/// Users who send, and those who don't.
pub(crate) struct Crowd {
    pub(crate) board: Arc<Board>,
    tasks: Vec<tokio::task::JoinHandle<Sender>>,
}

impl Crowd {
    /// Funds `count` users, on a world whose sequencer does not run, and lets them send.
    pub(crate) async fn start(world: &mut World, count: u16, seed: u64) -> Self {
        let users: Vec<_> = (1..=count).map(User::new).collect();
        world.start().await;
        let board = Arc::new(Board::default());
        let mut senders = Vec::new();
        for (i, user) in users.iter().enumerate() {
            let account = world.fund(user, TokenId::ETH, FUNDS).await;
            assert_eq!(world.fund(user, TOKEN, FUNDS).await, account);
            let others = users.iter().filter(|other| other.owner != user.owner).cloned().collect();
            senders.push(Sender {
                rng: ChaCha8Rng::seed_from_u64(seed ^ i as u64),
                board: board.clone(),
                at: 0,
                user: user.clone(),
                account,
                others,
                poor: i + 1 == users.len(),
                created: 0,
                next_nonce: 0,
                outstanding: BTreeMap::new(),
                acknowledged: BTreeMap::new(),
                refused: BTreeSet::new(),
                bad_waits: None,
            });
        }
        *board.signer.write().unwrap() = world.client().status().await.unwrap().receipt_signer;
        world.stop().await;
        Self { board, tasks: senders.into_iter().map(|sender| tokio::spawn(sender.work())).collect() }
    }

    /// Lets everybody have an answer to what is sent, and gives them back.
    ///
    /// # Panics
    /// If somebody gets none: then something before it was acknowledged and is gone.
    pub(crate) async fn end(self) -> Vec<Sender> {
        self.board.stop.store(true, Ordering::SeqCst);
        let mut senders = Vec::new();
        for task in self.tasks {
            let answered = tokio::time::timeout(END_TIME_MAX, task).await.expect("what is sent is answered in the end");
            senders.push(answered.unwrap());
        }
        senders
    }

    /// Whether somebody has panicked: then there is no point in going on.
    pub(crate) async fn check(&mut self) {
        for task in &mut self.tasks {
            if task.is_finished() && !self.board.stopped() {
                drop(task.await.unwrap());
            }
        }
    }
}
