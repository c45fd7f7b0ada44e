/** Upstream's recorded answers, for tests: read from the reference folder where it is at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Step {
  readonly m: string;
  readonly p: string;
  readonly h?: Readonly<Record<string, string>>;
  readonly b?: unknown;
  /** The body as raw text, where JSON could not hold it. */
  readonly t?: string;
  readonly quiet?: boolean;
}

export interface Answer {
  readonly code: number;
  readonly type?: string;
  readonly warnings?: readonly string[];
  readonly body?: unknown;
}

export interface Case {
  readonly id: string;
  readonly steps: readonly Step[];
  readonly answers: readonly Answer[];
}

const root = process.env['TUTTI_REFERENCE'] ?? join(import.meta.dirname, '../../../shared/reference');
const folder = join(root, 'answers');

export const answers = {
  root,
  /** For `test(name, { skip: answers.skip })`: a reason, or false where the recordings can be read. */
  skip: existsSync(folder) ? (false as const) : 'the recorded answers are not here',
  read(name: string): Case[] {
    return readFileSync(join(folder, `${name}.jsonl`), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Case);
  },
};
