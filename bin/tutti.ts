#!/usr/bin/env node
// The `tutti` command: finds the subcommand and leaves the rest to it.

import process from 'node:process';
import metadata from '../package.json' with { type: 'json' };
import { CommandError } from './errors.ts';

const EXIT_MS = 500;

const USAGE = `tutti ${metadata.version}: Kubernetes in TypeScript

usage:
  tutti up          start a cluster on this machine ("tutti up --help")
  tutti dev         the same from a clone's sources, started anew on every save
  tutti version     print the version
  tutti --help      print this text
`;

/** Runs one command line (without the program's name); resolves with the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'up': {
      const { up } = await import('./commands/up.ts');
      return up(rest);
    }
    case 'dev': {
      const { dev } = await import('./commands/dev.ts');
      return dev(rest);
    }
    case 'version':
    case '--version':
      process.stdout.write(`${metadata.version}\n`);
      return 0;
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    default:
      throw new CommandError(`There is no command "${command}"; "tutti --help" lists the commands.`, 2);
  }
}

/** Errors of users get one sentence, those of the program their stack. */
function report(error: unknown): number {
  if (error instanceof CommandError) {
    process.stderr.write(`tutti: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `tutti: this is a bug, please report it:\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}

process.exitCode = await run(process.argv.slice(2)).catch(report);
// Whatever is still open must not keep a command alive that has ended; output that is under way gets its time.
setTimeout(() => process.exit(), EXIT_MS).unref();
