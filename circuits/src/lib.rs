//! What a batch means, as constraints.
pub mod r1cs;
