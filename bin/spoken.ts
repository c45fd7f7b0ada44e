// Our own name as the user would type it: what we print is there to be copied.

import { readFileSync } from 'node:fs';
import process from 'node:process';
import metadata from '../package.json' with { type: 'json' };
import { COMMANDS } from './commands/commands.ts';

/** The scripts of a clone that are this command; by others (`npm test`) it is run by programs. */
const SCRIPTS: readonly string[] = ['start', 'tutti', 'dev'];
/** In a clone. Without `-s`, npm would put lines of its own before what a command prints. */
export const NAME_IN_CLONE = 'npm run -s tutti --';

/**
 * The words before `up`, `stop` …: `npm run -s tutti --` for who came by a script of a clone, `npx tutti` for who came by
 * npx or a script of a package of their own, else `tutti`.
 */
export function nameTyped(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const script = env['npm_lifecycle_event'];
  if (env['npm_command'] === 'exec') return 'npx tutti';
  if (script === undefined) return 'tutti';
  if (!isOurs(env['npm_package_json'])) return 'npx tutti';
  return SCRIPTS.includes(script) ? NAME_IN_CLONE : 'tutti';
}

function isOurs(file: string | undefined): boolean {
  try {
    return file !== undefined && JSON.parse(readFileSync(file, 'utf8')).name === metadata.name;
  } catch {
    return false;
  }
}

/** The text with each `tutti COMMAND` in it as the user would type it. Headings (`tutti up: …`) stay. */
export function asTyped(text: string, name = nameTyped()): string {
  if (name === 'tutti') return text;
  const words = new RegExp(`\\btutti (${Object.keys(COMMANDS).join('|')}|COMMAND|--help)\\b(?!:)`, 'g');
  return text.replace(words, (_all, command: string, at: number, whole: string) => {
    if (name !== NAME_IN_CLONE || command !== 'up') return `${name} ${command}`;
    return /^ [-[]/.test(whole.slice(at + 'tutti up'.length)) ? 'npm start --' : 'npm start';
  });
}

/** Prints for people. What programs read (`--output json`, a kubeconfig) is written as it is. */
export function say(text: string): void {
  process.stdout.write(asTyped(text));
}
