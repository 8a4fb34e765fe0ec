//! The demo's transfers: what the scenario promises is in the plan, whatever the seed.

use sheaf_cli::demo::plan::{Choices, Counts, Wave};
use sheaf_cli::wallet::amounts::{amount_at_most, fee_at_least};
use sheaf_core::amount::{PackedAmount, PackedFee};

#[test]
fn the_whole_demo_has_eight_users_and_a_hundred_transfers() {
    assert_eq!((Counts::FULL.users, Counts::FULL.transfers()), (8, 100));
}

#[test]
fn a_wave_has_every_kind_of_transfer() {
    for seed in 0..50 {
        let (users, newcomers) = ([1, 2, 3, 4], [5, 6]);
        let wave = Wave { senders: &users, receivers: &users, newcomers: &newcomers, to_oneself: Some(2), count: 14 };
        let plan = wave.plan(&mut Choices::new(seed));
        assert_eq!(plan.len(), 14, "seed {seed}");
        assert_eq!(plan.iter().filter(|t| t.from == t.to).count(), 1, "seed {seed}");
        for newcomer in newcomers {
            assert_eq!(plan.iter().filter(|t| t.to == newcomer && t.creates).count(), 1, "seed {seed}");
        }
        assert_eq!(plan.iter().filter(|t| t.creates).count(), 2, "seed {seed}");
        assert!((0..2).all(|token| plan.iter().any(|t| t.token == token)), "seed {seed}");
        assert!(plan.iter().filter(|t| t.to == 1).count() >= 3, "seed {seed}: the first receiver is not hot");
        assert!(plan.iter().all(|t| t.amount > 0 && t.fee_factor > 0), "seed {seed}");
        assert_eq!(plan, wave.plan(&mut Choices::new(seed)), "seed {seed} makes two plans");
    }
}

#[test]
fn fees_and_amounts_are_rounded_to_what_has_an_encoding() {
    for least in [1, 511, 512, 12_345, 10_000_000_000_000, 49_999_999_999_999_999] {
        let fee = fee_at_least(least);
        assert!(fee >= least && fee < least + least / 10 + 10 && PackedFee::encode(fee).is_ok(), "{least}: {fee}");
    }
    for most in [1, 34_359_738_368, 123_456_789_012_345, 1_234_567_890_123_456_789] {
        let amount = amount_at_most(most);
        assert!(amount <= most && most - amount <= most / 1_000_000 && PackedAmount::encode(amount).is_ok(), "{most}: {amount}");
    }
}
