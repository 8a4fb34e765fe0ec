// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {WithdrawalsMismatch} from "./Errors.sol";
import {Operations} from "./Operations.sol";
import {Vault} from "./Vault.sol";

/// @dev What left the state for an L1 address, by token number and in the token's smallest unit.
struct Withdrawal {
    address recipient;
    uint8 token;
    uint128 amount;
}

/// @title What left in a batch, kept as one hash and credited piece by piece
abstract contract Withdrawals is Vault {
    /// @notice The hash over what has left in a batch and is not yet credited; 0 when nothing is left of it.
    mapping(uint64 batch => bytes32) public withdrawalsHash;

    event WithdrawalsCredited(uint64 indexed batch, bytes32 remaining, uint256 count);

    /// @notice Peels the last withdrawals off a batch's hash and makes them claimable, by anyone, in as many calls as
    /// it takes.
    /// @param prefix The hash over all that come before `withdrawals`, 0 if none does.
    /// @param withdrawals In the batch's order. Those past the ones that the stored hash still covers have been
    /// credited by an earlier call and are skipped, so two calls that overlap don't spoil each other.
    function creditWithdrawals(uint64 batch, bytes32 prefix, Withdrawal[] calldata withdrawals) external nonReentrant {
        bytes32 stored = withdrawalsHash[batch];
        bytes32 running = prefix;
        uint256 count = 0;
        while (running != stored) {
            if (count == withdrawals.length) revert WithdrawalsMismatch(batch);
            Withdrawal calldata leaving = withdrawals[count];
            running = Operations.chain(running, uint160(leaving.recipient), leaving.token, leaving.amount);
            _credit(leaving.recipient, leaving.token, leaving.amount);
            count++;
        }
        if (count == 0) return;
        withdrawalsHash[batch] = prefix;
        emit WithdrawalsCredited(batch, prefix, count);
    }
}
