//! What the API writes, its client reads back as the same.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sheaf_api::error::ErrorBody;
use sheaf_api::model::{Status, SubmitResult, Submitted, Transaction};
use sheaf_core::receipt::ReceiptJson;

fn hash() -> impl Strategy<Value = String> {
    any::<[u8; 32]>().prop_map(alloy_primitives::hex::encode_prefixed)
}

fn error() -> impl Strategy<Value = ErrorBody> {
    ("[a-z_]{1,20}", ".{0,40}").prop_map(|(code, message)| ErrorBody { code, message })
}

fn receipt(place: u32) -> ReceiptJson {
    let path = vec![format!("0x{place:064x}")];
    ReceiptJson { block: 1, index: place, count: u32::MAX, batch: 2, position: 3, path, signature: "0x12".to_owned() }
}

fn result() -> impl Strategy<Value = SubmitResult> {
    let place = proptest::option::of(any::<u32>());
    prop_oneof![
        (hash(), place).prop_map(|(hash, place)| SubmitResult::Taken(Submitted {
            hash,
            status: if place.is_some() { Status::Executed } else { Status::Pending },
            block: place.map(u64::from),
            batch: place.map(u64::from),
            position: place,
            receipt: place.map(receipt),
        })),
        (proptest::option::of(hash()), error()).prop_map(|(hash, error)| SubmitResult::Refused {
            hash,
            status: Status::Rejected,
            error
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn results_survive(result in result()) {
        let text = serde_json::to_string(&result).unwrap();
        prop_assert_eq!(serde_json::from_str::<SubmitResult>(&text).unwrap(), result);
    }

    #[test]
    fn unexecuted_transactions_survive(hash in hash(), rejection in proptest::option::of(error())) {
        let status = if rejection.is_some() { Status::Rejected } else { Status::Pending };
        let transaction = Transaction { hash, status, rejection, taken_back: None, executed: None };
        let text = serde_json::to_string(&transaction).unwrap();
        prop_assert_eq!(serde_json::from_str::<Transaction>(&text).unwrap(), transaction);
    }
}

#[test]
fn statuses_are_written_as_they_are_named() {
    for status in [
        Status::Rejected,
        Status::Reverted,
        Status::Reverting,
        Status::Confirming,
        Status::Queued,
        Status::Pending,
        Status::Executed,
        Status::Sealed,
        Status::Proven,
        Status::Settled,
        Status::Claimable,
        Status::Claimed,
    ] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}
