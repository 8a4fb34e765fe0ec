//! The ports that an outcome gives are those that a batch's trace has, and lead to the same root.

use crate::arb::{BALANCE, CASE_DEPTH, Mix, TOKENS, arb_jobs};
use crate::world::{FEE_ACCOUNT, NOW, context, id, people, token};
use proptest::prelude::*;
use sheaf_core::shape::Shape;
use sheaf_core::trace::{BatchHeader, SlotInput, build_unchecked};
use sheaf_core::tree::Tree;
use sheaf_executor::{Choice, Executor, Path};

const SHAPE: Shape = Shape { id: 0, slots: 16, leaf_rows: 128, node_rows: 1_000 };
const MIX: Mix = Mix { accounts: 12, all_kinds: true, faults: true, chain: false };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn batches_of_what_was_executed_have_these_ports_and_this_root(jobs in arb_jobs(MIX, 80)) {
        let ctx = context(CASE_DEPTH);
        let mut words = people(&ctx, MIX.accounts, &TOKENS.map(token), BALANCE);
        let mut tree = Tree::from_words(ctx.geometry, words.nonzero());
        let outcome = Executor::with_window(2, 32).execute(&ctx, &mut words, &jobs, Choice::Force(Path::Parallel));
        // Signatures are no part of a trace: the operations that were allowed, without theirs.
        let done: Vec<_> = jobs.iter().zip(outcome.iter()).filter_map(|(job, ports)| Some((job.operation, ports.ok()?))).collect();
        let header = BatchHeader { domain: ctx.domain, timestamp: NOW, fee_account: id(FEE_ACCOUNT) };
        for batch in done.chunks(SHAPE.slots) {
            let inputs: Vec<_> = batch.iter().map(|(operation, _)| SlotInput { operation: *operation, signature: None }).collect();
            let witness = build_unchecked(&mut tree, SHAPE, header, &inputs).unwrap();
            for (slot, (operation, ports)) in witness.trace.slots.iter().zip(batch) {
                prop_assert_eq!(slot.old, ports.map(|port| port.old), "{:?}", operation);
            }
        }
        prop_assert_eq!(tree.root(), Tree::from_words(ctx.geometry, words.nonzero()).root());
    }
}
