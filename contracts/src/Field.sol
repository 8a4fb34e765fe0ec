// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev The modulus p of BN254's scalar field: the field of the state, the public data and the proof's public inputs.
uint256 constant SCALAR_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

/// @dev The modulus of BN254's base field, in which the curve points' coordinates lie.
uint256 constant BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

/// @dev a·b mod p. In assembly because `mulmod` would compare the constant modulus with zero each time.
function mulMod(uint256 a, uint256 b) pure returns (uint256 product) {
    assembly ("memory-safe") {
        product := mulmod(a, b, SCALAR_MODULUS)
    }
}

/// @dev sum + a·b mod p, see `mulMod`.
function addProductMod(uint256 sum, uint256 a, uint256 b) pure returns (uint256 result) {
    assembly ("memory-safe") {
        result := addmod(sum, mulmod(a, b, SCALAR_MODULUS), SCALAR_MODULUS)
    }
}
