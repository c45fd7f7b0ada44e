// `tutti version`.

import process from 'node:process';
import metadata from '../../package.json' with { type: 'json' };
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { parseOptions } from './options.ts';

export const USAGE = `tutti version: print the version
usage: tutti version [--output text|json]
  --output FORMAT        text (default): the number alone; json: also of Kubernetes' API and of Node
  --help                 print this text
examples:
  tutti version
  tutti version --output json
`;

const OPTIONS = { output: { type: 'string', short: 'o' }, help: { type: 'boolean', short: 'h' } } as const;
/** Whose API this is. */
export const KUBERNETES_VERSION = 'v1.36.2';

/** Resolves with the exit code. */
export async function version(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('version', args, OPTIONS);
  const { output = 'text', help } = values;
  if (output !== 'text' && output !== 'json') {
    throw new CommandError(`--output wants text or json, not "${output}".`, 2);
  }
  const all = { tutti: metadata.version, kubernetes: KUBERNETES_VERSION, node: process.version };
  if (help) say(USAGE);
  else process.stdout.write(output === 'json' ? `${JSON.stringify(all, undefined, 2)}\n` : `${all.tutti}\n`);
  return 0;
}
