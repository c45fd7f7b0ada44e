// `npm run setup`: brings what a node and the tests need and this machine lacks, from the distribution, saying what.
// Twice is as good as once; where nothing is missing it says nothing and is done in a few milliseconds.
//
// `npm start` asks for the node's part, `npm test` for all. What cannot be had is returned, not thrown: a machine without
// root still runs every test that needs none.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { AptError, hasApt, installPackages, isVersionAtLeast, unpackPackage } from './setup/debian.ts';
import { CACHE, findCommand, type Need, NODE_NEEDS, TEST_NEEDS } from './setup/needs.ts';
import { setUpRunners } from './setup/runners.ts';

/** What set-up is for: running pods, or running the tests as well. */
export type Purpose = 'node' | 'tests';

/** Something that is missing still: `advice` is one sentence that says how to get it. */
export type Missing = { readonly name: string; readonly advice: string };

/** A program of the tests alone, unpacked into .cache/ where the machine has none, or one too old. */
type Tool = {
  readonly name: string;
  readonly package: string;
  readonly versionMin: string;
  /** The suite of Debian that first had it. */
  readonly suite: string;
  readonly versionArgs: readonly string[];
};

const TOOLS: readonly Tool[] = [
  {
    name: 'etcd',
    package: 'etcd-server',
    versionMin: '3.5',
    suite: 'trixie',
    versionArgs: ['--version'],
  },
  {
    name: 'kubectl',
    package: 'kubectl',
    versionMin: '1.31', // the first whose exec, attach and port-forward speak WebSocket
    suite: 'trixie',
    versionArgs: ['version', '--client'],
  },
];

/**
 * Brings what is missing, with one line of `say` for each thing it does. Gives what is missing still: on systems other
 * than Linux, everything that only Linux has is left out.
 */
export function setUp(purpose: Purpose, say: (line: string) => void): Missing[] {
  const runners = purpose === 'tests' ? setUpRunners(say) : [];
  if (process.platform !== 'linux') return runners;
  const missing = setUpPackages(purpose === 'tests' ? [...NODE_NEEDS, ...TEST_NEEDS] : NODE_NEEDS, say);
  if (purpose === 'tests') {
    for (const tool of TOOLS) missing.push(...setUpTool(tool, say));
  }
  return [...missing, ...runners];
}

function setUpPackages(needs: readonly Need[], say: (line: string) => void): Missing[] {
  const absent = needs.filter((need) => !need.isPresent());
  if (absent.length === 0) return [];
  const packages = absent.map((need) => need.package);
  const byHand = `install ${packages.join(', ')} as root, with your distribution's package manager`;
  let cause = byHand;
  if (process.getuid?.() === 0 && hasApt()) {
    say(`installing ${absent.map((need) => `${need.package} (${need.why})`).join(', ')}`);
    try {
      installPackages(packages);
    } catch (error) {
      if (!(error instanceof AptError)) throw error;
      cause = error.message;
    }
  }
  return absent
    .filter((need) => !need.optional && !need.isPresent())
    .map((need) => ({ name: need.name, advice: `${need.name} is missing: ${cause}.` }));
}

function setUpTool(tool: Tool, say: (line: string) => void): Missing[] {
  if (findTool(tool.name) !== undefined) return [];
  const found = findCommand(tool.name);
  if (found !== undefined && isNewEnough(tool, found)) return [];
  const lack = found === undefined ? `${tool.name} is missing` : `${found} is older than ${tool.versionMin}`;
  if (!hasApt())
    return [{ name: tool.name, advice: `${lack}: put ${tool.name} ${tool.versionMin} or later into PATH.` }];
  say(`unpacking ${tool.package} ${tool.versionMin} or later into .cache (${lack}; for tests only)`);
  try {
    unpackPackage(tool.package, tool.versionMin, tool.suite, join(CACHE, tool.name));
  } catch (error) {
    if (!(error instanceof AptError)) throw error;
    return [{ name: tool.name, advice: `${lack}, and it could not be unpacked: ${error.message}` }];
  }
  return findTool(tool.name) === undefined
    ? [{ name: tool.name, advice: `${tool.package} holds no ${tool.name}.` }]
    : [];
}

/** The path of a tool that set-up unpacked for this clone, or undefined. */
function findTool(name: string): string | undefined {
  const path = join(CACHE, name, 'usr/bin', name);
  return existsSync(path) ? path : undefined;
}

/**
 * The path of a program that tests run (`etcd`, `kubectl`): what set-up unpacked, else the machine's own; undefined
 * where there is none. Set-up has seen to it that the version is good.
 */
export function findTestTool(name: string): string | undefined {
  return findTool(name) ?? findCommand(name);
}

/** Asks a program for its version; an answer is remembered until the program's file changes. */
function isNewEnough(tool: Tool, path: string): boolean {
  const { size, mtimeMs } = statSync(path);
  const answer = `${path} ${size} ${mtimeMs} ${tool.versionMin}\n`;
  const memo = join(CACHE, `${tool.name}.version`);
  if (existsSync(memo) && readFileSync(memo, 'utf8') === answer) return true;
  const output =
    spawnSync(path, tool.versionArgs, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).stdout ?? '';
  const version = /(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1];
  if (version === undefined || !isVersionAtLeast(version, tool.versionMin)) return false;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(memo, answer);
  return true;
}

if (process.argv[1] === import.meta.filename) {
  const missing = setUp('tests', (line) => process.stdout.write(`${line}\n`));
  for (const { advice } of missing) process.stdout.write(`${advice}\n`);
  if (missing.length === 0) process.stdout.write('everything is there\n');
  process.exitCode = missing.length === 0 ? 0 : 1;
}
