//! What can go wrong with a job.

use alloy_primitives::B256;

/// Why the queue refused, or a job failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lease is no longer this worker's: it ran out and another worker took the job, or the job is done.
    #[error("the lease of batch {batch} is no longer this worker's")]
    LeaseLost {
        /// The batch.
        batch: i64,
    },
    /// Proofs are stored only for sealed batches.
    #[error("batch {batch} is not sealed, or gone")]
    BatchNotSealed {
        /// The batch.
        batch: i64,
    },
    /// What is stored of the batch can't be proven.
    #[error("batch {batch} can't be proven: {reason}")]
    BadWitness {
        /// The batch.
        batch: i64,
        /// Why.
        reason: String,
    },
    /// The batches of a shape are of another size than this worker's keys of it. Its configuration is wrong, and no batch is to
    /// blame.
    #[error("batch {batch} is of {batch_size}, the keys are for {keys_size}")]
    WrongKeys {
        /// The batch.
        batch: i64,
        /// The batch's shape and geometry.
        batch_size: String,
        /// Those of the keys.
        keys_size: String,
    },
    /// The contract has another verifying key for a shape than this worker, or does not have the shape: it would refuse every proof.
    #[error("{}", other_keys(*shape, *ours, *theirs))]
    OtherKeys {
        /// The shape's number.
        shape: u8,
        /// The hash of the worker's verifying key.
        ours: B256,
        /// That of the contract's, if it has the shape.
        theirs: Option<B256>,
    },
    /// The prover failed.
    #[error("proving batch {batch} failed: {reason}")]
    Proving {
        /// The batch.
        batch: i64,
        /// Why.
        reason: String,
    },
    /// A proof that does not verify is never stored.
    #[error("the proof of batch {batch} does not verify")]
    WrongProof {
        /// The batch.
        batch: i64,
    },
    /// The database failed; the job itself may be fine.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database did not answer in time; whether it did what it was asked for is unknown.
    #[error("the database does not answer")]
    Silent,
}

impl Error {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LeaseLost { .. } => "lease_lost",
            Self::BatchNotSealed { .. } => "batch_not_sealed",
            Self::BadWitness { .. } => "bad_witness",
            Self::WrongKeys { .. } => "wrong_keys",
            Self::OtherKeys { .. } => "keys_other_contract",
            Self::Proving { .. } => "proving_failed",
            Self::WrongProof { .. } => "wrong_proof",
            Self::Database(_) | Self::Silent => "database",
        }
    }

    /// Whether this worker is configured wrongly: it has to stop, and no batch is to blame.
    pub(crate) const fn is_of_configuration(&self) -> bool {
        matches!(self, Self::WrongKeys { .. } | Self::OtherKeys { .. })
    }

    /// Whether it is the database that failed, so that it may be asked again.
    pub(crate) const fn is_of_database(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Silent)
    }
}

fn other_keys(shape: u8, ours: B256, theirs: Option<B256>) -> String {
    match theirs {
        Some(theirs) => format!("the contract's verifying key of shape {shape} is {theirs}, that of the keys here is {ours}"),
        None => format!("the contract has no shape {shape}, which the keys with verifying key {ours} are for"),
    }
}
