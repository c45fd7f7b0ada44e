#!/usr/bin/env node
// The `tutti` command: finds the subcommand and leaves the rest to it.

import process from 'node:process';
import { COMMANDS, usage } from './commands/commands.ts';
import { CommandError } from './errors.ts';
import { asTyped, say } from './spoken.ts';

const EXIT_MS = 500;

/** Runs one command line (without the program's name); resolves with the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined || word === 'help' || word === '--help' || word === '-h') {
    const named = word === 'help' ? rest[0] : undefined;
    if (named !== undefined) return run([named, '--help']);
    say(usage());
    return 0;
  }
  const name = word === '--version' ? 'version' : word;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new CommandError(`There is no command "${word}"; "tutti --help" lists the commands.`, 2);
  }
  const { run: start } = await command.load();
  return start(rest);
}

/** Errors of users get one sentence, those of the program their stack. */
function report(error: unknown): number {
  if (error instanceof CommandError) {
    process.stderr.write(`tutti: ${asTyped(error.message)}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `tutti: this is a bug, please report it:\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}

// Who reads may have heard enough ("tutti status | head -1"), or a terminal be closed: what runs does not break off by that.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: Error & { code?: string }) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}
// Timers of a clock keep nothing alive; a command that waits for one is not over.
const alive = setInterval(() => undefined, 2 ** 30);
process.exitCode = await run(process.argv.slice(2)).catch(report);
clearInterval(alive);
// Whatever is still open must not keep a command alive that has ended; output that is under way gets its time.
setTimeout(() => process.exit(), EXIT_MS).unref();
