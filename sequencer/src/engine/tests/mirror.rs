//! What Postgres, the builder and a standby would have after the blocks so far, checked against each other.

use super::{DEPTH, operations, token};
use crate::batcher::BatchRules;
use crate::block::BlockRecord;
use crate::config::Config;
use crate::engine::Engine;
use crate::state::State;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::slot::Context;
use sheaf_core::trace::{BatchHeader, BuildError, SlotInput, build};
use sheaf_core::transaction::Pair;
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, field_from_address};
use std::collections::BTreeMap;

/// A batch of which a part is durable.
#[derive(Default)]
struct Batch {
    slots: Vec<SlotInput>,
    undo: BTreeMap<u32, F>,
}

pub(super) struct Mirror {
    words: BTreeMap<u32, F>,
    tree: Tree,
    follower: State,
    rules: BatchRules,
    batches: BTreeMap<u64, Batch>,
    built: u64,
}

impl Mirror {
    pub(super) fn new(config: &Config) -> Self {
        let rules = Engine::rules(config);
        let follower = State::new(rules.geometry, config.operator(), rules.fee_account);
        let (words, batches) = (BTreeMap::new(), BTreeMap::new());
        Self { words, tree: Tree::new(rules.geometry), follower, rules, batches, built: 0 }
    }

    pub(super) fn take(&mut self, block: &BlockRecord) {
        self.take_rows(block);
        let all = operations(block);
        for (batch, position, input) in &all {
            let ctx = self.context(0);
            self.follower.absorb(&ctx, &input.operation);
            let slots = &mut self.batches.entry(batch.0).or_default().slots;
            assert_eq!(slots.len() as u32, *position, "positions have no gaps");
            slots.push(*input);
        }
        for row in &block.undo {
            let known = self.batches.entry(row.batch.0).or_default().undo.insert(row.address, row.old);
            assert_eq!(known, None, "a word's old value is recorded once a batch");
        }
        for batch in &block.batches {
            let slots = &self.batches.entry(batch.number.0).or_default().slots;
            assert_eq!(batch.op_count as usize, slots.len());
            let from_l1 = |slot: &&SlotInput| slot.operation.code().is_l1();
            assert_eq!(batch.l1_count as usize, slots.iter().take_while(from_l1).count());
            assert_eq!(batch.l1_count as usize, slots.iter().filter(from_l1).count(), "operations from L1 stand first");
            if batch.sealed {
                self.built += 1;
                assert_eq!(batch.number.0, self.built, "batches are sealed in order");
                self.build(batch.timestamp, batch.shape);
            }
        }
    }

    fn context(&self, timestamp: u32) -> Context {
        let BatchRules { geometry, domain, fee_account, .. } = self.rules;
        Context { geometry, domain, timestamp, fee_account }
    }

    fn take_rows(&mut self, block: &BlockRecord) {
        let geometry = self.rules.geometry;
        let word = |words: &BTreeMap<u32, F>, account: AccountId, word| {
            words.get(&geometry.address(account.get(), word)).is_some_and(|value| !value.is_zero())
        };
        for row in &block.accounts {
            assert_eq!(row.existed, (0..3).any(|i| word(&self.words, row.id, i)), "account {}", row.id);
            let values = [row.key_hash, F::from(row.nonce), field_from_address(row.owner)];
            let addresses = (0..).map(|i| geometry.address(row.id.get(), i));
            self.words.extend(addresses.zip(values));
        }
        for row in &block.balances {
            let balance = FIRST_BALANCE_WORD + u32::from(row.token.get());
            self.words.insert(geometry.address(row.account.get(), balance), F::from(row.amount));
        }
    }

    /// Builds the next batch as the builder does, and checks that it can be undone.
    fn build(&mut self, timestamp: u32, shape: u8) {
        let Batch { slots, undo } = self.batches.remove(&self.built).expect("a sealed batch has operations");
        let (shapes, domain) = (self.rules.shapes.clone(), self.rules.domain);
        for (address, old) in &undo {
            assert_eq!(self.tree.word(*address), *old, "what a word was before its batch");
        }
        let before: Vec<_> = self.tree.words().collect();
        let header = BatchHeader { domain, timestamp, fee_account: self.rules.fee_account };
        for smaller in &shapes.as_slice()[..usize::from(shape)] {
            // With a slot of padding, what is counted is what there is.
            if slots.len() != smaller.slots {
                let built = build(&mut self.tree, *smaller, header, &slots);
                assert!(matches!(built, Err(BuildError::Overflow(_))), "a batch gets the smallest shape");
            }
        }
        let shape = shapes.get(shape).expect("a shape of the contract");
        build(&mut self.tree, shape, header, &slots).expect("a sealed batch can be built");
        let mut undone: BTreeMap<u32, F> = self.tree.words().filter(|(_, value)| !value.is_zero()).collect();
        undone.extend(undo);
        undone.retain(|_, value| !value.is_zero());
        assert!(undone.into_iter().eq(before.into_iter().filter(|(_, value)| !value.is_zero())), "a batch can be undone");
    }

    /// Compares everything with the engine's state. Every batch is sealed.
    pub(super) fn finish(self, state: &State, pairs: impl IntoIterator<Item = Pair>) {
        let words: BTreeMap<u32, F> = self.words.into_iter().filter(|(_, value)| !value.is_zero()).collect();
        assert!(state.words().nonzero().collect::<BTreeMap<_, _>>() == words, "rows and state agree");
        assert!(self.follower.words().nonzero().eq(state.words().nonzero()), "who follows has the same words");
        assert_eq!(Tree::from_words(Geometry::new(DEPTH), words).root(), self.tree.root(), "rows and batches agree");
        for pair in pairs {
            assert_eq!(self.follower.resolve(&pair), state.resolve(&pair), "who follows finds the same accounts");
        }
        for number in super::TOKENS {
            assert_eq!(self.follower.supply(token(number)), state.supply(token(number)));
        }
    }
}
