// Compiles src/ and builds the bundle that the Python package ships; leaves the sources' fingerprint beside it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const OUTPUT = '../../jupyterhub_mesos/lab/labextension';
const SOURCES = ['package.json', 'tsconfig.json', 'schema', 'src', 'style'];

const require = createRequire(import.meta.url);
const core = require.resolve('@jupyterlab/core-meta/core.package.json');
const builder = join(
  require.resolve('@jupyter/builder/package.json'),
  '../lib/build-labextension.js'
);

rmSync('lib', { recursive: true, force: true });
run(require.resolve('typescript/bin/tsc'));
run(builder, '--core-package-file', core, '.');
writeFileSync(join(OUTPUT, 'sources.sha256'), `${fingerprint()}\n`);

function run(script, ...options) {
  execFileSync(process.execPath, [script, ...options], { stdio: 'inherit' });
}

/** The sha256 over `PATH SHA256` of every source, in the order of their paths. */
function fingerprint() {
  const lines = SOURCES.flatMap(files)
    .sort()
    .map(path => `${path} ${sha256(readFileSync(path))}\n`);
  return sha256(lines.join(''));
}

function files(path) {
  const entries = path.includes('.') ? null : readdirSync(path, { withFileTypes: true });
  return entries === null ? [path] : entries.flatMap(entry => files(`${path}/${entry.name}`));
}

function sha256(content) {
  return createHash('sha256').update(content).digest('hex');
}
