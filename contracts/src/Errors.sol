// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// One error for each cause. Whoever sees one can tell from its name alone what was wrong.

// ---- construction

/// @dev Development keys (transcript hash 0) on a chain that is not a local test chain.
error DevelopmentKeys(uint256 chainId);
/// @dev There must be 1 to 16 shapes.
error ShapeCountOutOfRange(uint256 count);
error ShapeWithoutSlots(uint256 shape);
/// @dev The point at infinity stands in a verifying key.
error KeyPointZero();
/// @dev A verifying key's point has a coordinate out of range, or is not on its curve or in its subgroup.
error KeyPointInvalid();
/// @dev An address that must not be zero is zero.
error AddressZero();

// ---- roles and tokens

error NotAdmin(address caller);
error NotOperator(address caller);
/// @dev A batch must come from a plain account directly, so that its data is always a transaction's input.
error CallerHasCode(address caller);
error TokenAlreadyListed(address erc20);
error TokenHasNoCode(address erc20);
/// @dev All 61 token numbers are in use.
error TokenListFull();
error UnlistedToken(uint8 token);

// ---- queue

/// @dev The owner is zero or has more than 160 bits.
error OwnerOutOfRange(uint256 owner);
/// @dev The key hash is zero or not below the scalar modulus.
error KeyHashOutOfRange(uint256 keyHash);
/// @dev Nothing is deposited, or nothing of it arrived.
error AmountZero();
/// @dev `msg.value` does not cover the queue's fee and the deposited ETH.
error InsufficientValue(uint256 required, uint256 sent);
/// @dev The contract would hold more of the token than 2^128 - 1.
error HoldingsCapExceeded(uint8 token, uint256 total);

// ---- batch: header and counts

/// @dev A call has to carry a batch.
error NoBatches();
error UnknownShape(uint8 shape);
/// @dev The batch does not follow the last accepted root.
error WrongOldRoot(uint256 expected, uint256 got);
error RootOutOfField(uint256 root);
error CommitmentOutOfField(uint256 commitment);
/// @dev A bit above the timestamp and the fee account is set.
error HeaderOutOfRange(uint64 header);
error TimestampBackwards(uint32 last, uint32 got);
/// @dev The timestamp is more than 3 days before, or more than 15 minutes after the block's.
error TimestampOutsideWindow(uint32 timestamp, uint256 blockTimestamp);
error TooManyOperations(uint16 operations, uint16 slots);
/// @dev More operations are said to come from L1 than there are operations.
error L1CountAboveTotal(uint16 l1Operations, uint16 operations);

// ---- batch: operations, by their place in the batch

error OperationDataTruncated(uint256 index);
error TrailingBytes(uint256 bytesLeft);
/// @dev The operation is not the one that the queue's head fixes, or the queue is at its end.
error QueueMismatch(uint64 index);
/// @dev An operation from L1 stands after the ones that the queue vouches for.
error L1OperationAmongL2(uint256 index);
/// @dev The code names no operation that can be posted.
error ReservedOperation(uint8 op);
/// @dev A posted word is not below the scalar modulus.
error WordOutOfField(uint256 index);
/// @dev What leaves names no token.
error TokenWordOutOfRange(uint8 word);

// ---- batch: proof

/// @dev The pairing precompile refused a point of the proof: a coordinate out of range, or not on its curve or in its subgroup.
error PointNotOnCurve();
/// @dev A precompile failed on what can't be wrong: it is missing, or the gas ran out.
error PrecompileFailed(uint256 precompile);
error InvalidProof();

// ---- withdrawals

/// @dev The hash over the prefix and the withdrawals never became the batch's.
error WithdrawalsMismatch(uint64 batch);
error NothingToClaim(address owner, uint8 token);
/// @dev The receiver refused the ETH.
error TransferFailed(address to);
