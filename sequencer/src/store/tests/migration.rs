//! A database of the first version keeps its state.

use super::*;
use sheaf_core::shape::Shape;
use sheaf_core::shapes::Shapes;
use sqlx::Executor;

#[tokio::test]
async fn the_state_survives_the_change_of_the_tables() {
    let database = TestDatabase::create();
    let pool = connect(database.url()).await.unwrap();
    let migrations = sqlx::migrate!("../migrations");
    let first = migrations.iter().find(|m| m.version == 1).unwrap();
    pool.execute(&*first.sql).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO blocks (number, operation_count) VALUES (4, 1);
         INSERT INTO batches (number, status, timestamp, fee_account, shape) VALUES (1, 'open', 5, 1, 0);
         INSERT INTO batch_undo VALUES (1, 17, decode(repeat('00', 31) || '07', 'hex')), (1, 35, decode(repeat('00', 32), 'hex'));
         INSERT INTO accounts SELECT i, decode(repeat('00', 31) || '03', 'hex'), decode(repeat('02', 20), 'hex'), i * 10
         FROM unnest(ARRAY[2, 300]) i;
         INSERT INTO balances VALUES (1, 0, 5), (2, 0, 0), (2, 60, 340282366920938463463374607431768211455),
                                     (300, 1, 18446744073709551616), (300, 2, 18446744073709551615), (300, 3, 9223372036854775808);
         INSERT INTO chain (chain_id, contract, shape, depth, fee_account) VALUES
             (31337, decode(repeat('cc', 20), 'hex'), '{\"id\": 0, \"slots\": 16, \"leaf_rows\": 64, \"node_rows\": 380}', 15, 1);
         INSERT INTO retired_pairs VALUES (decode(repeat('02', 20), 'hex'), decode(repeat('00', 31) || '04', 'hex'))",
    )
    .execute(&pool)
    .await
    .unwrap();
    let second = migrations.iter().find(|m| m.version == 2).unwrap();
    pool.execute(&*second.sql).await.unwrap();

    let holdings = Balances::default().read(&pool, &[id(1), id(2), id(3), id(300)]).await.unwrap();
    let of =
        |nonce, balances: &[(u8, u128)]| Holdings { nonce, balances: balances.iter().map(|(t, v)| (token(*t), *v)).collect() };
    let wanted = [
        of(0, &[(0, 5)]),
        of(20, &[(60, u128::MAX)]),
        Holdings::default(),
        of(3000, &[(1, 1 << 64), (2, u64::MAX.into()), (3, 1 << 63)]),
    ];
    assert_eq!(holdings, wanted);
    let mut connection = pool.acquire().await.unwrap();
    let mut tx = snapshot(&mut connection).await.unwrap();
    let config = config();
    let loaded = load_state(&mut tx, &Engine::rules(&config), config.operator(), &|_, _| ()).await.unwrap();
    assert_eq!(loaded.block, BlockNumber(4));
    assert_eq!((loaded.state.nonce(id(300)), loaded.state.key_hash(id(2))), (3000, F::from(3u64)));
    let undone = words_after(&mut tx, BatchNumber(0)).await.unwrap();
    assert_eq!(undone, [(17, F::from(7u64)), (35, F::from(0u64))].into());
    let base = Base::make(BaseWords::load(&mut tx, &loaded.state).await.unwrap(), |_, _| ()).await.unwrap();
    assert_eq!(base.built(), BatchNumber(0));
    tx.commit().await.unwrap();

    // The one shape becomes the list of them.
    let third = migrations.iter().find(|m| m.version == 3).unwrap();
    pool.execute(&*third.sql).await.unwrap();
    let stored: String = sqlx::query_scalar("SELECT shapes::text FROM chain").fetch_one(&pool).await.unwrap();
    assert_eq!(serde_json::from_str::<Shapes>(&stored).unwrap(), Shapes::one(Shape::DEVELOPMENT).unwrap());
}

/// Whoever led a database of the fourth version can't seal any more, and what it sealed has one proving job a batch.
#[tokio::test]
async fn jobs_are_made_for_what_was_sealed_without_one() {
    let database = TestDatabase::create();
    let pool = connect(database.url()).await.unwrap();
    let migrations = sqlx::migrate!("../migrations");
    for migration in migrations.iter().filter(|m| m.version <= 4) {
        pool.execute(&*migration.sql).await.unwrap();
    }
    // 1 settled, 2 proven, 3 being proven, 4 given up, 5 built and free, 6 and 7 sealed and not built, 8 open.
    sqlx::raw_sql(
        "INSERT INTO chain (chain_id, contract, shapes, depth, fee_account, epoch)
         VALUES (31337, decode(repeat('cc', 20), 'hex'), '[]', 15, 1, 6);
         INSERT INTO batches (number, status, timestamp, fee_account, shape, commitment)
         SELECT n, CASE WHEN n = 1 THEN 'settled' WHEN n = 2 THEN 'proven' WHEN n = 8 THEN 'open' ELSE 'sealed' END, n, 1, n % 2,
                CASE WHEN n < 6 THEN decode(repeat('0c', 32), 'hex') END
         FROM generate_series(1, 8) n;
         INSERT INTO proof_jobs (batch, status, attempts, last_error)
         VALUES (1, 'done', 1, NULL), (2, 'done', 2, NULL), (3, 'leased', 1, NULL), (4, 'parked', 5, 'why'), (5, 'queued', 0, NULL);
         UPDATE proof_jobs SET lease_token = gen_random_uuid(), lease_until = now() + interval '9 seconds', worker = 'w' WHERE batch = 3;
         INSERT INTO l1_transactions (hash, kind, batch, gas_used, succeeded, fee_wei)
         VALUES (decode(repeat('7a', 32), 'hex'), 'submit', 1, 300000, TRUE, 12345678901234567890123)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let rows = async |query| sqlx::query_scalar::<_, String>(query).fetch_all(&pool).await.unwrap();
    let untouched = "SELECT to_jsonb(t)::text FROM l1_transactions t UNION ALL
        SELECT (to_jsonb(j) - 'shape')::text FROM proof_jobs j WHERE batch < 6 UNION ALL SELECT to_jsonb(b)::text FROM batches b";
    let before = rows(untouched).await;
    pool.execute(&*migrations.iter().find(|m| m.version == 5).unwrap().sql).await.unwrap();
    assert_eq!(rows(untouched).await, before);
    let jobs =
        rows("SELECT concat_ws(' ', batch, shape, status, attempts, worker, last_error) FROM proof_jobs ORDER BY batch").await;
    let wanted =
        ["1 1 done 1", "2 0 done 2", "3 1 leased 1 w", "4 0 parked 5 why", "5 1 queued 0", "6 0 unbuilt 0", "7 1 unbuilt 0"];
    assert_eq!(jobs, wanted);
    assert_eq!(rows("SELECT epoch::text FROM chain").await, ["7"]);
    let unfit = sqlx::query("INSERT INTO proof_jobs (batch, status) VALUES (8, 'queued')").execute(&pool).await;
    assert!(unfit.unwrap_err().to_string().contains("shape"), "every job has a shape");
}
