// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev The modulus p of BN254's scalar field: the field of the state, the public data and the proof's public inputs.
uint256 constant SCALAR_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

/// @dev The modulus of BN254's base field, in which the curve points' coordinates lie.
uint256 constant BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
