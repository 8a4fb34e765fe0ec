// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title An ERC-20 that burns a hundredth of each transfer
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}

/// @title An ERC-20 that calls back its sender's target in the middle of a transfer
/// @notice With it a depositor tries to have one transfer counted twice.
contract CallbackToken is ERC20 {
    address private _target;
    bytes private _call;
    bytes public refusal;

    constructor() ERC20("Callback", "CB") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Sets the call that each transfer makes.
    function arm(address target, bytes calldata call) external {
        (_target, _call) = (target, call);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && _target != address(0)) {
            (bool success, bytes memory answer) = _target.call(_call);
            if (!success) refusal = answer;
        }
        super._update(from, to, value);
    }
}

/// @title An account with code: makes any call, and answers ETH as it is told to
contract Agent {
    address private _target;
    bytes private _call;
    bool public refusesEth;
    /// @notice What the call that was made on receiving ETH reverted with.
    bytes public refusal;
    /// @notice Whether the call that was made on receiving ETH went through.
    bool public reentered;

    /// @notice Makes a call, and passes its revert on.
    function act(address target, bytes calldata call) external payable {
        (bool success, bytes memory answer) = target.call{value: msg.value}(call);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    /// @notice Sets the call to make on receiving ETH.
    function arm(address target, bytes calldata call) external {
        (_target, _call) = (target, call);
    }

    function refuseEth(bool refuses) external {
        refusesEth = refuses;
    }

    receive() external payable {
        require(!refusesEth, "refused");
        if (_target == address(0)) return;
        (bool success, bytes memory answer) = _target.call(_call);
        if (success) reentered = true;
        else refusal = answer;
    }
}
