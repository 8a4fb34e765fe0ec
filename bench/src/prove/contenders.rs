//! The provers that are compared: each makes the same proof of the same assignment.

use crate::cpu;
use anyhow::{Context, Result, anyhow};
use ark_bn254::Bn254;
use ark_groth16::Groth16;
use clap::ValueEnum;
use sheaf_circuits::batch::batch;
use sheaf_circuits::groth16;
use sheaf_circuits::keys::KeySet;
use sheaf_circuits::matrices::{Matrices, Replay};
use sheaf_circuits::prove::{Blinding, Proof};
use sheaf_circuits::r1cs::{Builder, Mode};
use sheaf_circuits::witness::Private;
use sheaf_core::F;
use sheaf_core::trace::BatchWitness;
use std::fs;
use std::time::{Duration, Instant};
use taceo_groth16::{ConstraintMatrices, LibSnarkReduction};

/// A way from a batch's assignment to its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Prover {
    /// `ark_groth16` as its documentation says: the circuit is synthesised for every proof.
    Stock,
    /// `ark_groth16` with kept matrices.
    StockMatrices,
    /// `taceo_groth16` with kept matrices.
    Taceo,
    /// Sheaf's own assembly, with kept matrices.
    Sheaf,
}

impl Prover {
    pub(crate) const ALL: [Self; 4] = [Self::Stock, Self::StockMatrices, Self::Taceo, Self::Sheaf];

    /// As the table and the JSON name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::StockMatrices => "stock_matrices",
            Self::Taceo => "taceo",
            Self::Sheaf => "sheaf",
        }
    }

    /// Makes the proof in the current thread pool. What a prover wants in a form of its own, it is given untimed.
    ///
    /// # Errors
    /// If the prover refuses its input.
    pub(crate) fn run(self, keys: &KeySet, witness: &BatchWitness, values: &[F], blinding: Blinding) -> Result<(Proof, Run)> {
        let KeySet { proving_key: key, matrices, quotient, .. } = keys;
        let Blinding { r, s } = blinding;
        match self {
            Self::Stock => {
                let circuit = circuit(witness);
                timed(|| Groth16::<Bn254>::create_proof_with_reduction(Replay(&circuit), key, r, s).map_err(Into::into))
            }
            Self::StockMatrices => timed(|| {
                let (inputs, rows) = (matrices.input_count, matrices.row_count());
                let sides = &matrices.sides;
                let proof = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(key, r, s, sides, inputs, rows, values);
                proof.map_err(Into::into)
            }),
            Self::Taceo => {
                let matrices = theirs(matrices);
                timed(|| {
                    let proof = taceo_groth16::Groth16::<Bn254>::prove::<LibSnarkReduction>(key, r, s, &matrices, values);
                    proof.map_err(|error| anyhow!("{error}"))
                })
            }
            Self::Sheaf => timed(|| Ok(groth16::prove(key, (matrices, quotient), values, blinding, &mut |_| {}).0)),
        }
    }
}

/// What a proof took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) time: Duration,
    /// CPU time of all threads together.
    pub(crate) cpu: Duration,
    /// The most memory that this process held meanwhile, in bytes.
    pub(crate) memory_bytes_max: u64,
}

fn timed(prove: impl FnOnce() -> Result<Proof>) -> Result<(Proof, Run)> {
    // 5 sets the high-water mark back to what is held now.
    fs::write("/proc/self/clear_refs", "5").context("writing /proc/self/clear_refs")?;
    let (cpu, started) = (cpu::own(), Instant::now());
    let proof = prove()?;
    let time = started.elapsed();
    Ok((proof, Run { time, cpu: cpu::own().saturating_sub(cpu), memory_bytes_max: memory_bytes_max()? }))
}

/// `VmHWM` of this process.
fn memory_bytes_max() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// The batch as rows with values, for the prover that synthesises the circuit itself.
fn circuit(witness: &BatchWitness) -> Builder {
    let mut b = Builder::new(Mode::Check);
    batch(&mut b, witness.geometry, &witness.shape, &witness.public_inputs(), &Private::from(witness));
    b
}

fn theirs(matrices: &Matrices) -> ConstraintMatrices<F> {
    let entries = |side: usize| matrices.sides[side].iter().map(Vec::len).sum();
    ConstraintMatrices {
        num_instance_variables: matrices.input_count,
        num_witness_variables: matrices.variable_count - matrices.input_count,
        num_constraints: matrices.row_count(),
        a_num_non_zero: entries(0),
        b_num_non_zero: entries(1),
        c_num_non_zero: entries(2),
        a: matrices.sides[0].clone(),
        b: matrices.sides[1].clone(),
        c: matrices.sides[2].clone(),
    }
}
