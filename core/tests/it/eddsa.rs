//! Keys and signatures against the JavaScript packages, and everything that must be refused.

use crate::arb::arb_edge_field;
use crate::vectors::{self, RefusedVector, SignatureVector};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField, Zero};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::eddsa::{Point, PublicKey, Scalar, SecretKey, Signature, SignatureError, SignatureWitness, base8, challenge};
use std::str::FromStr;

fn seed_of(vector: &SignatureVector) -> [u8; 32] {
    std::array::from_fn(|i| u8::from_str_radix(&vector.seed[2 * i..2 * i + 2], 16).unwrap())
}

#[test]
fn keys_and_signatures_equal_those_of_the_packages() {
    let vectors = vectors::read();
    assert!(vectors.signatures.len() >= 30);
    for vector in &vectors.signatures {
        let key = SecretKey::from_seed(&seed_of(vector));
        let public = key.public_key();
        assert_eq!(public.x(), vectors::field(&vector.public_key[0]));
        assert_eq!(public.y(), vectors::field(&vector.public_key[1]));
        assert_eq!(public.key_hash(), vectors::field(&vector.key_hash));
        let scalar = Scalar::from_str(&vector.secret_scalar).unwrap_or_else(|()| {
            let wide = vectors::field(&vector.secret_scalar).into_bigint();
            Scalar::from_le_bytes_mod_order(&wide.to_bytes_le())
        });
        assert_eq!((base8() * scalar).into_affine(), public.point());

        let message = vectors::field(&vector.message);
        let signature = key.sign(message);
        assert_eq!(signature.r8_x, vectors::field(&vector.r8[0]));
        assert_eq!(signature.r8_y, vectors::field(&vector.r8[1]));
        assert_eq!(signature.s, Scalar::from_str(&vector.s).unwrap());
        assert_eq!(signature.verify(&public, message), Ok(()));
    }
}

/// What our code says of a refused vector, by way of the bytes on the wire.
fn judge(vector: &RefusedVector) -> Result<(), SignatureError> {
    let decimal = |text: &String| {
        let number: alloy_primitives::U256 = text.parse().unwrap();
        number.to_be_bytes::<32>()
    };
    let key = [decimal(&vector.public_key[0]), decimal(&vector.public_key[1])].concat();
    let key = PublicKey::from_bytes(&key.try_into().unwrap())?;
    let signature = [decimal(&vector.r8[0]), decimal(&vector.r8[1]), decimal(&vector.s)].concat();
    Signature::from_bytes(&signature.try_into().unwrap())?.verify(&key, vectors::field(&vector.message))
}

#[test]
fn refused_vectors_are_refused_for_their_cause() {
    let vectors = vectors::read();
    assert!(vectors.refused.len() >= 19);
    for vector in &vectors.refused {
        assert_eq!(judge(vector).map_err(SignatureError::code), Err(vector.code.as_str()), "{}", vector.name);
    }
}

#[test]
fn circomlibs_verifier_takes_small_keys_and_we_do_not() {
    // If this changes, the packages have closed the hole, and the note in `eddsa` is out of date.
    let small = |vector: &&RefusedVector| vector.code == "key_small_order";
    let vectors = vectors::read();
    assert_eq!(vectors.refused.iter().filter(small).count(), 4);
    for vector in &vectors.refused {
        assert_eq!(vector.circomlibjs_accepts, small(&vector), "{}", vector.name);
        assert_eq!(vector.zk_kit_accepts, small(&vector), "{}", vector.name);
    }
}

#[test]
fn bytes_come_back_and_unreduced_ones_are_refused() {
    let key = SecretKey::from_seed(&[3; 32]);
    let signature = key.sign(F::from(5u64));
    assert_eq!(PublicKey::from_bytes(&key.public_key().to_bytes()), Ok(key.public_key()));
    assert_eq!(Signature::from_bytes(&signature.to_bytes()), Ok(signature));

    let add = |bytes: &mut [u8], number: [u8; 32]| {
        let sum = alloy_primitives::U256::from_be_slice(bytes) + alloy_primitives::U256::from_be_bytes(number);
        bytes.copy_from_slice(&sum.to_be_bytes::<32>());
    };
    let p: [u8; 32] = F::MODULUS.to_bytes_be().try_into().unwrap();
    let l: [u8; 32] = Scalar::MODULUS.to_bytes_be().try_into().unwrap();
    for (at, modulus, error) in
        [(0, p, SignatureError::NotCanonical), (32, p, SignatureError::NotCanonical), (64, l, SignatureError::ScalarOutOfRange)]
    {
        let mut bytes = signature.to_bytes();
        add(&mut bytes[at..at + 32], modulus);
        assert_eq!(Signature::from_bytes(&bytes), Err(error));
    }
    let mut bytes = key.public_key().to_bytes();
    add(&mut bytes[..32], p);
    assert_eq!(PublicKey::from_bytes(&bytes), Err(SignatureError::NotCanonical));
}

/// The definition in the library's arithmetic: what [`Signature::verify`] must decide.
fn verify_plainly(key: &PublicKey, signature: &Signature, message: F) -> Result<(), SignatureError> {
    let nonce = Point::new_unchecked(signature.r8_x, signature.r8_y);
    if !nonce.is_on_curve() {
        return Err(SignatureError::NoncePointNotOnCurve);
    }
    let h = challenge(nonce, key.point(), message).into_bigint();
    let holds = base8() * signature.s == nonce + key.point().mul_by_cofactor().mul_bigint(h);
    if holds { Ok(()) } else { Err(SignatureError::EquationFails) }
}

/// Scalars of which many are next to 0 or to the order.
fn arb_scalar() -> impl Strategy<Value = Scalar> {
    let any = any::<[u8; 32]>().prop_map(|bytes| Scalar::from_le_bytes_mod_order(&bytes));
    prop_oneof![2 => any, 1 => (0u64..3).prop_map(Scalar::from), 1 => (1u64..3).prop_map(|below| -Scalar::from(below))]
}

proptest! {
    #[test]
    fn verification_decides_as_the_definition(
        secret in arb_scalar(),
        nonce in arb_scalar(),
        message in arb_edge_field(),
        (key_torsion, nonce_torsion) in (0u64..8, prop_oneof![3 => Just(0), 1 => 0u64..8]),
        (shift, other_message) in (prop_oneof![3 => Just(Scalar::zero()), 1 => arb_scalar()], arb_edge_field()),
    ) {
        let torsion = |count: u64| small_order_point().mul_bigint([count]);
        let key = (base8() * secret + torsion(key_torsion)).into_affine();
        let nonce_point = (base8() * nonce + torsion(nonce_torsion)).into_affine();
        let small = key.mul_by_cofactor().is_zero();
        prop_assert_eq!(PublicKey::new(key.x, key.y).is_err(), small);
        prop_assume!(!small);
        let key = PublicKey::new(key.x, key.y).unwrap();
        let h = Scalar::from_le_bytes_mod_order(&challenge(nonce_point, key.point(), message).into_bigint().to_bytes_le());
        let s = nonce + h * secret * Scalar::from(8u64) + shift;
        let signature = Signature { r8_x: nonce_point.x, r8_y: nonce_point.y, s };
        let valid = nonce_torsion == 0 && shift.is_zero();
        prop_assert_eq!(signature.verify(&key, message).is_ok(), valid);
        prop_assert_eq!(signature.verify(&key, message), verify_plainly(&key, &signature, message));
        prop_assert_eq!(signature.verify(&key, other_message), verify_plainly(&key, &signature, other_message));
        let off = Signature { r8_x: message, ..signature };
        prop_assert_eq!(off.verify(&key, message), verify_plainly(&key, &off, message));
    }
}

#[test]
fn the_key_may_have_a_part_of_small_order() {
    // Only 8·A counts: A plus a point of order 8 is a key, too, and its signatures are judged by 8·A.
    let key = SecretKey::from_seed(&[9; 32]);
    let message = F::from(77u64);
    let torsion = small_order_point();
    let shifted = (key.public_key().point() + torsion).into_affine();
    let shifted = PublicKey::new(shifted.x, shifted.y).unwrap();
    assert_ne!(shifted, key.public_key());
    assert_eq!(key.sign(message).verify(&shifted, message), Err(SignatureError::EquationFails));
}

/// A point of order 8: `l` times a point outside the subgroup.
fn small_order_point() -> Point {
    let generator = Point::new_unchecked(
        vectors::field("995203441582195749578291179787384436505546430278305826713579947235728471134"),
        vectors::field("5472060717959818805561601436314318772137091100104008585924551046643952123905"),
    );
    let point = generator.mul_bigint(Scalar::MODULUS).into_affine();
    assert!(!point.mul_bigint([4u64]).is_zero() && point.mul_bigint([8u64]).is_zero());
    point
}

#[test]
fn the_placeholder_signs_zero_and_nothing_else() {
    let placeholder = SignatureWitness::placeholder();
    assert_eq!(placeholder.verify(F::zero()), Ok(()));
    assert_eq!(placeholder.verify(F::from(1u64)), Err(SignatureError::EquationFails));
}

#[test]
fn a_secret_key_does_not_print_its_secret() {
    let key = SecretKey::from_seed(&[1; 32]);
    let printed = format!("{key:?}");
    assert!(printed.starts_with("SecretKey { public: PublicKey"));
    assert!(printed.ends_with(".. }"));
}
