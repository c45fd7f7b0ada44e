// What commands that stay have in common: the machine, the steps they print, the signal that ends them.

import { readFileSync } from 'node:fs';
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
/** A terminal, npm and what npm starts each pass a signal on: within so long it is the same one. */
const SAME_SIGNAL_MS = 1_000;

export interface Foreground {
  /** Resolves with what is printed once everything runs. */
  start(): Promise<string>;
  /** Called in every case, also while `start` is under way. `hurry` is aborted when somebody waits no longer. */
  stop(hurry: AbortSignal): Promise<void>;
  /** Makes a sentence of an error of `start`, where it can. */
  explain(error: unknown): unknown;
}

/**
 * Prepares, starts, waits for a signal, stops. A second signal makes haste of it, and no signal ends the process before
 * everything has stopped: containers would be left behind. Resolves with the exit code; rejects with what kept it from
 * starting.
 */
export async function runUntilSignal(
  options: { readonly verbose: boolean; readonly keepPods: boolean },
  prepare: (machine: Machine, step: Step) => Promise<Foreground>,
): Promise<number> {
  const machine = machineOf(options.verbose ? 'debug' : 'warn');
  const { first: stopped, again } = listenForSignals(machine);
  const step = stepsOf(machine);
  const running = await prepare(machine, step);
  try {
    const begun = await Promise.race([
      running.start().then((hints) => ({ hints })),
      stopped.then(() => ({ hints: '' })),
    ]);
    say(begun.hints);
    process.stdout.write(`\n${await stopped}: stopping\n`);
  } catch (error) {
    throw running.explain(error);
  } finally {
    const late = machine.clock.setTimer(giveUp, STOP_MS, { keepAlive: true });
    await running.stop(again);
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

/** `first` resolves with the name of the first signal; `again` is aborted by a later one. */
function listenForSignals({ clock }: Machine): { readonly first: Promise<string>; readonly again: AbortSignal } {
  const hurry = new AbortController();
  const { promise: first, resolve } = Promise.withResolvers<string>();
  let firstMs: number | undefined;
  const heard = (signal: string) => {
    resolve(signal);
    firstMs ??= clock.monotonic();
    if (hurry.signal.aborted || clock.monotonic() < firstMs + SAME_SIGNAL_MS) return;
    process.stdout.write(`\n${signal} again: without grace\n`);
    hurry.abort(new Error(`${signal} again`));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, heard);
  if (!ignoresHangup()) process.on('SIGHUP', heard);
  return { first, again: hurry.signal };
}

/** Whether this was started to outlive its terminal, as by nohup. */
function ignoresHangup(): boolean {
  try {
    const [, mask = '0'] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false; // not Linux
  }
}

/** Counted from the start of the process. */
function stepsOf({ clock }: Machine): Step {
  const startedMs = clock.monotonic() - process.uptime() * 1000;
  return (what, detail) => {
    const seconds = ((clock.monotonic() - startedMs) / 1000).toFixed(2).padStart(6);
    process.stdout.write(`${`${seconds} s  ${what.padEnd(13)} ${detail}`.trimEnd()}\n`);
  };
}
