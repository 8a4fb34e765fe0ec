//! A chain in memory: the EVM with its precompiles, accounts and a clock that the test sets.

use alloy::primitives::{Address, Bytes, Log, TxKind, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use revm::context::result::{ExecutionResult, Output};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{MainnetContext, MainnetEvm};
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, Bytecode};
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext};

/// The chain id that local test chains have.
pub(crate) const TEST_CHAIN_ID: u64 = 31_337;
/// When the chain begins, unix seconds.
pub(crate) const GENESIS_TIME: u64 = 1_800_000_000;
/// EIP-7825 lets a transaction have 2^24.
const GAS_LIMIT: u64 = 15_000_000;

/// What a transaction that went through left.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) gas_used: u64,
    /// What it must be given: without the refund.
    pub(crate) gas_needed: u64,
    pub(crate) logs: Vec<Log>,
    pub(crate) created: Option<Address>,
}

impl Receipt {
    /// The events of one kind, in order.
    pub(crate) fn events<E: SolEvent>(&self) -> Vec<E> {
        self.logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
    }

    /// The only event of its kind.
    pub(crate) fn event<E: SolEvent>(&self) -> E {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "events of {}", E::SIGNATURE);
        events.remove(0)
    }
}

/// What a transaction came to: a receipt, or the data that it reverted with.
pub(crate) type Outcome = Result<Receipt, Bytes>;

/// Asserts that a transaction was refused with one error, by its selector, and decodes it.
#[track_caller]
pub(crate) fn refusal<E: SolError>(outcome: &Outcome) -> E {
    let data = outcome.as_ref().expect_err("the transaction must be refused");
    let what = sheaf_contracts::decode_revert(data);
    assert_eq!(data.get(..4), Some(E::SELECTOR.as_slice()), "expected {}, got {what:?} {data}", E::SIGNATURE);
    E::abi_decode(data).expect("the error's fields")
}

/// The chain.
pub(crate) struct Chain {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
}

impl Chain {
    /// Starts an empty chain at [`GENESIS_TIME`].
    pub(crate) fn new(chain_id: u64) -> Self {
        let context = Context::mainnet().with_db(CacheDB::new(EmptyDB::default())).modify_cfg_chained(|cfg| {
            *cfg = CfgEnv::new_with_spec(SpecId::OSAKA).with_chain_id(chain_id);
            cfg.disable_nonce_check = true;
        });
        let mut chain = Self { evm: context.build_mainnet() };
        chain.set_time(GENESIS_TIME);
        chain
    }

    /// Sets the block's timestamp, unix seconds.
    pub(crate) fn set_time(&mut self, timestamp: u64) {
        let number = self.evm.ctx.block.number + U256::from(1);
        self.evm.ctx.block = BlockEnv { timestamp: U256::from(timestamp), number, ..BlockEnv::default() };
    }

    /// The block's timestamp, unix seconds.
    pub(crate) fn time(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    /// Sets an account's balance, and takes any code away.
    pub(crate) fn fund(&mut self, account: Address, wei: u128) {
        let info = AccountInfo { balance: U256::from(wei), ..AccountInfo::default() };
        self.evm.ctx.journaled_state.database.insert_account_info(account, info);
    }

    /// Sets an account's code, leaving its balance.
    pub(crate) fn set_code(&mut self, account: Address, code: Bytecode) {
        let database = &mut self.evm.ctx.journaled_state.database;
        let mut info = database.load_account(account).expect("no database errors").info.clone();
        info.code_hash = code.hash_slow();
        info.code = Some(code);
        database.insert_account_info(account, info);
    }

    /// An account's balance in wei.
    pub(crate) fn balance(&mut self, account: Address) -> u128 {
        let account = self.evm.ctx.journaled_state.database.load_account(account).expect("no database errors");
        account.info.balance.to()
    }

    /// Deploys a contract.
    pub(crate) fn deploy(&mut self, from: Address, init_code: Bytes) -> Result<Address, Bytes> {
        let receipt = self.transact(from, TxKind::Create, 0, init_code)?;
        Ok(receipt.created.expect("a contract was created"))
    }

    /// The gas that a transaction uses.
    pub(crate) fn gas(&mut self, from: Address, kind: TxKind, wei: u128, data: Bytes) -> u64 {
        self.transact(from, kind, wei, data).expect("the transaction goes through").gas_used
    }

    /// Sends a call.
    pub(crate) fn send(&mut self, from: Address, to: Address, wei: u128, call: &impl SolCall) -> Outcome {
        self.transact(from, TxKind::Call(to), wei, call.abi_encode().into())
    }

    /// Makes a call that changes nothing and answers what it returns.
    #[track_caller]
    pub(crate) fn view<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let tx = tx(Address::ZERO, TxKind::Call(to), 0, call.abi_encode().into());
        let result = self.evm.transact(tx).expect("a valid transaction").result;
        assert!(result.is_success(), "{} failed: {result:?}", C::SIGNATURE);
        C::abi_decode_returns(result.output().expect("a success has output")).expect("the returned fields")
    }

    fn transact(&mut self, from: Address, kind: TxKind, wei: u128, data: Bytes) -> Outcome {
        match self.evm.transact_commit(tx(from, kind, wei, data)).expect("a valid transaction") {
            ExecutionResult::Success { gas, logs, output, .. } => {
                let created = match &output {
                    Output::Create(_, address) => *address,
                    Output::Call(_) => None,
                };
                let gas_needed = gas.total_gas_spent().max(gas.floor_gas());
                Ok(Receipt { gas_used: gas.tx_gas_used(), gas_needed, logs, created })
            }
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { reason, .. } => panic!("the transaction halted: {reason:?}"),
        }
    }
}

fn tx(from: Address, kind: TxKind, wei: u128, data: Bytes) -> TxEnv {
    TxEnv { caller: from, kind, value: U256::from(wei), data, gas_limit: GAS_LIMIT, chain_id: None, ..TxEnv::default() }
}
