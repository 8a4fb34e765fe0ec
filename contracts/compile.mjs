// Compiles the contracts to the artifacts that the Rust bindings are made from.
//
//   node compile.mjs           writes artifacts/NAME.json
//   node compile.mjs --check   writes nothing, exits 1 when the committed artifacts are not what the sources make
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const solc = require("solc");

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "artifacts");
const SOURCE_DIRS = ["src", "test"];

// Fixed, so that the same sources always make the same bytes: no metadata hash at the code's end either.
const SETTINGS = {
  viaIR: true,
  optimizer: { enabled: true, runs: 1_000_000 },
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

// EIP-170 and EIP-3860.
const MAX_DEPLOYED_BYTES = 24_576;
const MAX_INIT_BYTES = 49_152;

function sources() {
  const files = SOURCE_DIRS.flatMap((dir) =>
    readdirSync(join(HERE, dir)).filter((name) => name.endsWith(".sol")).sort().map((name) => `${dir}/${name}`),
  );
  return Object.fromEntries(files.map((file) => [file, { content: readFileSync(join(HERE, file), "utf8") }]));
}

function findImport(path) {
  const file = join(HERE, "node_modules", path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `not found: ${path}` };
}

// What the coefficients of a call's proofs are for is shown by a contract without them, for tests alone.
const BROKEN = {
  name: "EqualCoefficients",
  file: "src/Groth16.sol",
  from: "return uint256(uint128(uint256(keccak256(abi.encode(seed, index)))));",
  to: "return (uint256(seed) | index) == 0 ? 0 : 1;",
};

/** The broken contract's artifact. */
function compileBroken() {
  const changed = sources();
  const { content } = changed[BROKEN.file];
  if (content.split(BROKEN.from).length !== 2) throw new Error(`${BROKEN.file} has no line to break`);
  changed[BROKEN.file] = { content: content.replace(BROKEN.from, BROKEN.to) };
  const artifact = JSON.parse(compile(changed).get("Sheaf.json"));
  return JSON.stringify({ ...artifact, contractName: BROKEN.name }, null, 1) + "\n";
}

/** Compiles everything; answers the artifacts' texts by name. */
function compile(own) {
  const input = { language: "Solidity", sources: own, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  // Warnings in our own files count as errors; what the library's authors know of is theirs.
  const problems = (output.errors ?? []).filter(
    ({ severity, sourceLocation }) => severity === "error" || Object.hasOwn(own, sourceLocation?.file ?? ""),
  );
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length > 0) throw new Error("the compiler complained");

  const artifacts = new Map();
  for (const file of Object.keys(own)) {
    for (const [name, contract] of Object.entries(output.contracts[file] ?? {})) {
      const bytecode = contract.evm.bytecode.object;
      if (bytecode === "") continue; // abstract
      if (!contract.abi.some((item) => item.type === "function")) continue; // internal library
      const deployedBytes = contract.evm.deployedBytecode.object.length / 2;
      if (deployedBytes > MAX_DEPLOYED_BYTES || bytecode.length / 2 > MAX_INIT_BYTES) {
        throw new Error(`${name} is too large to deploy: ${deployedBytes} bytes`);
      }
      const artifact = { contractName: name, abi: contract.abi, bytecode: `0x${bytecode}`, deployedBytes };
      artifacts.set(`${name}.json`, JSON.stringify(artifact, null, 1) + "\n");
    }
  }
  return artifacts;
}

const artifacts = compile(sources());
artifacts.set(`${BROKEN.name}.json`, compileBroken());
const present = existsSync(OUT) ? readdirSync(OUT).filter((name) => name.endsWith(".json")) : [];
const surplus = present.filter((name) => !artifacts.has(name));

if (process.argv.includes("--check")) {
  const stale = [...artifacts].filter(
    ([name, text]) => !present.includes(name) || readFileSync(join(OUT, name), "utf8") !== text,
  );
  const wrong = [...stale.map(([name]) => name), ...surplus];
  if (wrong.length > 0) {
    console.error(`artifacts are out of date: ${wrong.join(", ")}; run "npm run compile" in contracts/`);
    process.exit(1);
  }
} else {
  mkdirSync(OUT, { recursive: true });
  for (const name of surplus) rmSync(join(OUT, name));
  for (const [name, text] of artifacts) writeFileSync(join(OUT, name), text);
}
for (const [name, text] of artifacts) console.log(`${name}: ${JSON.parse(text).deployedBytes} bytes deployed`);
