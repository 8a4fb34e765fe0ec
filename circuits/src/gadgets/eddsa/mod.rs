//! EdDSA verification, the twin of [`SignatureWitness::verify`].
//!
//! ```text
//!  A, R8 on the curve ──▶ Q = 8·A, not the identity ──┐
//!  h = Poseidon(R8, A, M) ──▶ h canonical ────────────┴──▶ h·Q ──┐
//!  S ──▶ S·B8 ───────────────────────────────────────────────────┴──▶ S·B8 = R8 + h·Q
//! ```
//!
//! | group | rows | what it checks |
//! | --- | --- | --- |
//! | `challenge` | 325 | the message is masked; `h = Poseidon(R8x, R8y, Ax, Ay, M)` |
//! | `nonce_point_on_curve` | 3 | `R8` |
//! | `key_on_curve` | 3 | `A` |
//! | `key_small_order` | 14 | `Q = 8·A`, not the identity |
//! | `challenge_multiple` | 1,568 | `h·Q` |
//! | `challenge_canonical` | 63 | `h` is the integer below `p` |
//! | `signature_scalar` | 502 | `S·B8`, in two parts |
//! | `signature_equation` | 12 | the parts' sum is `R8 + h·Q` |
//!
//! **The same signatures as natively.** `A` and `R8` are on the curve by their own rows. `Q = 8·A` is then in the subgroup of
//! order `l`, and as that is prime and `x(Q)` is not 0, its order is `l`: a point with `x = 0` is the identity or has order
//! 2, and of these only the identity is in the subgroup. `h` is the integer below `p`, see `variable_base`; which `S` the
//! circuit knows makes no difference, see `fixed_base`. Both incomplete multiplications are argued there to have no
//! exceptional case for any `h` and any `S`, 0 included; the last additions, which the identity can enter,
//! are complete Edwards ones. The equation has no cofactor: `S·B8` and `h·Q` are in the subgroup, so `R8` with a part
//! of small order fails, as natively.
//!
//! **Slots without a signature.** With `enable = 0` the message is 0 and the witness is [`SignatureWitness::placeholder`], a
//! signature over 0 by a key that everybody knows, so that the same rows hold. Nothing is selected by it: the key that
//! comes out is to be used only where `enable` is 1.

mod advice;
mod curve;
mod fixed_base;
mod variable_base;

pub use curve::Edwards;

use super::poseidon;
use crate::r1cs::{Builder, Num};
use sheaf_core::eddsa::SignatureWitness;

/// Enforces that `witness` is a signature over `message` if `enable` is 1, over 0 if it is 0, and returns the key that
/// signed it.
///
/// The caller enforces that `enable` is boolean, gives [`SignatureWitness::placeholder`] where it is 0, and binds the key.
pub fn verify(b: &mut Builder, enable: &Num, witness: &SignatureWitness, message: &Num) -> Edwards {
    let key = Edwards { x: b.witness(witness.ax), y: b.witness(witness.ay) };
    let nonce_point = Edwards { x: b.witness(witness.r8_x), y: b.witness(witness.r8_y) };
    let h = b.group("challenge", |b| {
        let message = b.mul(enable, message);
        poseidon(b, &[&nonce_point.x, &nonce_point.y, &key.x, &key.y, &message])
    });
    b.group("nonce_point_on_curve", |b| nonce_point.enforce_on_curve(b));
    let multiple = key_multiple(b, &key, &h);
    let [first, last] = b.group("signature_scalar", |b| fixed_base::times_base8(b, witness.s));
    b.group("signature_equation", |b| {
        let left = first.add(b, &last);
        nonce_point.enforce_sum(b, &multiple, &left);
    });
    key
}

/// Enforces that a key is on the curve and `8·A` is not the identity, and returns `h·8·A` for the canonical `h`.
pub fn key_multiple(b: &mut Builder, key: &Edwards, h: &Num) -> Edwards {
    let squares = b.group("key_on_curve", |b| key.enforce_on_curve(b));
    let q = b.group("key_small_order", |b| {
        let q = key.double_with(b, &squares).double(b).double(b);
        b.enforce_nonzero(&q.x);
        q
    });
    variable_base::times_canonical(b, h, &q)
}
