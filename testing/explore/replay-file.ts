import type { Files } from '../../libs/base/host.ts';
import { nodeMajor } from '../../libs/base/node/version.ts';
import metadata from '../../package.json' with { type: 'json' };
import { ReplayFileError } from './errors.ts';
import { EXPLORED_FAULTS } from './fault-kinds.ts';
import type { Failure } from './run.ts';
import type { Perturbation, Schedule } from './schedule.ts';

/** What a file that replays a failure holds. */
export interface ReplayFacts {
  readonly scenario: string;
  readonly seed: string;
  readonly run: number;
  readonly schedule: Schedule;
  readonly failure: Failure;
}

const FORMAT = 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes it into a folder, which is made where there is none, and gives the file's path. */
export async function writeReplayFile(files: Files, folder: string, facts: ReplayFacts): Promise<string> {
  const name = `${facts.scenario}-${facts.seed}-${facts.run}`.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
  const file = `${folder}/${name}.json`;
  await files.makeDirectory(folder);
  const content = { format: FORMAT, tutti: metadata.version, node: nodeMajor(), ...facts };
  await files.write(file, encoder.encode(`${JSON.stringify(content, null, 2)}\n`));
  return file;
}

/** Throws `ReplayFileError` for what cannot be replayed here. */
export async function readReplayFile(files: Files, file: string, scenario: string): Promise<ReplayFacts> {
  const wrong = (message: string, options?: { cause?: unknown }) => new ReplayFileError(file, message, options);
  let content: Record<string, unknown>;
  try {
    content = JSON.parse(decoder.decode(await files.read(file))) as Record<string, unknown>;
  } catch (error) {
    throw wrong(`it cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const { format, tutti, node } = content;
  if (format !== FORMAT) throw wrong(`format is ${JSON.stringify(format)}; this version reads ${FORMAT}`);
  if (tutti !== metadata.version)
    throw wrong(`it was written by version ${tutti}; this is ${metadata.version}, where the same seed is another run`);
  if (node !== nodeMajor())
    throw wrong(`it was written on Node ${node}; this is Node ${nodeMajor()}, where the same seed may be another run`);
  if (content['scenario'] !== scenario)
    throw wrong(`scenario is ${JSON.stringify(content['scenario'])}, not ${JSON.stringify(scenario)}`);
  const { seed, run, schedule, failure } = content as Partial<ReplayFacts>;
  if (typeof seed !== 'string') throw wrong('seed is no text');
  if (!Number.isInteger(run)) throw wrong('run is no whole number');
  return { scenario, seed, run: run as number, schedule: checked(schedule, wrong), failure: failure as Failure };
}

const OPTIONAL: Readonly<Record<keyof Omit<Perturbation, 'fault' | 'atMs'>, 'number' | 'string'>> = {
  forMs: 'number',
  of: 'string',
  verb: 'string',
  resource: 'string',
  after: 'number',
  times: 'number',
  code: 'number',
  byMs: 'number',
  share: 'number',
};

function checked(schedule: Schedule | undefined, wrong: (message: string) => Error): Schedule {
  if (typeof schedule?.latencyMs !== 'number') throw wrong('schedule.latencyMs is no number');
  if (typeof schedule.shuffle !== 'boolean') throw wrong('schedule.shuffle is neither true nor false');
  if (!Array.isArray(schedule.perturbations)) throw wrong('schedule.perturbations is no list');
  for (const [index, one] of (schedule.perturbations as readonly Perturbation[]).entries()) {
    const at = `schedule.perturbations[${index}]`;
    if (!EXPLORED_FAULTS.includes(one?.fault))
      throw wrong(`${at}.fault is ${JSON.stringify(one?.fault)}, which there is not`);
    if (typeof one.atMs !== 'number') throw wrong(`${at}.atMs is no number`);
    for (const [field, type] of Object.entries(OPTIONAL)) {
      const value = one[field as keyof Perturbation];
      if (value !== undefined && typeof value !== type) throw wrong(`${at}.${field} is no ${type}`);
    }
  }
  return schedule;
}
