// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {AmountZero, InsufficientValue, KeyHashOutOfRange, OwnerOutOfRange, QueueMismatch} from "./Errors.sol";
import {SCALAR_MODULUS} from "./Field.sol";
import {Operations} from "./Operations.sol";
import {Vault} from "./Vault.sol";

/// @title The queue of operations from L1, which batches must take in its order
/// @notice An entry is one storage slot: the upper 224 bits of its preimage's hash and a 32-bit deadline (unix
/// seconds). The preimage is the operation's posted words with the fields zeroed that are the operator's to fill in.
abstract contract Queue is Vault {
    /// @dev The operator must process an entry within this time...
    uint256 internal constant DEADLINE_DELAY = 14 days;
    /// @dev ...or within this time of the entry before it: more than twice what proving a lone entry takes, so that
    /// filling the queue can't make the operator late.
    uint256 internal constant DEADLINE_STEP = 2 minutes;

    /// @dev All that moves with a batch besides the root, in one storage slot.
    struct Progress {
        uint64 batchNumber;
        uint64 queueHead;
        uint64 queueTail;
        uint32 lastTimestamp;
        uint32 lastDeadline;
    }

    Progress internal _progress;

    /// @notice The entries that are not yet processed, by index.
    mapping(uint64 index => uint256) public queue;

    /// @notice What an entry costs, in wei. It goes to the operator.
    uint128 public immutable queueFee;

    event OperationQueued(
        uint64 indexed index,
        uint8 op,
        address indexed sender,
        uint168 core,
        address aux1,
        uint256 aux2,
        uint32 deadline
    );

    constructor(uint256 baseFee) {
        queueFee = SafeCast.toUint128(baseFee);
    }

    /// @notice The index of the first entry that is not yet processed.
    function queueHead() external view returns (uint64) {
        return _progress.queueHead;
    }

    /// @notice The index that the next entry will get.
    function queueTail() external view returns (uint64) {
        return _progress.queueTail;
    }

    /// @notice Deposits for (owner, key hash). An ERC-20's amount is what arrives. `msg.value` covers the queue's fee
    /// and, for ETH, the amount; what is above becomes the caller's claimable.
    /// @param owner An L1 address as the integer that it is in the state. It is no ABI `address`, so that one of more
    /// than 160 bits is refused by name here and not without a word by the decoder.
    function deposit(uint8 token, uint128 amount, uint256 owner, uint256 keyHash) external payable nonReentrant {
        _checkListed(token);
        if (owner == 0 || owner > type(uint160).max) revert OwnerOutOfRange(owner);
        _checkKeyHash(keyHash);
        if (token == ETH) {
            _takeValue(amount);
        } else {
            _takeValue(0);
            amount = _pull(token, amount);
        }
        if (amount == 0) revert AmountZero();
        _append(Operations.DEPOSIT, Operations.l1Core(Operations.DEPOSIT, token, 0, amount), address(uint160(owner)), keyHash);
    }

    /// @notice Replaces the key hash of an account that the caller owns; without effect on any other account.
    function setKey(uint24 account, uint256 keyHash) external payable nonReentrant {
        _checkKeyHash(keyHash);
        _takeValue(0);
        uint256 core = Operations.SET_KEY | uint256(account) << Operations.ACCOUNT_SHIFT;
        _append(Operations.SET_KEY, core, msg.sender, keyHash);
    }

    /// @notice Lets the whole balance of a token leave an account that the caller owns; nothing leaves any other.
    function requestExit(uint24 account, uint8 token) external payable nonReentrant {
        _checkListed(token);
        _takeValue(0);
        _append(Operations.FORCED_EXIT, Operations.l1Core(Operations.FORCED_EXIT, token, account, 0), msg.sender, 0);
    }

    /// @dev Takes the entry at `index` off the queue if it is this operation.
    function _take(uint64 index, uint64 tail, Operations.L1Operation memory operation) internal {
        // The hash's upper 224 bits on both sides; what is below is the deadline.
        bool matches = uint256(Operations.entryHash(operation)) >> 32 == queue[index] >> 32;
        if (index >= tail || !matches) revert QueueMismatch(index);
        delete queue[index];
    }

    function _append(uint256 op, uint256 core, address aux1, uint256 aux2) private {
        Progress memory progress = _progress;
        uint64 index = progress.queueTail;
        uint256 earliest = block.timestamp + DEADLINE_DELAY;
        uint256 next = progress.lastDeadline + DEADLINE_STEP;
        // Saturates: a queue so long that deadlines leave their 32 bits must still take entries.
        uint32 deadline = uint32(Math.min(Math.max(earliest, next), type(uint32).max));

        uint256 hash = uint256(Operations.preimageHash(core, uint160(aux1), aux2));
        queue[index] = (hash >> 32 << 32) | deadline;
        progress.queueTail = index + 1;
        progress.lastDeadline = deadline;
        _progress = progress;
        emit OperationQueued(index, uint8(op), msg.sender, uint168(core), aux1, aux2, deadline);
    }

    /// @dev Takes `msg.value`: `amount` stays for the state, the fee goes to the operator, the rest back to the caller.
    function _takeValue(uint256 amount) private {
        uint256 required = queueFee + amount;
        if (msg.value < required) revert InsufficientValue(required, msg.value);
        _hold(ETH, msg.value);
        _credit(operator, ETH, queueFee);
        _credit(msg.sender, ETH, uint128(msg.value - required));
    }

    function _checkKeyHash(uint256 keyHash) private pure {
        if (keyHash == 0 || keyHash >= SCALAR_MODULUS) revert KeyHashOutOfRange(keyHash);
    }
}
