// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CodeStorage} from "./CodeStorage.sol";
import {
    InvalidProof,
    KeyPointInvalid,
    KeyPointZero,
    PointNotOnCurve,
    PrecompileFailed,
    ShapeCountOutOfRange,
    ShapeWithoutSlots
} from "./Errors.sol";
import {BASE_MODULUS} from "./Field.sol";

/// @dev What all shapes share (one phase 1). Points of G2 in EIP-197's order: x1, x0, y1, y0.
struct VerifyingKey {
    uint256[2] alpha;
    uint256[4] beta;
    uint256[4] gamma;
}

/// @dev A shape's own part: its number of slots, delta, and the points IC0 to IC3, one for each public input and IC0
/// for the constant 1.
struct Shape {
    uint16 slots;
    uint256[4] delta;
    uint256[8] ic;
}

/// @title Groth16 over BN254 with the public inputs c, x and y
/// @notice A proof (A, B, C) holds if e(A, B) = e(alpha, beta) · e(L, gamma) · e(C, delta), where
/// L = IC0 + c·IC1 + x·IC2 + y·IC3. The keys are stored with beta, gamma and delta negated, so that the pairing
/// precompile is asked whether
///
///     e(A, B) · e(alpha, -beta) · e(L, -gamma) · e(C, -delta) = 1
///
/// and gets every point of the proof as it came: it is the precompile that refuses coordinates out of range and points
/// off the curve or outside the subgroup.
library Groth16 {
    // The keys are read into 33 words of memory: the pairing's input, with gaps for the proof and L, and behind it what
    // is needed to fill L in.
    //
    //     word   0  A     2  B
    //            6  alpha 8  -beta
    //           12  L    14  -gamma
    //           18  C    20  -delta
    //           24  IC0, IC1, IC2, IC3
    //           32  number of slots
    //
    // In code storage stand words 6 to 17 once (L's place empty), and then words 20 to 32 for each shape.
    uint256 private constant PAIRING_WORDS = 24;
    uint256 private constant SHARED_WORD = 6;
    uint256 private constant SHARED_WORDS = 12;
    uint256 private constant L_WORD = 12;
    uint256 private constant C_WORD = 18;
    uint256 private constant SHAPE_WORD = 20;
    uint256 private constant SHAPE_WORDS = 13;
    uint256 private constant IC_WORD = 24;
    uint256 private constant SLOTS_WORD = 32;

    /// @dev What a deploying transaction's gas has room for (EIP-7825).
    uint256 private constant MAX_SHAPES = 16;

    uint256 private constant EC_ADD = 6;
    uint256 private constant EC_MUL = 7;
    uint256 private constant PAIRING = 8;

    // ---- keys

    /// @dev Checks the keys and stores them for good.
    function store(VerifyingKey memory key, Shape[] memory shapes) internal returns (address) {
        if (shapes.length == 0 || shapes.length > MAX_SHAPES) revert ShapeCountOutOfRange(shapes.length);
        _checkG1(key.alpha[0], key.alpha[1]);
        _checkG2(key.beta);
        _checkG2(key.gamma);
        bytes memory data = abi.encode(key.alpha, _negate(key.beta), [uint256(0), 0], _negate(key.gamma));
        for (uint256 i = 0; i < shapes.length; i++) {
            Shape memory shape = shapes[i];
            if (shape.slots == 0) revert ShapeWithoutSlots(i);
            _checkG2(shape.delta);
            for (uint256 j = 0; j < 8; j += 2) {
                _checkG1(shape.ic[j], shape.ic[j + 1]);
            }
            data = abi.encodePacked(data, abi.encode(_negate(shape.delta), shape.ic, uint256(shape.slots)));
        }
        return CodeStorage.write(data);
    }

    /// @dev Reads a shape's key. The caller has checked that the shape exists: another one would read as zeros, and
    /// zeros are the point at infinity, with which A = alpha, B = beta, C = 0 proves anything.
    function load(address stored, uint8 shape) internal view returns (uint256[33] memory key) {
        CodeStorage.read(stored, 0, SHARED_WORDS, _pointer(key, SHARED_WORD));
        CodeStorage.read(stored, SHARED_WORDS + shape * SHAPE_WORDS, SHAPE_WORDS, _pointer(key, SHAPE_WORD));
    }

    /// @dev The number of slots of the shape whose key was read.
    function slots(uint256[33] memory key) internal pure returns (uint16) {
        return uint16(key[SLOTS_WORD]);
    }

    // ---- proofs

    /// @dev Reverts unless the proof holds for the public inputs, which the caller has checked to be below p.
    /// @param key A shape's key as `load` answers it, used up by this.
    /// @param proof A, B and C, 2 + 4 + 2 words in EIP-197's order.
    function verify(uint256[33] memory key, uint256[8] calldata proof, uint256 c, uint256 x, uint256 y) internal view {
        for (uint256 i = 0; i < 6; i++) {
            key[i] = proof[i];
        }
        (key[C_WORD], key[C_WORD + 1]) = (proof[6], proof[7]);
        (key[L_WORD], key[L_WORD + 1]) = _publicPoint(key, c, x, y);

        // The answer takes the place of the input's first word.
        uint256 input = _pointer(key, 0);
        if (!_run(PAIRING, input, PAIRING_WORDS, input, 1)) revert PointNotOnCurve();
        if (key[0] != 1) revert InvalidProof();
    }

    /// @dev L = IC0 + c·IC1 + x·IC2 + y·IC3.
    function _publicPoint(uint256[33] memory key, uint256 c, uint256 x, uint256 y)
        private
        view
        returns (uint256, uint256)
    {
        // Words 0 and 1 are the sum, 2 and 3 a point, 4 its factor.
        uint256[6] memory work;
        (work[0], work[1]) = (key[IC_WORD], key[IC_WORD + 1]);
        uint256[3] memory inputs = [c, x, y];
        for (uint256 i = 0; i < 3; i++) {
            (work[2], work[3], work[4]) = (key[IC_WORD + 2 * i + 2], key[IC_WORD + 2 * i + 3], inputs[i]);
            uint256 sum = _pointer(work);
            uint256 product = sum + 2 * 32;
            if (!_run(EC_MUL, product, 3, product, 2)) revert PrecompileFailed(EC_MUL);
            if (!_run(EC_ADD, sum, 4, sum, 2)) revert PrecompileFailed(EC_ADD);
        }
        return (work[0], work[1]);
    }

    // ---- points

    function _negate(uint256[4] memory point) private pure returns (uint256[4] memory) {
        return [point[0], point[1], _negate(point[2]), _negate(point[3])];
    }

    function _negate(uint256 coordinate) private pure returns (uint256) {
        return coordinate == 0 ? 0 : BASE_MODULUS - coordinate;
    }

    /// @dev The precompile that adds points takes them only in range and on the curve.
    function _checkG1(uint256 px, uint256 py) private view {
        if (px | py == 0) revert KeyPointZero();
        uint256[6] memory sum = [px, py, 0, 0, 0, 0];
        if (!_run(EC_ADD, _pointer(sum), 4, _pointer(sum), 2)) revert KeyPointInvalid();
    }

    /// @dev The pairing precompile takes points of G2 only in range, on the curve and in the subgroup.
    function _checkG2(uint256[4] memory point) private view {
        if (point[0] | point[1] | point[2] | point[3] == 0) revert KeyPointZero();
        uint256[6] memory pair = [0, 0, point[0], point[1], point[2], point[3]];
        if (!_run(PAIRING, _pointer(pair), 6, _pointer(pair), 1)) revert KeyPointInvalid();
    }

    function _pointer(uint256[33] memory words, uint256 index) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(words, mul(32, index))
        }
    }

    function _pointer(uint256[6] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    /// @dev Calls a precompile, sizes in words. A chain without it answers success and no bytes: that is a failure.
    function _run(uint256 precompile, uint256 input, uint256 inputWords, uint256 output, uint256 outputWords)
        private
        view
        returns (bool success)
    {
        assembly ("memory-safe") {
            success := staticcall(gas(), precompile, input, mul(32, inputWords), output, mul(32, outputWords))
            success := and(success, eq(returndatasize(), mul(32, outputWords)))
        }
    }
}
