//! Checks everything that the database says about batches, from as little of it as possible.

use super::{CHAIN_ID, CONTRACT};
use sheaf_core::F;
use sheaf_core::batch::{PublicData, commitment};
use sheaf_core::l1::{domain, withdrawals};
use sheaf_core::operation::Operation;
use sheaf_core::slot::{evaluate, verify_signature};
use sheaf_core::tree::{Overlay, Tree};
use sheaf_core::types::{AccountId, field_from_bytes};
use sheaf_sequencer::{BatchNumber, Config, store};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

fn field(row: &PgRow, column: &str) -> F {
    field_from_bytes(&row.get::<Vec<u8>, _>(column).try_into().unwrap()).unwrap()
}

/// Executes all built batches again from genesis, knowing nothing but their posted bytes, and compares every root,
/// the withdrawals, the witnesses and their signatures. Gives the tree after the last one and how many there are.
pub(crate) async fn check_batches(pool: &PgPool, config: &Config) -> (Tree, u64) {
    let geometry = sheaf_core::geometry::Geometry::new(config.depth);
    let mut tree = Tree::new(geometry);
    let rows = sqlx::query("SELECT * FROM batches WHERE commitment IS NOT NULL ORDER BY number").fetch_all(pool).await.unwrap();
    let mut last_timestamp = 0;
    for (number, row) in (1u64..).zip(&rows) {
        assert_eq!(row.get::<i64, _>("number") as u64, number, "batches are built in order");
        let (l1_count, op_count) = (row.get::<i32, _>("l1_count") as usize, row.get::<i32, _>("op_count") as usize);
        let operations = Operation::decode_all(&row.get::<Vec<u8>, _>("ops"), l1_count, op_count).unwrap();
        let timestamp = row.get::<i64, _>("timestamp") as u32;
        assert!(op_count > 0 && timestamp >= last_timestamp, "timestamps never go back");
        last_timestamp = timestamp;
        let public = PublicData {
            domain: domain(CHAIN_ID, CONTRACT),
            old_root: field(row, "old_root"),
            new_root: field(row, "new_root"),
            timestamp,
            fee_account: AccountId::FIRST,
            operations,
        };
        assert_eq!(tree.root(), public.old_root, "batch {number} begins where the last one ended");
        let witness = store::load_witness(pool, BatchNumber(number)).await.unwrap();
        assert_eq!(witness.public, public);
        let shape = config.shapes.get(row.get::<i16, _>("shape").try_into().unwrap()).unwrap();
        assert_eq!(witness.shape, shape, "batch {number} has the shape that its row names");
        assert_eq!(witness.c, commitment(&public.words(shape.slots), &witness.trace.words(geometry, &shape)));
        assert_eq!(witness.c, field(row, "commitment"));
        let ctx = public.context(geometry);
        let mut memory = Overlay::new(&tree);
        for (operation, signature) in public.operations.iter().zip(&witness.signatures) {
            let ports = evaluate(&ctx, operation, &mut memory);
            assert_eq!(signature.is_some(), operation.code().is_l2());
            if let Some(signature) = signature {
                verify_signature(&ctx, operation, &ports, signature).unwrap();
            }
        }
        let changes = memory.into_changes();
        tree.update(changes);
        assert_eq!(tree.root(), public.new_root, "batch {number} ends as its bytes say");
        check_withdrawals(pool, number, &public.operations).await;
    }
    check_jobs(pool).await;
    (tree, rows.len() as u64)
}

/// Every sealed batch has one proving job, of its shape, which nobody can claim before the batch is built; the open one has
/// none. That holds at any moment, whoever runs or was killed.
pub(crate) async fn check_jobs(pool: &PgPool) {
    let query =
        "SELECT concat_ws(' ', 'batch', number, batches.status, 'of shape', batches.shape, 'built:', commitment IS NOT NULL,
            'job', batch, job.status, 'of shape', job.shape)
        FROM batches FULL JOIN proof_jobs job ON batch = number
        WHERE number IS NULL OR (batches.status = 'open') <> (batch IS NULL) OR batches.shape <> job.shape
            OR (commitment IS NULL) <> (job.status = 'unbuilt') ORDER BY number";
    let wrong: Vec<String> = sqlx::query_scalar(query).fetch_all(pool).await.unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn check_withdrawals(pool: &PgPool, batch: u64, operations: &[Operation]) {
    let query = "SELECT *, amount::text AS amount_text FROM withdrawals WHERE batch = $1 ORDER BY index";
    let rows = sqlx::query(query).bind(batch as i64).fetch_all(pool).await.unwrap();
    let expected = withdrawals(operations);
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row.get::<Vec<u8>, _>("recipient"), expected.recipient.to_vec());
        assert_eq!(row.get::<i16, _>("token"), i16::from(expected.token.get()));
        assert_eq!(row.get::<String, _>("amount_text"), expected.amount.to_string());
        let operation = &operations[row.get::<i32, _>("position") as usize];
        assert_eq!(withdrawals(std::slice::from_ref(operation)), [expected]);
    }
}

/// The root of the state after the last block, from the tables of accounts and balances alone.
pub(crate) async fn root_from_sql(pool: &PgPool, config: &Config) -> F {
    let geometry = sheaf_core::geometry::Geometry::new(config.depth);
    let words = store::load_words(&mut pool.acquire().await.unwrap(), geometry).await.unwrap();
    Tree::from_words(geometry, words).root()
}
