// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AddressZero, NotAdmin} from "./Errors.sol";

/// @title Who may do what that not everybody may
/// @notice The operator submits batches (a hot key). The admin lists tokens and replaces the operator, nothing else.
abstract contract Roles {
    address public immutable admin;
    address public operator;

    event OperatorChanged(address operator);

    modifier onlyAdmin() {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        _;
    }

    constructor(address admin_, address operator_) {
        if (admin_ == address(0)) revert AddressZero();
        admin = admin_;
        _setOperator(operator_);
    }

    /// @notice Replaces the operator at once.
    function setOperator(address operator_) external onlyAdmin {
        _setOperator(operator_);
    }

    function _setOperator(address operator_) private {
        if (operator_ == address(0)) revert AddressZero();
        operator = operator_;
        emit OperatorChanged(operator_);
    }
}
