// Builds the bundle into a folder (by default where the platform serves it from), with the licences of what is in it.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "../../platform/llmteam/static/canvas");
mkdirSync(target, { recursive: true });

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { canvas: "src/main.tsx" },
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  define: { "process.env.NODE_ENV": '"production"' },
});

// dagre's file has graphlib inside.
const packages = new Set(["@dagrejs/graphlib"]);
for (const input of Object.keys(metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim() : "(no text in the package)";
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(join(target, "LICENSES.txt"), `Packages in canvas.js and canvas.css.\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`);

// Tells, where there is no Node, whether the bundle is that of these sources.
const sources = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"]
  .concat(readdirSync(join(here, "src")).map((name) => `src/${name}`))
  .sort();
const digest = createHash("sha256");
for (const name of sources) digest.update(`${name}\n`).update(readFileSync(join(here, name)));
writeFileSync(join(target, "SOURCES.sha256"), `${digest.digest("hex")}\n`);
