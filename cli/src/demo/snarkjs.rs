//! A batch's proof before a verifier that shares no code with Sheaf.
//!
//! Everything comes from L1: the keys from the transaction that made the contract, the batch from the
//! one that settled it.

use super::l1::L1;
use alloy::consensus::Transaction as _;
use alloy::primitives::{B256, U256};
use alloy::providers::Provider;
use alloy::sol_types::{SolCall, SolConstructor, SolType};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sheaf_contracts::Sheaf;
use sheaf_core::batch::PublicData;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::{AccountId, field_from_u256, u256_from_field};
use std::path::Path;
use tokio::process::Command;

/// The constructor's arguments; the last two are the keys.
type Parameters<'a> = <Sheaf::constructorCall as SolConstructor>::Parameters<'a>;

/// A key, the public inputs and a proof, as `snarkjs` reads them.
#[derive(Clone, Debug)]
pub struct Case {
    key: Value,
    inputs: Vec<U256>,
    proof: [U256; 8],
}

impl Case {
    /// Reads a batch, told by the root after it, and its key back from L1. `shape` gives the number of slots.
    ///
    /// # Errors
    /// If L1 does not have them.
    pub async fn from_l1(l1: &L1, creation: B256, (settling, new_root): (B256, U256), shape: &Shape) -> Result<Self> {
        let call = Sheaf::submitCall::abi_decode(&input(l1, settling).await?)?;
        let batch = call.batches.into_iter().find(|b| b.newRoot == new_root).context("the batch is not in its call")?;
        let code = input(l1, creation).await?;
        let arguments = code.get(Sheaf::BYTECODE.len()..).context("the contract was made from other code")?;
        let (.., shared, shapes) = <Parameters<'_> as SolType>::abi_decode_params(arguments)?;
        let own = shapes.get(usize::from(batch.shape)).context("the batch's shape is not in the contract")?;
        Ok(Self { key: key(&shared, own), inputs: inputs(l1, &batch, shape)?, proof: batch.proof })
    }

    /// The same with one bit of a public input changed.
    pub fn changed(&self) -> Self {
        let mut changed = self.clone();
        changed.inputs[0] ^= U256::from(1);
        changed
    }

    /// Asks `snarkjs` (through `script`) whether the proof holds; writes its files to `dir`.
    ///
    /// # Errors
    /// If it could not be asked: anything but its plain yes or no.
    pub async fn verify(&self, script: &Path, dir: &Path) -> Result<bool> {
        let decimal: Vec<String> = self.inputs.iter().map(U256::to_string).collect();
        let files = [("vk.json", &self.key), ("public.json", &json!(decimal)), ("proof.json", &proof(&self.proof))];
        tokio::fs::create_dir_all(dir).await?;
        for (name, value) in files {
            tokio::fs::write(dir.join(name), serde_json::to_vec_pretty(value)?).await?;
        }
        let output = Command::new("node")
            .arg(script)
            .args(files.map(|(name, _)| dir.join(name)))
            .output()
            .await
            .context("node can't be started")?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => bail!("snarkjs could not be asked: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

async fn input(l1: &L1, hash: B256) -> Result<Vec<u8>> {
    let transaction = l1.provider.get_transaction_by_hash(hash).await?.context("L1 does not know the transaction")?;
    Ok(transaction.input().to_vec())
}

/// The public inputs c, x, y, computed from the posted bytes.
fn inputs(l1: &L1, batch: &Sheaf::Batch, shape: &Shape) -> Result<Vec<U256>> {
    let field = |value| field_from_u256(value).context("a word outside the field");
    let data = PublicData {
        domain: domain(l1.chain_id, l1.contract),
        old_root: field(batch.oldRoot)?,
        new_root: field(batch.newRoot)?,
        timestamp: batch.header as u32,
        fee_account: AccountId::new((batch.header >> 32) as u32).context("a fee account out of range")?,
        operations: Operation::decode_all(&batch.ops, batch.l1Count.into(), batch.opCount.into())?,
    };
    Ok(data.public_inputs(shape, field(batch.c)?).to_array().map(u256_from_field).to_vec())
}

/// From the contract's words: its G2 points have the imaginary part first, `snarkjs`' have it last.
fn key(shared: &Sheaf::VerifyingKey, shape: &Sheaf::Shape) -> Value {
    let ic: Vec<Value> = shape.ic.chunks(2).map(|p| g1(p[0], p[1])).collect();
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": ic.len() - 1,
        "vk_alpha_1": g1(shared.alpha[0], shared.alpha[1]),
        "vk_beta_2": g2(shared.beta),
        "vk_gamma_2": g2(shared.gamma),
        "vk_delta_2": g2(shape.delta),
        "IC": ic,
    })
}

fn proof(words: &[U256; 8]) -> Value {
    let [ax, ay, bx1, bx0, by1, by0, cx, cy] = *words;
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "pi_a": g1(ax, ay),
        "pi_b": g2([bx1, bx0, by1, by0]),
        "pi_c": g1(cx, cy),
    })
}

fn g1(x: U256, y: U256) -> Value {
    json!([x.to_string(), y.to_string(), "1"])
}

fn g2([x1, x0, y1, y0]: [U256; 4]) -> Value {
    json!([[x0.to_string(), x1.to_string()], [y0.to_string(), y1.to_string()], ["1", "0"]])
}
