/**
 * The words that `kubectl explain` shows: taken at build time from the npm package `@kubernetes/client-node`, whose models
 * carry the published descriptions, into a file that git ignores. A server works without it, and says nothing then.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StructType } from '../../libs/machinery/schema/ir.ts';

/** By OpenAPI name: the type's words, then its fields'. */
export type Descriptions = Record<string, readonly [string, Record<string, string>]>;

/** Where the words are kept, from the root. */
export const DESCRIPTIONS_PATH = 'api/schema/descriptions.generated.json';

const modelsPath = 'node_modules/@kubernetes/client-node/dist/gen/models';

interface Model {
  words: string;
  /** JSON name → words. */
  fields: Map<string, string>;
  names: Set<string>;
}

/** Writes the file; false where the package is not installed. */
export function writeDescriptions(root: string, types: readonly StructType[]): boolean {
  const folder = join(root, modelsPath);
  if (!existsSync(folder)) return false;
  const models = new Set(
    readdirSync(folder)
      .filter((name) => name.endsWith('.d.ts'))
      .map((name) => name.slice(0, -5)),
  );
  const out: Descriptions = {};
  for (const type of types) {
    const name = modelNames(type).find((candidate) => models.has(candidate));
    if (name === undefined || type.openapiName === undefined) continue;
    const model = readModel(folder, name);
    // The same short name in two groups: it is the model of the one whose fields it has.
    if (type.fields.some((field) => !model.names.has(field.name))) continue;
    out[type.openapiName] = [model.words, Object.fromEntries(model.fields)];
  }
  writeFileSync(join(root, DESCRIPTIONS_PATH), `${JSON.stringify(out)}\n`);
  return true;
}

/** `rbac.v1.Subject` → `RbacV1Subject`, or `V1Subject` where no other group has one. */
function modelNames(type: StructType): string[] {
  const [group = '', version = '', name = ''] = type.name.split('.');
  const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
  return [capital(group) + capital(version) + name, capital(version) + name];
}

function readModel(folder: string, name: string): Model {
  const declaration = readFileSync(join(folder, `${name}.d.ts`), 'utf8');
  const code = readFileSync(join(folder, `${name}.js`), 'utf8');
  const jsonNames = new Map<string, string>();
  for (const match of code.matchAll(/"name":\s*"([^"]+)",\s*"baseName":\s*"([^"]+)"/g)) {
    jsonNames.set(match[1] as string, match[2] as string);
  }
  const model: Model = { words: '', fields: new Map(), names: new Set(jsonNames.values()) };
  for (const match of declaration.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export declare class|'([^']+)'\??:)/g,
  )) {
    const words = wordsOf(match[1] as string);
    if (match[2] === undefined) model.words = words;
    else model.fields.set(jsonNames.get(match[2]) ?? match[2], words);
  }
  return model;
}

function wordsOf(comment: string): string {
  return (
    comment
      .split('\n')
      .map((line) => line.replace(/^\s*\* ?/, ''))
      .join('\n')
      // The package writes each description on one line: where a paragraph ended, two blanks are left.
      .replace(/(?<=\S) {2}(?=\S)/g, '\n\n')
      .replaceAll('\\"', '"')
      .replaceAll("\\'", "'")
      .replaceAll('*_/', '*/')
      .trim()
  );
}
