//! Rows for Postgres's `COPY .. FROM STDIN (FORMAT binary)`: see "Binary Format" of the manual's page on COPY.

/// "PGCOPY", then no flags and no header extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Decimal digits of NUMERIC are kept four at a time.
const NUMERIC_BASE: u128 = 10_000;
/// Of `u128::MAX`, in that base.
const NUMERIC_DIGITS_MAX: usize = 10;

/// Rows with the same number of columns, each written column by column in the order of the COPY statement.
#[derive(Clone, Debug)]
pub(super) struct CopyRows {
    bytes: Vec<u8>,
    columns: u16,
    /// Columns that the row at hand still lacks.
    missing: u16,
}

impl CopyRows {
    /// Room for `rows` rows of `columns` columns and about `row_bytes` bytes.
    pub(super) fn new(columns: u16, rows: usize, row_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER.len() + rows * (2 + 4 * usize::from(columns) + row_bytes) + 2);
        bytes.extend_from_slice(HEADER);
        Self { bytes, columns, missing: 0 }
    }

    /// Begins a row.
    ///
    /// # Panics
    /// If the one before is not complete.
    pub(super) fn row(&mut self) -> &mut Self {
        assert_eq!(self.missing, 0, "the row before has all its columns");
        self.missing = self.columns;
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self
    }

    /// A SMALLINT.
    pub(super) fn i16(&mut self, value: i16) -> &mut Self {
        self.bytea(&value.to_be_bytes())
    }

    /// An INT.
    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.bytea(&value.to_be_bytes())
    }

    /// A BIGINT.
    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.bytea(&value.to_be_bytes())
    }

    /// A BYTEA.
    ///
    /// # Panics
    /// If it has 2^31 bytes or more, or the row has its columns already.
    pub(super) fn bytea(&mut self, value: &[u8]) -> &mut Self {
        self.column(i32::try_from(value.len()).expect("a column is below 2 GiB"));
        self.bytes.extend_from_slice(value);
        self
    }

    /// A NULL.
    pub(super) fn null(&mut self) -> &mut Self {
        self.column(-1);
        self
    }

    /// A NUMERIC without decimals: number of digits, weight of the first, sign, decimals, digits to the base 10,000
    /// without zeros at the end.
    pub(super) fn numeric(&mut self, value: u128) -> &mut Self {
        let mut digits = [0u16; NUMERIC_DIGITS_MAX];
        let (mut count, mut rest) = (0, value);
        while rest > 0 {
            // Most amounts have 64 bits, whose division costs a tenth.
            let digit = match u64::try_from(rest) {
                Ok(small) => {
                    rest = u128::from(small / NUMERIC_BASE as u64);
                    small % NUMERIC_BASE as u64
                }
                Err(_) => {
                    let digit = rest % NUMERIC_BASE;
                    rest /= NUMERIC_BASE;
                    digit as u64
                }
            };
            digits[count] = digit as u16;
            count += 1;
        }
        let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
        let kept = count - zeros;
        self.column(8 + 2 * kept as i32);
        for field in [kept as u16, count.saturating_sub(1) as u16, 0, 0] {
            self.bytes.extend_from_slice(&field.to_be_bytes());
        }
        for digit in digits[zeros..count].iter().rev() {
            self.bytes.extend_from_slice(&digit.to_be_bytes());
        }
        self
    }

    /// All rows, with their end.
    ///
    /// # Panics
    /// If the last row is not complete.
    pub(super) fn finish(mut self) -> Vec<u8> {
        assert_eq!(self.missing, 0, "the last row has all its columns");
        self.bytes.extend_from_slice(&(-1i16).to_be_bytes());
        self.bytes
    }

    fn column(&mut self, length: i32) {
        self.missing = self.missing.checked_sub(1).expect("the row has room for the column");
        self.bytes.extend_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::CopyRows;
    use sheaf_devkit::postgres::TestDatabase;
    use sqlx::{Connection, PgConnection, Row};

    type Read = (Option<i16>, Option<i32>, Option<i64>, Option<Vec<u8>>, Option<String>);

    fn put(rows: &mut CopyRows, (a, b, c, d, e): &Read) {
        rows.row();
        match a {
            Some(value) => rows.i16(*value),
            None => rows.null(),
        };
        match b {
            Some(value) => rows.i32(*value),
            None => rows.null(),
        };
        match c {
            Some(value) => rows.i64(*value),
            None => rows.null(),
        };
        match d {
            Some(value) => rows.bytea(value),
            None => rows.null(),
        };
        match e {
            Some(value) => rows.numeric(value.parse().unwrap()),
            None => rows.null(),
        };
    }

    #[tokio::test]
    async fn every_type_comes_back_from_postgres_as_it_was() {
        let database = TestDatabase::create();
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        let table = "CREATE TEMP TABLE t (n SERIAL, a SMALLINT, b INT, c BIGINT, d BYTEA, e NUMERIC(39, 0))";
        sqlx::query(table).execute(&mut connection).await.unwrap();
        let mut wanted: Vec<Read> = vec![
            (None, None, None, None, None),
            (Some(i16::MIN), Some(i32::MIN), Some(i64::MIN), Some(vec![]), Some("0".to_owned())),
            (Some(i16::MAX), Some(i32::MAX), Some(i64::MAX), Some(vec![0, 255, 92]), Some(u128::MAX.to_string())),
            (Some(-1), Some(-1), Some(-1), Some(vec![7; 5_000]), Some("1".to_owned())),
        ];
        // Powers of ten and their neighbours: digits that are all nines or all zeros, in every group of four.
        let powers = (0..39).map(|n| 10u128.pow(n));
        let amounts = powers.flat_map(|p| [p - 1, p, p + 1, p * 3]).chain([u64::MAX.into(), 1 << 64, 1_234_000_056_780_000]);
        wanted.extend(amounts.map(|amount| (None, Some(1), None, None, Some(amount.to_string()))));
        let mut rows = CopyRows::new(5, wanted.len(), 100);
        for row in &wanted {
            put(&mut rows, row);
        }
        let mut copy = connection.copy_in_raw("COPY t (a, b, c, d, e) FROM STDIN (FORMAT binary)").await.unwrap();
        copy.send(rows.finish()).await.unwrap();
        assert_eq!(copy.finish().await.unwrap(), wanted.len() as u64);
        let read = sqlx::query("SELECT a, b, c, d, e::text, e = e::text::numeric AS sound FROM t ORDER BY n");
        let read: Vec<Read> = read
            .fetch_all(&mut connection)
            .await
            .unwrap()
            .iter()
            .map(|r| {
                assert_ne!(r.get::<Option<bool>, _>(5), Some(false), "a numeric is normal: it equals what its text says");
                (r.get(0), r.get(1), r.get(2), r.get(3), r.get(4))
            })
            .collect();
        assert_eq!(read, wanted);
    }

    #[test]
    #[should_panic = "the row has room for the column"]
    fn a_column_too_many_is_a_defect() {
        CopyRows::new(1, 1, 8).row().i16(1).i16(2);
    }

    #[test]
    #[should_panic = "the last row has all its columns"]
    fn a_column_too_few_is_a_defect() {
        let mut rows = CopyRows::new(2, 1, 8);
        rows.row().i16(1);
        rows.finish();
    }
}
