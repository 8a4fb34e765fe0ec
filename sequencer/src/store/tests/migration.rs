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
