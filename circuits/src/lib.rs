//! What a batch means, as constraints.
pub mod gadgets;
pub mod r1cs;
