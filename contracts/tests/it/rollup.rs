//! A deployed contract with its accounts, and honest batches for it.

use alloy::primitives::aliases::U24;
use alloy::primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolConstructor};
use ark_ff::{PrimeField, Zero};
use sheaf_contracts::{Deployment, Sheaf, TestToken, owner_word};
use sheaf_core::F;
use sheaf_core::batch::{PublicData, evaluate_at};
use sheaf_core::l1;
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId, field_from_u256, field_to_bytes, u256_from_field};

use crate::arbitrary::L1Request;
use crate::chain::{Chain, Outcome, Receipt, TEST_CHAIN_ID};
use crate::simulator::Simulator;

pub(crate) const ADMIN: Address = address!("00000000000000000000000000000000000ad314");
pub(crate) const OPERATOR: Address = address!("0000000000000000000000000000000000009e4a");
pub(crate) const ALICE: Address = address!("000000000000000000000000000000000000a11c");
pub(crate) const BOB: Address = address!("0000000000000000000000000000000000000b0b");
pub(crate) const CAROL: Address = address!("00000000000000000000000000000000000ca401");

/// What an entry of the queue costs, in wei.
pub(crate) const FEE: u128 = 50_000;
/// What the accounts begin with.
pub(crate) const WEALTH: u128 = 1_000_000_000_000_000_000_000;
/// The slots of the shapes.
pub(crate) const SLOTS: [u16; 2] = [16, 1_024];

/// The modulus of the scalar field.
pub(crate) fn modulus() -> U256 {
    U256::from_limbs(F::MODULUS.0)
}

/// The modulus of the base field.
pub(crate) fn base_modulus() -> U256 {
    U256::from_limbs(ark_bn254::Fq::MODULUS.0)
}

/// The arguments of an honest deployment.
pub(crate) fn deployment(simulator: &Simulator) -> Deployment {
    Deployment {
        admin: ADMIN,
        operator: OPERATOR,
        genesis_root: U256::from(7),
        base_fee_wei: FEE,
        transcript: B256::ZERO,
        key: simulator.key(),
        shapes: simulator.shapes(),
    }
}

/// A chain with the contract on it.
pub(crate) struct Rollup {
    pub(crate) chain: Chain,
    pub(crate) sheaf: Address,
    pub(crate) simulator: Simulator,
}

impl Rollup {
    /// Deploys the contract and funds the accounts.
    pub(crate) fn new() -> Self {
        let mut chain = Chain::new(TEST_CHAIN_ID);
        for account in [ADMIN, OPERATOR, ALICE, BOB, CAROL] {
            chain.fund(account, WEALTH);
        }
        let simulator = Simulator::new(&SLOTS);
        let sheaf = chain.deploy(ADMIN, deployment(&simulator).init_code()).expect("the contract deploys");
        Self { chain, sheaf, simulator }
    }

    /// Sends a call to the contract.
    pub(crate) fn send(&mut self, from: Address, wei: u128, call: &impl SolCall) -> Outcome {
        self.chain.send(from, self.sheaf, wei, call)
    }

    /// Reads from the contract.
    #[track_caller]
    pub(crate) fn view<C: SolCall>(&mut self, call: C) -> C::Return {
        self.chain.view(self.sheaf, &call)
    }

    /// What is claimable.
    pub(crate) fn claimable(&mut self, owner: Address, token: u8) -> u128 {
        self.view(Sheaf::claimableCall { owner, token })
    }

    /// Deploys a [`TestToken`], lists it, and gives each account 2^128 - 1 of it, approved. Answers its number.
    pub(crate) fn list_token(&mut self) -> (u8, Address) {
        let arguments = TestToken::constructorCall { name: "Test".into(), symbol: "TST".into() }.abi_encode();
        let code = [TestToken::BYTECODE.to_vec(), arguments].concat();
        let erc20 = self.chain.deploy(ADMIN, code.into()).expect("the token deploys");
        (self.list(erc20), erc20)
    }

    /// Lists a token with `TestToken`'s functions and gives the accounts of it. Answers its number.
    pub(crate) fn list(&mut self, erc20: Address) -> u8 {
        let receipt = self.send(ADMIN, 0, &Sheaf::listTokenCall { erc20 }).expect("the token is listed");
        for account in [ALICE, BOB, CAROL] {
            let amount = U256::from(u128::MAX);
            self.chain.send(account, erc20, 0, &TestToken::mintCall { to: account, amount }).expect("minted");
            let approve = TestToken::approveCall { spender: self.sheaf, value: U256::MAX };
            self.chain.send(account, erc20, 0, &approve).expect("approved");
        }
        receipt.event::<Sheaf::TokenListed>().token
    }

    /// Deposits ETH with exactly the value that it takes.
    pub(crate) fn deposit_eth(&mut self, from: Address, owner: Address, amount: u128, key_hash: u64) -> Receipt {
        let call = deposit_call(0, amount, owner, U256::from(key_hash));
        self.send(from, FEE + amount, &call).expect("the deposit is taken")
    }

    /// Queues a request, and answers the operation that settles it.
    pub(crate) fn request(&mut self, caller: Address, request: &L1Request) -> Operation {
        let word = |value: F| U256::from_be_bytes(field_to_bytes(value));
        let eth = TokenId::ETH.word();
        match *request {
            L1Request::Deposit { amount, owner, key_hash, credited_to } => {
                let call = deposit_call(0, amount, owner, word(key_hash));
                self.send(caller, FEE + amount, &call).expect("the deposit is queued");
                match credited_to {
                    Some(account) => Operation::Deposit { account, token: eth, amount, owner, key_hash },
                    None => Operation::DepositRefund { token: eth, amount, owner, key_hash },
                }
            }
            L1Request::SetKey { account, key_hash } => {
                let call = Sheaf::setKeyCall { account: U24::from(account.get()), keyHash: word(key_hash) };
                self.send(caller, FEE, &call).expect("the key change is queued");
                Operation::SetKey { account, caller, key_hash }
            }
            L1Request::Exit { account, amount } => {
                let call = Sheaf::requestExitCall { account: U24::from(account.get()), token: 0 };
                self.send(caller, FEE, &call).expect("the exit is queued");
                Operation::ForcedExit { account, token: eth, amount, caller }
            }
        }
    }

    /// The public data of a batch of `operations` that follows the last one.
    pub(crate) fn public_data(&mut self, operations: &[Operation]) -> PublicData {
        let old_root = self.view(Sheaf::rootCall {});
        let number = self.view(Sheaf::batchNumberCall {});
        PublicData {
            domain: l1::domain(TEST_CHAIN_ID, self.sheaf),
            old_root: field(old_root),
            new_root: F::from_be_bytes_mod_order(keccak256(format!("root {number}")).as_slice()),
            timestamp: u32::try_from(self.chain.time()).expect("before 2106"),
            fee_account: AccountId::FIRST,
            operations: operations.to_vec(),
        }
    }

    /// A proven batch that follows the last one. Its proof says what the native code computes from the operations.
    pub(crate) fn batch(&mut self, operations: &[Operation]) -> Sheaf::Batch {
        let data = self.public_data(operations);
        self.batch_of(u8::from(operations.len() > usize::from(SLOTS[0])), &data)
    }

    /// Proven batches that follow the last one and each other, each of a shape and operations.
    pub(crate) fn batches(&mut self, contents: &[(u8, Vec<Operation>)]) -> Vec<Sheaf::Batch> {
        let mut batches: Vec<Sheaf::Batch> = Vec::new();
        for (i, (shape, operations)) in contents.iter().enumerate() {
            let mut data = self.public_data(operations);
            if let Some(last) = batches.last() {
                data.old_root = field(last.newRoot);
                data.new_root = F::from_be_bytes_mod_order(keccak256(format!("root {:?} and {i}", last.newRoot)).as_slice());
            }
            batches.push(self.batch_of(*shape, &data));
        }
        batches
    }

    /// The batch of this public data, proven.
    pub(crate) fn batch_of(&mut self, shape: u8, data: &PublicData) -> Sheaf::Batch {
        let c = F::from_be_bytes_mod_order(keccak256(format!("{data:?}")).as_slice());
        let shape_of =
            sheaf_core::shape::Shape { id: shape, slots: usize::from(SLOTS[usize::from(shape)]), leaf_rows: 0, node_rows: 0 };
        let inputs = data.public_inputs(&shape_of, c).to_array();
        Sheaf::Batch {
            shape,
            header: sheaf_core::batch::header(data.timestamp, data.fee_account),
            oldRoot: u256_from_field(data.old_root),
            newRoot: u256_from_field(data.new_root),
            c: u256_from_field(c),
            l1Count: u16::try_from(l1::l1_count(&data.operations)).expect("few operations"),
            opCount: u16::try_from(data.operations.len()).expect("few operations"),
            ops: l1::posted(&data.operations).into(),
            proof: self.simulator.prove(shape, inputs),
        }
    }

    /// Proves a batch as it stands, well-formed or not, for slots of these words: what an attacker would want to have.
    pub(crate) fn reprove(&mut self, batch: &mut Sheaf::Batch, slots: &[[F; 3]]) {
        let domain = l1::domain(TEST_CHAIN_ID, self.sheaf);
        let x = challenge(domain, batch);
        let header = [domain, reduce(batch.oldRoot), reduce(batch.newRoot), F::from(batch.header)];
        let y = evaluate_at(&[&header, slots.as_flattened()].concat(), x);
        let shape = batch.shape.min(1);
        batch.proof = self.simulator.prove(shape, [reduce(batch.c), x, y]);
    }

    /// Submits a batch as the operator.
    pub(crate) fn submit(&mut self, batch: &Sheaf::Batch) -> Outcome {
        self.submit_all(std::slice::from_ref(batch))
    }

    /// Submits batches with one call as the operator.
    pub(crate) fn submit_all(&mut self, batches: &[Sheaf::Batch]) -> Outcome {
        self.send(OPERATOR, 0, &Sheaf::submitCall { batches: batches.to_vec() })
    }

    /// Submits a batch of these operations.
    #[track_caller]
    pub(crate) fn settle(&mut self, operations: &[Operation]) -> Receipt {
        let batch = self.batch(operations);
        let outcome = self.submit(&batch);
        outcome.unwrap_or_else(|data| panic!("refused: {:?} {data}", sheaf_contracts::decode_revert(&data)))
    }
}

/// A deposit's call.
pub(crate) fn deposit_call(token: u8, amount: u128, owner: Address, key_hash: U256) -> Sheaf::depositCall {
    Sheaf::depositCall { token, amount, owner: owner_word(owner), keyHash: key_hash }
}

/// The challenge of a batch as it stands, in the contract's words and not by way of [`PublicData`].
pub(crate) fn challenge(domain: F, batch: &Sheaf::Batch) -> F {
    let preimage = [
        &[batch.shape],
        field_to_bytes(domain).as_slice(),
        &batch.oldRoot.to_be_bytes::<32>(),
        &batch.newRoot.to_be_bytes::<32>(),
        &batch.header.to_be_bytes(),
        &batch.l1Count.to_be_bytes(),
        &batch.opCount.to_be_bytes(),
        &batch.c.to_be_bytes::<32>(),
        &batch.ops,
    ]
    .concat();
    F::from_be_bytes_mod_order(keccak256(preimage).as_slice())
}

/// An integer below p as an element.
pub(crate) fn field(value: U256) -> F {
    field_from_u256(value).expect("below the modulus")
}

/// An integer modulo p.
fn reduce(value: U256) -> F {
    F::from_be_bytes_mod_order(&value.to_be_bytes::<32>())
}

/// The three words of a padding slot.
pub(crate) fn padding() -> [F; 3] {
    [F::zero(); 3]
}
