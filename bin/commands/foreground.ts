// What commands that stay have in common: the machine, the steps they print, the signal that ends them.

import process from 'node:process';
import { createLogger, formatRecord, type LogLevel } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import type { Machine } from '../compose/apiserver.ts';
import type { Step } from '../compose/node.ts';
import { say } from '../spoken.ts';

/** How long everything may take to stop. */
const STOP_MS = 10_000;

export interface Foreground {
  /** Resolves with what is printed once everything runs. */
  start(): Promise<string>;
  /** Called in every case, also while `start` is under way. */
  stop(): Promise<void>;
  /** Makes a sentence of an error of `start`, where it can. */
  explain(error: unknown): unknown;
}

/** Prepares, starts, waits for SIGINT or SIGTERM, stops. Resolves with the exit code; rejects with what kept it from starting. */
export async function runUntilSignal(
  options: { readonly verbose: boolean; readonly keepPods: boolean },
  prepare: (machine: Machine, step: Step) => Promise<Foreground>,
): Promise<number> {
  const machine = machineOf(options.verbose ? 'debug' : 'warn');
  const stopped = signalled();
  const step = stepsOf(machine);
  const running = await prepare(machine, step);
  try {
    const first = await Promise.race([
      running.start().then((hints) => ({ hints })),
      stopped.then(() => ({ hints: '' })),
    ]);
    say(first.hints);
    process.stdout.write(`\n${await stopped}: stopping\n`);
  } catch (error) {
    throw running.explain(error);
  } finally {
    const late = machine.clock.setTimer(giveUp, STOP_MS, { keepAlive: true });
    await running.stop();
    late.cancel();
  }
  step('stopped', options.keepPods ? 'pods go on running' : '');
  return 0;
}

function giveUp(): void {
  process.stderr.write('tutti: not everything ended in time; the next start looks after what is left.\n');
  process.exit(1);
}

/** The real machine, as everything that is started takes it. */
export function machineOf(level: LogLevel): Machine {
  const clock = new RealClock();
  const log = createLogger('tutti', clock, (record) => process.stderr.write(`${formatRecord(record)}\n`), level);
  return { host: createNodeHost(), clock, random: realRandom, keys: new NodeKeys(), log };
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

/** Counted from the start of the process. */
function stepsOf({ clock }: Machine): Step {
  const startedMs = clock.monotonic() - process.uptime() * 1000;
  return (what, detail) => {
    const seconds = ((clock.monotonic() - startedMs) / 1000).toFixed(2).padStart(6);
    process.stdout.write(`${`${seconds} s  ${what.padEnd(13)} ${detail}`.trimEnd()}\n`);
  };
}
