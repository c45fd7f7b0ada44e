#!/usr/bin/env node
// The `tutti` command: finds the subcommand and leaves the rest to it.

import process from 'node:process';
import metadata from '../package.json' with { type: 'json' };

const USAGE = `tutti ${metadata.version}: Kubernetes in TypeScript

usage:
  tutti version     print the version
  tutti --help      print this text
`;

/** Runs one command line (without the program's name); gives the exit code. */
function run(args: readonly string[]): number {
  const [command] = args;
  if (command === 'version' || command === '--version') {
    process.stdout.write(`${metadata.version}\n`);
    return 0;
  }
  if (command === '--help' || command === '-h' || command === 'help' || command === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  process.stderr.write(`tutti: there is no command "${command}"; "tutti --help" lists the commands.\n`);
  return 2;
}

process.exitCode = run(process.argv.slice(2));
