//! What a durable block costs: CPU of Postgres and of this process, a transfer.

use super::*;
use sheaf_devkit::postgres::{ClusterOptions, Server};
use std::time::Instant;

const ACCOUNTS: u32 = 100_000;
const SLOTS: u64 = 16;

/// Nanoseconds that a process and its threads were on a CPU.
fn cpu_ns(pid: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0)
    };
    tasks.map(of_task).sum()
}

/// The same of a server's processes.
fn server_ns(postmaster: &str) -> u64 {
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
    children.split_whitespace().chain([postmaster]).map(cpu_ns).sum()
}

fn block(rng: &mut ChaCha8Rng, number: u64, count: u32, (transaction, operation): (Transaction, Operation)) -> BlockRecord {
    let mut block = Model::default().block(rng, number, 3);
    (block.accounts, block.balances, block.undo) = (Vec::new(), Vec::new(), Vec::new());
    let first = (number - 1) * u64::from(count);
    let batches = first / SLOTS + 1..=(first + u64::from(count)) / SLOTS + 1;
    let last = *batches.end();
    let row =
        |batch| BatchRow { number: BatchNumber(batch), timestamp: 1, sealed: batch < last, shape: 0, l1_count: 0, op_count: 16 };
    block.batches = batches.map(row).collect();
    for i in 0..u64::from(count) {
        let (batch, position) = (BatchNumber((first + i) / SLOTS + 1), ((first + i) % SLOTS) as u32);
        let mut transaction = transaction;
        transaction.payload.nonce = first + i;
        block.transactions.push(TransactionRow { hash: rng.random(), transaction, operation, batch, position });
        let (from, to) = (rng.random_range(2..ACCOUNTS), rng.random_range(2..ACCOUNTS));
        let owner = Address::repeat_byte(1);
        block.accounts.push(AccountRow { id: id(from), key_hash: F::from(1u64), owner, nonce: first + i, existed: true });
        for (account, address) in [(from, 0), (from, 1), (to, 2)] {
            let amount = u128::from(rng.random::<u64>());
            block.undo.push(UndoRow { batch, address: 16 * account + address, old: F::from(amount) });
            if address > 0 {
                block.balances.push(BalanceRow { account: id(account), token: token(0), amount });
            }
        }
    }
    block
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p sheaf-sequencer --lib store::tests::cost -- --ignored --nocapture"]
async fn a_durable_transfer_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let options = ClusterOptions { durable: true, connections_max: 20, temporary: true, port: None };
    let server = Server::start(folder.path(), options).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for count in [10, 100, 1000] {
        let name = format!("cost{count}");
        let mut place = Place::new(&server.create_database(&name).unwrap()).await;
        let file: String = sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(&place.pool).await.unwrap();
        let postmaster = file.lines().next().unwrap();
        let blocks: Vec<_> = (1..=60).map(|number| block(&mut rng, number, count, sample())).collect();
        let (warm, measured) = blocks.split_at(10);
        for block in warm {
            place.commit(block).await.unwrap();
        }
        let (theirs, own, begun) = (server_ns(postmaster), cpu_ns("self"), Instant::now());
        for block in measured {
            place.commit(block).await.unwrap();
        }
        let transfers = measured.len() as f64 * f64::from(count);
        let us = |ns: u64| ns as f64 / 1000.0 / transfers;
        let (theirs, own) = (us(server_ns(postmaster) - theirs), us(cpu_ns("self") - own));
        let block_ms = begun.elapsed().as_secs_f64() * 1000.0 / measured.len() as f64;
        println!("{count} transfers a block: Postgres {theirs:.1} µs, client {own:.1} µs a transfer; {block_ms:.1} ms a block");
    }
}
