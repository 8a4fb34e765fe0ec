// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {
    AddressZero,
    HoldingsCapExceeded,
    NothingToClaim,
    TokenAlreadyListed,
    TokenHasNoCode,
    TokenListFull,
    TransferFailed,
    UnlistedToken
} from "./Errors.sol";
import {Roles} from "./Roles.sol";

/// @title The funds: which tokens there are, how much of each is held, and what can be claimed by whom
/// @notice Every function that moves or measures funds is under one re-entrancy lock.
abstract contract Vault is Roles, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev The number of ETH.
    uint8 internal constant ETH = 0;
    /// @dev An account has balances of this many tokens, ETH among them.
    uint8 internal constant MAX_TOKENS = 61;

    /// @notice What `claim` and `claimTo` pay out, in the token's smallest unit.
    mapping(address owner => mapping(uint8 token => uint128)) public claimable;

    /// @notice What came in through this contract's functions less what was paid out. A gift is not in it, so a gift
    /// can't fill the cap. It never passes 2^128 - 1, so no sum of balances does.
    mapping(uint8 token => uint128) public held;

    /// @dev Token n stands at n - 1: ETH has no address.
    address[] private _erc20s;
    mapping(address erc20 => bool) private _isListed;

    event TokenListed(uint8 indexed token, address erc20);
    event Credited(address indexed owner, uint8 indexed token, uint128 amount);
    event Claimed(address indexed owner, uint8 indexed token, uint128 amount, address to);

    /// @notice Gives a plain ERC-20 (no fee on transfer, no changing balances) the next token number, for good.
    function listToken(address erc20) external onlyAdmin {
        if (_isListed[erc20]) revert TokenAlreadyListed(erc20);
        if (erc20.code.length == 0) revert TokenHasNoCode(erc20);
        uint8 token = tokenCount();
        if (token == MAX_TOKENS) revert TokenListFull();
        _isListed[erc20] = true;
        _erc20s.push(erc20);
        emit TokenListed(token, erc20);
    }

    /// @notice The number of tokens, ETH among them: the numbers below it are listed.
    function tokenCount() public view returns (uint8) {
        return uint8(_erc20s.length + 1);
    }

    /// @notice The ERC-20 of a listed number, the zero address for ETH.
    function tokens(uint8 token) public view returns (address) {
        _checkListed(token);
        return token == ETH ? address(0) : _erc20s[token - 1];
    }

    /// @notice Pays `owner` what is claimable. Anyone may call it; it pays nobody else.
    function claim(address owner, uint8 token) external nonReentrant {
        _payOut(owner, token, owner);
    }

    /// @notice Pays the caller's own claimable to `to`.
    function claimTo(uint8 token, address to) external nonReentrant {
        if (to == address(0)) revert AddressZero();
        _payOut(msg.sender, token, to);
    }

    function _checkListed(uint8 token) internal view {
        if (token >= tokenCount()) revert UnlistedToken(token);
    }

    /// @dev Counts what came in.
    function _hold(uint8 token, uint256 amount) internal {
        uint256 total = held[token] + amount;
        if (total > type(uint128).max) revert HoldingsCapExceeded(token, total);
        held[token] = uint128(total);
    }

    /// @dev Makes an amount that is held claimable. Amounts that are held have at most 128 bits together.
    function _credit(address owner, uint8 token, uint128 amount) internal {
        if (amount == 0) return;
        claimable[owner][token] += amount;
        emit Credited(owner, token, amount);
    }

    /// @dev Takes an ERC-20 from the caller and counts what really arrived.
    function _pull(uint8 token, uint128 amount) internal returns (uint128) {
        IERC20 erc20 = IERC20(tokens(token));
        uint256 before = erc20.balanceOf(address(this));
        erc20.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = erc20.balanceOf(address(this)) - before;
        _hold(token, received);
        return uint128(received);
    }

    /// @dev Zeroed and counted before the transfer, so that a hostile receiver gains nothing by coming back. A receiver
    /// that refuses keeps its claimable and blocks nobody else.
    function _payOut(address owner, uint8 token, address to) private {
        uint128 amount = claimable[owner][token];
        if (amount == 0) revert NothingToClaim(owner, token);
        claimable[owner][token] = 0;
        held[token] -= amount;
        emit Claimed(owner, token, amount, to);
        if (token == ETH) {
            (bool success,) = to.call{value: amount}("");
            if (!success) revert TransferFailed(to);
        } else {
            IERC20(tokens(token)).safeTransfer(to, amount);
        }
    }
}
