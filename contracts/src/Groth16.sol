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
import {BASE_MODULUS, addProductMod} from "./Field.sol";

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

/// @dev What a proof is for, the public inputs below p, and the proof in EIP-197's order.
struct Statement {
    uint256 shape;
    uint256 c;
    uint256 x;
    uint256 y;
    /// A, B and C: A.x A.y B.x1 B.x0 B.y1 B.y0 C.x C.y.
    uint256[8] proof;
}

/// @title Groth16 over BN254 with the public inputs c, x and y
/// @notice A proof (A, B, C) holds if e(A, B) = e(alpha, beta) · e(L, gamma) · e(C, delta), where
/// L = IC0 + c·IC1 + x·IC2 + y·IC3, and delta and the IC are its shape's. The keys are stored with beta, gamma and delta
/// negated. Several proofs are verified at once: with r_0 = 1 and every other r_i a hash of all statements and proofs,
///
///     Π e(r_i·A_i, B_i) · e(Σ r_i·alpha, -beta) · e(Σ r_i·L_i, -gamma) · Π_shape e(Σ r_i·C_i, -delta_shape) = 1
///
/// holds for proofs of which one does not with a chance of about 2^-128 alone, since nobody knows the r_i before all
/// proofs are fixed. It takes k + 2 + (number of different shapes) pairings instead of 4k. It is the precompiles that refuse
/// coordinates out of range and points off the curve or outside the subgroup.
library Groth16 {
    // In code storage stand the shared words once,
    //
    //     word 0  alpha   2  -beta   6  (0, 0), where L goes   8  -gamma
    //
    // and then for each shape
    //
    //     word 0  -delta  4  IC0, IC1, IC2, IC3   12  number of slots
    uint256 private constant SHARED_WORDS = 12;
    uint256 private constant SHAPE_WORDS = 13;
    uint256 private constant DELTA_WORDS = 4;
    uint256 private constant IC_WORD = 4;
    uint256 private constant IC_WORDS = 8;
    uint256 private constant SLOTS_WORD = 12;

    uint256 private constant WORD = 32;
    /// @dev A point of G1, and the pairing's input for a pair: a point of G1 and one of G2.
    uint256 private constant POINT_BYTES = 64;
    uint256 private constant PAIR_WORDS = 6;
    uint256 private constant PAIR_BYTES = 192;

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

    /// @dev The number of slots of a shape, which the caller has checked to exist.
    function slots(address stored, uint256 shape) internal view returns (uint16) {
        uint256[1] memory word;
        CodeStorage.read(stored, _shapeWord(shape) + SLOTS_WORD, 1, _pointer(word));
        return uint16(word[0]);
    }

    // ---- proofs

    /// @dev The sums over the statements of one shape, each times its r.
    struct Sums {
        uint256 count;
        /// What IC0, IC1, IC2 and IC3 are multiplied with: the sums of r, r·c, r·x and r·y.
        uint256[4] factors;
        /// The sum of r·C.
        uint256[2] point;
    }

    /// @dev Reverts unless every proof holds. The caller has checked that the public inputs are below p, and that the
    /// shapes exist: another one would read as zeros, and zeros are the point at infinity, with which A = alpha, B = beta,
    /// C = 0 proves anything.
    function verify(address stored, uint256 shapeCount, Statement[] memory statements) internal view {
        uint256 count = statements.length;
        Sums[] memory sums = new Sums[](shapeCount);
        uint256[] memory input = new uint256[](PAIR_WORDS * (count + 2 + shapeCount));
        uint256 begin = _pointer(input);
        uint256 pair = begin;
        uint256 sum = 0;
        bytes32 seed = count > 1 ? keccak256(abi.encode(statements)) : bytes32(0);
        for (uint256 i = 0; i < count; i++) {
            uint256 r = i == 0 ? 1 : _coefficient(seed, i);
            sum += r;
            _addProof(pair, sums[statements[i].shape], statements[i], r);
            pair += PAIR_BYTES;
        }

        CodeStorage.read(stored, 0, SHARED_WORDS, pair);
        if (!_multiply(pair, sum)) revert PrecompileFailed(EC_MUL);
        uint256 publicPoint = pair + PAIR_BYTES;
        pair += 2 * PAIR_BYTES;

        for (uint256 shape = 0; shape < shapeCount; shape++) {
            if (sums[shape].count == 0) continue;
            _copyPoint(_pointer(sums[shape].point), pair);
            CodeStorage.read(stored, _shapeWord(shape), DELTA_WORDS, pair + POINT_BYTES);
            _addPublicPoints(publicPoint, stored, shape, sums[shape].factors);
            pair += PAIR_BYTES;
        }

        // The answer takes the place of the input's first word.
        if (!_run(PAIRING, begin, (pair - begin) / WORD, begin, 1)) revert PointNotOnCurve();
        if (input[0] != 1) revert InvalidProof();
    }

    /// @dev 128 bits that nobody knows before all statements are fixed.
    function _coefficient(bytes32 seed, uint256 index) private pure returns (uint256) {
        return uint256(uint128(uint256(keccak256(abi.encode(seed, index)))));
    }

    /// @dev Writes (r·A, B) to `pair`, and adds the rest to its shape's sums.
    function _addProof(uint256 pair, Sums memory sums, Statement memory statement, uint256 r) private view {
        uint256 proof = _pointer(statement.proof);
        assembly ("memory-safe") {
            mcopy(pair, proof, PAIR_BYTES)
        }
        if (!_multiply(pair, r)) revert PointNotOnCurve();

        uint256[4] memory factors = sums.factors;
        factors[0] = addProductMod(factors[0], r, 1);
        factors[1] = addProductMod(factors[1], r, statement.c);
        factors[2] = addProductMod(factors[2], r, statement.x);
        factors[3] = addProductMod(factors[3], r, statement.y);

        uint256 point = proof + PAIR_BYTES;
        if (!_multiply(point, r)) revert PointNotOnCurve();
        if (sums.count == 0) _copyPoint(point, _pointer(sums.point));
        else if (!_add(_pointer(sums.point), point)) revert PointNotOnCurve();
        sums.count++;
    }

    /// @dev Adds a shape's part of L to the point at `sum`.
    function _addPublicPoints(uint256 sum, address stored, uint256 shape, uint256[4] memory factors) private view {
        uint256[8] memory ic;
        uint256 point = _pointer(ic);
        CodeStorage.read(stored, _shapeWord(shape) + IC_WORD, IC_WORDS, point);
        for (uint256 i = 0; i < 4; i++) {
            if (!_multiply(point, factors[i])) revert PrecompileFailed(EC_MUL);
            if (!_add(sum, point)) revert PrecompileFailed(EC_ADD);
            point += POINT_BYTES;
        }
    }

    function _shapeWord(uint256 shape) private pure returns (uint256) {
        return SHARED_WORDS + shape * SHAPE_WORDS;
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

    function _copyPoint(uint256 from, uint256 to) private pure {
        assembly ("memory-safe") {
            mcopy(to, from, POINT_BYTES)
        }
    }

    /// @dev Replaces the point of G1 at `point` by `factor` times it. With factor 1 it stays as it is, unchecked.
    function _multiply(uint256 point, uint256 factor) private view returns (bool) {
        if (factor == 1) return true;
        uint256[3] memory work;
        uint256 pointer = _pointer(work);
        _copyPoint(point, pointer);
        work[2] = factor;
        return _run(EC_MUL, pointer, 3, point, 2);
    }

    /// @dev Adds the point of G1 at `point` to the one at `sum`.
    function _add(uint256 sum, uint256 point) private view returns (bool) {
        uint256[4] memory work;
        uint256 pointer = _pointer(work);
        _copyPoint(sum, pointer);
        _copyPoint(point, pointer + POINT_BYTES);
        return _run(EC_ADD, pointer, 4, sum, 2);
    }

    function _pointer(uint256[1] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    function _pointer(uint256[2] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    function _pointer(uint256[3] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    function _pointer(uint256[4] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    function _pointer(uint256[6] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    function _pointer(uint256[8] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := words
        }
    }

    /// @dev Where an array's words begin.
    function _pointer(uint256[] memory words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(words, WORD)
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
