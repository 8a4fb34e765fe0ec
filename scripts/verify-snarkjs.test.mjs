// The verifier says yes to a proof that holds, no to changed ones, and neither when it cannot tell.
// The proof is simulated from a known trapdoor: A = a, B = b, C = (ab - αβ - γ·Σ xᵢICᵢ) / δ, times the generators.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as snarkjs from "snarkjs";

const script = fileURLToPath(new URL("verify-snarkjs.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sheaf-snarkjs-"));
let key, inputs, proof;

before(async () => {
  const curve = await snarkjs.curves.getCurveFromName("bn128");
  const { Fr, G1, G2 } = curve;
  const [alpha, beta, gamma, delta, a, b] = [11n, 12n, 13n, 14n, 15n, 16n].map((n) => Fr.e(n));
  const bases = [21n, 22n, 23n, 24n].map((n) => Fr.e(n));
  inputs = ["5", "6", "7"];
  const sum = inputs.reduce((sum, input, i) => Fr.add(sum, Fr.mul(Fr.e(input), bases[i + 1])), bases[0]);
  const c = Fr.div(Fr.sub(Fr.sub(Fr.mul(a, b), Fr.mul(alpha, beta)), Fr.mul(gamma, sum)), delta);
  const in1 = (scalar) => text(G1.toObject(G1.toAffine(G1.timesFr(G1.g, scalar))));
  const in2 = (scalar) => text(G2.toObject(G2.toAffine(G2.timesFr(G2.g, scalar))));
  key = {
    protocol: "groth16",
    curve: "bn128",
    nPublic: 3,
    vk_alpha_1: in1(alpha),
    vk_beta_2: in2(beta),
    vk_gamma_2: in2(gamma),
    vk_delta_2: in2(delta),
    IC: bases.map(in1),
  };
  proof = { protocol: "groth16", curve: "bn128", pi_a: in1(a), pi_b: in2(b), pi_c: in1(c) };
  await curve.terminate();
});

after(() => rmSync(folder, { recursive: true }));

function text(value) {
  return Array.isArray(value) ? value.map(text) : value.toString();
}

function verify(values) {
  const paths = values.map((value, i) => join(folder, `${i}.json`));
  values.forEach((value, i) => writeFileSync(paths[i], typeof value === "string" ? value : JSON.stringify(value)));
  return spawnSync(process.execPath, [script, ...paths], { encoding: "utf8" }).status;
}

test("a proof that holds", () => assert.equal(verify([key, inputs, proof]), 0));

test("a changed input", () => assert.equal(verify([key, ["5", "6", "8"], proof]), 1));

test("a changed proof", () => assert.equal(verify([key, inputs, { ...proof, pi_c: proof.pi_a }]), 1));

test("a point off the curve", () => {
  const [x, y, z] = proof.pi_a;
  assert.equal(verify([key, inputs, { ...proof, pi_a: [x, (BigInt(y) + 1n).toString(), z] }]), 1);
});

test("an input at or above the modulus", () => {
  const modulus = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
  assert.equal(verify([key, ["5", "6", (modulus + 7n).toString()], proof]), 1);
});

test("files that cannot be read", () => assert.equal(verify([key, inputs, "{"]), 2));
