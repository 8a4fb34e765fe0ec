// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    CallerHasCode,
    CommitmentOutOfField,
    DevelopmentKeys,
    HeaderOutOfRange,
    L1CountAboveTotal,
    NoBatches,
    NotOperator,
    RootOutOfField,
    TimestampBackwards,
    TimestampOutsideWindow,
    TooManyOperations,
    UnknownShape,
    WrongOldRoot
} from "./Errors.sol";
import {SCALAR_MODULUS} from "./Field.sol";
import {Groth16, Shape, Statement, VerifyingKey} from "./Groth16.sol";
import {Operations} from "./Operations.sol";
import {Queue} from "./Queue.sol";
import {Roles} from "./Roles.sol";
import {Withdrawals} from "./Withdrawals.sol";

/// @title Sheaf: holds the funds and the roots
/// @notice A batch arrives with its proof or not at all, so there is no state that nobody has proven and nothing to
/// revert. Nothing is upgradable: the keys are fixed here, and a new shape or operation is a new contract.
contract Sheaf is Queue, Withdrawals {
    struct Batch {
        uint8 shape;
        /// Timestamp (the low 32 bits, unix seconds) and fee account (24 bits above it).
        uint64 header;
        uint256 oldRoot;
        uint256 newRoot;
        /// The prover's commitment to the public data and its private trace.
        uint256 c;
        /// How many of the operations, the first ones, are from L1.
        uint16 l1Count;
        /// How many operations there are.
        uint16 opCount;
        bytes ops;
        /// A, B and C in EIP-197's order: A.x A.y B.x1 B.x0 B.y1 B.y0 C.x C.y.
        uint256[8] proof;
    }

    uint256 private constant MAX_AGE = 3 days;
    uint256 private constant MAX_AHEAD = 15 minutes;
    uint256 private constant HEADER_BITS = 56;

    /// @notice What tells this deployment from every other in all that is signed and proven.
    uint256 public immutable domain;
    /// @notice The hash of the transcript of the ceremony that made the keys, 0 for development keys.
    bytes32 public immutable transcript;
    /// @notice The number of shapes. A shape's id is its place in the constructor's list.
    uint256 public immutable shapeCount;
    /// @dev Where the verifying keys are, see `Groth16`.
    address private immutable _keys;

    /// @notice The root of the state after the last accepted batch.
    uint256 public root;

    event BatchSubmitted(
        uint64 indexed number, uint256 oldRoot, uint256 newRoot, uint64 queueHead, bytes32 withdrawalsHash
    );

    constructor(
        address admin_,
        address operator_,
        uint256 genesisRoot,
        uint256 baseFee,
        bytes32 transcript_,
        VerifyingKey memory key,
        Shape[] memory shapes
    ) Roles(admin_, operator_) Queue(baseFee) {
        bool isTestChain = block.chainid == 31337 || block.chainid == 1337;
        if (transcript_ == 0 && !isTestChain) revert DevelopmentKeys(block.chainid);
        if (genesisRoot >= SCALAR_MODULUS) revert RootOutOfField(genesisRoot);
        domain = uint256(keccak256(abi.encode(block.chainid, address(this)))) % SCALAR_MODULUS;
        transcript = transcript_;
        shapeCount = shapes.length;
        _keys = Groth16.store(key, shapes);
        root = genesisRoot;
    }

    /// @notice The number of accepted batches, which is also the number of the last one.
    function batchNumber() external view returns (uint64) {
        return _progress.batchNumber;
    }

    /// @notice The timestamp in the last accepted batch's header, unix seconds.
    function lastTimestamp() external view returns (uint32) {
        return _progress.lastTimestamp;
    }

    /// @notice Accepts the batches that follow the last one, each on the one before it, if all their proofs hold.
    function submit(Batch[] calldata batches) external {
        _checkCaller();
        if (batches.length == 0) revert NoBatches();
        Statement[] memory statements = new Statement[](batches.length);
        Progress memory progress = _progress;
        uint256 current = root;
        for (uint256 i = 0; i < batches.length; i++) {
            _accept(batches[i], current, progress, statements[i]);
            current = batches[i].newRoot;
        }
        Groth16.verify(_keys, shapeCount, statements);
        _progress = progress;
        root = current;
    }

    /// @dev Does all that a batch does but for its proof, of which it fills in the statement.
    function _accept(Batch calldata batch, uint256 current, Progress memory progress, Statement memory statement)
        private
    {
        // First of all: what is no shape has no key, and must never be taken for one.
        if (batch.shape >= shapeCount) revert UnknownShape(batch.shape);
        _checkBatch(batch, current, progress.lastTimestamp, Groth16.slots(_keys, batch.shape));

        statement.shape = batch.shape;
        statement.c = batch.c;
        statement.x = _challenge(batch);
        statement.proof = batch.proof;
        bytes32 leaving;
        (statement.y, leaving) = _takeOperations(batch, progress, statement.x);

        progress.batchNumber++;
        progress.lastTimestamp = uint32(batch.header);
        if (leaving != 0) withdrawalsHash[progress.batchNumber] = leaving;
        emit BatchSubmitted(progress.batchNumber, batch.oldRoot, batch.newRoot, progress.queueHead, leaving);
    }

    /// @dev Goes through a batch's operations: answers the evaluation of its public data at x, and the hash over what
    /// leaves with it.
    function _takeOperations(Batch calldata batch, Progress memory progress, uint256 x)
        private
        returns (uint256 y, bytes32 leaving)
    {
        Operations.Evaluation memory evaluation =
            Operations.begin(x, domain, batch.oldRoot, batch.newRoot, batch.header);
        uint256 position = _takeL1Operations(batch, progress, evaluation);
        (y, leaving) = Operations.evaluateL2(batch.ops, position, batch.l1Count, batch.opCount, evaluation);
        leaving = Operations.chainExitsAndRefunds(batch.ops, batch.l1Count, leaving);
    }

    function _checkCaller() private view {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert CallerHasCode(msg.sender);
    }

    /// @dev Checks all of a batch that can be checked without its operations.
    function _checkBatch(Batch calldata batch, uint256 current, uint32 last, uint16 slots) private view {
        if (batch.oldRoot != current) revert WrongOldRoot(current, batch.oldRoot);
        if (batch.newRoot >= SCALAR_MODULUS) revert RootOutOfField(batch.newRoot);
        if (batch.c >= SCALAR_MODULUS) revert CommitmentOutOfField(batch.c);
        if (batch.header >> HEADER_BITS != 0) revert HeaderOutOfRange(batch.header);

        uint32 timestamp = uint32(batch.header);
        if (timestamp < last) revert TimestampBackwards(last, timestamp);
        if (timestamp + MAX_AGE < block.timestamp || timestamp > block.timestamp + MAX_AHEAD) {
            revert TimestampOutsideWindow(timestamp, block.timestamp);
        }

        if (batch.opCount > slots) revert TooManyOperations(batch.opCount, slots);
        if (batch.l1Count > batch.opCount) revert L1CountAboveTotal(batch.l1Count, batch.opCount);
    }

    /// @dev The point x at which the public data is evaluated. Every bit of W is in it, at fixed widths but for the
    /// last, and c, which fixes what the prover chooses besides; nothing of the block that carries the batch is.
    function _challenge(Batch calldata batch) private view returns (uint256) {
        bytes memory preimage = abi.encodePacked(
            batch.shape,
            domain,
            batch.oldRoot,
            batch.newRoot,
            batch.header,
            batch.l1Count,
            batch.opCount,
            batch.c,
            batch.ops
        );
        uint256 hash = uint256(keccak256(preimage));
        // Nothing needs it any more: give its memory back, which a call with many batches would pay for.
        assembly ("memory-safe") {
            mstore(0x40, preimage)
        }
        return hash % SCALAR_MODULUS;
    }

    /// @dev Takes the batch's operations from L1 off the queue and appends them to the evaluation. Answers where in
    /// the posted bytes they end.
    function _takeL1Operations(
        Batch calldata batch,
        Progress memory progress,
        Operations.Evaluation memory evaluation
    ) private returns (uint256 position) {
        for (uint256 index = 0; index < batch.l1Count; index++) {
            Operations.L1Operation memory operation = Operations.readL1(batch.ops, position, index);
            _take(progress.queueHead, progress.queueTail, operation);
            Operations.evaluateL1(evaluation, operation);
            position += operation.size;
            progress.queueHead++;
        }
    }
}
