#!/usr/bin/env node
// solc's SMTChecker over one file: node smtchecker.js Z3 FILE < SETTINGS > FINDINGS, both JSON. The solc of npm has no
// solver of its own and asks one by a callback; this answers with z3.
"use strict";
const { spawnSync } = require("child_process");
const fs = require("fs");
const compiler = require("solc");

const [z3, file] = process.argv.slice(2);
// Seconds and megabytes. Spacer finds no invariant where all is inlined into one rule first.
const OPTIONS = ["-smt2", "-in", "-T:200", "-memory:4000", "fp.xform.inline_eager=false"];

function smtSolver(query) {
  const ran = spawnSync(z3, OPTIONS, { input: query, encoding: "utf8", maxBuffer: 1 << 28 });
  return ran.error ? { error: String(ran.error) } : { contents: ran.stdout };
}

const input = {
  language: "Solidity",
  sources: { [file]: { content: fs.readFileSync(file, "utf8") } },
  settings: { modelChecker: JSON.parse(fs.readFileSync(0, "utf8")) },
};
const output = JSON.parse(compiler.compile(JSON.stringify(input), { smtSolver }));
process.stdout.write(JSON.stringify(output.errors ?? []));
