// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    L1OperationAmongL2,
    OperationDataTruncated,
    ReservedOperation,
    TokenWordOutOfRange,
    TrailingBytes,
    WordOutOfField
} from "./Errors.sol";
import {SCALAR_MODULUS, addProductMod, mulMod} from "./Field.sol";

/// @title The operations as they are posted, and the one pass over them
/// @notice A batch's public data is the vector W: domain, old root, new root, header, then three words (core, aux1,
/// aux2) for each slot. Posted is only what is not zero by the operation's kind:
///
///     Deposit, SetKey, DepositRefund   core (21 bytes), aux1 (20), aux2 (32)
///     ForcedExit                       core (21), aux1 (20)
///     Transfer                         core (14)
///     TransferNew                      core (14), aux1 (20), aux2 (32)
///     Withdraw                         core (14), aux1 (20)
///
/// Everything is big-endian. `core`, from the low bits up, has: op 4, token word 6, account or sender 24, and then from
/// L1: amount 128 bits; on L2: receiver 24, amount 40, fee 14.
library Operations {
    uint256 internal constant DEPOSIT = 1;
    uint256 internal constant SET_KEY = 2;
    uint256 internal constant FORCED_EXIT = 3;
    uint256 internal constant TRANSFER = 4;
    uint256 internal constant TRANSFER_NEW = 5;
    uint256 internal constant WITHDRAW = 6;
    uint256 internal constant DEPOSIT_REFUND = 10;

    uint256 internal constant ACCOUNT_SHIFT = 10;

    uint256 private constant OP_MASK = 0xf;
    uint256 private constant TOKEN_SHIFT = 4;
    uint256 private constant TOKEN_MASK = 0x3f;
    /// @dev Token 0's balance is word 3 of an account.
    uint256 private constant FIRST_TOKEN_WORD = 3;
    uint256 private constant ACCOUNT_FIELD = 0xffffff << ACCOUNT_SHIFT;
    uint256 private constant L1_AMOUNT_SHIFT = 34;
    uint256 private constant L1_AMOUNT_MASK = type(uint128).max;
    uint256 private constant MANTISSA_SHIFT = 58;
    uint256 private constant MANTISSA_MASK = (1 << 35) - 1;
    uint256 private constant EXPONENT_SHIFT = 93;
    uint256 private constant EXPONENT_MASK = 0x1f;

    /// @dev Two transfers in the low 28 bytes of a word: what the ops are masked with, and what is left then.
    uint256 private constant TWO_OP_MASKS = 0xf000000000000000000000000000f;
    uint256 private constant TWO_TRANSFERS = 0x40000000000000000000000000004;
    uint256 private constant L2_CORE_MASK = 0xffffffffffffffffffffffffffff;

    uint256 private constant L1_CORE_BYTES = 21;
    uint256 private constant L2_CORE_BYTES = 14;
    uint256 private constant AUX1_BYTES = 20;
    uint256 private constant AUX2_BYTES = 32;

    struct L1Operation {
        uint256 core;
        uint256 aux1;
        uint256 aux2;
        uint256 size;
    }

    /// @dev How far W is evaluated: the sum so far, and the power of x that the next word takes.
    struct Evaluation {
        uint256 x;
        /// What takes the power from one slot's first word to the next slot's.
        uint256 xCubed;
        uint256 power;
        uint256 sum;
    }

    /// @dev Begins the evaluation with the words that come before the slots.
    function begin(uint256 x, uint256 domain, uint256 oldRoot, uint256 newRoot, uint256 header)
        internal
        pure
        returns (Evaluation memory evaluation)
    {
        evaluation = Evaluation({x: x, xCubed: mulMod(mulMod(x, x), x), power: 1, sum: 0});
        _append(evaluation, domain, oldRoot, newRoot);
        evaluation.sum = addProductMod(evaluation.sum, header, evaluation.power);
        evaluation.power = mulMod(evaluation.power, x);
    }

    // ---- operations from L1

    /// @dev The word `core` of an operation from L1, token given by its number.
    function l1Core(uint256 op, uint256 token, uint256 account, uint256 amount) internal pure returns (uint256) {
        return op | (token + FIRST_TOKEN_WORD) << TOKEN_SHIFT | account << ACCOUNT_SHIFT | amount << L1_AMOUNT_SHIFT;
    }

    /// @dev Reads the operation from L1 at `position`, whose place in the batch is `index`.
    function readL1(bytes calldata ops, uint256 position, uint256 index)
        internal
        pure
        returns (L1Operation memory operation)
    {
        _checkLength(ops, position, L1_CORE_BYTES + AUX1_BYTES, index);
        operation.core = _word(ops, position) >> (256 - 8 * L1_CORE_BYTES);
        operation.aux1 = _word(ops, position + L1_CORE_BYTES) >> (256 - 8 * AUX1_BYTES);
        operation.size = L1_CORE_BYTES + AUX1_BYTES;
        if (operation.core & OP_MASK != FORCED_EXIT) {
            operation.size += AUX2_BYTES;
            _checkLength(ops, position, operation.size, index);
            operation.aux2 = _word(ops, position + L1_CORE_BYTES + AUX1_BYTES);
            if (operation.aux2 >= SCALAR_MODULUS) revert WordOutOfField(index);
        }
    }

    /// @dev Appends an operation from L1 to the evaluation.
    function evaluateL1(Evaluation memory evaluation, L1Operation memory operation) internal pure {
        _append(evaluation, operation.core, operation.aux1, operation.aux2);
    }

    /// @dev The hash of the queue entry that a posted operation from L1 takes: its words, with the operator's own
    /// fields zeroed. Those are a deposit's account and an exit's amount, nothing else.
    function entryHash(L1Operation memory operation) internal pure returns (bytes32) {
        uint256 core = operation.core;
        uint256 op = core & OP_MASK;
        if (op == DEPOSIT) {
            core &= ~ACCOUNT_FIELD;
        } else if (op == FORCED_EXIT) {
            core &= ~(L1_AMOUNT_MASK << L1_AMOUNT_SHIFT);
        } else if (op == DEPOSIT_REFUND) {
            core = (core & ~OP_MASK) | DEPOSIT;
        } else if (op != SET_KEY && (op < TRANSFER || op > WITHDRAW)) {
            revert ReservedOperation(uint8(op));
        }
        return preimageHash(core, operation.aux1, operation.aux2);
    }

    /// @dev keccak256(uint168 core, address aux1, uint256 aux2), packed: `abi.encodePacked` without the memory that it
    /// would leave behind for each operation.
    function preimageHash(uint256 core, uint256 aux1, uint256 aux2) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(88, core))
            mstore(add(free, 21), shl(96, aux1))
            mstore(add(free, 41), aux2)
            hash := keccak256(free, 73)
        }
    }

    // ---- operations of L2

    /// @dev Reads the operations `from` to `to` (exclusive), which begin at `position` and must fill the rest of `ops`.
    /// Answers the sum over all of W and the hash over what leaves with them.
    function evaluateL2(bytes calldata ops, uint256 position, uint256 from, uint256 to, Evaluation memory evaluation)
        internal
        pure
        returns (uint256 y, bytes32 leavingHash)
    {
        uint256 x = evaluation.x;
        uint256 xCubed = evaluation.xCubed;
        uint256 xTwelfth = mulMod(mulMod(xCubed, xCubed), mulMod(xCubed, xCubed));
        uint256 power = evaluation.power;
        uint256 start = position;
        y = evaluation.sum;
        // Positions stay below 2^16 times an operation's size, powers and sums below p.
        unchecked {
            for (uint256 index = from; index < to; index++) {
                // Transfers, by far the most, four and then one at a time. What they read past the end of `ops` is noticed
                // when all are read.
                assembly ("memory-safe") {
                    let at := add(ops.offset, position)
                    for {} iszero(gt(add(index, 4), to)) { index := add(index, 4) } {
                        let first := shr(32, calldataload(at))
                        let second := shr(32, calldataload(add(at, 28)))
                        if and(or(xor(first, TWO_TRANSFERS), xor(second, TWO_TRANSFERS)), TWO_OP_MASKS) { break }
                        // Horner's rule over x^3. Sums stay below p + 2^112.
                        let four := add(mulmod(and(second, L2_CORE_MASK), xCubed, SCALAR_MODULUS), shr(112, second))
                        four := add(mulmod(four, xCubed, SCALAR_MODULUS), and(first, L2_CORE_MASK))
                        four := add(mulmod(four, xCubed, SCALAR_MODULUS), shr(112, first))
                        y := addmod(y, mulmod(four, power, SCALAR_MODULUS), SCALAR_MODULUS)
                        power := mulmod(power, xTwelfth, SCALAR_MODULUS)
                        at := add(at, 56)
                    }
                    for {} lt(index, to) { index := add(index, 1) } {
                        let core := shr(144, calldataload(at))
                        if iszero(eq(and(core, OP_MASK), TRANSFER)) { break }
                        y := addmod(y, mulmod(core, power, SCALAR_MODULUS), SCALAR_MODULUS)
                        power := mulmod(power, xCubed, SCALAR_MODULUS)
                        at := add(at, L2_CORE_BYTES)
                    }
                    position := sub(at, ops.offset)
                }
                if (index == to) break;

                _checkLength(ops, position, L2_CORE_BYTES, index);
                uint256 core = _word(ops, position) >> (256 - 8 * L2_CORE_BYTES);
                uint256 op = core & OP_MASK;
                position += L2_CORE_BYTES;
                if (op != TRANSFER_NEW && op != WITHDRAW) _refuseL2(op, index);
                _checkLength(ops, position, AUX1_BYTES, index);
                uint256 aux1 = _word(ops, position) >> (256 - 8 * AUX1_BYTES);
                position += AUX1_BYTES;
                uint256 auxPower = mulMod(power, x);
                y = addProductMod(addProductMod(y, core, power), aux1, auxPower);
                if (op == WITHDRAW) {
                    leavingHash = _chainLeaving(leavingHash, aux1, core, _l2Amount(core));
                } else {
                    _checkLength(ops, position, AUX2_BYTES, index);
                    uint256 aux2 = _word(ops, position);
                    position += AUX2_BYTES;
                    if (aux2 >= SCALAR_MODULUS) revert WordOutOfField(index);
                    y = addProductMod(y, aux2, mulMod(auxPower, x));
                }
                power = mulMod(power, xCubed);
            }
            if (position > ops.length) revert OperationDataTruncated(_firstTruncated(ops, start, from));
            if (position != ops.length) revert TrailingBytes(ops.length - position);
        }
    }

    /// @dev The first operation of L2, of those from `index` at `position` on, that does not end within `ops`.
    function _firstTruncated(bytes calldata ops, uint256 position, uint256 index) private pure returns (uint256) {
        while (true) {
            uint256 op = _word(ops, position) >> (256 - 8 * L2_CORE_BYTES) & OP_MASK;
            position += L2_CORE_BYTES;
            if (op != TRANSFER) position += op == WITHDRAW ? AUX1_BYTES : AUX1_BYTES + AUX2_BYTES;
            if (position > ops.length) break;
            index++;
        }
        return index;
    }

    // ---- what leaves

    /// @dev Appends the exits and refunds among the first `count` operations, all from L1 and read before, to the hash
    /// over what leaves. They come last, so that they are peeled off first: nobody can bury them under withdrawals.
    function chainExitsAndRefunds(bytes calldata ops, uint256 count, bytes32 leavingHash)
        internal
        pure
        returns (bytes32)
    {
        uint256 position = 0;
        for (uint256 index = 0; index < count; index++) {
            L1Operation memory operation = readL1(ops, position, index);
            position += operation.size;
            uint256 op = operation.core & OP_MASK;
            if (op == FORCED_EXIT || op == DEPOSIT_REFUND) {
                uint256 amount = (operation.core >> L1_AMOUNT_SHIFT) & L1_AMOUNT_MASK;
                leavingHash = _chainLeaving(leavingHash, operation.aux1, operation.core, amount);
            }
        }
        return leavingHash;
    }

    /// @dev keccak256(hash, recipient, token number, amount), 32 bytes each: `abi.encode` without the memory that it
    /// would leave behind for each withdrawal.
    function chain(bytes32 hash, uint256 recipient, uint256 token, uint256 amount) internal pure returns (bytes32 next) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hash)
            mstore(add(free, 32), recipient)
            mstore(add(free, 64), token)
            mstore(add(free, 96), amount)
            next := keccak256(free, 128)
        }
    }

    function _chainLeaving(bytes32 hash, uint256 recipient, uint256 core, uint256 amount) private pure returns (bytes32) {
        if (amount == 0) return hash;
        uint256 word = (core >> TOKEN_SHIFT) & TOKEN_MASK;
        if (word < FIRST_TOKEN_WORD) revert TokenWordOutOfRange(uint8(word));
        return chain(hash, recipient, word - FIRST_TOKEN_WORD, amount);
    }

    /// @dev A decimal floating-point number. The proof says that it is below 2^128, as it is taken from a balance.
    function _l2Amount(uint256 core) private pure returns (uint256) {
        return ((core >> MANTISSA_SHIFT) & MANTISSA_MASK) * 10 ** ((core >> EXPONENT_SHIFT) & EXPONENT_MASK);
    }

    // ---- reading

    function _append(Evaluation memory evaluation, uint256 first, uint256 second, uint256 third) private pure {
        (uint256 x, uint256 power, uint256 sum) = (evaluation.x, evaluation.power, evaluation.sum);
        sum = addProductMod(sum, first, power);
        power = mulMod(power, x);
        sum = addProductMod(sum, second, power);
        power = mulMod(power, x);
        evaluation.sum = addProductMod(sum, third, power);
        evaluation.power = mulMod(power, x);
    }

    /// @dev The 32 bytes of calldata at `position`. The caller has checked the length of what it uses of them.
    function _word(bytes calldata ops, uint256 position) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(ops.offset, position))
        }
    }

    function _checkLength(bytes calldata ops, uint256 position, uint256 size, uint256 index) private pure {
        if (position + size > ops.length) revert OperationDataTruncated(index);
    }

    function _refuseL2(uint256 op, uint256 index) private pure {
        if (op == DEPOSIT || op == SET_KEY || op == FORCED_EXIT || op == DEPOSIT_REFUND) revert L1OperationAmongL2(index);
        revert ReservedOperation(uint8(op));
    }
}
