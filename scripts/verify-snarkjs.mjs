// Verifies a Groth16 proof with snarkjs, which shares no code with Sheaf.
//
//   node scripts/verify-snarkjs.mjs vk.json public.json proof.json
//
// Exit status: 0 the proof holds, 1 it does not, 2 it could not be checked.

import { readFileSync } from "node:fs";
import * as snarkjs from "snarkjs";

const paths = process.argv.slice(2);
if (paths.length !== 3) {
  console.error("usage: verify-snarkjs.mjs vk.json public.json proof.json");
  process.exit(2);
}

let holds;
try {
  const [key, inputs, proof] = paths.map((path) => JSON.parse(readFileSync(path, "utf8")));
  holds = await snarkjs.groth16.verify(key, inputs, proof);
} catch (error) {
  console.error(error);
  process.exit(2);
}
console.log(holds ? "valid" : "invalid");
// An explicit exit: snarkjs keeps its worker threads.
process.exit(holds ? 0 : 1);
