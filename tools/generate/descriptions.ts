/**
 * The words that `kubectl explain` and tables show: taken at build time from npm packages whose models carry the published
 * descriptions, into a file that git ignores. A server works without it, and says nothing then.
 *
 * `@kubernetes/client-node` has every type of this version, but each description on one line, and none for fields that
 * refer to another type. `kubernetes-models` has both right, but not all types: where it says the same it decides how the
 * words are laid out, and where the other is silent it speaks.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StructType } from '../../libs/machinery/schema/ir.ts';

/** By OpenAPI name: the type's words, then its fields'. */
export type Descriptions = Record<string, readonly [string, Record<string, string>]>;

/** Where the words are kept, from the root. */
export const DESCRIPTIONS_PATH = 'api/schema/descriptions.generated.json';

const modelsPath = 'node_modules/@kubernetes/client-node/dist/gen/models';
const laidOutPath = 'node_modules/kubernetes-models';
const laidOutMetaPath = 'node_modules/@kubernetes-models/apimachinery/apis';

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
  const laidOut = laidOutModels(root);
  for (const type of types) {
    const name = modelNames(type).find((candidate) => models.has(candidate));
    if (name === undefined || type.openapiName === undefined) continue;
    const model = readModel(folder, name);
    // The same short name in two groups: it is the model of the one whose fields it has.
    if (type.fields.some((field) => !model.names.has(field.name))) continue;
    out[type.openapiName] = merged(type, model, laidOut.get(type.name));
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

/** What the one package says, laid out as the other has it. */
function merged(type: StructType, model: Model, better: Model | undefined): Descriptions[string] {
  const sameWords = (a: string, b: string) => a.split(/\s+/).join(' ') === b.split(/\s+/).join(' ');
  const pick = (said: string, otherwise: string | undefined, mayReplace: boolean): string =>
    otherwise !== undefined && (mayReplace || sameWords(said, otherwise)) ? otherwise : said;
  const fields: Record<string, string> = {};
  for (const { name, type: of } of type.fields) {
    const said = model.fields.get(name) ?? '';
    // Of a field that refers to a type, the first package has that type's words or none.
    const words = pick(said, better?.fields.get(name), said === '' || of.k === 'ref' || of.k === 'intOrString');
    if (words !== '') fields[name] = words;
  }
  return [pick(model.words, better?.words, model.words === ''), fields];
}

/** The models of `kubernetes-models` by type name; its folders are groups and versions. */
function laidOutModels(root: string): Map<string, Model> {
  const found = new Map<string, Model>();
  const read = (folder: string, packageName: string) => {
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.d.ts') || file === 'index.d.ts') continue;
      found.set(`${packageName}.${file.slice(0, -5)}`, readLaidOut(join(folder, file)));
    }
  };
  const versions = (folder: string) => readdirSync(folder).filter((name) => /^v\d/.test(name));
  const groups = join(root, laidOutPath);
  if (!existsSync(groups)) return found;
  for (const version of versions(groups)) read(join(groups, version), `core.${version}`);
  for (const group of readdirSync(groups)) {
    if (!existsSync(join(groups, group, 'index.d.ts')) || /^v\d/.test(group)) continue;
    for (const version of versions(join(groups, group)))
      read(join(groups, group, version), `${group.replace(/\..*/, '')}.${version}`);
  }
  const meta = join(root, laidOutMetaPath, 'meta/v1');
  if (existsSync(meta)) read(meta, 'meta.v1');
  return found;
}

function readLaidOut(file: string): Model {
  const text = readFileSync(file, 'utf8');
  const model: Model = { words: '', fields: new Map(), names: new Set() };
  const end = text.indexOf('\n}', text.indexOf('export interface'));
  for (const match of text
    .slice(0, end)
    .matchAll(/\/\*\*\n((?: *\*(?!\/).*\n)*) *\*\/\s*(?:export interface|"([^"]+)"\??:)/g)) {
    const words = (match[1] as string)
      .replace(/^ *\* ?/gm, '')
      .replace(/\\([*/])/g, '$1')
      .trimEnd();
    if (match[2] === undefined) model.words = words;
    else model.fields.set(match[2], words);
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
      .replaceAll('/_*', '/*')
      .trim()
  );
}
