// Makes vectors.json with circomlibjs and @zk-kit/eddsa-poseidon, and fails where the two disagree.
//
//   node make.mjs            writes vectors.json
//   node make.mjs --check    compares with vectors.json, exit status 1 on a difference
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { buildBabyjub, buildEddsa, buildPoseidon } from "circomlibjs";

// Its ES module imports names from a CommonJS package in a way that Node refuses.
const zkKit = createRequire(import.meta.url)("@zk-kit/eddsa-poseidon");

const FILE = new URL("./vectors.json", import.meta.url);
const P = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const L = 2736030358979909402780800718157159386076813972158567259200215660948447373041n;

const poseidon = await buildPoseidon();
const eddsa = await buildEddsa();
const curve = await buildBabyjub();
const F = curve.F;

const hash = (inputs) => F.toObject(poseidon(inputs)).toString();
const point = (p) => [F.toObject(p[0]).toString(), F.toObject(p[1]).toString()];
const element = (p) => [F.e(p[0]), F.e(p[1])];
const seedOf = (n) => Buffer.from(Array.from({ length: 32 }, (_, i) => (n * 37 + i * 11 + 5) & 0xff));

function poseidonVectors() {
  const lists = [
    [1n, 2n],
    [0n, 0n],
    [P - 1n, P - 1n],
    [1n, 2n, 3n],
    [1n, 2n, 3n, 4n],
    [0n, 0n, 0n, 0n],
    [P - 1n, 1n << 253n, 1n << 128n, 7n],
    [1n, 2n, 3n, 4n, 5n],
    [0n, 0n, 0n, 0n, 0n],
    [P - 1n, P - 2n, P - 3n, P - 4n, P - 5n],
  ];
  return lists.map((inputs) => ({ inputs: inputs.map(String), hash: hash(inputs) }));
}

// Key, hash and signature by circomlibjs; the other package must give the same.
function signed(seed, message) {
  const key = point(eddsa.prv2pub(seed));
  const signature = eddsa.signPoseidon(seed, F.e(message));
  const r8 = point(signature.R8);
  const s = signature.S.toString();
  assert.deepEqual(zkKit.derivePublicKey(seed).map(String), key);
  const other = zkKit.signMessage(seed, message);
  assert.deepEqual([...other.R8.map(String), String(other.S)], [...r8, s]);
  return { public_key: key, message: message.toString(), r8, s };
}

function signatureVectors() {
  const messages = [0n, 1n, 42n, (1n << 112n) - 1n, (1n << 253n) + 12345n, P - 1n];
  const seeds = [Buffer.alloc(32), Buffer.alloc(32, 0xff), ...[0, 1, 2].map(seedOf)];
  return seeds.flatMap((seed) => {
    const secretScalar = zkKit.deriveSecretScalar(seed).toString();
    return messages.map((message) => {
      const made = signed(seed, message);
      return {
        seed: seed.toString("hex"),
        secret_scalar: secretScalar,
        key_hash: hash(made.public_key),
        ...made,
      };
    });
  });
}

function verdicts({ public_key, message, r8, s }) {
  const say = (check) => {
    try {
      return check();
    } catch {
      return false;
    }
  };
  const signature = { R8: element(r8), S: BigInt(s) };
  return {
    circomlibjs_accepts: say(() => eddsa.verifyPoseidon(F.e(message), signature, element(public_key))),
    zk_kit_accepts: say(() =>
      zkKit.verifySignature(BigInt(message), { R8: r8.map(BigInt), S: BigInt(s) }, public_key.map(BigInt)),
    ),
  };
}

// A signature that fits any equation with a key of small order: S = r, R8 = r·B8.
function withSmallOrderKey(key) {
  const r = 123456789n;
  return { public_key: point(key), message: "42", r8: point(curve.mulPointEscalar(curve.Base8, r)), s: r.toString() };
}

// R8 plus a point of order 8, with S made for the challenge that follows from it: only a check without the
// cofactor refuses it.
function withTorsion(seed, torsion) {
  const r = 987654321n;
  const key = eddsa.prv2pub(seed);
  const r8 = curve.addPoint(curve.mulPointEscalar(curve.Base8, r), torsion);
  const h = BigInt(hash([...point(r8), ...point(key), "42"]));
  const s = (r + h * 8n * BigInt(zkKit.deriveSecretScalar(seed))) % L;
  return { public_key: point(key), message: "42", r8: point(r8), s: s.toString() };
}

function refusedVectors() {
  const seed = seedOf(0);
  const good = signed(seed, 42n);
  const other = signed(seedOf(1), 42n);
  const torsion = curve.mulPointEscalar(curve.Generator, L);
  const identity = [F.e(0), F.e(1)];
  const list = [
    ["wrong message", { ...good, message: "43" }, "signature_mismatch"],
    ["wrong key", { ...good, public_key: other.public_key }, "signature_mismatch"],
    ["R8 of another signature", { ...good, r8: other.r8 }, "signature_mismatch"],
    ["S plus 1", { ...good, s: (BigInt(good.s) + 1n).toString() }, "signature_mismatch"],
    ["S of 0", { ...good, s: "0" }, "signature_mismatch"],
    ["S plus the order", { ...good, s: (BigInt(good.s) + L).toString() }, "signature_scalar_out_of_range"],
    ["S equal to the order", { ...good, s: L.toString() }, "signature_scalar_out_of_range"],
    ["key negated", { ...good, public_key: [(P - BigInt(good.public_key[0])).toString(), good.public_key[1]] }, "signature_mismatch"],
    ["R8 negated", { ...good, r8: [(P - BigInt(good.r8[0])).toString(), good.r8[1]] }, "signature_mismatch"],
    ["R8 off the curve", { ...good, r8: ["1", "1"] }, "nonce_point_not_on_curve"],
    ["R8 of zeros", { ...good, r8: ["0", "0"] }, "nonce_point_not_on_curve"],
    ["key off the curve", { ...good, public_key: ["1", "1"] }, "key_not_on_curve"],
    ["key of zeros", { ...good, public_key: ["0", "0"] }, "key_not_on_curve"],
    ["key is the identity", withSmallOrderKey(identity), "key_small_order"],
    ["key of order 2", withSmallOrderKey([F.e(0), F.e(P - 1n)]), "key_small_order"],
    ["key of order 4", withSmallOrderKey(curve.addPoint(torsion, torsion)), "key_small_order"],
    ["key of order 8", withSmallOrderKey(torsion), "key_small_order"],
    ["R8 with a part of order 8", withTorsion(seed, torsion), "signature_mismatch"],
    ["R8 with a part of order 2", withTorsion(seed, [F.e(0), F.e(P - 1n)]), "signature_mismatch"],
  ];
  return list.map(([name, made, code]) => ({ name, ...verdicts(made), ...made, code }));
}

const vectors = {
  made_by: ["circomlibjs 0.1.7", "@zk-kit/eddsa-poseidon 1.1.0"],
  poseidon: poseidonVectors(),
  signatures: signatureVectors(),
  refused: refusedVectors(),
};
const text = `${JSON.stringify(vectors, null, 1)}\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(FILE, "utf8") !== text) {
    console.error("vectors.json differs from what the packages give; run `npm run make` and look at the difference");
    process.exit(1);
  }
  console.log("vectors.json is what the packages give");
} else {
  writeFileSync(FILE, text);
}
process.exit(0);
